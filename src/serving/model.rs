//! What a slow model is to the pool.

use std::sync::Arc;

/// A model that takes too long for a turn. The pool owns it and asks it from one thread at a time.
pub trait SlowModel: Send {
    /// Scores the texts of a batch: as many scores as texts, in their order.
    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, ModelFault>;

    /// Makes the model usable again after it panicked or said that it is broken; it is asked nothing before this succeeds.
    /// A model that keeps no state between batches has nothing to do.
    fn rebuild(&mut self) -> Result<(), ModelFault> {
        Ok(())
    }
}

/// What a model makes of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Calibrated probabilities, in the order of the model's labels.
    pub probabilities: Box<[f32]>,
    /// How like what the model knows the text is; higher is more.
    pub scope: f32,
}

/// Why a model gave no scores for a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ModelFault {
    reason: Arc<str>,
    is_broken: bool,
}

impl ModelFault {
    /// A fault of this batch; the next one may be asked for.
    pub fn of_batch(reason: impl Into<Arc<str>>) -> Self {
        Self { reason: reason.into(), is_broken: false }
    }

    /// A fault of the model, which must be rebuilt before it is asked again.
    pub fn of_model(reason: impl Into<Arc<str>>) -> Self {
        Self { reason: reason.into(), is_broken: true }
    }

    /// Why, for people.
    pub fn reason(&self) -> &Arc<str> {
        &self.reason
    }

    /// Whether the model must be rebuilt.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }
}
