//! How long an answer takes.

use std::time::Duration;

use serde::Deserialize;

use crate::mixed;

/// How long a request waits for its answer; by the number of the request since the behaviour was set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Latency {
    /// Not at all.
    #[default]
    None,
    /// Always as long.
    Constant(#[serde(deserialize_with = "crate::span::deserialize")] Duration),
    /// One after the other, from the start again after the last.
    Script(#[serde(deserialize_with = "crate::span::list::deserialize")] Vec<Duration>),
    /// One of two.
    Bimodal {
        /// Most of them.
        #[serde(deserialize_with = "crate::span::deserialize")]
        fast: Duration,
        /// The others.
        #[serde(deserialize_with = "crate::span::deserialize")]
        slow: Duration,
        /// How many are slow, in thousandths.
        slow_milli: u64,
        /// Which of them.
        seed: u64,
    },
    /// As real models are: most near the median, a long tail above it.
    LogNormal {
        /// Half are quicker.
        #[serde(deserialize_with = "crate::span::deserialize")]
        median: Duration,
        /// The deviation of the logarithm, in thousandths.
        sigma_milli: u32,
        /// Which of them.
        seed: u64,
    },
    /// Slow until it is warm.
    SlowStart {
        /// As many are slow.
        requests: u64,
        /// So slow.
        #[serde(deserialize_with = "crate::span::deserialize")]
        slow: Duration,
        /// The others.
        #[serde(deserialize_with = "crate::span::deserialize")]
        fast: Duration,
    },
}

impl Latency {
    /// That of a request.
    pub fn of(&self, number: u64) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Constant(latency) => *latency,
            Self::Script(latencies) => {
                let at = usize::try_from(number).unwrap_or_default().checked_rem(latencies.len());
                at.and_then(|at| latencies.get(at)).copied().unwrap_or_default()
            }
            Self::Bimodal { fast, slow, slow_milli, seed } => {
                if mixed(*seed, number) % 1000 < *slow_milli {
                    *slow
                } else {
                    *fast
                }
            }
            Self::LogNormal { median, sigma_milli, seed } => {
                median.mul_f64((f64::from(*sigma_milli) / 1000.0 * normal(*seed, number)).exp())
            }
            Self::SlowStart { requests, slow, fast } => {
                if number < *requests {
                    *slow
                } else {
                    *fast
                }
            }
        }
    }
}

/// A standard normal number, after Box and Muller.
fn normal(seed: u64, number: u64) -> f64 {
    let first = share(mixed(seed, number.wrapping_mul(2)));
    let second = share(mixed(seed, number.wrapping_mul(2).wrapping_add(1)));
    (-2.0 * first.ln()).sqrt() * (std::f64::consts::TAU * second).cos()
}

/// Above 0, up to 1.
fn share(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 1.0) / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(50);
    const SLOW: Duration = Duration::from_secs(2);

    #[test]
    fn as_many_are_slow_as_were_asked_for_and_always_the_same() {
        let latency = Latency::Bimodal { fast: FAST, slow: SLOW, slow_milli: 200, seed: 7 };
        let slow = (0..10_000).filter(|number| latency.of(*number) == SLOW).count();
        assert!((1_900..=2_100).contains(&slow), "{slow}");
        assert!((0..100).all(|number| latency.of(number) == latency.clone().of(number)));
        let others = Latency::Bimodal { fast: FAST, slow: SLOW, slow_milli: 200, seed: 8 };
        assert!((0..100).any(|number| latency.of(number) != others.of(number)));
    }

    #[test]
    fn half_are_quicker_than_the_median_and_few_are_far_above_it() {
        let latency = Latency::LogNormal { median: FAST, sigma_milli: 500, seed: 1 };
        let mut latencies: Vec<Duration> = (0..10_001).map(|number| latency.of(number)).collect();
        latencies.sort();
        let close = |measured: Duration, expected: f64| (measured.as_secs_f64() / expected - 1.0).abs() < 0.05;
        assert!(close(latencies[5_000], 0.050), "{:?}", latencies[5_000]);
        // The 99th percentile lies 2.326 deviations above the median.
        assert!(close(latencies[9_900], 0.050 * (0.5_f64 * 2.326).exp()), "{:?}", latencies[9_900]);
    }

    #[test]
    fn scripts_start_again_and_slow_starts_end() {
        let script = Latency::Script(vec![FAST, SLOW]);
        assert_eq!([0, 1, 2].map(|number| script.of(number)), [FAST, SLOW, FAST]);
        assert_eq!(Latency::Script(Vec::new()).of(3), Duration::ZERO);
        let start = Latency::SlowStart { requests: 2, slow: SLOW, fast: FAST };
        assert_eq!([0, 1, 2].map(|number| start.of(number)), [SLOW, SLOW, FAST]);
    }
}
