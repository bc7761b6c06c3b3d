//! The registry: the customers in memory, found by name.
//!
//! The door of dashmap. Nothing that may wait happens while one of its locks is held.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry as MapEntry;

use super::cell::{Cell, Owner};
use super::watch;
use crate::domain::CustomerId;
use crate::sync::point;

/// The cell of each customer in memory. A cell holds its customer's name, so it is its own key.
#[derive(Debug, Default)]
pub(super) struct Registry(DashMap<Resident, (), foldhash::fast::RandomState>);

/// A cell, filed under its customer's name.
#[derive(Debug)]
struct Resident(Arc<Cell>);

impl Registry {
    /// The customer's cell, if there is one.
    pub(super) fn find(&self, customer: &CustomerId) -> Option<Arc<Cell>> {
        point();
        self.0.get(customer.as_str()).map(|cell| Arc::clone(&cell.key().0))
    }

    /// The customer's cell; or, for a customer who is not in memory, the right to load the one that `make` made.
    pub(super) fn find_or_enter(
        &self,
        customer: &CustomerId,
        make: impl FnOnce() -> Owner,
    ) -> Result<Arc<Cell>, Owner> {
        if let Some(cell) = self.find(customer) {
            return Ok(cell);
        }
        point();
        let loading = make();
        match self.0.entry(Resident(Arc::clone(loading.cell()))) {
            // The cell that was just made is known to nobody: it is dropped.
            MapEntry::Occupied(cell) => Ok(Arc::clone(&cell.key().0)),
            MapEntry::Vacant(vacant) => {
                watch::begun(loading.cell());
                vacant.insert(());
                Err(loading)
            }
        }
    }

    /// Removes a cell that is gone, and no other that may have taken its place.
    pub(super) fn forget(&self, gone: &Arc<Cell>) {
        point();
        self.0.remove_if(gone.customer.as_str(), |cell, ()| Arc::ptr_eq(&cell.0, gone));
    }

    /// A test door: everyone in memory.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<Arc<Cell>> {
        self.0.iter().map(|cell| Arc::clone(&cell.key().0)).collect()
    }

    /// How many customers are in memory.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Borrow<str> for Resident {
    fn borrow(&self) -> &str {
        self.0.customer.as_str()
    }
}

impl Hash for Resident {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.customer.as_str().hash(hasher);
    }
}

impl PartialEq for Resident {
    fn eq(&self, other: &Self) -> bool {
        self.0.customer == other.0.customer
    }
}

impl Eq for Resident {}
