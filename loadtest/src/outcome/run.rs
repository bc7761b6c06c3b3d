//! One run of a scenario, second by second.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Curve;

/// One run.
///
/// Times in it are seconds since its first call was due. What belongs to a phase that is not counted is in `seconds` only.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) phases: Vec<Phase>,
    /// What was done to the engine meanwhile.
    pub(crate) happened: Vec<Happened>,
    pub(crate) totals: Totals,
    /// From when a call was due to when its answer was heard; in a closed loop the same as `service`.
    pub(crate) latency: Curve,
    /// From when a call was made to when its answer was heard.
    pub(crate) service: Curve,
    /// Answers by the tier that decided.
    pub(crate) tiers: BTreeMap<String, u64>,
    /// Answers by why the rules' default took the place of a proposal.
    pub(crate) fallbacks: BTreeMap<String, u64>,
    /// Calls that were not taken on, by why.
    pub(crate) shed: BTreeMap<String, u64>,
    /// Calls that failed, by how.
    pub(crate) failed: BTreeMap<String, u64>,
    pub(crate) seconds: Vec<Second>,
    /// What the engine took of the machine; the whole process where the engine is in the driver's.
    pub(crate) usage: Vec<Usage>,
    pub(crate) driver: Driver,
    pub(crate) checks: Vec<Check>,
    /// What was promised and missed, a sentence each.
    pub(crate) missed: Vec<String>,
}

/// A stretch of a run with one way of arriving.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    /// Calls a second that were offered; none in a closed loop.
    pub(crate) offered_per_second: Option<f64>,
    /// Whether it counts: not while the engine gets warm.
    pub(crate) is_counted: bool,
}

/// Something that was done to the engine.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Happened {
    pub(crate) at_s: f64,
    /// `reload`, `kill`, `disk_full` and the like.
    pub(crate) what: String,
    pub(crate) took_s: f64,
    /// What came of it.
    pub(crate) said: String,
}

/// The counted calls of a run.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Totals {
    /// How long the counted phases were.
    pub(crate) seconds: f64,
    /// Calls that were due; in a closed loop those that were made.
    pub(crate) offered: u64,
    /// Calls that were answered with a decision.
    pub(crate) answered: u64,
    /// Answers that came after their deadlines.
    pub(crate) late: u64,
    /// Answers given before the disk had confirmed them, though it was asked for.
    pub(crate) pending: u64,
    /// Answers to repetitions.
    pub(crate) duplicates: u64,
    /// Calls that were not taken on.
    pub(crate) shed: u64,
    /// Calls that failed in any other way.
    pub(crate) failed: u64,
    /// Recorded events that were not sent, because their phase was over.
    #[serde(default)]
    pub(crate) unsent: u64,
    /// Answers a second that came in time: what the load was worth.
    pub(crate) goodput: f64,
}

/// One second of a run, phases that are not counted included. A call belongs to the second in which its answer was heard.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Second {
    pub(crate) at_s: f64,
    /// Calls that were due in it.
    pub(crate) offered: u64,
    pub(crate) answered: u64,
    pub(crate) late: u64,
    pub(crate) shed: u64,
    pub(crate) failed: u64,
    /// Calls without an answer at its end.
    pub(crate) in_flight: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    #[serde(default)]
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
    pub(crate) tiers: BTreeMap<String, u64>,
    pub(crate) fallbacks: BTreeMap<String, u64>,
}

/// What the engine took at one time.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Usage {
    pub(crate) at_s: f64,
    /// Processors that it kept busy since the last time.
    pub(crate) processors: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) open_files: u64,
    pub(crate) threads: u64,
}

/// The driver's own standing.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Driver {
    /// From when a call was due to when the driver was ready to make it: the driver's own lateness.
    pub(crate) lag: Curve,
    /// From when a call was ready to when a connection was free for it.
    pub(crate) waited: Curve,
    pub(crate) threads: usize,
    /// Processors that the driver kept busy, over the whole run; 0 where the engine is in the same process.
    pub(crate) processors: f64,
    /// Connections that had to be opened again.
    #[serde(default)]
    pub(crate) reconnects: u64,
    /// Why the driver, and not the engine, may have set the figures.
    pub(crate) bottleneck: Option<String>,
    /// What kind of reason that is.
    #[serde(default)]
    pub(crate) cause: Option<Cause>,
}

/// Why a driver may have set the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// Its threads had no reserve.
    Busy,
    /// It made calls late, beside an engine in a process of its own.
    Lag,
    /// It made calls late on threads that also do the engine's work: an engine that is too slow does that too.
    LagInProcess,
    /// Calls waited for a connection: an engine that is too slow does that too.
    Waited,
}

impl Cause {
    /// Whether it is the driver alone that does this, whatever the engine does.
    pub(crate) const fn is_the_drivers(self) -> bool {
        matches!(self, Self::Busy | Self::Lag)
    }
}

/// A check of every answer, or of the whole at the end.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    /// What it asks, in a sentence.
    pub(crate) asks: String,
    /// How many cases were looked at; of none it says nothing, and does not count as held.
    pub(crate) checked: u64,
    pub(crate) violations: u64,
    /// The first case that broke it, whole.
    pub(crate) first: Option<Value>,
}

/// Begins what is said of a check that was asked for and could not be made.
const NOT_JUDGED: &str = "Not judged, because ";

/// What is said of a check that was asked for and could not be made: a sentence for the end of `asks`.
pub(crate) fn not_judged(why: &str) -> String {
    format!("{NOT_JUDGED}{why}.")
}

impl Check {
    /// Whether it has looked at anything.
    pub(crate) fn is_judged(&self) -> bool {
        self.checked > 0 || self.violations > 0
    }

    /// Why it could not be made, though it was asked for.
    pub(crate) fn why_not_judged(&self) -> Option<&str> {
        self.asks.split_once(NOT_JUDGED).filter(|_| !self.is_judged()).map(|(_, why)| why.trim_end_matches('.'))
    }
}
