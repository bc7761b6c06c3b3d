//! The charts of a run.

use std::collections::BTreeMap;

use super::chart::{Axis, Band, Chart, Form, Look, Series, Width};
use super::scale::{Along, Scale, span};
use crate::outcome::{Curve, Outcome, Run, Second, Usage};
use crate::reports::units::{self, Unit};

/// A longer run is drawn by spans of several seconds: more points than this nobody sees.
const POINTS_MAX: usize = 240;

/// So many names have a colour; what is left is drawn as others.
const NAMES_MAX: usize = 6;

/// The percentile curve ends here, at 99.9997 %: beyond are single calls.
const NINES_MAX: f64 = 5.5;

/// How finely it is drawn.
const NINES_STEP: f64 = 0.05;

/// All charts of this run, which is the nth of the outcome's.
pub(super) fn of(outcome: &Outcome, nth: usize, run: &Run) -> Vec<Chart> {
    let spans = Spans::of(run);
    let mut charts = vec![latency(outcome, run, &spans), percentiles(outcome, nth, run), rates(run, &spans)];
    charts.extend(by_name(
        run,
        &spans,
        "tiers",
        "Decided by",
        "Answers a second by the tier that decided.",
        |second| &second.tiers,
    ));
    charts.extend(by_name(
        run,
        &spans,
        "fallbacks",
        "Fallbacks",
        "Answers a second in which the rules' default took the place of a proposal, by why.",
        |second| &second.fallbacks,
    ));
    charts.extend(usages(run));
    // Halves come in twos.
    let halves = charts.iter().filter(|chart| chart.width == Width::Half).count();
    if halves % 2 == 1
        && let Some(last) = charts.iter_mut().rfind(|chart| chart.width == Width::Half)
    {
        last.width = Width::Full;
    }
    charts
}

/// Seconds in spans of the same length, so that there are not too many.
struct Spans<'a> {
    length: usize,
    spans: Vec<&'a [Second]>,
}

impl<'a> Spans<'a> {
    fn of(run: &'a Run) -> Self {
        let length = run.seconds.len().div_ceil(POINTS_MAX).max(1);
        Self { length, spans: run.seconds.chunks(length).collect() }
    }

    /// Their middles.
    fn at(&self) -> Vec<f64> {
        let middle = |span: &&[Second]| span.first().map(|second| second.at_s + span.len() as f64 / 2.0);
        self.spans.iter().filter_map(middle).collect()
    }

