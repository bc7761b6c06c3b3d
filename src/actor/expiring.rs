//! What has expired goes out of memory and out of the store.
//!
//! A state is stored without what has expired by then; those that are not about to be stored are found by the store's list of
//! what expires. A customer in memory is asked for its state as if it had changed. One who rests is brought into a cell that
//! the archive owns meanwhile, so that nobody can load what is being dropped: who comes waits in the cell's mailbox, and finds
//! the customer in memory afterwards.

use std::sync::Arc;

use super::archive::Archive;
use super::cell::{Cell, Owner};
use super::house::DRAIN_MAX;
use super::job::Snapshot;
use super::loading::Read;
use super::{Expired, Failure, Refusal};
use crate::domain::Timestamp;
use crate::journal::{Expiry, JournalError};

/// Customers whose states are seen to at a checkpoint at most: the rest is seen to at the next.
const CUSTOMERS_MAX: usize = 100_000;

/// Customers whose states are seen to in one go: so long may one who comes meanwhile wait.
const CHUNK: usize = 128;

/// Customers who were at rest and are held by the archive.
type Sleepers = Vec<(Owner, Snapshot)>;

impl Archive {
    /// Whether something in the store has expired.
    pub(super) fn is_anything_expired(&self) -> bool {
        let house = &self.house;
        let is_dropped = house.config.expired == Expired::Dropped;
        is_dropped && house.store.expired(house.clock.wall(), 1).is_ok_and(|expired| !expired.is_empty())
    }

    /// Drops what has expired from the states of up to so many customers.
    pub(super) fn drop_expired(&self) -> Result<(), JournalError> {
        let house = &self.house;
        if house.config.expired == Expired::Kept {
            return Ok(());
        }
        let expired = house.store.expired(house.clock.wall(), CUSTOMERS_MAX)?;
        for chunk in expired.chunks(CHUNK) {
            let seen_to = self.drop_expired_of(chunk)?;
            house.store.strike(&seen_to)?;
            house.metrics.purged.add(seen_to.len() as u64);
        }
        Ok(())
    }

    /// Drops what has expired from the states of these customers; returns those it could see to.
    fn drop_expired_of(&self, expired: &[Expiry]) -> Result<Vec<Expiry>, JournalError> {
        let house = &self.house;
        let (mut awake, mut sleepers) = (Vec::new(), Sleepers::new());
        let mut seen_to = Vec::with_capacity(expired.len());
        for expiry in expired {
            let is_seen_to = match house.cells.find_or_enter(&expiry.customer, || house.vacant(&expiry.customer)) {
                Ok(cell) => self.purge_awake(&cell, expiry.at, &mut awake),
                Err(owner) => self.purge_asleep(owner, expiry.at, &mut sleepers),
            };
            if is_seen_to {
                seen_to.push(expiry.clone());
            }
        }
        let asleep = sleepers.iter().map(|(owner, snapshot)| (&owner.cell().customer, snapshot));
        let stored = self.put(asleep).and_then(|()| self.store(awake));
        for (owner, _) in sleepers {
            self.lay_down_again(owner);
        }
        stored.map(|_| seen_to)
    }

    fn purge_awake(&self, cell: &Arc<Cell>, listed: Timestamp, awake: &mut Vec<(Arc<Cell>, Snapshot)>) -> bool {
        // One that is being loaded may wait for room that this very thread makes. It is seen to at the next checkpoint.
        if cell.bytes() == 0 {
            return false;
        }
        cell.note_listed(listed);
        // One that is gone meanwhile, or broken, likewise.
        let Some(snapshot) = self.snapshot(cell) else { return false };
        awake.push((Arc::clone(cell), snapshot));
        true
    }

    fn purge_asleep(&self, owner: Owner, listed: Timestamp, sleepers: &mut Sleepers) -> bool {
        let house = &self.house;
        let cell = owner.cell();
        // What is warm is what the store has.
        drop(house.warm.take(cell.customer.as_str()));
        match house.read_state(&cell.customer, cell.partition, false) {
            Ok(Read { state, .. }) => {
                owner.install(state);
                owner.list_expiry(Some(listed));
                if let Some(snapshot) = house.snapshot(&owner) {
                    sleepers.push((owner, snapshot));
                }
                true
            }
            Err(error) => {
                tracing::error!(%error, partition = cell.partition.number(), "a customer's state cannot be read, and keeps what has expired");
                house.turn_away(owner, false, &Refusal::Failed(Failure::StateUnreadable));
                // It will not be readable at the next checkpoint either.
                true
            }
        }
    }

    /// Takes a customer out of memory whom only the archive asked for; one whom someone else has asked for meanwhile stays.
    fn lay_down_again(&self, owner: Owner) {
        let house = &self.house;
        match owner.retire() {
            Ok(gone) => {
                gone.clear();
                house.cells.forget(&gone);
            }
            Err(owner) => {
                let state = owner.state().take();
                match state {
                    Some(state) => {
                        let listed = owner.list_expiry(None);
                        house.begin(owner, state, listed);
                    }
                    None => house.drive(owner, DRAIN_MAX),
                }
            }
        }
    }
}
