//! A reply that is waited for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use super::flight::Flight;
use super::metrics::QuestionMetrics;
use super::switches::Switches;
use crate::agents::{Answer, Call, Question, Reply, Silence, Source};
use crate::time::{Alarm, Clock, Deadline, Instant};

/// A reply that is waited for, on any runtime or none; at the deadline at the latest it is there.
///
/// Dropped before that, the question is taken back, unless somebody wants to hear of a late answer. After a reply that says
/// [`Silence::Late`] a late answer can still be heard of.
#[derive(Debug)]
#[must_use = "a question whose reply nobody waits for is taken back"]
pub struct Pending(State);

/// The answer of a model that came after the deadline of its question.
#[derive(Clone, Debug, PartialEq)]
pub struct LateReply {
    /// What it said, and what was done for it.
    pub reply: Reply,
}

#[derive(Debug)]
enum State {
    Known(Option<Reply>),
    Waiting(Waiting),
}

#[derive(Debug)]
struct Waiting {
    seat: Arc<Seat>,
    flight: Arc<Flight>,
    alarm: Alarm,
    clock: Clock,
    metrics: Arc<QuestionMetrics>,
    /// The answer that stands in if there is none in time.
    stale: Option<Stale>,
    /// Whether the reply was fetched.
    is_told: bool,
}

/// One who waits for a call.
#[derive(Debug)]
pub(super) struct Seat {
    asked: Instant,
    deadline: Deadline,
    state: Mutex<Seated>,
}

struct Seated {
    wait: Wait,
    hear: Option<Box<dyn FnOnce(LateReply) + Send>>,
}

enum Wait {
    /// For the reply.
    Reply(Option<Waker>),
    /// The reply is there, and has not been fetched.
    Given(Box<Reply>),
    /// The deadline came first; what came afterwards, until somebody hears it.
    Late(Option<Box<LateReply>>),
    /// No more: it has its reply, or has been told that it is late.
    Over,
    /// It has left before its deadline.
    Gone,
}

/// What became of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    /// It came in time.
    InTime,
    /// It came late.
    Late,
    /// Nobody waits any more.
    ToNobody,
}

/// What somebody waits with.
pub(super) struct Place {
    pub(super) seat: Arc<Seat>,
    pub(super) flight: Arc<Flight>,
    pub(super) alarm: Alarm,
    pub(super) stale: Option<Stale>,
}

/// A kept answer that is no longer fresh.
#[derive(Debug)]
pub(super) struct Stale {
    pub(super) answer: Answer,
    /// The name of the target that gave it.
    pub(super) name: Arc<str>,
    /// The same, by its place among the question's.
    pub(super) target: usize,
    pub(super) question: Arc<Question>,
    pub(super) switches: Arc<Switches>,
}

// === impl Pending ===

impl Pending {
    pub(super) fn known(reply: Reply) -> Self {
        Self(State::Known(Some(reply)))
    }

    pub(super) fn waiting(place: Place, clock: Clock, metrics: Arc<QuestionMetrics>) -> Self {
        let Place { seat, flight, alarm, stale } = place;
        Self(State::Waiting(Waiting { seat, flight, alarm, clock, metrics, stale, is_told: false }))
    }

    /// Hands an answer that comes after the deadline to `hear`, on one of the gateway's threads, where it must not wait for
    /// anything; at once, if it has come already. Of no effect after a reply that came in time.
    pub fn hear_late(&self, hear: impl FnOnce(LateReply) + Send + 'static) {
        let State::Waiting(waiting) = &self.0 else { return };
        let mut seated = waiting.seat.lock();
        match &mut seated.wait {
            Wait::Late(came) => match came.take() {
                Some(late) => {
                    drop(seated);
                    hear(*late);
                }
                None => seated.hear = Some(Box::new(hear)),
            },
            Wait::Reply(_) => seated.hear = Some(Box::new(hear)),
            Wait::Given(_) | Wait::Over | Wait::Gone => {}
        }
    }

    /// Waits on a thread that may block.
    pub fn wait(mut self) -> Reply {
        self.wait_mut()
    }

