//! The hasher: a thread that hashes a batch while the disk syncs it.
//!
//! A batch names the hash of the one before it, so hashing cannot be left for later; but nobody who waits for the disk needs it.

use std::path::Path;
use std::sync::Arc;

use super::JournalError;
use super::batch::{BatchHash, HEADER_BYTES, hash_batch, leaf_hashes};
use crate::sync::mpsc;
use crate::sync::thread::{self, JoinHandle};
use crate::tlog;

/// Records below which a batch is hashed by the committer itself, after it has woken whoever waits: some microseconds, which
/// waking another thread would take as well.
const FEW: u32 = 16;

/// The way to the hasher's thread, for the committer. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Hasher {
    batches: Option<mpsc::Sender<Batch>>,
    hashed: mpsc::Receiver<Hashed>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Batch {
    format: u32,
    bytes: Arc<Vec<u8>>,
}

/// The hashes of a batch.
#[derive(Debug)]
pub(super) struct Hashed {
    /// That of the batch, which the next one names.
    pub(super) hash: BatchHash,
    /// Those of its records' leaves.
    pub(super) leaves: Vec<tlog::Hash>,
}

/// A batch that is being hashed, or will be.
#[derive(Debug)]
pub(super) struct Hashing<'a> {
    hasher: &'a Hasher,
    format: u32,
    bytes: Arc<Vec<u8>>,
    is_begun: bool,
}

impl Hasher {
    /// Starts the thread.
    pub(super) fn start(folder: &Path) -> Result<Self, JournalError> {
        let (batches, received) = mpsc::channel::<Batch>();
        let (reply, hashed) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("forthwith-hasher".to_owned())
            .spawn(move || {
                while let Ok(Batch { format, bytes }) = received.recv() {
                    let hash = hash(format, &bytes);
                    drop(bytes);
                    if reply.send(hash).is_err() {
                        return;
                    }
                }
            })
            .map_err(|e| JournalError::io("start the hasher of", folder, e))?;
        Ok(Self { batches: Some(batches), hashed, thread: Some(thread) })
    }

    /// Begins to hash a batch, header and frames.
    pub(super) fn begin(&self, format: u32, count: u32, batch: Vec<u8>) -> Hashing<'_> {
        let bytes = Arc::new(batch);
        let batch = Batch { format, bytes: Arc::clone(&bytes) };
        let is_begun = count >= FEW && self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_ok());
        Hashing { hasher: self, format, bytes, is_begun }
    }
}

impl Hashing<'_> {
    /// The batch.
    pub(super) fn batch(&self) -> &[u8] {
        &self.bytes
    }

    /// Waits for the hashes; returns the batch's memory with them.
    pub(super) fn end(self) -> (Vec<u8>, Hashed) {
        let hashed = if self.is_begun { self.hasher.hashed.recv().ok() } else { None };
        // A hasher that is gone, or was not asked.
        let hashed = hashed.unwrap_or_else(|| hash(self.format, &self.bytes));
        (Arc::try_unwrap(self.bytes).unwrap_or_default(), hashed)
    }
}

fn hash(format: u32, batch: &[u8]) -> Hashed {
    let leaves = leaf_hashes(&batch[HEADER_BYTES..]);
    Hashed { hash: hash_batch(format, batch, &leaves), leaves }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        drop(self.batches.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told when it happened.
            let _ = thread.join();
        }
    }
}
