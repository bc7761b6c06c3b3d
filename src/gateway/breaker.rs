//! The breaker of a provider: closed while it works, open while it does not, half-open while it is tried again.
//!
//! Calls are counted over a window that slides in parts. A call counts as bad where the provider failed, as slow where it took too
//! long; what is the caller's own fault, or was taken back, counts as nothing.

use std::time::Duration;

use super::latency::Chance;
use crate::time::Instant;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// The time over which calls are counted.
    pub window: Duration,
    /// Fewer calls within the window say nothing.
    pub calls_min: u32,
    /// It opens where so many of the calls are bad.
    pub bad_share: Chance,
    /// It opens where so many of the calls are slow or bad.
    pub slow_share: Chance,
    /// It stays open so long at first, and twice as long after each try that fails.
    pub open_for: Duration,
    /// It never stays open for longer.
    pub open_for_max: Duration,
    /// Calls that may be under way at a time while it is half-open, and that must be good for it to close.
    pub probes: u32,
}

/// What a call says about its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answered.
    Good,
    /// It answered, or did not yet, after longer than it should take.
    Slow,
    /// It failed.
    Bad,
    /// Nothing: the request was at fault, or was taken back.
    NotItsFault,
}

/// The state, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BreakerState {
    /// Calls pass.
    Closed,
    /// A few calls pass, to try it.
    HalfOpen,
    /// No call passes.
    Open,
}

/// The leave to make one call. To be handed back to [`Breaker::record`] with what came of it.
#[derive(Debug)]
#[must_use = "a pass that is not handed back keeps its place for ever"]
pub(super) struct Pass {
    /// The number of the state under which it was given.
    era: u64,
}

/// A machine of three states.
#[derive(Debug)]
pub(super) struct Breaker {
    config: BreakerConfig,
    state: State,
    /// Counts changes of the state: what was let pass before says nothing about what is now.
    era: u64,
    /// How long it stays open the next time.
    open_for: Duration,
    openings: u64,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each provider, and nearly always it is the large one")]
enum State {
    /// Becomes `Open` where too many of the calls in the window are bad or slow.
    Closed(Window),
    /// Becomes `HalfOpen` with the first call after `until`.
    Open { until: Instant },
    /// Becomes `Closed` after as many good calls as are asked for; `Open` after one that is not.
    HalfOpen { under_way: u32, good: u32 },
}

/// Parts of the window. More make it slide more smoothly.
const PARTS: usize = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// Which part of all time it is.
    number: u64,
    calls: u32,
    slow: u32,
    bad: u32,
}

#[derive(Debug, Default)]
struct Window([Part; PARTS]);

impl Default for BreakerConfig {
    /// Ten calls in ten seconds are enough to tell half of them from few. A second is soon enough to try again, and half a minute
    /// is as long as one likes to find a provider shut that works.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            calls_min: 10,
            bad_share: Chance::from_milli(500),
            slow_share: Chance::from_milli(1_000),
            open_for: Duration::from_secs(1),
            open_for_max: Duration::from_secs(30),
            probes: 2,
        }
    }
}

impl Breaker {
    /// Closed.
    pub(super) fn new(config: BreakerConfig) -> Self {
        let open_for = config.open_for;
        Self { config, state: State::Closed(Window::default()), era: 0, open_for, openings: 0 }
    }

    /// The leave to make a call; or the instant before which there is no use in asking again. `None` for that where it depends on
    /// calls that are under way.
    pub(super) fn try_pass(&mut self, now: Instant) -> Result<Pass, Option<Instant>> {
        if let State::Open { until } = self.state {
            if now < until {
                return Err(Some(until));
            }
            self.enter(State::HalfOpen { under_way: 0, good: 0 });
        }
        // INVARIANT: while half-open, no more than `probes` passes of this era are out.
        if let State::HalfOpen { under_way, .. } = &mut self.state {
            if *under_way >= self.config.probes.max(1) {
                return Err(None);
            }
            *under_way += 1;
        }
        Ok(Pass { era: self.era })
    }

