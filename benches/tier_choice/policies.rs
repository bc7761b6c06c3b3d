//! Who asks when.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::LEFT;
use crate::latency::{Chance, Latency};
use crate::probing::{Probe, Probing, ProbingConfig};
use crate::time::Instant;

/// Decides whether to ask.
pub(crate) trait Policy {
    /// How long the nth question waits for its answer if it is asked; `latency` is what only an oracle looks at.
    fn asks(&mut self, nth: u64, latency: Duration, now: Instant) -> Option<Duration>;

    /// Something came of a question that was asked.
    fn hears(&mut self, _heard: Heard, _now: Instant) {}
}

/// What came of a question.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heard {
    /// An answer in time.
    Answer { nth: u64, took: Duration },
    /// None so far, and nobody waits any more.
    Overdue { nth: u64, waited: Duration },
    /// The answer, all the same.
    Late { waited: Duration, took: Duration },
}

/// Asks where there will be an answer in time.
pub(crate) struct Oracle;

/// Asks nobody.
pub(crate) struct Never;

/// Asks always, and waits for so long.
pub(crate) struct Timeout(pub(crate) Duration);

/// Asks until three in a row are late, and then not for a while.
pub(crate) struct Cooldown {
    pause: Duration,
    late: u32,
    until: Option<Instant>,
}

/// Ours: asks where the chance that was learned suffices, and probes.
pub(crate) struct Learned {
    chance_min: Chance,
    latency: Latency,
    probing: Probing,
    probes: BTreeMap<u64, Probe>,
}

impl Policy for Oracle {
    fn asks(&mut self, _: u64, latency: Duration, _: Instant) -> Option<Duration> {
        (latency <= LEFT).then_some(LEFT)
    }
}

impl Policy for Never {
    fn asks(&mut self, _: u64, _: Duration, _: Instant) -> Option<Duration> {
        None
    }
}

impl Policy for Timeout {
    fn asks(&mut self, _: u64, _: Duration, _: Instant) -> Option<Duration> {
        Some(self.0)
    }
}

impl Cooldown {
    pub(crate) fn new(pause: Duration) -> Self {
        Self { pause, late: 0, until: None }
    }
}

impl Policy for Cooldown {
    fn asks(&mut self, _: u64, _: Duration, now: Instant) -> Option<Duration> {
        self.until.is_none_or(|until| now >= until).then_some(LEFT)
    }

    fn hears(&mut self, heard: Heard, now: Instant) {
        match heard {
            Heard::Answer { .. } => self.late = 0,
            Heard::Late { .. } => {}
            Heard::Overdue { .. } => {
                self.late += 1;
                if self.late >= 3 {
                    self.until = Some(now.after(self.pause));
                }
            }
        }
    }
}

impl Learned {
    pub(crate) fn new(chance_min: Chance) -> Self {
        let probing = Probing::new(ProbingConfig::default());
        Self { chance_min, latency: Latency::new(Duration::from_secs(2)), probing, probes: BTreeMap::new() }
    }

    fn ends(&mut self, nth: u64, is_in_time: bool, now: Instant) {
        if let Some(probe) = self.probes.remove(&nth) {
            self.probing.ended(probe, is_in_time, now);
        }
    }
}

impl Policy for Learned {
    fn asks(&mut self, nth: u64, _: Duration, now: Instant) -> Option<Duration> {
        if self.latency.chance_within(LEFT, now).is_some_and(|chance| chance < self.chance_min) {
            let probe = self.probing.lets_through(nth, now)?;
            self.probes.insert(nth, probe);
        }
        Some(LEFT)
    }

    fn hears(&mut self, heard: Heard, now: Instant) {
        match heard {
            Heard::Answer { nth, took } => {
                self.latency.observe(took, now);
                self.ends(nth, true, now);
            }
            Heard::Overdue { nth, waited } => {
                self.latency.censor(waited, now);
                self.ends(nth, false, now);
            }
            Heard::Late { waited, took } => self.latency.observe_after_censor(waited, took),
        }
    }
}
