//! A provider of two regimes, drawn beforehand.

use std::ops::Range;
use std::time::Duration;

/// What each question would have to wait, whether it is asked or not.
pub(crate) struct Latencies(pub(crate) Vec<Duration>);

/// Numbers that look drawn and are the same each time (SplitMix64: Steele, Lea and Flood 2014).
pub(crate) struct Chances(u64);

/// The medians of the regimes, in seconds.
const QUICK: f64 = 0.05;
const SLOW: f64 = 2.0;

/// The spread of the logarithm about them.
const SIGMA: f64 = 0.3;

/// One answer of fifty is a straggler and takes so many times as long.
const STRAGGLERS: f64 = 0.02;
const STRAGGLE: f64 = 20.0;

impl Latencies {
    /// Now quick and now slow, each for a time drawn evenly from `dwell` in seconds.
    pub(crate) fn drifting(chances: &mut Chances, count: u64, pace: Duration, dwell: Range<f64>) -> Self {
        let mut left = 0.0;
        let mut is_quick = chances.even() < 0.5;
        let latency = |_| {
            if left <= 0.0 {
                is_quick = !is_quick;
                left = dwell.start + (dwell.end - dwell.start) * chances.even();
            }
            left -= pace.as_secs_f64();
            chances.latency(is_quick)
        };
        Self((0..count).map(latency).collect())
    }

    /// Each quick with the same chance.
    pub(crate) fn mixed(chances: &mut Chances, count: u64, quick: f64) -> Self {
        let latency = |_| {
            let is_quick = chances.even() < quick;
            chances.latency(is_quick)
        };
        Self((0..count).map(latency).collect())
    }
}

impl Chances {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    /// Within 0 and 1, and neither of them.
    fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        ((mixed >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    fn latency(&mut self, is_quick: bool) -> Duration {
        // Box and Muller 1958.
        let normal = (-2.0 * self.even().ln()).sqrt() * (std::f64::consts::TAU * self.even()).cos();
        let straggle = if self.even() < STRAGGLERS { STRAGGLE } else { 1.0 };
        let median = if is_quick { QUICK } else { SLOW };
        Duration::from_secs_f64(median * (SIGMA * normal).exp() * straggle)
    }
}