    /// The mean of what is above zero, by span.
    fn mean(&self, of: impl Fn(&Second) -> f64) -> Vec<Option<f64>> {
        let mean = |span: &&[Second]| {
            let values: Vec<f64> = span.iter().map(&of).filter(|value| *value > 0.0).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        self.spans.iter().map(mean).collect()
    }

    /// The most, by span; none where all is zero.
    fn most(&self, of: impl Fn(&Second) -> f64) -> Vec<Option<f64>> {
        let most = |span: &&[Second]| span.iter().map(&of).reduce(f64::max).filter(|value| *value > 0.0);
        self.spans.iter().map(most).collect()
    }

    /// How many a second, by span.
    fn rate(&self, of: impl Fn(&Second) -> u64) -> Vec<Option<f64>> {
        let rate = |span: &&[Second]| Some(span.iter().map(&of).sum::<u64>() as f64 / span.len() as f64);
        self.spans.iter().map(rate).collect()
    }

    /// What a point is, where it is more than a second.
    fn note(&self) -> String {
        if self.length == 1 { String::new() } else { format!(" Each point is {}.", span(self.length)) }
    }
}

fn time(run: &Run) -> Axis {
    let ends = run.phases.iter().map(|phase| phase.to_s);
    let seconds = run.seconds.iter().map(|second| second.at_s + 1.0);
    let end = ends.chain(seconds).chain(run.usage.iter().map(|usage| usage.at_s)).fold(1.0, f64::max);
    Axis { name: "time since the start", along: Along::Time, scale: Scale::Linear { low: 0.0, high: end } }
}

fn bands(run: &Run) -> Vec<Band> {
    let band = |phase: &crate::outcome::Phase| Band {
        from: phase.from_s,
        to: phase.to_s,
        name: phase.name.clone(),
        is_shaded: !phase.is_counted,
    };
    run.phases.iter().map(band).collect()
}

fn marks(run: &Run) -> Vec<f64> {
    run.happened.iter().map(|happened| happened.at_s).collect()
}

fn line(name: &str, colour: usize, look: Look, values: Vec<Option<f64>>) -> Series {
    Series { name: name.to_owned(), colour, look, values }
}

fn latency(outcome: &Outcome, run: &Run, spans: &Spans<'_>) -> Chart {
    let mut series = vec![
        line("p50", 1, Look::Line, spans.mean(|second| second.p50_us)),
        line("p99", 2, Look::Line, spans.most(|second| second.p99_us)),
        line("p99.9", 3, Look::Line, spans.most(|second| second.p999_us)),
        line("max", 8, Look::Dashed, spans.most(|second| second.max_us)),
    ];
    // Not every file tells it.
    series.retain(|series| series.name != "p99.9" || series.values.iter().any(Option::is_some));
    let values: Vec<f64> = series.iter().flat_map(|series| &series.values).flatten().copied().collect();
    let how = if spans.length == 1 { "" } else { " Of p50 the mean is drawn, of the others the largest." };
    Chart {
        id: "latency",
        title: "Latency over time".to_owned(),
        says: format!("Counted from when a call was due, by the second in which it was answered.{}{how}", spans.note()),
        width: Width::Full,
        form: Form::Lines,
        x: time(run),
        y: Axis { name: "latency, logarithmic", along: Along::Of(Unit::Micros), scale: Scale::log(&values) },
        at: spans.at(),
        series,
        guides: promise(outcome),
        bands: bands(run),
        marks: marks(run),
    }
}

fn promise(outcome: &Outcome) -> Vec<(f64, String)> {
    let promised = outcome.slo.and_then(|slo| slo.p99_us);
    promised.map(|us| (us, format!("promised: p99 ≤ {}", units::micros(us)))).into_iter().collect()
}

fn percentiles(outcome: &Outcome, nth: usize, run: &Run) -> Chart {
    let count = run.latency.count().max(2) as f64;
    let end = count.log10().clamp(1.0, NINES_MAX);
    let mut at: Vec<f64> = (0..).map(|step| f64::from(step) * NINES_STEP).take_while(|nines| *nines < end).collect();
    at.push(end);
    let curve = |curve: &Curve| -> Vec<Option<f64>> {
        let value = |nines: &f64| (curve.count() > 0).then(|| curve.quantile_us(1.0 - 10_f64.powf(-nines)));
        at.iter().map(value).collect()
    };
    let others = outcome.runs.iter().enumerate().filter(|(other, _)| *other != nth);
    let mut series: Vec<Series> =
        others.map(|(_, other)| line("another run", 1, Look::Faint, curve(&other.latency))).collect();
    let many = if series.is_empty() { "" } else { " Thin lines are the other runs." };
    series.push(line("service time", 2, Look::Dashed, curve(&run.service)));
    series.push(line("latency from the intended start", 1, Look::Line, curve(&run.latency)));
    let values: Vec<f64> = series.iter().flat_map(|series| &series.values).flatten().copied().collect();
    Chart {
        id: "percentiles",
        title: "Percentile curve".to_owned(),
        says: format!(
            "How long the quickest so many per cent took. What lies between the lines is what a closed loop hides.{many}"
        ),
        width: Width::Half,
        form: Form::Lines,
        x: Axis { name: "percentile", along: Along::Percentile, scale: Scale::Linear { low: 0.0, high: end } },
        y: Axis { name: "time, logarithmic", along: Along::Of(Unit::Micros), scale: Scale::log(&values) },
        at,
        series,
        guides: Vec::new(),
        bands: Vec::new(),
        marks: Vec::new(),
    }
}

fn rates(run: &Run, spans: &Spans<'_>) -> Chart {
    let mut series = vec![
        line("in time", 4, Look::Area, spans.rate(|second| second.answered.saturating_sub(second.late))),
        line("late", 6, Look::Area, spans.rate(|second| second.late)),
        line("shed", 2, Look::Area, spans.rate(|second| second.shed)),
        line("failed", 7, Look::Area, spans.rate(|second| second.failed)),
    ];
    let tops: Vec<f64> =
        (0..spans.spans.len()).map(|nth| series.iter().map(|series| series.values[nth].unwrap_or(0.0)).sum()).collect();
    let offered = line("offered", 8, Look::Line, spans.rate(|second| second.offered));
    let values: Vec<f64> = tops.into_iter().chain(offered.values.iter().flatten().copied()).collect();
    series.push(offered);
    Chart {
        id: "rates",
        title: "Rate".to_owned(),
        says: format!("Calls a second: what was offered, and what became of it.{}", spans.note()),
        width: Width::Half,
        form: Form::Stacked,
        x: time(run),
        y: rate_axis("calls a second", values),
        at: spans.at(),
        series,
        guides: Vec::new(),
        bands: bands(run),
        marks: marks(run),
    }
}

fn rate_axis(name: &'static str, values: Vec<f64>) -> Axis {
    let along = Along::Of(Unit::PerSecond);
    Axis { name, along, scale: Scale::from_zero(values.into_iter(), along) }
}

/// A chart of numbers by name, upon each other; none where there are no names.
fn by_name(
    run: &Run,
    spans: &Spans<'_>,
    id: &'static str,
    title: &str,
    says: &str,
    of: fn(&Second) -> &BTreeMap<String, u64>,
) -> Option<Chart> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, number) in run.seconds.iter().flat_map(of) {
        *totals.entry(name).or_default() += number;
    }
    let mut names: Vec<&str> = totals.keys().copied().collect();
    names.sort_by_key(|name| std::cmp::Reverse(totals[name]));
    if names.is_empty() {
        return None;
    }
    let number = |second: &Second, name: &str| of(second).get(name).copied().unwrap_or(0);
    let shown = names.len().min(NAMES_MAX);
    let mut series: Vec<Series> = names[..shown]
        .iter()
        .enumerate()
        .map(|(nth, name)| line(name, nth + 1, Look::Area, spans.rate(|second| number(second, name))))
        .collect();
    if names.len() > shown {
        let others = spans.rate(|second| names[shown..].iter().map(|name| number(second, name)).sum());
        series.push(line("others", 8, Look::Area, others));
    }
    let tops: Vec<f64> =
        (0..spans.spans.len()).map(|nth| series.iter().map(|series| series.values[nth].unwrap_or(0.0)).sum()).collect();
    Some(Chart {
        id,
        title: title.to_owned(),
        says: format!("{says}{}", spans.note()),
        width: Width::Half,
        form: Form::Stacked,
        x: time(run),
        y: rate_axis("answers a second", tops),
        at: spans.at(),
        series,
        guides: Vec::new(),
        bands: bands(run),
        marks: marks(run),
    })
}

