//! The command `run`, from scenarios to files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use forthwith::time::Clock;

use super::machine::machine;
use super::once::{Once, once};
use super::settings::settings;
use crate::args::ScenarioRun;
use crate::outcome::{FORM, Outcome, Slo};
use crate::report;
use crate::reports::{self, Showing, html};
use crate::scenario::{self, Scenario};
use crate::target::CannotRun;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ended {
    /// Everything held.
    Passed,
    /// This machine cannot run a scenario.
    CannotRun,
    /// Something was violated or missed.
    Failed,
    /// The command or a scenario is faulty.
    Faulty,
}

impl Ended {
    /// Whether it passed.
    pub(crate) fn of(has_passed: bool) -> Self {
        if has_passed { Self::Passed } else { Self::Failed }
    }
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        Self::from(match ended {
            Ended::Passed => 0,
            Ended::Failed => 1,
            Ended::Faulty => 2,
            Ended::CannotRun => 3,
        })
    }
}

/// Prints a line for each scenario that is shipped.
pub(crate) fn list() -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for scenario in scenario::shipped()? {
        writeln!(out, "{:<16} {}", scenario.name, scenario.description)?;
    }
    Ok(())
}

/// Runs scenarios one after the other; how the worst of them ended.
pub(crate) fn run(options: &ScenarioRun) -> anyhow::Result<Ended> {
    let mut scenarios = Vec::new();
    for name in &options.scenarios {
        match scenario::find(name).and_then(|scenario| scenario.overridden(&options.overrides)) {
            Ok(scenario) => scenarios.push(scenario),
            Err(error) => {
                report::failed(&error);
                return Ok(Ended::Faulty);
            }
        }
    }
    let mut worst = Ended::Passed;
    for scenario in &scenarios {
        let ended = match outcome(scenario, options) {
            Ok(outcome) => {
                write_all(&outcome, options, scenarios.len() > 1)?;
                Ended::of(outcome.has_passed())
            }
            Err(error) => {
                let ended = if error.is::<CannotRun>() { Ended::CannotRun } else { Ended::Failed };
                report::failed(&error.context(format!("scenario `{}`", scenario.name)));
                ended
            }
        };
        worst = worst.max(ended);
    }
    Ok(worst)
}

/// Runs a scenario as often as is asked for.
fn outcome(scenario: &Scenario, options: &ScenarioRun) -> anyhow::Result<Outcome> {
    let began = Clock::system().wall().to_string();
    let showing = match (options.quiet, options.live, options.no_live) {
        (true, ..) | (_, _, true) => Showing::Nothing,
        (_, true, _) => Showing::Screen,
        _ => Showing::fitting(false),
    };
    let overrides = &options.overrides;
    let mut runs = Vec::new();
    for number in 1..=options.repeat as usize {
        let of = options.repeat as usize;
        runs.push(once(&Once { scenario, overrides, showing, is_quiet: options.quiet, run: number, runs: of })?);
    }
    let promise = &scenario.promise;
    let has_slo = promise.p99_us.is_some() || promise.late_share.is_some() || promise.lost_share.is_some();
    let slo = Slo { p99_us: promise.p99_us, late_share: promise.late_share, lost_share: promise.lost_share };
    Ok(Outcome {
        form: FORM,
        scenario: scenario.name.clone(),
        description: scenario.description.clone(),
        began,
        command: std::env::args().collect(),
        machine: machine(overrides.url.is_some()),
        settings: settings(scenario, overrides),
        slo: has_slo.then_some(slo),
        runs,
    })
}

fn write_all(outcome: &Outcome, options: &ScenarioRun, is_one_of_many: bool) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{}", reports::terminal(outcome))?;
    let named = |file: &Path| {
        if !is_one_of_many {
            return file.to_owned();
        }
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let ending = file.extension().map_or_else(String::new, |ending| format!(".{}", ending.to_string_lossy()));
        file.with_file_name(format!("{stem}-{}{ending}", outcome.scenario))
    };
    let write = |file: PathBuf, text: String| {
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    if let Some(file) = &options.json {
        write(named(file), serde_json::to_string_pretty(outcome)?)?;
    }
    if let Some(file) = &options.html {
        write(named(file), html(outcome))?;
    }
    Ok(())
}
