//! Where finished turns wait for the disk: one buffer that callers append to, swapped whole by the committer, with those who
//! wait for what is in it.
//!
//! Sketch of an append: a checksum over the record outside the lock; inside, one copy of some 400 bytes. Nothing is
//! allocated but the buffer's own growth, which is kept.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::JournalError;
use super::batch::{Entry, HEADER_BYTES, frames_within};
use super::index::IndexEntry;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, wait_while_at_most};

/// Bytes that a queue holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// That wait, before no further turn begins.
    pub(super) queue: usize,
    /// That wait while the disk is full.
    pub(super) overflow: usize,
    /// Of frames in a batch.
    pub(super) batch: usize,
}

/// Shared by callers and committer.
#[derive(Debug)]
pub(super) struct Queue {
    pending: Mutex<Pending>,
    changed: Condvar,
    /// For threads that wait for the disk.
    announced: Condvar,
    /// The last record on disk.
    synced: AtomicU64,
    /// Bytes that wait, for a look without the lock.
    waiting: AtomicUsize,
    limit: usize,
    /// Bytes that may wait while the disk is full.
    overflow: usize,
    /// Whether the committer waits for room on the disk.
    is_disk_full: AtomicBool,
    /// Whether nothing moves: the disk is full, or the journal has stopped.
    is_stuck: AtomicBool,
    /// Bytes of frames that a batch may have: what fits into a segment.
    batch_max: usize,
    linger: Duration,
    linger_bytes: usize,
    /// Whether a full disk is waited out no more.
    is_leaving: AtomicBool,
    /// Whether records are counted and thrown away.
    is_discarding: bool,
}

#[derive(Debug)]
struct Pending {
    /// Room for a batch's header, then frames.
    batch: Vec<u8>,
    count: u32,
    /// What the records in it are found by, counted from its beginning.
    entries: Vec<IndexEntry>,
    /// The last record appended.
    last_seq: u64,
    /// Callers that wait until a record in it is on disk.
    gathering: Vec<SyncedWaiter>,
    /// Callers that wait until a record is on disk that the committer has taken.
    flying: Vec<SyncedWaiter>,
    /// Threads that wait until a record is on disk.
    blocked: usize,
    /// Callers that wait for room.
    room_waiters: Vec<oneshot::Sender<()>>,
    /// Whether the committer sleeps and must be woken.
    is_idle: bool,
    is_closing: bool,
    stopped: Option<Arc<str>>,
}

/// A batch that the committer took.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Room for a header, then frames.
    pub(super) batch: Vec<u8>,
    pub(super) count: u32,
    /// The record before its first.
    pub(super) after: u64,
    /// What its records are found by, counted from its beginning.
    pub(super) entries: Vec<IndexEntry>,
}

/// A caller that waits until a record is on disk.
type SyncedWaiter = (u64, oneshot::Sender<Kept>);

/// Whether a record is on disk; an error says why the journal has stopped.
pub type Kept = Result<(), Arc<str>>;

/// Resolves when a record is on disk, or the journal has stopped.
pub type Synced = oneshot::Receiver<Kept>;

impl Queue {
    pub(super) fn new(last_seq: u64, limits: Limits, linger: Duration) -> Self {
        let Limits { queue: limit, overflow, batch: batch_max } = limits;
        let pending = Pending {
            batch: vec![0; HEADER_BYTES],
            count: 0,
            entries: Vec::new(),
            last_seq,
            gathering: Vec::new(),
            flying: Vec::new(),
            blocked: 0,
            room_waiters: Vec::new(),
            is_idle: false,
            is_closing: false,
            stopped: None,
        };
        Self {
            pending: Mutex::new(pending),
            changed: Condvar::new(),
            announced: Condvar::new(),
            synced: AtomicU64::new(last_seq),
            waiting: AtomicUsize::new(0),
            limit,
            overflow,
            is_disk_full: AtomicBool::new(false),
            is_stuck: AtomicBool::new(false),
            batch_max,
            linger,
            linger_bytes: limit / 8,
            is_leaving: AtomicBool::new(false),
            is_discarding: false,
        }
    }

