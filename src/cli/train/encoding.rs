//! A head learnt over a sentence encoder.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::Train;
use super::learnt::{Learnt, Model, ModelFile, Told};
use super::watching::Watching;
use crate::inference::neural::{Encoder, EncoderFiles, Head, NeuralFiles, NeuralModel, NeuralSettings, Runtime};
use crate::inference::{ScopeCheck, passage};
use crate::training::{DenseRows, HeadTraining, LabelledTexts, TrainedHead};

/// A neural model that was learnt, with the bytes of its files.
pub(super) struct Neural {
    model: NeuralModel,
    onnx: Vec<u8>,
    tokenizer: Vec<u8>,
    head: Vec<u8>,
}

/// Texts that go through the encoder at once.
const BATCH: usize = 32;

/// Threads that the encoder may use: training has the machine to itself.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Learnt {
    /// Learns a head over the embeddings that the encoder in a folder makes of the texts.
    pub(super) fn learn_head(
        folder: &Path,
        args: &Train,
        texts: &LabelledTexts,
        strangers: &[Vec<String>],
        watching: &Watching,
    ) -> Result<Self, String> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).map_err(|e| format!("cannot read `{}`, a file of the encoder: {e}", path.display()))
        };
        let (onnx, tokenizer) = (read("model.onnx")?, read("tokenizer.json")?);
        let named = args.onnxruntime.clone();
        let library = named.or_else(|| std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from));
        let runtime = Runtime::load(library.as_deref()).map_err(|fault| fault.to_string())?;
        let files = EncoderFiles { model: &onnx, tokenizer: &tokenizer };
        let in_folder = |fault| format!("`--encoder {}`: {fault}", folder.display());
        let mut encoder = Encoder::load(&runtime, files, threads()).map_err(in_folder)?;
        let trained = train(&mut encoder, args, texts, strangers, watching)?;
        drop(encoder);

        let (weights, biases) = (trained.linear.weights(), trained.linear.biases());
        let head = Head::new(weights.len() / biases.len(), weights, biases).map_err(in_folder)?.to_bytes();
        let files = NeuralFiles { encoder: files, head: Some(&head) };
        let settings = NeuralSettings { labels: biases.len(), temperature: trained.temperature, threads: 1 };
        let model = NeuralModel::load(&runtime, files, settings).map_err(in_folder)?;
        Ok(Self {
            held_out: trained.held_out,
            temperature: trained.temperature,
            raw_quality: trained.raw_quality,
            quality: trained.quality,
            strength: trained.strength,
            model: Model::Neural(Box::new(Neural { model, onnx, tokenizer, head })),
        })
    }
}

fn train(
    encoder: &mut Encoder,
    args: &Train,
    texts: &LabelledTexts,
    strangers: &[Vec<String>],
    watching: &Watching,
) -> Result<TrainedHead, String> {
    let passages: Vec<String> = (0..texts.len()).map(|row| passage(texts.parts(row))).collect();
    let embeddings = embed(encoder, &passages, watching)?;
    let strange: Vec<String> = strangers.iter().map(|parts| passage(parts.iter().map(String::as_str))).collect();
    let strange = embed(encoder, &strange, watching)?;
    let rows = |values| DenseRows::new(encoder.dimensions(), values);
    let training = HeadTraining { seed: args.seed, accuracy_min: args.accuracy_min };
    let trained = training.run(texts, rows(&embeddings), rows(&strange), &mut |progress| watching.training(progress));
    trained.map_err(|error| error.to_string())
}

fn embed(encoder: &mut Encoder, passages: &[String], watching: &Watching) -> Result<Vec<f32>, String> {
    let mut embeddings = Vec::with_capacity(passages.len() * encoder.dimensions());
    for (nth, batch) in passages.chunks(BATCH).enumerate() {
        watching.encoding(nth * BATCH, passages.len());
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        embeddings.extend_from_slice(encoder.embed(&batch).map_err(|fault| fault.to_string())?);
    }
    Ok(embeddings)
}

impl Neural {
    /// Its files, the graph first.
    pub(super) fn files(&self) -> Vec<ModelFile> {
        vec![
            ModelFile { role: "file", name: "model.onnx", bytes: self.onnx.clone() },
            ModelFile { role: "tokenizer", name: "tokenizer.json", bytes: self.tokenizer.clone() },
            ModelFile { role: "head", name: "head.bin", bytes: self.head.clone() },
        ]
    }

    /// What the model tells each text to be, how sure it is, and whether the text passes the check of scope.
    pub(super) fn tell<P: AsRef<[String]>>(&mut self, texts: &[P], check: ScopeCheck) -> Result<Vec<Told>, String> {
        let labels = self.model.labels();
        let mut told = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            let passages: Vec<String> =
                batch.iter().map(|parts| passage(parts.as_ref().iter().map(String::as_str))).collect();
            let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
            let probabilities = self.model.score_batch(&passages).map_err(|fault| fault.to_string())?;
            told.extend(probabilities.chunks_exact(labels).map(|row| Told::of(row, |confidence| confidence, check)));
        }
        Ok(told)
    }

    /// Scores one text, for the time that it takes.
    pub(super) fn score_once<'p>(&mut self, parts: impl Iterator<Item = &'p str>) -> Result<(), String> {
        self.model.score_batch(&[&passage(parts)]).map(drop).map_err(|fault| fault.to_string())
    }
}
