//! The handle to a running journal.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use super::batch::Entry;
use super::committer::{Committer, OpenIndex};
use super::disk::{Disk, MachineDisk};
use super::fresh::FreshLeaves;
use super::hasher::Hasher;
use super::index::IndexEntry;
use super::log::{Log, Opening};
use super::queue::{Limits, Queue, Synced};
use super::reader::{Reader, SegmentSpan};
use super::sealer::{Sealer, Waiting, Work};
use super::terms::{Bounds, Follower, Hear, Now, Searched, Sought, TermIndex, Terms};
use super::volumes::{Found, Start, Volumes, Wanted};
use super::{JournalError, Metrics};
use crate::domain::{Term, TimeDelta, Timestamp};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Mutex, RwLock};
use crate::time::{Clock, Pulse};

/// How the journal is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of a segment's file.
    pub segment_bytes: u64,
    /// Bytes that may wait for the disk before no further turn begins.
    pub queue_bytes: usize,
    /// Bytes that may wait in memory while the disk is full: the decisions of playbooks that are answered nevertheless.
    pub overflow_bytes: usize,
    /// How long a batch that nobody waits for may grow before it is written: the loss window of `ack = "memory"`, less the
    /// time of the write itself.
    pub linger: Duration,
    /// Whether segments that are full are compressed.
    pub compress: bool,
}

impl Default for Config {
    /// Segments of 64 MiB hold some 160,000 decisions; a queue of 4 MiB is a few
    /// milliseconds of a disk's time; 64 MiB are what a caller of 1,000 decisions a second makes in two or three minutes, which is
    /// longer than a full disk goes unnoticed; two milliseconds of lingering let a thousand decisions share a sync.
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            queue_bytes: 4 << 20,
            overflow_bytes: 64 << 20,
            linger: Duration::from_millis(2),
            compress: true,
        }
    }
}

/// Appends records and finds them again. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Running>);

#[derive(Debug)]
struct Running {
    folder: PathBuf,
    queue: Arc<Queue>,
    open_index: Arc<RwLock<OpenIndex>>,
    sealing: Waiting,
    /// Records by their terms, once it is told what those are.
    terms: OnceLock<Arc<TermIndex>>,
    follower: Mutex<Option<Follower>>,
    volumes: Volumes,
    fresh: Arc<FreshLeaves>,
    /// The number of the log.
    log: u64,
    pulse: Arc<Pulse>,
    thread: Mutex<Option<Thread>>,
}

/// The committer's thread; an error says why it stopped.
type Thread = JoinHandle<Result<(), Arc<str>>>;

/// How long before or after the time that is asked for a record may have been written.
const AROUND: TimeDelta = TimeDelta::MINUTE;

