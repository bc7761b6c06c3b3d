//! What batches of a model take, by their size: a 95th percentile that follows a change within seconds.
//!
//! Sizes are kept by powers of two, each with its latest observations. An observation weighs half as much for each second that
//! newer ones are newer, so a model that slows down is believed after a few batches, and one that recovered after some
//! seconds. A size that was not seen of late is bounded by those that were: a batch of fewer texts takes no longer, and one of
//! k times as many at most k times as long.

use std::time::Duration;

use crate::time::Instant;

/// The estimate of one model.
#[derive(Debug, Default)]
pub(super) struct ServiceTime {
    /// The nth holds sizes above 2^(n-1) and up to 2^n.
    buckets: Vec<Bucket>,
    newest: Option<Instant>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// The latest, as a ring.
    recent: Vec<Observation>,
    next: usize,
    newest: Option<Instant>,
    p95: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Observation {
    at: Instant,
    took: Duration,
}

/// Observations that a size keeps: enough that a 95th percentile is not the greatest, few enough to sort for each batch.
const RECENT_MAX: usize = 64;

/// The part of the weight that may lie above the estimate.
const TAIL: f64 = 0.05;

/// How long a size is judged by its own observations, before those of others are asked.
const FRESH: Duration = Duration::from_secs(10);

/// How long an estimate holds without a test. After that one question is put to the model though it looks hopeless; else an
/// estimate that is too high would never be found out.
const UNTESTED: Duration = Duration::from_secs(1);

impl ServiceTime {
    /// Notes that a batch of `size` texts took so long, until `at`.
    pub(super) fn observe(&mut self, size: usize, took: Duration, at: Instant) {
        let nth = nth(size);
        if self.buckets.len() <= nth {
            self.buckets.resize_with(nth + 1, Bucket::default);
        }
        self.buckets[nth].observe(Observation { at, took });
        self.newest = Some(at);
    }

    /// How long a batch of `size` texts will take, in all but one case of twenty; zero as long as nothing is known.
    pub(super) fn estimate(&self, size: usize, now: Instant) -> Duration {
        let is_fresh = |bucket: &Bucket| bucket.newest.is_some_and(|newest| now.since(newest) <= FRESH);
        if let Some(own) = self.buckets.get(nth(size)).filter(|own| is_fresh(own)) {
            return own.p95;
        }
        let known = self.bound(size, is_fresh);
        known.or_else(|| self.bound(size, |bucket| bucket.newest.is_some())).unwrap_or_default()
    }

    /// Whether nothing has tested the estimate of late.
    pub(super) fn is_untested(&self, now: Instant) -> bool {
        self.newest.is_none_or(|newest| now.since(newest) >= UNTESTED)
    }

    /// The least of the bounds that the chosen buckets give.
    fn bound(&self, size: usize, is_chosen: impl Fn(&Bucket) -> bool) -> Option<Duration> {
        let own = nth(size);
        let times = |nth| if nth == own { 1 } else { size.div_ceil(smallest(nth)) as u32 };
        let chosen = self.buckets.iter().enumerate().filter(|(_, bucket)| is_chosen(bucket));
        chosen.map(|(nth, bucket)| bucket.p95.saturating_mul(times(nth))).min()
    }
}

impl Bucket {
    fn observe(&mut self, observation: Observation) {
        if self.recent.len() < RECENT_MAX {
            self.recent.push(observation);
        } else {
            self.recent[self.next] = observation;
        }
        self.next = (self.next + 1) % RECENT_MAX;
        self.newest = Some(observation.at);
        self.p95 = self.percentile(observation.at);
    }

