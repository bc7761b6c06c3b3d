//! The committer: one thread that takes all finished turns that wait, writes one batch, syncs once and wakes them all.

use std::sync::Arc;

use super::batch::HEADER_BYTES;
use super::fresh::FreshLeaves;
use super::hasher::{Hashed, Hasher};
use super::index::IndexEntry;
use super::log::{Appended, Log};
use super::queue::{Queue, Taken};
use super::room::Room;
use super::sealer::{Full, Sealer};
use super::{JournalError, Metrics};
use crate::sync::RwLock;
use crate::time::{Clock, Pulse};

/// The index of the segment that is written, for readers.
#[derive(Debug, Default)]
pub(super) struct OpenIndex {
    pub(super) segment: u64,
    pub(super) entries: Vec<IndexEntry>,
}

pub(super) struct Committer {
    pub(super) log: Log,
    pub(super) queue: Arc<Queue>,
    pub(super) open_index: Arc<RwLock<OpenIndex>>,
    pub(super) sealer: Sealer,
    pub(super) fresh: Arc<FreshLeaves>,
    pub(super) hasher: Hasher,
    pub(super) pulse: Arc<Pulse>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
}

impl Committer {
    /// Runs until the queue is closed and empty, or a write fails.
    pub(super) fn run(mut self) -> Result<(), Arc<str>> {
        let ended = self.commit_all();
        // Not by a panic: what waits then waits for ever, and that is to be seen.
        self.pulse.end();
        ended
    }

    fn commit_all(&mut self) -> Result<(), Arc<str>> {
        let mut reuse = Taken::default();
        while let Some(taken) = self.taken(reuse) {
            reuse = self.commit(taken).map_err(|error| self.stop(&error))?;
        }
        let pulse = Arc::clone(&self.pulse);
        let _disk = pulse.at_disk();
        self.log.seal(self.clock.wall()).map_err(|error| self.stop(&error))
    }

    /// Waits for records.
    fn taken(&self, reuse: Taken) -> Option<Taken> {
        let _idle = self.pulse.idle();
        self.queue.take(reuse)
    }

    /// Writes a batch; returns its memory. While the disk syncs, another core hashes: whoever waits for the disk does not wait
    /// for the chain.
    fn commit(&mut self, taken: Taken) -> Result<Taken, JournalError> {
        let Taken { mut batch, count, after, mut entries } = taken;
        let start = self.clock.instant();
        self.make_room(batch.len())?;
        let header = self.log.prepare(after, count, &mut batch, self.clock.wall())?;
        let hashing = self.hasher.begin(self.log.format(), count, batch);
        let room = Room { log: &mut self.log, queue: &self.queue, clock: &self.clock, metrics: &self.metrics };
        let disk = self.pulse.at_disk();
        let appended = room.write(|log, _| log.append(&header, hashing.batch()))?;
        drop(disk);
        self.publish(&mut entries, &appended);
        self.queue.announce(appended.last_seq);
        let (batch, Hashed { hash, leaves }) = hashing.end();
        self.log.chain(hash);
        self.fresh.push(appended.last_seq, &leaves);
        self.metrics.queue_bytes.set(self.queue.waiting() as i64);
        self.metrics.commits.inc();
        self.metrics.records.add(u64::from(count));
        self.metrics.bytes.add(batch.len() as u64);
        self.metrics.batch_records.observe(f64::from(count));
        self.metrics.commit_seconds.observe_duration(self.clock.instant().since(start));
        Ok(Taken { batch, count, after, entries })
    }

    /// Lets readers find what is now on disk.
    fn publish(&self, entries: &mut Vec<IndexEntry>, appended: &Appended) {
        let Ok(mut index) = self.open_index.write() else { return };
        let (offset, nth) = (appended.offset as u32, appended.nth);
        let placed = |entry: IndexEntry| IndexEntry { offset: entry.offset + offset, nth: entry.nth + nth, ..entry };
        index.entries.extend(entries.drain(..).map(placed));
    }

    /// Hands a full segment on; readers look into the new one.
    fn hand_on(&self, number: u64) {
        let Ok(mut index) = self.open_index.write() else { return };
        let room = Vec::with_capacity(index.entries.len() + index.entries.len() / 8);
        let entries = std::mem::replace(&mut index.entries, room);
        // Before the new segment is told: whoever looks finds the full one in one place or the other.
        self.sealer.send(Full { number, entries: Some(entries.into()) });
        index.segment = self.log.segment_number();
    }

    /// Begins another segment if the batch needs one.
    fn make_room(&mut self, batch: usize) -> Result<(), JournalError> {
        if !self.log.needs_segment(batch) {
            return Ok(());
        }
        let room = Room { log: &mut self.log, queue: &self.queue, clock: &self.clock, metrics: &self.metrics };
        let disk = self.pulse.at_disk();
        let number = room.write(Log::roll)?;
        drop(disk);
        self.hand_on(number);
        if self.log.needs_segment(batch) {
            let limit = self.log.batch_max();
            return Err(JournalError::TooLarge { bytes: batch - HEADER_BYTES, limit });
        }
        Ok(())
    }

    /// A failed write or sync is final: what the kernel has kept of it is unknown, so it is never tried again on the same
    /// file.
    fn stop(&self, error: &JournalError) -> Arc<str> {
        let reason: Arc<str> = error.to_string().into();
        let unwritten = self.queue.last_seq() - self.log.tail().last_seq;
        tracing::error!(
            %reason, unwritten,
            "the journal has stopped: nothing is acknowledged any more, and what was not on disk is lost; start the engine again"
        );
        self.metrics.stopped.set(1);
        self.queue.stop(&reason);
        reason
    }
}
