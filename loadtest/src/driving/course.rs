//! When the calls of one driver thread are due.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::scenario::{Arrivals, Phase, Rate};

/// A call that is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Due {
    /// When, since the run began.
    pub(crate) at: Duration,
    /// The number of its phase.
    pub(crate) phase: usize,
    /// The number of the recorded event, if it is one.
    pub(crate) recorded: Option<usize>,
    /// Whether it is made as soon as another is answered, and so is never late.
    pub(crate) is_closed: bool,
}

/// The calls of one thread, in the order of their times.
///
/// Knows no clock: it is told the time.
#[derive(Debug)]
pub(crate) struct Course {
    stretches: Vec<Stretch>,
    /// The stretch that is under way.
    current: usize,
    share: Share,
    random: Pcg64Mcg,
    /// Recorded events of this thread: when and which.
    recorded: Vec<(Duration, usize)>,
    next_recorded: usize,
    /// Calls that have become due in this stretch.
    nth: u64,
    /// When the next call of an open stretch is due.
    next: Duration,
    /// Calls a second of this open stretch, of all threads.
    per_second: f64,
    /// Answers a second in the peak phase, of this thread.
    peak: f64,
}

/// Which part of all calls is a thread's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) thread: usize,
    pub(crate) threads: usize,
    pub(crate) seed: u64,
    /// Calls under way at a time where recorded events are sent as fast as it goes.
    pub(crate) at_a_time: usize,
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Duration,
    to: Duration,
    arrivals: Arrivals,
}