impl Journal {
    /// As [`Journal::open_behind`], where no store knows of records.
    pub fn open(
        folder: &Path,
        config: &Config,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<(Self, Opening), JournalError> {
        Self::open_behind(folder, config, clock, metrics, 0)
    }

    /// Opens the journal in a folder and starts its committer. The torn end of an interrupted write is cut off and
    /// reported; damage anywhere else is an error, and nothing is changed. So it is with a journal that ends before `stored`, the
    /// last record that the store knows of, or before what a tree head was signed over.
    pub fn open_behind(
        folder: &Path,
        config: &Config,
        clock: Clock,
        metrics: Metrics,
        stored: u64,
    ) -> Result<(Self, Opening), JournalError> {
        Self::open_behind_on(Arc::new(MachineDisk), folder, config, clock, metrics, stored)
    }

    /// As [`Journal::open`], on a disk of one's own.
    #[cfg(any(test, simulation))]
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        config: &Config,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<(Self, Opening), JournalError> {
        Self::open_behind_on(disk, folder, config, clock, metrics, 0)
    }

    /// As [`Journal::open_behind`], on a disk of one's own.
    pub(crate) fn open_behind_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        config: &Config,
        clock: Clock,
        metrics: Metrics,
        stored: u64,
    ) -> Result<(Self, Opening), JournalError> {
        let (mut log, opening) = Log::open(Arc::clone(&disk), folder, config.segment_bytes, clock.wall(), stored)?;
        let (folder_of, is_compressing) = (folder.to_owned(), config.compress);
        let work = Work { disk, folder: folder_of, is_compressing, metrics: metrics.clone(), clock: clock.clone() };
        let sealer = Sealer::start(work, log.segment_number() - 1)?;
        let sealing = sealer.waiting();
        let limits = Limits { queue: config.queue_bytes, overflow: config.overflow_bytes, batch: log.batch_max() };
        let queue = Arc::new(Queue::new(opening.last_seq, limits, config.linger));
        let (fresh, number) = (Arc::new(FreshLeaves::after(opening.last_seq)), log.log_number());
        let entries = log.take_recovered();
        let pulse = Arc::new(Pulse::default());
        let open_index = Arc::new(RwLock::new(OpenIndex { segment: log.segment_number(), entries }));
        let committer = Committer {
            log,
            sealer,
            hasher: Hasher::start(folder)?,
            queue: Arc::clone(&queue),
            open_index: Arc::clone(&open_index),
            fresh: Arc::clone(&fresh),
            pulse: Arc::clone(&pulse),
            clock,
            metrics,
        };
        let thread = thread::Builder::new()
            .name("forthwith-journal".to_owned())
            .spawn(move || committer.run())
            .map_err(|e| JournalError::io("start the committer of", folder, e))?;
        let running = Running {
            folder: folder.to_owned(),
            queue,
            open_index,
            sealing,
            terms: OnceLock::new(),
            follower: Mutex::default(),
            volumes: Volumes::new(folder),
            fresh,
            log: number,
            pulse,
            thread: Mutex::new(Some(thread)),
        };
        Ok((Self(Arc::new(running)), opening))
    }

    /// A journal that numbers records and keeps none, **for measurements only**: what a turn costs without its record's way
    /// to the disk. Everything counts as synced at once, and nothing is found again. `folder` exists and stays empty.
    pub fn discarding(folder: &Path) -> Self {
        Self(Arc::new(Running {
            folder: folder.to_owned(),
            queue: Arc::new(Queue::discarding()),
            open_index: Arc::default(),
            sealing: Waiting::default(),
            terms: OnceLock::new(),
            follower: Mutex::default(),
            volumes: Volumes::new(folder),
            fresh: Arc::default(),
            log: 0,
            pulse: Arc::new(Pulse::ended()),
            thread: Mutex::new(None),
        }))
    }

    /// Appends a record and returns its sequence. It is on disk when [`Journal::wait_synced`] says so. Never waits; look
    /// at [`Journal::is_full`] first.
    pub fn append(&self, entry: &Entry<'_>) -> Result<u64, JournalError> {
        self.0.queue.append(entry)
    }

