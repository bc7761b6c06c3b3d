//! The report at the end of a run, in Markdown that can be pasted into a document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::figure::{self, Drift, Range};
use super::units::{self, Unit};
use super::verdict::{Verdict, promises};
use crate::outcome::{Curve, Happened, Machine, Outcome, Run, Usage};

/// What is told of a run in percentiles.
const LADDER: [f64; 9] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 1.0];

/// From this many answers above it a percentile is more than the luck of one call.
const ABOVE_MIN: f64 = 10.0;

/// The report of all runs: medians over them, with the range where there are several.
pub(crate) fn terminal(outcome: &Outcome) -> String {
    let mut text = String::new();
    head(&mut text, outcome);
    if outcome.runs.is_empty() {
        return text;
    }
    totals(&mut text, outcome);
    ladder(&mut text, outcome);
    shares(&mut text, "Decided by", outcome, |run| &run.tiers, |run| run.totals.answered);
    shares(&mut text, "Fell back because of", outcome, |run| &run.fallbacks, |run| run.totals.answered);
    shares(&mut text, "Shed because of", outcome, |run| &run.shed, |run| run.totals.offered);
    shares(&mut text, "Failed by", outcome, |run| &run.failed, |run| run.totals.offered);
    usage(&mut text, outcome);
    driver(&mut text, outcome);
    happened(&mut text, outcome);
    checks(&mut text, outcome);
    text
}

fn head(text: &mut String, outcome: &Outcome) {
    let verdict = Verdict::of(outcome);
    push(text, format_args!("**{}** {}", outcome.scenario, verdict.line));
    push(text, format_args!(""));
    for reason in &verdict.reasons {
        push(text, format_args!("- {reason}"));
    }
    for doubt in &verdict.doubts {
        push(text, format_args!("- warning: {doubt}"));
    }
    if !verdict.reasons.is_empty() || !verdict.doubts.is_empty() {
        push(text, format_args!(""));
    }
    if !outcome.description.is_empty() {
        push(text, format_args!("{}", outcome.description));
        push(text, format_args!(""));
    }
    let promised = promises(outcome);
    let promised = if promised.is_empty() { "nothing".to_owned() } else { promised.join(", ") };
    push(text, format_args!("Promised: {promised}. Began {}. {}.", outcome.began, machine(&outcome.machine)));
    if outcome.runs.len() > 1 {
        push(
            text,
            format_args!(
                "Figures are medians over {} runs, with the range in brackets where they differ.",
                outcome.runs.len()
            ),
        );
    }
}

/// Where it ran, in a line.
pub(super) fn machine(machine: &Machine) -> String {
    format!(
        "{} x {}, {}, {}, forthwith {} ({})",
        machine.processors,
        machine.model,
        units::bytes(machine.memory_bytes as f64),
        machine.system,
        machine.version,
        if machine.is_optimized { "release" } else { "not optimized" },
    )
}

fn totals(text: &mut String, outcome: &Outcome) {
    heading(text, &["calls", "number", "a second", "share of offered"]);
    let per_second = |of: fn(&Run) -> u64| {
        Range::over(outcome, |run| (run.totals.seconds > 0.0).then(|| of(run) as f64 / run.totals.seconds))
    };
    let rows: [(&str, fn(&Run) -> u64); 7] = [
        ("offered", |run| run.totals.offered),
        ("answered", |run| run.totals.answered),
        ("late", |run| run.totals.late),
        ("pending", |run| run.totals.pending),
        ("duplicates", |run| run.totals.duplicates),
        ("shed", |run| run.totals.shed),
        ("failed", |run| run.totals.failed),
    ];
    for (name, of) in rows {
        let number = Range::over(outcome, |run| Some(of(run) as f64));
        let share = Range::over(outcome, |run| figure::share(of(run), run.totals.offered));
        row(text, name, &[cell(number, Unit::Count), cell(per_second(of), Unit::Count), cell(share, Unit::Share)]);
    }
    let goodput = Range::over(outcome, |run| Some(run.totals.goodput));
    let share = Range::over(outcome, |run| {
        figure::share(run.totals.answered - run.totals.late.min(run.totals.answered), run.totals.offered)
    });
    row(text, "answered in time (goodput)", &[String::new(), cell(goodput, Unit::Count), cell(share, Unit::Share)]);
}

