//! Counts of a recent window, out of counts that only grow.
//!
//! What counts on the way of a decision counts up for ever, one atomic addition each. Whoever looks notes from time to time how far the
//! counts had come: a window is what was counted since the second last note. So it costs nothing on the way of a decision, and what
//! nobody looks at has no window.

use std::time::Duration;

use crate::time::Instant;

/// How long one half of a window is at least: a look every quarter of a minute then moves it smoothly enough, and of an hour of the
/// day there is always all.
const HALF: Duration = Duration::from_secs(3_600);

/// What a half counts at least, unless it takes too long: with fewer, shares over ten bins move by chance alone.
const HALF_COUNTS: u64 = 1_000;

/// How long a half is at most: what was counted a fortnight ago says nothing of today.
const HALF_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The counts of a recent window: two halves, of which the later one is still growing.
#[derive(Debug)]
pub(super) struct RecentCounts {
    /// How far the counts had come when the earlier half began, and the later one.
    begun: [(Instant, Box<[u64]>); 2],
}

impl RecentCounts {
    /// A window that begins now, with the counts as they stand.
    pub(super) fn begin(now: Instant, counts: &[u64]) -> Self {
        Self { begun: [(now, counts.into()), (now, counts.into())] }
    }

    /// What was counted in the window, by count; begins another half when it is time. `total` is the place of the count that the
    /// others are parts of.
    pub(super) fn look(&mut self, now: Instant, counts: &[u64], total: usize) -> Vec<u64> {
        let [earlier, later] = &mut self.begun;
        let recent = counts.iter().zip(&earlier.1).map(|(now, then)| now.saturating_sub(*then)).collect();
        let age = now.since(later.0);
        let counted = counts[total].saturating_sub(later.1[total]);
        if (age >= HALF && counted >= HALF_COUNTS) || age >= HALF_MAX {
            *earlier = std::mem::replace(later, (now, counts.into()));
        }
        recent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TimeDelta;
    use crate::time::Clock;

    fn hours(hours: i64) -> TimeDelta {
        TimeDelta::from_micros(hours * TimeDelta::HOUR.micros())
    }

    #[test]
    fn a_window_is_the_last_two_halves() {
        let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
        let mut recent = RecentCounts::begin(clock.instant(), &[5, 2]);
        let mut look = |counts: [u64; 2], later: i64| {
            clock.advance(hours(later));
            recent.look(clock.instant(), &counts, 0)
        };
        assert_eq!(look([5, 2], 0), [0, 0], "what came before it is not in it");
        assert_eq!(look([1_005, 102], 1), [1_000, 100], "the first half is over");
        assert_eq!(look([1_405, 202], 1), [1_400, 200], "the second has too few yet");
        assert_eq!(look([2_305, 402], 1), [2_300, 400], "now it is over too");
        assert_eq!(look([2_306, 402], 0), [1_301, 300], "and the first is gone");
        assert_eq!(look([2_316, 403], 24 * 7), [1_311, 301], "whoever counts few has a half for a week");
        assert_eq!(look([2_317, 403], 0), [12, 1]);
    }
}
