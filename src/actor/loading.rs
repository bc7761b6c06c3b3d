//! Bringing states in, and handing them out to be stored.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::catch_up::{Missing, catch_up};
use super::cell::{Cell, Owner};
use super::house::{DRAIN_MAX, House};
use super::job::{Claimed, Job, Snapshot};
use super::{Expired, Failure, Refusal, Resting, Shed, ShelfError};
use crate::bundle::Bundle;
use crate::context::CustomerState;
use crate::domain::{CustomerId, Partition, Timestamp};
use crate::journal::JournalError;
use crate::sync::atomic::Ordering;

/// Cells on the list of those that have changed, beyond two for each customer in memory, before it is thinned out.
const DIRTY_SLACK: u64 = 1 << 16;

/// A customer who is back within this time need not have been put to rest.
const SOON: Duration = Duration::from_secs(1);

impl House {
    /// Loads a state into a cell that is owned, then does what waits: at once if the state is warm and there is room, otherwise
    /// on a keeper.
    pub(super) fn load(self: &Arc<Self>, owner: Owner) {
        if self.is_full() {
            return self.keepers.load(self, owner, false);
        }
        if let Err(owner) = self.load_warm(owner).or_else(|owner| self.load_at_once(owner)) {
            self.keepers.load(self, owner, false);
        }
    }

    /// Reads the store on the caller's thread, unless a look into it was slow a while ago: what the store has never heard of, or
    /// has at hand, is found sooner than a keeper could be told.
    fn load_at_once(self: &Arc<Self>, owner: Owner) -> Result<(), Owner> {
        let begun = self.clock.instant();
        // While recovery goes on, the journal may have to be read too.
        if !self.looks.may_begin(begun) || !self.backlog.is_finished() {
            return Err(owner);
        }
        let read = self.read_state(&owner.cell().customer, owner.cell().partition, false);
        self.looks.note(begun, self.clock.instant());
        // What cannot be read a keeper tries again, and says why.
        let Ok(read) = read else { return Err(owner) };
        self.begin_read(owner, read);
        Ok(())
    }

    /// Loads a state from wherever it is. May block: for keepers.
    pub(super) fn load_here(self: &Arc<Self>, owner: Owner) {
        if let Err(owner) = self.load_warm(owner) {
            self.load_blocking(owner, false);
        }
    }

    fn load_warm(self: &Arc<Self>, owner: Owner) -> Result<(), Owner> {
        let Some(resting) = self.warm.take(owner.cell().customer.as_str()) else { return Err(owner) };
        let layout = Arc::clone(self.current.load().bundle.layout());
        // One that cannot be read is read from the store, which has the same state.
        let Ok(state) = CustomerState::decode(&resting.bytes, &layout) else { return Err(owner) };
        self.metrics.activated.warm.inc();
        if self.clock.instant().since(resting.since) < SOON {
            self.metrics.back_soon.inc();
        }
        owner.welcome_back();
        let stored_expiry = state.next_expiry();
        self.begin(owner, state, stored_expiry);
        Ok(())
    }

    /// Whether customers who come are held off. Those who rest by idle time only are never waited for.
    pub(super) fn is_full(&self) -> bool {
        self.config.resting == Resting::ByUse && self.occupancy.is_full()
    }

    /// Loads a state from the store, and from the journal what came later if `rebuild`. May block: for keepers.
    pub(super) fn load_blocking(self: &Arc<Self>, owner: Owner, rebuild: bool) {
        match self.read_state(&owner.cell().customer, owner.cell().partition, rebuild) {
            Ok(read) => self.begin_read(owner, read),
            Err(error) => {
                tracing::error!(%error, partition = owner.cell().partition.number(), "a customer's state cannot be read");
                self.turn_away(owner, rebuild, &error.refusal());
            }
        }
    }

