//! Training a text model: how strictly, how honestly, and whether it is any good.

use thiserror::Error;

use super::held_out::HeldOut;
use super::labelled::LabelledTexts;
use super::logistic::{Fit, FitConfig, FitError, FitProgress};
use super::rows::SparseRows;
use super::split::split;
use super::vocabulary::Vocabulary;
use crate::inference::{Quality, TEXT_BYTES_MAX, TextModel, TextScratch};

/// In how many parts the rows are held out, one after the other.
///
/// With five, each model that is judged has seen four fifths of the rows, nearly what the last one sees.
pub(super) const PARTS: u8 = 5;

/// The strengths that are tried, ascending: each goes on from the one before.
const STRENGTHS: [f32; 4] = [3.0, 10.0, 30.0, 100.0];

/// How much more words and pairs of words count than runs of characters: short texts want more, long ones none.
const EMPHASES: [f64; 2] = [1.0, 1.5];

/// How a text model is trained.
#[derive(Clone, Copy, Debug)]
pub struct TextTraining {
    /// Of the parts and of the order in which rows are looked at.
    pub seed: u64,
    /// The least accuracy; [`None`] asks that it be clearly better than the most frequent label.
    pub accuracy_min: Option<f64>,
    /// Bytes of a text that are read.
    pub text_bytes_max: usize,
}

impl Default for TextTraining {
    fn default() -> Self {
        Self { seed: 0, accuracy_min: None, text_bytes_max: TEXT_BYTES_MAX }
    }
}

/// A text model, and what is known of it.
#[derive(Clone, Debug)]
pub struct TrainedText {
    /// The model, trained on all rows.
    pub model: TextModel,
    /// The temperature that goes with it.
    pub temperature: f32,
    /// What did best on rows held out.
    pub choice: Choice,
    /// What the models said of the rows of the part that they were not trained on; then of the texts out of scope.
    pub held_out: HeldOut,
    /// Its quality on these, before the temperature.
    pub raw_quality: Quality,
    /// Its quality on these.
    pub quality: Quality,
    /// The accuracy that was asked of it.
    pub accuracy_min: f64,
}

/// What is chosen on rows held out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// How closely the rows are followed.
    pub strength: f32,
    /// How much more words and pairs of words count than runs of characters.
    pub emphasis: f64,
}

/// How far training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingProgress {
    /// Which fit is under way, counted from 1.
    pub fit: usize,
    /// How many there are.
    pub fits: usize,
    /// Its strength.
    pub strength: f32,
    /// How far it is.
    pub progress: FitProgress,
}

/// Why there is no model.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum TrainingError {
    /// A fit did not succeed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// It tells too few texts rightly.
    #[error(
        "the model tells {} of the texts rightly that it was not trained on; {} are asked of it, and always saying `{majority}` \
         would reach {}; are text and label in the right columns, and do the texts tell the labels apart?",
        percent(*.accuracy), percent(*.accuracy_min), percent(*.majority_share)
    )]
    Inaccurate {
        /// The share that it tells rightly.
        accuracy: f64,
        /// The share that was asked.
        accuracy_min: f64,
        /// The most frequent label.
        majority: String,
        /// Its share of the rows.
        majority_share: f64,
    },
    /// The last model knows less of its own rows than others did without having seen them.
    #[error(
        "the model on all rows tells only {} of them rightly, though {} were told rightly without being seen: the fit went wrong",
        percent(*.own), percent(*.held_out)
    )]
    Unlearnt {
        /// The share of its own rows that it tells rightly.
        own: f64,
        /// The share of rows that were told rightly when held out.
        held_out: f64,
    },
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A training under way.
struct Course<'t, 'w> {
    training: &'t TextTraining,
    texts: &'t LabelledTexts,
    strangers: &'t [Vec<String>],
    part_of: Vec<u8>,
    scratch: TextScratch,
    fit: usize,
    watch: &'w mut dyn FnMut(TrainingProgress),
}

