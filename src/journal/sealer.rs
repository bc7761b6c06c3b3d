//! The sealer: a thread that sees to segments that are full, out of the way of those that are written.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::JournalError;
use super::index::{IndexEntry, SegmentIndex};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Mutex, mpsc};

/// A segment that is full.
#[derive(Clone, Debug)]
pub(super) struct Full {
    pub(super) number: u64,
    /// What its records are found by.
    pub(super) entries: Arc<[IndexEntry]>,
}

/// The way to the sealer's thread. The thread ends when this is dropped, after what it has begun.
#[derive(Debug)]
pub(super) struct Sealer {
    full: Option<mpsc::Sender<Full>>,
    waiting: Waiting,
    thread: Option<JoinHandle<()>>,
}

/// Segments that are full and not yet seen to.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(Arc<Mutex<Vec<Full>>>);

impl Waiting {
    /// What is known of a segment that is waiting.
    pub(super) fn entries(&self, number: u64) -> Option<Arc<[IndexEntry]>> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().find(|full| full.number == number).map(|full| Arc::clone(&full.entries))
    }

    fn push(&self, full: Full) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(full);
    }

    fn remove(&self, number: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|full| full.number != number);
    }
}

impl Sealer {
    /// Starts the thread.
    pub(super) fn start(folder: &Path) -> Result<Self, JournalError> {
        let (sender, receiver) = mpsc::channel();
        let waiting = Waiting::default();
        let (seen, path) = (waiting.clone(), folder.to_owned());
        let thread = thread::Builder::new()
            .name("forthwith-sealer".to_owned())
            .spawn(move || seal_all(&receiver, &seen, &path))
            .map_err(|e| JournalError::io("start the sealer of", folder, e))?;
        Ok(Self { full: Some(sender), waiting, thread: Some(thread) })
    }

    /// Segments that it has not yet seen to.
    pub(super) fn waiting(&self) -> Waiting {
        self.waiting.clone()
    }

    /// Hands over a segment that is full. Never waits.
    pub(super) fn send(&self, full: Full) {
        self.waiting.push(full.clone());
        let sent = self.full.as_ref().map(|sender| sender.send(full));
        // A segment without an index gets one when it is asked for one.
        if let Some(Err(mpsc::SendError(full))) = sent {
            self.waiting.remove(full.number);
        }
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        drop(self.full.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told when it happened.
            let _ = thread.join();
        }
    }
}

fn seal_all(receiver: &mpsc::Receiver<Full>, waiting: &Waiting, folder: &Path) {
    while let Ok(Full { number, entries }) = receiver.recv() {
        SegmentIndex::write(folder, number, entries.to_vec());
        waiting.remove(number);
    }
}
