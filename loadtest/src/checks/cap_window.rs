//! What was taken of a cap, and whether it ever was too much within the window.

use std::collections::BTreeMap;

use forthwith::DecisionId;

/// Stretches of time that are kept of a cap of all customers; beyond that they are made twice as long.
const BUCKETS_MAX: usize = 1 << 16;
/// Stretches of a window, to begin with: what is counted of the window is all but one of them.
const BUCKETS_PER_WINDOW: i64 = 256;

/// What one decision took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Take {
    pub(super) decision: DecisionId,
    pub(super) amount: i64,
}

impl Take {
    fn at_ms(&self) -> i64 {
        self.decision.time().micros() / 1_000
    }
}

/// More was taken within a window than there may be: the takes, in their order, up to the one that was too much.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Excess<'a> {
    pub(super) takes: &'a [Take],
    pub(super) sum: i64,
}

/// Sorts what was taken by time and finds each take with which it was too much.
///
/// Times of decisions are cut to the millisecond: two that are `window_ms` apart by their ids may be a little less, or not, so only those
/// that are surely within one window are added up.
pub(super) fn excesses(takes: &mut Vec<Take>, window_ms: Option<i64>, max: i64) -> Vec<Excess<'_>> {
    takes.sort_by_key(|take| take.decision);
    takes.dedup_by_key(|take| take.decision);
    let takes = &takes[..];
    let (mut excesses, mut sum, mut first) = (Vec::new(), 0_i64, 0);
    for (nth, take) in takes.iter().enumerate() {
        sum = sum.saturating_add(take.amount);
        while window_ms.is_some_and(|window| take.at_ms() - takes[first].at_ms() >= window - 1) && first < nth {
            sum -= takes[first].amount;
            first += 1;
        }
        if sum > max {
            excesses.push(Excess { takes: &takes[first..=nth], sum });
        }
    }
    excesses
}

/// What all customers together took, by stretches of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Stretches {
    window_ms: Option<i64>,
    /// How long a stretch is; 0 where the window has no end, and everything is one.
    length_ms: i64,
    sums: BTreeMap<i64, i64>,
}