fn ladder(text: &mut String, outcome: &Outcome) {
    heading(text, &["latency", "from the intended start", "service time", "hidden by a closed loop"]);
    let mut is_thin = false;
    for quantile in LADDER {
        let of = |curve: fn(&Run) -> &Curve| Range::over(outcome, |run| figure::at(curve(run), quantile));
        let latency = of(|run| &run.latency);
        let service = of(|run| &run.service);
        let hidden = match (latency, service) {
            (Some(latency), Some(service)) if latency.median > service.median => {
                Unit::Micros.write(latency.median - service.median)
            }
            (Some(_), Some(_)) => "nothing".to_owned(),
            _ => "-".to_owned(),
        };
        let thin = is_luck(outcome, quantile);
        is_thin |= thin;
        let name = format!("{}{}", units::percentile(quantile), if thin { " *" } else { "" });
        row(text, &name, &[cell(latency, Unit::Micros), cell(service, Unit::Micros), hidden]);
    }
    if is_thin {
        push(
            text,
            format_args!("\n\\* fewer than {ABOVE_MIN:.0} answers of a run lie above it: the luck of single calls."),
        );
    }
}

/// Whether a percentile stands on so few answers that it says little.
pub(super) fn is_luck(outcome: &Outcome, quantile: f64) -> bool {
    let fewest = outcome.runs.iter().map(|run| run.latency.count()).min().unwrap_or(0) as f64;
    quantile < 1.0 && fewest * (1.0 - quantile) < ABOVE_MIN - 1e-6
}

/// Numbers by name, as shares of a whole.
fn shares(
    text: &mut String,
    title: &str,
    outcome: &Outcome,
    of: fn(&Run) -> &BTreeMap<String, u64>,
    whole: fn(&Run) -> u64,
) {
    let names: BTreeSet<&String> = outcome.runs.iter().flat_map(|run| of(run).keys()).collect();
    if names.is_empty() {
        return;
    }
    heading(text, &[title, "calls", "share"]);
    let number = |run: &Run, name: &String| of(run).get(name).copied().unwrap_or(0);
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(outcome.runs.iter().map(|run| number(run, name)).sum::<u64>()));
    for name in names {
        let calls = Range::over(outcome, |run| Some(number(run, name) as f64));
        let share = Range::over(outcome, |run| figure::share(number(run, name), whole(run)));
        row(text, name, &[cell(calls, Unit::Count), cell(share, Unit::Share)]);
    }
}

fn usage(text: &mut String, outcome: &Outcome) {
    if outcome.runs.iter().all(|run| run.usage.is_empty()) {
        return;
    }
    heading(text, &["engine", "mean or first", "most or last", "drift an hour"]);
    let processors = Range::over(outcome, figure::processors_mean);
    let most = Range::over(outcome, |run| most(run, |usage| usage.processors));
    row(text, "processors busy", &[cell(processors, Unit::Processors), cell(most, Unit::Processors), String::new()]);
    let decision = Range::over(outcome, figure::processor_us_per_answer);
    row(text, "CPU a decision", &[cell(decision, Unit::Micros), String::new(), String::new()]);
    drift(text, outcome, "memory", Unit::Bytes, |usage| usage.resident_bytes as f64);
    drift(text, outcome, "open files", Unit::Count, |usage| usage.open_files as f64);
    drift(text, outcome, "threads", Unit::Count, |usage| usage.threads as f64);
}

fn most(run: &Run, of: impl Fn(&Usage) -> f64) -> Option<f64> {
    figure::used(run, of).into_iter().map(|point| point.1).reduce(f64::max)
}

fn drift(text: &mut String, outcome: &Outcome, name: &str, unit: Unit, of: fn(&Usage) -> f64) {
    let drift = |run: &Run| Drift::of(&figure::used(run, of));
    let first = Range::over(outcome, |run| figure::used(run, of).first().map(|point| point.1));
    let last = Range::over(outcome, |run| figure::used(run, of).last().map(|point| point.1));
    let per_hour = Range::over(outcome, |run| drift(run).map(|drift| drift.per_hour));
    let per_hour = per_hour.map_or("-".to_owned(), |range| signed(unit, range.median));
    row(text, name, &[cell(first, unit), cell(last, unit), per_hour]);
}