    /// The same, for those who want to hear of a late answer afterwards.
    pub fn wait_mut(&mut self) -> Reply {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut *self).poll(&mut context) {
                Poll::Ready(reply) => return reply,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl Future for Pending {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reply> {
        match &mut self.0 {
            // Asked again after its end, it has nothing better to say.
            State::Known(reply) => Poll::Ready(reply.take().unwrap_or_else(late)),
            State::Waiting(waiting) => waiting.poll(context),
        }
    }
}

impl Waiting {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Reply> {
        if self.is_told {
            return Poll::Ready(late());
        }
        if let Some(reply) = self.seat.fetch(context) {
            return Poll::Ready(self.counted(reply));
        }
        if Pin::new(&mut self.alarm).poll(context).is_pending() {
            return Poll::Pending;
        }
        // What came between the two looks came in time.
        let reply = self.seat.close();
        Poll::Ready(self.counted(reply))
    }

    /// The reply that is given: the one that came, or what is said in its place.
    fn counted(&mut self, came: Option<Reply>) -> Reply {
        self.is_told = true;
        let mut reply = came.unwrap_or_else(|| Reply { call: self.flight.call_so_far(&self.seat), ..late() });
        reply.call.took = self.clock.instant().since(self.seat.asked);
        let reply = match &self.stale {
            Some(stale) => stale.stand_in(reply),
            None => reply,
        };
        self.metrics.replied(&reply);
        reply
    }
}

impl Stale {
    /// The reply, or this answer where there is none. What somebody has switched off by now is not spoken for by what it once said.
    pub(super) fn stand_in(&self, mut reply: Reply) -> Reply {
        let is_wanting = reply.answer.as_ref().is_err_and(|silence| *silence != Silence::SwitchedOff);
        if is_wanting && !self.is_off() {
            reply.answer = Ok(self.answer.clone());
            reply.call.source = Source::Stale;
            reply.call.target = Some(Arc::clone(&self.name));
        }
        reply
    }

    fn is_off(&self) -> bool {
        let target = self.question.targets.get(self.target);
        target.is_none_or(|target| self.switches.forbids(&self.question.agent, target).is_some())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.seat.leave() {
            self.metrics.taken_back.inc();
            self.flight.look();
        }
    }
}

// === impl Seat ===

impl Seat {
    pub(super) fn new(asked: Instant, deadline: Deadline) -> Self {
        Self { asked, deadline, state: Mutex::new(Seated { wait: Wait::Reply(None), hear: None }) }
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Gives the reply to who waits for it; or lets it be heard, where it is a late answer.
    pub(super) fn give(&self, mut reply: Reply, now: Instant) -> Handed {
        reply.call.took = now.since(self.asked);
        let mut seated = self.lock();
        let mut waker = None;
        match &mut seated.wait {
            Wait::Reply(waiting) => {
                waker = waiting.take();
                if !self.deadline.is_past(now) {
                    seated.wait = Wait::Given(Box::new(reply));
                    seated.hear = None;
                    drop(seated);
                    wake(waker);
                    return Handed::InTime;
                }
                seated.wait = Wait::Late(None);
            }
            Wait::Late(_) => {}
            Wait::Given(_) | Wait::Over | Wait::Gone => return Handed::ToNobody,
        }
        let hear = seated.hear.take();
        let is_answer = matches!(reply.answer, Ok(_) | Err(Silence::Unusable));
        let late = LateReply { reply };
        match hear {
            Some(hear) if is_answer => {
                drop(seated);
                hear(late);
            }
            None if is_answer => {
                seated.wait = Wait::Late(Some(Box::new(late)));
                drop(seated);
            }
            _ => drop(seated),
        }
        wake(waker);
        Handed::Late
    }

    /// Whether who waited has left before the deadline.
    pub(super) fn is_left(&self) -> bool {
        matches!(self.lock().wait, Wait::Gone)
    }

    /// The reply if it is there, or `Some(None)` if it is known to be late.
    fn fetch(&self, context: &Context<'_>) -> Option<Option<Reply>> {
        let mut seated = self.lock();
        match &mut seated.wait {
            Wait::Reply(waker) => {
                *waker = Some(context.waker().clone());
                None
            }
            Wait::Late(_) => Some(None),
            Wait::Given(_) | Wait::Over | Wait::Gone => Some(seated.take()),
        }
    }

    /// The deadline has come: the reply if it is there after all.
    fn close(&self) -> Option<Reply> {
        let mut seated = self.lock();
        match seated.wait {
            Wait::Reply(_) => {
                seated.wait = Wait::Late(None);
                None
            }
            Wait::Late(_) => None,
            Wait::Given(_) | Wait::Over | Wait::Gone => seated.take(),
        }
    }

    /// Who waited has gone; whether it was too early, and nobody hears the reply.
    fn leave(&self) -> bool {
        let mut seated = self.lock();
        match seated.wait {
            // It wants to hear of it, however late it is.
            Wait::Reply(_) if seated.hear.is_some() => {
                seated.wait = Wait::Late(None);
                false
            }
            Wait::Reply(_) | Wait::Given(_) => {
                seated.wait = Wait::Gone;
                true
            }
            Wait::Late(_) if seated.hear.is_none() => {
                seated.wait = Wait::Over;
                false
            }
            Wait::Late(_) | Wait::Over | Wait::Gone => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seated> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seated {
    fn take(&mut self) -> Option<Reply> {
        match std::mem::replace(&mut self.wait, Wait::Over) {
            Wait::Given(reply) => Some(*reply),
            _ => None,
        }
    }
}

impl fmt::Debug for Seated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wait = match &self.wait {
            Wait::Reply(_) => "reply",
            Wait::Given(_) => "given",
            Wait::Late(_) => "late",
            Wait::Over => "over",
            Wait::Gone => "gone",
        };
        f.debug_struct("Seated").field("wait", &wait).field("hears", &self.hear.is_some()).finish()
    }
}

/// The deadline was first, and nothing more is known.
fn late() -> Reply {
    Reply { answer: Err(Silence::Late), call: Call::default() }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Wakes a thread that waits.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