impl Course {
    pub(crate) fn new(phases: &[Phase], share: Share, recorded: Vec<(Duration, usize)>) -> Self {
        let mut from = 0.0;
        let stretches = phases.iter().map(|phase| {
            let begins = from;
            from += phase.seconds;
            let (from, to) = (Duration::from_secs_f64(begins), Duration::from_secs_f64(from));
            Stretch { from, to, arrivals: phase.arrivals }
        });
        let random =
            Pcg64Mcg::seed_from_u64(share.seed ^ (share.thread as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let stretches = stretches.collect();
        let mut course = Self {
            stretches,
            current: 0,
            share,
            random,
            recorded,
            next_recorded: 0,
            nth: 0,
            next: Duration::ZERO,
            per_second: 0.0,
            peak: 0.0,
        };
        course.begin(0);
        course
    }

    /// The next call that is due by now, while so many are under way.
    pub(crate) fn take(&mut self, now: Duration, under_way: usize) -> Option<Due> {
        loop {
            let phase = self.current;
            let stretch = *self.stretches.get(phase)?;
            if now < stretch.from {
                return None;
            }
            let due = match stretch.arrivals {
                Arrivals::Closed { .. } if now >= stretch.to => None,
                Arrivals::Closed { callers, .. } if under_way >= self.of_callers(callers) => return None,
                Arrivals::Closed { .. } => return Some(Due { at: now, phase, recorded: None, is_closed: true }),
                Arrivals::Open { .. } if self.next >= stretch.to => None,
                Arrivals::Open { is_poisson, .. } if self.next <= now => {
                    let at = self.next;
                    self.nth += 1;
                    self.next = self.after(at, stretch, is_poisson);
                    return Some(Due { at, phase, recorded: None, is_closed: false });
                }
                Arrivals::Recorded => match self.take_recorded(now, under_way, stretch) {
                    Some(due) => return due,
                    None => None,
                },
                Arrivals::Open { .. } => return None,
            };
            match due {
                Some(due) => return Some(due),
                None => self.begin(phase + 1),
            }
        }
    }

    /// When something is due again, if it does not depend on an answer.
    pub(crate) fn next(&self) -> Option<Duration> {
        let stretch = self.stretches.get(self.current)?;
        Some(match stretch.arrivals {
            // Full of callers, or not yet begun.
            Arrivals::Closed { .. } if self.nth == 0 => stretch.from,
            Arrivals::Closed { .. } => stretch.to,
            Arrivals::Open { .. } => self.next.min(stretch.to).max(stretch.from),
            Arrivals::Recorded => match self.recorded.get(self.next_recorded) {
                Some((at, _)) if !self.is_as_fast_as_it_goes() => (stretch.from + *at).min(stretch.to),
                _ => stretch.to,
            },
        })
    }

    /// Whether no call is due any more.
    pub(crate) fn is_over(&self) -> bool {
        self.current >= self.stretches.len()
    }

    /// A call of a phase was answered in time.
    pub(crate) fn heard(&mut self, phase: usize) {
        if let Some(Stretch { from, to, arrivals: Arrivals::Closed { is_peak: true, .. } }) = self.stretches.get(phase)
        {
            self.peak += 1.0 / (*to - *from).as_secs_f64();
        }
    }

    /// Answers a second in the peak phase.
    pub(crate) fn peak(&self) -> f64 {
        self.peak
    }

    /// Recorded events that were not sent, once all is over.
    pub(crate) fn unsent(&self) -> u64 {
        (self.recorded.len() - self.next_recorded) as u64
    }

    /// A closed call has become due.
    pub(crate) fn made(&mut self) {
        self.nth += 1;
    }

    fn begin(&mut self, phase: usize) {
        self.current = phase;
        self.nth = 0;
        let Some(&stretch) = self.stretches.get(phase) else { return };
        if let Arrivals::Open { rate, is_poisson } = stretch.arrivals {
            self.per_second = match rate {
                Rate::PerSecond(rate) => rate,
                // The peak is this thread's, so the whole is as many times that.
                Rate::OfPeak(times) => (times * self.peak * self.share.threads as f64).max(1.0),
            };
            self.next = self.after(stretch.from, stretch, is_poisson);
        }
    }

    /// When the call after one at this time is due.
    fn after(&mut self, at: Duration, stretch: Stretch, is_poisson: bool) -> Duration {
        let threads = self.share.threads as f64;
        if is_poisson {
            // Many independent processes are one whose rate is the sum.
            let drawn: f64 = self.random.random();
            let gap = -(1.0 - drawn).ln() * threads / self.per_second;
            return at + Duration::from_secs_f64(gap);
        }
        let number = self.nth as f64 * threads + self.share.thread as f64;
        stretch.from + Duration::from_secs_f64(number / self.per_second)
    }

    fn of_callers(&self, callers: usize) -> usize {
        let Share { thread, threads, .. } = self.share;
        callers / threads + usize::from(thread < callers % threads)
    }

    fn is_as_fast_as_it_goes(&self) -> bool {
        self.recorded.last().is_some_and(|(at, _)| at.is_zero())
    }

    /// The next recorded call, or `Some(None)` if it is not due yet, or `None` if there is none any more.
    fn take_recorded(&mut self, now: Duration, under_way: usize, stretch: Stretch) -> Option<Option<Due>> {
        let &(at, number) = self.recorded.get(self.next_recorded)?;
        let is_closed = self.is_as_fast_as_it_goes();
        let at = if is_closed { now } else { stretch.from + at };
        if at >= stretch.to {
            return None;
        }
        if at > now || (is_closed && under_way >= self.share.at_a_time) {
            return Some(None);
        }
        self.next_recorded += 1;
        Some(Some(Due { at, phase: self.current, recorded: Some(number), is_closed }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Share = Share { thread: 0, threads: 1, seed: 7, at_a_time: 4 };

    fn phase(seconds: f64, arrivals: Arrivals) -> Phase {
        Phase { name: "p".to_owned(), seconds, arrivals, is_counted: true }
    }

    fn open(rate: f64, is_poisson: bool) -> Arrivals {
        Arrivals::Open { rate: Rate::PerSecond(rate), is_poisson }
    }

    /// Everything that is due in time, on one thread of some.
    fn all(phases: &[Phase], share: Share) -> Vec<Due> {
        let mut course = Course::new(phases, share, Vec::new());
        std::iter::from_fn(|| course.take(Duration::from_secs(1_000), 0)).collect()
    }

    #[test]
    fn calls_at_a_constant_rate_are_evenly_apart_and_divided_among_threads() {
        let phases = [phase(1.0, open(1_000.0, false)), phase(0.5, open(100.0, false))];
        let mut all_at: Vec<Duration> = Vec::new();
        for thread in 0..3 {
            all_at.extend(all(&phases, Share { thread, threads: 3, ..WHOLE }).iter().map(|due| due.at));
        }
        all_at.sort();
        assert_eq!(all_at.len(), 1_050);
        for (nth, at) in all_at.iter().enumerate() {
            let expected = if nth < 1_000 { nth as f64 / 1_000.0 } else { 1.0 + (nth - 1_000) as f64 / 100.0 };
            assert!((at.as_secs_f64() - expected).abs() < 1e-6, "call {nth} is due at {at:?}");
        }
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process_and_come_from_the_seed() {
        let phases = [phase(10.0, open(2_000.0, true))];
        let drawn: Vec<Vec<Due>> = (0..2).map(|thread| all(&phases, Share { thread, threads: 2, ..WHOLE })).collect();
        assert_ne!(drawn[0], drawn[1]);
        assert_eq!(drawn[0], all(&phases, Share { thread: 0, threads: 2, ..WHOLE }));
        let count = drawn[0].len() + drawn[1].len();
        // 20,000 with a deviation of 141.
        assert!((19_400..20_600).contains(&count), "{count}");
        // The number within a tenth of a second has as much variance as mean.
        let mut tenths = [0.0_f64; 100];
        drawn.iter().flatten().for_each(|due| tenths[(due.at.as_secs_f64() * 10.0) as usize] += 1.0);
        let mean = tenths.iter().sum::<f64>() / 100.0;
        let variance = tenths.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / 99.0;
        assert!((0.6..1.6).contains(&(variance / mean)), "{variance} of {mean}");
    }

    #[test]
    fn what_is_behind_is_due_all_the_same_and_belongs_to_its_phase() {
        let phases = [phase(1.0, open(10.0, false)), phase(1.0, Arrivals::Closed { callers: 2, is_peak: false })];
        let mut course = Course::new(&phases, WHOLE, Vec::new());
        let behind = Duration::from_millis(1_500);
        let due: Vec<Due> = (0..10).map(|_| course.take(behind, 0).unwrap()).collect();
        assert!(due.iter().all(|due| due.phase == 0 && due.at < Duration::from_secs(1)));
        let closed = course.take(behind, 1).unwrap();
        assert_eq!((closed.phase, closed.at, closed.is_closed), (1, behind, true));
        assert_eq!(course.take(behind, 2), None, "both callers wait");
        assert_eq!(course.take(Duration::from_secs(2), 0), None);
        assert!(course.is_over());
    }

    #[test]
    fn a_rate_in_times_of_the_peak_follows_what_was_answered() {
        let peak = Arrivals::Closed { callers: 8, is_peak: true };
        let twice = Arrivals::Open { rate: Rate::OfPeak(2.0), is_poisson: false };
        let mut course = Course::new(&[phase(2.0, peak), phase(1.0, twice)], WHOLE, Vec::new());
        (0..1_000).for_each(|_| course.heard(0));
        let due = std::iter::from_fn(|| course.take(Duration::from_secs(10), 0)).count();
        assert_eq!(due, 1_000, "twice five hundred a second");
    }

    #[test]
    fn recorded_calls_come_at_their_own_times_or_as_fast_as_they_are_answered() {
        let phases = [phase(1.0, Arrivals::Recorded)];
        let at = |ms| Duration::from_millis(ms);
        let mut course = Course::new(&phases, WHOLE, vec![(at(0), 0), (at(300), 2), (at(1_200), 4)]);
        let taken = |due: Option<Due>| due.and_then(|due| due.recorded);
        assert_eq!(taken(course.take(at(0), 0)), Some(0));
        assert_eq!((taken(course.take(at(299), 0)), course.next()), (None, Some(at(300))));
        assert_eq!(taken(course.take(at(500), 0)), Some(2));
        assert_eq!(course.take(at(900), 0), None);
        assert!(course.is_over(), "the last lies beyond the phase");
        let mut fast = Course::new(&phases, WHOLE, (0..9).map(|number| (at(0), number)).collect());
        let together: Vec<_> = (0..5).map(|under_way| taken(fast.take(at(10), under_way))).collect();
        assert_eq!(together, [Some(0), Some(1), Some(2), Some(3), None]);
    }
}
