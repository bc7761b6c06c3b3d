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
    /// A ring: the nth observation is in the place n modulo its size.
    ring: [Observation; OBSERVATIONS_MAX],
    /// The number of the oldest that is kept.
    first: u64,
    /// The number of the next.
    next: u64,
    /// Places in the ring, by time; of equal times the answers first.
    sorted: SmallVec<[u8; OBSERVATIONS_MAX]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Observation {
    /// When it was made, on the steady clock.
    at_nanos: u64,
    /// So long it took; or so long it was waited for.
    time: Duration,
    is_answer: bool,
}

/// Observations that are kept. The cost of an estimate grows with it; sixty-four tell a chance to within 6 %.
const OBSERVATIONS_MAX: usize = 64;

/// The latest observations, which count in full whatever their age.
const FULL: u64 = 16;

/// Fewer say nothing: the first call of all pays for the connection.
const OBSERVATIONS_MIN: u64 = 3;

/// How many of the latest are held against all before them.
const LATEST: [u64; 4] = [3, 4, 6, 8];

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
            ring: [Observation::default(); OBSERVATIONS_MAX],
            first: 0,
            next: 0,
            sorted: SmallVec::new(),
        }
    }

    /// An answer came after `took`. Some 500 steps without an allocation, as for [`Latency::censor`].
    pub(super) fn observe(&mut self, took: Duration, now: Instant) {
        self.push(Observation { at_nanos: now.nanos(), time: took, is_answer: true });
    }

    /// After `waited` there was no answer, and nobody waits any more; or somebody still does, but not for the decision.
    pub(super) fn censor(&mut self, waited: Duration, now: Instant) {
        self.push(Observation { at_nanos: now.nanos(), time: waited, is_answer: false });
    }

    /// What was given up after `waited` was answered after `took` all the same: takes the place of what [`Latency::censor`] noted. Of
    /// no effect where that has been forgotten: the answer belongs to the time before the change.
    pub(super) fn observe_after_censor(&mut self, waited: Duration, took: Duration) {
        let is_it = |place: &&u8| {
            let one = &self.ring[usize::from(**place)];
            !one.is_answer && one.time == waited
        };
        let Some(place) = self.sorted.iter().find(is_it).copied() else { return };
        self.unsort(place);
        let one = &mut self.ring[usize::from(place)];
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
    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    fn push(&mut self, observation: Observation) {
        let place = place_of(self.next);
        if self.sorted.len() == OBSERVATIONS_MAX {
            self.unsort(place);
            self.first += 1;
        }
        self.ring[usize::from(place)] = observation;
        self.next += 1;
        self.sort(place);
        self.forget_before_change();
    }

    fn sort(&mut self, place: u8) {
        let key = self.ring[usize::from(place)].key();
        let at = self.sorted.partition_point(|other| self.ring[usize::from(*other)].key() <= key);
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
        self.first = self.next - latest;
        let kept: SmallVec<[u8; OBSERVATIONS_MAX]> = (self.first..self.next).map(place_of).collect();
        self.sorted.retain(|place| kept.contains(place));
    }

    /// Whether so many of the latest are all slower, or all quicker, than nearly all before them.
    ///
    /// If nothing changed, the latest are drawn from the same as those before. Of `older` ones `alike` are as slow as the quickest of
    /// the latest, so one more is with a chance of about `(alike + 1) / (older + 2)` (Laplace), and all of the latest are with its
    /// power. What cannot be compared, because it was given up before, counts as alike.
    fn is_changed(&self, latest: u64) -> bool {
        let Some(older) = (self.next - self.first).checked_sub(latest).filter(|older| *older > 0) else { return false };
        let recent = || (self.next - latest..self.next).map(|nth| &self.ring[usize::from(place_of(nth))]);
        let before = || (self.first..self.next - latest).map(|nth| &self.ring[usize::from(place_of(nth))]);
        let is_rare = |alike: usize| {
            let chance = (alike + 1) as f64 / (older + 2) as f64;
            chance.powi(latest as i32) <= COINCIDENCE_MAX
        };
        let quickest = recent().map(|one| one.time).min().unwrap_or_default();
        if is_rare(before().filter(|one| one.time >= quickest || !one.is_answer).count()) {
            return true;
        }
        let slowest = recent().map(|one| one.time).max().unwrap_or_default();
        recent().all(|one| one.is_answer) && is_rare(before().filter(|one| one.time <= slowest).count())
    }

    /// The share of requests that are not answered yet, over time.
    fn curve(&self, now: Instant) -> Option<Curve> {
        if self.next - self.first < OBSERVATIONS_MIN {
            return None;
        }
        let mut steps: SmallVec<[(Duration, f64); OBSERVATIONS_MAX]> = SmallVec::new();
        let mut at_risk = 0.0;
        for place in self.sorted.iter().rev() {
            let one = &self.ring[usize::from(*place)];
            let others = at_risk;
            at_risk += self.weight(*place, now);
            steps.push((one.time, if one.is_answer { others / at_risk } else { 1.0 }));
        }
        steps.reverse();
        Some(Curve(steps))
    }

    /// What an observation counts: never nothing, and never more for being older.
    fn weight(&self, place: u8, now: Instant) -> f64 {
        let newest = place_of(self.next - 1);
        let age = (u64::from(newest) + OBSERVATIONS_MAX as u64 - u64::from(place)) % OBSERVATIONS_MAX as u64;
        if age < FULL {
            return 1.0;
        }
        let since_nanos = now.nanos().saturating_sub(self.ring[usize::from(place)].at_nanos);
        half_to_the(since_nanos as f64 / self.half_life_nanos)
    }
}

fn place_of(nth: u64) -> u8 {
    (nth % OBSERVATIONS_MAX as u64) as u8
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
    fn key(&self) -> (Duration, bool) {
        (self.time, !self.is_answer)
    }
}

/// Times in order, each with the share of those still waited for that are still without an answer after it.
struct Curve(SmallVec<[(Duration, f64); OBSERVATIONS_MAX]>);

impl Curve {
    /// The share that is without an answer after `time`.
    fn alive_after(&self, time: Duration) -> f64 {
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
            .map(|(at, _)| *at)
    }

    /// Whether `time` lies so far beyond what anybody waited that nothing can be said: most were not answered, and nobody waited for
    /// half of it.
    fn is_beyond(&self, time: Duration, alive: f64) -> bool {
        let longest = self.0.last().map_or(Duration::ZERO, |(at, _)| *at);
        alive > 0.5 && longest < time / 2
    }
}
