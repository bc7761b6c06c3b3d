//! A number of a run: what it is called, its unit, which way is better, and its spread over runs.

use super::units::Unit;
use crate::outcome::{Curve, Outcome, Run, Second};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
}

/// A number that every run has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    pub(super) better: Better,
    /// None where the run has nothing to tell of it.
    pub(super) of: fn(&Run) -> Option<f64>,
}

/// What runs are judged and compared by, in the order in which it is told.
pub(super) const FIGURES: [Figure; 13] = [
    Figure { name: "goodput", unit: Unit::PerSecond, better: Better::More, of: |run| Some(run.totals.goodput) },
    Figure { name: "latency p50", unit: Unit::Micros, better: Better::Less, of: |run| at(&run.latency, 0.5) },
    Figure { name: "latency p90", unit: Unit::Micros, better: Better::Less, of: |run| at(&run.latency, 0.9) },
    Figure { name: "latency p99", unit: Unit::Micros, better: Better::Less, of: |run| at(&run.latency, 0.99) },
    Figure { name: "latency p99.9", unit: Unit::Micros, better: Better::Less, of: |run| at(&run.latency, 0.999) },
    Figure { name: "latency p99.99", unit: Unit::Micros, better: Better::Less, of: |run| at(&run.latency, 0.9999) },
    Figure { name: "latency p99.999", unit: Unit::Micros, better: Better::Less, of: |run| at(&run.latency, 0.99999) },
    Figure { name: "latency max", unit: Unit::Micros, better: Better::Less, of: |run| at(&run.latency, 1.0) },
    Figure {
        name: "late",
        unit: Unit::Share,
        better: Better::Less,
        of: |run| share(run.totals.late, run.totals.answered),
    },
    Figure {
        name: "shed",
        unit: Unit::Share,
        better: Better::Less,
        of: |run| share(run.totals.shed, run.totals.offered),
    },
    Figure {
        name: "failed",
        unit: Unit::Share,
        better: Better::Less,
        of: |run| share(run.totals.failed, run.totals.offered),
    },
    Figure { name: "CPU a decision", unit: Unit::Micros, better: Better::Less, of: processor_us_per_answer },
    Figure { name: "memory, most", unit: Unit::Bytes, better: Better::Less, of: resident_bytes_max },
];

/// The median over runs, with the range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) runs: usize,
}

impl Range {
    /// Over all runs that have the figure.
    pub(super) fn over(outcome: &Outcome, of: impl Fn(&Run) -> Option<f64>) -> Option<Self> {
        Self::of(outcome.runs.iter().filter_map(of).collect())
    }

    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len().is_multiple_of(2) { (values[middle - 1] + values[middle]) / 2.0 } else { values[middle] };
        Some(Self { median, low, high, runs: values.len() })
    }

    /// The median, and the range in brackets where runs differ.
    pub(super) fn write(&self, unit: Unit) -> String {
        let median = unit.write(self.median);
        let (low, high) = (unit.write(self.low), unit.write(self.high));
        if low == high { median } else { format!("{median} ({low} to {high})") }
    }
}

/// The run that stands for all: the first that failed a check or missed a promise, or else the one whose p99 is the median.
pub(super) fn typical(outcome: &Outcome) -> Option<(usize, &Run)> {
    let runs = || outcome.runs.iter().enumerate();
    let failed = |run: &Run| !run.missed.is_empty() || run.checks.iter().any(|check| check.violations > 0);
    if let Some(found) = runs().find(|(_, run)| failed(run)) {
        return Some(found);
    }
    let mut by_p99: Vec<_> = runs().collect();
    by_p99.sort_by(|(_, a), (_, b)| a.latency.quantile_us(0.99).total_cmp(&b.latency.quantile_us(0.99)));
    let middle = by_p99.len().saturating_sub(1) / 2;
    by_p99.get(middle).copied()
}

/// Whether all of a second belongs to phases that count.
pub(super) fn is_counted(run: &Run, second: &Second) -> bool {
    counts(run, second.at_s + 0.5)
}

/// Whether this moment counts: the last of a phase does, the first belongs to what was before.
pub(super) fn counts(run: &Run, at_s: f64) -> bool {
    run.phases.is_empty()
        || run.phases.iter().any(|phase| phase.is_counted && phase.from_s < at_s && at_s <= phase.to_s)
}

/// What grew or shrank over the counted part of a run, of a straight line through all points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drift {
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) per_hour: f64,
    /// From the first point to the last.
    pub(super) seconds: f64,
}

impl Drift {
    /// Of points of time in seconds and value; none of fewer than three.
    pub(super) fn of(points: &[(f64, f64)]) -> Option<Self> {
        let (&(from, _), &(to, _)) = (points.first()?, points.last()?);
        if points.len() < 3 || to <= from {
            return None;
        }
        let number = points.len() as f64;
        let mean_x = points.iter().map(|point| point.0).sum::<f64>() / number;
        let mean_y = points.iter().map(|point| point.1).sum::<f64>() / number;
        let across: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let along: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let slope = across / along;
        Some(Self {
            first: mean_y + slope * (from - mean_x),
            last: mean_y + slope * (to - mean_x),
            per_hour: slope * 3_600.0,
            seconds: to - from,
        })
    }
}

