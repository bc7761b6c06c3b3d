//! What is told of an outcome in tables, on a terminal and on a page alike.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::figure::{self, Drift, FIGURES, Range};
use super::units::{self, Unit};
use crate::outcome::{Curve, Happened, Outcome, Run, Second, Usage};

/// What is told of a run in percentiles.
const LADDER: [f64; 9] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 1.0];

/// From this many answers above it a percentile is more than the luck of one call.
const ABOVE_MIN: f64 = 10.0;

/// From this length of a run drift is told by the hour.
const HOURLY_FROM_S: f64 = 600.0;

/// Rows under a head; the first column names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) note: Option<String>,
}

/// The head of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Words(Cow<'static, str>),
    Number(Cow<'static, str>),
}

/// A name, and how many of a run.
type Row = (&'static str, fn(&Run) -> u64);

/// The same of what the engine took.
type UsageRow = (&'static str, Unit, fn(&Usage) -> f64);

impl Column {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Words(name) | Self::Number(name) => name,
        }
    }
}

impl Table {
    /// The first column has words, the others numbers.
    pub(super) fn of_numbers<S: Into<Cow<'static, str>>>(columns: impl IntoIterator<Item = S>) -> Self {
        let columns = columns.into_iter().map(Into::into).enumerate();
        let columns = columns.map(|(nth, name)| if nth == 0 { Column::Words(name) } else { Column::Number(name) });
        Self { columns: columns.collect(), rows: Vec::new(), note: None }
    }

    fn of(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new(), note: None }
    }

    pub(super) fn row(&mut self, name: impl Into<String>, cells: impl IntoIterator<Item = String>) {
        self.rows.push(std::iter::once(name.into()).chain(cells).collect());
    }

    fn unless_empty(self) -> Option<Self> {
        (!self.rows.is_empty()).then_some(self)
    }
}

/// Calls by what became of them.
pub(super) fn calls(outcome: &Outcome) -> Table {
    let mut table = Table::of_numbers(["calls", "number", "a second", "share of offered"]);
    let per_second = |of: fn(&Run) -> u64| {
        Range::over(outcome, |run| (run.totals.seconds > 0.0).then(|| of(run) as f64 / run.totals.seconds))
    };
    let rows: [Row; 7] = [
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
        table.row(name, [cell(number, Unit::Count), cell(per_second(of), Unit::Count), cell(share, Unit::Share)]);
    }
    let in_time = |run: &Run| run.totals.answered.saturating_sub(run.totals.late);
    let number = Range::over(outcome, |run| Some(in_time(run) as f64));
    let goodput = Range::over(outcome, |run| Some(run.totals.goodput));
    let share = Range::over(outcome, |run| figure::share(in_time(run), run.totals.offered));
    let cells = [cell(number, Unit::Count), cell(goodput, Unit::Count), cell(share, Unit::Share)];
    table.row("answered in time (goodput)", cells);
    table
}

/// What came of each phase of a run, by its seconds; none where there is only one that counts.
pub(super) fn phases(run: &Run) -> Option<Table> {
    if run.phases.iter().filter(|phase| phase.is_counted).count() < 2 {
        return None;
    }
    let columns = ["phase", "from", "to", "offered", "in time", "late", "shed", "failed", "largest p99 of a second"];
    let mut table = Table::of_numbers(columns);
    for phase in &run.phases {
        let is_inside = |second: &&Second| (phase.from_s..phase.to_s).contains(&(second.at_s + 0.5));
        let seconds: Vec<&Second> = run.seconds.iter().filter(is_inside).collect();
        let rate = |of: fn(&Second) -> u64| {
            let sum: u64 = seconds.iter().map(|second| of(second)).sum();
            Unit::PerSecond.write(sum as f64 / seconds.len().max(1) as f64)
        };
        let p99 = seconds.iter().map(|second| second.p99_us).reduce(f64::max).filter(|us| *us > 0.0);
        let counted = if phase.is_counted { "" } else { " (not counted)" };
        let cells = [
            format!("{} s", units::count(phase.from_s)),
            format!("{} s", units::count(phase.to_s)),
            rate(|second| second.offered),
            rate(|second| second.answered.saturating_sub(second.late)),
            rate(|second| second.late),
            rate(|second| second.shed),
            rate(|second| second.failed),
            p99.map_or("-".to_owned(), |us| Unit::Micros.write(us)),
        ];
        table.row(format!("{}{counted}", phase.name), cells);
    }
    table.unless_empty()
}

