//! Whether shedding has lasted so long that traffic should go elsewhere.

use std::time::Duration;

use crate::time::Instant;

/// How long what is worth something has been shed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strain {
    /// Since when, with no pause that counts.
    since: Option<Instant>,
    /// When it was last seen.
    last: Option<Instant>,
}

/// A pause in the shedding, shorter than this, does not end it; and one who sheds no more is fit for traffic after it.
const PAUSE: Duration = Duration::from_secs(2);

impl Strain {
    /// Notes whether what is worth something is being shed.
    pub(super) fn note(&mut self, is_shedding: bool, now: Instant) {
        if self.last.is_some_and(|last| now.since(last) >= PAUSE) {
            *self = Self::default();
        }
        if is_shedding {
            self.since = self.since.or(Some(now));
            self.last = Some(now);
        }
    }

    /// Whether it has lasted for so long, and has not ended.
    pub(super) fn lasts(&self, long: Duration, now: Instant) -> bool {
        let (Some(since), Some(last)) = (self.since, self.last) else { return false };
        now.since(last) < PAUSE && last.since(since) >= long
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{TimeDelta, Timestamp};
    use crate::time::Clock;

    #[test]
    fn it_takes_a_while_to_begin_and_a_pause_to_end() {
        let clock = Clock::manual(Timestamp::from_micros(1_000_000));
        let long = Duration::from_secs(5);
        let mut strain = Strain::default();
        let mut lasts = |is_shedding: bool| {
            clock.advance(TimeDelta::from_micros(500_000));
            strain.note(is_shedding, clock.instant());
            strain.lasts(long, clock.instant())
        };
        assert!((0..10).all(|_| !lasts(true)), "4.5 s");
        assert!(lasts(true));
        assert!(lasts(false) && lasts(false) && lasts(true) && lasts(false), "short pauses");
        assert!(lasts(false) && lasts(false));
        assert!(!lasts(false), "two seconds without shedding");
        assert!((0..10).all(|_| !lasts(true)), "it begins anew");
        assert!(lasts(true));
    }
}
