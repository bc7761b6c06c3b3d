//! How long each leg of a call took, and the span in which others see it.
//!
//! A leg ends where the next begins, so the legs add up to what the call took, to the nanosecond. Clocks are read only where a leg
//! changes: once between the checks and the turn, and once more before and after whatever is waited for.

use std::time::Duration;

use super::told::Told;
use crate::domain::TraceContext;
use crate::time::Instant;
use tracing::Span;

/// A leg of a call's course; in metrics and in the log of slow decisions, a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// The event is typed and checked, and room in the journal is waited for.
    Admission,
    /// The customer is waited for, who is busy or not in memory; in a batch, the events beside it.
    Queue,
    /// The turn itself, as often as it is tried.
    Turn,
    /// Models and agents are waited for.
    Models,
    /// The disk is waited for; or a decision is read back that was made before.
    Disk,
}

impl Leg {
    /// All legs, in their usual order.
    pub(super) const ALL: [Self; 5] = [Self::Admission, Self::Queue, Self::Turn, Self::Models, Self::Disk];

    /// Its name as a stage.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Admission => "admission",
            Self::Queue => "queue",
            Self::Turn => "turn",
            Self::Models => "models",
            Self::Disk => "disk",
        }
    }
}

/// What each leg took, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Legs([u64; Leg::ALL.len()]);

impl Legs {
    pub(super) fn of(self, leg: Leg) -> Duration {
        Duration::from_nanos(self.0[leg as usize])
    }

    pub(super) fn micros(self, leg: Leg) -> u64 {
        self.0[leg as usize] / 1_000
    }
}

/// The course of a call so far.
#[derive(Debug)]
pub(super) struct Course {
    started: Instant,
    /// Since when the leg lasts.
    since: Instant,
    leg: Leg,
    legs: Legs,
    /// Before the turn was asked for something was waited for.
    is_held_up: bool,
    /// There only where the call belongs to a trace.
    told: Option<Box<Told>>,
}

impl Course {
    /// A call that begins.
    pub(super) fn new(started: Instant) -> Self {
        Self { started, since: started, leg: Leg::Admission, legs: Legs::default(), is_held_up: false, told: None }
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    pub(super) fn legs(&self) -> Legs {
        self.legs
    }

    /// The call belongs to a trace, with spans or without.
    pub(super) fn belongs(&mut self, told: Option<Told>) {
        self.told = told.map(Box::new);
    }

    /// The name of the trace that the call belongs to.
    pub(super) fn trace(&self) -> Option<[u8; 16]> {
        self.context().and_then(TraceContext::id)
    }

    /// Its span; none for nearly all.
    pub(super) fn span(&self) -> Span {
        self.told.as_ref().map_or_else(Span::none, |told| told.span().clone())
    }

    /// What others whom it asks are to be told of its trace.
    pub(super) fn context(&self) -> Option<&TraceContext> {
        self.told.as_ref().map(|told| told.context())
    }

    pub(super) fn told(&self) -> Option<&Told> {
        self.told.as_deref()
    }

    /// Room in the journal is waited for, or for what global caps have left.
    pub(super) fn hold_up(&mut self) {
        self.is_held_up = true;
    }

    /// The stages that metrics tell: the turn always, the others where something was waited for.
    ///
    /// An observation takes 20 ns and a reading of the clock 19 on the machine on which a whole decision takes 5 us: with these two the stages cost
    /// less than a part in a hundred, and with a third they would not.
    pub(super) fn stages(&self) -> impl Iterator<Item = (Leg, Duration)> {
        let taken = Leg::ALL.into_iter().map(|leg| (leg, self.legs.of(leg)));
        taken.filter(|(leg, took)| match leg {
            Leg::Turn => true,
            Leg::Admission => self.is_held_up,
            Leg::Queue | Leg::Models | Leg::Disk => !took.is_zero(),
        })
    }

    /// Another leg begins.
    pub(super) fn enter(&mut self, leg: Leg, now: Instant) {
        self.lap(now);
        self.leg = leg;
        if let Some(told) = &mut self.told {
            told.enter(leg);
        }
    }

    /// What has passed since the last look belongs to the leg that lasts.
    fn lap(&mut self, now: Instant) {
        // An instant of another thread may lie a little before ours.
        let now = now.max(self.since);
        let spent = now.since(self.since);
        self.legs.0[self.leg as usize] += u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.since = now;
    }

    /// What was taken for the turn turns out to be waiting for it.
    pub(super) fn waits(&mut self) {
        self.leg = Leg::Queue;
    }

    /// Hears when a turn that had to wait was begun and when it was done. What its caller waits beyond that is waiting.
    pub(super) fn hear(&mut self, waited: Option<(Instant, Instant)>) {
        if let Some((begun, done)) = waited {
            self.waits();
            self.enter(Leg::Turn, begun);
            self.enter(Leg::Queue, done);
        }
    }

    /// The call is over; says what it took.
    pub(super) fn end(&mut self, now: Instant) -> Duration {
        self.lap(now);
        if let Some(told) = &mut self.told {
            told.end();
        }
        self.since.since(self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{TimeDelta, Timestamp};
    use crate::time::Clock;

    /// A clock, and how to let time go by on it.
    fn clock() -> (Clock, impl Fn(i64) -> Instant) {
        let clock = Clock::manual(Timestamp::from_micros(1_000_000));
        let later = clock.clone();
        (clock, move |micros| {
            later.advance(TimeDelta::from_micros(micros));
            later.instant()
        })
    }

    fn micros(course: &Course) -> [u64; 5] {
        Leg::ALL.map(|leg| course.legs().micros(leg))
    }

    #[test]
    fn legs_add_up_to_what_the_call_took() {
        let (clock, after) = clock();
        let mut course = Course::new(clock.instant());
        course.enter(Leg::Turn, after(3));
        course.enter(Leg::Models, after(5));
        course.enter(Leg::Turn, after(700));
        course.enter(Leg::Disk, after(2));
        let took = course.end(after(400));
        assert_eq!(micros(&course), [3, 0, 7, 700, 400]);
        assert_eq!(took, Leg::ALL.into_iter().map(|leg| course.legs().of(leg)).sum::<Duration>());
        assert_eq!(took, Duration::from_micros(1_110));
    }

    #[test]
    fn waiting_for_a_turn_is_told_from_the_turn() {
        let (clock, after) = clock();
        let mut course = Course::new(clock.instant());
        course.enter(Leg::Turn, after(1));
        course.waits();
        let waited = Some((after(50), after(4)));
        let woken = after(9);
        course.hear(waited);
        course.enter(Leg::Disk, woken);
        assert_eq!(course.end(after(30)), Duration::from_micros(94));
        assert_eq!(micros(&course), [1, 59, 4, 0, 30]);
    }

    #[test]
    fn instants_of_other_threads_do_not_upset_the_sum() {
        let (clock, after) = clock();
        let early = clock.instant();
        let mut course = Course::new(after(10));
        course.enter(Leg::Turn, after(2));
        course.hear(Some((early, early)));
        assert_eq!(course.end(after(5)), Duration::from_micros(7));
        assert_eq!(micros(&course), [2, 5, 0, 0, 0]);
    }

    #[test]
    fn a_call_that_is_never_given_a_turn_only_waits() {
        let (clock, after) = clock();
        let mut course = Course::new(clock.instant());
        course.enter(Leg::Turn, after(2));
        course.waits();
        assert_eq!(course.end(after(20_000)), Duration::from_micros(20_002));
        assert_eq!(micros(&course), [2, 20_000, 0, 0, 0]);
    }
}
