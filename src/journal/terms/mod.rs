//! Finding records by what is in them: a file of terms beside each full segment, a filter for each 64 segments, and in memory
//! what is not in a file yet.
//!
//! What a record's terms are is told by a [`Terms`] that is given to the journal; here they are numbers. Everything is derived
//! from the segments and made anew where it is missing or damaged. Whoever searches gets records that may be meant and looks
//! for himself, for two terms may share a number.
//!
//! | file | noun |
//! |---|---|
//! | `describer` | who tells the terms of a record |
//! | `gathered`, `gathering` | the terms of a segment in memory, and getting them there |
//! | `postings` | the records of a term |
//! | `stride` | where records are and when they arrived |
//! | `table`, `file` | the file of a segment's terms: its bytes, reading it |
//! | `group` | filters of 64 segments |
//! | `index`, `follower` | all of it; keeping it close behind the journal |
//! | `look`, `search` | one segment looked through; searching |

mod describer;
mod file;
mod follower;
mod gathered;
mod gathering;
#[cfg(test)]
mod gathering_tests;
mod group;
mod index;
mod look;
mod postings;
mod search;
mod stride;
mod table;
#[cfg(test)]
mod tests;

pub use describer::{Described, Terms};
pub(super) use follower::Follower;
pub(super) use index::Now;
pub use index::TermIndex;
pub use search::{Bounds, Hear, Searched, Sought};
