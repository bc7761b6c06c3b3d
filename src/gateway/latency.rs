//! How long a model of a provider takes: the chance of an answer within what is left, learnt from answers and from questions
//! that were given up.
//!
//! A question that was given up after 300 ms says that the answer takes *longer* than that. To leave it out would make a provider
//! that hangs look as quick as its last answers, to count it as 300 ms nearly so. The estimate of Kaplan and Meier ("Nonparametric
//! estimation from incomplete observations", 1958) takes both in: at each time at which an answer came, the share of those that
//! were still waited for and came then.
//!
//! What is old must not hold against what is new. The last sixteen observations count in full, so that something is known at one
//! call a minute; those before them, up to sixty-four, weigh half as much for each half-life; and where the latest are all slower,
//! or all quicker, than nearly all before them, so that chance alone would bring it about once in five thousand times, what was
//! before is forgotten: three answers tell a change of regime, and a mix of quick and slow answers is none.
//!
//! Where it is uncertain, the estimate errs towards no: beyond the longest time that anybody waited there are no answers. Only
//! where nobody waited for even half of what is left is nothing said at all.

use std::time::Duration;

use smallvec::SmallVec;

use crate::time::Instant;

/// A chance, in parts of a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u32);

/// What is known of one model. Some two kilobytes.
#[derive(Debug)]
pub(super) struct Latency {
    half_life_nanos: f64,
    /// In the order in which they were made. Not in that of the requests: of those sent last the slow ones are not known yet.
    recent: SmallVec<[Observation; OBSERVATIONS_MAX]>,
    /// Places in `recent`, by time; of equal times the answers first.
    sorted: SmallVec<[u8; OBSERVATIONS_MAX]>,
    /// What is heard of requests that were sent earlier is about what was before a change.
    since_nanos: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Observation {
    /// When it was made, on the steady clock.
    at_nanos: u64,
    /// So long it took, in nanoseconds; or so long it was waited for.
    time: u64,
    is_answer: bool,
}

/// Observations that are kept. The cost of an estimate grows with it; sixty-four tell a chance to within 6 %.
const OBSERVATIONS_MAX: usize = 64;

/// The latest observations, which count in full whatever their age.
const FULL: usize = 16;

/// Fewer say nothing: the first call of all pays for the connection.
const OBSERVATIONS_MIN: usize = 3;

/// How many of the latest are held against all before them.
const LATEST: [usize; 4] = [3, 4, 6, 8];

/// A change is believed where chance alone would bring it about less often than this.
const COINCIDENCE_MAX: f64 = 1.0 / 5_000.0;

// === impl Chance ===

impl Chance {
    /// Never.
    pub const NONE: Self = Self(0);

    /// Always.
    pub const CERTAIN: Self = Self(1_000_000);

    /// So many parts of a million; all of them at most.
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(if ppm > Self::CERTAIN.0 { Self::CERTAIN.0 } else { ppm })
    }

    /// So many parts of a thousand.
    pub const fn from_milli(milli: u16) -> Self {
        Self::from_ppm(milli as u32 * 1_000)
    }

    /// In parts of a million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// Rounded down.
    fn from_share(share: f64) -> Self {
        Self((share.clamp(0.0, 1.0) * f64::from(Self::CERTAIN.0)) as u32)
    }

    fn share(self) -> f64 {
        f64::from(self.0) / f64::from(Self::CERTAIN.0)
    }
}

// === impl Latency ===

impl Latency {
    /// Knows nothing. Of two observations of which one is older by `half_life` the older weighs half as much, where it is not
    /// among the latest.
    pub(super) fn new(half_life: Duration) -> Self {
        Self {
            half_life_nanos: half_life.max(Duration::from_millis(1)).as_nanos() as f64,
            recent: SmallVec::new(),
            sorted: SmallVec::new(),
            since_nanos: 0,
        }
    }

    /// An answer came after `took`. Some 500 steps without an allocation, as for [`Latency::censor`].
    pub(super) fn observe(&mut self, took: Duration, now: Instant) {
        self.push(Observation { at_nanos: now.nanos(), time: nanos(took), is_answer: true });
    }

