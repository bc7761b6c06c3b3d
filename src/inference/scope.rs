//! Whether an input is of the kind that a model knows: the check, and fitting its threshold.
//!
//! A closed-world classifier is often sure of what it never saw: at a threshold with 95 % precision a text model still accepted 22 % of CLINC150's
//! out-of-scope queries. So scope is a check of its own, before confidence is asked.

use super::{Calibration, Probability, Ranked};

/// The fewest examples of each kind that a threshold is fitted on. With 50 the share on each side of it is known to about 7
/// points (one standard error); with fewer the threshold would be chance.
pub const SCOPE_EXAMPLES_MIN: usize = 50;

/// How a model tells that an input is out of its scope.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ScopeCheck {
    /// It does not: everything is taken to be in scope.
    #[default]
    Off,
    /// Its scope score is below this. A score that is not a number is out of scope.
    Below(f32),
    /// This label is the most likely one.
    Label(u16),
}

/// What a threshold is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeCriterion {
    /// The most for both sides: the share of out-of-scope examples found minus the share of in-scope examples lost (Youden's J,
    /// 1950). It does not depend on how many there are of each.
    Youden,
    /// As much as can be found while at least this share of in-scope examples is kept.
    Keep(Probability),
}

/// A fitted threshold and what it does, on the examples that it was fitted on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScopeThreshold {
    /// What has a lower scope score is out of scope.
    pub below: f32,
    /// The share of out-of-scope examples that are found.
    pub recall: Probability,
    /// The share of in-scope examples that are taken for out of scope.
    pub lost: Probability,
    /// How well the score tells the two apart: the probability that an in-scope example scores higher than an out-of-scope one
    /// (area under the ROC curve, ties count half). 0.5 is chance.
    pub separation: Probability,
}

/// Why no threshold was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Too few to tell.
    #[error(
        "a scope threshold needs at least {SCOPE_EXAMPLES_MIN} examples in scope and {SCOPE_EXAMPLES_MIN} out of scope; \
         there are {in_scope} and {out_of_scope}"
    )]
    TooFew {
        /// Examples in scope.
        in_scope: usize,
        /// Examples out of scope.
        out_of_scope: usize,
    },
    /// The score does not tell them apart.
    #[error("the scope score does not tell in scope from out of scope: an example in scope scores higher in only {} of pairs", separation.percent())]
    Blind {
        /// The area under the ROC curve.
        separation: Probability,
    },
}

impl ScopeCheck {
    /// Whether an input with this scope score, ranked so by label, is out of scope.
    pub fn is_out_of_scope(self, scope: f32, labels: &Ranked) -> bool {
        match self {
            Self::Off => false,
            Self::Below(threshold) => scope.is_nan() || scope < threshold,
            Self::Label(label) => labels.best().is_some_and(|best| best.index == label),
        }
    }
}

impl Calibration {
    /// Fits a threshold on the scope scores of its rows, those without a label being out of scope.
    ///
    /// It promises nothing: the shares are those of the examples, and strangers of tomorrow may look otherwise. Sorts the rows
    /// once.
    ///
    /// # Errors
    /// With too few examples of either kind, or when the score is no better than chance.
    pub fn fit_scope(&self, criterion: ScopeCriterion) -> Result<ScopeThreshold, ScopeError> {
        let mut sorted: Vec<(f32, bool)> = self.rows.iter().map(|row| (row.scope, row.label.is_some())).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let known = sorted.iter().filter(|(_, is_known)| *is_known).count();
        let all = Counts { known, strange: sorted.len() - known };
        if all.known < SCOPE_EXAMPLES_MIN || all.strange < SCOPE_EXAMPLES_MIN {
            return Err(ScopeError::TooFew { in_scope: all.known, out_of_scope: all.strange });
        }
        let cuts = cuts(&sorted);
        let separation = separation(&cuts, all);
        if separation <= Probability::share(1, 2) {
            return Err(ScopeError::Blind { separation });
        }
        let best = match criterion {
            // Of equal ones the first, which loses less.
            ScopeCriterion::Youden => cuts.iter().rev().max_by_key(|cut| cut.youden(all)),
            ScopeCriterion::Keep(share) => {
                cuts.iter().rev().find(|cut| Probability::share(all.known - cut.below.known, all.known) >= share)
            }
        };
        // The first cut loses nothing and fits every criterion.
        let cut = best.unwrap_or(&cuts[0]);
        Ok(ScopeThreshold {
            below: cut.at,
            recall: Probability::share(cut.below.strange, all.strange),
            lost: Probability::share(cut.below.known, all.known),
            separation,
        })
    }
}

/// Examples of each kind.
#[derive(Clone, Copy, Default)]
struct Counts {
    known: usize,
    strange: usize,
}

/// A threshold that might be chosen, and what is below it.
struct Cut {
    at: f32,
    below: Counts,
}

