//! A call under way, and all who wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::kept::Key;
use super::pending::{Handed, Seat};
use crate::agents::{Answer, Call, Question, Reply, Silence, Source};
use crate::domain::Money;
use crate::time::Instant;

/// A call under way. Whoever asks the same question in the meantime waits for it too.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) key: Key,
    pub(super) question: Arc<Question>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Who waits; the first of them answers for what the call costs.
    seats: Vec<Arc<Seat>>,
    /// The latest deadline of those who wait.
    deadline: Instant,
    /// What was done so far.
    call: Call,
    /// What requests under way could cost.
    reserved: Money,
    /// The request under way, which those who come later wait for too.
    asking: Option<Asking>,
    /// Something has changed that the call must look at.
    is_changed: bool,
    waker: Option<Waker>,
}

/// A request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    /// The target, by its place among the question's.
    pub(super) target: usize,
    pub(super) since: Instant,
}

/// What became of those who waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Landing {
    pub(super) in_time: usize,
    pub(super) late: usize,
}

impl Flight {
    /// Who may wait for one call.
    pub(super) const SEATS_MAX: usize = 4_096;

    pub(super) fn new(key: Key, question: Arc<Question>, seat: Arc<Seat>) -> Self {
        let state = State {
            deadline: seat.deadline().instant(),
            seats: vec![seat],
            call: Call::default(),
            reserved: Money::ZERO,
            asking: None,
            is_changed: false,
            waker: None,
        };
        Self { key, question, state: Mutex::new(state) }
    }

    /// Lets one more wait, unless too many do.
    pub(super) fn join(&self, seat: Arc<Seat>) -> bool {
        let mut state = self.lock();
        if state.seats.len() >= Self::SEATS_MAX {
            return false;
        }
        state.deadline = state.deadline.max(seat.deadline().instant());
        state.seats.push(seat);
        state.change();
        true
    }

    /// The latest deadline of those who wait.
    pub(super) fn deadline(&self) -> Instant {
        self.lock().deadline
    }

    /// The request under way.
    pub(super) fn asking(&self) -> Option<Asking> {
        self.lock().asking
    }

    /// Has the call look at what has changed: who waits, what is switched off, whether all ends.
    pub(super) fn look(&self) {
        self.lock().change();
    }

    /// Ready when something has changed since it was last so.
    pub(super) fn poll_changed(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if std::mem::take(&mut state.is_changed) {
            return Poll::Ready(());
        }
        if state.waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Whether all who waited have left early.
    pub(super) fn is_abandoned(&self) -> bool {
        self.lock().seats.iter().all(|seat| seat.is_left())
    }

    /// A request is sent.
    pub(super) fn sent(&self, asking: Asking, target: Arc<str>, worst: Money, is_hedge: bool) {
        let mut state = self.lock();
        state.asking = Some(asking);
        state.reserved = state.reserved.plus(worst);
        state.call.target = Some(target);
        state.call.requests = state.call.requests.saturating_add(1);
        state.call.hedges = state.call.hedges.saturating_add(u8::from(is_hedge));
    }

    /// A request that could have cost `worst` has ended: what it cost, and the tokens of prompt and answer.
    pub(super) fn ended(&self, worst: Money, cost: Money, (prompt_tokens, answer_tokens): (u32, u32)) {
        let mut state = self.lock();
        state.reserved = state.reserved.minus(worst);
        state.call.cost = state.call.cost.plus(cost);
        state.call.prompt_tokens = state.call.prompt_tokens.saturating_add(prompt_tokens);
        state.call.answer_tokens = state.call.answer_tokens.saturating_add(answer_tokens);
    }

    /// What was spent, and what requests under way could cost.
    pub(super) fn cost_max(&self) -> Money {
        let state = self.lock();
        state.call.cost.plus(state.reserved)
    }

    /// What was done so far, as one of those who wait may say it: requests under way count in full.
    pub(super) fn call_so_far(&self, seat: &Arc<Seat>) -> Call {
        let state = self.lock();
        let call = Call { cost: state.call.cost.plus(state.reserved), ..state.call.clone() };
        if state.seats.first().is_some_and(|first| Arc::ptr_eq(first, seat)) { call } else { shared(&call) }
    }

    /// Tells everybody what came of it.
    pub(super) fn land(&self, answer: &Result<Answer, Silence>, target: Option<Arc<str>>, now: Instant) -> Landing {
        let state = self.lock();
        let mut call = Call { cost: state.call.cost.plus(state.reserved), ..state.call.clone() };
        if target.is_some() {
            call.target = target;
        }
        let seats = state.seats.clone();
        drop(state);
        let mut landing = Landing::default();
        for (nth, seat) in seats.iter().enumerate() {
            let call = if nth == 0 { call.clone() } else { shared(&call) };
            match seat.give(Reply { answer: answer.clone(), call }, now) {
                Handed::InTime => landing.in_time += 1,
                Handed::Late => landing.late += 1,
                Handed::ToNobody => {}
            }
        }
        landing
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change(&mut self) {
        self.is_changed = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The call as it is told to those who joined it: what it took and cost is told by the first, once.
fn shared(call: &Call) -> Call {
    Call { target: call.target.clone(), source: Source::Shared, ..Call::default() }
}
