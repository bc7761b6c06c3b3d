//! The sealer: a thread that sees to segments that are full, out of the way of those that are written.
//!
//! It leaves the machine to those who decide: it works a quarter of the time, and more only when segments wait for it.
//!
//! What is to be done for each stands in [`Work::see_to`], step by step. Each step looks first whether it is done, so that all full
//! segments are gone through at a start and what an interruption left is done then. Nothing of it is needed for a record to be
//! safe: what fails is told, counted, and tried again when the next segment is full, or at the next start.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::disk::Disk;
use super::index::{IndexEntry, SegmentIndex};
use super::names::segment_path;
use super::sealing::{Sealing, clear, seal};
use super::segment::Page;
use super::{JournalError, Metrics};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Mutex, mpsc};
use crate::time::{Clock, Instant};

/// Full segments whose keys are kept in memory until they are seen to. Of further ones, an index is made when it is asked for.
const KEPT_MAX: usize = 8;

/// A segment that is full.
#[derive(Clone, Debug)]
pub(super) struct Full {
    pub(super) number: u64,
    /// What its records are found by, while that is kept.
    pub(super) entries: Option<Arc<[IndexEntry]>>,
}

/// The way to the sealer's thread. The thread ends when this is dropped: at once, for what is not done is done at the next start.
#[derive(Debug)]
pub(super) struct Sealer {
    full: Option<mpsc::Sender<Full>>,
    waiting: Waiting,
    is_leaving: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How it goes about it.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    /// Whether full segments are compressed.
    pub(super) is_compressing: bool,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
}

/// Segments that are full and not yet seen to.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(Arc<Mutex<Vec<Full>>>);

impl Waiting {
    /// What is known of a segment that is waiting.
    pub(super) fn entries(&self, number: u64) -> Option<Arc<[IndexEntry]>> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().find(|full| full.number == number).and_then(|full| full.entries.clone())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn push(&self, mut full: Full) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.iter().filter(|full| full.entries.is_some()).count() >= KEPT_MAX {
            full.entries = None;
        }
        waiting.push(full);
    }

    fn remove(&self, number: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|full| full.number != number);
    }
}

impl Sealer {
    /// Starts the thread, which goes through all segments up to `last_full` first.
    pub(super) fn start(work: Work, last_full: u64) -> Result<Self, JournalError> {
        let (sender, receiver) = mpsc::channel();
        let waiting = Waiting::default();
        let is_leaving = Arc::new(AtomicBool::new(false));
        let (seen, leaving, folder) = (waiting.clone(), Arc::clone(&is_leaving), work.folder.clone());
        for number in (1..=last_full).filter(|number| !work.is_done(*number)) {
            waiting.push(Full { number, entries: None });
        }
        work.metrics.unsealed_segments.set(waiting.count() as i64);
        let thread = thread::Builder::new()
            .name("forthwith-sealer".to_owned())
            .spawn(move || work.run(&receiver, &seen, &leaving))
            .map_err(|e| JournalError::io("start the sealer of", &folder, e))?;
        Ok(Self { full: Some(sender), waiting, is_leaving, thread: Some(thread) })
    }

    /// Segments that it has not yet seen to.
    pub(super) fn waiting(&self) -> Waiting {
        self.waiting.clone()
    }

    /// Hands over a segment that is full. Never waits.
    pub(super) fn send(&self, full: Full) {
        self.waiting.push(full.clone());
        // Without the thread it is seen to at the next start; an index is made when it is asked for.
        let _ = self.full.as_ref().map(|sender| sender.send(full));
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.is_leaving.store(true, Ordering::Release);
        drop(self.full.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told when it happened.
            let _ = thread.join();
        }
    }
}

impl Work {
    fn run(self, receiver: &mpsc::Receiver<Full>, waiting: &Waiting, is_leaving: &AtomicBool) {
        let mut undone: BTreeSet<u64> = waiting.numbers();
        let mut next = None;
        loop {
            if let Some(Full { number, .. }) = next {
                undone.insert(number);
            }
            for number in undone.clone() {
                if is_leaving.load(Ordering::Acquire) {
                    return;
                }
                match self.see_to(number, waiting, is_leaving) {
                    Ok(()) => {
                        waiting.remove(number);
                        undone.remove(&number);
                    }
                    Err(error) => {
                        self.metrics.sealing_failures.inc();
                        tracing::warn!(%error, segment = number, "a full segment was not seen to; it stays as it is and is tried again later");
                        // What the system refuses, it refuses for the others too.
                        if matches!(error, JournalError::Io { .. }) {
                            break;
                        }
                    }
                }
                self.metrics.unsealed_segments.set(waiting.count() as i64);
            }
            match receiver.recv() {
                Ok(full) => next = Some(full),
                Err(_) => return,
            }
        }
    }

    /// Everything that is done for a full segment, in this order.
    fn see_to(&self, number: u64, waiting: &Waiting, is_leaving: &AtomicBool) -> Result<(), JournalError> {
        clear(&self.folder, number)?;
        self.index_keys(number, waiting.entries(number).as_deref())?;
        self.compress(number, &mut Pace { clock: &self.clock, since: self.clock.instant(), waiting, is_leaving })
    }

    /// Whether there is nothing to do for a full segment.
    fn is_done(&self, number: u64) -> bool {
        let is_compressed = !segment_path(&self.folder, number).exists() || !self.is_compressing;
        is_compressed && super::names::index_path(&self.folder, number).exists()
    }

    /// The index by key.
    fn index_keys(&self, number: u64, entries: Option<&[IndexEntry]>) -> Result<(), JournalError> {
        let page = Page::read(&self.folder, number)?;
        match entries {
            Some(entries) => SegmentIndex::of(&page, entries).write(&self.folder, number),
            None => SegmentIndex::open(&self.folder, number).map(drop)?,
        }
        Ok(())
    }

    /// The sealed segment in the place of the one that was written.
    fn compress(&self, number: u64, pace: &mut Pace<'_>) -> Result<(), JournalError> {
        if !self.is_compressing || !segment_path(&self.folder, number).exists() {
            return Ok(());
        }
        let sealing = seal(&*self.disk, &self.folder, number, &mut || pace.pause())?;
        if let Sealing::Done { before, after } = sealing {
            self.metrics.sealed_segments.inc();
            self.metrics.sealed_bytes.add(after);
            tracing::debug!(segment = number, before, after, "a segment is sealed");
        }
        Ok(())
    }
}

/// How the sealer shares the machine.
struct Pace<'a> {
    clock: &'a Clock,
    /// When it went to work.
    since: Instant,
    waiting: &'a Waiting,
    is_leaving: &'a AtomicBool,
}

/// How long the sealer works before it rests: short enough for a turn to get by.
const WORK: Duration = Duration::from_millis(2);

impl Pace<'_> {
    /// Rests if it is time to; true if the journal is closed meanwhile.
    fn pause(&mut self) -> bool {
        let worked = self.clock.instant().since(self.since);
        if worked >= WORK {
            let rest = match self.waiting.count() {
                0..=2 => worked * 3,
                3..=5 => worked,
                _ => Duration::ZERO,
            };
            thread::sleep(rest);
            self.since = self.clock.instant();
        }
        self.is_leaving.load(Ordering::Acquire)
    }
}

impl Waiting {
    fn numbers(&self) -> BTreeSet<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|full| full.number).collect()
    }
}
