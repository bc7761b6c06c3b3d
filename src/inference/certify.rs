//! Certified thresholds: a precision among what is accepted, promised and not only hoped for.
//!
//! **Method.** Learn-then-test (Angelopoulos, Bates, Candès, Jordan, Lei 2021, "Learn then Test: Calibrating Predictive Algorithms to
//! Achieve Risk Control") with fixed-sequence testing: thresholds are tried from the strictest downwards; each is passed when the lower bound of
//! Clopper and Pearson (1934) for the precision among the rows that it accepts reaches the target; the first that fails ends the sequence, and
//! the last that passed is taken. Because the order is fixed before a label is looked at and nothing is tried after a failure, the whole sequence errs
//! no more often than one test: with probability `1 - confidence` at most.
//!
//! **The thresholds** are fixed in advance and dense near 1: steps of 0.1 in log-odds. A calibrated model gives most texts confidence
//! above 0.9, so that even steps would put nearly all rows between two neighbours.
//!
//! **Where the sequence begins.** A very strict threshold accepts too few rows to prove anything and would end the sequence at once. So it begins at the
//! first threshold that accepts as many rows as prove the target in spite of five errors, or of fewer errors if there are not rows enough
//! ([`ERRORS_AT_START`]). That number depends on the number of rows and the goal; which threshold reaches it depends on scores, not on labels.
//! Given the scores, whether a row is right is an independent trial for each row, so any start that looks at
//! scores alone leaves every test as it is; that rows succeed with different probabilities only makes the test stricter (Hoeffding 1956: beyond
//! the mean, unequal trials have the lighter tail). What is promised is the precision for inputs with scores like those of the calibration set.
//! For inputs of the same source, of which the set is one sample, the same holds exactly when accuracy does not fall as the score rises: a
//! later start then lies among thresholds that are no better than the one it skipped.
//!
//! **What is not promised.** Anything about inputs of another kind: another season, channel or language, a permit that cuts other proposals, a set that
//! reviewers chose because it was hard. Rows must be a fair sample of what will be asked. It is a promise about the share of
//! all that is accepted, not about one decision, nor about a group among them. One certificate in twenty may fail at 95 % confidence.
//!
//! **Cost.** A sort of the rows and some two hundred binomial tails: about a millisecond for a thousand rows, when a bundle is loaded.

use super::binomial::{Trials, trials_needed};
use super::{CALIBRATION_ROWS_MAX, Goal, Judged, JudgedRow, NotCertifiable, Probability, Truth};

/// How many errors the first threshold of the sequence may have, rows permitting.
///
/// Starting where no error is allowed is a gamble: one wrong row among the 59 most confident would end a 95 % certificate. With room for five the first
/// step fails by bad luck in one case of twenty even if the top of the ranking has only a quarter of the errors that the goal allows, with room for none
/// in every second case. More room costs the strictest thresholds, which nobody wants when a laxer one is proved.
const ERRORS_AT_START: usize = 5;

/// A threshold that keeps its goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certified {
    /// What is at least this is accepted.
    pub threshold: Probability,
    /// So many rows of the calibration set are accepted.
    pub accepted: usize,
    /// So many of them are right.
    pub correct: usize,
    /// The lower bound of the precision, at the goal's confidence.
    pub precision_lower: Probability,
    /// The share of rows that is accepted.
    pub share: Probability,
}

/// Finds the lowest threshold whose precision is certain enough. See the head of this file for what that promises.
///
/// # Errors
/// When no threshold is, with how many labelled rows would do, if any number would.
pub fn certify(judged: &Judged, goal: Goal) -> Result<Certified, NotCertifiable> {
    let steps = steps(judged, goal);
    let Some(step) = lowest_passed(&steps, judged.rows.len(), goal) else { return Err(refusal(judged, goal, &steps)) };
    Ok(Certified {
        threshold: step.threshold,
        accepted: step.trials.count,
        correct: step.trials.count - step.trials.errors,
        precision_lower: Probability::at_least(step.trials.lower_bound(goal.confidence().as_f64())),
        share: Probability::share(step.trials.count, judged.rows.len()),
    })
}

/// The fixed sequence: from the first threshold that accepts enough rows down to the last before one that fails.
fn lowest_passed(steps: &[Step], rows: usize, goal: Goal) -> Option<&Step> {
    let start = rows_at_start(rows, goal)?;
    steps.iter().skip_while(|step| step.trials.count < start).take_while(|step| step.passes(goal)).last()
}

/// A threshold and the rows that it accepts.
#[derive(Clone, Copy)]
struct Step {
    threshold: Probability,
    trials: Trials,
    /// How many errors the model itself expects among them, in parts per million of one: the sum of what its confidences lack.
    doubts_ppm: u64,
}

impl Step {
    fn passes(&self, goal: Goal) -> bool {
        proves(self.trials, goal)
    }

    fn precision(&self) -> f64 {
        1.0 - self.trials.errors as f64 / self.trials.count as f64
    }

    /// The errors to expect when the same is counted again: as many as were seen, or as the model itself expects if that is
    /// more, for a short run without an error tells little.
    fn errors_expected(&self) -> f64 {
        (self.trials.errors as f64).max(self.doubts_ppm as f64 / 1_000_000.0)
    }

