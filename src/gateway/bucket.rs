//! A bucket that fills evenly, from which is taken ahead and given back to.
//!
//! What is given back must not fill the bucket beyond what it would hold had only that been taken which was used; otherwise a long
//! call would be paid for by the time that it took, and more could be used in a minute than a minute brings. Had a part not been
//! taken, the bucket would have been fuller by it ever since, and what did not fit would have been lost. So the bucket remembers
//! how full it has been at most since each take, and gives back no more than had room all the time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Instant;

/// Fills evenly, up to a burst.
#[derive(Debug)]
pub(super) struct Bucket {
    per_minute: i128,
    /// In parts of a 60,000,000,000th, of which as many come in a nanosecond as there are in a minute of the whole. Below zero after
    /// more was used than was taken.
    level: i128,
    at: Instant,
    takes: u64,
    peaks: VecDeque<Peak>,
}

/// What was taken at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    amount: u64,
    /// The number of the take.
    nth: u64,
}

/// How full it was before a take.
#[derive(Clone, Copy, Debug)]
struct Peak {
    /// The number of the take.
    nth: u64,
    // INVARIANT: lower than all before it, so that the first after a take is the highest since.
    level: i128,
}

/// One, in the unit of a level.
const ONE: i128 = 60_000_000_000;

/// A bucket holds as much as comes in this time: so much may be used at once after a quiet time.
const BURST: Duration = Duration::from_secs(10);

/// Peaks that are remembered. There are as many as takes while it only empties, and else few.
const PEAKS_MAX: usize = 1_024;

impl Bucket {
    /// Full.
    pub(super) fn new(per_minute: u32, now: Instant) -> Self {
        let per_minute = i128::from(per_minute.max(1));
        let mut bucket = Self { per_minute, level: 0, at: now, takes: 0, peaks: VecDeque::new() };
        bucket.level = bucket.capacity();
        bucket
    }

    /// How long until so much can be taken. What is more than the bucket holds can be taken when it is full, and is owed.
    pub(super) fn wait_for(&mut self, amount: u64, now: Instant) -> Duration {
        self.fill(now);
        let missing = (i128::from(amount) * ONE).min(self.capacity()) - self.level;
        if missing <= 0 {
            return Duration::ZERO;
        }
        let nanos = (missing + self.per_minute - 1) / self.per_minute;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Takes so much, whether it is there or not.
    pub(super) fn take(&mut self, amount: u64, now: Instant) -> Taken {
        self.fill(now);
        self.takes += 1;
        let peak = Peak { nth: self.takes, level: self.level };
        while self.peaks.back().is_some_and(|last| last.level <= peak.level) {
            self.peaks.pop_back();
        }
        self.peaks.push_back(peak);
        if self.peaks.len() > PEAKS_MAX
            && let (Some(first), Some(second)) = (self.peaks.pop_front(), self.peaks.front_mut())
        {
            // Those that took between the two get less back than they might.
            second.level = first.level;
        }
        self.level -= i128::from(amount) * ONE;
        Taken { amount, nth: peak.nth }
    }

    /// Of what was taken only so much was used; or more. Some steps; where it only emptied in between, up to a thousand.
    pub(super) fn correct(&mut self, taken: Taken, used: u64, now: Instant) {
        self.fill(now);
        let unused = (i128::from(taken.amount) - i128::from(used)) * ONE;
        if unused <= 0 {
            self.level += unused;
            return;
        }
        let after = self.peaks.partition_point(|peak| peak.nth <= taken.nth);
        let highest = self.peaks.get(after).map_or(self.level, |peak| peak.level.max(self.level));
        let back = unused.min(self.capacity() - highest).max(0);
        self.level += back;
        // As if it had not been taken: later ones find the bucket that much fuller.
        for peak in self.peaks.range_mut(after..) {
            peak.level += back;
        }
        if let Some(highest) = self.peaks.get(after).map(|peak| peak.level) {
            let lower = self.peaks.range(..after).rev().take_while(|peak| peak.level <= highest).count();
            self.peaks.drain(after - lower..after);
        }
    }

    /// At least one, whatever the rate.
    fn capacity(&self) -> i128 {
        (self.per_minute * BURST.as_nanos() as i128).max(ONE)
    }

    fn fill(&mut self, now: Instant) {
        let nanos = now.since(self.at).as_nanos() as i128;
        self.level = (self.level + nanos * self.per_minute).min(self.capacity());
        self.at = self.at.max(now);
    }
}