    pub(super) fn begin(self: &Arc<Self>, owner: Owner, state: CustomerState, stored_expiry: Option<Timestamp>) {
        let bytes = footprint(&owner, &state);
        owner.list_expiry(stored_expiry);
        if state.last_seq > 0 {
            owner.count_as_grown();
        }
        owner.install(state);
        match owner.weigh(bytes) {
            0 => {
                self.occupancy.enter(bytes);
                self.keepers.adopt(owner.cell());
            }
            // A state that was rebuilt: the cell was in memory all the time.
            before => self.occupancy.change(before, bytes),
        }
        self.metrics.hot.set(self.occupancy.cells() as i64);
        if self.is_short() {
            self.keepers.sweep();
        }
        self.drive(owner, DRAIN_MAX);
    }

    fn begin_read(self: &Arc<Self>, owner: Owner, read: Read) {
        let activated = &self.metrics.activated;
        if read.is_new {
            activated.new.inc();
        } else {
            activated.cold.inc();
        }
        // INVARIANT: on the list before it is owed no more: the checkpoint that ends recovery must know of it.
        if read.is_ahead {
            self.mark(&owner);
        }
        self.backlog.settle(&owner.cell().customer, owner.cell().partition);
        self.begin(owner, read.state, read.stored_expiry);
    }

    /// Whether a sweep before its time would find someone to put to rest.
    fn is_short(&self) -> bool {
        match self.config.resting {
            Resting::ByUse => !self.occupancy.excess().is_none(),
            Resting::ByIdleTime => self.occupancy.is_full(),
        }
    }

    /// Notes what a customer takes in memory by now.
    pub(super) fn weigh(&self, owner: &Owner, state: &CustomerState) {
        let bytes = footprint(owner, state);
        self.occupancy.change(owner.weigh(bytes), bytes);
    }

    /// Forgets a cell that is gone.
    pub(super) fn forget(&self, gone: &Arc<Cell>) {
        gone.clear();
        self.occupancy.exit(gone.bytes());
        self.cells.forget(gone);
    }

    /// A customer's state from the store, and what the journal has besides if `rebuild`.
    pub(super) fn read_state(
        &self,
        customer: &CustomerId,
        partition: Partition,
        rebuild: bool,
    ) -> Result<Read, LoadError> {
        let layout = Arc::clone(self.current.load().bundle.layout());
        // INVARIANT: entered before the state is read: from then on recovery does not write it.
        let is_behind = self.backlog.wake(customer, partition);
        // INVARIANT: how far the store has come is read before the state: what it has by then, it has when it is asked.
        let stored_seq = self.stored_seq.load(Ordering::Acquire);
        let stored = self.store.get(customer.as_str())?;
        let mut state = match &stored {
            Some(bytes) => CustomerState::decode(bytes, &layout)?,
            None => CustomerState::new(layout),
        };
        let (stored_expiry, stored_last) = (state.next_expiry(), state.last_seq);
        if rebuild || is_behind {
            let until = if rebuild { self.journal.last_seq() } else { self.backlog.until() };
            let missing = Missing { after: stored_seq, until };
            catch_up(self, &mut state, stored.as_deref(), (customer, partition), missing)?;
        }
        let is_ahead = is_behind && state.last_seq > stored_last;
        Ok(Read { is_new: state.last_seq == 0, state, stored_expiry, is_ahead })
    }

