//! What can be wrong with a neural model.

/// Why a neural model could not be loaded, or gave no scores.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NeuralFault {
    /// The shared library of onnxruntime is not there, or is not one that can be used.
    #[error(
        "{reason}; neural models need the shared library of onnxruntime, 1.24 or newer: install it (`pip install onnxruntime`) and name \
         its file (`…/site-packages/onnxruntime/capi/libonnxruntime.so.1.…`) by `onnxruntime` in the section `[inference]` of \
         `forthwith.toml`, or by the environment variable ORT_DYLIB_PATH"
    )]
    Library {
        /// What happened.
        reason: String,
    },
    /// The tokenizer cannot be used.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The ONNX graph cannot be used.
    #[error("ONNX model: {0}")]
    Graph(String),
    /// The head cannot be used.
    #[error("head: {0}")]
    Head(String),
    /// The parts do not fit one another, or the settings.
    #[error("{0}")]
    Misfit(String),
    /// The graph failed on a batch.
    #[error("onnxruntime failed: {0}")]
    Run(String),
}
