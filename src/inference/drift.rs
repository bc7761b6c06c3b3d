//! Drift: how far what comes today is from what a model was trained on.
//!
//! The population stability index compares two distributions over the same bins: the sum of `(a - e) ln(a / e)` over bins, with `e` the share expected
//! and `a` the actual one. It is the symmetric Kullback-Leibler divergence (Jeffreys 1946), known under this name from credit scoring (Siddiqi
//! 2006). Customary readings: below 0.1 little has moved, above 0.25 much has. These know nothing of how many were counted: without any drift
//! the index is about `(bins - 1)(1/n + 1/m)` on average (Yurdakul and Naranjo 2020), so [`Stability::by_chance`] says what a large value is.
//!
//! It sees that inputs or answers are distributed otherwise. It does not see whether accuracy fell: that takes feedback.

use super::Probability;

/// The upper ends of the bins of confidence but the last, which ends at 1; a bin holds its lower end.
///
/// Fixed, so that figures of different days and models compare; dense near 1, where a calibrated model puts most of what it sees and
/// where thresholds of acceptance lie.
const CONFIDENCE_ENDS_PPM: [u32; CONFIDENCE_BINS - 1] =
    [300_000, 500_000, 600_000, 700_000, 800_000, 900_000, 950_000, 980_000, 995_000];

/// How many bins of confidence there are.
pub const CONFIDENCE_BINS: usize = 10;

/// The upper ends of the bins of confidence but the last, which ends at 1.
pub fn confidence_ends() -> [f64; CONFIDENCE_BINS - 1] {
    CONFIDENCE_ENDS_PPM.map(|ppm| f64::from(ppm) / 1e6)
}

/// How far apart two distributions are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stability {
    /// The population stability index.
    pub index: f64,
    /// What the index is on average, with so many counted, when nothing has moved. An index below three times this says nothing.
    pub by_chance: f64,
}

impl Stability {
    /// Compares counts over the same bins; `None` when either counted nothing or there is but one bin.
    ///
    /// Each count is raised by one half (Jeffreys' prior), so that an empty bin gives a large and not an infinite index. Linear in the bins,
    /// the same on every machine.
    ///
    /// # Panics
    /// When there are not as many bins on both sides.
    pub fn between(expected: &[u64], actual: &[u64]) -> Option<Self> {
        assert_eq!(expected.len(), actual.len(), "the same bins");
        let (n, m) = (expected.iter().sum::<u64>(), actual.iter().sum::<u64>());
        if n == 0 || m == 0 || expected.len() < 2 {
            return None;
        }
        let bins = expected.len() as f64;
        let share = |count: u64, of: u64| (count as f64 + 0.5) / (of as f64 + 0.5 * bins);
        let parts = expected.iter().zip(actual).map(|(e, a)| {
            let (e, a) = (share(*e, n), share(*a, m));
            (a - e) * libm::log(a / e)
        });
        Some(Self { index: parts.sum(), by_chance: (bins - 1.0) * (1.0 / n as f64 + 1.0 / m as f64) })
    }
}

/// The bin of a confidence, from 0 for the lowest.
#[inline]
pub fn confidence_bin(confidence: Probability) -> usize {
    CONFIDENCE_ENDS_PPM.partition_point(|end| confidence.ppm() >= *end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equals_the_sum_by_hand() {
        let found = Stability::between(&[4_000, 6_000], &[5_000, 5_000]).unwrap();
        assert!((found.index - 0.1 * (1.5f64).ln()).abs() < 1e-4, "{}", found.index);
        assert!((found.by_chance - 0.0002).abs() < 1e-12);
        let empty = Stability::between(&[100, 0], &[0, 100]).unwrap();
        assert!(empty.index.is_finite() && empty.index > 5.0);
        assert_eq!(Stability::between(&[0, 0], &[1, 2]), None);
        assert_eq!(Stability::between(&[7], &[7]), None);
    }

    #[test]
    fn confidences_fall_into_their_bins() {
        let bin = |text: &str| confidence_bin(text.parse().unwrap());
        assert_eq!(
            [bin("0"), bin("0.299999"), bin("0.3"), bin("0.9"), bin("0.994999"), bin("0.995"), bin("1")],
            [0, 0, 1, 6, 8, 9, 9]
        );
        assert_eq!(bin("1"), CONFIDENCE_BINS - 1);
    }

    /// Two samples of one distribution: the mean of the index is what chance gives.
    #[test]
    fn without_drift_the_index_is_what_chance_gives() {
        let mut seed = 1u64;
        let mut sample = || {
            let mut counts = [0u64; 8];
            for _ in 0..1_000 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                counts[(seed >> 61) as usize] += 1;
            }
            counts
        };
        let mut sum = 0.0;
        for _ in 0..300 {
            let found = Stability::between(&sample(), &sample()).unwrap();
            sum += found.index / found.by_chance;
        }
        assert!((sum / 300.0 - 1.0).abs() < 0.1, "{}", sum / 300.0);
    }

    proptest! {
        #[test]
        fn is_symmetric_and_never_negative(counts in prop::collection::vec((0..10_000u64, 0..10_000u64), 2..20)) {
            let (a, b): (Vec<_>, Vec<_>) = counts.into_iter().unzip();
            let both = (Stability::between(&a, &b), Stability::between(&b, &a));
            if let (Some(there), Some(back)) = both {
                prop_assert!((there.index - back.index).abs() < 1e-9);
                prop_assert!(there.index >= 0.0);
            }
            prop_assert!(Stability::between(&a, &a).is_none_or(|same| same.index == 0.0));
        }
    }
}
