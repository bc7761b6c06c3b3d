//! `forthwith test`: the golden cases beside the playbooks, what differs, and which rules decided none.

use std::io::{self, IsTerminal};
use std::path::Path;

use serde::Serialize;

use super::args::{Place, Test};
use super::exit::Exit;
use super::output::{say, tell, tell_faults};
use crate::bundle::{Bundle, PLAYBOOK_FOLDER, Playbook};
use crate::cases::{CASES_ENDING, Cases, Coverage, Line, Mark, Report, RuleCovered, starter};
use crate::config::{Config, read_cases};
use crate::document::{FaultSink, Faults};

/// Rules without a case that are listed.
const RULES_SHOWN: usize = 12;

/// The report of a run as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    bundle: String,
    passed: usize,
    failed: usize,
    files: &'a [Report],
    /// Not for a part of the cases: it would say nothing.
    coverage: Option<Vec<CoverageShown<'a>>>,
}

/// The coverage of a playbook as JSON.
#[derive(Serialize)]
struct CoverageShown<'a> {
    playbook: &'a str,
    rules: usize,
    fired: usize,
    percent: u8,
    default_cases: u32,
    never_fired: Vec<&'a RuleCovered>,
    cases_by_rule: &'a [RuleCovered],
}

pub(super) fn run(place: &Place, args: &Test) -> Exit {
    let bundle = match Config::load_bundle(&place.config) {
        Ok(bundle) => bundle,
        Err(faults) => {
            tell_faults(&faults, args.json);
            return Exit::Failed;
        }
    };
    let playbooks = match chosen(&bundle, &args.playbooks) {
        Ok(playbooks) => playbooks,
        Err(message) => return failed(format!("error: {message}")),
    };
    let mut files = match read(&place.config, &bundle) {
        Ok(files) => files,
        Err(faults) => {
            tell_faults(&faults, args.json);
            return Exit::Failed;
        }
    };
    files.retain(|cases| playbooks.iter().any(|playbook| playbook.name == cases.playbook().name));
    if files.iter().all(Cases::is_empty) {
        tell(how_to_begin(&place.config, &bundle, playbooks[0]));
        return Exit::NotFound;
    }
    if let Some(filter) = &args.filter {
        files.iter_mut().for_each(|cases| cases.retain(|name| name.contains(filter.as_str())));
        files.retain(|cases| !cases.is_empty());
        if files.is_empty() {
            tell(format!("no case has `{filter}` in its name"));
            return Exit::NotFound;
        }
    }
    let reports: Vec<Report> = files.iter().map(Cases::run).collect();
    let coverage = args.filter.is_none().then(|| covered(&playbooks, &reports));
    finish(&bundle, &reports, coverage.as_deref(), args)
}

fn failed(message: impl std::fmt::Display) -> Exit {
    tell(message);
    Exit::Failed
}

/// The playbooks that were named, or all.
fn chosen<'b>(bundle: &'b Bundle, names: &[String]) -> Result<Vec<&'b Playbook>, String> {
    if names.is_empty() {
        return Ok(bundle.playbooks().iter().collect());
    }
    let known = |name: &String| match bundle.playbook_number(name) {
        Some(number) => Ok(&bundle.playbooks()[number]),
        None => Err(format!("there is no playbook `{name}`{}", bundle.suggest_playbook(name))),
    };
    names.iter().map(known).collect()
}

/// All cases of a configuration folder; or every fault in them.
fn read<'b>(folder: &Path, bundle: &'b Bundle) -> Result<Vec<Cases<'b>>, Faults> {
    let sink = FaultSink::default();
    let texts = read_cases(folder, &sink);
    let mut faults = sink.into_faults();
    let mut files = Vec::with_capacity(texts.len());
    for (path, text) in texts {
        match Cases::read(bundle, &path, &text) {
            Ok(cases) => files.push(cases),
            Err(more) => faults = faults.and(more),
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(faults) }
}

fn how_to_begin(folder: &Path, bundle: &Bundle, playbook: &Playbook) -> String {
    let beside = folder.join(PLAYBOOK_FOLDER);
    let path = beside.join(format!("{}{CASES_ENDING}", playbook.name));
    let mut message = format!(
        "there are no cases to run: they stand in files named `NAME{CASES_ENDING}` in `{}`\n",
        beside.display()
    );
    if let Some(example) = starter(bundle, playbook) {
        message
            .push_str(&format!("begin `{}` with this, which is what is decided today:\n\n{example}", path.display()));
    }
    message
}

/// The coverage of each playbook, those without cases included.
fn covered(playbooks: &[&Playbook], reports: &[Report]) -> Vec<Coverage> {
    let of = |playbook: &&Playbook| {
        let mut coverage = Coverage::none(playbook);
        reports
            .iter()
            .filter(|report| report.playbook == playbook.name)
            .for_each(|report| coverage.add(&report.coverage));
        coverage
    };
    playbooks.iter().map(of).collect()
}

