//! How slow models are made from their files.

use std::path::PathBuf;
use std::sync::Arc;

use super::SlowModelLoader;
use crate::bundle::Manifest;
use crate::inference::SlowFiles;
use crate::serving::SlowModel;

/// Makes the slow models that this build knows: neural networks, with the cargo feature `neural`.
///
/// `library` is the shared library of onnxruntime, loaded when the first model needs it; without one the model
/// is refused, and the message says what to install.
/// `threads` compute within a batch.
#[cfg(feature = "neural")]
pub fn slow_model_loader(library: Option<PathBuf>, threads: usize) -> Arc<SlowModelLoader> {
    use crate::inference::neural::{EncoderFiles, NeuralFiles, NeuralModel, NeuralSettings, Runtime};

    Arc::new(move |manifest: &Manifest, files: &SlowFiles| {
        // The library is loaded once in the life of the program, whoever asks.
        let runtime = Runtime::load(library.as_deref()).map_err(|fault| fault.to_string())?;
        let file = |role: &str| files.0.iter().find(|(of, _)| **of == *role).map(|(_, bytes)| &**bytes);
        let model = file("file").ok_or("it has no file")?;
        let tokenizer = file("tokenizer").ok_or("it has no tokenizer: `[files]` names none as `tokenizer`")?;
        let files = NeuralFiles { encoder: EncoderFiles { model, tokenizer }, head: file("head") };
        let (labels, temperature) = (manifest.labels.names().len(), manifest.temperature);
        let loaded = NeuralModel::load(&runtime, files, NeuralSettings { labels, temperature, threads });
        let model: Box<dyn SlowModel> = Box::new(loaded.map_err(|fault| fault.to_string())?);
        Ok(model)
    })
}

/// Makes the slow models that this build knows: none. Neural networks need the cargo feature `neural`.
#[cfg(not(feature = "neural"))]
pub fn slow_model_loader(_library: Option<PathBuf>, _threads: usize) -> Arc<SlowModelLoader> {
    Arc::new(|_: &Manifest, _: &SlowFiles| -> Result<Box<dyn SlowModel>, String> {
        Err("this build knows no neural networks; build it with the cargo feature `neural`".to_owned())
    })
}
