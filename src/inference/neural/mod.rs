//! Neural models: ONNX graphs with their tokenizer, run by the shared library of onnxruntime.
//!
//! A model is a sentence encoder with a linear head of ours, or a graph that gives the classes' logits itself. It takes
//! milliseconds, so no turn asks it: the inference pool does. The library does the arithmetic, so the last bits of a score
//! may differ from machine to machine and with who shares the batch; what a decision was made on is in its record.
//!
//! The library comes from a path, not from the build: who builds with the feature `neural` needs no C++ and no download, and who
//! runs it installs onnxruntime as they like. It is the one file that this room opens.
//!
//! | file | noun |
//! |---|---|
//! | `runtime` | onnxruntime, loaded once in the life of the program |
//! | `tokens` | texts as the numbers that a graph takes |
//! | `graph` | an ONNX graph over tokens, and which of its outputs counts |
//! | `encoder` | sentence embeddings |
//! | `head` | a linear classifier over embeddings, and its file |
//! | `model` | texts in, calibrated probabilities out |
//! | `fault` | what can be wrong with them |

mod encoder;
mod fault;
mod graph;
mod head;
mod model;
mod runtime;
mod tokens;

pub use encoder::{Encoder, EncoderFiles};
pub use fault::NeuralFault;
pub use head::Head;
pub use model::{NeuralFiles, NeuralModel, NeuralSettings};
pub use runtime::Runtime;