    /// The longest time with no more than the tail's weight above it.
    fn percentile(&self, newest: Instant) -> Duration {
        let weight = |observation: &Observation| (-newest.since(observation.at).as_secs_f64()).exp2();
        let mut sorted: Vec<(Duration, f64)> = self.recent.iter().map(|o| (o.took, weight(o))).collect();
        sorted.sort_unstable_by_key(|(took, _)| std::cmp::Reverse(*took));
        let mut above = TAIL * sorted.iter().map(|(_, weight)| weight).sum::<f64>();
        for (took, weight) in &sorted {
            above -= weight;
            if above < 0.0 {
                return *took;
            }
        }
        sorted.last().map_or(Duration::ZERO, |(took, _)| *took)
    }
}

/// The bucket of a size.
fn nth(size: usize) -> usize {
    size.max(1).next_power_of_two().trailing_zeros() as usize
}

/// The smallest size of a bucket.
fn smallest(nth: usize) -> usize {
    if nth == 0 { 1 } else { (1 << (nth - 1)) + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Clock;

    const MS: Duration = Duration::from_millis(1);

    fn start() -> Instant {
        Clock::system().instant()
    }

    /// Batches of `size`, one after the other; when the last one ended.
    fn observe(
        times: &mut ServiceTime,
        from: Instant,
        size: usize,
        took: impl IntoIterator<Item = Duration>,
    ) -> Instant {
        took.into_iter().fold(from, |at, took| {
            let end = at.after(took);
            times.observe(size, took, end);
            end
        })
    }

    #[test]
    fn takes_nothing_for_granted_before_the_first_batch() {
        let times = ServiceTime::default();
        assert_eq!(times.estimate(1, start()), Duration::ZERO);
        assert!(times.is_untested(start()));
    }

    #[test]
    fn is_not_the_longest_time_but_the_95th_of_a_hundred() {
        let mut times = ServiceTime::default();
        let took = (1..=60).map(|n| if n % 30 == 0 { 50 * MS } else { 6 * MS });
        let now = observe(&mut times, start(), 1, took);
        assert_eq!(times.estimate(1, now), 6 * MS, "two of sixty lie in the tail");
        let now = observe(&mut times, now, 1, [50 * MS; 4]);
        assert_eq!(times.estimate(1, now), 50 * MS);
    }

    #[test]
    fn believes_a_model_that_slows_down_after_a_few_batches() {
        let mut times = ServiceTime::default();
        let now = observe(&mut times, start(), 1, [6 * MS; 200]);
        let now = observe(&mut times, now, 1, [60 * MS; 4]);
        assert_eq!(times.estimate(1, now), 60 * MS);
    }

    #[test]
    fn believes_a_model_that_recovered_within_seconds() {
        let mut times = ServiceTime::default();
        let start = start();
        let now = observe(&mut times, start, 1, [500 * MS; 20]);
        let mut batches = 0;
        let mut now = now;
        while times.estimate(1, now) > 6 * MS {
            // Little work comes: four batches a second.
            now = now.after(244 * MS);
            now = observe(&mut times, now, 1, [6 * MS]);
            batches += 1;
            assert!(batches <= 20, "after five seconds it still says {:?}", times.estimate(1, now));
        }
        assert!(batches > 1, "one good batch is no proof");
    }

    #[test]
    fn one_stall_of_an_idle_model_is_forgotten_after_some_tests() {
        let mut times = ServiceTime::default();
        let mut now = observe(&mut times, start(), 1, [900 * MS]);
        let mut tests = 0;
        while times.estimate(1, now) > 6 * MS {
            now = now.after(UNTESTED);
            assert!(times.is_untested(now));
            now = observe(&mut times, now, 1, [6 * MS]);
            tests += 1;
        }
        assert!(tests <= 6, "it took {tests} tests");
    }

    #[test]
    fn sizes_that_were_not_seen_are_bounded_by_those_that_were() {
        let mut times = ServiceTime::default();
        let now = observe(&mut times, start(), 4, [20 * MS; 5]);
        assert_eq!(times.estimate(4, now), 20 * MS);
        assert_eq!(times.estimate(1, now), 20 * MS, "fewer take no longer");
        assert_eq!(times.estimate(12, now), 80 * MS, "three or four were seen, so twelve are up to four times as many");
        let now = observe(&mut times, now, 32, [60 * MS; 5]);
        assert_eq!(times.estimate(12, now), 60 * MS, "the least bound holds");
        let later = observe(&mut times, now.after(2 * FRESH), 1, [6 * MS]);
        assert_eq!(times.estimate(32, later), 192 * MS, "what was seen of late goes before what is old");
        assert_eq!(times.estimate(32, later.after(2 * FRESH)), 60 * MS, "old is better than nothing");
    }
}
