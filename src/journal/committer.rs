//! The committer: one thread that takes all finished turns that wait, writes one batch, syncs once and wakes them all.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::batch::HEADER_BYTES;
use super::index::IndexEntry;
use super::log::Log;
use super::queue::Queue;
use super::sealer::Sealer;
use super::{JournalError, Metrics};
use crate::domain::Timestamp;
use crate::sync::{RwLock, thread};
use crate::time::Clock;

/// How long the committer waits before it looks for room on a full disk again.
const DISK_FULL_PAUSE: Duration = Duration::from_millis(100);

/// The index of the segment that is written, for readers.
#[derive(Debug, Default)]
pub(super) struct OpenIndex {
    pub(super) segment: u64,
    pub(super) entries: VecDeque<IndexEntry>,
}

pub(super) struct Committer {
    pub(super) log: Log,
    pub(super) queue: Arc<Queue>,
    pub(super) open_index: Arc<RwLock<OpenIndex>>,
    pub(super) sealer: Sealer,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
}

impl Committer {
    /// Runs until the queue is closed and empty, or a write fails.
    pub(super) fn run(mut self) -> Result<(), Arc<str>> {
        let mut reuse = Vec::new();
        while let Some(mut taken) = self.queue.take(reuse) {
            if let Err(error) = self.commit(&mut taken.batch, taken.count) {
                return Err(self.stop(&error));
            }
            reuse = taken.batch;
        }
        self.log.seal(self.clock.wall()).map_err(|error| self.stop(&error))
    }

    fn commit(&mut self, batch: &mut [u8], count: u32) -> Result<(), JournalError> {
        let start = self.clock.instant();
        self.make_room(batch.len())?;
        let before = self.log.open_entries().len();
        let expected = self.log.tail().last_seq;
        let appended = self.with_room(|log, now| log.append(expected, count, batch, now))?;
        self.publish(before);
        self.queue.announce(appended.last_seq);
        self.log.chain(batch);
        self.metrics.queue_bytes.set(self.queue.waiting() as i64);
        self.metrics.commits.inc();
        self.metrics.records.add(u64::from(count));
        self.metrics.bytes.add(batch.len() as u64);
        self.metrics.batch_records.observe(f64::from(count));
        self.metrics.commit_seconds.observe_duration(self.clock.instant().since(start));
        Ok(())
    }

    /// Lets readers find what is now on disk.
    fn publish(&mut self, before: usize) {
        let Ok(mut index) = self.open_index.write() else { return };
        let (segment, entries) = (self.log.segment_number(), self.log.open_entries());
        if index.segment == segment {
            index.entries.extend(&entries[before..]);
        } else {
            *index = OpenIndex { segment, entries: entries.iter().copied().collect() };
        }
    }

    /// Begins another segment if the batch needs one.
    fn make_room(&mut self, batch: usize) -> Result<(), JournalError> {
        if !self.log.needs_segment(batch) {
            return Ok(());
        }
        let full = self.with_room(Log::roll)?;
        self.sealer.send(full);
        if self.log.needs_segment(batch) {
            let limit = self.log.batch_max();
            return Err(JournalError::TooLarge { bytes: batch - HEADER_BYTES, limit });
        }
        Ok(())
    }

    /// Does what needs room on the disk. A full disk is waited out: nothing is acknowledged, nothing is lost, and callers are
    /// told at once. Whoever is let in nevertheless waits in the queue.
    fn with_room<T>(
        &mut self,
        mut write: impl FnMut(&mut Log, Timestamp) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut since = None;
        let done = loop {
            match write(&mut self.log, self.clock.wall()) {
                Err(error) if error.is_want_of_room() && !self.is_ending() => {
                    if since.is_none() {
                        tracing::error!(%error, "the disk is full: the journal acknowledges nothing until there is room");
                        since = Some(self.clock.instant());
                        self.metrics.disk_full.set(1);
                        self.queue.disk_is_full(true);
                    }
                    self.metrics.queue_bytes.set(self.queue.waiting() as i64);
                    thread::sleep(DISK_FULL_PAUSE);
                }
                done => break done,
            }
        };
        if let Some(since) = since {
            if done.is_ok() {
                let waited_ms = self.clock.instant().since(since).as_millis() as u64;
                tracing::info!(waited_ms, "there is room on the disk again: the journal goes on");
            }
            self.metrics.disk_full.set(0);
            self.queue.disk_is_full(false);
        }
        done
    }

    fn is_ending(&self) -> bool {
        self.queue.is_closing() || self.queue.is_leaving()
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
