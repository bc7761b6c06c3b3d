//! Texts in, calibrated probabilities out.

use super::encoder::{Encoder, EncoderFiles, Reader};
use super::fault::NeuralFault;
use super::graph::Purpose;
use super::head::Head;
use super::runtime::Runtime;
use crate::inference::softmax_into;

/// The bytes of a neural model's files.
#[derive(Clone, Copy, Debug)]
pub struct NeuralFiles<'a> {
    /// The ONNX graph and `tokenizer.json`.
    pub encoder: EncoderFiles<'a>,
    /// `head.bin`; none if the graph gives the labels' logits itself.
    pub head: Option<&'a [u8]>,
}

/// What the manifest says of a neural model, and the machine's share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeuralSettings {
    /// Labels of the manifest.
    pub labels: usize,
    /// Divides the logits.
    pub temperature: f32,
    /// Threads that compute within a batch.
    pub threads: usize,
}

/// A classifier of texts. Keeps nothing between batches but memory.
#[derive(Debug)]
pub struct NeuralModel {
    classifier: Classifier,
    settings: NeuralSettings,
    logits: Vec<f32>,
    probabilities: Vec<f32>,
}

#[derive(Debug)]
enum Classifier {
    /// An encoder of sentences with a head of ours.
    Headed { encoder: Encoder, head: Head },
    /// A graph that gives logits.
    Whole(Reader),
}

impl NeuralModel {
    /// Loads a model and tries it on a text.
    ///
    /// # Errors
    /// When a file cannot be read, or the files, the labels or the temperature do not fit one another.
    pub fn load(runtime: &Runtime, files: NeuralFiles<'_>, settings: NeuralSettings) -> Result<Self, NeuralFault> {
        if !(settings.temperature.is_finite() && settings.temperature > 0.0) {
            let message = format!("the temperature is {}; expected a number above 0", settings.temperature);
            return Err(NeuralFault::Misfit(message));
        }
        if settings.labels == 0 {
            return Err(NeuralFault::Misfit("a classifier has at least one label".to_owned()));
        }
        let classifier = match files.head {
            Some(head) => Classifier::headed(runtime, files.encoder, head, settings)?,
            None => Classifier::Whole(Reader::load(runtime, files.encoder, settings.threads, Purpose::Logits)?),
        };
        let mut model = Self { classifier, settings, logits: Vec::new(), probabilities: Vec::new() };
        model.score_batch(&["forthwith"])?;
        Ok(model)
    }

    /// Labels that it tells apart.
    pub fn labels(&self) -> usize {
        self.settings.labels
    }

    /// The probabilities of texts, after the temperature: a row of labels for each, in their order.
    pub fn score_batch(&mut self, texts: &[&str]) -> Result<&[f32], NeuralFault> {
        let labels = self.settings.labels;
        match &mut self.classifier {
            Classifier::Headed { encoder, head } => {
                self.logits.resize(texts.len() * labels, 0.0);
                let embeddings = encoder.embed(texts)?.chunks_exact(head.dimensions());
                for (embedding, logits) in embeddings.zip(self.logits.chunks_exact_mut(labels)) {
                    head.logits_into(embedding, logits);
                }
            }
            Classifier::Whole(reader) => reader.read(texts, &mut self.logits)?,
        }
        if self.logits.len() != texts.len() * labels {
            let found = self.logits.len() / texts.len().max(1);
            return Err(NeuralFault::Misfit(format!(
                "the graph gives {found} logits; the manifest has {labels} labels"
            )));
        }
        self.probabilities.resize(self.logits.len(), 0.0);
        let rows = self.logits.chunks_exact(labels).zip(self.probabilities.chunks_exact_mut(labels));
        for (logits, probabilities) in rows {
            softmax_into(logits, self.settings.temperature, probabilities);
        }
        Ok(&self.probabilities)
    }
}

impl Classifier {
    fn headed(
        runtime: &Runtime,
        files: EncoderFiles<'_>,
        head: &[u8],
        settings: NeuralSettings,
    ) -> Result<Self, NeuralFault> {
        let head = Head::from_bytes(head)?;
        if head.labels() != settings.labels {
            let message = format!("the head has {} labels; the manifest has {}", head.labels(), settings.labels);
            return Err(NeuralFault::Misfit(message));
        }
        let encoder = Encoder::load(runtime, files, settings.threads)?;
        if encoder.dimensions() != head.dimensions() {
            let (has, gives) = (head.dimensions(), encoder.dimensions());
            return Err(NeuralFault::Misfit(format!(
                "the head is for embeddings of {has} numbers; the encoder gives {gives}: it was trained on another encoder"
            )));
        }
        Ok(Self::Headed { encoder, head })
    }
}
