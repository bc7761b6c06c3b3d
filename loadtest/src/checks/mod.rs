//! Checks of every answer, and of the journal when all is over.
//!
//! Each driver thread has its own [`Checks`]; they are added up in the end. What they keep is bounded, however long the run is: a check
//! that has to remember is exact for as many cases as it may keep, and from then on looks at every second one, every fourth, and so on, chosen
//! by hash, so that what it still looks at it looks at from beginning to end. How many it has looked at, it says. The first case that breaks a
//! check is kept whole.
//!
//! This room calls nobody. It is told what came of each call and reads what a stopped engine has left on disk.
//!
//! | file | noun |
//! |---|---|
//! | `tally` | how often a check looked, and what it found |
//! | `sample` | a map that is bounded and keeps a fair sample |
//! | `alone` | checks that one answer is enough for: its deadline, whom it names, its words |
//! | `repeats` | answers to repetitions |
//! | `ids` | ids of decisions: that no two are the same, and which the journal has to have |
//! | `bundles` | which bundle decisions were made on, beside when bundles were loaded |
//! | `caps`, `cap_rule`, `cap_window` | caps, counted from the answers |
//! | `kept` | the journal has what was acknowledged, and verifies |

mod alone;
mod bundles;
mod cap_rule;
mod cap_window;
mod caps;
mod ids;
mod kept;
mod repeats;
mod sample;
mod tally;

#[cfg(test)]
mod fabricated;

pub(crate) use ids::Acknowledged;
pub(crate) use kept::{Kept, asked, in_directory, not_in_directory};

use std::time::Duration;

use forthwith::bundle::Bundle;

use crate::answers::{Answer, Checker};
use crate::outcome::Check;

/// Cases that all threads together keep, for each check that has to remember. A case is some fifty bytes, so a check has some hundred
/// megabytes in the worst case, while it is added up.
const CASES_MAX: usize = 1 << 20;

/// What the checks are told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// How much later than its deadline an answer may be heard, because it has a way to go.
    pub(crate) grace: Duration,
    /// Whether a decision that is safe in memory only has to be in the journal: not if the engine is killed.
    pub(crate) is_memory_safe: bool,
    /// Whether a call that is no repetition has an event that nobody has sent before: not where events are recorded.
    pub(crate) are_events_new: bool,
    /// Driver threads, which share the cases that may be kept.
    pub(crate) threads: usize,
}

/// All checks of one driver thread.
#[derive(Debug)]
pub(crate) struct Checks {
    alone: alone::Alone,
    repeats: repeats::Repeats,
    ids: ids::Ids,
    caps: caps::Caps,
    bundles: bundles::Bundles,
}

impl Checks {
    /// Checks of answers of an engine; caps are those of its bundle, if that is known.
    pub(crate) fn new(config: &Config, bundle: Option<&Bundle>) -> Self {
        let cases_max = CASES_MAX / config.threads.max(1);
        Self {
            alone: alone::Alone::new(config.grace),
            repeats: repeats::Repeats::new(cases_max, config.are_events_new, bundle),
            ids: ids::Ids::new(cases_max, config.is_memory_safe),
            caps: caps::Caps::new(cases_max, bundle),
            bundles: bundles::Bundles::default(),
        }
    }

    /// The decisions that must be in the journal.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        self.ids.acknowledged()
    }
}

impl Checks {
    /// The bundles that decisions were made on.
    pub(crate) fn bundles(&self) -> bundles::Bundles {
        self.bundles.clone()
    }
}

impl Checker for Checks {
    fn see(&mut self, answer: &Answer<'_>) {
        self.alone.see(answer);
        self.repeats.see(answer);
        self.ids.see(answer);
        self.caps.see(answer);
        self.bundles.see(answer);
    }

    fn add(&mut self, other: Self) {
        self.alone.add(other.alone);
        self.repeats.add(other.repeats);
        self.ids.add(other.ids);
        self.caps.add(other.caps);
        self.bundles.add(&other.bundles);
    }

    fn checks(self) -> Vec<Check> {
        let mut checks = Vec::from(self.alone.checks());
        checks.push(self.repeats.check(&self.ids));
        checks.push(self.ids.check());
        checks.extend(self.caps.check());
        checks
    }
}
