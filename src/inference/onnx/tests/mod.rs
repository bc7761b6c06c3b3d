//! Tests of the ONNX reader and its evaluator; what exporters make is compared with onnxruntime in `tests/onnx`.

mod faults;
mod hostile;
mod trees;
mod writer;