fn finish(bundle: &Bundle, reports: &[Report], coverage: Option<&[Coverage]>, args: &Test) -> Exit {
    let is_covered =
        |coverage: &Coverage| args.coverage_min.is_none_or(|min| coverage.fired() >= coverage.rules_for(min));
    let all_covered = coverage.unwrap_or_default().iter().all(is_covered);
    let all_passed = reports.iter().all(Report::is_passed);
    if args.json {
        say(as_json(bundle, reports, coverage));
    } else {
        show(reports, coverage.unwrap_or_default(), args.coverage_min);
    }
    if all_passed && all_covered { Exit::Done } else { Exit::CasesFailed }
}

fn as_json(bundle: &Bundle, reports: &[Report], coverage: Option<&[Coverage]>) -> String {
    let report = Shown {
        bundle: bundle.id().to_string(),
        passed: reports.iter().map(Report::passed).sum(),
        failed: reports.iter().map(Report::failed).sum(),
        files: reports,
        coverage: coverage.map(|coverage| coverage.iter().map(CoverageShown::from).collect()),
    };
    serde_json::to_string_pretty(&report).unwrap_or_default()
}

impl<'a> From<&'a Coverage> for CoverageShown<'a> {
    fn from(coverage: &'a Coverage) -> Self {
        Self {
            playbook: &coverage.playbook,
            rules: coverage.rules.len(),
            fired: coverage.fired(),
            percent: coverage.percent(),
            default_cases: coverage.default_cases,
            never_fired: coverage.never_fired().collect(),
            cases_by_rule: &coverage.rules,
        }
    }
}

fn show(reports: &[Report], coverage: &[Coverage], min: Option<u8>) {
    let paint = Paint::of_terminal();
    for report in reports {
        say(paint.line(&report.headline()));
    }
    let failures: Vec<Line> = reports.iter().flat_map(Report::failures).collect();
    if !failures.is_empty() {
        say("\n- expected, + decided");
    }
    for line in &failures {
        let gap = if line.mark == Mark::Failed { "\n" } else { "" };
        say(format!("{gap}{}", paint.line(line)));
    }
    let (passed, failed): (usize, usize) =
        (reports.iter().map(Report::passed).sum(), reports.iter().map(Report::failed).sum());
    // Of one file that passed all is said.
    if failed > 0 || reports.len() > 1 {
        let mark = if failed == 0 { Mark::Passed } else { Mark::Failed };
        let cases = if passed + failed == 1 { "case" } else { "cases" };
        let text = format!("{} {cases}: {passed} passed, {failed} failed", passed + failed);
        say(format!("\n{}", paint.line(&Line { mark, text })));
    }
    coverage.iter().flat_map(|coverage| coverage_lines(coverage, min)).for_each(|line| _ = say(paint.line(&line)));
}

/// How many rules of a playbook decided a case, and the first that did not.
fn coverage_lines(coverage: &Coverage, min: Option<u8>) -> Vec<Line> {
    let (fired, rules) = (coverage.fired(), coverage.rules.len());
    let short = min.filter(|min| fired < coverage.rules_for(*min));
    let none = if coverage.cases() == 0 { "no cases, " } else { "" };
    let mut text = format!("{}: {none}{fired} of {rules} rules fired ({} %)", coverage.playbook, coverage.percent());
    if let Some(min) = short {
        text.push_str(&format!("; {min} % are asked for, which is {}", coverage.rules_for(min)));
    }
    let never = coverage.never_fired().filter(|_| none.is_empty());
    let never: Vec<String> = never.map(|rule| format!("  {} ({})", rule.rule, rule.origin)).collect();
    if !never.is_empty() {
        text.push_str("; never fired:");
    }
    let mut lines = vec![Line { mark: if short.is_some() { Mark::Failed } else { Mark::Reason }, text }];
    let reason = |text: String| Line { mark: Mark::Reason, text };
    let hidden = never.len().saturating_sub(RULES_SHOWN);
    lines.extend(never.into_iter().take(RULES_SHOWN).map(reason));
    if hidden > 0 {
        lines.push(reason(format!("  and {hidden} more; `--json` lists all")));
    }
    lines
}

/// Colours on a terminal, nothing elsewhere, or where `NO_COLOR` asks for none.
struct Paint(bool);

impl Paint {
    fn of_terminal() -> Self {
        Self(io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    fn line(&self, line: &Line) -> String {
        let code = match line.mark {
            Mark::Passed | Mark::Expected => "32",
            Mark::Failed => "1;31",
            Mark::Decided => "31",
            Mark::Reason => return line.text.clone(),
        };
        if self.0 { format!("\u{1b}[{code}m{}\u{1b}[0m", line.text) } else { line.text.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_has_colours() {
        let line = Line { mark: Mark::Failed, text: "FAILED".to_owned() };
        assert_eq!(Paint(false).line(&line), "FAILED");
        assert_eq!(Paint(true).line(&line), "\u{1b}[1;31mFAILED\u{1b}[0m");
        assert_eq!(Paint(true).line(&Line { mark: Mark::Reason, ..line }), "FAILED");
    }
}