/// A chart of what the engine took of the machine.
struct Taken {
    id: &'static str,
    title: &'static str,
    says: &'static str,
    axis: &'static str,
    unit: Unit,
    colour: usize,
    of: fn(&Usage) -> f64,
}

const TAKEN: [Taken; 3] = [
    Taken {
        id: "processors",
        title: "CPU",
        says: "Processors that the engine kept busy.",
        axis: "processors",
        unit: Unit::Processors,
        colour: 4,
        of: |usage| usage.processors,
    },
    Taken {
        id: "memory",
        title: "Memory",
        says: "What the engine had resident.",
        axis: "resident",
        unit: Unit::Bytes,
        colour: 5,
        of: |usage| usage.resident_bytes as f64,
    },
    Taken {
        id: "files",
        title: "Open files",
        says: "Descriptors that the engine held.",
        axis: "open files",
        unit: Unit::Count,
        colour: 3,
        of: |usage| usage.open_files as f64,
    },
];

fn usages(run: &Run) -> Vec<Chart> {
    if run.usage.is_empty() {
        return Vec::new();
    }
    let length = run.usage.len().div_ceil(POINTS_MAX).max(1);
    TAKEN.iter().map(|taken| usage(run, taken, length)).collect()
}

/// Of a span the most is drawn, so that no peak is lost.
fn usage(run: &Run, taken: &Taken, length: usize) -> Chart {
    let spans = || run.usage.chunks(length);
    let values: Vec<Option<f64>> = spans().map(|span| span.iter().map(taken.of).reduce(f64::max)).collect();
    let along = Along::Of(taken.unit);
    let scale = Scale::from_zero(values.iter().flatten().copied(), along);
    Chart {
        id: taken.id,
        title: taken.title.to_owned(),
        says: taken.says.to_owned(),
        width: Width::Third,
        form: Form::Lines,
        x: time(run),
        y: Axis { name: taken.axis, along, scale },
        at: spans().filter_map(|span| span.first()).map(|usage| usage.at_s).collect(),
        series: vec![line(taken.title, taken.colour, Look::Line, values)],
        guides: Vec::new(),
        bands: bands(run),
        marks: marks(run),
    }
}