    /// Whether a call would pass. Changes nothing.
    #[cfg(test)]
    pub(super) fn would_pass(&self, now: Instant) -> bool {
        match &self.state {
            State::Closed(_) => true,
            State::Open { until } => now >= *until,
            State::HalfOpen { under_way, .. } => *under_way < self.config.probes.max(1),
        }
    }

    /// Takes back a pass, with what came of the call.
    #[expect(clippy::needless_pass_by_value, reason = "what is handed back is gone")]
    pub(super) fn record(&mut self, pass: Pass, outcome: Outcome, now: Instant) {
        let Pass { era } = pass;
        if era != self.era {
            return;
        }
        match &mut self.state {
            State::Closed(window) => {
                window.count(outcome, now, &self.config);
                // Only what is bad itself opens it: not that good calls have left the window.
                if matches!(outcome, Outcome::Slow | Outcome::Bad) && window.is_too_bad(now, &self.config) {
                    self.open(now);
                }
            }
            State::HalfOpen { under_way, good } => {
                *under_way = under_way.saturating_sub(1);
                match outcome {
                    Outcome::NotItsFault => {}
                    Outcome::Slow | Outcome::Bad => self.open(now),
                    Outcome::Good => {
                        *good += 1;
                        if *good >= self.config.probes.max(1) {
                            self.open_for = self.config.open_for;
                            self.enter(State::Closed(Window::default()));
                        }
                    }
                }
            }
            // No pass is given in this state.
            State::Open { .. } => {}
        }
    }

    /// The state.
    pub(super) const fn state(&self) -> BreakerState {
        match self.state {
            State::Closed(_) => BreakerState::Closed,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
            State::Open { .. } => BreakerState::Open,
        }
    }

    /// How often it has opened.
    pub(super) const fn openings(&self) -> u64 {
        self.openings
    }

    fn open(&mut self, now: Instant) {
        let until = now.after(self.open_for);
        self.open_for = self.open_for.saturating_mul(2).min(self.config.open_for_max.max(self.config.open_for));
        self.openings += 1;
        self.enter(State::Open { until });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }
}

// === impl BreakerState ===

impl BreakerState {
    /// The word for people.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }

    /// The value of the gauge.
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

// === impl Window ===

impl Window {
    fn count(&mut self, outcome: Outcome, now: Instant, config: &BreakerConfig) {
        let (slow, bad) = match outcome {
            Outcome::NotItsFault => return,
            Outcome::Good => (0, 0),
            Outcome::Slow => (1, 0),
            Outcome::Bad => (0, 1),
        };
        let number = part_number(now, config);
        let part = &mut self.0[(number % PARTS as u64) as usize];
        // A call that ends on another thread may be counted with an instant a little earlier than the last.
        if part.number < number {
            *part = Part { number, ..Part::default() };
        }
        part.calls = part.calls.saturating_add(1);
        part.slow = part.slow.saturating_add(slow);
        part.bad = part.bad.saturating_add(bad);
    }

    fn is_too_bad(&self, now: Instant, config: &BreakerConfig) -> bool {
        let oldest = part_number(now, config).saturating_sub(PARTS as u64 - 1);
        let (mut calls, mut slow, mut bad) = (0_u64, 0_u64, 0_u64);
        for part in self.0.iter().filter(|part| part.number >= oldest) {
            calls += u64::from(part.calls);
            slow += u64::from(part.slow);
            bad += u64::from(part.bad);
        }
        let is_at_least =
            |count: u64, share: Chance| count * u64::from(Chance::CERTAIN.ppm()) >= calls * u64::from(share.ppm());
        calls >= u64::from(config.calls_min.max(1))
            && (is_at_least(bad, config.bad_share) || is_at_least(slow + bad, config.slow_share))
    }
}

fn part_number(now: Instant, config: &BreakerConfig) -> u64 {
    let part_nanos = (config.window.as_nanos() / PARTS as u128).clamp(1, u128::from(u64::MAX));
    now.nanos() / part_nanos as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Timestamp;
    use crate::time::Clock;

    const SECOND: Duration = Duration::from_secs(1);

    fn start() -> Instant {
        Clock::manual(Timestamp::from_micros(1_000_000_000)).instant()
    }

    fn call(breaker: &mut Breaker, outcome: Outcome, now: Instant) -> bool {
        breaker.try_pass(now).map(|pass| breaker.record(pass, outcome, now)).is_ok()
    }

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(BreakerConfig::default());
        (0..10).for_each(|_| assert!(call(&mut breaker, Outcome::Bad, now)));
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker
    }

