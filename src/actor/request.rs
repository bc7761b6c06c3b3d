//! A turn as it is asked for, and what its caller gets at once.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::Span;

use super::job::Claim;
use super::{Held, InForce, Refusal};
use crate::time::{Deadline, Instant};
use crate::turn::{Input, Readings, Taken};

/// A turn that is asked for.
#[derive(Debug)]
pub struct Request {
    /// What it is taken on.
    pub input: Input,
    /// What it consults besides.
    pub readings: Readings,
    /// The bundle that the input was typed by: the turn is taken on it, whatever is in force by then.
    pub bundle: Arc<InForce>,
    /// When it is too late to begin.
    pub deadline: Deadline,
    /// The span of the call that it is taken for; none for nearly all.
    pub span: Span,
}

/// A turn that was taken.
#[derive(Debug)]
pub struct TurnDone {
    /// What became of the input.
    pub taken: Taken,
    /// The record, if the turn changed anything.
    pub seq: Option<u64>,
    /// The last record in the customer's state, this turn's included: what the answer rests on.
    pub last_seq: u64,
    /// The customer, if nobody may overtake the turn until it has been taken anew.
    pub held: Option<Held>,
    /// When the turn was begun and when it was done, if it had to wait.
    pub waited: Option<(Instant, Instant)>,
}

/// A turn that was asked for.
#[derive(Debug)]
pub enum Asked {
    /// It was taken, or refused, at once.
    Done(Result<TurnDone, Refusal>),
    /// It waits its turn.
    Waiting(Waiting),
    /// It will be taken, but too late for the caller, who is to be answered with [`late`](crate::turn::late) decisions.
    Late(Arc<Request>),
}

/// A turn that waits in a mailbox.
#[derive(Debug)]
pub struct Waiting {
    pub(super) request: Arc<Request>,
    pub(super) claim: Claim,
    /// Resolves when the turn was taken.
    pub reply: oneshot::Receiver<Result<TurnDone, Refusal>>,
}

/// What becomes of a turn whose caller can wait no longer.
#[derive(Debug)]
pub enum Overdue {
    /// A runner has it: it will be done within microseconds, and what was decided must be told.
    Begun(oneshot::Receiver<Result<TurnDone, Refusal>>),
    /// It will be taken late. The caller is to be answered with [`late`](crate::turn::late) decisions.
    Late(Arc<Request>),
    /// It was given up and is never taken.
    GivenUp,
}

impl Waiting {
    /// Waits no longer. An event stays in the mailbox and is taken late; everything else is given up.
    pub fn leave(self) -> Overdue {
        if self.request.is_event() {
            if self.claim.answer() { Overdue::Late(self.request) } else { Overdue::Begun(self.reply) }
        } else if self.claim.give_up() {
            Overdue::GivenUp
        } else {
            Overdue::Begun(self.reply)
        }
    }
}

impl Request {
    /// Whether it may be answered with a default when its deadline has come.
    pub(super) fn is_event(&self) -> bool {
        matches!(self.input, Input::Event(_))
    }
}

impl Asked {
    /// A turn that was taken while it was asked for needs no waiting.
    pub(super) fn settled(self) -> Self {
        match self {
            Self::Waiting(mut waiting) => match waiting.reply.try_recv() {
                Ok(result) => Self::Done(result),
                Err(_) => Self::Waiting(waiting),
            },
            done => done,
        }
    }
}
