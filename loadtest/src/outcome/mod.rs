//! What a run came to: everything that is measured, as it is kept in JSON, told on a terminal, drawn and compared.
//!
//! This room measures nothing and draws nothing. Its types are the format of the file that `--json` writes: a member is added freely,
//! but none changes its meaning without another [`FORM`].
//!
//! | file | noun |
//! |---|---|
//! | `curve` | a distribution of latencies |
//! | `run` | one run of a scenario, second by second |

mod curve;
mod run;

pub(crate) use curve::Curve;
pub(crate) use run::{Cause, Check, Driver, Happened, Phase, Run, Second, Totals, Usage, not_judged};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The form of the file.
pub(crate) const FORM: u32 = 1;

/// The setting that says what kind of file system the engine's data is on.
pub(crate) const FILE_SYSTEM: &str = "file system of the data";

/// All runs of one scenario in one call of the command.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) form: u32,
    /// The scenario's name.
    pub(crate) scenario: String,
    pub(crate) description: String,
    /// When the first run began, in RFC 3339.
    pub(crate) began: String,
    /// What was called, word by word.
    pub(crate) command: Vec<String>,
    pub(crate) machine: Machine,
    /// The scenario as it was run, options of the command included: name and value, for people.
    pub(crate) settings: BTreeMap<String, String>,
    /// The scenario's promise, if it makes one.
    pub(crate) slo: Option<Slo>,
    /// In their order; more than one with `--repeat`.
    pub(crate) runs: Vec<Run>,
}

/// Where it ran.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    pub(crate) processors: usize,
    /// What the processor calls itself.
    pub(crate) model: String,
    pub(crate) memory_bytes: u64,
    pub(crate) system: String,
    /// Whether it is the driver's only: the engine ran already, somewhere, and in another build.
    #[serde(default)]
    pub(crate) is_drivers: bool,
    /// The version of the driver, which is the engine's where it is one of its own, and its build.
    pub(crate) version: String,
    /// Whether it was built with `--release`.
    pub(crate) is_optimized: bool,
}

/// What a scenario promises.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Slo {
    /// The 99th percentile of latencies, counted from the intended starts, in microseconds.
    pub(crate) p99_us: Option<f64>,
    /// How many answers may come after their deadlines, as a share of all.
    pub(crate) late_share: Option<f64>,
    /// How many calls may come to nothing (shed or failed), as a share of all.
    pub(crate) lost_share: Option<f64>,
}

impl Outcome {
    /// Whether no check was violated and nothing that was promised was missed.
    pub(crate) fn has_passed(&self) -> bool {
        self.runs.iter().all(|run| run.missed.is_empty() && run.checks.iter().all(|check| check.violations == 0))
    }
}