    #[test]
    fn opens_at_the_share_of_bad_calls_and_not_before_there_are_enough() {
        let (mut breaker, now) = (Breaker::new(BreakerConfig::default()), start());
        (0..4).for_each(|_| assert!(call(&mut breaker, Outcome::Bad, now)));
        (0..5).for_each(|_| assert!(call(&mut breaker, Outcome::Good, now)));
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert!(call(&mut breaker, Outcome::Bad, now), "the fifth of ten");
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.try_pass(now).err(), Some(Some(now.after(SECOND))));
    }

    #[test]
    fn what_is_not_its_fault_neither_opens_it_nor_keeps_it_closed() {
        let (mut breaker, now) = (Breaker::new(BreakerConfig::default()), start());
        (0..1_000).for_each(|_| assert!(call(&mut breaker, Outcome::NotItsFault, now)));
        (0..9).for_each(|_| assert!(call(&mut breaker, Outcome::Bad, now)));
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert!(call(&mut breaker, Outcome::Bad, now));
        assert_eq!(breaker.state(), BreakerState::Open, "ten of ten that count");
    }

    #[test]
    fn slow_calls_open_it_where_that_is_wanted() {
        let config = BreakerConfig { slow_share: Chance::from_milli(800), ..BreakerConfig::default() };
        let (mut breaker, now) = (Breaker::new(config), start());
        (0..2).for_each(|_| assert!(call(&mut breaker, Outcome::Good, now)));
        (0..7).for_each(|_| assert!(call(&mut breaker, Outcome::Slow, now)));
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert!(call(&mut breaker, Outcome::Slow, now), "the eighth of ten");
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn what_has_left_the_window_is_forgotten() {
        let (mut breaker, start) = (Breaker::new(BreakerConfig::default()), start());
        (0..9).for_each(|_| assert!(call(&mut breaker, Outcome::Bad, start)));
        for seconds in 1..100 {
            assert!(call(&mut breaker, Outcome::Good, start.after(seconds * 11 * SECOND)));
        }
        let now = start.after(100 * 11 * SECOND);
        (0..9).for_each(|_| assert!(call(&mut breaker, Outcome::Bad, now)));
        assert_eq!(breaker.state(), BreakerState::Closed, "nine are too few");
    }

    #[test]
    fn closes_when_as_many_probes_as_are_asked_for_are_good() {
        let now = start();
        let mut breaker = opened(now);
        let now = now.after(SECOND);
        let (first, second) = (breaker.try_pass(now).expect("a probe"), breaker.try_pass(now).expect("a probe"));
        assert_eq!(breaker.try_pass(now).err(), Some(None), "no more than two at a time");
        breaker.record(first, Outcome::NotItsFault, now);
        let third = breaker.try_pass(now).expect("one has told nothing");
        breaker.record(second, Outcome::Good, now);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        breaker.record(third, Outcome::Good, now);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn stays_open_twice_as_long_after_each_try_that_fails_up_to_a_bound() {
        let mut now = start();
        let mut breaker = opened(now);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(breaker.try_pass(now).err(), Some(Some(now.after(seconds * SECOND))));
            now = now.after(seconds * SECOND);
            assert!(call(&mut breaker, Outcome::Bad, now));
        }
        now = now.after(30 * SECOND);
        (0..2).for_each(|_| assert!(call(&mut breaker, Outcome::Good, now)));
        (0..10).for_each(|_| assert!(call(&mut breaker, Outcome::Bad, now)));
        assert_eq!(breaker.try_pass(now).err(), Some(Some(now.after(SECOND))), "it closed, so it begins anew");
        assert_eq!(breaker.openings(), 9);
    }

    #[test]
    fn a_call_from_before_says_nothing_about_what_is_now() {
        let now = start();
        let mut breaker = Breaker::new(BreakerConfig::default());
        let before = breaker.try_pass(now).expect("it is closed");
        let other = breaker.try_pass(now).expect("it is closed");
        (0..10).for_each(|_| assert!(call(&mut breaker, Outcome::Bad, now)));
        breaker.record(before, Outcome::Good, now);
        assert_eq!(breaker.state(), BreakerState::Open);
        let now = now.after(SECOND);
        let probe = breaker.try_pass(now).expect("a probe");
        breaker.record(other, Outcome::Bad, now);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        breaker.record(probe, Outcome::Good, now);
        assert_eq!(breaker.state(), BreakerState::HalfOpen, "one of two");
    }

    /// What is done to a breaker: a call begins, the nth of those under way ends, or time goes by.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Begin,
        End(usize, Outcome),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let outcome = prop_oneof![
            3 => Just(Outcome::Bad),
            3 => Just(Outcome::Good),
            1 => Just(Outcome::Slow),
            1 => Just(Outcome::NotItsFault),
        ];
        let step = prop_oneof![
            4 => Just(Step::Begin),
            4 => (any::<usize>(), outcome).prop_map(|(nth, outcome)| Step::End(nth, outcome)),
            1 => (0_u64..3_000).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..400)
    }

    proptest! {
        #[test]
        fn no_more_probes_are_under_way_than_may_be(steps in steps(), probes in 1_u32..4) {
            let config = BreakerConfig { calls_min: 3, probes, ..BreakerConfig::default() };
            let (mut breaker, mut now) = (Breaker::new(config), start());
            // Each pass with the number of openings and the state when it was given.
            let mut passes: Vec<(Pass, u64, BreakerState)> = Vec::new();
            for step in steps {
                let before = (breaker.state(), breaker.openings());
                match step {
                    Step::Wait(millis) => now = now.after(Duration::from_millis(millis)),
                    Step::Begin => {
                        let would = breaker.would_pass(now);
                        let passed = breaker.try_pass(now);
                        prop_assert_eq!(would, passed.is_ok());
                        if let Ok(pass) = passed {
                            prop_assert_ne!(breaker.state(), BreakerState::Open);
                            passes.push((pass, breaker.openings(), breaker.state()));
                        }
                    }
                    Step::End(nth, outcome) => {
                        if passes.is_empty() {
                            continue;
                        }
                        let (pass, openings, state) = passes.swap_remove(nth % passes.len());
                        breaker.record(pass, outcome, now);
                        let is_current = (state, openings) == before;
                        if !is_current || outcome == Outcome::NotItsFault {
                            prop_assert_eq!((breaker.state(), breaker.openings()), before);
                        } else if before.0 == BreakerState::HalfOpen && outcome != Outcome::Good {
                            prop_assert_eq!(breaker.state(), BreakerState::Open);
                        }
                    }
                }
                let is_probe = |(_, openings, state): &&(Pass, u64, BreakerState)| {
                    *state == BreakerState::HalfOpen && *openings == breaker.openings()
                };
                let out = passes.iter().filter(is_probe).count() as u32;
                if let State::HalfOpen { under_way, good } = &breaker.state {
                    prop_assert_eq!(*under_way, out);
                    prop_assert!(*good < probes);
                }
                prop_assert!(out <= probes);
            }
        }
    }
}
