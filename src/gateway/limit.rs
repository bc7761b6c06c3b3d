//! How many requests may be under way at a provider: as many as it answers in time.
//!
//! One more with each round of answers, and a part fewer at the first sign of too many (additive increase, multiplicative decrease:
//! Chiu and Jain 1989), as TCP does it, with its slow start: after a fall the limit doubles each round up to half of where it fell
//! from, so that a provider that was gone for a moment is used again within a few rounds.
//!
//! Why not by the gradient of the latency: that wants a latency without load to compare with, and a large model has none. An answer
//! of 300 tokens takes ten times as long as one of 30, and a provider that changes between a quick and a slow regime does so for
//! reasons that are not ours. The signs here are explicit: it says that it has too much, or it misses the deadline.

use crate::time::Instant;

/// The bounds of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitConfig {
    /// Never fewer; at least one.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// At the start.
    pub initial: u32,
}

/// What a call says about the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// It was answered in time.
    Fine,
    /// The provider said that it has too much to do, or did not answer in time.
    TooMuch,
    /// Nothing: it failed otherwise, or was taken back.
    Unknown,
}

/// A request's place among those that may be under way. To be handed back to [`Limit::leave`].
#[derive(Debug)]
#[must_use = "a place that is not handed back is taken for ever"]
pub(super) struct Place {
    entered: Instant,
    /// Whether the limit was in use when it was taken: only then does an answer say that there may be more.
    is_load: bool,
    has_told: bool,
}

/// The limit of one provider.
#[derive(Debug)]
pub(super) struct Limit {
    config: LimitConfig,
    limit: f64,
    in_flight: u32,
    /// Below this the limit doubles each round.
    slow_start_below: f64,
    /// When it last fell. Requests that were sent before tell nothing new.
    fell: Option<Instant>,
}

/// What is left of the limit after a fall.
const FALL: f64 = 0.7;

impl Default for LimitConfig {
    /// Two are what a small server of one's own answers at a time; 256 are more than the connections of most accounts.
    fn default() -> Self {
        Self { min: 2, max: 256, initial: 32 }
    }
}

impl Limit {
    /// Nothing is under way.
    pub(super) fn new(config: LimitConfig) -> Self {
        let min = config.min.max(1);
        let config = LimitConfig { min, max: config.max.max(min), ..config };
        let limit = f64::from(config.initial.clamp(min, config.max));
        Self { config, limit, in_flight: 0, slow_start_below: f64::from(config.max), fell: None }
    }

    /// A place, if there is one.
    pub(super) fn try_enter(&mut self, now: Instant) -> Option<Place> {
        // INVARIANT: whoever enters makes no more than the limit.
        if self.in_flight >= self.limit() {
            return None;
        }
        self.in_flight += 1;
        let is_load = f64::from(self.in_flight) * 2.0 >= self.limit;
        Some(Place { entered: now, is_load, has_told: false })
    }

    /// Something is known before the request has ended: that its deadline has passed. The place stays taken.
    pub(super) fn tell(&mut self, place: &mut Place, load: Load, now: Instant) {
        if !place.has_told {
            place.has_told = load != Load::Unknown;
            self.learn(place, load, now);
        }
    }

    /// A request has ended.
    pub(super) fn leave(&mut self, mut place: Place, load: Load, now: Instant) {
        self.tell(&mut place, load, now);
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// How many may be under way.
    pub(super) fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// How many are under way. More than the limit only after that fell.
    pub(super) const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    fn learn(&mut self, place: &Place, load: Load, now: Instant) {
        match load {
            Load::Unknown => {}
            Load::Fine if place.is_load => {
                // Over a round of `limit` answers this is one more; or twice as many.
                let step = if self.limit < self.slow_start_below { 1.0 } else { 1.0 / self.limit };
                self.limit = (self.limit + step).min(f64::from(self.config.max));
            }
            Load::Fine => {}
            Load::TooMuch => {
                // One fall for each round: those that were sent before it met the same crowd.
                if self.fell.is_some_and(|fell| place.entered <= fell) {
                    return;
                }
                self.slow_start_below = self.limit / 2.0;
                self.limit = (self.limit * FALL).max(f64::from(self.config.min));
                self.fell = Some(now);
            }
        }
    }
}
