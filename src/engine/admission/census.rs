//! Who asks, and how a share is divided among them.

use std::time::Duration;

use super::verdict::{Verdict, WHOLE};
use super::weight::LEVELS;

/// Customers are counted in so many buckets, by hash.
pub(super) const BUCKETS: usize = 256;

/// Buckets of customers who ask far more than others.
pub(super) type Hot = [u64; BUCKETS / 64];

/// What was asked lately.
#[derive(Clone, Debug)]
pub(super) struct Census {
    /// By level.
    levels: [f64; LEVELS],
    /// By the customers' buckets.
    buckets: [f64; BUCKETS],
}

/// Requests count for about so long.
const MEMORY: Duration = Duration::from_millis(200);

/// A bucket with so many times the mean of all belongs to someone who asks far more than others. Such a customer is given as
/// much as so many others.
const HOT_FACTOR: f64 = 4.0;

/// Fewer requests than this in a bucket are nothing unusual.
const HOT_MIN: f64 = 16.0;

impl Default for Census {
    fn default() -> Self {
        Self { levels: [0.0; LEVELS], buckets: [0.0; BUCKETS] }
    }
}

impl Census {
    /// Learns what was asked in a time.
    pub(super) fn learn(&mut self, passed: Duration, levels: [u32; LEVELS], buckets: impl Iterator<Item = u32>) {
        let kept = 1.0 - (passed.as_secs_f64() / MEMORY.as_secs_f64()).min(1.0);
        for (mean, count) in self.levels.iter_mut().zip(levels) {
            *mean = *mean * kept + f64::from(count);
        }
        for (mean, count) in self.buckets.iter_mut().zip(buckets) {
            *mean = *mean * kept + f64::from(count);
        }
    }

    /// Forgets whose buckets are whose: they are dealt out anew.
    pub(super) fn shuffle(&mut self) {
        self.buckets = [0.0; BUCKETS];
    }

    /// Divides a share of what is asked: the highest levels first, and on the last one as evenly as may be.
    pub(super) fn divide(&self, share: f64) -> (Verdict, Hot) {
        let mut left = share * self.levels.iter().sum::<f64>();
        if share >= 1.0 || left <= 0.0 {
            return (Verdict::COUNTING, Hot::default());
        }
        let mut marginal = LEVELS - 1;
        while marginal > 0 && self.levels[marginal] <= left {
            left -= self.levels[marginal];
            marginal -= 1;
        }
        let (hot, heat) = self.hot();
        let of_hot = self.levels[marginal] * heat;
        let of_rest = self.levels[marginal] - of_hot;
        let buckets = f64::from(hot.iter().map(|word| word.count_ones()).sum::<u32>());
        // Everyone's share if those who are hot are each given as much as `HOT_FACTOR` others.
        let most = HOT_FACTOR * of_rest / (BUCKETS as f64 - buckets) * buckets;
        let to_rest = chance(left, of_rest + most.min(of_hot));
        let to_hot = chance(left - to_rest * of_rest, of_hot).min(to_rest);
        let parts = |chance: f64| (chance * f64::from(WHOLE)) as u32;
        (Verdict { marginal: marginal as u8, rest: parts(to_rest), hot: parts(to_hot) }, hot)
    }

    /// The buckets of those who ask far more than others, and what part of everything they ask.
    fn hot(&self) -> (Hot, f64) {
        let all: f64 = self.buckets.iter().sum();
        let least = (HOT_FACTOR * all / BUCKETS as f64).max(HOT_MIN);
        let (mut hot, mut asked) = (Hot::default(), 0.0);
        for (bucket, count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > least) {
            hot[bucket / 64] |= 1 << (bucket % 64);
            asked += count;
        }
        (hot, if all > 0.0 { asked / all } else { 0.0 })
    }
}

fn chance(given: f64, of: f64) -> f64 {
    if of > 0.0 { (given / of).clamp(0.0, 1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(levels: &[(usize, u32)], buckets: impl Fn(usize) -> u32) -> Census {
        let mut census = Census::default();
        let mut counts = [0; LEVELS];
        levels.iter().for_each(|(level, count)| counts[*level] = *count);
        census.learn(MEMORY, counts, (0..BUCKETS).map(buckets));
        census
    }

    #[test]
    fn the_lowest_goes_first() {
        let census = census(&[(8, 100), (5, 500), (2, 400)], |_| 4);
        let margin = |share| {
            let (verdict, _) = census.divide(share);
            (verdict.marginal, (f64::from(verdict.rest) / f64::from(WHOLE) * 100.0).round() as u32)
        };
        assert_eq!(margin(1.0), (0, 100));
        assert_eq!(margin(0.8), (2, 50), "half of the low ones");
        assert_eq!(margin(0.35), (5, 50), "no low one, and half of the normal ones");
        assert_eq!(margin(0.05), (8, 50));
    }

    #[test]
    fn one_who_floods_is_held_to_a_few_times_what_others_get() {
        // Nine in ten requests are of one customer.
        let census = census(&[(5, 25_600)], |bucket| if bucket == 70 { 23_040 } else { 10 });
        let (verdict, hot) = census.divide(0.5);
        assert_eq!(hot, [0, 1 << 6, 0, 0]);
        assert_eq!(verdict.rest, WHOLE, "the others are all admitted");
        let admitted = 23_040.0 * f64::from(verdict.hot) / f64::from(WHOLE);
        assert!((admitted + 2_550.0 - 12_800.0).abs() < 300.0, "the flood gets what is left: {admitted}");
        let (verdict, _) = census.divide(0.05);
        let others = f64::from(verdict.rest) / f64::from(WHOLE);
        assert!(others > 0.45 && others < 0.55, "half of the others: {others}");
        let flood = f64::from(verdict.hot) / f64::from(WHOLE) * 23_040.0;
        assert!(flood <= 4.5 * 10.0, "as much as four others: {flood}");
    }

    #[test]
    fn chance_alone_makes_nobody_hot() {
        let census = census(&[(5, 600)], |bucket| [1, 2, 9, 0, 3][bucket % 5]);
        assert_eq!(census.divide(0.5).1, Hot::default());
    }
}