/// All fits: one for each choice on the first part, one for each other part, and that on all rows.
const FITS: usize = EMPHASES.len() * STRENGTHS.len() + PARTS as usize;

impl TextTraining {
    /// Trains on labelled texts. `strangers` are texts that are out of scope: nothing is learnt from them, but what the models
    /// say of them is kept beside the rows held out. The same texts and seed give the same model to the byte.
    pub fn run(
        &self,
        texts: &LabelledTexts,
        strangers: &[Vec<String>],
        watch: &mut dyn FnMut(TrainingProgress),
    ) -> Result<TrainedText, TrainingError> {
        let part_of = split(texts, PARTS, self.seed);
        let scratch = TextScratch::default();
        let mut course = Course { training: self, texts, strangers, part_of, scratch, fit: 0, watch };
        let (choice, held_out) = course.hold_out()?;
        let temperature = held_out.temperature();
        let raw_quality = Quality::of(&held_out.judgements(1.0));
        let quality = Quality::of(&held_out.judgements(temperature));
        let accuracy_min = refuse_inaccurate(self.accuracy_min, texts, quality.accuracy)?;
        let model = course.last(choice, quality.accuracy)?;
        Ok(TrainedText { model, temperature, choice, held_out, raw_quality, quality, accuracy_min })
    }
}

impl Course<'_, '_> {
    /// Has every row told by a model that did not see it. The first part also makes the choice.
    fn hold_out(&mut self) -> Result<(Choice, HeldOut), TrainingError> {
        let mut held_out = HeldOut::of(self.texts, self.strangers.len());
        let (choice, model) = self.choose()?;
        self.tell(0, &model, &mut held_out);
        for part in 1..PARTS {
            let rows = self.rows_without(Some(part), choice.emphasis);
            let model = rows.models(self, &[choice.strength])?.pop();
            model.iter().for_each(|(_, model)| self.tell(part, model, &mut held_out));
        }
        Ok((choice, held_out))
    }

    /// What has the least loss on the first part, at the temperature that suits it.
    fn choose(&mut self) -> Result<(Choice, TextModel), TrainingError> {
        let held: Vec<usize> = (0..self.texts.len()).filter(|row| self.part_of[*row] == 0).collect();
        let mut best: Option<(f64, Choice, TextModel)> = None;
        for emphasis in EMPHASES {
            let rows = self.rows_without(Some(0), emphasis);
            for (strength, model) in rows.models(self, &STRENGTHS)? {
                let loss = self.loss(&held, &model);
                if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
                    best = Some((loss, Choice { strength, emphasis }, model));
                }
            }
        }
        best.map(|(_, choice, model)| (choice, model)).ok_or(TrainingError::Fit(FitError::NotFinite))
    }

    fn loss(&mut self, held: &[usize], model: &TextModel) -> f64 {
        let texts = self.texts;
        let truths = held.iter().map(|row| Some(texts.rows[*row].label)).collect();
        let mut told = HeldOut::new(texts.labels.len(), truths);
        for (at, row) in held.iter().enumerate() {
            self.tell_one(&texts.rows[*row].parts, at, model, &mut told);
        }
        told.log_loss(told.temperature())
    }

    /// The model on all rows.
    fn last(&mut self, choice: Choice, held_out: f64) -> Result<TextModel, TrainingError> {
        let rows = self.rows_without(None, choice.emphasis);
        let models = rows.models(self, &[choice.strength])?;
        let Some((_, model)) = models.into_iter().next() else { return Err(TrainingError::Fit(FitError::NotFinite)) };
        let mut right = 0;
        for row in &self.texts.rows {
            let parts = row.parts.iter().map(String::as_str);
            right += usize::from(model.score(parts, 1.0, &mut self.scratch).best == usize::from(row.label));
        }
        let own = right as f64 / self.texts.len() as f64;
        if own + 0.01 >= held_out { Ok(model) } else { Err(TrainingError::Unlearnt { own, held_out }) }
    }

    /// Has the rows of a part, and its share of the strangers, told by a model.
    fn tell(&mut self, part: u8, model: &TextModel, held_out: &mut HeldOut) {
        let texts = self.texts;
        for (at, row) in texts.rows.iter().enumerate().filter(|(at, _)| self.part_of[*at] == part).collect::<Vec<_>>() {
            self.tell_one(&row.parts, at, model, held_out);
        }
        let strangers = self.strangers;
        for (at, parts) in strangers.iter().enumerate().filter(|(at, _)| at % usize::from(PARTS) == usize::from(part)) {
            self.tell_one(parts, texts.len() + at, model, held_out);
        }
    }

    fn tell_one(&mut self, parts: &[String], at: usize, model: &TextModel, into: &mut HeldOut) {
        let scored = model.score(parts.iter().map(String::as_str), 1.0, &mut self.scratch);
        into.put(at, scored.logits, scored.scope);
    }

    /// All rows but those of a part, as a model sees them that knows no others.
    fn rows_without(&self, part: Option<u8>, emphasis: f64) -> SeenRows {
        let seen =
            || self.texts.rows.iter().zip(&self.part_of).filter(|(_, of)| part != Some(**of)).map(|(row, _)| row);
        let vocabulary = Vocabulary::of(seen().map(|row| row.filled.as_slice()), emphasis);
        let rows = vocabulary.rows(seen().map(|row| row.filled.as_slice()));
        SeenRows { vocabulary, rows, labels: seen().map(|row| row.label).collect() }
    }
}