    /// Whether no further turn should begin: so much waits for the disk, the disk is full, or the journal has stopped. Two atomic
    /// reads.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.0.queue.is_full()
    }

    /// Waits until there is room in the queue, or none to wait for.
    pub async fn room(&self) {
        self.0.queue.has_room().await;
    }

    /// A test door: how many wait for room in the queue.
    #[cfg(test)]
    pub(crate) fn waiting_for_room(&self) -> usize {
        self.0.queue.waiting_for_room()
    }

    /// The last record on disk. One atomic read.
    #[inline]
    pub fn synced_seq(&self) -> u64 {
        self.0.queue.synced_seq()
    }

    /// The last record appended.
    pub fn last_seq(&self) -> u64 {
        self.0.queue.last_seq()
    }

    /// Resolves when the record is on disk or the journal has stopped; `None` if it is on disk already.
    pub fn wait_synced(&self, seq: u64) -> Option<Synced> {
        self.0.queue.wait_synced(seq)
    }

    /// Waits until the record is on disk, on a thread that may block.
    pub fn wait_synced_blocking(&self, seq: u64) -> Result<(), JournalError> {
        self.0.queue.wait_synced_blocking(seq)
    }

    /// Waits until the record is on disk, on a thread that may block; fails where that would be to wait for room on a full disk.
    pub fn wait_synced_unless_full(&self, seq: u64) -> Result<(), JournalError> {
        self.0.queue.wait_synced_unless_full(seq)
    }

    /// Why nothing is acknowledged any more, if that is so.
    pub fn stopped(&self) -> Option<Arc<str>> {
        self.0.queue.stopped()
    }

    /// Whether any record waits for the committer. One atomic read.
    pub fn is_anything_waiting(&self) -> bool {
        self.0.queue.waiting() > 0
    }

    /// The committer's sign of life.
    pub fn pulse(&self) -> &Pulse {
        &self.0.pulse
    }

    /// Waits out a full disk no more, now that the engine stops: the journal would stop it from stopping.
    pub fn leave(&self) {
        self.0.queue.leave();
    }

    /// Whether the journal waits for room on the disk. One atomic read.
    #[inline]
    pub fn is_disk_full(&self) -> bool {
        self.0.queue.is_disk_full()
    }

    /// Whether more records may wait in memory while the disk is full.
    pub fn has_overflow_room(&self) -> bool {
        self.0.queue.has_overflow_room()
    }

    /// Finds a record on disk by one of its keys. Looks into the segments first that were written around a time. Reads files:
    /// an index of about a mebibyte for each segment that it looks into and did not lately, and then a block of one.
    pub fn find(&self, key: u128, around: Timestamp) -> Result<Option<Found>, JournalError> {
        if let Some((segment, entry)) = self.find_in_open(key) {
            return self.read(segment, entry);
        }
        for number in self.full_segments(around)? {
            let found = match self.0.sealing.entries(number) {
                Some(entries) => match entries.iter().find(|entry| entry.key == key) {
                    Some(entry) => self.read(number, *entry)?,
                    None => None,
                },
                None => self.0.volumes.find(number, key)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The record with a sequence, if it is on disk. Reads a block of a segment, not the segment.
    pub fn record_at(&self, seq: u64) -> Result<Option<Found>, JournalError> {
        let (mut low, mut high) = (1, self.open_segment());
        if high == 0 || seq == 0 {
            return Ok(None);
        }
        let open = high;
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.0.volumes.page(middle)?.first_seq <= seq { low = middle } else { high = middle - 1 }
        }
        let Ok(nth) = u32::try_from(seq - self.0.volumes.page(low)?.first_seq) else { return Ok(None) };
        if low < open {
            return self.0.volumes.nth(low, nth);
        }
        let wanted = Wanted { number: low, nth, key: None };
        self.0.volumes.record(wanted, || self.start_in_open(low, nth))
    }

    /// Full segments that are not yet sealed, or not indexed: they are seen to in the background.
    pub fn unsealed(&self) -> usize {
        self.0.sealing.count()
    }

    /// A reader of the records on disk from a sequence on.
    pub fn reader(&self, from: u64) -> Result<Reader, JournalError> {
        Reader::new(&self.0.folder, from)
    }

    /// Tells by which terms records are searched, once; from then on the index of terms follows the journal.
    pub fn describe_with(&self, describer: Arc<dyn Terms>) -> Result<(), JournalError> {
        let Some(index) = TermIndex::of_journal(&self.0.folder, describer)? else { return Ok(()) };
        let index = Arc::new(index);
        if self.0.terms.set(Arc::clone(&index)).is_err() {
            return Ok(());
        }
        // Simulated threads know no time: there the index is brought up to date by whoever searches.
        if cfg!(not(simulation)) {
            let (queue, open_index) = (Arc::clone(&self.0.queue), Arc::clone(&self.0.open_index));
            let follower = Follower::start(&index, move || now(&queue, &open_index))?;
            *self.0.follower.lock().unwrap_or_else(PoisonError::into_inner) = Some(follower);
        }
        Ok(())
    }

    /// Searches the records on disk, newest first, and hands on those that may have all terms: two terms may share a number,
    /// so look whether it is one that is meant. Reads files; brings the index up to date first.
    pub fn search(&self, sought: Sought<'_>, bounds: Bounds, hear: Hear<'_>) -> Result<Searched, JournalError> {
        self.terms()?.search_as_of(now(&self.0.queue, &self.0.open_index), sought, bounds, hear)
    }

    /// Hands on the records on disk that may have any of some terms, from a sequence on, oldest first, until `hear` says to
    /// stop. Reads the index of terms and those records, and nothing else.
    pub fn records_with(&self, any: &[Term], from: u64, hear: Hear<'_>) -> Result<(), JournalError> {
        self.terms()?.records_with(now(&self.0.queue, &self.0.open_index), any, from, hear)
    }

    /// Leaf hashes of records that are synced, on their way to the tree.
    pub(super) fn fresh(&self) -> &Arc<FreshLeaves> {
        &self.0.fresh
    }

    /// The number of the log.
    pub(super) fn log_number(&self) -> u64 {
        self.0.log
    }

    /// Whether [`Journal::records_with`] has the terms of every full segment from a sequence on at hand, and need not gather them first.
    pub fn has_terms_from(&self, from: u64) -> Result<bool, JournalError> {
        self.terms()?.has_all(now(&self.0.queue, &self.0.open_index), from)
    }

    /// The folder of its segments.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The segments, in their order. Reads the first page of each.
    pub fn segments(&self) -> Result<Vec<SegmentSpan>, JournalError> {
        super::reader::segments(&self.0.folder)
    }

    /// A reader of the records of one segment.
    pub fn segment_reader(&self, number: u64) -> Reader {
        Reader::of_segment(&self.0.folder, number)
    }

    fn terms(&self) -> Result<&TermIndex, JournalError> {
        self.0.terms.get().map(|index| &**index).ok_or(JournalError::Undescribed)
    }

    /// Writes what waits, ends the log in good order and stops the committer. Later calls do nothing.
    pub fn close(&self) -> Result<(), JournalError> {
        self.0.close()
    }

    /// The full segments, newest first, those before the others that were written around a time.
    fn full_segments(&self, around: Timestamp) -> Result<Vec<u64>, JournalError> {
        let open = self.open_segment();
        let mut begun = Vec::new();
        for number in 1..=open {
            begun.push(self.0.volumes.page(number)?.created_at);
        }
        let is_around = |number: &u64| {
            let (from, until) = (begun[*number as usize - 1], begun[*number as usize]);
            from <= around.saturating_add(AROUND).micros() && around.saturating_sub(AROUND).micros() <= until
        };
        let (likely, others): (Vec<u64>, Vec<u64>) = (1..open).rev().partition(is_around);
        Ok(likely.into_iter().chain(others).collect())
    }

    fn find_in_open(&self, key: u128) -> Option<(u64, IndexEntry)> {
        let index = self.0.open_index.read().ok()?;
        // Newest first: what is asked for was mostly just decided.
        index.entries.iter().rev().find(|entry| entry.key == key).map(|entry| (index.segment, *entry))
    }

    fn open_segment(&self) -> u64 {
        self.0.open_index.read().map_or(0, |index| index.segment)
    }

    /// Where to begin reading for a record of the segment that is written.
    fn start_in_open(&self, segment: u64, nth: u32) -> Start {
        let Ok(index) = self.0.open_index.read() else { return Start::BEGINNING };
        let before = index.entries.partition_point(|entry| entry.nth <= nth).checked_sub(1);
        let entry = before.filter(|_| index.segment == segment).map(|at| index.entries[at]);
        entry.map_or(Start::BEGINNING, |entry| Start { offset: entry.offset.into(), nth: entry.nth })
    }

    fn read(&self, number: u64, entry: IndexEntry) -> Result<Option<Found>, JournalError> {
        let wanted = Wanted { number, nth: entry.nth, key: Some(entry.key) };
        self.0.volumes.record(wanted, || Start { offset: entry.offset.into(), nth: entry.nth })
    }
}

/// How far the journal has come. What is synced is in the segment that is open by then, or before it.
fn now(queue: &Queue, open_index: &RwLock<OpenIndex>) -> Now {
    let synced = queue.synced_seq();
    let open = open_index.read().unwrap_or_else(PoisonError::into_inner).segment;
    Now { synced, open }
}

impl Running {
    fn close(&self) -> Result<(), JournalError> {
        drop(self.follower.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(reason))) => Err(JournalError::Stopped(reason)),
            Some(Err(_)) => Err(JournalError::Stopped("the committer panicked".into())),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error was logged and counted when it happened; there is nobody left to tell.
        let _ = self.close();
    }
}
