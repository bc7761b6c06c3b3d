//! Whether a caller may look into the store itself.
//!
//! Measured with 200,000 customers, most of them in the store's memory: it says in 0.3 us that it has never heard of one, and finds one
//! in 4 to 6; telling a keeper and waking the caller takes more than that. A read that reaches the disk takes a hundred and more: after
//! one of these, keepers read for a while, so callers' threads wait for the disk a small part of their time at most.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::time::Instant;

/// A look that takes longer than a keeper would, with some allowance for a thread that was not running.
const SLOW: Duration = Duration::from_micros(50);

/// How often a slow look may cost its time: at a few hundred microseconds each, a few hundredths of a thread.
const PAUSE: Duration = Duration::from_millis(10);

/// What callers' looks into the store took lately.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Nanoseconds of the clock until which keepers read.
    paused_until: AtomicU64,
}

impl Looks {
    pub(super) fn may_begin(&self, now: Instant) -> bool {
        now.nanos() >= self.paused_until.load(Ordering::Relaxed)
    }

    /// A test door: callers never look.
    #[cfg(any(test, simulation))]
    pub(super) fn leave_to_keepers(&self) {
        self.paused_until.store(u64::MAX, Ordering::Relaxed);
    }

    /// Notes when a look began and ended.
    pub(super) fn note(&self, begun: Instant, ended: Instant) {
        if ended.since(begun) > SLOW {
            self.paused_until.store(ended.after(PAUSE).nanos(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Clock;

    #[test]
    fn a_slow_look_leaves_the_next_ones_to_keepers_for_a_while() {
        let (looks, now) = (Looks::default(), Clock::system().instant());
        assert!(looks.may_begin(now));
        looks.note(now, now.after(SLOW));
        assert!(looks.may_begin(now.after(SLOW)), "as quick as may be");
        let slow = now.after(2 * SLOW);
        looks.note(now, slow);
        assert!(!looks.may_begin(slow) && !looks.may_begin(slow.after(PAUSE / 2)));
        assert!(looks.may_begin(slow.after(PAUSE)));
    }
}
