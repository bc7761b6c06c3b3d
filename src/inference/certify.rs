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
mod tests {
    use super::*;
    use crate::inference::{JudgedRow, Statistic};

    /// A fixed sequence of numbers between 0 and 1.
    struct Sequence(u64);

    impl Sequence {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        }
    }

    fn row(confidence: f64, is_correct: bool) -> JudgedRow {
        let confidence = Probability::from_f64(confidence);
        JudgedRow { confidence, margin: confidence, truth: Truth::Proposal(confidence), is_correct, is_admitted: true }
    }

    fn goal(precision: f64) -> Goal {
        let confidence = Probability::from_f64(0.95);
        Goal::new(Probability::from_f64(precision), confidence, Statistic::Confidence).unwrap()
    }

    /// A population: confidence by its quantile, and accuracy by confidence.
    struct Population {
        confidence: fn(f64) -> f64,
        accuracy: fn(f64) -> f64,
    }

    impl Population {
        fn sample(&self, sequence: &mut Sequence, rows: usize) -> Judged {
            let rows = (0..rows).map(|_| {
                let confidence = (self.confidence)(sequence.next());
                row(confidence, sequence.next() < (self.accuracy)(confidence))
            });
            Judged { rows: rows.collect() }
        }

        /// The true precision of a threshold, over a fine grid of quantiles.
        fn precision(&self, threshold: Probability) -> f64 {
            let confidences = (0..20_000).map(|nth| (self.confidence)((f64::from(nth) + 0.5) / 20_000.0));
            let accepted: Vec<f64> = confidences.filter(|c| Probability::from_f64(*c) >= threshold).collect();
            accepted.iter().map(|c| (self.accuracy)(*c)).sum::<f64>() / accepted.len() as f64
        }

        /// How often, over so many calibration sets, a threshold is certified, and how often one that misses the goal.
        fn certificates(&self, sets: usize, rows: usize, goal: Goal) -> (usize, usize) {
            let mut sequence = Sequence(11);
            let (mut certified, mut missed) = (0, 0);
            let mut known: std::collections::BTreeMap<Probability, f64> = std::collections::BTreeMap::new();
            for _ in 0..sets {
                // What `certify` does, without the explanation of a refusal.
                if let Some(found) = lowest_passed(&steps(&self.sample(&mut sequence, rows), goal), rows, goal) {
                    certified += 1;
                    let precision = *known.entry(found.threshold).or_insert_with(|| self.precision(found.threshold));
                    missed += usize::from(precision < goal.precision().as_f64());
                }
            }
            (certified, missed)
        }
    }

    /// Sets of the simulations.
    const SETS: usize = 2_000;

    /// One in twenty may miss, and three standard errors of that over 2,000 sets.
    const MISSED_MAX: usize = 100 + 29;

    /// Confidences as a calibrated text model has them: most near 1.
    const CALIBRATED: Population = Population { confidence: |u| 1.0 - 0.9 * u.powi(4), accuracy: |c| c };

    #[test]
    fn a_calibrated_model_misses_its_goal_no_more_often_than_promised() {
        let (certified, missed) = CALIBRATED.certificates(SETS, 500, goal(0.95));
        assert!(certified > 1_900, "{certified} certified");
        assert!(missed <= MISSED_MAX, "{missed} missed");
    }

    /// The hardest case for the promise: at every threshold the precision is a little below the goal, so that whatever is certified misses.
    #[test]
    fn a_model_just_below_the_goal_is_certified_no_more_often_than_promised() {
        let flat = Population { confidence: |u| u, accuracy: |_| 0.9499 };
        let (certified, missed) = flat.certificates(SETS, 400, goal(0.95));
        assert_eq!(certified, missed);
        assert!((20..=MISSED_MAX).contains(&missed), "{missed} missed");
    }

    /// Accuracy falls at the top, where the sequence begins: still no more misses than promised.
    #[test]
    fn a_model_that_boasts_misses_its_goal_no_more_often_than_promised() {
        let boasting = Population {
            confidence: |u| u,
            accuracy: |c| if c > 0.8 { 0.94 } else { 0.97 - 0.3 * (0.8 - c).max(0.0) },
        };
        let (_, missed) = boasting.certificates(SETS, 600, goal(0.95));
        assert!(missed <= MISSED_MAX, "{missed} missed");
    }

    /// Without the rule of starting late, one wrong row among the first 59 would refuse most of these.
    #[test]
    fn more_rows_certify_lower_thresholds() {
        let mut sequence = Sequence(3);
        let mut thresholds = Vec::new();
        for rows in [300, 3_000, 30_000] {
            thresholds.push(certify(&CALIBRATED.sample(&mut sequence, rows), goal(0.97)).unwrap().threshold);
        }
        assert!(thresholds.is_sorted_by(|a, b| a > b), "{thresholds:?}");
        assert!(CALIBRATED.precision(thresholds[2]) < 0.975, "{:?} is nearly the lowest", thresholds[2]);
    }

    #[test]
    fn errorless_rows_are_enough_from_299_on() {
        let sure = |rows| Judged { rows: vec![row(0.999, true); rows] };
        let found = certify(&sure(299), goal(0.99)).unwrap();
        assert_eq!((found.accepted, found.correct, found.share), (299, 299, Probability::ONE));
        assert_eq!(found.precision_lower.to_string(), "0.990030");
        assert_eq!(found.threshold, Probability::ZERO, "nothing speaks against the lowest");
        assert!(certify(&sure(298), goal(0.99)).is_err());
    }

    /// What is accepted is counted as it will be accepted: by the threshold, ties and all, among what passes the check of scope.
    #[test]
    fn the_threshold_found_accepts_what_was_counted() {
        let mut judged = CALIBRATED.sample(&mut Sequence(5), 1_000);
        for (nth, row) in judged.rows.iter_mut().enumerate() {
            row.is_admitted = nth % 10 != 0;
        }
        let found = certify(&judged, goal(0.95)).unwrap();
        let accepted: Vec<_> =
            judged.rows.iter().filter(|row| row.is_accepted(Statistic::Confidence, found.threshold)).collect();
        assert_eq!(found.accepted, accepted.len());
        assert_eq!(found.correct, accepted.iter().filter(|row| row.is_correct).count());
        assert_eq!(found.share, Probability::share(accepted.len(), 1_000));
        assert!(found.precision_lower >= goal(0.95).precision());
    }

    #[test]
    fn thresholds_descend_and_are_dense_near_one() {
        let all = thresholds();
        assert!(all.is_sorted_by(|a, b| a > b));
        let above = |text: &str| all.iter().filter(|t| **t >= text.parse().unwrap()).count();
        assert!(above("0.9") > all.len() / 2, "{} of {}", above("0.9"), all.len());
    }

    #[test]
    fn a_refusal_says_what_would_do() {
        let mut sequence = Sequence(9);
        let sure = Judged { rows: vec![row(0.999, true); 60] };
        let near = CALIBRATED.sample(&mut sequence, 300);
        let poor = Population { confidence: |u| u, accuracy: |_| 0.8 }.sample(&mut sequence, 1_000);
        let mut strange = CALIBRATED.sample(&mut sequence, 300);
        for row in strange.rows.iter_mut().step_by(6) {
            *row = JudgedRow { truth: Truth::OutOfScope, is_correct: false, ..*row };
        }
        // Wrong in one of eight where it is surest, never below.
        let upside_down = Judged {
            rows: (0..1_000).map(|nth| row(1.0 - f64::from(nth) / 2_000.0, nth >= 250 || nth % 8 != 0)).collect(),
        };
        let told = [
            certify(&upside_down, goal(0.95)),
            certify(&Judged::default(), goal(0.95)),
            certify(&sure, goal(0.99)),
            certify(&near, goal(0.99)),
            certify(&poor, goal(0.95)),
            certify(&strange, goal(0.95)),
        ];
        let told: Vec<String> = told.into_iter().map(|refused| refused.unwrap_err().to_string()).collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    /// With as many rows as a refusal asks for, most sets of the same population are certified.
    #[test]
    fn the_number_of_rows_that_a_refusal_asks_for_is_about_right() {
        let mut sequence = Sequence(21);
        let needed = certify(&CALIBRATED.sample(&mut sequence, 250), goal(0.99)).unwrap_err().needed.unwrap();
        let certified =
            (0..40).filter(|_| certify(&CALIBRATED.sample(&mut sequence, needed), goal(0.99)).is_ok()).count();
        assert!(certified >= 16, "{certified} of 40 with {needed} rows");
    }

    #[test]
    fn goals_that_make_no_sense_are_refused() {
        let of = |precision: &str, confidence: &str| {
            Goal::new(precision.parse().unwrap(), confidence.parse().unwrap(), Statistic::Margin)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            of("1", "0.95"),
            "a target precision of `1.000000` cannot be certified: it lies between 0.5 and 0.9999"
        );
        assert_eq!(of("0.97", "0.05"), "a confidence of `0.050000` cannot be had: it lies between 0.5 and 0.9999");
    }
}
