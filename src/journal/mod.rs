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
//! | `names` | names of files |
//! | `segment` | segments as they are written |
//! | `sealed`, `sealing` | segments that are sealed, and sealing them |
//! | `window`, `scan` | the bytes of a segment in either form; its batches, everything checked |
//! | `reader` | records over all segments |
//! | `volumes` | single records |
//! | `log` | writing |
//! | `sealer` | seeing to segments that are full |
//! | `gap` | what was lost and is accounted for |
//! | `inspection`, `salvage`, `repair` | damage in a whole journal, what is sound behind it, segments written anew |
//! | `disk` | what is written and synced through |
//! | `queue`, `committer` | group commit |
//! | `room` | waiting out a full disk |
//! | `hasher` | hashing a batch while the disk syncs it |
//! | `index` | records by key |
//! | `handle` | the journal as others hold it |
//! | `terms` | records by what is in them |
//! | `store` | states at rest |
//! | `fresh`, `tree`, `levels`, `leaf`, `leaves` | the tree over all records, the roots of it that are kept, its leaves |
//! | `notary`, `heads`, `signing_key` | signing heads of the tree, keeping them, by which key |
//! | `proving` | proofs of inclusion and consistency, each verified before it is handed out |
//! | `survey`, `verification` | the whole journal read side by side, and verified |

mod acknowledged;
mod batch;
mod committer;
mod directory;
mod disk;
mod error;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod faulty_disk;
mod fresh;
mod gap;
mod handle;
mod hasher;
mod heads;
mod index;
mod inspection;
mod leaf;
mod leaves;
mod levels;
mod log;
mod metrics;
mod names;
mod notary;
#[cfg(test)]
mod notary_lost_tests;
#[cfg(test)]
mod notary_tests;
mod proving;
#[cfg(test)]
mod proving_tests;
mod queue;
mod reader;
mod repair;
mod room;
mod salvage;
mod scan;
mod sealed;
mod sealer;
mod sealing;
mod segment;
mod signing_key;
mod store;
mod survey;
mod terms;
#[cfg(test)]
mod tests;
mod tree;
mod verification;
mod volumes;
mod window;

pub use batch::{BatchHash, BatchHeader, Entry, Frame, HEADER_BYTES, KEYS_MAX, Kind};
pub use directory::{DataDirectory, FORMAT, journal_folder};
#[cfg(simulation)]
pub(crate) use disk::Disk;
pub use error::JournalError;
#[cfg(test)]
pub(crate) use faulty_disk::{FaultyDisk, Operation};
pub use gap::Gap;
pub use handle::{Config, Journal};
pub use heads::{known_keys, newest_head};
pub use inspection::{Damage, Inspection, Loss};
pub use leaf::found_in_leaf;
pub use leaves::record_leaf;
pub use log::{Cut, Opening};
pub use metrics::Metrics;
pub use notary::{Notary, NotaryConfig, NotaryError, Unfit};
pub use proving::{Consistency, Inclusion, entry_proof_in};
pub use queue::{Kept, Synced};
pub use reader::{Reader, SegmentSpan, segments};
pub use repair::Rewritten;
pub use scan::Read;
pub use store::{Checkpoint, Expiry, FjallStore, StateStore, StateWrite};
pub use terms::{Bounds, Described, Hear, Searched, Sought, TermIndex, Terms};
pub use verification::{Verified, Verify, VerifyFault};
pub use volumes::{Found, record_at, record_with_key};
