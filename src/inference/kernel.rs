//! Any model, loaded.

use std::fmt;
use std::sync::Arc;

use super::{TabularModel, TabularOutputs, TabularScratch, TextModel, TextScratch, softmax_into};

/// What a probability counts as at least before it is made a logit: trees say 0, which has none.
const PROBABILITY_MIN: f32 = 1e-7;

/// What a model makes of one input.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    /// The probability of each label; of a regressor, its one number.
    pub values: &'a [f32],
    /// How much the input looks like what the model knows: higher is more.
    pub scope: f32,
}

/// A model, loaded.
#[derive(Debug)]
pub enum Kernel {
    /// The built-in classifier of texts.
    Text(Box<TextModel>),
    /// A linear model or trees.
    Tabular(Box<TabularModel>),
    /// One that is too slow for a turn: its files, for the inference pool.
    Slow(SlowFiles),
}

/// The files of a model that is too slow for a turn, by what they are for, the model's own first.
#[derive(Clone)]
pub struct SlowFiles(pub Vec<(Box<str>, Arc<[u8]>)>);

/// Reusable memory for asking models. Keep one per thread.
#[derive(Debug, Default)]
pub struct Workspace {
    /// What the kernels need.
    pub kernels: KernelScratch,
    /// A row of features.
    pub features: Vec<f32>,
}

/// What kernels need while they score.
#[derive(Debug, Default)]
pub struct KernelScratch {
    text: TextScratch,
    tabular: TabularScratch,
    logits: Vec<f32>,
    probabilities: Vec<f32>,
}

impl Kernel {
    /// A model of texts from its file; or says why it cannot be used.
    pub fn text(bytes: &[u8], labels: usize) -> Result<Self, String> {
        let model = TextModel::from_bytes(bytes).map_err(|fault| fault.to_string())?;
        if model.labels() != labels {
            return Err(format!("it tells {} labels apart, the manifest names {labels}", model.labels()));
        }
        Ok(Self::Text(Box::new(model)))
    }

    /// A tabular model from its ONNX file; or says why it cannot be used. Without labels it gives a number.
    pub fn tabular(bytes: &[u8], labels: usize, features: usize) -> Result<Self, String> {
        let model = TabularModel::from_bytes(bytes).map_err(|fault| fault.to_string())?;
        let takes = model.inputs().count;
        if takes != features {
            return Err(format!("it takes {takes} features, the manifest names {features}"));
        }
        match (model.outputs(), labels) {
            (TabularOutputs::Values(1), 0) => {}
            (TabularOutputs::Values(values), 0) => return Err(format!("it gives {values} numbers; one can be used")),
            (TabularOutputs::Values(_), _) => return Err("it gives a number, the manifest names labels".to_owned()),
            (outputs, labels) if outputs.count() != labels => {
                return Err(format!("it tells {} labels apart, the manifest names {labels}", outputs.count()));
            }
            _ => {}
        }
        Ok(Self::Tabular(Box::new(model)))
    }

    /// What a model of texts makes of a text's parts; `None` if it is none. Allocates nothing once the memory has grown.
    pub fn score_texts<'t, 's>(
        &self,
        parts: impl Iterator<Item = &'t str>,
        temperature: f32,
        scratch: &'s mut KernelScratch,
    ) -> Option<Scores<'s>> {
        match self {
            Self::Text(model) => {
                let scored = model.score(parts, temperature, &mut scratch.text);
                Some(Scores { values: scored.probabilities, scope: scored.scope })
            }
            Self::Tabular(_) | Self::Slow(_) => None,
        }
    }

    /// What a model of features makes of a row; `None` if it is none. Allocates nothing once the memory has grown.
    pub fn score_features<'s>(
        &self,
        row: &[f32],
        temperature: f32,
        scratch: &'s mut KernelScratch,
    ) -> Option<Scores<'s>> {
        let Self::Tabular(model) = self else { return None };
        let KernelScratch { tabular, logits, probabilities, .. } = scratch;
        let mut values = model.score(row, tabular);
        if matches!(model.outputs(), TabularOutputs::Values(_)) {
            return Some(Scores { values, scope: 0.0 });
        }
        if (temperature - 1.0).abs() > f32::EPSILON {
            logits_into(values, logits);
            probabilities.resize(logits.len(), 0.0);
            softmax_into(logits, temperature, probabilities);
            values = probabilities;
        }
        let best = values.iter().copied().fold(0.0, f32::max);
        Some(Scores { values, scope: best })
    }
}

/// Probabilities as logits, which a temperature can divide.
pub(crate) fn logits_into(probabilities: &[f32], logits: &mut Vec<f32>) {
    logits.clear();
    logits.extend(probabilities.iter().map(|probability| libm::logf(probability.max(PROBABILITY_MIN))));
}

impl fmt::Debug for SlowFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(role, bytes)| (role, bytes.len()))).finish()
    }
}