    /// After `waited` there was no answer, and nobody waits any more; or somebody still does, but not for the decision.
    pub(super) fn censor(&mut self, waited: Duration, now: Instant) {
        self.push(Observation { at_nanos: now.nanos(), time: nanos(waited), is_answer: false });
    }

    /// What was given up after `waited` was answered after `took` all the same: takes the place of what [`Latency::censor`] noted. Of
    /// no effect where that has been forgotten: the answer belongs to the time before the change.
    pub(super) fn observe_after_censor(&mut self, waited: Duration, took: Duration) {
        let (waited, took) = (nanos(waited), nanos(took));
        let is_it = |place: &&u8| {
            let one = &self.recent[usize::from(**place)];
            !one.is_answer && one.time == waited
        };
        let Some(place) = self.sorted.iter().find(is_it).copied() else { return };
        self.unsort(place);
        let one = &mut self.recent[usize::from(place)];
        (one.time, one.is_answer) = (took.max(waited), true);
        self.sort(place);
    }

    /// The chance that a request sent now is answered within `left`; `None` where nothing is known of it, so that it may as well be
    /// tried. Never less for more time, where anything is known. Up to 150 steps without an allocation.
    pub(super) fn chance_within(&self, left: Duration, now: Instant) -> Option<Chance> {
        let curve = self.curve(now)?;
        let alive = curve.alive_after(left);
        (!curve.is_beyond(left, alive)).then(|| Chance::from_share(1.0 - alive))
    }

    /// The chance that a request which was sent `waited` ago, and is not answered, will be within `left` from now on. No chance where
    /// no answer took so long.
    pub(super) fn chance_within_after(&self, waited: Duration, left: Duration, now: Instant) -> Option<Chance> {
        let curve = self.curve(now)?;
        let (before, until) = (curve.alive_after(waited), waited.saturating_add(left));
        let alive = curve.alive_after(until);
        if curve.is_beyond(until, alive) {
            return None;
        }
        Some(if before > 0.0 { Chance::from_share(1.0 - alive / before) } else { Chance::NONE })
    }

    /// The time within which so large a part of the requests is answered; `None` where too little is known, or fewer are answered in
    /// any time that was waited.
    pub(super) fn quantile(&self, part: Chance, now: Instant) -> Option<Duration> {
        self.curve(now)?.time_of(1.0 - part.share())
    }

