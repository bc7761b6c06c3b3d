//! Recovery: the states in the store brought up to date with the journal, by partition, on several threads, behind those who are
//! served meanwhile.
//!
//! A step reads a few segments side by side, then applies what each partition has of them, partitions side by side. What is known of
//! customers stays in memory up to a bound: partitions for which there is no room are left for another pass over the journal, which is
//! read much faster than states are stored and read again. Idempotent: a state remembers the last record in it, and until the end no
//! checkpoint says that the store has come further.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::house::House;
use super::rebuild::{Applied, Ground, Pass, Rebuild};
use super::side_by_side::side_by_side;
use super::tail::Tail;
use super::{RecoveryError, ShelfError};
use crate::bundle::Bundle;
use crate::domain::Partition;
use crate::journal::Checkpoint;
use crate::sync::{Mutex, thread};
use crate::time::Instant;
use crate::turn::Record;

/// How often the log says how far recovery has come.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Partitions that are seen to together whatever their states take: with fewer, the journal would be read too often.
const TOGETHER_MIN: usize = 8;

/// How often someone whose state could not be brought in is tried again when everyone else is done, and after which pause.
const ATTEMPTS_MAX: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// What recovery found and did before anyone was served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Records applied to states.
    pub records: u64,
    /// Records that were left to be applied behind those who are served.
    pub left: u64,
    /// The record of the last bundle in the journal; 0 for none.
    pub bundle_seq: u64,
    /// The last record.
    pub last_seq: u64,
}

/// States on their way to the end of the backlog.
#[derive(Debug)]
pub(super) struct Recovery {
    house: Arc<House>,
    tail: Tail,
    /// Segments of the tail that are done with.
    segments: usize,
    partitions: Vec<Mutex<Rebuild>>,
    /// Passes over the tail that are done.
    passes: usize,
    /// Partitions that a pass sees to: those that there is room for.
    fitting: usize,
    threads: usize,
    /// Whether a store that does not answer is waited for: when nobody waits for the end.
    is_patient: bool,
    began: Instant,
    told: Instant,
}

impl Recovery {
    pub(super) fn new(house: &Arc<House>, tail: Tail, is_store_empty: bool) -> Self {
        let now = house.clock.instant();
        Self {
            partitions: Partition::all().map(|of| Mutex::new(Rebuild::new(of, is_store_empty))).collect(),
            threads: house.config.recovery_threads,
            is_patient: false,
            house: Arc::clone(house),
            tail,
            passes: 0,
            fitting: usize::from(Partition::COUNT),
            segments: 0,
            began: now,
            told: now,
        }
    }

    /// Goes on to the end, or until it is abandoned. What fails is in the log and in the backlog.
    pub(super) fn run(&mut self) {
        self.is_patient = true;
        let backlog = &self.house.backlog;
        let (after, until) = (backlog.after(), backlog.until());
        tracing::info!(after, until, "the states are brought up to date with the journal while decisions are made");
        loop {
            match self.step() {
                Ok(true) => self.tell(),
                Ok(false) => {
                    let (records, took) = (self.house.backlog.progress().records, self.took());
                    return tracing::info!(records, ?took, "the states are up to date with the journal");
                }
                Err(RecoveryError::Abandoned) => {
                    return tracing::info!("the states were not brought up to date; the next start begins again");
                }
                Err(error) => return self.house.fail_recovery(&error),
            }
        }
    }

    /// Takes the next step; false when everything is done.
    pub(super) fn step(&mut self) -> Result<bool, RecoveryError> {
        if self.house.backlog.is_abandoned() {
            return Err(RecoveryError::Abandoned);
        }
        if self.segments < self.tail.segments() {
            self.read_on()?;
            return Ok(true);
        }
        if self.passes == 0 {
            self.house.know_caps();
        }
        self.store_all()?;
        if self.begin_pass() {
            return Ok(true);
        }
        self.bring_in_owed()?;
        self.house.backlog.finish();
        self.house.metrics.recovery_left.set(0);
        Ok(false)
    }

    /// Applies the records of the next segments.
    fn read_on(&mut self) -> Result<(), RecoveryError> {
        let sheaves = self.tail.sheaves(self.segments, self.threads)?;
        let (ground, is_first) = (self.ground(), self.passes == 0);
        let applied: Vec<Applied> = side_by_side(self.threads, &self.partitions, |partition| {
            let mut rebuild = partition.lock().unwrap_or_else(PoisonError::into_inner);
            if ground.backlog.is_abandoned() {
                return Err(RecoveryError::Abandoned);
            }
            let of = rebuild.partition();
            let turns = sheaves.iter().flat_map(|sheaf| sheaf.of(of));
            match rebuild.pass() {
                Pass::This => rebuild.take(turns, ground),
                Pass::Later if is_first => rebuild.look(turns, ground),
                Pass::Later | Pass::Over => Ok(Applied::default()),
            }
        })?;
        // A decision and its settlement are of one partition, but a window that was changed between two takes is not.
        let mut changes: Vec<_> = applied.iter().flat_map(|applied| applied.cap_changes.iter().copied()).collect();
        changes.sort_by_key(|(seq, _)| *seq);
        if is_first {
            self.house.caps.recover(changes.into_iter().map(|(_, change)| change));
        }
        self.make_room();
        self.segments += sheaves.len();
        let backlog = &self.house.backlog;
        self.advance(sheaves.last().map_or(0, |sheaf| sheaf.last().min(backlog.until())));
        Ok(())
    }

