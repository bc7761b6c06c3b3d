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
    /// Nobody may join any more.
    is_closed: bool,
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

/// Whether somebody may wait for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    Yes,
    /// Too many do.
    Full,
    /// It is about to end without an answer.
    TooLate,
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
            is_closed: false,
            is_changed: false,
            waker: None,
        };
        Self { key, question, state: Mutex::new(state) }
    }

    /// Lets one more wait, if it may.
    pub(super) fn join(&self, seat: Arc<Seat>) -> Joined {
        let mut state = self.lock();
        if state.is_closed {
            return Joined::TooLate;
        }
        if state.seats.len() >= Self::SEATS_MAX {
            return Joined::Full;
        }
        state.deadline = state.deadline.max(seat.deadline().instant());
        state.seats.push(seat);
        state.change();
        Joined::Yes
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

    /// Closes it if nobody waits any more who has some time left at `now`; whether it did.
    pub(super) fn close_if_in_vain(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.is_closed = state.is_in_vain(now);
        state.is_closed
    }

    /// Whether nobody waits any more who has some time left at `now`.
    pub(super) fn is_in_vain(&self, now: Instant) -> bool {
        self.lock().is_in_vain(now)
    }

    /// Closes it if all who waited have left early; whether it did.
    pub(super) fn close_if_abandoned(&self) -> bool {
        let mut state = self.lock();
        state.is_closed = state.seats.iter().all(|seat| seat.is_left());
        state.is_closed
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
        let mut seats: Vec<_> = seats.iter().enumerate().collect();
        // Those who are in time first: who hears a late answer takes its time.
        seats.sort_by_key(|(_, seat)| seat.deadline().is_past(now));
        for (nth, seat) in seats {
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
    fn is_in_vain(&self, now: Instant) -> bool {
        self.seats.iter().all(|seat| seat.is_left() || seat.deadline().is_past(now))
    }

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::questions::question;
    use super::*;
    use crate::time::{Clock, Deadline};

    const SECOND: Duration = Duration::from_secs(1);

    fn seat(start: Instant, seconds: u32) -> Arc<Seat> {
        Arc::new(Seat::new(start, Deadline::new(start, SECOND * seconds)))
    }

    fn flight(seat: Arc<Seat>) -> Flight {
        let question = Arc::new(question("x"));
        Flight::new(Key::of(&question), question, seat)
    }

    #[test]
    fn nobody_joins_a_call_that_is_about_to_end() {
        let start = Clock::manual(Default::default()).instant();
        let flight = flight(seat(start, 1));
        assert!(!flight.close_if_in_vain(start), "somebody still waits");
        assert_eq!(flight.join(seat(start, 5)), Joined::Yes);
        assert!(!flight.close_if_in_vain(start.after(2 * SECOND)), "the other has more time");
        assert!(flight.close_if_in_vain(start.after(5 * SECOND)));
        assert_eq!(flight.join(seat(start, 9)), Joined::TooLate);
    }

    #[test]
    fn the_latest_deadline_counts_and_seats_are_bounded() {
        let start = Clock::manual(Default::default()).instant();
        let flight = flight(seat(start, 3));
        let joined = (1..Flight::SEATS_MAX).all(|_| flight.join(seat(start, 1)) == Joined::Yes);
        assert!(joined && flight.join(seat(start, 1)) == Joined::Full);
        assert_eq!(flight.deadline(), start.after(3 * SECOND));
    }

    #[test]
    fn what_a_call_costs_is_told_by_one_and_counts_in_full_while_it_is_not_known() {
        let start = Clock::manual(Default::default()).instant();
        let (first, second) = (seat(start, 1), seat(start, 1));
        let flight = flight(Arc::clone(&first));
        assert_eq!(flight.join(Arc::clone(&second)), Joined::Yes);
        let cent = Money::from_nanos(10_000_000);
        flight.sent(Asking { target: 0, since: start }, "a/m".into(), cent, false);
        assert_eq!(flight.call_so_far(&first).cost, cent);
        flight.ended(cent, Money::from_nanos(1), (5, 6));
        let Call { cost, prompt_tokens, answer_tokens, requests, .. } = flight.call_so_far(&first);
        assert_eq!((cost, prompt_tokens, answer_tokens, requests), (Money::from_nanos(1), 5, 6, 1));
        let other = flight.call_so_far(&second);
        assert_eq!((other.cost, other.requests, other.source), (Money::ZERO, 0, Source::Shared));
    }
}
