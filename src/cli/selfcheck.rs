//! `forthwith selfcheck`: every way that a decision can take, gone by synthetic customers.

use super::args::Place;
use super::exit::Exit;
use super::output::{counted, say, tell};
use crate::config::Config;
use crate::engine::{CheckResult, Data, Engine, SelfCheckReport};

/// Options of `selfcheck`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Asked {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(place: &Place, asked: &Asked) -> Exit {
    let mut config = match Config::load(&place.config) {
        Ok(config) => config,
        Err(faults) => {
            tell(faults);
            return Exit::Failed;
        }
    };
    // What is checked is the configuration: the data of a server that may be running are left alone.
    config.engine.data = Data::Temporary;
    let engine = match Engine::start(config.engine) {
        Ok(engine) => engine,
        Err(error) => {
            tell(format!("error: {error}"));
            return Exit::Failed;
        }
    };
    let report = engine.selfcheck();
    if let Err(error) = engine.shutdown() {
        tell(format!("error: {error}"));
        return Exit::Failed;
    }
    let Some(report) = report else { return Exit::Failed };
    if asked.json {
        say(serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        say(show(&report).trim_end());
    }
    if report.passed { Exit::Done } else { Exit::Failed }
}

/// A report as people read it: a line for each way.
fn show(report: &SelfCheckReport) -> String {
    let width = |of: &dyn Fn(usize) -> usize| (0..report.checks.len()).map(of).max().unwrap_or_default();
    let playbooks = width(&|at| report.checks[at].playbook.chars().count());
    let paths = width(&|at| report.checks[at].path.as_str().len());
    let mut text = String::new();
    for check in &report.checks {
        let (playbook, path, result) = (&check.playbook, check.path.as_str(), check.result);
        let line = format!("{playbook:playbooks$}  {path:paths$}  {result}");
        let fault = check.fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default();
        text.push_str(&format!("{line}{fault}\n"));
    }
    let count = |result: CheckResult| report.checks.iter().filter(|check| check.result == result).count();
    let [passed, failed, unreached] = [CheckResult::Passed, CheckResult::Failed, CheckResult::Unreached].map(count);
    text.push_str(&format!("{}: {passed} passed, {failed} failed", counted(report.checks.len(), "way")));
    if unreached > 0 {
        text.push_str(&format!(
            ", {unreached} unreached (no event that can be made up from the declarations leads there)"
        ));
    }
    text.push('\n');
    text
}