    /// Tells how far it is when this pass has read up to a record: each partition's share of the tail counts once.
    fn advance(&self, read: u64) {
        let (backlog, metrics) = (&self.house.backlog, &self.house.metrics);
        let in_pass = |pass: Pass| self.passes_of_partitions().filter(|of| *of == pass).count() as u64;
        let tail = backlog.until() - backlog.after();
        let of_this_pass = read.saturating_sub(backlog.after()) * in_pass(Pass::This);
        let shares = tail * in_pass(Pass::Over) + of_this_pass;
        let done = backlog.advance(backlog.after() + shares / u64::from(Partition::COUNT));
        metrics.recovery_left.set(backlog.until().saturating_sub(done) as i64);
    }

    fn passes_of_partitions(&self) -> impl Iterator<Item = Pass> {
        self.partitions.iter().map(|partition| partition.lock().unwrap_or_else(PoisonError::into_inner).pass())
    }

    /// Puts off half of the partitions as long as their states take more than there is room for. A few are always seen to: beyond the
    /// bound their states are stored and read again.
    fn make_room(&mut self) {
        let limit = self.bytes_max();
        loop {
            let partitions = self.partitions.iter().map(|of| of.lock().unwrap_or_else(PoisonError::into_inner));
            let mut present: Vec<_> = partitions.filter(|of| of.pass() == Pass::This).collect();
            let bytes: usize = present.iter().map(|of| of.bytes()).sum();
            if bytes <= limit || present.len() <= TOGETHER_MIN {
                return;
            }
            let staying = (present.len() / 2).max(TOGETHER_MIN);
            present.drain(staying..).for_each(|mut of| of.put_off());
            self.fitting = staying;
        }
    }

    /// Begins another pass if partitions were put off.
    fn begin_pass(&mut self) -> bool {
        self.passes += 1;
        let later = self.passes_of_partitions().filter(|pass| *pass == Pass::Later).count();
        let partitions = self.partitions.iter().map(|of| of.lock().unwrap_or_else(PoisonError::into_inner));
        partitions.filter(|of| of.pass() == Pass::Later).take(self.fitting).for_each(|mut of| of.take_up());
        if later > 0 {
            self.segments = 0;
            tracing::info!(partitions = later, "the journal is read once more for customers there was no room for");
        }
        later > 0
    }

    /// Stores what is in memory.
    fn store_all(&self) -> Result<(), RecoveryError> {
        let ground = self.ground();
        let finished = side_by_side(self.threads, &self.partitions, |partition| {
            let mut rebuild = partition.lock().unwrap_or_else(PoisonError::into_inner);
            if rebuild.pass() == Pass::This { rebuild.finish(ground) } else { Ok(0) }
        });
        let records = finished?.into_iter().sum();
        self.house.backlog.count(records);
        self.house.metrics.recovered.add(records);
        Ok(())
    }

    /// Sees that nobody is left whose state could not be brought in when they were asked for.
    fn bring_in_owed(&self) -> Result<(), RecoveryError> {
        let (house, mut attempts) = (&self.house, 0);
        loop {
            let owed = house.backlog.owed();
            if owed.is_empty() {
                return Ok(());
            }
            if house.backlog.is_abandoned() {
                return Err(RecoveryError::Abandoned);
            }
            if attempts >= ATTEMPTS_MAX {
                return Err(RecoveryError::Unreadable { customers: owed.len() });
            }
            // One that is busy is being brought in at this moment: that is waited for, however long it takes.
            attempts += usize::from(owed.iter().filter(|customer| house.bring_in_owed(customer)).count() > 0);
            thread::sleep(PAUSE);
        }
    }

    /// The store's checkpoint at the end, for a recovery that was through before anyone was served.
    pub(super) fn checkpoint(&self, bundle_seq: u64) -> Result<(), RecoveryError> {
        let house = &self.house;
        let seq = house.backlog.until();
        let caps = house.caps.checkpoint(seq, house.clock.wall());
        let set_aside = house.quarantine.checkpoint(seq);
        house.store.checkpoint(&Checkpoint { seq, bundle_seq, caps, set_aside })?;
        house.note_stored(seq);
        Ok(())
    }

    fn ground(&self) -> Ground<'_> {
        let House { journal, store, shelf, backlog, .. } = &*self.house;
        let bytes_max = self.bytes_max() / TOGETHER_MIN;
        Ground { journal, store: &**store, shelf, backlog, bytes_max, is_patient: self.is_patient }
    }

    fn bytes_max(&self) -> usize {
        usize::try_from(self.house.config.recovery_bytes).unwrap_or(usize::MAX)
    }

    fn took(&self) -> Duration {
        self.house.clock.instant().since(self.began)
    }

    fn tell(&mut self) {
        let now = self.house.clock.instant();
        if now.since(self.told) >= TOLD_EVERY {
            self.told = now;
            let progress = self.house.backlog.progress();
            tracing::info!(record = progress.done, of = progress.last, "the states are being brought up to date");
        }
    }
}

/// Reads the record with a sequence.
pub(super) fn read_record(
    seq: u64,
    payload: &[u8],
    bundle_at: impl FnOnce(u64) -> Result<Arc<Bundle>, ShelfError>,
) -> Result<(Record, Arc<Bundle>), RecoveryError> {
    let mut failed = None;
    let decoded = Record::decode(payload, |seq| bundle_at(seq).map_err(|error| failed = Some(error)).ok());
    match (decoded, failed) {
        (_, Some(error)) => Err(RecoveryError::Shelf(error)),
        (Ok(read), None) => Ok(read),
        (Err(error), None) => Err(RecoveryError::Record { seq, error }),
    }
}
