//! A model that was learnt, of either kind.

use super::args::Train;
#[cfg(feature = "neural")]
use super::encoding::Neural;
use super::report::ScoreTime;
use super::watching::Watching;
use crate::inference::{Judgement, Quality, Ranked, ScopeCheck, TEXT_BYTES_MAX, TextModel, TextScratch};
use crate::time::Clock;
use crate::training::{HeldOut, LabelledTexts, TextTraining};

/// A model that was learnt, and what is known of it.
pub(super) struct Learnt {
    pub(super) held_out: HeldOut,
    pub(super) temperature: f32,
    /// Of rows held out, before the temperature.
    pub(super) raw_quality: Quality,
    pub(super) quality: Quality,
    pub(super) strength: f32,
    pub(super) model: Model,
}

/// The model itself.
pub(super) enum Model {
    Text {
        model: Box<TextModel>,
        emphasis: f64,
        scratch: Box<TextScratch>,
    },
    #[cfg(feature = "neural")]
    Neural(Box<Neural>),
}

/// A file of a model.
pub(super) struct ModelFile {
    /// What the manifest calls it.
    pub(super) role: &'static str,
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// Texts that are scored to tell how long it takes: of a text model, and of a neural one, which takes a thousand times as long.
const TIMED_MAX: usize = 2_000;
#[cfg(feature = "neural")]
const TIMED_MAX_NEURAL: usize = 50;

impl Learnt {
    /// Learns from labelled texts; `strangers` are out of scope.
    pub(super) fn learn(
        args: &Train,
        texts: &LabelledTexts,
        strangers: &[Vec<String>],
        watching: &Watching,
    ) -> Result<Self, String> {
        if let Some(folder) = &args.encoder {
            return Self::learn_head(folder, args, texts, strangers, watching);
        }
        let training =
            TextTraining { seed: args.seed, accuracy_min: args.accuracy_min, text_bytes_max: TEXT_BYTES_MAX };
        let trained = training.run(texts, strangers, &mut |progress| watching.training(progress));
        let trained = trained.map_err(|error| error.to_string())?;
        let (model, emphasis) = (Box::new(trained.model), trained.choice.emphasis);
        Ok(Self {
            held_out: trained.held_out,
            temperature: trained.temperature,
            raw_quality: trained.raw_quality,
            quality: trained.quality,
            strength: trained.choice.strength,
            model: Model::Text { model, emphasis, scratch: Box::default() },
        })
    }

    #[cfg(not(feature = "neural"))]
    fn learn_head(
        folder: &std::path::Path,
        _: &Train,
        _: &LabelledTexts,
        _: &[Vec<String>],
        _: &Watching,
    ) -> Result<Self, String> {
        let folder = folder.display();
        Err(format!("`--encoder {folder}`: this build has no neural models; build it with `--features neural`"))
    }

    /// The manifest's word for its kind.
    pub(super) fn kind(&self) -> &'static str {
        match &self.model {
            Model::Text { .. } => "text",
            #[cfg(feature = "neural")]
            Model::Neural(_) => "neural",
        }
    }

    /// Its files, its own first.
    pub(super) fn files(&self) -> Vec<ModelFile> {
        match &self.model {
            Model::Text { model, .. } => {
                vec![ModelFile { role: "file", name: "model.bin", bytes: model.to_bytes() }]
            }
            #[cfg(feature = "neural")]
            Model::Neural(neural) => neural.files(),
        }
    }

    /// How many buckets a text model has.
    pub(super) fn buckets(&self) -> Option<usize> {
        match &self.model {
            Model::Text { model, .. } => Some(model.buckets()),
            #[cfg(feature = "neural")]
            Model::Neural(_) => None,
        }
    }

    /// How much more words count for a text model than runs of characters.
    pub(super) fn emphasis(&self) -> Option<f64> {
        match &self.model {
            Model::Text { emphasis, .. } => Some(*emphasis),
            #[cfg(feature = "neural")]
            Model::Neural(_) => None,
        }
    }

    /// What the model tells each text to be, how sure it is, and whether the text passes the check of scope.
    pub(super) fn tell<P: AsRef<[String]>>(&mut self, texts: &[P], check: ScopeCheck) -> Result<Vec<Told>, String> {
        match &mut self.model {
            Model::Text { model, scratch, .. } => {
                let told = texts.iter().map(|parts| {
                    let parts = parts.as_ref().iter().map(String::as_str);
                    let scored = model.score(parts, self.temperature, scratch);
                    Told::of(scored.probabilities, |_| scored.scope, check)
                });
                Ok(told.collect())
            }
            #[cfg(feature = "neural")]
            Model::Neural(neural) => neural.tell(texts, check),
        }
    }

    /// How long a score takes: over the first texts, the second time that each is scored.
    pub(super) fn score_time(&mut self, texts: &LabelledTexts, clock: &Clock) -> Result<ScoreTime, String> {
        let timed_max = match &self.model {
            Model::Text { .. } => TIMED_MAX,
            #[cfg(feature = "neural")]
            Model::Neural(_) => TIMED_MAX_NEURAL,
        };
        let mut nanos = Vec::new();
        for _ in 0..2 {
            nanos.clear();
            for row in 0..texts.len().min(timed_max) {
                let start = clock.instant();
                self.score_once(texts.parts(row))?;
                nanos.push(clock.instant().since(start).as_nanos() as u64);
            }
        }
        nanos.sort_unstable();
        let at = |share: usize| nanos.get(nanos.len() * share / 100).copied().unwrap_or_default() as f64 / 1_000.0;
        Ok(ScoreTime { p50_us: at(50), p99_us: at(99) })
    }

    fn score_once<'p>(&mut self, parts: impl Iterator<Item = &'p str>) -> Result<(), String> {
        match &mut self.model {
            Model::Text { model, scratch, .. } => {
                std::hint::black_box(model.score(parts, self.temperature, scratch));
                Ok(())
            }
            #[cfg(feature = "neural")]
            Model::Neural(neural) => neural.score_once(parts),
        }
    }
}

/// What a model says of one text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// The most likely label.
    pub(super) label: u16,
    pub(super) confidence: f32,
    /// Whether it passes the check of scope.
    pub(super) is_admitted: bool,
}

impl Told {
    /// From the probabilities of the labels; the scope score may follow from the confidence.
    pub(super) fn of(probabilities: &[f32], scope: impl Fn(f32) -> f32, check: ScopeCheck) -> Self {
        let Judgement { told, confidence, .. } = Judgement::of(probabilities, 0);
        let is_admitted = !check.is_out_of_scope(scope(confidence), &Ranked::of(probabilities));
        Self { label: told, confidence, is_admitted }
    }
}
