//! Turns that were begun: waiting for them, and answering those who can wait no longer.

use std::sync::Arc;

use super::consulting::{Again, Consultation};
use super::course::Course;
use super::wait::within;
use super::{Answer, Decision, Engine, Error};
use crate::actor::{Asked, Held, InForce, Overdue, Refusal, Request, Shed, TurnDone};
use crate::domain::{CustomerId, Durability};
use crate::time::Deadline;
use crate::turn::{Made, Taken};

/// A turn that was begun for a caller who still has to wait.
pub(super) struct Begun {
    pub(super) course: Course,
    pub(super) deadline: Deadline,
    pub(super) bundle: Arc<InForce>,
    pub(super) customer: CustomerId,
    pub(super) asked: Stage,
    /// What is begun anew once slow models have answered; `None` where none is ever asked.
    pub(super) again: Option<Box<Again>>,
}

/// How far a turn has come.
pub(super) enum Stage {
    /// It is taken, or waits in the mailbox.
    Turn(Asked),
    /// Somebody has been asked, and it will be begun anew; the customer may be held until then.
    Asking(Consultation, Option<Held>),
}

/// A turn that was taken for a caller whose record may still have to be kept.
pub(super) struct Turned {
    pub(super) course: Course,
    pub(super) deadline: Deadline,
    pub(super) bundle: Arc<InForce>,
    pub(super) customer: CustomerId,
    pub(super) done: TurnDone,
}

/// What the turn of an event came to.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are the large one, and a box would cost each of them an allocation"
)]
pub(super) enum Outturn {
    /// It was taken.
    Turned(Turned),
    /// It will be taken, too late for the caller: the defaults are the answer.
    Late(CustomerId, Vec<Decision>),
}

impl Begun {
    /// Whether the turn is taken: nobody is waited for any more.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.asked, Stage::Turn(Asked::Done(_)))
    }

    /// Says in the course how it stands with the turn that was asked for.
    pub(super) fn hear(&mut self) {
        match &mut self.asked {
            Stage::Turn(Asked::Done(Ok(done))) => self.course.hear(done.waited.take()),
            Stage::Turn(Asked::Waiting(_) | Asked::Late(_)) => self.course.waits(),
            Stage::Turn(Asked::Done(Err(_))) | Stage::Asking(..) => {}
        }
    }
}

impl Engine {
    /// Waits for a turn that is queued, no longer than to its deadline.
    pub(super) async fn turn(&self, asked: Asked, deadline: Deadline) -> Result<TurnDone, Refusal> {
        match self.turn_or_late(asked, deadline).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(Refusal::Shed(Shed::Late)),
            Err(refusal) => Err(refusal),
        }
    }

    /// Waits for a turn that is queued, no longer than to its deadline; or says that it will be taken later than that.
    pub(super) async fn turn_or_late(
        &self,
        asked: Asked,
        deadline: Deadline,
    ) -> Result<Result<TurnDone, Arc<Request>>, Refusal> {
        let mut waiting = match asked {
            Asked::Done(result) => return result.map(Ok),
            Asked::Late(request) => return Ok(Err(request)),
            Asked::Waiting(waiting) => waiting,
        };
        let gone = Refusal::Shed(Shed::Stopping);
        if let Ok(reply) = within(&mut waiting.reply, self.0.timer.at(deadline.instant())).await {
            return reply.unwrap_or(Err(gone)).map(Ok);
        }
        match waiting.leave() {
            Overdue::Late(request) => Ok(Err(request)),
            Overdue::GivenUp => Err(Refusal::Shed(Shed::Late)),
            Overdue::Begun(reply) => reply.await.unwrap_or(Err(gone)).map(Ok),
        }
    }

    /// The turn of what was begun.
    pub(super) async fn turned(&self, begun: Answer<Begun>) -> Result<Answer<Outturn>, Error> {
        let begun = match begun {
            Answer::Given(begun) if begun.again.is_some() => self.fully_asked(begun).await,
            Answer::Given(begun) => begun,
            Answer::Shed(shed) => return Ok(Answer::Shed(shed)),
        };
        let Begun { mut course, deadline, bundle, customer, asked, mut again } = begun;
        let Stage::Turn(asked) = asked else {
            return Err(Error::Record("somebody was asked for no turn".to_owned()));
        };
        let turn = self.turn_or_late(asked, deadline).await;
        match turn {
            Ok(Ok(mut done)) => {
                course.hear(done.waited.take());
                if let Taken::Turn(turn) = &done.taken {
                    self.hear_late(&mut again, &turn.decisions, &bundle, &customer);
                }
                Ok(Answer::Given(Outturn::Turned(Turned { course, deadline, bundle, customer, done })))
            }
            Ok(Err(request)) => {
                let made = self.0.customers.late(&request);
                self.hear_late(&mut again, &made, &bundle, &customer);
                Ok(Answer::Given(Outturn::Late(customer, self.late((made, &request), course))))
            }
            Err(refusal) => self.refused(refusal),
        }
    }

    /// The answer to a caller who can wait no longer: every playbook's default, made without the customer's state. The event
    /// stays in the mailbox; its turn records these very decisions, unless it finds that the event was decided before.
    fn late(&self, (made, request): (Vec<Made>, &Request), mut course: Course) -> Vec<Decision> {
        let bundle = &request.bundle.bundle;
        let now = self.0.clock.instant();
        let elapsed = course.end(now);
        self.0.metrics.took(&course, self.exemplar(&course));
        let decision = |made| {
            let mut decision = Decision::of(made, bundle, request.input.customer().clone());
            (decision.durability, decision.elapsed) = (Durability::Pending, elapsed);
            self.given(bundle, &decision, &course, (request.deadline, now));
            decision
        };
        made.into_iter().map(decision).collect()
    }
}
