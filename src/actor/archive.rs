//! The archive: writes states to the store, and so decides what is there.
//!
//! There is one, and one thread that works in it, the [`Archivist`](super::archivist::Archivist)'s. Every write of a state goes through it, one after the other: a snapshot is taken and stored before the next of the same
//! customer is taken, so an older state can never overwrite a newer one. A state is stored only when the journal has synced
//! everything in it.

use std::sync::Arc;

use super::cell::Cell;
use super::house::House;
use super::job::{Job, Snapshot};
use crate::journal::{Checkpoint, JournalError};
use crate::sync::mpsc;
use crate::time::Instant;

/// States that are stored in one go.
const CHUNK: usize = 512;

/// Writes states.
#[derive(Debug)]
pub(super) struct Archive {
    house: Arc<House>,
    last_checkpoint: Instant,
    last_seq: u64,
}

/// States that were stored.
struct Saved {
    /// Each cell with what was stored of it.
    states: Vec<(Arc<Cell>, Snapshot)>,
    /// Cells that had no state to store.
    broken: usize,
}

impl Archive {
    pub(super) fn new(house: Arc<House>, last_seq: u64) -> Self {
        let last_checkpoint = house.clock.instant();
        Self { house, last_checkpoint, last_seq }
    }

    /// Stores everything that was decided so far; returns the record up to which all stored states are current. Blocks.
    pub(super) fn checkpoint_now(&mut self) -> Result<u64, JournalError> {
        let journal = &self.house.journal;
        journal.wait_synced_blocking(journal.last_seq())?;
        self.checkpoint()
    }

    /// Stores what has changed if it is time to.
    pub(super) fn checkpoint_if_due(&mut self) {
        if self.is_due()
            && let Err(error) = self.checkpoint()
        {
            tracing::error!(%error, "a checkpoint failed; it will be tried again");
        }
    }

    /// Stores all states that have changed and notes how far the store has come.
    fn checkpoint(&mut self) -> Result<u64, JournalError> {
        let start = self.house.clock.instant();
        // INVARIANT: the sequence is read before the list is taken. A record up to it was appended by a turn that had marked
        // its cell before, so the cell is in this list, or was stored since.
        let seq = self.house.journal.synced_seq();
        let cells = self.house.take_dirty();
        let mut rest = cells.as_slice();
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(rest.len().min(CHUNK));
            let stored = self.save(chunk).and_then(|saved| match saved.broken {
                0 => Ok(()),
                // What the journal has of them is nowhere else: nobody may say that the store is current.
                broken => {
                    let message = format!("{broken} customers' states are being rebuilt from the journal");
                    Err(JournalError::Store(message))
                }
            });
            if let Err(error) = stored {
                self.house.keep_dirty(rest.to_vec());
                return Err(error);
            }
            rest = later;
        }
        let bundle_seq = self.house.current.load().seq;
        let caps = self.house.caps.checkpoint(seq);
        self.house.store.checkpoint(&Checkpoint { seq, bundle_seq, caps })?;
        (self.last_checkpoint, self.last_seq) = (self.house.clock.instant(), seq);
        self.house.metrics.checkpoint_seq.set(seq as i64);
        self.house.metrics.checkpoint_seconds.observe_duration(self.last_checkpoint.since(start));
        Ok(seq)
    }

    /// Stores the states of these cells.
    fn save(&self, cells: &[Arc<Cell>]) -> Result<Saved, JournalError> {
        let mut saved: Vec<(Arc<Cell>, Snapshot)> = Vec::with_capacity(cells.len());
        let mut broken = 0;
        for cell in cells {
            match self.snapshot(cell) {
                Some(snapshot) => saved.push((Arc::clone(cell), snapshot)),
                // A cell that is gone was stored before it went.
                None if cell.is_gone() => {}
                None => broken += 1,
            }
        }
        let last_seq = saved.iter().map(|(_, snapshot)| snapshot.last_seq).max().unwrap_or(0);
        // A customer who was only looked at has no record and leaves no trace.
        let recorded = saved.iter().filter(|(_, snapshot)| snapshot.last_seq > 0);
        let states: Vec<(String, Vec<u8>)> =
            recorded.map(|(cell, snapshot)| (cell.customer.to_string(), snapshot.bytes.clone())).collect();
        let stored = self.house.journal.wait_synced_blocking(last_seq).and_then(|()| self.house.store.put(&states));
        if let Err(error) = stored {
            // What was taken for stored is not: it counts as changed again.
            self.house.keep_dirty(saved.into_iter().map(|(cell, _)| cell).collect());
            return Err(error);
        }
        self.house.metrics.saved.add(states.len() as u64);
        Ok(Saved { states: saved, broken })
    }

    /// The state of a cell as it is to be stored, taken by itself or by whoever runs the cell's turns; `None` for a cell that is
    /// gone, or broken.
    fn snapshot(&self, cell: &Arc<Cell>) -> Option<Snapshot> {
        if let Some(owner) = cell.try_own() {
            let snapshot = House::snapshot(&owner);
            self.house.drive(owner, CHUNK);
            return snapshot;
        }
        let (reply, received) = mpsc::sync_channel(1);
        self.house.in_turn(cell, Job::Snapshot(reply));
        received.recv().ok()
    }

    /// Puts cells to rest: stores those that have changed, then takes out of use those that have not changed again. One that
    /// is busy again, or cannot be stored, stays in memory.
    pub(super) fn retire(&self, cells: &[Arc<Cell>]) {
        if let Err(error) = self.try_retire(cells) {
            tracing::error!(%error, "customers could not be put to rest; they stay in memory");
        }
    }

    fn try_retire(&self, cells: &[Arc<Cell>]) -> Result<(), JournalError> {
        for chunk in cells.chunks(CHUNK) {
            // One that is broken stays where it is, and holds up nobody else.
            for (cell, snapshot) in self.save(chunk)?.states {
                self.retire_one(&cell, &snapshot);
            }
        }
        self.house.metrics.hot.set(self.house.hot_customers() as i64);
        self.house.metrics.warm_bytes.set(self.house.warm.bytes() as i64);
        Ok(())
    }

    fn retire_one(&self, cell: &Arc<Cell>, snapshot: &Snapshot) {
        let Some(owner) = cell.try_own() else { return };
        if owner.is_dirty() {
            return self.house.drive(owner, CHUNK);
        }
        // Warm first: whoever finds the cell gone must find the state somewhere, and this is where it looks first.
        if snapshot.last_seq > 0 {
            self.house.warm.put(cell.customer.as_str(), &snapshot.bytes);
        }
        match owner.retire() {
            Ok(gone) => {
                self.house.cells.forget(&gone);
                self.house.metrics.passivations.inc();
            }
            Err(owner) => {
                // Someone queued in between: the cell stays, and the copy must not outlive its first turn.
                drop(self.house.warm.take(cell.customer.as_str()));
                self.house.drive(owner, CHUNK);
            }
        }
    }

    fn is_due(&self) -> bool {
        let config = &self.house.config;
        let records = self.house.journal.synced_seq().saturating_sub(self.last_seq);
        let waited = self.house.clock.instant().since(self.last_checkpoint);
        self.house.dirty_cells() > 0 && (records >= config.checkpoint_records || waited >= config.checkpoint_every)
    }
}
