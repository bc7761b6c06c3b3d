//! What waits in a mailbox.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;

use super::{Refusal, TurnDone};
use crate::time::Deadline;
use crate::turn::{Input, Readings};

/// Something to be done with a customer's state, in its order.
#[derive(Debug)]
pub(super) enum Job {
    /// Take a turn.
    Turn(Box<TurnJob>),
    /// Hand out the state as it is to be stored.
    Snapshot(mpsc::SyncSender<Snapshot>),
    /// Hand out a copy of the state for someone to look at.
    View(oneshot::Sender<Option<Box<crate::context::CustomerState>>>),
}

/// A turn that waits.
#[derive(Debug)]
pub(super) struct TurnJob {
    pub(super) input: Input,
    pub(super) readings: Readings,
    pub(super) deadline: Deadline,
    pub(super) claim: Claim,
    pub(super) reply: oneshot::Sender<Result<TurnDone, Refusal>>,
}

/// A state as it is to be stored.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) bytes: Vec<u8>,
    /// The last record that changed it.
    pub(super) last_seq: u64,
}

/// Decides once between the runner that takes a turn and the caller that gives up waiting for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// True for the first who asks.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}
