//! A reply that is waited for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use super::flight::Flight;
use super::metrics::QuestionMetrics;
use crate::agents::{Answer, Call, Reply, Silence, Source};
use crate::time::{Alarm, Clock, Deadline, Instant};

/// A reply that is waited for, on any runtime or none; at the deadline at the latest it is there.
///
/// Dropped before that, the question is taken back, unless somebody wants to hear of a late reply.
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
    stale: Option<(Answer, Arc<str>)>,
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
    /// The deadline came first.
    Late,
    /// No more: it has its reply, or has left.
    Over,
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
    pub(super) stale: Option<(Answer, Arc<str>)>,
}

// === impl Pending ===

impl Pending {
    pub(super) fn known(reply: Reply) -> Self {
        Self(State::Known(Some(reply)))
    }

    pub(super) fn waiting(place: Place, clock: Clock, metrics: Arc<QuestionMetrics>) -> Self {
        let Place { seat, flight, alarm, stale } = place;
        Self(State::Waiting(Waiting { seat, flight, alarm, clock, metrics, stale }))
    }

    /// Hands a reply that comes after the deadline to `hear`, on one of the gateway's threads, where it must not wait for
    /// anything. Of no effect once a reply is there.
    pub fn hear_late(&self, hear: impl FnOnce(LateReply) + Send + 'static) {
        let State::Waiting(waiting) = &self.0 else { return };
        let mut seated = waiting.seat.lock();
        if matches!(seated.wait, Wait::Reply(_)) {
            seated.hear = Some(Box::new(hear));
        }
    }

    /// Waits on a thread that may block.
    pub fn wait(mut self) -> Reply {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(reply) => return reply,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl Future for Pending {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reply> {
        let reply = match &mut self.0 {
            State::Known(reply) => reply.take(),
            State::Waiting(waiting) => match waiting.poll(context) {
                Poll::Ready(reply) => Some(reply),
                Poll::Pending => return Poll::Pending,
            },
        };
        self.0 = State::Known(None);
        // Asked again after its end, it has nothing better to say.
        Poll::Ready(reply.unwrap_or(Reply { answer: Err(Silence::Late), call: Call::default() }))
    }
}

impl Waiting {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Reply> {
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
    fn counted(&self, came: Option<Reply>) -> Reply {
        let late = || {
            let call = self.flight.call_so_far(&self.seat);
            Reply { answer: Err(Silence::Late), call }
        };
        let mut reply = came.unwrap_or_else(late);
        reply.call.took = self.clock.instant().since(self.seat.asked);
        let reply = match &self.stale {
            Some((answer, target)) => standing_in(reply, answer, target),
            None => reply,
        };
        self.metrics.replied(&reply);
        reply
    }
}

/// The reply, or the kept answer where there is none. What somebody has switched off is not spoken for by what it once said.
pub(super) fn standing_in(mut reply: Reply, answer: &Answer, target: &Arc<str>) -> Reply {
    if reply.answer.as_ref().is_err_and(|silence| *silence != Silence::SwitchedOff) {
        reply.answer = Ok(answer.clone());
        reply.call.source = Source::Stale;
        reply.call.target = Some(Arc::clone(target));
    }
    reply
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

    /// Gives the reply to who waits for it, or lets it be heard.
    pub(super) fn give(&self, mut reply: Reply, now: Instant) -> Handed {
        reply.call.took = now.since(self.asked);
        let mut seated = self.lock();
        let is_late = self.deadline.is_past(now);
        match &mut seated.wait {
            Wait::Reply(waker) => {
                let (waker, hear) = (waker.take(), seated.hear.take());
                if !is_late {
                    seated.wait = Wait::Given(Box::new(reply));
                    drop(seated);
                    wake(waker);
                    return Handed::InTime;
                }
                seated.wait = Wait::Late;
                drop(seated);
                wake(waker);
                hear_out(hear, reply);
                Handed::Late
            }
            Wait::Late => {
                let hear = seated.hear.take();
                drop(seated);
                hear_out(hear, reply);
                Handed::Late
            }
            Wait::Given(_) | Wait::Over => Handed::ToNobody,
        }
    }

    /// Whether nobody waits here, and nobody has waited until the deadline.
    pub(super) fn is_left(&self) -> bool {
        matches!(self.lock().wait, Wait::Over)
    }

    /// The reply if it is there, or `Some(None)` if it is known to be late.
    fn fetch(&self, context: &Context<'_>) -> Option<Option<Reply>> {
        let mut seated = self.lock();
        match &mut seated.wait {
            Wait::Reply(waker) => {
                *waker = Some(context.waker().clone());
                None
            }
            Wait::Late => Some(None),
            Wait::Given(_) | Wait::Over => Some(seated.take()),
        }
    }

    /// The deadline has come: the reply if it is there after all.
    fn close(&self) -> Option<Reply> {
        let mut seated = self.lock();
        match seated.wait {
            Wait::Reply(_) | Wait::Late => {
                seated.wait = Wait::Late;
                None
            }
            Wait::Given(_) | Wait::Over => seated.take(),
        }
    }

    /// Who waited has gone; whether it was too early, and nobody hears the reply.
    fn leave(&self) -> bool {
        let mut seated = self.lock();
        match seated.wait {
            // It wants to hear of it, however late it is.
            Wait::Reply(_) if seated.hear.is_some() => {
                seated.wait = Wait::Late;
                false
            }
            Wait::Reply(_) | Wait::Given(_) => {
                seated.wait = Wait::Over;
                true
            }
            Wait::Late | Wait::Over => false,
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
            Wait::Late => "late",
            Wait::Over => "over",
        };
        f.debug_struct("Seated").field("wait", &wait).field("hears", &self.hear.is_some()).finish()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn hear_out(hear: Option<Box<dyn FnOnce(LateReply) + Send>>, reply: Reply) {
    if let Some(hear) = hear {
        hear(LateReply { reply });
    }
}

/// Wakes a thread that waits.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
