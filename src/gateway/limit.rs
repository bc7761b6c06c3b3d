//! How many requests may be under way at a provider: as many as it answers in time.
//!
//! A little more with each round of answers, and a part fewer at the first sign of too many (additive increase, multiplicative
//! decrease: Chiu and Jain 1989), as TCP does it, with its slow start: up to what the first of several falls left, the limit doubles
//! each round, so that a provider that was gone for a moment is used again within a few rounds.
//!
//! Why not by the gradient of the latency: that wants a latency without load to compare with, and a large model has none. An answer
//! of 300 tokens takes ten times as long as one of 30, and a provider that changes between a quick and a slow regime does so for
//! reasons that are not ours. The signs here are explicit: it says that it has too much, or it misses deadlines.
//!
//! One that is missed says little: of most models some answers take long, however few are under way, and a fall at each of those
//! would leave next to nothing of a busy provider's limit. What waits in a queue misses them one after the other. So a fall takes
//! that many more were missed than met (a cumulative sum after Page, "Continuous inspection schemes", 1954).

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
    /// It was not answered in time.
    Late,
    /// The provider said that it has too much to do.
    TooMuch,
    /// Nothing: it failed otherwise, or was taken back.
    Unknown,
}

/// A request's place among those that may be under way. To be handed back to [`Limit::leave`].
#[derive(Debug)]
#[must_use = "a place that is not handed back is taken for ever"]
pub(super) struct Place {
    entered: Instant,
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
    /// Whether an answer has come since then to a request that was sent since then.
    is_proven: bool,
    /// How many more requests were late than in time since these were last in balance, or it fell.
    late: u32,
    /// When half of it was last in use. An answer says that there may be more only if that was while it was waited for.
    busy: Option<Instant>,
}

/// What is left of the limit after a fall.
const FALL: f64 = 0.7;

/// So many more late requests than others are a sign of too many. Where one of ten is late whatever one does this comes by chance
/// once in some seven thousand requests.
const LATE_MIN: u32 = 3;

/// Of a large limit so large a part must be late: a round has enough of them, and a provider of which one of three is late by itself
/// is told from one that has too much.
const LATE_PART: u32 = 4;

