//! What grows while nothing else changes: a slope, and how sure it is.

/// Blocks that neighbouring points are put together in: what is high now is high a second later, and would be counted as evidence
/// again and again.
const BLOCKS: usize = 20;
/// Of fewer points a slope says nothing.
pub(super) const POINTS_MIN: usize = 2 * BLOCKS;
/// The quantile of Student's distribution with 18 degrees of freedom that leaves 0.5 % above it.
const SURE: f64 = 2.878;

/// How much something grows in an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drift {
    pub(super) per_hour: f64,
    /// The standard error of that.
    pub(super) error: f64,
}

impl Drift {
    /// Whether it is above this, beyond its own error.
    pub(super) fn surely_above(self, allowed: f64) -> bool {
        self.per_hour - SURE * self.error > allowed
    }
}

/// The slope through points of seconds and values, by least squares over the means of blocks; `None` of too few.
pub(super) fn drift_per_hour(points: &[(f64, f64)]) -> Option<Drift> {
    if points.len() < POINTS_MIN {
        return None;
    }
    let mean = |of: &[(f64, f64)]| {
        let sum = of.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / of.len() as f64, sum.1 / of.len() as f64)
    };
    let edge = |block: usize| block * points.len() / BLOCKS;
    let blocks: Vec<(f64, f64)> = (0..BLOCKS).map(|block| mean(&points[edge(block)..edge(block + 1)])).collect();
    let (mean_at, mean_value) = mean(&blocks);
    let spread: f64 = blocks.iter().map(|(at, _)| (at - mean_at).powi(2)).sum();
    let slope = blocks.iter().map(|(at, value)| (at - mean_at) * (value - mean_value)).sum::<f64>() / spread;
    let left: f64 = blocks.iter().map(|(at, value)| (value - mean_value - slope * (at - mean_at)).powi(2)).sum();
    let error = (left / (BLOCKS as f64 - 2.0) / spread).sqrt();
    slope.is_finite().then_some(Drift { per_hour: slope * 3_600.0, error: error * 3_600.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour of seconds with some noise that is the same every time.
    fn hour(of: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        let noise = |nth: u64| (nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / f64::from(1 << 24) - 0.5;
        (0..3_600).map(|nth| (nth as f64, of(nth as f64) + noise(nth))).collect()
    }

    #[test]
    fn a_leak_is_found_and_noise_is_none() {
        let leak = drift_per_hour(&hour(|at| 100.0 + at / 3_600.0)).unwrap();
        assert!((leak.per_hour - 1.0).abs() < 0.1, "{leak:?}");
        assert!(leak.surely_above(0.5) && !leak.surely_above(1.5));
        let level = drift_per_hour(&hour(|_| 100.0)).unwrap();
        assert!(!level.surely_above(0.02), "{level:?}");
        // A saw that goes up for ten minutes and down at once is no leak, however steep it is at the end.
        let saw = drift_per_hour(&hour(|at| at % 600.0)).unwrap();
        assert!(!saw.surely_above(300.0), "{saw:?}");
        assert_eq!(drift_per_hour(&hour(|_| 1.0)[..20]), None);
    }
}
