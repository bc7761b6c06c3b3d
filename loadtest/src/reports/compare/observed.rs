//! The numbers of a side: one for each run, or one for each block of seconds.

use super::JudgedBy;
use super::interval::mean;
use crate::outcome::{Outcome, Run, Second};
use crate::reports::figure::{Figure, counts, is_counted};

/// How many blocks a single run is cut into: few, so that each is long, since what happens in a second is like what happened in
/// the one before.
const BLOCKS: usize = 10;

/// A block shorter than this is no block: there is nothing to judge by.
const BLOCK_SECONDS_MIN: usize = 2;

/// What was observed of one figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Observed {
    /// Each counts as one observation.
    pub(super) values: Vec<f64>,
    /// How many times further apart the mean of such values lies from the truth than if they were independent, squared.
    pub(super) inflation: f64,
    /// What is told where `values` are too few.
    pub(super) whole: Option<f64>,
}

/// Runs where each side has two or more.
pub(super) fn judged_by(a: &Outcome, b: &Outcome) -> JudgedBy {
    if a.runs.len() >= 2 && b.runs.len() >= 2 { JudgedBy::Runs } else { JudgedBy::Seconds }
}

impl Observed {
    pub(super) fn of(outcome: &Outcome, figure: &Figure, judged_by: JudgedBy) -> Self {
        let runs: Vec<f64> = outcome.runs.iter().filter_map(figure.of).collect();
        match judged_by {
            JudgedBy::Runs => Self { whole: None, inflation: 1.0, values: runs },
            JudgedBy::Seconds => {
                let values: Vec<f64> = outcome.runs.iter().flat_map(|run| blocks(run, figure.name)).collect();
                let whole = (!runs.is_empty()).then(|| mean(&runs));
                Self { inflation: inflation(&values), values, whole }
            }
        }
    }

    /// Of values that are ratios the geometric mean, unless one is zero.
    pub(super) fn mean(&self, is_difference: bool) -> Option<f64> {
        if self.values.len() < 2 {
            return self.whole.or(self.values.first().copied());
        }
        if is_difference || self.values.iter().any(|value| *value <= 0.0) {
            return Some(mean(&self.values));
        }
        let logs: Vec<f64> = self.values.iter().map(|value| value.ln()).collect();
        Some(mean(&logs).exp())
    }
}

/// How much the likeness of neighbours spoils a mean, by the correlation of each block with the next. The estimate of it from few
/// blocks is too low by about one over their number, which is given back.
fn inflation(values: &[f64]) -> f64 {
    if values.len() < 4 {
        return 1.0;
    }
    let middle = mean(values);
    let all: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    if all <= 0.0 {
        return 1.0;
    }
    let near: f64 = values.windows(2).map(|pair| (pair[0] - middle) * (pair[1] - middle)).sum();
    let likeness = (near / all + 1.0 / values.len() as f64).clamp(0.0, 0.8);
    (1.0 + likeness) / (1.0 - likeness)
}

/// The figure of each block of the counted seconds; nothing where seconds do not tell it.
fn blocks(run: &Run, name: &str) -> Vec<f64> {
    let seconds: Vec<&Second> = run.seconds.iter().filter(|second| is_counted(run, second)).collect();
    let length = seconds.len() / BLOCKS;
    if length < BLOCK_SECONDS_MIN {
        return Vec::new();
    }
    let of_block = |block: &[&Second]| -> Option<f64> {
        let sum = |of: fn(&Second) -> u64| block.iter().map(|second| of(second)).sum::<u64>() as f64;
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let quantile = |of: fn(&Second) -> f64| {
            let logs: Vec<f64> = block.iter().map(|second| of(second)).filter(|us| *us > 0.0).map(f64::ln).collect();
            (!logs.is_empty()).then(|| mean(&logs).exp())
        };
        let answered = sum(|second| second.answered);
        match name {
            "goodput" => Some((answered - sum(|second| second.late)) / block.len() as f64),
            "latency p50" => quantile(|second| second.p50_us),
            "latency p99" => quantile(|second| second.p99_us),
            "latency p99.9" => quantile(|second| second.p999_us),
            "late" => share(sum(|second| second.late), answered),
            "shed" => share(sum(|second| second.shed), sum(|second| second.offered)),
            "failed" => share(sum(|second| second.failed), sum(|second| second.offered)),
            "CPU a decision" => share(busy_us(run, block), answered).filter(|us| *us > 0.0),
            _ => None,
        }
    };
    let values: Vec<f64> = seconds.chunks_exact(length).filter_map(of_block).collect();
    if values.len() < BLOCKS { Vec::new() } else { values }
}

/// Processor time of the engine in a block, in microseconds.
fn busy_us(run: &Run, block: &[&Second]) -> f64 {
    let (Some(first), Some(last)) = (block.first(), block.last()) else { return 0.0 };
    let (from, to) = (first.at_s, last.at_s + 1.0);
    let mut before = None;
    let mut busy = 0.0;
    for usage in &run.usage {
        // What was used between two times belongs to a block by the part of it that lies inside.
        if let Some(since) = before.filter(|_| counts(run, usage.at_s)) {
            let inside: f64 = usage.at_s.min(to) - f64::max(since, from);
            busy += usage.processors * inside.max(0.0) * 1e6;
        }
        before = Some(usage.at_s);
    }
    busy
}
