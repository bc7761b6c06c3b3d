//! What a threshold has to keep: a precision, and how sure of it one wants to be.

use super::{Probability, Statistic};

/// A wished precision among what is accepted, and the confidence that a threshold keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goal {
    precision: Probability,
    confidence: Probability,
    statistic: Statistic,
}

/// A goal that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoalError {
    /// Nothing to prove, or what nothing proves.
    #[error("a target precision of `{0}` cannot be certified: it lies between 0.5 and 0.9999")]
    Precision(Probability),
    /// No confidence at all, or certainty.
    #[error("a confidence of `{0}` cannot be had: it lies between 0.5 and 0.9999")]
    Confidence(Probability),
}

impl Goal {
    /// A goal for a threshold on this statistic.
    ///
    /// # Errors
    /// When precision or confidence are not between 0.5 and 0.9999. The upper end is where labels end: 0.9999 takes 30,000
    /// without an error.
    pub fn new(precision: Probability, confidence: Probability, statistic: Statistic) -> Result<Self, GoalError> {
        let is_in_range = |probability: Probability| (500_000..=999_900).contains(&probability.ppm());
        if !is_in_range(precision) {
            return Err(GoalError::Precision(precision));
        }
        if !is_in_range(confidence) {
            return Err(GoalError::Confidence(confidence));
        }
        Ok(Self { precision, confidence, statistic })
    }

    /// The wished share of what is accepted that is right.
    pub fn precision(self) -> Probability {
        self.precision
    }

    /// How often a threshold that is certified so keeps what it promises.
    pub fn confidence(self) -> Probability {
        self.confidence
    }

    /// The number that the threshold is set on.
    pub fn statistic(self) -> Statistic {
        self.statistic
    }
}