impl Cut {
    /// Youden's J, scaled to a whole number so that it is compared exactly.
    fn youden(&self, all: Counts) -> i128 {
        let product = |a: usize, b: usize| a as i128 * b as i128;
        product(self.below.strange, all.known) - product(self.below.known, all.strange)
    }
}

/// A cut before the lowest score, and one between any two that differ.
fn cuts(sorted: &[(f32, bool)]) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = Vec::new();
    let mut below = Counts::default();
    let mut last = f32::NEG_INFINITY;
    for (score, is_known) in sorted {
        if *score > last || cuts.is_empty() {
            cuts.push(Cut { at: between(last, *score), below });
            last = *score;
        }
        if *is_known { below.known += 1 } else { below.strange += 1 }
    }
    cuts
}

/// Half the way from one score to the next, so that neither sits on the edge.
fn between(low: f32, high: f32) -> f32 {
    let middle = low / 2.0 + high / 2.0;
    if middle.is_finite() && middle > low { middle } else { high }
}

/// The area under the ROC curve: over pairs of scores that differ, and half of those that tie.
fn separation(cuts: &[Cut], all: Counts) -> Probability {
    let ends = cuts.iter().skip(1).map(|cut| cut.below).chain([all]);
    let twice: u128 = cuts.iter().zip(ends).fold(0, |sum, (cut, end)| {
        let (known, strange) = (end.known - cut.below.known, end.strange - cut.below.strange);
        sum + known as u128 * (2 * cut.below.strange + strange) as u128
    });
    Probability::from_f64(twice as f64 / (2 * all.known as u128 * all.strange as u128) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::CalibrationRow;

    fn calibration(known: impl IntoIterator<Item = f32>, strange: impl IntoIterator<Item = f32>) -> Calibration {
        let row = |label, scope| CalibrationRow { label, scope, scores: Ranked::of(&[1.0]) };
        let known = known.into_iter().map(|scope| row(Some(0), scope));
        Calibration { rows: known.chain(strange.into_iter().map(|scope| row(None, scope))).collect() }
    }

    fn steps(from: f32, step: f32, count: usize) -> impl Iterator<Item = f32> {
        (0..count).map(move |nth| from + step * nth as f32)
    }

    #[test]
    fn what_can_be_told_apart_is_told_apart_in_the_middle() {
        let fitted =
            calibration(steps(0.5, 0.001, 100), steps(0.1, 0.001, 60)).fit_scope(ScopeCriterion::Youden).unwrap();
        assert!((fitted.below - 0.3295).abs() < 1e-6, "{}", fitted.below);
        assert_eq!(
            (fitted.recall, fitted.lost, fitted.separation),
            (Probability::ONE, Probability::ZERO, Probability::ONE)
        );
    }

    /// In scope 0..100, out of scope 0..50 of the same hundredths: J is highest right above the strangers.
    #[test]
    fn what_overlaps_costs_what_it_says() {
        let overlapping = calibration(steps(0.0, 1.0, 100), steps(0.0, 1.0, 50));
        let fitted = overlapping.fit_scope(ScopeCriterion::Youden).unwrap();
        assert_eq!(fitted.below, 49.5);
        assert_eq!((fitted.recall.ppm(), fitted.lost.ppm()), (1_000_000, 500_000));
        assert_eq!(fitted.separation.ppm(), 750_000);
        let kept = overlapping.fit_scope(ScopeCriterion::Keep("0.9".parse().unwrap())).unwrap();
        assert_eq!((kept.below, kept.recall.ppm(), kept.lost.ppm()), (9.5, 200_000, 100_000));
    }

    #[test]
    fn refuses_few_examples_and_a_score_that_tells_nothing() {
        let few = calibration(steps(0.0, 1.0, 100), steps(0.0, 1.0, 49)).fit_scope(ScopeCriterion::Youden);
        assert_eq!(
            few.unwrap_err().to_string(),
            "a scope threshold needs at least 50 examples in scope and 50 out of scope; there are 100 and 49"
        );
        let blind = calibration(steps(0.0, 1.0, 50), steps(10.0, 1.0, 50)).fit_scope(ScopeCriterion::Youden);
        assert_eq!(
            blind.unwrap_err().to_string(),
            "the scope score does not tell in scope from out of scope: an example in scope scores higher in only 32.0 % of pairs"
        );
    }

    #[test]
    fn equal_scores_fall_on_one_side() {
        let tied = calibration(steps(1.0, 0.0, 60), steps(1.0, 0.0, 30).chain(steps(0.0, 0.0, 30)));
        let fitted = tied.fit_scope(ScopeCriterion::Youden).unwrap();
        assert_eq!((fitted.below, fitted.recall.ppm(), fitted.lost.ppm()), (0.5, 500_000, 0));
        assert!(ScopeCheck::Below(fitted.below).is_out_of_scope(0.0, &Ranked::default()));
        assert!(ScopeCheck::Below(fitted.below).is_out_of_scope(f32::NAN, &Ranked::default()));
        assert!(!ScopeCheck::Below(fitted.below).is_out_of_scope(0.5, &Ranked::default()));
    }
}