    /// A queue without a committer: whatever is appended counts as on disk at once, and is nowhere.
    pub(super) fn discarding() -> Self {
        Self {
            is_discarding: true,
            ..Self::new(0, Limits { queue: usize::MAX, overflow: 0, batch: usize::MAX }, Duration::ZERO)
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a record and returns its sequence. Does not wait: callers look at [`Queue::is_full`] before the turn.
    pub(super) fn append(&self, entry: &Entry<'_>) -> Result<u64, JournalError> {
        if entry.frame_bytes() > self.batch_max {
            return Err(JournalError::TooLarge { bytes: entry.frame_bytes(), limit: self.batch_max });
        }
        if self.is_discarding {
            return Ok(self.synced.fetch_add(1, Ordering::AcqRel) + 1);
        }
        let checksum = entry.checksum();
        let mut pending = self.lock();
        if let Some(reason) = &pending.stopped {
            return Err(JournalError::Stopped(Arc::clone(reason)));
        }
        if pending.is_closing {
            return Err(JournalError::Stopped("it is closed".into()));
        }
        let at = IndexEntry { key: 0, offset: pending.batch.len() as u32, nth: pending.count };
        pending.entries.extend(entry.keys.iter().map(|key| IndexEntry { key: *key, ..at }));
        entry.write(checksum, &mut pending.batch);
        pending.count += 1;
        pending.last_seq += 1;
        let seq = pending.last_seq;
        self.waiting.store(pending.batch.len() - HEADER_BYTES, Ordering::Relaxed);
        let wake = pending.is_idle && (pending.count == 1 || pending.batch.len() >= self.linger_bytes);
        drop(pending);
        if wake {
            self.changed.notify_one();
        }
        Ok(seq)
    }

    /// Whether no further turn should begin: too much waits, the disk is full, or the journal has stopped. Reads two atomics;
    /// the bound is overshot by at most one record per caller.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= self.limit || self.is_stuck.load(Ordering::Relaxed)
    }

    /// Whether the committer waits for room on the disk.
    #[inline]
    pub(super) fn is_disk_full(&self) -> bool {
        self.is_disk_full.load(Ordering::Acquire)
    }

    /// Whether more may wait in memory while the disk is full.
    pub(super) fn has_overflow_room(&self) -> bool {
        self.waiting() < self.overflow
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Resolves when there may be room again; `None` if there is, or none to wait for.
    pub(super) fn room(&self) -> Option<oneshot::Receiver<()>> {
        let mut pending = self.lock();
        let is_behind = pending.batch.len() - HEADER_BYTES >= self.limit;
        if pending.stopped.is_some() || !is_behind || self.is_disk_full() {
            return None;
        }
        let (wake, room) = oneshot::channel();
        pending.room_waiters.push(wake);
        Some(room)
    }

    /// Waits until there is room, or none to wait for.
    pub(super) async fn has_room(&self) {
        while let Some(room) = self.room() {
            // A queue that is gone has no room to wait for; the append will say so.
            if room.await.is_err() {
                return;
            }
        }
    }

    /// How many wait until there is room.
    #[cfg(test)]
    pub(super) fn waiting_for_room(&self) -> usize {
        self.lock().room_waiters.len()
    }

    #[inline]
    pub(super) fn synced_seq(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    pub(super) fn last_seq(&self) -> u64 {
        if self.is_discarding { self.synced_seq() } else { self.lock().last_seq }
    }

    pub(super) fn stopped(&self) -> Option<Arc<str>> {
        self.lock().stopped.clone()
    }

    /// Resolves when the record is on disk; `None` if it is already.
    pub(super) fn wait_synced(&self, seq: u64) -> Option<Synced> {
        if self.synced_seq() >= seq {
            return None;
        }
        let (wake, synced) = oneshot::channel();
        let mut pending = self.lock();
        if self.synced_seq() >= seq {
            return None;
        }
        if let Some(reason) = &pending.stopped {
            let _ = wake.send(Err(Arc::clone(reason)));
            return Some(synced);
        }
        let is_gathering = seq > pending.last_seq - u64::from(pending.count);
        let waiters = if is_gathering { &mut pending.gathering } else { &mut pending.flying };
        waiters.push((seq, wake));
        let must_wake = pending.is_idle && pending.count > 0;
        drop(pending);
        if must_wake {
            self.changed.notify_one();
        }
        Some(synced)
    }

    /// Waits until the record is on disk, on a thread that may block.
    pub(super) fn wait_synced_blocking(&self, seq: u64) -> Result<(), JournalError> {
        self.wait_synced_while(seq, || true)
    }

    /// Waits until the record is on disk, on a thread that may block, but not for room on a full disk.
    pub(super) fn wait_synced_unless_full(&self, seq: u64) -> Result<(), JournalError> {
        self.wait_synced_while(seq, || !self.is_disk_full())
    }

    fn wait_synced_while(&self, seq: u64, is_patient: impl Fn() -> bool) -> Result<(), JournalError> {
        if self.synced_seq() >= seq {
            return Ok(());
        }
        let mut pending = self.lock();
        pending.blocked += 1;
        if pending.is_idle && pending.count > 0 {
            self.changed.notify_one();
        }
        while self.synced_seq() < seq && pending.stopped.is_none() && is_patient() {
            pending = self.announced.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        pending.blocked -= 1;
        match &pending.stopped {
            _ if self.synced_seq() >= seq => Ok(()),
            Some(reason) => Err(JournalError::Stopped(Arc::clone(reason))),
            None => Err(JournalError::DiskFull),
        }
    }

    /// Waits out a full disk no more: the journal stops instead.
    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Release);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// Asks the committer to write what waits and end.
    pub(super) fn close(&self) {
        self.lock().is_closing = true;
        self.changed.notify_one();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().is_closing
    }

    // === the committer's side ===

    /// Notes that the disk is full, or no more. Whoever waited for the queue to move is told that it will not.
    pub(super) fn disk_is_full(&self, is_full: bool) {
        let mut pending = self.lock();
        self.is_disk_full.store(is_full, Ordering::Release);
        self.is_stuck.store(is_full || pending.stopped.is_some(), Ordering::Relaxed);
        let waiters = std::mem::take(&mut pending.room_waiters);
        drop(pending);
        self.announced.notify_all();
        for waiter in waiters {
            let _ = waiter.send(());
        }
    }

    /// Waits for records and takes them all; `None` when the queue is closed and empty. A batch that nobody waits for
    /// lingers a little, so that more records share one sync. `reuse` lends its memory to what gathers next.
    pub(super) fn take(&self, mut reuse: Taken) -> Option<Taken> {
        let mut pending = self.lock();
        pending.is_idle = true;
        while pending.count == 0 && !pending.is_closing {
            pending = self.changed.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        let is_patient = |pending: &mut Pending| {
            pending.gathering.is_empty()
                && pending.blocked == 0
                && pending.batch.len() < self.linger_bytes
                && !pending.is_closing
        };
        if !self.linger.is_zero() && is_patient(&mut pending) {
            pending = wait_while_at_most(&self.changed, pending, self.linger, is_patient);
        }
        pending.is_idle = false;
        if pending.count == 0 {
            return None;
        }
        reuse.batch.clear();
        // What a full disk made it grow to is given back.
        reuse.batch.shrink_to(2 * self.limit.min(self.batch_max));
        reuse.batch.resize(HEADER_BYTES, 0);
        reuse.entries.clear();
        let taken = pending.split(reuse, self.batch_max);
        self.waiting.store(pending.batch.len() - HEADER_BYTES, Ordering::Relaxed);
        let waiters = std::mem::take(&mut pending.room_waiters);
        drop(pending);
        for waiter in waiters {
            let _ = waiter.send(());
        }
        Some(taken)
    }

    /// Announces that all records up to `seq` are on disk: all that the committer has taken.
    pub(super) fn announce(&self, seq: u64) {
        self.synced.store(seq, Ordering::Release);
        let mut pending = self.lock();
        let ready = std::mem::take(&mut pending.flying);
        let is_blocking = pending.blocked > 0;
        drop(pending);
        if is_blocking {
            self.announced.notify_all();
        }
        for (_, waiter) in ready {
            let _ = waiter.send(Ok(()));
        }
    }

    /// Stops for good: whoever waits, now or later, is told why.
    pub(super) fn stop(&self, reason: &Arc<str>) {
        let mut pending = self.lock();
        pending.stopped = Some(Arc::clone(reason));
        self.is_stuck.store(true, Ordering::Relaxed);
        pending.batch.truncate(HEADER_BYTES);
        pending.count = 0;
        pending.entries.clear();
        self.waiting.store(0, Ordering::Relaxed);
        let mut waiters = std::mem::take(&mut pending.flying);
        waiters.append(&mut pending.gathering);
        pending.room_waiters.clear();
        drop(pending);
        self.announced.notify_all();
        for (_, waiter) in waiters {
            let _ = waiter.send(Err(Arc::clone(reason)));
        }
    }
}

impl Pending {
    /// Takes what has gathered, as much as a batch may have; `next` is what the others gather in.
    fn split(&mut self, mut next: Taken, batch_max: usize) -> Taken {
        let (count, bytes) = frames_within(&self.batch[HEADER_BYTES..], self.count, batch_max);
        let end = HEADER_BYTES + bytes;
        // What is more than a segment holds waits for the next batch. Rare: callers overshoot the limit by a record each.
        next.batch.extend_from_slice(&self.batch[end..]);
        self.batch.truncate(end);
        let later = self.entries.partition_point(|entry| entry.nth < count);
        let moved =
            |entry: IndexEntry| IndexEntry { offset: entry.offset - bytes as u32, nth: entry.nth - count, ..entry };
        next.entries.extend(self.entries.drain(later..).map(moved));
        let after = self.last_seq - u64::from(self.count);
        let last_taken = after + u64::from(count);
        if count == self.count {
            self.flying.append(&mut self.gathering);
        } else {
            self.flying.extend(self.gathering.extract_if(.., |(seq, _)| *seq <= last_taken));
        }
        self.count -= count;
        Taken {
            batch: std::mem::replace(&mut self.batch, next.batch),
            count,
            after,
            entries: std::mem::replace(&mut self.entries, next.entries),
        }
    }
}
