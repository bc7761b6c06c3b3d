//! What becomes of a turn that is not taken.

use std::sync::Arc;

use super::ShelfError;
use super::set_aside::{InputId, PANICS_MAX};
use crate::journal::JournalError;

/// Why a turn was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There was no room or no time for it. Nothing changed; ask again later.
    #[error(transparent)]
    Shed(#[from] Shed),
    /// Something is broken.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// Feedback was recorded after the journal was searched for it. Nothing changed; search up to that record and ask again.
    #[error("feedback was recorded meanwhile, as record {by}")]
    Overtaken {
        /// The record.
        by: u64,
    },
}

/// Load that was not taken on. Nothing changed: the caller may ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Shed {
    /// Too many turns of this customer wait already.
    #[error("too many requests of this customer are waiting")]
    MailboxFull,
    /// Too many customers wait to be brought into memory.
    #[error("too many customers are being brought into memory")]
    LoadingFull,
    /// The disk is behind by more than the journal's queue holds.
    #[error("the journal is behind: the disk is slow")]
    JournalBehind,
    /// The disk is full, and nothing is taken on that waits for it.
    #[error("the disk is full: nothing is taken on until there is room")]
    DiskFull,
    /// More is offered than can be done; nothing was begun.
    #[error("the engine is overloaded")]
    Overloaded,
    /// The deadline passed before the turn began.
    #[error("the deadline passed before the decision could begin")]
    Late,
    /// What was taken of global caps before the engine started is not known yet.
    #[error("what is left of the caps is not known yet; the journal is being read back")]
    Recovering,
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

/// A fault of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The journal does not write any more.
    #[error("{0}")]
    JournalStopped(Arc<str>),
    /// The states could not be brought up to date with the journal.
    #[error("nothing is decided, because recovery could not go on: {0}")]
    RecoveryFailed(Arc<str>),
    /// The record of the turn is larger than the journal can hold; nothing changed.
    #[error("what was sent is too large to be recorded: {0}")]
    RecordTooLarge(Arc<str>),
    /// The customer's state cannot be read.
    #[error("the customer's stored state cannot be read; the log says why")]
    StateUnreadable,
    /// The turn panicked; the state was rebuilt and the next turn finds it whole.
    #[error("the decision failed because of a fault in the engine; the customer's state was restored")]
    Panicked,
    /// Turns on this very input have panicked: it is set aside until someone releases it.
    #[error("decisions on this input have failed {PANICS_MAX} times; it is set aside as `{0}` until it is released")]
    SetAside(InputId),
}

impl Failure {
    /// Whether the state in memory may be one that the journal does not lead to, and has to be rebuilt.
    pub(super) fn breaks_the_state(&self) -> bool {
        matches!(self, Self::Panicked | Self::JournalStopped(_) | Self::RecordTooLarge(_) | Self::StateUnreadable)
    }
}

impl Shed {
    /// All kinds, for metrics.
    pub const ALL: [Self; 8] = [
        Self::MailboxFull,
        Self::LoadingFull,
        Self::JournalBehind,
        Self::DiskFull,
        Self::Overloaded,
        Self::Late,
        Self::Recovering,
        Self::Stopping,
    ];

    /// The word in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MailboxFull => "mailbox_full",
            Self::LoadingFull => "loading_full",
            Self::JournalBehind => "journal_behind",
            Self::DiskFull => "disk_full",
            Self::Overloaded => "overloaded",
            Self::Late => "late",
            Self::Recovering => "recovering",
            Self::Stopping => "stopping",
        }
    }
}

/// Why the engine cannot start from what is on disk.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The journal or the store.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A bundle that records were decided under.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// A stored state.
    #[error(transparent)]
    State(#[from] crate::context::StateError),
    /// A record.
    #[error("record {seq} of the journal: {error}")]
    Record {
        /// Which.
        seq: u64,
        /// Why it cannot be used.
        error: crate::turn::RecordError,
    },
    /// The store knows of records that the journal does not have.
    #[error(
        "the state store is current up to record {store}, but the journal ends at record {journal}: \
         the journal has lost records, or belongs to another store"
    )]
    JournalBehind {
        /// What the store knows of.
        store: u64,
        /// What the journal has.
        journal: u64,
    },
    /// The journal ends before its last record, and nothing says why.
    #[error("the journal can be read up to record {last} only, and should have records up to {until}")]
    Short {
        /// The last record that is there.
        last: u64,
        /// What there should be.
        until: u64,
    },
    /// States that could not be read when they were asked for, nor later.
    #[error("the stored states of {customers} customers cannot be read; the log says why")]
    Unreadable {
        /// How many.
        customers: usize,
    },
    /// The engine stopped before everything was read.
    #[error("the engine stopped before the journal was read back")]
    Abandoned,
    /// A fault of ours.
    #[error("recovery failed because of a fault in the engine")]
    Panicked,
    /// The actors' system.
    #[error("the actors cannot be started: {0}")]
    Runtime(std::io::Error),
}