/// Percentiles of latency and service time, and what lies between.
pub(super) fn ladder(outcome: &Outcome) -> Table {
    let mut table =
        Table::of_numbers(["latency", "from the intended start", "service time", "hidden by a closed loop"]);
    for quantile in LADDER {
        let of = |curve: fn(&Run) -> &Curve| Range::over(outcome, |run| figure::at(curve(run), quantile));
        let (latency, service) = (of(|run| &run.latency), of(|run| &run.service));
        let hidden = match (latency, service) {
            (Some(latency), Some(service)) if latency.median > service.median => {
                Unit::Micros.write(latency.median - service.median)
            }
            (Some(_), Some(_)) => "nothing".to_owned(),
            _ => "-".to_owned(),
        };
        let mut name = units::percentile(quantile);
        if is_luck(outcome, quantile) {
            name += " *";
            let note = format!("* Fewer than {ABOVE_MIN:.0} answers of a run lie above it: the luck of single calls.");
            table.note = Some(note);
        }
        table.row(name, [cell(latency, Unit::Micros), cell(service, Unit::Micros), hidden]);
    }
    let notes: Vec<String> = table.note.take().into_iter().chain(unheard(outcome)).collect();
    table.note = (!notes.is_empty()).then(|| notes.join(" "));
    table
}

/// That those who waited in vain are in no percentile, where there are any.
fn unheard(outcome: &Outcome) -> Option<String> {
    let most = outcome.runs.iter().map(|run| run.totals.failed).max().filter(|failed| *failed > 0)?;
    let calls = if outcome.runs.len() > 1 {
        format!("Calls that failed (up to {most} of a run)")
    } else {
        format!("Calls that failed ({most})")
    };
    Some(format!("{calls} are in none of these: whoever waited longest and gave up is missing."))
}

/// Whether a percentile stands on so few answers that it says little.
fn is_luck(outcome: &Outcome, quantile: f64) -> bool {
    let fewest = outcome.runs.iter().map(|run| run.latency.count()).min().unwrap_or(0) as f64;
    quantile < 1.0 && fewest * (1.0 - quantile) < ABOVE_MIN - 1e-6
}

/// Answers by tier and by fallback, lost calls by reason; without those of which there are none.
pub(super) fn reasons(outcome: &Outcome) -> Vec<Table> {
    let answered: fn(&Run) -> u64 = |run| run.totals.answered;
    let offered: fn(&Run) -> u64 = |run| run.totals.offered;
    [
        shares("decided by", "share", outcome, |run| &run.tiers, answered),
        shares("fell back because of", "share", outcome, |run| &run.fallbacks, answered),
        shares("shed because of", "share", outcome, |run| &run.shed, offered),
        shares("failed by", "share", outcome, |run| &run.failed, offered),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn shares(
    title: &'static str,
    share: &'static str,
    outcome: &Outcome,
    of: fn(&Run) -> &BTreeMap<String, u64>,
    whole: fn(&Run) -> u64,
) -> Option<Table> {
    let mut table = Table::of_numbers([title, "calls", share]);
    let number = |run: &Run, name: &String| of(run).get(name).copied().unwrap_or(0);
    let names: BTreeSet<&String> = outcome.runs.iter().flat_map(|run| of(run).keys()).collect();
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(outcome.runs.iter().map(|run| number(run, name)).sum::<u64>()));
    for name in names {
        let calls = Range::over(outcome, |run| Some(number(run, name) as f64));
        let share = Range::over(outcome, |run| figure::share(number(run, name), whole(run)));
        table.row(name, [cell(calls, Unit::Count), cell(share, Unit::Share)]);
    }
    table.unless_empty()
}

/// What the engine took of the machine, and whether that grew.
pub(super) fn engine(outcome: &Outcome) -> Option<Table> {
    if outcome.runs.iter().all(|run| run.usage.is_empty()) {
        return None;
    }
    let mut table = Table::of_numbers(["engine", "mean", "most", "at first", "at last", "drift"]);
    let rows: [UsageRow; 4] = [
        ("processors busy", Unit::Processors, |usage| usage.processors),
        ("memory", Unit::Bytes, |usage| usage.resident_bytes as f64),
        ("open files", Unit::Count, |usage| usage.open_files as f64),
        ("threads", Unit::Count, |usage| usage.threads as f64),
    ];
    for (name, unit, of) in rows {
        let values = |run: &Run| figure::used(run, of).into_iter().map(|point| point.1).collect::<Vec<_>>();
        let over = |of: fn(&[f64]) -> Option<f64>| cell(Range::over(outcome, |run| of(&values(run))), unit);
        let drifts: Vec<Drift> = outcome.runs.iter().filter_map(|run| Drift::of(&figure::used(run, of))).collect();
        let cells = [
            over(|values| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)),
            over(|values| values.iter().copied().reduce(f64::max)),
            over(|values| values.first().copied()),
            over(|values| values.last().copied()),
            drifted(unit, &drifts),
        ];
        table.row(name, cells);
    }
    if let Some(range) = Range::over(outcome, figure::processor_us_per_answer) {
        table.note = Some(format!("Processor time for each decision: {}.", range.write(Unit::Micros)));
    }
    Some(table)
}

