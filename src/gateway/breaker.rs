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
    pub(super) fn would_pass(&self, now: Instant) -> bool {
        match &self.state {
            State::Closed(_) => true,
            State::Open { until } => now >= *until,
            State::HalfOpen { under_way, .. } => *under_way < self.config.probes.max(1),
        }
    }

    /// Takes back a pass, with what came of the call.
    pub(super) fn record(&mut self, pass: Pass, outcome: Outcome, now: Instant) {
        let Pass { era } = pass;
        if era != self.era {
            return;
        }
        match &mut self.state {
            State::Closed(window) => {
                window.count(outcome, now, &self.config);
                if window.is_too_bad(now, &self.config) {
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
