//! Room on the disk: writing what needs some, and waiting while there is none.

use std::time::Duration;

use super::log::Log;
use super::queue::Queue;
use super::{JournalError, Metrics};
use crate::domain::Timestamp;
use crate::sync::thread;
use crate::time::Clock;

/// How long the committer waits before it looks for room on a full disk again.
const PAUSE: Duration = Duration::from_millis(100);

/// What a write that needs room is done with.
pub(super) struct Room<'a> {
    pub(super) log: &'a mut Log,
    pub(super) queue: &'a Queue,
    pub(super) clock: &'a Clock,
    pub(super) metrics: &'a Metrics,
}

impl Room<'_> {
    /// Writes what needs room on the disk. A full disk is waited out: nothing is acknowledged, nothing is lost, and callers are
    /// told at once. Whoever is let in nevertheless waits in the queue.
    pub(super) fn write<T>(
        self,
        mut write: impl FnMut(&mut Log, Timestamp) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let Self { log, queue, clock, metrics } = self;
        let mut since = None;
        let done = loop {
            match write(log, clock.wall()) {
                Err(error) if error.is_want_of_room() && !(queue.is_closing() || queue.is_leaving()) => {
                    if since.is_none() {
                        tracing::error!(%error, "the disk is full: the journal acknowledges nothing until there is room");
                        since = Some(clock.instant());
                        metrics.disk_full.set(1);
                        queue.disk_is_full(true);
                    }
                    metrics.queue_bytes.set(queue.waiting() as i64);
                    thread::sleep(PAUSE);
                }
                done => break done,
            }
        };
        if let Some(since) = since {
            if done.is_ok() {
                let waited_ms = clock.instant().since(since).as_millis() as u64;
                tracing::info!(waited_ms, "there is room on the disk again: the journal goes on");
            }
            metrics.disk_full.set(0);
            queue.disk_is_full(false);
        }
        done
    }
}
