//! The archive: writes states to the store, and so decides what is there.
//!
//! There is one, and one thread that works in it, the [`Archivist`](super::archivist::Archivist)'s. Every write of a state goes
//! through it, one after the other: a snapshot is taken and stored before the next of the same customer is taken, so an older
//! state can never overwrite a newer one. A state is stored only when the journal has synced everything in it.

use std::sync::Arc;
use std::time::Duration;

use super::cell::{Cell, Owner};
use super::house::{DRAIN_MAX, House};
use super::job::{Job, Snapshot};
use super::leaving::Leaving;
use crate::domain::CustomerId;
use crate::journal::{Checkpoint, JournalError, StateWrite};
use crate::sync::atomic::Ordering;
use crate::sync::mpsc;
use crate::time::Instant;

/// States that are stored in one go.
const CHUNK: usize = 4_096;

/// How often a sign of life is given while a cell is waited for.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Writes states.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) house: Arc<House>,
    last_checkpoint: Instant,
    last_seq: u64,
    /// Whether states could not be stored the last time.
    is_failing: bool,
}

/// What the archive meets in a cell.
enum Seen {
    /// A state that has changed since it was stored.
    Changed(Snapshot),
    /// A state that has not.
    Unchanged,
    /// No state: the cell is gone, or broken.
    Nothing,
}

impl Archive {
    pub(super) fn new(house: Arc<House>, last_seq: u64) -> Self {
        let last_checkpoint = house.clock.instant();
        Self { house, last_checkpoint, last_seq, is_failing: false }
    }

