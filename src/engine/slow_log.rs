//! Decisions that took more than a share of their budget: a line for each, within bounds, that says where the time went.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, TryLockError};
use std::time::Duration;

use tracing::warn;

use super::course::{Course, Leg};
use super::{Config, Decision};
use crate::time::{Deadline, Instant};

/// Lines in a second. Who reads a log learns from ten what a hundred thousand would say, and an engine that is slow must not become
/// slower by telling so.
const LINES_MAX: u32 = 10;

/// The time for which there are so many lines.
const WINDOW: Duration = Duration::from_secs(1);

/// The share of a decision's budget above which it is slow, in millionths: what is left is not enough for a disk that is a little
/// slower, and much less than the whole, so that there is a line before callers get defaults.
pub(super) const SLOW_PPM: u32 = 800_000;

/// The log of slow decisions. Those that are not slow pay for one comparison.
#[derive(Debug)]
pub(super) struct SlowLog {
    /// In millionths of the budget; 0 if no decision is slow.
    share_ppm: u32,
    lines: Mutex<Lines>,
    /// Decisions that had no line since the last that had one.
    suppressed: AtomicU64,
}

#[derive(Debug, Default)]
struct Lines {
    since: Option<Instant>,
    written: u32,
}

impl SlowLog {
    pub(super) fn new(config: &Config) -> Self {
        Self { share_ppm: config.slow_share_ppm, lines: Mutex::default(), suppressed: AtomicU64::new(0) }
    }

    /// Whether a decision that took so long was slow.
    #[inline]
    pub(super) fn is_slow(&self, elapsed: Duration, budget: Duration) -> bool {
        let share = u128::from(self.share_ppm);
        share != 0 && elapsed.as_nanos() * 1_000_000 > budget.as_nanos() * share
    }

    /// Writes a line about a slow decision, unless there have been enough of them lately.
    pub(super) fn write(&self, decision: &Decision, course: &Course, (deadline, now): (Deadline, Instant)) {
        let Some(suppressed) = self.admit(now) else { return };
        let legs = course.legs();
        warn!(
            target: "forthwith::slow",
            decision = %decision.id,
            playbook = &*decision.playbook,
            trace = decision_trace(course),
            tier = decision.tier.as_str(),
            fallback = decision.fallback.map(crate::domain::FallbackReason::as_str),
            durability = decision.durability.as_str(),
            elapsed_us = micros(decision.elapsed),
            budget_us = micros(deadline.left(course.started())),
            admission_us = legs.micros(Leg::Admission),
            queue_us = legs.micros(Leg::Queue),
            turn_us = legs.micros(Leg::Turn),
            models_us = legs.micros(Leg::Models),
            disk_us = legs.micros(Leg::Disk),
            suppressed,
            "a decision took more than its share of the budget"
        );
    }

    /// How many have had no line since the last one, if there may be a line now.
    fn admit(&self, now: Instant) -> Option<u64> {
        let has_room = match self.lines.try_lock() {
            Ok(mut lines) => lines.has_room(now),
            Err(TryLockError::Poisoned(lines)) => lines.into_inner().has_room(now),
            // Somebody writes one at this moment; nobody waits for a log.
            Err(TryLockError::WouldBlock) => false,
        };
        if has_room {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Lines {
    fn has_room(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.since(since) >= WINDOW) {
            *self = Self { since: Some(now), written: 0 };
        }
        self.written += 1;
        self.written <= LINES_MAX
    }
}

/// The trace that the decision's record names.
fn decision_trace(course: &Course) -> Option<String> {
    course.trace().map(|trace| format!("{:032x}", u128::from_be_bytes(trace)))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
