//! Small models: what they make of a text or a row of features, within microseconds.
//!
//! Pure kernels: bytes of a model and an input go in, calibrated probabilities come out. The room knows no file, no clock, no
//! thread and no playbook, and uses no platform's mathematics, so that the same model says the same on every machine.
//!
//! | file | noun |
//! |---|---|
//! | `probability` | a probability in parts per million |
//! | `ranked` | what a model thinks most likely, by label or by proposal |
//! | `softmax`, `exponential` | from logits to probabilities |
//! | `quality` | accuracy, macro-F1, calibration error, confusions, coverage |
//! | `temperature` | the temperature that makes confidence honest |
//! | `calibration` | what a model said of labelled rows that it was not trained on |
//! | `onnx` | tabular models: linear models and tree ensembles from ONNX files |
//! | `kernel` | any model, loaded |
//! | `text` | texts: hashed words and pieces of words, weighed |
//! | `judged` | the same by proposal: how sure, and whether it was right |
//! | `goal`, `certify`, `not_certifiable` | thresholds with a promised precision, and why there is none |
//! | `binomial` | exact tails and bounds |
//! | `escalation` | thresholds that leave no more than a share to the next tier |
//! | `conformal` | the candidates that remain plausible |
//! | `scope` | whether an input is of the kind that a model knows |
//! | `drift` | how far what comes is from what was trained on |
//! | `passage` | the parts of an input as one text |
//! | `neural` | ONNX graphs of neural networks, by onnxruntime (feature `neural`) |

mod binomial;
mod calibration;
mod certify;
mod conformal;
mod drift;
mod escalation;
mod exponential;
mod goal;
mod judged;
mod kernel;
#[cfg(feature = "neural")]
pub mod neural;
mod not_certifiable;
mod onnx;
mod passage;
mod probability;
mod quality;
mod ranked;
mod scope;
mod softmax;
mod temperature;
mod text;

pub use calibration::{CALIBRATION_ROWS_MAX, Calibration, CalibrationFault, CalibrationRow};
pub use certify::{Certified, certify};
pub use conformal::{Among, Candidates, CandidatesError};
pub use drift::{CONFIDENCE_BINS, Stability, confidence_bin, confidence_ends};
pub use escalation::{ESCALATION_ROWS_MIN, Escalation, EscalationError, limit_escalation};
pub(crate) use exponential::exp;
pub use goal::{Goal, GoalError};
pub use judged::{Judged, JudgedRow, Truth};
pub(crate) use kernel::logits_into;
pub use kernel::{Kernel, KernelScratch, Scores, SlowFiles, Workspace};
pub use not_certifiable::NotCertifiable;
pub use onnx::{NodeFault, ONNX_BYTES_MAX, OnnxFault, TabularInputs, TabularModel, TabularOutputs, TabularScratch};
pub use passage::passage;
pub use probability::{Probability, ProbabilityError};
pub use quality::{Confusion, Coverage, Judgement, Quality, coverage_table, worst_confusions};
pub use ranked::{RANKED_MAX, Ranked, Score, Statistic};
pub use scope::{SCOPE_EXAMPLES_MIN, ScopeCheck, ScopeCriterion, ScopeError, ScopeThreshold};
pub use softmax::softmax_into;
pub use temperature::{TemperatureError, fit_temperature};
pub use text::{
    BUCKETS, Filled, Scored, TEXT_BYTES_MAX, TEXT_LABELS_MAX, TextCounter, TextModel, TextModelFault, TextScratch,
    TextWeights, WORD_BUCKETS,
};
