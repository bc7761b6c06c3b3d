//! Neural models as slow models.

use super::model::{ModelFault, Scores, SlowModel};
use crate::inference::neural::NeuralModel;

/// Nothing is kept between batches, so a batch that failed spoils nothing, and there is nothing to rebuild. The scope score
/// is the best probability.
impl SlowModel for NeuralModel {
    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, ModelFault> {
        let labels = self.labels();
        let probabilities = self.score_batch(texts).map_err(|fault| ModelFault::of_batch(fault.to_string()))?;
        let scores = |row: &[f32]| Scores { probabilities: row.into(), scope: row.iter().copied().fold(0.0, f32::max) };
        Ok(probabilities.chunks_exact(labels).map(scores).collect())
    }
}
