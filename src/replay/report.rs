//! What came of a replay.

use serde::Serialize;

use super::{Difference, DifferenceKind};
use crate::journal::JournalError;

/// What a replay may take of the machine, and of its reader's patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads that take turns. One more reads the journal if there are several.
    pub threads: usize,
    /// Bytes of states in memory. Where customers need more, the journal is read again for those that were put off.
    pub state_bytes: usize,
    /// Differences, and records that cannot be read, that are told. All are counted.
    pub shown: usize,
}

impl Default for Limits {
    /// A thread for each processor; a gibibyte holds the states of about a million customers; twenty differences say what is
    /// wrong.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads, state_bytes: 1 << 30, shown: 20 }
    }
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The pass over the journal, counted from 1.
    pub pass: u32,
    /// The last record that was read.
    pub seq: u64,
    /// The last record that will be.
    pub last_seq: u64,
}

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The last record of the journal that was looked at.
    pub last_record: u64,
    /// What was taken again, and what came of it.
    #[serde(flatten)]
    pub counts: Counts,
    /// Bundles in the journal.
    pub bundles: u64,
    /// Records of inputs that were set aside or released, which are stepped over.
    pub set_aside: u64,
    /// Records that are lost.
    pub gaps: Vec<Gap>,
    /// The first differences, by their records.
    pub differences: Vec<Difference>,
    /// The first records that could not be read, by their numbers.
    pub unreadable: Vec<Unreadable>,
    /// How often the journal was read.
    pub passes: u32,
}

/// Numbers of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Turns that were taken again.
    pub turns: u64,
    /// Decisions in them, as recorded.
    pub decisions: u64,
    /// Customers who were met.
    pub customers: u64,
    /// Turns before the range, which were applied.
    pub applied: u64,
    /// Turns that came out otherwise, though nothing explains it.
    pub different: u64,
    /// Turns that came out otherwise after another one of the same customer had.
    pub different_after_another: u64,
    /// Turns that came out otherwise behind a gap: what is lost may have been about the customer.
    pub different_after_gap: u64,
    /// Turns of another version of meaning, which were applied and not compared.
    pub other_semantics: u64,
    /// Records that could not be read, or whose bundle cannot be used.
    pub unreadable_records: u64,
}

/// Records that are lost, and are accounted for as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

/// A record that cannot be taken again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// The record.
    pub record: u64,
    /// Why.
    pub reason: String,
}

/// Why a replay breaks off.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal cannot be read, or is damaged.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A turn panicked.
    #[error("record {seq}: its turn panicked when it was taken again: {message}")]
    Panicked {
        /// The record.
        seq: u64,
        /// What the panic said.
        message: String,
    },
    /// All customers must be in memory at once, and are too many.
    #[error(
        "global caps want all customers in memory at once, and they take more than {} MiB; allow more (`--memory`)",
        bytes_max >> 20
    )]
    TooManyStates {
        /// The bound on their bytes.
        bytes_max: usize,
    },
    /// A thread ended without saying why.
    #[error("a thread of the replay broke off")]
    Broken,
}

impl Report {
    /// Whether every turn came out as it was recorded, and every record could be read. What is lost makes no difference by itself,
    /// and what means something else in this release is told and is none.
    pub fn is_same(&self) -> bool {
        self.is_same_as_far_as_judged() && self.counts.different_after_gap == 0
    }

    /// As [`Report::is_same`], but for turns behind lost records: that they come out otherwise may be because of what is lost, and
    /// may be not.
    pub fn is_same_as_far_as_judged(&self) -> bool {
        let Counts { different, different_after_another, unreadable_records, .. } = self.counts;
        different == 0 && different_after_another == 0 && unreadable_records == 0
    }
}

impl Counts {
    /// Counts a difference.
    pub(super) fn count(&mut self, kind: DifferenceKind) {
        match kind {
            DifferenceKind::Plain => self.different += 1,
            DifferenceKind::AfterAnother => self.different_after_another += 1,
            DifferenceKind::AfterGap => self.different_after_gap += 1,
        }
    }

    /// Adds those of another partition.
    pub(super) fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.decisions += other.decisions;
        self.customers += other.customers;
        self.applied += other.applied;
        self.different += other.different;
        self.different_after_another += other.different_after_another;
        self.different_after_gap += other.different_after_gap;
        self.other_semantics += other.other_semantics;
        self.unreadable_records += other.unreadable_records;
    }
}