/// One number of the engine's use of the machine over the counted part: time and value.
pub(super) fn used(run: &Run, of: impl Fn(&crate::outcome::Usage) -> f64) -> Vec<(f64, f64)> {
    run.usage.iter().filter(|usage| counts(run, usage.at_s)).map(|usage| (usage.at_s, of(usage))).collect()
}

/// Processor time for each answer, in microseconds.
pub(super) fn processor_us_per_answer(run: &Run) -> Option<f64> {
    if run.totals.answered == 0 || run.totals.seconds <= 0.0 {
        return None;
    }
    let processors = processors_mean(run)?;
    (processors > 0.0).then(|| processors * run.totals.seconds * 1e6 / run.totals.answered as f64)
}

/// Processors that were kept busy over the counted part.
pub(super) fn processors_mean(run: &Run) -> Option<f64> {
    let mut busy = 0.0;
    let mut length = 0.0;
    for pair in run.usage.windows(2) {
        let [before, now] = pair else { continue };
        if counts(run, now.at_s) {
            busy += now.processors * (now.at_s - before.at_s);
            length += now.at_s - before.at_s;
        }
    }
    (length > 0.0).then(|| busy / length)
}

pub(super) fn resident_bytes_max(run: &Run) -> Option<f64> {
    used(run, |usage| usage.resident_bytes as f64).into_iter().map(|point| point.1).reduce(f64::max)
}

/// A quantile of a curve that has any.
pub(super) fn at(curve: &Curve, quantile: f64) -> Option<f64> {
    (curve.count() > 0).then(|| curve.quantile_us(quantile))
}

pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::sample;

    #[test]
    fn a_range_has_its_median_between() {
        assert_eq!(Range::of(vec![3.0, 1.0, 2.0]), Some(Range { median: 2.0, low: 1.0, high: 3.0, runs: 3 }));
        assert_eq!(Range::of(vec![4.0, 1.0]).unwrap().median, 2.5);
        assert_eq!(Range::of(vec![]), None);
        assert_eq!(Range::of(vec![1_500.0]).unwrap().write(Unit::Micros), "1.50 ms");
        assert_eq!(Range::of(vec![1_500.0, 900.0]).unwrap().write(Unit::Micros), "1.20 ms (900 us to 1.50 ms)");
    }

    #[test]
    fn drift_is_the_slope_of_a_straight_line() {
        let points: Vec<_> = (0..11).map(|s| (f64::from(s), 100.0 + 2.0 * f64::from(s))).collect();
        let drift = Drift::of(&points).unwrap();
        assert!((drift.per_hour - 7_200.0).abs() < 1e-6 && (drift.last - 120.0).abs() < 1e-9, "{drift:?}");
        assert_eq!(Drift::of(&points[..2]), None);
    }

    #[test]
    fn the_run_that_failed_stands_for_all_and_else_the_middle_one() {
        let mut outcome = sample::outcome(3);
        let p99 = |run: &Run| run.latency.quantile_us(0.99);
        let mut all: Vec<f64> = outcome.runs.iter().map(p99).collect();
        all.sort_by(f64::total_cmp);
        assert_eq!(p99(typical(&outcome).unwrap().1), all[1]);
        outcome.runs[2].checks[0].violations = 1;
        assert_eq!(typical(&outcome).unwrap().0, 2);
        outcome.runs.clear();
        assert!(typical(&outcome).is_none());
    }

    #[test]
    fn use_of_the_machine_belongs_to_the_second_before_it() {
        let usage = |at_s: f64, processors| crate::outcome::Usage { at_s, processors, ..Default::default() };
        let phase = |from_s, to_s, is_counted| crate::outcome::Phase {
            name: String::new(),
            from_s,
            to_s,
            offered_per_second: None,
            is_counted,
        };
        let mut run = Run {
            phases: vec![phase(0.0, 1.0, false), phase(1.0, 3.0, true)],
            usage: vec![usage(0.0, 0.0), usage(1.0, 9.0), usage(2.0, 1.0), usage(3.0, 3.0), usage(4.0, 9.0)],
            ..Run::default()
        };
        assert_eq!(processors_mean(&run), Some(2.0), "neither the second of the warm-up nor what came after");
        assert_eq!(used(&run, |usage| usage.processors), [(2.0, 1.0), (3.0, 3.0)]);
        run.phases = vec![phase(0.0, 3.0, true)];
        assert_eq!(used(&run, |usage| usage.processors).len(), 3, "the first look measures nothing");
    }

    #[test]
    fn what_is_not_counted_does_not_count() {
        let mut run = sample::run(1);
        let before = resident_bytes_max(&run).unwrap();
        run.usage[0].resident_bytes = 1 << 50;
        assert_eq!(resident_bytes_max(&run), Some(before), "the engine was getting warm");
        run.phases.clear();
        assert_eq!(resident_bytes_max(&run), Some((1_u64 << 50) as f64));
    }
}
