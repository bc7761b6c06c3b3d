//! How long a turn has to wait, from what turns took lately.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};

/// What a turn that waited took: a mean in which the latest count most. Measured only on turns that waited, so that a customer
/// who is idle pays nothing for it.
#[derive(Debug, Default)]
pub(super) struct TurnTime(AtomicU64);

/// A turn moves the mean by one part in so many.
const SMOOTHING: u64 = 16;

impl TurnTime {
    /// Learns from a turn. Two threads that learn at once may lose one of the two, which a mean can bear.
    pub(super) fn learn(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let mean = self.0.load(Ordering::Relaxed);
        let next = if mean == 0 { took } else { mean - mean / SMOOTHING + took / SMOOTHING };
        self.0.store(next, Ordering::Relaxed);
    }

    /// What so many turns will take.
    pub(super) fn of(&self, turns: usize) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed).saturating_mul(turns as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_follows_what_turns_take() {
        let time = TurnTime::default();
        assert_eq!(time.of(1_000), Duration::ZERO, "nothing is known yet");
        time.learn(Duration::from_micros(10));
        assert_eq!(time.of(3), Duration::from_micros(30));
        (0..200).for_each(|_| time.learn(Duration::from_micros(100)));
        assert!(time.of(1) > Duration::from_micros(95) && time.of(1) <= Duration::from_micros(100));
        (0..400).for_each(|_| time.learn(Duration::from_micros(1)));
        assert!(time.of(1) < Duration::from_micros(2), "a slow turn is not held against those after it for long");
    }
}