    /// How many observations it rests on.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    fn push(&mut self, observation: Observation) {
        if observation.sent_nanos() < self.since_nanos {
            return;
        }
        if self.recent.len() == OBSERVATIONS_MAX {
            self.forget(1);
        }
        self.recent.push(observation);
        self.sort((self.recent.len() - 1) as u8);
        self.forget_before_change();
    }

    /// Forgets the oldest.
    fn forget(&mut self, many: usize) {
        self.recent.drain(..many);
        self.sorted.retain(|place| usize::from(*place) >= many);
        self.sorted.iter_mut().for_each(|place| *place -= many as u8);
    }

    fn sort(&mut self, place: u8) {
        let key = self.recent[usize::from(place)].key();
        let at = self.sorted.partition_point(|other| self.recent[usize::from(*other)].key() <= key);
        self.sorted.insert(at, place);
    }

    fn unsort(&mut self, place: u8) {
        if let Some(at) = self.sorted.iter().position(|other| *other == place) {
            self.sorted.remove(at);
        }
    }

    /// Forgets what was before a change.
    fn forget_before_change(&mut self) {
        let Some(latest) = LATEST.into_iter().find(|latest| self.is_changed(*latest)) else { return };
        self.forget(self.recent.len() - latest);
        self.since_nanos = self.recent.iter().map(Observation::sent_nanos).min().unwrap_or(0);
    }

    /// Whether so many of the latest are all slower, or all quicker, than nearly all before them.
    ///
    /// If nothing changed, the latest are drawn from the same as those before. Of `older` ones `alike` are as slow as the quickest of
    /// the latest, so one more is with a chance of about `(alike + 1) / (older + 2)` (Laplace), and all of the latest are with its
    /// power. What cannot be compared, because it was given up before, counts as alike.
    fn is_changed(&self, latest: usize) -> bool {
        let Some(older) = self.recent.len().checked_sub(latest).filter(|older| *older > 0) else { return false };
        let (before, recent) = self.recent.split_at(older);
        let is_rare = |alike: usize| {
            let chance = (alike + 1) as f64 / (older + 2) as f64;
            chance.powi(latest as i32) <= COINCIDENCE_MAX
        };
        let quickest = recent.iter().map(|one| one.time).min().unwrap_or_default();
        if is_rare(before.iter().filter(|one| one.time >= quickest || !one.is_answer).count()) {
            return true;
        }
        let slowest = recent.iter().map(|one| one.time).max().unwrap_or_default();
        recent.iter().all(|one| one.is_answer) && is_rare(before.iter().filter(|one| one.time <= slowest).count())
    }

    /// The share of requests that are not answered yet, over time.
    fn curve(&self, now: Instant) -> Option<Curve> {
        if self.recent.len() < OBSERVATIONS_MIN {
            return None;
        }
        let mut steps: SmallVec<[(u64, f64); OBSERVATIONS_MAX]> = SmallVec::new();
        let mut at_risk = 0.0;
        for place in self.sorted.iter().rev() {
            let one = &self.recent[usize::from(*place)];
            let others = at_risk;
            at_risk += self.weight(*place, now);
            steps.push((one.time, if one.is_answer { others / at_risk } else { 1.0 }));
        }
        steps.reverse();
        Some(Curve(steps))
    }

    /// What an observation counts: never nothing, and never more for being older.
    fn weight(&self, place: u8, now: Instant) -> f64 {
        if usize::from(place) + FULL >= self.recent.len() {
            return 1.0;
        }
        let age_nanos = now.nanos().saturating_sub(self.recent[usize::from(place)].at_nanos);
        half_to_the(age_nanos as f64 / self.half_life_nanos)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Half to the power of `exponent`, straight between whole ones: a few steps, and the same on every machine.
fn half_to_the(exponent: f64) -> f64 {
    let whole = exponent.clamp(0.0, 60.0) as u64;
    let rest = (exponent - whole as f64).clamp(0.0, 1.0);
    // A double with nothing but an exponent is that power of two.
    f64::from_bits((1_023 - whole) << 52) * (1.0 - 0.5 * rest)
}

// === impl Observation ===

impl Observation {
    fn key(&self) -> (u64, bool) {
        (self.time, !self.is_answer)
    }

    fn sent_nanos(&self) -> u64 {
        self.at_nanos.saturating_sub(self.time)
    }
}

/// Times in order, each with the share of those still waited for that are still without an answer after it.
struct Curve(SmallVec<[(u64, f64); OBSERVATIONS_MAX]>);

impl Curve {
    /// The share that is without an answer after `time`.
    fn alive_after(&self, time: Duration) -> f64 {
        let time = nanos(time);
        self.0.iter().take_while(|(at, _)| *at <= time).fold(1.0, |alive, (_, stay)| alive * stay)
    }

    /// The first time after which no more than `share` are without an answer.
    fn time_of(&self, share: f64) -> Option<Duration> {
        let mut alive = 1.0;
        // What is asked for is a part of a million; below that lies only what rounding leaves.
        let share = share + 1e-9;
        self.0
            .iter()
            .find(|(_, stay)| {
                alive *= stay;
                alive <= share
            })
            .map(|(at, _)| Duration::from_nanos(*at))
    }

    /// Whether `time` lies so far beyond what anybody waited that nothing can be said: most were not answered, and nobody waited for
    /// half of it.
    fn is_beyond(&self, time: Duration, alive: f64) -> bool {
        let longest = self.0.last().map_or(0, |(at, _)| *at);
        alive > 0.5 && longest < nanos(time) / 2
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Timestamp;
    use crate::time::Clock;

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);
    const HALF: Chance = Chance::from_milli(500);

    fn start() -> Instant {
        Clock::manual(Timestamp::from_micros(1_000_000_000)).instant()
    }

    fn latency() -> Latency {
        Latency::new(2 * SECOND)
    }

    /// What a question with 300 ms learns of an answer that takes so long: the answer, or that there was none.
    fn ask(latency: &mut Latency, took: Duration, now: Instant) {
        if took <= 300 * MS {
            latency.observe(took, now);
        } else {
            latency.censor(300 * MS, now);
        }
    }

    /// Even numbers within 0 and 1, the same each time.
    fn even(nth: u64) -> f64 {
        (xxhash_rust::xxh3::xxh3_64(&nth.to_le_bytes()) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The estimate as the books have it: at each time of an answer the share of those at risk that did not get it.
    fn by_the_book(observations: &[(u64, bool)], left: u64) -> f64 {
        let mut times: Vec<u64> = observations.iter().filter(|(_, is_answer)| *is_answer).map(|(at, _)| *at).collect();
        times.sort_unstable();
        times.dedup();
        let mut alive = 1.0;
        for time in times.into_iter().filter(|time| *time <= left) {
            let at_risk = observations.iter().filter(|(at, _)| *at >= time).count() as f64;
            let answers = observations.iter().filter(|(at, is_answer)| *at == time && *is_answer).count() as f64;
            alive *= 1.0 - answers / at_risk;
        }
        1.0 - alive
    }

    proptest! {
        #[test]
        fn is_the_estimate_of_kaplan_and_meier(
            observations in prop::collection::vec((0_u64..400, any::<bool>()), 3..=16),
            left in 0_u64..500,
        ) {
            let (mut latency, mut now) = (latency(), start());
            for (millis, is_answer) in &observations {
                now = now.after(SECOND);
                let time = Duration::from_millis(*millis);
                if *is_answer { latency.observe(time, now) } else { latency.censor(time, now) }
            }
            // What was before a change is forgotten.
            let kept = &observations[observations.len() - latency.len()..];
            if let Some(chance) = latency.chance_within(Duration::from_millis(left), now) {
                let expected = by_the_book(kept, left);
                prop_assert!((f64::from(chance.ppm()) / 1e6 - expected).abs() < 2e-6, "{chance:?}, not {expected}");
            }
        }

        #[test]
        fn more_time_is_never_a_smaller_chance(
            observations in prop::collection::vec((0_u64..2_000, any::<bool>(), 0_u64..500), 0..200),
            lefts in prop::collection::vec(0_u64..3_000, 2..20),
            waited in 0_u64..500,
        ) {
            let (mut latency, mut now) = (latency(), start());
            for (millis, is_answer, pause) in observations {
                now = now.after(Duration::from_millis(pause));
                let time = Duration::from_millis(millis);
                if is_answer { latency.observe(time, now) } else { latency.censor(time, now) }
            }
            prop_assert!(latency.len() <= OBSERVATIONS_MAX);
            let mut lefts = lefts;
            lefts.sort_unstable();
            let waited = Duration::from_millis(waited);
            for of in [Duration::ZERO, waited] {
                let chances = lefts.iter().filter_map(|left| {
                    latency.chance_within_after(of, Duration::from_millis(*left), now)
                });
                prop_assert!(chances.is_sorted());
            }
            let chances = lefts.iter().filter_map(|left| latency.chance_within(Duration::from_millis(*left), now));
            prop_assert!(chances.is_sorted());
        }

        #[test]
        fn nobody_was_answered_so_there_is_no_chance(
            waits in prop::collection::vec(1_u64..1_000, 3..100),
            left in 0_u64..1_000,
        ) {
            let (mut latency, now) = (latency(), start());
            for wait in &waits {
                latency.censor(Duration::from_millis(*wait), now);
            }
            let longest = waits[waits.len().saturating_sub(latency.len())..].iter().max().copied().unwrap_or(0);
            let chance = latency.chance_within(Duration::from_millis(left), now);
            if left <= longest {
                prop_assert_eq!(chance, Some(Chance::NONE));
            } else {
                prop_assert!(chance.is_none_or(|chance| chance == Chance::NONE));
            }
        }

        #[test]
        fn a_quantile_is_where_the_chance_reaches_it(
            observations in prop::collection::vec((0_u64..2_000, 0_u8..10), 3..100),
            part in 1_u16..1_000,
        ) {
            let (mut latency, now) = (latency(), start());
            for (millis, nth) in observations {
                let time = Duration::from_millis(millis);
                if nth > 0 { latency.observe(time, now) } else { latency.censor(time, now) }
            }
            let part = Chance::from_milli(part);
            // A part of a million is what rounding may take.
            let reaches = |time| latency.chance_within(time, now).is_none_or(|chance| chance.ppm() + 1 >= part.ppm());
            match latency.quantile(part, now) {
                Some(time) => {
                    prop_assert!(reaches(time));
                    prop_assert!(time.is_zero() || !reaches(time - Duration::from_nanos(1)));
                }
                None => prop_assert!(latency.chance_within(3 * SECOND, now).is_none_or(|chance| chance < part)),
            }
        }
    }

    #[test]
    fn follows_a_change_of_regime_within_two_seconds_both_ways() {
        let (mut latency, mut now) = (latency(), start());
        let mut jitter = 0;
        // Ten questions a second; one of fifty is a straggler in either regime.
        let mut took = |regime: Duration| {
            jitter += 1;
            let straggles = if even(jitter) < 0.02 { 20.0 } else { 1.0 };
            regime.mul_f64((0.7 + 0.6 * even(!jitter)) * straggles)
        };
        for (regime, is_fit) in [(50 * MS, true), (2 * SECOND, false), (50 * MS, true), (2 * SECOND, false)] {
            for nth in 0..300 {
                now = now.after(100 * MS);
                ask(&mut latency, took(regime), now);
                let chance = latency.chance_within(300 * MS, now);
                let is_believed = chance.is_none_or(|chance| chance >= HALF);
                assert!(nth < 20 || is_believed == is_fit, "{regime:?} for {nth} questions: {chance:?}");
            }
        }
    }

    #[test]
    fn three_answers_tell_a_change_and_one_straggler_none() {
        let (mut latency, now) = (latency(), start());
        (0..60).for_each(|nth| latency.observe((50 * MS).mul_f64(1.0 + even(nth)), now));
        latency.censor(300 * MS, now);
        assert!(latency.chance_within(300 * MS, now).expect("it knows") > Chance::from_milli(900));
        (0..2).for_each(|_| latency.censor(300 * MS, now));
        assert_eq!((latency.len(), latency.chance_within(300 * MS, now)), (3, Some(Chance::NONE)));
    }

    #[test]
    fn what_was_given_up_early_is_no_sign_of_a_change() {
        let (mut latency, now) = (latency(), start());
        (0..20).for_each(|_| latency.censor(10 * MS, now));
        (0..3).for_each(|_| latency.observe(50 * MS, now));
        assert_eq!(latency.len(), 23, "those might have taken as long");
    }

    #[test]
    fn what_is_heard_after_a_change_of_requests_from_before_it_is_nothing_new() {
        let (mut latency, start) = (latency(), start());
        (0..20).for_each(|nth| latency.censor(2 * SECOND, start.after(nth * 100 * MS)));
        let now = start.after(3 * SECOND);
        (0..3).for_each(|_| latency.observe(50 * MS, now));
        assert_eq!((latency.len(), latency.chance_within(300 * MS, now)), (3, Some(Chance::CERTAIN)));
        (0..20).for_each(|nth| latency.censor(2 * SECOND, now.after(nth * 10 * MS)));
        assert_eq!(latency.chance_within(300 * MS, now), Some(Chance::CERTAIN));
        latency.censor(300 * MS, now.after(300 * MS));
        assert_eq!(latency.chance_within(300 * MS, now), Some(Chance::from_ppm(750_000)), "that one was sent since");
    }

    #[test]
    fn learns_a_hang_within_a_few_questions_at_any_pace() {
        for pace in [10 * MS, SECOND, 60 * SECOND] {
            for before in [0, 5, 20, 500] {
                let (mut latency, mut now) = (latency(), start());
                for nth in 0..before {
                    now = now.after(pace);
                    latency.observe(50 * MS + MS * (nth % 7), now);
                }
                let mut questions = 0;
                while questions < 20 && latency.chance_within(300 * MS, now).is_none_or(|chance| chance >= HALF) {
                    now = now.after(pace);
                    latency.censor(300 * MS, now);
                    questions += 1;
                }
                assert!(questions <= 5, "{questions} questions every {pace:?} after {before} answers");
            }
        }
    }

    #[test]
    fn a_steady_mix_is_no_change() {
        for (slow, tolerance) in [(0.0, 0.0), (0.02, 0.12), (0.3, 0.2), (0.5, 0.22), (0.8, 0.2)] {
            let (mut latency, mut now) = (latency(), start());
            let (mut off, mut short) = (0, 0);
            for nth in 0..20_000 {
                now = now.after(20 * MS);
                let took = if even(nth) < slow { 2 * SECOND } else { (40 * MS).mul_f64(1.0 + even(!nth)) };
                ask(&mut latency, took, now);
                if nth < 64 {
                    continue;
                }
                let chance = f64::from(latency.chance_within(300 * MS, now).expect("it knows").ppm()) / 1e6;
                off += u32::from((chance - (1.0 - slow)).abs() > tolerance);
                short += u32::from(latency.len() < 32);
            }
            assert!(off < 1_000, "of 20,000 estimates of {slow} {off} were off by more than {tolerance}");
            assert!(short < 2_000, "of 20,000 times it had forgotten too much {short} times at {slow}");
        }
    }

    #[test]
    fn what_is_not_among_the_latest_counts_half_as_much_for_each_half_life() {
        let (mut latency, now) = (latency(), start());
        for nth in 0..32 {
            // Of the older half three of four are quick, of the latest every other.
            let is_slow = if nth < 16 { nth % 4 == 3 } else { nth % 2 == 1 };
            latency.observe(if is_slow { 2 * SECOND } else { 50 * MS }, now);
        }
        let share = |later: Duration| latency.chance_within(300 * MS, now.after(later)).expect("it knows").share();
        for (seconds, expected) in [(0, 20.0 / 32.0), (2, 14.0 / 24.0), (4, 11.0 / 20.0), (300, 8.0 / 16.0)] {
            let share = share(seconds * SECOND);
            assert!((share - expected).abs() < 2e-6, "after {seconds} s {share}, not {expected}");
        }
    }

    #[test]
    fn still_knows_something_at_one_call_a_minute() {
        let (mut latency, mut now) = (latency(), start());
        for nth in 0..40 {
            now = now.after(60 * SECOND);
            let took = if nth % 4 == 3 { 2 * SECOND } else { (40 * MS).mul_f64(1.0 + even(nth)) };
            ask(&mut latency, took, now);
        }
        let chance = latency.chance_within(300 * MS, now).expect("it knows").ppm();
        assert!((740_000..760_000).contains(&chance), "three of four of the last sixteen: {chance}");
    }

    #[test]
    fn an_answer_that_comes_late_takes_the_place_of_what_was_given_up() {
        let (mut latency, now) = (latency(), start());
        for _ in 0..4 {
            latency.censor(300 * MS, now);
            latency.observe(50 * MS, now);
        }
        assert_eq!(latency.chance_within(3 * SECOND, now), Some(HALF), "nobody waited for so long");
        (0..4).for_each(|_| latency.observe_after_censor(300 * MS, 2 * SECOND));
        assert_eq!(latency.chance_within(1_900 * MS, now), Some(HALF));
        assert_eq!(latency.chance_within(2 * SECOND, now), Some(Chance::CERTAIN));
        assert_eq!(latency.chance_within_after(300 * MS, 1_700 * MS, now), Some(Chance::CERTAIN));
        assert_eq!(latency.chance_within_after(300 * MS, 1_600 * MS, now), Some(Chance::NONE));
        assert_eq!(latency.len(), 8, "each counts once");
        latency.observe_after_censor(300 * MS, 2 * SECOND);
        assert_eq!(latency.len(), 8, "what was not given up, or has been forgotten, has no late answer");
    }

    #[test]
    fn says_nothing_where_nobody_waited_long_enough_to_know() {
        let (mut latency, now) = (latency(), start());
        latency.observe(MS, now);
        latency.observe(MS, now);
        assert_eq!(latency.chance_within(SECOND, now), None, "two are no evidence");
        let mut latency = Latency::new(SECOND);
        (0..10).for_each(|_| latency.censor(100 * MS, now));
        assert_eq!(latency.chance_within(200 * MS, now), Some(Chance::NONE));
        assert_eq!(latency.chance_within(201 * MS, now), None, "given up after 100 ms says little about 200");
    }
}
