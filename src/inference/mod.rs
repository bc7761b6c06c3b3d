//! Small models: what they make of a text or a row of features, within microseconds.
//!
//! Pure kernels: bytes of a model and an input go in, calibrated probabilities come out. The room knows no file, no clock, no
//! thread and no playbook, and uses no platform's mathematics, so that the same model says the same on every machine.
//!
//! | file | noun |
//! |---|---|
//! | `probability` | a probability in parts per million |
//! | `ranked` | what a model thinks most likely, by label or by proposal |
//! | `softmax` | from logits to probabilities |
//! | `quality` | accuracy, macro-F1, calibration error, confusions, coverage |
//! | `temperature` | the temperature that makes confidence honest |
//! | `softmax`, `exponential` | from logits to probabilities |
//! | `calibration` | what a model said of labelled rows that it was not trained on |
//! | `onnx` | tabular models: linear models and tree ensembles from ONNX files |
//! | `text` | texts: hashed words and pieces of words, weighed |

mod calibration;
mod exponential;
mod onnx;
mod probability;
mod quality;
mod ranked;
mod softmax;
mod temperature;
mod text;

pub use calibration::{CALIBRATION_ROWS_MAX, Calibration, CalibrationFault, CalibrationRow};
pub(crate) use exponential::exp;
pub use onnx::{NodeFault, ONNX_BYTES_MAX, OnnxFault, TabularInputs, TabularModel, TabularOutputs, TabularScratch};
pub use probability::{Probability, ProbabilityError};
pub use quality::{Confusion, Coverage, Judgement, Quality, coverage_table, worst_confusions};
pub use ranked::{RANKED_MAX, Ranked, Score, Statistic};
pub use softmax::softmax_into;
pub use temperature::{TemperatureError, fit_temperature};
pub use text::{
    BUCKETS, Filled, Scored, TEXT_BYTES_MAX, TEXT_LABELS_MAX, TextCounter, TextModel, TextModelFault, TextScratch,
    TextWeights,
};