impl Stretches {
    pub(super) fn new(window_ms: Option<i64>) -> Self {
        let length_ms = window_ms.map_or(0, |window| (window / BUCKETS_PER_WINDOW).max(1));
        Self { window_ms, length_ms, sums: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, take: Take) {
        self.enter(take.at_ms().checked_div(self.length_ms).unwrap_or(0), take.amount);
    }

    pub(super) fn add(&mut self, mut other: Self) {
        while self.length_ms < other.length_ms {
            self.lengthen();
        }
        while other.length_ms < self.length_ms {
            other.lengthen();
        }
        other.sums.into_iter().for_each(|(stretch, amount)| self.enter(stretch, amount));
    }

    /// The first stretches that lie within one window and sum up to more than there may be: from and to when, in milliseconds since 1970,
    /// and the sum. Then how many there are.
    pub(super) fn excess(&self, max: i64) -> (Option<(i64, i64, i64)>, u64) {
        // Stretches that lie within a window wherever it begins.
        let within = self.window_ms.map(|window| (window - 1) / self.length_ms.max(1));
        let (mut first, mut excesses, mut sum) = (None, 0, 0_i64);
        let mut begin = self.sums.iter().peekable();
        for (stretch, amount) in &self.sums {
            sum = sum.saturating_add(*amount);
            while let Some((_, gone)) =
                begin.next_if(|(begin, _)| within.is_some_and(|within| *stretch - **begin >= within))
            {
                sum -= gone;
            }
            if sum > max {
                excesses += 1;
                let from = begin.peek().map_or(*stretch, |(begin, _)| **begin);
                first = first.or(Some((from * self.length_ms, (stretch + 1) * self.length_ms, sum)));
            }
        }
        (first, excesses)
    }

    fn enter(&mut self, stretch: i64, amount: i64) {
        let sum = self.sums.entry(stretch).or_default();
        *sum = sum.saturating_add(amount);
        while self.sums.len() > BUCKETS_MAX {
            self.lengthen();
        }
    }

    fn lengthen(&mut self) {
        self.length_ms *= 2;
        for (stretch, amount) in std::mem::take(&mut self.sums) {
            *self.sums.entry(stretch.div_euclid(2)).or_default() += amount;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    fn take(at_ms: u64, number: u64, amount: i64) -> Take {
        let id = u128::from(1_763_800_000_000 + at_ms) << 80 | u128::from(number);
        Take { decision: DecisionId::from_u128(id), amount }
    }

    /// Takes at random times, each only if it is within the limit: what an engine grants that keeps to it.
    fn within(random: &mut Pcg64Mcg, window_ms: u64, max: i64) -> Vec<Take> {
        let (mut granted, mut now): (Vec<(u64, i64)>, u64) = (Vec::new(), 0);
        let mut takes = Vec::new();
        for number in 0..2_000 {
            now += random.random_range(0..=window_ms / 50);
            let amount = random.random_range(1..=max / 4);
            let taken: i64 = granted.iter().filter(|(at, _)| now - at < window_ms).map(|(_, amount)| amount).sum();
            if taken + amount <= max {
                granted.push((now, amount));
                takes.push(take(now, number, amount));
            }
        }
        takes
    }

    #[test]
    fn what_keeps_to_the_limit_is_no_excess_and_what_does_not_is() {
        for seed in 0..60 {
            let mut random = Pcg64Mcg::seed_from_u64(seed);
            let (window_ms, max) = (random.random_range(100..20_000), random.random_range(40..5_000));
            let takes = within(&mut random, window_ms, max);
            let window = Some(window_ms as i64);
            let stretches = |takes: &[Take], lengthen: u32| {
                let (mut one, mut other) = (Stretches::new(window), Stretches::new(window));
                takes.iter().enumerate().for_each(|(nth, take)| [&mut one, &mut other][nth % 2].take(*take));
                (0..lengthen).for_each(|_| other.lengthen());
                one.add(other);
                one.excess(max).1
            };
            assert_eq!(excesses(&mut takes.clone(), window, max), [], "seed {seed}");
            // However long the stretches become, nobody is accused who did nothing.
            (0..12).for_each(|lengthen| assert_eq!(stretches(&takes, lengthen), 0, "seed {seed}, {lengthen}"));
            // As much again in one moment.
            let mut more = takes;
            let at_ms = random.random_range(0..10_000);
            more.extend((0..2).map(|nth| take(at_ms, 1_000_000 + nth, max / 2 + 1)));
            assert!(!excesses(&mut more.clone(), window, max).is_empty() && stretches(&more, 0) > 0, "seed {seed}");
        }
    }

    #[test]
    fn a_window_without_end_is_added_up_for_ever() {
        let mut stretches = Stretches::new(None);
        (0..10).for_each(|nth| stretches.take(take(nth * 1_000_000_000, nth, 10)));
        assert_eq!((stretches.excess(100), stretches.excess(99).1), ((None, 0), 1));
        let mut takes: Vec<Take> = (0..10).map(|nth| take(nth * 1_000_000_000, nth, 10)).collect();
        assert_eq!((excesses(&mut takes, None, 100).len(), excesses(&mut takes, None, 89).len()), (0, 2));
    }

    #[test]
    fn stretches_are_bounded() {
        let mut stretches = Stretches::new(Some(1_000));
        (0..400_000).for_each(|nth| stretches.take(take(nth * 4, nth, 1)));
        assert!(stretches.sums.len() <= BUCKETS_MAX && stretches.length_ms >= 3 * 4, "{}", stretches.length_ms);
        assert_eq!(stretches.sums.values().sum::<i64>(), 400_000);
        assert_eq!(stretches.excess(250).1, 0, "250 in a second is what there is");
        assert!(stretches.excess(150).1 > 0);
    }
}