    /// Marks the state in a cell as changed.
    ///
    /// INVARIANT: a cell is marked before its record is appended, so that a checkpoint that knows of the record also knows of the cell.
    pub(super) fn mark(&self, owner: &Owner) {
        if owner.mark_dirty() {
            self.dirty.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(owner.cell()));
        }
    }

    /// Tries to bring in a customer whose stored state may lack something. False if someone else is at it.
    pub(super) fn bring_in_owed(self: &Arc<Self>, customer: &CustomerId) -> bool {
        match self.cells.find_or_enter(customer, || self.vacant(customer)) {
            Err(owner) => self.load_blocking(owner, false),
            Ok(cell) => {
                let Some(owner) = cell.try_own() else { return false };
                self.drive(owner, DRAIN_MAX);
            }
        }
        true
    }

    /// The store has every state as of a record.
    pub(super) fn note_stored(&self, seq: u64) {
        self.stored_seq.store(seq, Ordering::Release);
        self.backlog.note_checkpoint();
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
        turn_all_away(jobs, refusal);
    }

    /// The bundle that a record of the journal holds.
    pub(super) fn bundle_at(&self, seq: u64) -> Result<Arc<Bundle>, ShelfError> {
        self.shelf.get(seq, || self.journal.record_at(seq))
    }

    /// The state as it is to be stored, without what has expired; from now on it counts as unchanged.
    pub(super) fn snapshot(&self, owner: &Owner) -> Option<Snapshot> {
        let mut state = owner.state();
        let state = state.as_mut()?;
        // Purging is no input: no decision is another before and after.
        let now = self.clock.wall();
        let is_purged = self.config.expired == Expired::Dropped && {
            // What the bundle in force does not know goes with the first of what the store has that expires.
            let is_dropped = owner.is_expiry_due(now) && state.drop_unknown();
            state.purge(now) || is_dropped
        };
        // A cell that the archive holds for a moment is not counted.
        if is_purged && owner.cell().bytes() > 0 {
            self.weigh(owner, state);
        }
        let expiry = state.next_expiry();
        Some(Snapshot {
            bytes: state.encode().into(),
            last_seq: state.last_seq,
            expiry,
            expiry_before: owner.list_expiry(expiry),
            was_dirty: owner.mark_clean() || is_purged,
        })
    }

    /// Takes the list of cells that have changed, each once: one that could not be stored is on it again, perhaps beside a
    /// later change, and a disk that goes on failing must not make the list grow.
    pub(super) fn take_dirty(&self) -> Vec<Arc<Cell>> {
        let mut cells = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        let mut known: HashSet<*const Cell, foldhash::fast::RandomState> = HashSet::default();
        cells.retain(|cell| known.insert(Arc::as_ptr(cell)));
        cells
    }

    /// Puts cells back on the list of those that have changed: what was taken for stored is not.
    pub(super) fn keep_dirty(&self, cells: Vec<Arc<Cell>>) {
        cells.iter().for_each(|cell| cell.count_as_changed());
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner).extend(cells);
    }

    /// Takes those who are gone off the list of those that have changed, when they are many: they were stored before they went.
    pub(super) fn thin_out_dirty(&self) {
        let mut cells = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        if cells.len() as u64 > 2 * self.occupancy.cells() + DIRTY_SLACK {
            cells.retain(|cell| !cell.is_gone());
            cells.shrink_to_fit();
        }
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

/// Bytes that a cell takes beside its state and the customer's name: the cell itself, its places in the registry and in the
/// ring, and the headers of its two pieces of memory.
const CELL_BYTES: usize = size_of::<Cell>() - size_of::<CustomerState>() + 64;

fn footprint(owner: &Owner, state: &CustomerState) -> u32 {
    let bytes = CELL_BYTES + owner.cell().customer.as_str().len() + state.bytes();
    // Never 0: that is a cell that was not weighed yet.
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A state that was read.
pub(super) struct Read {
    pub(super) state: CustomerState,
    /// Whether nobody has ever heard of the customer.
    pub(super) is_new: bool,
    /// When the first of what the store has expires.
    pub(super) stored_expiry: Option<Timestamp>,
    /// Whether recovery leaves it to others to store what it lacked in the store.
    is_ahead: bool,
}

/// Why a state cannot be brought in.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    State(#[from] crate::context::StateError),
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error(transparent)]
    Record(#[from] crate::turn::RecordError),
}

impl LoadError {
    /// What those who wait for the state are told.
    fn refusal(&self) -> Refusal {
        match self {
            Self::Journal(error @ JournalError::Stopped(_)) => {
                Refusal::Failed(Failure::JournalStopped(error.to_string().into()))
            }
            Self::Journal(JournalError::DiskFull) => Refusal::Shed(Shed::DiskFull),
            _ => Refusal::Failed(Failure::StateUnreadable),
        }
    }
}
