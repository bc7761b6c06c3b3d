//! The book: an append-only, hash-chained journal that is the only synced way, and the state store written behind it.
//!
//! The room takes encoded records and knows nothing of what is in them but their kind, their partition and the keys they
//! are found by. Rules: segments are zeroed ahead of time; a batch is one write and one sync, and the next is written after
//! it; what is acknowledged is synced; a failed write or sync stops the journal for good; the torn end of an interrupted
//! write is cut and reported, damage anywhere else is refused by file and offset; an append names the end it expects.
//!
//! | file | noun |
//! |---|---|
//! | `directory` | the data directory: its lock and its format |
//! | `batch` | batches and frames: the bytes |
//! | `segment` | files |
//! | `scan` | reading them, everything checked |
//! | `log` | writing them |
//! | `sealer` | seeing to those that are full |
//! | `disk` | what is written and synced through |
//! | `queue`, `committer` | group commit |
//! | `room` | waiting out a full disk |
//! | `hasher` | hashing a batch while the disk syncs it |
//! | `index` | records by key |
//! | `handle` | the journal as others hold it |
//! | `store` | states at rest |

mod batch;
mod committer;
mod directory;
mod disk;
mod error;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod faulty_disk;
mod handle;
mod hasher;
mod index;
mod log;
mod metrics;
mod queue;
mod room;
mod scan;
mod sealer;
mod segment;
mod store;
#[cfg(test)]
mod tests;

pub use batch::{BatchHash, BatchHeader, Entry, Frame, HEADER_BYTES, KEYS_MAX, Kind};
pub use directory::{DataDirectory, FORMAT, journal_folder};
#[cfg(simulation)]
pub(crate) use disk::Disk;
pub use error::JournalError;
#[cfg(test)]
pub(crate) use faulty_disk::{FaultyDisk, Operation};
pub use handle::{Config, Found, Journal, record_at, record_with_key};
pub use log::{Cut, Opening};
pub use metrics::Metrics;
pub use queue::{Kept, Synced};
pub use scan::{Read, Reader, SegmentSpan, segments};
pub use store::{Checkpoint, Expiry, FjallStore, StateStore, StateWrite};