/// With a plus before what grew.
pub(super) fn signed(unit: Unit, value: f64) -> String {
    let size = if unit == Unit::Count { units::three(value.abs()) } else { unit.write(value.abs()) };
    match value {
        value if value > 0.0 => format!("+{size}"),
        value if value < 0.0 => format!("-{size}"),
        _ => "none".to_owned(),
    }
}

fn driver(text: &mut String, outcome: &Outcome) {
    heading(text, &["driver", "p50", "p99", "max"]);
    let ladder = |of: fn(&Run) -> &Curve| {
        [0.5, 0.99, 1.0].map(|q| cell(Range::over(outcome, |run| figure::at(of(run), q)), Unit::Micros))
    };
    row(text, "its own lag", &ladder(|run| &run.driver.lag));
    row(text, "waited for a connection", &ladder(|run| &run.driver.waited));
    let threads = outcome.runs.first().map_or(0, |run| run.driver.threads);
    let processors = Range::over(outcome, |run| Some(run.driver.processors));
    let busy = match processors {
        Some(range) if range.high > 0.0 => format!("{} processors busy", range.write(Unit::Processors)),
        _ => "in the engine's process".to_owned(),
    };
    let verdict = match outcome.runs.iter().find_map(|run| run.driver.bottleneck.as_ref()) {
        Some(why) => format!("it may have been the bottleneck: {why}"),
        None => "it was not the bottleneck".to_owned(),
    };
    push(text, format_args!("\nThe driver: {threads} threads, {busy}; {verdict}."));
}

fn happened(text: &mut String, outcome: &Outcome) {
    if outcome.runs.iter().all(|run| run.happened.is_empty()) {
        return;
    }
    heading(text, &["what happened", "run", "at", "took", "what came of it"]);
    for (nth, run) in outcome.runs.iter().enumerate() {
        for Happened { at_s, what, took_s, said } in &run.happened {
            let cells = [(nth + 1).to_string(), format!("{at_s:.1} s"), units::seconds(*took_s), said.clone()];
            row(text, what, &cells);
        }
    }
}

fn checks(text: &mut String, outcome: &Outcome) {
    if outcome.runs.iter().all(|run| run.checks.is_empty()) {
        push(text, format_args!("\nNothing was checked."));
        return;
    }
    heading(text, &["check", "asks", "looked at", "violated"]);
    for (name, asks, checked, violations) in added(outcome) {
        let violated = if violations == 0 { "never".to_owned() } else { units::count(violations as f64) };
        row(text, &name, &[asks, units::count(checked as f64), violated]);
    }
    for (nth, run) in outcome.runs.iter().enumerate() {
        for check in run.checks.iter().filter(|check| check.violations > 0) {
            let Some(first) = &check.first else { continue };
            push(
                text,
                format_args!("\nFirst violation of `{}`, run {}:\n\n```json\n{first:#}\n```", check.name, nth + 1),
            );
        }
    }
}

/// Every check over all runs, in the order in which it first comes: name, what it asks, how many cases, how many violations.
pub(super) fn added(outcome: &Outcome) -> Vec<(String, String, u64, u64)> {
    let mut added: Vec<(String, String, u64, u64)> = Vec::new();
    for check in outcome.runs.iter().flat_map(|run| &run.checks) {
        match added.iter_mut().find(|(name, ..)| *name == check.name) {
            Some((_, _, checked, violations)) => {
                *checked += check.checked;
                *violations += check.violations;
            }
            None => added.push((check.name.clone(), check.asks.clone(), check.checked, check.violations)),
        }
    }
    added
}

/// Of a table: the first column is a name.
pub(super) fn heading(text: &mut String, columns: &[&str]) {
    push(text, format_args!("\n| {} |", columns.join(" | ")));
    push(text, format_args!("|---|{}", "--:|".repeat(columns.len() - 1)));
}

pub(super) fn row(text: &mut String, name: &str, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
    push(text, format_args!("| {} | {} |", plain(name), cells.join(" | ")));
}

/// Without what would end a cell.
fn plain(cell: &str) -> String {
    cell.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn cell(range: Option<Range>, unit: Unit) -> String {
    range.map_or("-".to_owned(), |range| range.write(unit))
}

pub(super) fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}
