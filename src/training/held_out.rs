//! What models said of texts that they were not trained on.

use super::chance::Chance;
use super::labelled::LabelledTexts;
use crate::inference::{
    CALIBRATION_ROWS_MAX, Calibration, CalibrationRow, Judgement, Ranked, fit_temperature, softmax_into,
};

/// Texts with what a model said of them that was not trained on them.
#[derive(Clone, Debug, Default)]
pub struct HeldOut {
    pub(super) labels: usize,
    /// The true label of each text; `None` for one that is out of scope.
    pub(super) truths: Vec<Option<u16>>,
    /// Which texts are copies of another with the same label.
    copies: Vec<bool>,
    /// The logit of each label, text by text.
    pub(super) logits: Vec<f32>,
    pub(super) scopes: Vec<f32>,
}

impl HeldOut {
    /// So many texts, of which nothing was said yet.
    pub(super) fn new(labels: usize, truths: Vec<Option<u16>>) -> Self {
        let count = truths.len();
        Self { labels, truths, copies: vec![false; count], logits: vec![0.0; count * labels], scopes: vec![0.0; count] }
    }

    /// Labelled texts, then so many that are out of scope, of which nothing was said yet.
    pub(super) fn of(texts: &LabelledTexts, strangers: usize) -> Self {
        let truths = texts.rows.iter().map(|row| Some(row.label)).chain(std::iter::repeat_n(None, strangers));
        let mut held_out = Self::new(texts.labels.len(), truths.collect());
        for (copy, row) in held_out.copies.iter_mut().zip(&texts.rows) {
            *copy = row.is_copy;
        }
        held_out
    }

    pub(super) fn put(&mut self, row: usize, logits: &[f32], scope: f32) {
        self.logits[row * self.labels..][..self.labels].copy_from_slice(logits);
        self.scopes[row] = scope;
    }

    /// Takes the confidence under a temperature for the scope score, for models that have no other.
    pub(super) fn scope_by_confidence(&mut self, temperature: f32) {
        let mut scopes = Vec::with_capacity(self.len());
        self.each(temperature, |_, probabilities| scopes.push(probabilities.iter().copied().fold(0.0, f32::max)));
        self.scopes = scopes;
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.truths.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.truths.is_empty()
    }

    /// The temperature that makes their confidence honest; 1 where they are told so well that none is better than another.
    pub(super) fn temperature(&self) -> f32 {
        let truths: Vec<u16> = self.truths.iter().copied().flatten().collect();
        let rows = self.logits.chunks_exact(self.labels).zip(&self.truths).filter(|(_, truth)| truth.is_some());
        let logits: Vec<f32> = rows.flat_map(|(logits, _)| logits.iter().copied()).collect();
        // It cannot be fitted where all rows are told rightly, or no better than chance: who looks at the accuracy finds which.
        fit_temperature(&logits, self.labels, &truths).unwrap_or(1.0)
    }

    fn each(&self, temperature: f32, mut see: impl FnMut(usize, &[f32])) {
        let mut probabilities = vec![0.0; self.labels];
        for (row, logits) in self.logits.chunks_exact(self.labels).enumerate() {
            softmax_into(logits, temperature, &mut probabilities);
            see(row, &probabilities);
        }
    }

    /// What was said of the texts in scope, under a temperature.
    pub fn judgements(&self, temperature: f32) -> Vec<Judgement> {
        let mut judgements = Vec::new();
        self.each(temperature, |row, probabilities| {
            judgements.extend(self.truths[row].map(|truth| Judgement::of(probabilities, truth)));
        });
        judgements
    }

    /// The mean negative logarithm of what the true labels of texts in scope got, in nats.
    pub fn log_loss(&self, temperature: f32) -> f64 {
        let (mut sum, mut count) = (0.0, 0_u32);
        self.each(temperature, |row, probabilities| {
            if let Some(truth) = self.truths[row] {
                sum -= libm::log(f64::from(probabilities[usize::from(truth)].max(f32::MIN_POSITIVE)));
                count += 1;
            }
        });
        sum / f64::from(count.max(1))
    }

    /// The calibration set that goes with a model: all texts, or a sample of chance if they are too many.
    ///
    /// Of texts that read the same and have the same label only the first is in it. A certificate counts labels that were given
    /// independently; a ticket that was exported ten times has one.
    pub fn calibration(&self, temperature: f32, seed: u64) -> Calibration {
        let mut rows = Vec::with_capacity(self.len());
        self.each(temperature, |row, probabilities| {
            if self.copies[row] {
                return;
            }
            let scores = Ranked::of(probabilities);
            rows.push(CalibrationRow { label: self.truths[row], scope: self.scopes[row], scores });
        });
        if rows.len() > CALIBRATION_ROWS_MAX {
            Chance::new(seed).shuffle(&mut rows);
            rows.truncate(CALIBRATION_ROWS_MAX);
        }
        Calibration { rows }
    }
}