    /// Gives a sign of life.
    pub(super) fn beat(&self) {
        self.house.pulses.archivist.beat();
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
            self.fails(&error);
        }
    }

    /// Stores all states that have changed and notes how far the store has come. Nothing until recovery is through: then there are
    /// states that lack what the journal has, and the checkpoint stays where it is.
    fn checkpoint(&mut self) -> Result<u64, JournalError> {
        if !self.house.backlog.is_finished() {
            return Ok(self.house.stored_seq.load(Ordering::Acquire));
        }
        let start = self.house.clock.instant();
        // INVARIANT: the sequence is read before the list is taken. A record up to it was appended by a turn that had marked
        // its cell before, so the cell is in this list, or was stored since.
        let seq = self.house.journal.synced_seq();
        let cells = self.house.take_dirty();
        let mut rest = cells.as_slice();
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(rest.len().min(CHUNK));
            let stored = self.save(chunk).and_then(|broken| match broken {
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
        let house = Arc::clone(&self.house);
        let _disk = house.pulses.archivist.at_disk();
        self.drop_expired()?;
        let bundle_seq = self.house.current.load().seq;
        let caps = self.house.caps.checkpoint(seq, self.house.clock.wall());
        let set_aside = self.house.quarantine.checkpoint(seq);
        self.house.store.checkpoint(&Checkpoint { seq, bundle_seq, caps, set_aside })?;
        // Only what is stored need not be read from the journal any more.
        self.house.note_stored(seq);
        (self.last_checkpoint, self.last_seq) = (self.house.clock.instant(), seq);
        if std::mem::take(&mut self.is_failing) {
            tracing::info!(seq, "states are stored again");
            self.house.metrics.store_failing.set(0);
        }
        self.house.metrics.checkpoint_seq.set(seq as i64);
        self.house.metrics.checkpoint_seconds.observe_duration(self.last_checkpoint.since(start));
        Ok(seq)
    }

    /// Stores the states of those of these cells that have changed; returns how many have no state to store.
    fn save(&self, cells: &[Arc<Cell>]) -> Result<usize, JournalError> {
        let mut saved: Vec<(Arc<Cell>, Snapshot)> = Vec::with_capacity(cells.len());
        let mut broken = 0;
        let mut busy = Vec::new();
        let mut see = |cell: &Arc<Cell>, seen| match seen {
            Seen::Changed(snapshot) => saved.push((Arc::clone(cell), snapshot)),
            Seen::Unchanged => {}
            // A cell that is gone was stored before it went.
            Seen::Nothing if cell.is_gone() => {}
            Seen::Nothing => broken += 1,
        };
        for cell in cells {
            match cell.try_own() {
                Some(owner) => see(cell, self.changed(owner)),
                None => busy.push((cell, self.ask_in_turn(cell))),
            }
        }
        // All that are busy are asked before any is waited for: one that is held keeps the others no longer than itself.
        for (cell, asked) in busy {
            see(cell, self.heard(&asked).into());
        }
        self.store(saved).map(|_| broken)
    }

    /// Stores what has changed, as soon as the journal has everything that is in it.
    pub(super) fn store(&self, saved: Vec<(Arc<Cell>, Snapshot)>) -> Result<Vec<(Arc<Cell>, Snapshot)>, JournalError> {
        let snapshots = saved.iter().map(|(cell, snapshot)| (&cell.customer, snapshot));
        if let Err(error) = self.put(snapshots) {
            self.house.keep_dirty(saved.into_iter().map(|(cell, _)| cell).collect());
            return Err(error);
        }
        Ok(saved)
    }

    /// Puts snapshots into the store. A customer who was only looked at has no record and leaves no trace.
    pub(super) fn put<'a>(
        &self,
        snapshots: impl Iterator<Item = (&'a CustomerId, &'a Snapshot)>,
    ) -> Result<(), JournalError> {
        let written = |(customer, snapshot): (&CustomerId, &Snapshot)| StateWrite {
            customer: customer.clone(),
            bytes: Arc::clone(&snapshot.bytes),
            expiry: snapshot.expiry,
            expiry_before: snapshot.expiry_before,
        };
        let mut last_seq = 0;
        let recorded = snapshots.filter(|(_, snapshot)| snapshot.last_seq > 0);
        let states: Vec<StateWrite> =
            recorded.inspect(|(_, snapshot)| last_seq = last_seq.max(snapshot.last_seq)).map(written).collect();
        if states.is_empty() {
            return Ok(());
        }
        // Whoever has nothing new to store must not wait with the others for room on a full disk.
        let _disk = self.house.pulses.archivist.at_disk();
        self.house.journal.wait_synced_unless_full(last_seq)?;
        self.house.store.put(&states)?;
        self.house.metrics.saved.add(states.len() as u64);
        Ok(())
    }

    /// The state of a cell if it has changed.
    fn changed(&self, owner: Owner) -> Seen {
        let seen = if owner.is_dirty() { self.house.snapshot(&owner).into() } else { Seen::Unchanged };
        self.house.drive(owner, DRAIN_MAX);
        seen
    }

    /// The state of a cell as it is to be stored, taken by itself or by whoever runs the cell's turns; `None` for a cell that is
    /// gone, or broken.
    pub(super) fn snapshot(&self, cell: &Arc<Cell>) -> Option<Snapshot> {
        let Some(owner) = cell.try_own() else { return self.heard(&self.ask_in_turn(cell)) };
        let snapshot = self.house.snapshot(&owner);
        self.house.drive(owner, DRAIN_MAX);
        snapshot
    }

    /// Asks whoever runs a cell's turns for its state.
    fn ask_in_turn(&self, cell: &Arc<Cell>) -> mpsc::Receiver<Snapshot> {
        let (reply, received) = mpsc::sync_channel(1);
        self.house.in_turn(cell, Job::Snapshot(reply));
        received
    }

    /// What whoever runs a cell's turns says, however long that takes: one who is held waits for a large model, for which the
    /// archivist cannot help. `None` if nothing will be said.
    fn heard(&self, asked: &mpsc::Receiver<Snapshot>) -> Option<Snapshot> {
        loop {
            match asked.recv_timeout(BEAT_EVERY) {
                Ok(snapshot) => return Some(snapshot),
                Err(mpsc::RecvTimeoutError::Timeout) => self.beat(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Puts customers to rest: at once those who have not changed since they were stored, the others when they are stored. One
    /// that is busy, has changed again, or cannot be stored stays in memory.
    pub(super) fn retire(&mut self, mut leaving: Leaving) {
        while let Some(chunk) = leaving.next(CHUNK) {
            if let Err(error) = self.retire_chunk(chunk.cells()) {
                self.fails(&error);
                break;
            }
        }
        self.house.thin_out_dirty();
        self.house.metrics.hot.set(self.house.occupancy.cells() as i64);
        self.house.metrics.hot_bytes.set(self.house.occupancy.bytes() as i64);
        self.house.metrics.warm_bytes.set(self.house.warm.bytes() as i64);
    }

    /// Says once that states cannot be stored, however often it is tried again.
    fn fails(&mut self, error: &JournalError) {
        self.house.metrics.store_failing.set(1);
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(
                %error,
                "states cannot be stored: nothing is lost, but customers stay in memory and the next start reads more of \
                 the journal; it is tried again"
            );
        }
    }

    fn retire_chunk(&self, cells: &[Arc<Cell>]) -> Result<(), JournalError> {
        let mut changed = Vec::new();
        for cell in cells {
            let Some(owner) = cell.try_own() else { continue };
            // One that is broken stays where it is, to be rebuilt, and holds up nobody else.
            let Some(snapshot) = self.house.snapshot(&owner) else {
                self.house.drive(owner, DRAIN_MAX);
                continue;
            };
            if snapshot.was_dirty {
                changed.push((Arc::clone(cell), snapshot));
                self.house.drive(owner, DRAIN_MAX);
            } else {
                self.rest(owner, &snapshot);
            }
        }
        for (cell, snapshot) in self.store(changed)? {
            self.retire_one(&cell, &snapshot);
        }
        Ok(())
    }

    fn retire_one(&self, cell: &Arc<Cell>, snapshot: &Snapshot) {
        let Some(owner) = cell.try_own() else { return };
        // Unmarked does not say that this snapshot is the last: a cell that is on the list twice was stored twice, perhaps with
        // a turn in between.
        let is_current = owner.state().as_ref().is_some_and(|state| state.last_seq == snapshot.last_seq);
        if owner.is_dirty() || !is_current {
            return self.house.drive(owner, DRAIN_MAX);
        }
        self.rest(owner, snapshot);
    }

    /// Takes a cell out of use whose state is in the store as it is.
    fn rest(&self, owner: Owner, snapshot: &Snapshot) {
        let cell = Arc::clone(owner.cell());
        // Warm first: whoever finds the cell gone must find the state somewhere, and this is where it looks first.
        if snapshot.last_seq > 0 {
            let bytes = Arc::clone(&snapshot.bytes);
            self.house.warm.put(&cell.customer, bytes, self.house.clock.instant());
        }
        match owner.retire() {
            Ok(gone) => {
                self.house.forget(&gone);
                self.house.metrics.passivations.inc();
            }
            Err(owner) => {
                // Someone queued in between: the cell stays, and the copy must not outlive its first turn.
                drop(self.house.warm.take(cell.customer.as_str()));
                self.house.drive(owner, DRAIN_MAX);
            }
        }
    }

    fn is_due(&self) -> bool {
        if !self.house.backlog.is_finished() {
            return false;
        }
        if self.house.backlog.is_checkpoint_due() {
            return true;
        }
        let config = &self.house.config;
        let records = self.house.journal.synced_seq().saturating_sub(self.last_seq);
        let waited = self.house.clock.instant().since(self.last_checkpoint);
        let is_time = waited >= config.checkpoint_every;
        let is_enough = records >= config.checkpoint_records;
        (self.house.dirty_cells() > 0 && (is_time || is_enough)) || (is_time && self.is_anything_expired())
    }
}

impl From<Option<Snapshot>> for Seen {
    fn from(snapshot: Option<Snapshot>) -> Self {
        snapshot.map_or(Self::Nothing, Self::Changed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::InForce;
    use super::super::tests::{house, turn_at_once};
    use super::*;
    use crate::bundle::Bundle;
    use crate::bundle::tests::{CONTEXT, sources};

    /// A reload and back, a look between: in memory, at rest and after a crash the customer is the same.
    #[test]
    fn what_is_warm_is_what_the_store_has_though_it_was_read_under_another_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let (house, cell) = house(folder.path(), "c");
        let archive = Archive::new(Arc::clone(&house), 0);
        turn_at_once(&house, "c", "1");
        archive.retire_chunk(&[cell]).unwrap();
        assert!(house.warm.take("c").is_some());
        let mut sources = sources();
        sources.insert("context.toml", CONTEXT.replace("over = \"24h\"", "over = \"23h\""));
        let bundle = Arc::new(Bundle::compile(sources).unwrap());
        house.current.store(Arc::new(InForce::new(bundle, 9)));
        let customer = CustomerId::new("c").unwrap();
        let owner = house.cells.find_or_enter(&customer, || house.vacant(&customer)).unwrap_err();
        let cell = Arc::clone(owner.cell());
        house.load_blocking(owner, false);
        archive.retire_chunk(&[cell]).unwrap();
        let warm = house.warm.take("c").unwrap().bytes;
        assert_eq!(&*warm, &*house.store.get("c").unwrap().unwrap());
        house.journal.close().unwrap();
    }

    /// A customer may be held for as long as a large model takes: the archivist waits, and is not taken for dead.
    #[test]
    fn who_waits_for_a_customer_that_is_held_gives_signs_of_life() {
        let folder = tempfile::tempdir().unwrap();
        let (house, cell) = house(folder.path(), "c");
        let archive = Archive::new(Arc::clone(&house), 0);
        turn_at_once(&house, "c", "1");
        let held = cell.try_own().unwrap();
        let saving = std::thread::spawn({
            let cell = Arc::clone(&cell);
            move || archive.save(&[cell])
        });
        // However slow the machine is, they come.
        while house.pulses.archivist.beats() < 2 {
            assert!(!saving.is_finished(), "the customer is held");
            std::thread::yield_now();
        }
        house.drive(held, DRAIN_MAX);
        assert_eq!(saving.join().unwrap().unwrap(), 0);
        assert!(house.store.get("c").unwrap().is_some());
        house.journal.close().unwrap();
    }

    /// The warm cache must not hold a state that a later turn has left behind: whoever loads it would lose that turn.
    #[test]
    fn a_customer_rests_only_as_they_are_now() {
        let folder = tempfile::tempdir().unwrap();
        let (house, cell) = house(folder.path(), "c");
        let archive = Archive::new(Arc::clone(&house), 0);
        turn_at_once(&house, "c", "1");
        let stored = || {
            let owner = cell.try_own().unwrap();
            let snapshot = house.snapshot(&owner).unwrap();
            house.drive(owner, DRAIN_MAX);
            archive.store(vec![(Arc::clone(&cell), snapshot)]).unwrap().remove(0).1
        };
        let first = stored();
        turn_at_once(&house, "c", "2");
        let second = stored();
        archive.retire_one(&cell, &first);
        assert!(!cell.is_gone() && house.warm.take("c").is_none(), "the first snapshot is not how they are");
        archive.retire_one(&cell, &second);
        assert!(cell.is_gone() && house.warm.take("c").is_some());
        house.journal.close().unwrap();
    }
}
