//! The registry: the customers in memory, found by name.
//!
//! The door of dashmap. Nothing that may wait happens while one of its locks is held.

use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry as MapEntry;

use super::cell::{Cell, Owner};
use crate::domain::CustomerId;
use crate::sync::point;

/// The cell of each customer in memory.
#[derive(Debug, Default)]
pub(super) struct Registry(DashMap<CustomerId, Arc<Cell>, foldhash::fast::RandomState>);

impl Registry {
    /// The customer's cell, if there is one.
    pub(super) fn find(&self, customer: &CustomerId) -> Option<Arc<Cell>> {
        point();
        self.0.get(customer).map(|cell| Arc::clone(&cell))
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
        match self.0.entry(customer.clone()) {
            MapEntry::Occupied(cell) => Ok(Arc::clone(cell.get())),
            MapEntry::Vacant(vacant) => {
                let loading = make();
                vacant.insert(Arc::clone(loading.cell()));
                Err(loading)
            }
        }
    }

    /// Removes a cell that is gone, and no other that may have taken its place.
    pub(super) fn forget(&self, gone: &Arc<Cell>) {
        point();
        self.0.remove_if(&gone.customer, |_, cell| Arc::ptr_eq(cell, gone));
    }

    /// A test door: everyone in memory.
    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<Arc<Cell>> {
        self.0.iter().map(|cell| Arc::clone(&cell)).collect()
    }

    /// How many customers are in memory.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