/// Without a floor of its own a model must be better than always saying the most frequent label by three standard errors
/// of that label's share: chance alone would be in one of a thousand trainings.
pub(super) fn refuse_inaccurate(
    accuracy_min: Option<f64>,
    texts: &LabelledTexts,
    accuracy: f64,
) -> Result<f64, TrainingError> {
    let counts = texts.counts();
    let most = counts.iter().enumerate().rev().max_by_key(|(_, count)| **count).map_or(0, |(label, _)| label);
    let rows = texts.len() as f64;
    let majority_share = counts[most] as f64 / rows;
    let chance = 3.0 * libm::sqrt(majority_share * (1.0 - majority_share) / rows);
    let accuracy_min = accuracy_min.unwrap_or((majority_share + chance).min(0.999));
    // What is no number is not above anything.
    if accuracy >= accuracy_min {
        return Ok(accuracy_min);
    }
    let majority = texts.labels[most].clone();
    Err(TrainingError::Inaccurate { accuracy, accuracy_min, majority, majority_share })
}

/// Rows that a model is trained on.
struct SeenRows {
    vocabulary: Vocabulary,
    rows: SparseRows,
    labels: Vec<u16>,
}

impl SeenRows {
    /// A model for each strength, as far as they come to an end; at least one does.
    fn models(&self, course: &mut Course<'_, '_>, strengths: &[f32]) -> Result<Vec<(f32, TextModel)>, TrainingError> {
        let mut fit = Fit::new(&self.rows, &self.labels, course.texts.labels.len());
        let mut models = Vec::new();
        for strength in strengths {
            course.fit += 1;
            let number = course.fit;
            let config = FitConfig { strength: *strength, seed: course.training.seed, ..FitConfig::default() };
            let mut watch = |progress| {
                (course.watch)(TrainingProgress { fit: number, fits: FITS, strength: *strength, progress });
            };
            match fit.run(&config, &mut watch) {
                Ok(linear) => models.push((*strength, self.vocabulary.model(linear, course.training.text_bytes_max))),
                // What follows the rows too closely takes long; the more cautious ones are there.
                Err(FitError::NotDone { .. }) if !models.is_empty() => {
                    course.fit += strengths.len() - models.len() - 1;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(models)
    }
}
