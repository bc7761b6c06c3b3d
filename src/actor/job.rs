//! What waits in a mailbox.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::Span;

use super::{Refusal, Request, TurnDone};
use crate::bundle::PRIORITY_DEFAULT;
use crate::domain::Timestamp;
use crate::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use crate::sync::mpsc;
use crate::time::Deadline;
use crate::turn::{EventInput, Input, Run};

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
    pub(super) request: Arc<Request>,
    pub(super) worth: Worth,
    pub(super) claim: Claim,
    pub(super) reply: oneshot::Sender<Result<TurnDone, Refusal>>,
    /// Counts the job as waiting for as long as it exists.
    pub(super) counted: Counted,
    /// The span of its waiting.
    pub(super) queue: Span,
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
    /// When the first of what it holds expires.
    pub(super) expiry: Option<Timestamp>,
    /// What the store's list says of that.
    pub(super) expiry_before: Option<Timestamp>,
    /// Whether it had changed since it was last stored.
    pub(super) was_dirty: bool,
}

/// What a turn is worth when there is no room for all: by priority, then by how much time it has. What comes first goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Worth {
    priority: u8,
    deadline: Deadline,
}

/// Above every priority of a playbook: what was told cannot be made up for by a default.
const PRIORITY_TOLD: u8 = 10;

impl Worth {
    #[cfg(test)]
    pub(super) fn new(priority: u8, deadline: Deadline) -> Self {
        Self { priority, deadline }
    }

    /// What a request is worth: of several playbooks that would decide, the most important counts.
    pub(super) fn of(request: &Request) -> Self {
        let playbooks = request.bundle.bundle.playbooks();
        let priority = match &request.input {
            Input::Event(EventInput { run: Run::Playbook(number), .. }) => {
                playbooks.get(*number).map_or(PRIORITY_DEFAULT, |playbook| playbook.priority)
            }
            Input::Event(EventInput { event, run: Run::Subscribed, .. }) => {
                let subscribed = playbooks.iter().filter(|playbook| playbook.position_of_event(event.kind).is_some());
                subscribed.map(|playbook| playbook.priority).max().unwrap_or(PRIORITY_DEFAULT)
            }
            Input::Facts(_) | Input::Consents(_) | Input::Settlement(_) | Input::Feedback(_) => PRIORITY_TOLD,
            // Nobody waits for it.
            Input::LateAnswer(_) => 0,
        };
        Self { priority, deadline: request.deadline }
    }
}

impl Job {
    /// What it is worth; `None` for what is never shed.
    pub(super) fn worth(&self) -> Option<Worth> {
        match self {
            Self::Turn(turn) => Some(turn.worth),
            Self::Snapshot(_) | Self::View(_) => None,
        }
    }
}

/// Decides once who has a turn that waits: the runner that takes it, the caller who goes, or the mailbox that sheds it.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim(Arc<AtomicU8>);

/// How it stands with a turn that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    /// The caller waits for the turn.
    Waiting,
    /// The caller has been answered with the default: the turn must be taken, as a late one.
    Answered,
    /// Nobody wants it any more.
    GivenUp,
}

impl Claimed {
    fn of(claim: u8) -> Self {
        match claim {
            WAITING => Self::Waiting,
            ANSWERED => Self::Answered,
            _ => Self::GivenUp,
        }
    }
}

const WAITING: u8 = 0;
const ANSWERED: u8 = 1;
const GIVEN_UP: u8 = 2;
const TAKEN: u8 = 3;

impl Claim {
    /// The runner's claim: whatever it finds, the turn is the runner's now.
    pub(super) fn take(&self) -> Claimed {
        Claimed::of(self.0.swap(TAKEN, Ordering::AcqRel))
    }

    /// How it stands at this moment.
    pub(super) fn look(&self) -> Claimed {
        Claimed::of(self.0.load(Ordering::Acquire))
    }

    /// The caller's claim who is answered with the default. False: a runner has the turn.
    pub(super) fn answer(&self) -> bool {
        self.leave_waiting(ANSWERED)
    }

    /// The caller's claim who wants the turn no more. False: a runner has it.
    pub(super) fn give_up(&self) -> bool {
        self.leave_waiting(GIVEN_UP)
    }

    /// The mailbox's claim. False: the turn must be taken.
    pub(super) fn shed(&self) -> bool {
        self.leave_waiting(TAKEN)
    }

    fn leave_waiting(&self, to: u8) -> bool {
        self.0.compare_exchange(WAITING, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