    /// The rows in a set of another size, if shares stay as they are: with as many errors as chance may well bring, one standard
    /// error above what is expected.
    fn scaled(self, factor: f64, errors: f64) -> Trials {
        let errors = errors * factor;
        Trials { count: (self.trials.count as f64 * factor) as usize, errors: (errors + libm::sqrt(errors)) as usize }
    }
}

/// Whether the lower bound of the precision reaches the goal: so few errors would be rarer below it.
fn proves(trials: Trials, goal: Goal) -> bool {
    trials.tail(goal.precision().as_f64()) <= goal.confidence().complement().as_f64()
}

/// The thresholds that are tried, strictest first, with what each accepts.
fn steps(judged: &Judged, goal: Goal) -> Vec<Step> {
    let mut rows: Vec<&JudgedRow> = judged.rows.iter().filter(|row| row.is_admitted).collect();
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.statistic(goal.statistic())));
    let mut step = Step { threshold: Probability::ONE, trials: Trials { count: 0, errors: 0 }, doubts_ppm: 0 };
    let mut rest = rows.iter().peekable();
    let mut steps = Vec::new();
    for threshold in thresholds() {
        while let Some(row) = rest.next_if(|row| row.statistic(goal.statistic()) >= threshold) {
            step.trials.count += 1;
            step.trials.errors += usize::from(!row.is_correct);
            step.doubts_ppm += u64::from(row.confidence.complement().ppm());
        }
        steps.push(Step { threshold, ..step });
    }
    steps
}

/// From 1 down to 0: log-odds from 13.8 (a millionth short of 1) in steps of 0.1 to -4.6 (one hundredth), then 0.
fn thresholds() -> Vec<Probability> {
    let between = (0..=184).map(|step| 1.0 / (1.0 + libm::exp(-(13.8 - 0.1 * f64::from(step)))));
    let mut all: Vec<Probability> =
        [Probability::ONE].into_iter().chain(between.map(Probability::from_f64)).chain([Probability::ZERO]).collect();
    // Next to 1 some are the same millionth.
    all.dedup();
    all
}

/// How many rows the first threshold accepts at least; `None` when no calibration set has so many.
///
/// As many as prove the goal in spite of [`ERRORS_AT_START`] errors, if that is at most half of the rows; otherwise with fewer
/// errors. Depends on the number of rows and on the goal, on nothing else.
fn rows_at_start(rows: usize, goal: Goal) -> Option<usize> {
    let (precision, confidence) = (goal.precision().as_f64(), goal.confidence().as_f64());
    let needed = |errors| trials_needed(errors, precision, confidence, CALIBRATION_ROWS_MAX);
    let roomy = (1..=ERRORS_AT_START).rev().filter_map(needed).find(|needed| *needed <= rows / 2);
    roomy.or_else(|| needed(0))
}

fn refusal(judged: &Judged, goal: Goal, steps: &[Step]) -> NotCertifiable {
    let confidence = goal.confidence().as_f64();
    let errorless = trials_needed(0, goal.precision().as_f64(), confidence, CALIBRATION_ROWS_MAX);
    // A share of a handful of rows is no estimate of a precision.
    let telling = || steps.iter().filter(|step| step.trials.count >= errorless.unwrap_or(usize::MAX).min(30));
    let best = telling().max_by(|a, b| a.precision().total_cmp(&b.precision()));
    let bound = steps.iter().map(|step| step.trials.lower_bound(confidence)).fold(0.0, f64::max);
    let most = steps.last().map_or(0, |step| step.trials.count);
    let is_stranger_accepted = |row: &&JudgedRow| row.is_admitted && row.truth == Truth::OutOfScope;
    NotCertifiable {
        goal,
        rows: judged.rows.len(),
        admitted: most,
        needed: rows_needed(judged.rows.len(), goal, steps),
        errorless,
        best_precision: best.map(|step| Probability::at_least(step.precision())),
        best_bound: Probability::at_least(bound),
        strangers: judged.rows.iter().filter(is_stranger_accepted).count(),
    }
}

/// About how many rows like these would do: the smallest set, in steps of a tenth, in which the first threshold of the sequence
/// would pass if it accepted the same share and were right as often as now.
fn rows_needed(rows: usize, goal: Goal, steps: &[Step]) -> Option<usize> {
    // Of a model that is too modest its own doubts say nothing.
    let expectations: [fn(&Step) -> f64; 2] = [Step::errors_expected, |step| step.trials.errors as f64];
    expectations.into_iter().find_map(|errors| {
        let mut size = rows + rows.div_ceil(10);
        while rows > 0 && size <= CALIBRATION_ROWS_MAX {
            let start = rows_at_start(size, goal)?;
            let factor = size as f64 / rows as f64;
            let mut scaled = steps.iter().map(|step| step.scaled(factor, errors(step)));
            if scaled.find(|trials| trials.count >= start).is_some_and(|trials| proves(trials, goal)) {
                return Some(two_digits(size));
            }
            size += size.div_ceil(10);
        }
        None
    })
}

/// Rounds up to two digits: nobody can tell the third.
fn two_digits(number: usize) -> usize {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number.div_ceil(unit) * unit
}

#[cfg(test)]
#[path = "certify_tests.rs"]
mod tests;
