//! What waits in a mailbox.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Refusal, Request, TurnDone};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::mpsc;

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
    pub(super) request: Request,
    pub(super) claim: Claim,
    pub(super) reply: oneshot::Sender<Result<TurnDone, Refusal>>,
    /// Counts the job as waiting for as long as it exists.
    pub(super) counted: Counted,
}

/// One more of something, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A state as it is to be stored.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) bytes: Arc<[u8]>,
    /// The last record that changed it.
    pub(super) last_seq: u64,
    /// Whether it had changed since it was last stored.
    pub(super) was_dirty: bool,
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
