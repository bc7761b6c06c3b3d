//! Tabular models from ONNX files: linear models and tree ensembles as scikit-learn, LightGBM and XGBoost export them.
//!
//! A file is read without trust, compiled once and then evaluated here, not by a runtime. What bears on the scores and is not
//! understood is refused by name. The scores are those of onnxruntime to 1e-5.
//!
//! | file | noun |
//! |---|---|
//! | `model` | the model: rows in, scores out |
//! | `labels` | which labels the scores belong to |
//! | `fault` | why a file cannot be used |
//! | `wire`, `tensor`, `node`, `graph` | the file as it stands: Protocol Buffers, constants, nodes, the graph |
//! | `compile`, `operators` | from the graph to steps; each operator |
//! | `step` | a step over a row's columns |
//! | `linear`, `ensemble`, `post_transform` | linear models, tree ensembles, what becomes of their sums |
//! | `tree_reader`, `forest` | trees as the file has them; trees as they are walked |

mod compile;
mod ensemble;
mod fault;
mod forest;
mod graph;
mod labels;
mod linear;
mod model;
mod node;
mod operators;
mod post_transform;
mod step;
mod tensor;
#[cfg(test)]
mod tests;
mod tree_reader;
mod wire;

pub use fault::{NodeFault, OnnxFault};
pub use graph::ONNX_BYTES_MAX;
pub use labels::TabularOutputs;
pub use model::{TabularInputs, TabularModel, TabularScratch};
