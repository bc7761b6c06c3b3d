//! Small models: what they make of a text or a row of features, within microseconds.
//!
//! Pure kernels: bytes of a model and an input go in, calibrated probabilities come out. The room knows no file, no clock, no
//! thread and no playbook, and uses no platform's mathematics, so that the same model says the same on every machine.
//!
//! | file | noun |
//! |---|---|
//! | `onnx` | tabular models from ONNX files |

mod onnx;

pub use onnx::{FILE_BYTES_MAX, NodeFault, OnnxFault, TabularInputs, TabularModel, TabularOutputs, TabularScratch};
