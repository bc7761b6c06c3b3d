//! Why a precision was not certified, in words for the person who asked for it.

use std::fmt;

use super::{Goal, Probability};

/// No threshold keeps the goal with the wished confidence. Nothing is accepted then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCertifiable {
    /// What was asked for.
    pub goal: Goal,
    /// Rows of the calibration set.
    pub rows: usize,
    /// Rows that pass the check of scope and get a proposal: what a threshold could accept at most.
    pub admitted: usize,
    /// About how many rows like these would do, if accuracy stays as it is; `None` when no number that a calibration set may
    /// have would.
    pub needed: Option<usize>,
    /// How many accepted rows without an error are the least that proves the goal.
    pub errorless: Option<usize>,
    /// The highest precision that a threshold has on these rows, among thresholds that accept at least 30; `None` when none does.
    pub best_precision: Option<Probability>,
    /// The highest lower bound of a precision among all thresholds: how near these rows come. It is no promise, as it is the
    /// best of many; it may reach the goal at a threshold that was not tested because a stricter one had failed.
    pub best_bound: Probability,
    /// Rows out of scope that pass the check of scope; each is an error wherever it is accepted.
    pub strangers: usize,
}

impl std::error::Error for NotCertifiable {}

impl fmt::Display for NotCertifiable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { goal, rows, admitted, .. } = self;
        let (precision, confidence) = (goal.precision().percent(), goal.confidence().percent());
        write!(f, "a precision of {precision} cannot be certified at {confidence} confidence: ")?;
        match (self.needed, self.errorless, self.best_precision) {
            (_, Some(errorless), _) if *admitted < errorless => {
                write!(
                    f,
                    "{admitted} rows of the calibration set can be accepted, and even without an error {errorless} are needed"
                )?;
                if let Some(needed) = self.needed {
                    write!(f, "; about {needed} labelled rows like its {rows} would do")?;
                }
            }
            (Some(needed), _, _) => {
                // Some threshold alone may reach the target, though the sequence had ended before it.
                if self.best_bound < goal.precision() {
                    write!(f, "the {rows} labelled rows prove {} at best", self.best_bound.percent())?;
                } else {
                    write!(f, "the {rows} labelled rows do not prove it where the model is surest")?;
                }
                write!(f, "; about {needed} rows like these would do")?;
            }
            (None, _, Some(best)) if best >= goal.precision() => {
                write!(
                    f,
                    "no number of rows like these would do, for the model is wrong too often where it is surest; train a better one"
                )?;
            }
            (None, _, best) => {
                let best = best.unwrap_or(Probability::ZERO).percent();
                write!(
                    f,
                    "no number of rows like these would do, for no threshold on them is right in more than {best}; ask for less, or train a better model"
                )?;
            }
        }
        if self.strangers > 0 {
            write!(f, " ({} rows out of scope pass the check of scope and count as errors)", self.strangers)?;
        }
        Ok(())
    }
}
