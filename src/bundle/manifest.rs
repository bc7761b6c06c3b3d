//! What is known of a model: the manifest beside its file.

use std::fmt;
use std::sync::Arc;

use super::{ContentHash, manifest_reader};
use crate::document::{Document, FaultSink};
use crate::domain::{Enumeration, Timestamp};
use crate::inference::ScopeCheck;

/// A model's manifest, checked. A bundle whose manifest lacks a field, or whose files have another hash, is not activated.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The model's id and version.
    pub name: ModelName,
    /// Where it is: the path of its folder, with a `/` at its end.
    pub folder: Arc<str>,
    /// What kind of model it is.
    pub kind: ModelKind,
    /// Its files in the order in which the kind needs them, the model itself first.
    pub files: Vec<ModelFile>,
    /// The hash that its calibration set must have: which rows a threshold is certified on is as much a part of the model as its weights.
    pub calibration: Option<ContentHash>,
    /// Who answers for it.
    pub owner: Arc<str>,
    /// When it was made.
    pub created: Timestamp,
    /// The purposes that its training data may serve.
    pub consent_scope: Vec<Box<str>>,
    /// What it tells apart, in the order of its outputs; none if it gives a number.
    pub labels: Arc<Enumeration>,
    /// What its logits are divided by.
    pub temperature: f32,
    /// How inputs that are none of its business are told.
    pub out_of_scope: ScopeCheck,
    /// What it was trained on.
    pub training: TrainingSet,
    /// What it is worth on rows it was not trained on.
    pub metrics: Vec<(Box<str>, f64)>,
    /// The features of a tabular model, in the order of its inputs.
    pub features: Vec<Feature>,
}

/// A model's id and version, as in `intent@3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelName {
    /// The id.
    pub id: Arc<str>,
    /// The version.
    pub version: u32,
}

/// What a model is made of, and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// The built-in text classifier: texts.
    Text,
    /// Linear models and tree ensembles in an ONNX file: a row of features.
    Tabular,
    /// A neural network in an ONNX file with its tokenizer: texts, on the inference pool.
    Neural,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// What it is for: `file`, or the name under `[files]`.
    pub role: Box<str>,
    /// Its path, relative to the configuration folder.
    pub path: Box<str>,
    /// The hash it must have.
    pub sha256: ContentHash,
}

/// What a model was trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingSet {
    /// The hash of the data.
    pub sha256: ContentHash,
    /// How many rows.
    pub rows: u64,
    /// The first day of the data, or `unknown`.
    pub from: Box<str>,
    /// The last day of the data, or `unknown`.
    pub until: Box<str>,
}

/// One feature of a tabular model.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// Its name.
    pub name: Box<str>,
    /// What values it takes.
    pub ty: FeatureType,
    /// What stands for a value that is not there.
    pub unavailable: IfMissing,
}

/// What values a feature takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeatureType {
    /// Numbers, as they are.
    Number,
    /// True is 1, false is 0.
    Bool,
    /// The position of a text in this list.
    OneOf(Arc<Enumeration>),
}

/// What stands for a feature's value that is not there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum IfMissing {
    /// Nothing: the model is not asked.
    Refuse,
    /// What the model takes for missing: not a number.
    Missing,
    /// This number.
    Number(f32),
}

impl Manifest {
    /// Reads the manifest that lies at `path`. `None` if it cannot be used; why, is told when the bundle is compiled.
    pub fn read(path: &str, text: &str) -> Option<Self> {
        let sink = FaultSink::default();
        manifest_reader::read(&Document::parse(path, text, &sink), path)
    }

    /// Whether it gives a number rather than a label.
    pub fn is_regressor(&self) -> bool {
        self.labels.names().len() == 0
    }

    /// Whether it may serve a purpose.
    pub fn serves(&self, purpose: &str) -> bool {
        self.consent_scope.iter().any(|served| **served == *purpose)
    }
}

impl ModelKind {
    /// The word in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Tabular => "tabular",
            Self::Neural => "neural",
        }
    }

    /// Whether such models are too slow for a turn, and asked on the inference pool.
    pub fn is_slow(self) -> bool {
        matches!(self, Self::Neural)
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.version)
    }
}

impl ModelName {
    /// Reads `ID@VERSION`.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, version) = text.split_once('@')?;
        let is_id = !id.is_empty() && id.len() <= 64 && !id.contains(|c: char| c.is_control() || c.is_whitespace());
        let version = version.parse().ok().filter(|version| *version > 0)?;
        is_id.then(|| Self { id: id.into(), version })
    }
}
