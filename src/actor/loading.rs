//! Bringing states in, and handing them out to be stored.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use super::cell::{Cell, Owner};
use super::house::{DRAIN_MAX, House};
use super::job::{Claimed, Job, Snapshot};
use super::{Failure, Refusal, ShelfError};
use crate::bundle::Bundle;
use crate::context::CustomerState;
use crate::domain::{CustomerId, Partition};

impl House {
    /// Loads a state into a cell that is owned, then does what waits: at once if the state is warm, otherwise on a keeper.
    pub(super) fn load(self: &Arc<Self>, owner: Owner) {
        let Some(bytes) = self.warm.take(owner.cell().customer.as_str()) else {
            return self.keepers.load(self, owner, false);
        };
        let layout = Arc::clone(self.current.load().bundle.layout());
        match CustomerState::decode(&bytes, &layout) {
            Ok(state) => {
                self.metrics.activated.warm.inc();
                self.begin(owner, state);
            }
            // The store has the same state; the keeper reads it there.
            Err(_) => self.keepers.load(self, owner, false),
        }
    }

    /// Loads a state from the store, and from the journal what came later if `rebuild`. May block: for keepers.
    pub(super) fn load_blocking(self: &Arc<Self>, owner: Owner, rebuild: bool) {
        match self.read_state(&owner.cell().customer, owner.cell().partition, rebuild) {
            Ok((state, is_new)) => {
                if is_new {
                    self.metrics.activated.new.inc();
                } else {
                    self.metrics.activated.cold.inc();
                }
                self.begin(owner, state);
            }
            Err(error) => {
                tracing::error!(%error, partition = owner.cell().partition.number(), "a customer's state cannot be read");
                self.turn_away(owner, rebuild, &Refusal::Failed(Failure::StateUnreadable));
            }
        }
    }

    fn begin(self: &Arc<Self>, owner: Owner, state: CustomerState) {
        owner.install(state);
        self.metrics.hot.set(self.cells.len() as i64);
        self.keepers.adopt(owner.cell());
        if self.cells.len() > self.config.hot_customers_max {
            self.keepers.sweep();
        }
        self.drive(owner, DRAIN_MAX);
    }

    fn read_state(
        &self,
        customer: &CustomerId,
        partition: Partition,
        rebuild: bool,
    ) -> Result<(CustomerState, bool), LoadError> {
        let layout = Arc::clone(self.current.load().bundle.layout());
        let stored = self.store.get(customer.as_str())?;
        let is_new = stored.is_none();
        let mut state = match stored {
            Some(bytes) => CustomerState::decode(&bytes, &layout)?,
            None => CustomerState::new(layout),
        };
        if rebuild {
            super::recovery::catch_up(self, &mut state, customer, partition)?;
        }
        Ok((state, is_new))
    }

    /// Refuses everything that waits for a cell whose state could not be had.
    ///
    /// INVARIANT: a cell whose state broke stays registered, without a state, until it is rebuilt: the store does not have
    /// what the journal has of it, so nobody may load it from there, and no checkpoint may pass it.
    pub(super) fn turn_away(&self, owner: Owner, is_broken: bool, refusal: &Refusal) {
        if is_broken {
            return turn_all_away(owner.leave_broken(), refusal);
        }
        let (cell, jobs) = owner.abandon();
        self.cells.forget(&cell);
        self.metrics.hot.set(self.cells.len() as i64);
        turn_all_away(jobs, refusal);
    }

    /// The bundle that a record of the journal holds.
    pub(super) fn bundle_at(&self, seq: u64) -> Result<Arc<Bundle>, ShelfError> {
        self.shelf.get(seq, || self.journal.record_at(seq))
    }

    /// The state as it is to be stored; from now on it counts as unchanged.
    pub(super) fn snapshot(owner: &Owner) -> Option<Snapshot> {
        let state = owner.state();
        let state = state.as_ref()?;
        owner.mark_clean();
        Some(Snapshot { bytes: state.encode(), last_seq: state.last_seq })
    }

    /// Takes the list of cells that have changed, each once: one that could not be stored is on it again, perhaps beside a
    /// later change, and a disk that goes on failing must not make the list grow.
    pub(super) fn take_dirty(&self) -> Vec<Arc<Cell>> {
        let mut cells = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        let mut known: HashSet<*const Cell, foldhash::fast::RandomState> = HashSet::default();
        cells.retain(|cell| known.insert(Arc::as_ptr(cell)));
        cells
    }

    /// Puts cells back on the list of those that have changed.
    pub(super) fn keep_dirty(&self, cells: Vec<Arc<Cell>>) {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner).extend(cells);
    }

    pub(super) fn dirty_cells(&self) -> usize {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn turn_all_away(jobs: impl Iterator<Item = Job>, refusal: &Refusal) {
    for job in jobs {
        // A snapshot or a view that is not answered tells its caller that the cell is gone.
        if let Job::Turn(job) = job
            && job.claim.take() == Claimed::Waiting
        {
            let _ = job.reply.send(Err(refusal.clone()));
        }
    }
}

/// Why a state cannot be brought in.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    #[error(transparent)]
    State(#[from] crate::context::StateError),
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error(transparent)]
    Record(#[from] crate::turn::RecordError),
}