/// How much something grew or shrank: in an hour of a long run, over the whole of a short one, of which an hour would be a guess.
fn drifted(unit: Unit, drifts: &[Drift]) -> String {
    let median = |of: fn(&Drift) -> f64| Range::of(drifts.iter().map(of).collect()).map(|range| range.median);
    match median(|drift| drift.seconds) {
        None => "-".to_owned(),
        Some(seconds) if seconds < HOURLY_FROM_S => {
            let grown = signed(unit, median(|drift| drift.last - drift.first).unwrap_or(0.0));
            if grown == "none" { grown } else { format!("{grown} in {}", units::seconds(seconds)) }
        }
        Some(_) => {
            let grown = signed(unit, median(|drift| drift.per_hour).unwrap_or(0.0));
            if grown == "none" { grown } else { format!("{grown} an hour") }
        }
    }
}

/// With a plus before what grew.
fn signed(unit: Unit, value: f64) -> String {
    let size = if unit == Unit::Count { units::three(value.abs()) } else { unit.write(value.abs()) };
    match value {
        value if value > 0.0 => format!("+{size}"),
        value if value < 0.0 => format!("-{size}"),
        _ => "none".to_owned(),
    }
}

/// The driver's own standing.
pub(super) fn driver(outcome: &Outcome) -> Table {
    let mut table = Table::of_numbers(["driver", "p50", "p99", "max"]);
    let ladder = |of: fn(&Run) -> &Curve| {
        [0.5, 0.99, 1.0].map(|quantile| {
            let over = Range::over(outcome, |run| figure::at(of(run), quantile));
            cell(over, Unit::Micros)
        })
    };
    table.row("its own lag", ladder(|run| &run.driver.lag));
    table.row("waited for a connection", ladder(|run| &run.driver.waited));
    let threads = outcome.runs.first().map_or(0, |run| run.driver.threads);
    let busy = match Range::over(outcome, |run| Some(run.driver.processors)) {
        Some(range) if range.high > 0.0 => format!("{} processors busy", range.write(Unit::Processors)),
        _ => "in the engine's own process".to_owned(),
    };
    let verdict = match outcome.runs.iter().find_map(|run| run.driver.bottleneck.as_ref()) {
        Some(why) => format!("it may have been the bottleneck: {why}"),
        None => "it was not the bottleneck".to_owned(),
    };
    let threads = super::verdict::number(threads, "thread", "threads");
    let reconnects: u64 = outcome.runs.iter().map(|run| run.driver.reconnects).sum();
    let again = match reconnects {
        0 => String::new(),
        some => format!(", {} opened again", super::verdict::number(some as usize, "connection", "connections")),
    };
    table.note = Some(format!("The driver: {threads}, {busy}{again}; {verdict}."));
    table
}

/// What was done to the engine in these runs, each with its number.
pub(super) fn happened<'a>(runs: impl IntoIterator<Item = (usize, &'a Run)>) -> Option<Table> {
    use Column::{Number, Words};
    let mut table = Table::of([
        Words("what happened".into()),
        Number("run".into()),
        Number("at".into()),
        Number("took".into()),
        Words("what came of it".into()),
    ]);
    for (nth, run) in runs {
        for Happened { at_s, what, took_s, said } in &run.happened {
            let cells = [(nth + 1).to_string(), format!("{at_s:.1} s"), units::seconds(*took_s), said.clone()];
            table.row(what, cells);
        }
    }
    table.unless_empty()
}

/// Every check over all runs.
pub(super) fn checks(outcome: &Outcome) -> Option<Table> {
    use Column::{Number, Words};
    let mut table =
        Table::of([Words("check".into()), Words("asks".into()), Number("looked at".into()), Number("violated".into())]);
    for (name, asks, checked, violations) in added(outcome) {
        let violated = match (checked, violations) {
            (0, 0) => "not judged".to_owned(),
            (_, 0) => "never".to_owned(),
            (_, violations) => units::count(violations as f64),
        };
        table.row(name, [asks, units::count(checked as f64), violated]);
    }
    table.unless_empty()
}

/// Every check over all runs, in the order in which it first comes: name, what it asks, how many cases, how many violations.
fn added(outcome: &Outcome) -> Vec<(String, String, u64, u64)> {
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

/// The first case that broke each check: which check, in which run, and the case.
pub(super) fn first_cases(outcome: &Outcome) -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for (nth, run) in outcome.runs.iter().enumerate() {
        for check in run.checks.iter().filter(|check| check.violations > 0) {
            if let Some(first) = &check.first {
                cases.push((format!("First violation of `{}`, run {}", check.name, nth + 1), format!("{first:#}")));
            }
        }
    }
    cases
}

/// A row for each figure, a column for each run; none of a single run.
pub(super) fn runs(outcome: &Outcome) -> Option<Table> {
    if outcome.runs.len() < 2 {
        return None;
    }
    let names = (1..=outcome.runs.len()).map(|nth| format!("run {nth}"));
    let mut table = Table::of_numbers(std::iter::once("figure".to_owned()).chain(names));
    for figure in &FIGURES {
        let written = |run: &Run| (figure.of)(run).map_or("-".to_owned(), |value| figure.unit.write(value));
        table.row(figure.name, outcome.runs.iter().map(written));
    }
    Some(table)
}

fn cell(range: Option<Range>, unit: Unit) -> String {
    range.map_or("-".to_owned(), |range| range.write(unit))
}