/// What comes to the limit in a round that is no slow start. Each fall costs answers that are late: the slower it grows beyond what
/// is known to do, the fewer they are.
const STEP: f64 = 0.25;

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
        let slow_start_below = f64::from(config.max);
        Self { config, limit, in_flight: 0, slow_start_below, fell: None, is_proven: true, late: 0, busy: None }
    }

    /// A place, if there is one.
    pub(super) fn try_enter(&mut self, now: Instant) -> Option<Place> {
        // INVARIANT: whoever enters makes no more than the limit.
        if self.in_flight >= self.limit() {
            return None;
        }
        self.in_flight += 1;
        if f64::from(self.in_flight) * 2.0 >= self.limit {
            self.busy = Some(now);
        }
        Some(Place { entered: now, has_told: false })
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
        // Those that were sent before a fall met the crowd that it was about.
        let is_new = self.fell.is_none_or(|fell| place.entered > fell);
        match load {
            Load::Unknown => {}
            Load::Fine => {
                self.is_proven |= is_new;
                self.late = self.late.saturating_sub(u32::from(is_new));
                if self.busy.is_some_and(|busy| busy >= place.entered) {
                    // Over a round of `limit` answers this is twice as many; or a step.
                    let step = if self.limit < self.slow_start_below { 1.0 } else { STEP / self.limit };
                    self.limit = (self.limit + step).min(f64::from(self.config.max));
                }
            }
            Load::Late if is_new => {
                self.late += 1;
                if self.late >= LATE_MIN.max(self.limit() / LATE_PART) {
                    self.fall(now);
                }
            }
            Load::TooMuch if is_new => self.fall(now),
            Load::Late | Load::TooMuch => {}
        }
    }

    fn fall(&mut self, now: Instant) {
        self.limit = (self.limit * FALL).max(f64::from(self.config.min));
        // Falls without an answer between them are an outage, which says nothing about how many it can do.
        if self.is_proven {
            self.slow_start_below = self.limit;
        }
        (self.fell, self.is_proven, self.late) = (Some(now), false, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::Timestamp;
    use crate::time::Clock;

    const MS: Duration = Duration::from_millis(1);

    fn start() -> Instant {
        Clock::manual(Timestamp::from_micros(1_000_000_000)).instant()
    }

    fn limit(initial: u32) -> Limit {
        Limit::new(LimitConfig { min: 2, max: 256, initial })
    }

    /// As many requests as may be enter, and all leave after a round; how many there were.
    fn round(limit: &mut Limit, load: Load, now: &mut Instant) -> u32 {
        let places: Vec<Place> = std::iter::from_fn(|| limit.try_enter(*now)).collect();
        let many = places.len() as u32;
        *now = now.after(50 * MS);
        places.into_iter().for_each(|place| limit.leave(place, load, *now));
        many
    }

    #[test]
    fn falls_at_once_and_only_once_a_round() {
        let (mut limit, mut now) = (limit(100), start());
        assert_eq!(round(&mut limit, Load::TooMuch, &mut now), 100);
        assert_eq!(limit.limit(), 70, "a hundred complaints about the same crowd are one");
        now = now.after(MS);
        assert_eq!(round(&mut limit, Load::TooMuch, &mut now), 70);
        assert_eq!(limit.limit(), 49);
        for _ in 0..20 {
            now = now.after(MS);
            round(&mut limit, Load::TooMuch, &mut now);
        }
        assert_eq!(limit.limit(), 2, "and never below the least");
    }

    #[test]
    fn is_back_within_a_few_rounds_after_an_outage_and_then_goes_carefully() {
        let (mut limit, mut now) = (limit(100), start());
        for _ in 0..20 {
            now = now.after(MS);
            round(&mut limit, Load::TooMuch, &mut now);
        }
        now = now.after(MS);
        let rounds: Vec<u32> = (0..12).map(|_| round(&mut limit, Load::Fine, &mut now)).collect();
        assert_eq!(rounds[..7], [2, 4, 8, 16, 32, 64, 70], "twice as many each round, up to what the first fall left");
        assert_eq!(rounds[7..], [70, 70, 70, 71, 71], "and one more in four rounds");
        now = now.after(MS);
        round(&mut limit, Load::TooMuch, &mut now);
        assert_eq!(limit.limit(), 50);
        now = now.after(MS);
        let rounds: Vec<u32> = (0..6).map(|_| round(&mut limit, Load::Fine, &mut now)).collect();
        assert_eq!(rounds, [50, 50, 50, 50, 51, 51], "that was no outage, so that is what it can do");
    }

    #[test]
    fn does_not_grow_where_it_is_not_used() {
        let (mut limit, mut now) = (limit(100), start());
        round(&mut limit, Load::Unknown, &mut now);
        for _ in 0..1_000 {
            now = now.after(MS);
            let place = limit.try_enter(now).expect("there is room");
            now = now.after(MS);
            limit.leave(place, Load::Fine, now);
        }
        assert_eq!(limit.limit(), 100);
    }

    #[test]
    fn a_request_that_is_late_tells_once_and_keeps_its_place() {
        let (mut limit, now) = (limit(10), start());
        let mut place = limit.try_enter(now).expect("there is room");
        limit.tell(&mut place, Load::TooMuch, now.after(MS));
        assert_eq!((limit.limit(), limit.in_flight()), (7, 1));
        limit.leave(place, Load::TooMuch, now.after(2 * MS));
        assert_eq!((limit.limit(), limit.in_flight()), (7, 0));
    }

    /// A provider that answers `at_once` requests at a time in 50 ms each and has the others wait; whoever waits for longer than
    /// 300 ms is late. The share of answers in time over the last quarter, and of what it could have done.
    fn with_provider(at_once: usize) -> (f64, f64) {
        let (mut limit, start) = (limit(32), start());
        let mut queue: VecDeque<Place> = VecDeque::new();
        let (mut fine, mut late) = (0, 0);
        for tick in 0..2_000_u32 {
            let now = start.after(tick * 50 * MS);
            queue.extend(std::iter::from_fn(|| limit.try_enter(now)));
            for _ in 0..at_once.min(queue.len()) {
                let Some(place) = queue.pop_front() else { break };
                let ended = now.after(50 * MS);
                let is_late = ended.since(place.entered) > 300 * MS;
                limit.leave(place, if is_late { Load::Late } else { Load::Fine }, ended);
                if tick >= 1_500 {
                    *(if is_late { &mut late } else { &mut fine }) += 1;
                }
            }
        }
        (f64::from(fine) / f64::from(fine + late), f64::from(fine) / (500 * at_once) as f64)
    }

    /// A provider that takes any number at a time, answers most in 50 ms and `slow_milli` of a thousand not before 2 s, after 300 ms of
    /// which nobody waits any more. The share of a thousand requests a second that found a place, over half a minute.
    fn with_stragglers(slow_milli: u64) -> f64 {
        let (mut limit, start) = (Limit::new(LimitConfig { min: 2, max: 1_024, initial: 256 }), start());
        let mut ends: VecDeque<(Instant, Place)> = VecDeque::new();
        let mut deadlines: VecDeque<(Instant, Place)> = VecDeque::new();
        let mut entered = 0;
        for nth in 0..30_000_u32 {
            let now = start.after(nth * MS);
            for (queue, load) in [(&mut ends, Load::Fine), (&mut deadlines, Load::Late)] {
                while queue.front().is_some_and(|(at, _)| *at <= now) {
                    let Some((at, place)) = queue.pop_front() else { break };
                    limit.leave(place, load, at);
                }
            }
            let Some(place) = limit.try_enter(now) else { continue };
            entered += 1;
            // The finisher of splitmix64: as good as chance.
            let mut bits = u64::from(nth).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            match (bits ^ (bits >> 27)) % 1_000 < slow_milli {
                true => deadlines.push_back((now.after(300 * MS), place)),
                false => ends.push_back((now.after(50 * MS), place)),
            }
        }
        f64::from(entered) / 30_000.0
    }

    #[test]
    fn answers_that_are_slow_whatever_one_does_cost_the_others_no_places() {
        for slow_milli in [10, 100, 300] {
            let entered = with_stragglers(slow_milli);
            assert!(entered > 0.99, "{slow_milli} of a thousand are slow: {entered:.3} found a place");
        }
    }

    #[test]
    fn finds_what_a_provider_can_do_in_time() {
        for at_once in [1, 2, 8, 30] {
            let (in_time, used) = with_provider(at_once);
            assert!(in_time > 0.75 && used > 0.75, "{at_once} at once: {in_time:.2} in time, {used:.2} of what it can");
        }
    }

    proptest! {
        #[test]
        fn whoever_enters_makes_no_more_than_the_limit(
            steps in prop::collection::vec((0_u8..3, any::<usize>(), 0_u8..4), 0..500),
            (min, max, initial) in (0_u32..5, 0_u32..20, 0_u32..30),
        ) {
            let (mut limit, mut now) = (Limit::new(LimitConfig { min, max, initial }), start());
            let (min, max) = (min.max(1), max.max(min).max(1));
            let mut places = Vec::new();
            for (step, nth, load) in steps {
                now = now.after(MS);
                let load = [Load::Fine, Load::TooMuch, Load::Late, Load::Unknown][usize::from(load)];
                match step {
                    0 => {
                        let before = limit.limit();
                        match limit.try_enter(now) {
                            Some(place) => places.push(place),
                            None => prop_assert!(places.len() as u32 >= before),
                        }
                        prop_assert!(limit.in_flight() <= before.max(places.len() as u32));
                        prop_assert!(places.len() as u32 <= max);
                    }
                    1 if !places.is_empty() => {
                        let place = places.swap_remove(nth % places.len());
                        limit.leave(place, load, now);
                    }
                    2 if !places.is_empty() => {
                        let nth = nth % places.len();
                        limit.tell(&mut places[nth], load, now);
                    }
                    _ => {}
                }
                prop_assert_eq!(limit.in_flight() as usize, places.len());
                prop_assert!((min..=max).contains(&limit.limit()));
            }
        }
    }
}
