//! The numbers of a side: one for each run, or one for each block of seconds.

use super::JudgedBy;
use super::interval::{mean, variance};
use crate::outcome::{Outcome, Run, Second};
use crate::reports::figure::{Figure, counts, is_counted};

/// How many blocks a single run is cut into: few, so that each is long, since what happens in a second is like what happened in
/// the one before.
const BLOCKS: usize = 10;

/// Of fewer seconds it is not known how much each is like the one before: equal engines would be called different too often.
const SECONDS_MIN: usize = 60;

/// A second that is more like the one before than this is taken for one that is so much like it.
const LIKENESS_MAX: f64 = 0.97;

/// What was observed of one figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Observed {
    /// Each counts as one observation.
    pub(super) values: Vec<f64>,
    /// How many times further apart the mean of such values lies from the truth than if they were independent, squared.
    pub(super) inflation: f64,
    /// Degrees of freedom of the variance of the mean.
    pub(super) freedom: f64,
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
            JudgedBy::Runs => Self { freedom: runs.len() as f64 - 1.0, whole: None, inflation: 1.0, values: runs },
            JudgedBy::Seconds => {
                let cut = |blocks| outcome.runs.iter().flat_map(move |run| cut(run, figure.name, blocks));
                let values: Vec<f64> = cut(Some(BLOCKS)).collect();
                let whole = (!runs.is_empty()).then(|| mean(&runs));
                let luck = Luck::of(&values, &cut(None).collect::<Vec<_>>());
                Self { inflation: luck.inflation, freedom: luck.freedom, values, whole }
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

/// How much the likeness of neighbours spoils a mean.
#[derive(Clone, Copy, Debug)]
struct Luck {
    inflation: f64,
    freedom: f64,
}

impl Luck {
    /// By the correlation of each second with the next, of which there are enough for an estimate, or by that of each block with the next
    /// where that is more: something slow need not show from second to second.
    fn of(blocks: &[f64], seconds: &[f64]) -> Self {
        // As they are compared: by their logarithms, so that one long stall is not all there is to a minute.
        let is_log = blocks.iter().chain(seconds).all(|value| *value > 0.0);
        let taken = |values: &[f64]| -> Vec<f64> {
            values.iter().map(|value| if is_log { value.ln() } else { *value }).collect()
        };
        let (blocks, seconds) = (&taken(blocks), &taken(seconds));
        let freedom = blocks.len() as f64 - 1.0;
        let (Some(near), Some(far)) = (likeness(seconds), likeness(blocks)) else {
            return Self { inflation: 1.0, freedom };
        };
        // Estimates of few are too low: by (1 + 3 r) / n (Kendall); of so few as there are blocks only half of that is known.
        let number = seconds.len() as f64;
        let near = (near + (1.0 + 3.0 * near.max(0.0)) / number).clamp(0.0, LIKENESS_MAX);
        let far = (far + 1.0 / blocks.len() as f64).clamp(0.0, 0.8);
        let growth = |likeness: f64| (1.0 + likeness) / (1.0 - likeness);
        let of_seconds = variance(seconds) / number * growth(near);
        let of_blocks = variance(blocks) / blocks.len() as f64;
        // So many independent seconds would tell as much.
        let independent = number / growth(near);
        Self { inflation: growth(far).max(of_seconds / of_blocks), freedom: freedom.min(independent - 1.0).max(2.0) }
    }
}

/// The correlation of each value with the next; nothing of few, or where all are the same.
fn likeness(values: &[f64]) -> Option<f64> {
    let middle = mean(values);
    let all: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    let near: f64 = values.windows(2).map(|pair| (pair[0] - middle) * (pair[1] - middle)).sum();
    (values.len() >= 4 && all > 0.0).then(|| near / all)
}

/// The figure of each block of the counted seconds, or of each second by itself; nothing where seconds do not tell it.
fn cut(run: &Run, name: &str, blocks: Option<usize>) -> Vec<f64> {
    let seconds: Vec<&Second> = run.seconds.iter().filter(|second| is_counted(run, second)).collect();
    if seconds.len() < SECONDS_MIN {
        return Vec::new();
    }
    let number = blocks.unwrap_or(seconds.len());
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
    // As long as each other, or by one second longer: so many and no more.
    let block = |nth: usize| &seconds[nth * seconds.len() / number..(nth + 1) * seconds.len() / number];
    let values: Vec<f64> = (0..number).filter_map(|nth| of_block(block(nth))).collect();
    if blocks.is_some() && values.len() < number { Vec::new() } else { values }
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
