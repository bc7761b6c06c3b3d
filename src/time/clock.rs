//! Wall time and steady time, real or set by a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::domain::{TimeDelta, Timestamp};

/// Hands out the time. Cheap to clone; reading it costs one call into the operating system's shared page.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

/// A point on the steady clock, comparable within one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

/// The instant by which an answer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it: for tests.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.micros()))))
    }

    /// What time it is.
    #[inline]
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_wall(),
            Source::Manual(micros) => Timestamp::from_micros(micros.load(Ordering::Acquire)),
        }
    }

    /// The steady clock.
    #[inline]
    pub fn instant(&self) -> Instant {
        match &self.0 {
            Source::System => system_instant(),
            Source::Manual(micros) => Instant(micros.load(Ordering::Acquire).unsigned_abs() * 1_000),
        }
    }

    /// Moves a manual clock; the machine's clock goes its own way.
    pub fn advance(&self, by: TimeDelta) {
        if let Source::Manual(micros) = &self.0 {
            micros.fetch_add(by.micros(), Ordering::AcqRel);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn system_wall() -> Timestamp {
    let micros = match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    Timestamp::from_micros(micros)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the steady clock")]
fn system_instant() -> Instant {
    use std::sync::OnceLock;
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    // The first reading is not zero, so that an earlier instant can be expressed.
    const BASE: u64 = 1 << 40;
    Instant(BASE + start.elapsed().as_nanos() as u64)
}

impl Instant {
    /// The time from `earlier` to this instant; zero if it lies ahead.
    #[inline]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Nanoseconds since the clock's own beginning: for an instant that is kept in an atomic.
    #[inline]
    pub fn nanos(self) -> u64 {
        self.0
    }

    /// This instant moved back; the clock's beginning at the earliest.
    #[inline]
    pub fn before(self, delay: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// This instant moved ahead.
    #[inline]
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Deadline {
    /// The deadline that leaves so much before this one.
    #[must_use]
    pub fn earlier_by(self, reserve: Duration) -> Self {
        Self(self.0.before(reserve))
    }

    /// The deadline that leaves `budget` from `start`.
    #[inline]
    pub fn new(start: Instant, budget: Duration) -> Self {
        Self(start.after(budget))
    }

    /// The instant itself.
    #[inline]
    pub fn instant(self) -> Instant {
        self.0
    }

    /// What is left at `now`; zero once it is past.
    #[inline]
    pub fn left(self, now: Instant) -> Duration {
        self.0.since(now)
    }

    /// Whether `now` is past it.
    #[inline]
    pub fn is_past(self, now: Instant) -> bool {
        now >= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(Timestamp::from_micros(1_000_000));
        let (wall, instant) = (clock.wall(), clock.instant());
        let deadline = Deadline::new(instant, Duration::from_millis(5));
        assert!(!deadline.is_past(clock.instant()));
        clock.clone().advance(TimeDelta::from_micros(5_000));
        assert_eq!(clock.wall().since(wall), TimeDelta::from_micros(5_000));
        assert_eq!(clock.instant().since(instant), Duration::from_millis(5));
        assert!(deadline.is_past(clock.instant()));
    }

    #[test]
    fn the_machines_clocks_run_forward() {
        let clock = Clock::system();
        let (wall, instant) = (clock.wall(), clock.instant());
        assert!(wall.micros() > 1_600_000_000_000_000, "the machine's date is {wall}");
        assert!(clock.instant() >= instant);
        assert_eq!(instant.since(instant.after(Duration::from_secs(1))), Duration::ZERO);
    }
}
