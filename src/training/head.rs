//! Training a head: a linear classifier over the embeddings that a sentence encoder makes of labelled texts. The encoder
//! stays as it is.

use super::held_out::HeldOut;
use super::labelled::LabelledTexts;
use super::linear::Linear;
use super::logistic::{Fit, FitConfig, FitError};
use super::rows::{DenseRows, Rows};
use super::split::split;
use super::text::{PARTS, TrainingError, TrainingProgress, refuse_inaccurate};
use crate::inference::Quality;

/// The strengths that are tried, ascending: each goes on from the one before.
const STRENGTHS: [f32; 4] = [3.0, 10.0, 30.0, 100.0];

/// All fits: one for each strength on the first part, one for each other part, and that on all rows.
const FITS: usize = STRENGTHS.len() + PARTS as usize;

/// How a head is trained.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadTraining {
    /// Of the parts and of the order in which rows are looked at.
    pub seed: u64,
    /// The least accuracy; [`None`] asks that it be clearly better than the most frequent label.
    pub accuracy_min: Option<f64>,
}

/// A head, and what is known of it.
#[derive(Clone, Debug)]
pub struct TrainedHead {
    /// The head, trained on all rows.
    pub linear: Linear,
    /// The temperature that goes with it.
    pub temperature: f32,
    /// The strength that did best on rows held out.
    pub strength: f32,
    /// What heads said of the rows of the part that they were not trained on; then of the texts out of scope. The scope score
    /// is the confidence.
    pub held_out: HeldOut,
    /// Its quality on these, before the temperature.
    pub raw_quality: Quality,
    /// Its quality on these.
    pub quality: Quality,
    /// The accuracy that was asked of it.
    pub accuracy_min: f64,
}

/// A training under way.
struct Course<'t, 'w> {
    training: &'t HeadTraining,
    texts: &'t LabelledTexts,
    embeddings: DenseRows<'t>,
    strangers: DenseRows<'t>,
    part_of: Vec<u8>,
    fit: usize,
    watch: &'w mut dyn FnMut(TrainingProgress),
}

impl HeadTraining {
    /// Trains on labelled texts and their embeddings, one for each text in its order. `strangers` are the embeddings of texts that
    /// are out of scope: nothing is learnt from them, but what the heads say of them is kept beside the rows held out. The same
    /// embeddings and seed give the same head to the byte.
    ///
    /// # Panics
    /// When there is not one embedding for each text.
    pub fn run(
        &self,
        texts: &LabelledTexts,
        embeddings: DenseRows<'_>,
        strangers: DenseRows<'_>,
        watch: &mut dyn FnMut(TrainingProgress),
    ) -> Result<TrainedHead, TrainingError> {
        assert_eq!(texts.len(), embeddings.len(), "an embedding for each text");
        let part_of = split(texts, PARTS, self.seed);
        let mut course = Course { training: self, texts, embeddings, strangers, part_of, fit: 0, watch };
        let (strength, mut held_out) = course.hold_out()?;
        let temperature = held_out.temperature();
        held_out.scope_by_confidence(temperature);
        let raw_quality = Quality::of(&held_out.judgements(1.0));
        let quality = Quality::of(&held_out.judgements(temperature));
        let accuracy_min = refuse_inaccurate(self.accuracy_min, texts, quality.accuracy)?;
        let linear = course.last(strength, quality.accuracy)?;
        Ok(TrainedHead { linear, temperature, strength, held_out, raw_quality, quality, accuracy_min })
    }
}

impl Course<'_, '_> {
    /// Has every row told by a head that did not see it. The first part also chooses the strength.
    fn hold_out(&mut self) -> Result<(f32, HeldOut), TrainingError> {
        let mut held_out = HeldOut::of(self.texts, self.strangers.len());
        let (strength, head) = self.choose()?;
        self.tell(0, &head, &mut held_out);
        for part in 1..PARTS {
            let heads = self.heads(Some(part), &[strength])?;
            heads.iter().for_each(|(_, head)| self.tell(part, head, &mut held_out));
        }
        Ok((strength, held_out))
    }

    /// What has the least loss on the first part, at the temperature that suits it.
    fn choose(&mut self) -> Result<(f32, Linear), TrainingError> {
        let held: Vec<usize> = (0..self.texts.len()).filter(|row| self.part_of[*row] == 0).collect();
        let loss = |course: &Self, head: &Linear| {
            let truths = held.iter().map(|row| Some(course.texts.rows[*row].label)).collect();
            let mut told = HeldOut::new(course.texts.labels.len(), truths);
            for (at, row) in held.iter().enumerate() {
                tell_one(&course.embeddings, *row, head, at, &mut told);
            }
            told.log_loss(told.temperature())
        };
        let mut best: Option<(f64, f32, Linear)> = None;
        for (strength, head) in self.heads(Some(0), &STRENGTHS)? {
            let loss = loss(self, &head);
            if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
                best = Some((loss, strength, head));
            }
        }
        best.map(|(_, strength, head)| (strength, head)).ok_or(TrainingError::Fit(FitError::NotFinite))
    }

    /// The head on all rows.
    fn last(&mut self, strength: f32, held_out: f64) -> Result<Linear, TrainingError> {
        let heads = self.heads(None, &[strength])?;
        let Some((_, head)) = heads.into_iter().next() else { return Err(TrainingError::Fit(FitError::NotFinite)) };
        let mut own = HeldOut::of(self.texts, 0);
        (0..self.texts.len()).for_each(|row| tell_one(&self.embeddings, row, &head, row, &mut own));
        let own = Quality::of(&own.judgements(1.0)).accuracy;
        if own + 0.01 >= held_out { Ok(head) } else { Err(TrainingError::Unlearnt { own, held_out }) }
    }

    /// Has the rows of a part, and its share of the strangers, told by a head.
    fn tell(&self, part: u8, head: &Linear, held_out: &mut HeldOut) {
        for row in (0..self.texts.len()).filter(|row| self.part_of[*row] == part) {
            tell_one(&self.embeddings, row, head, row, held_out);
        }
        for stranger in (0..self.strangers.len()).filter(|at| at % usize::from(PARTS) == usize::from(part)) {
            tell_one(&self.strangers, stranger, head, self.texts.len() + stranger, held_out);
        }
    }

    /// A head for each strength on all rows but those of a part, as far as they come to an end; at least one does.
    fn heads(&mut self, part: Option<u8>, strengths: &[f32]) -> Result<Vec<(f32, Linear)>, TrainingError> {
        let seen: Vec<usize> = (0..self.texts.len()).filter(|row| part != Some(self.part_of[*row])).collect();
        let labels: Vec<u16> = seen.iter().map(|row| self.texts.rows[*row].label).collect();
        let values: Vec<f32> = seen.iter().flat_map(|row| self.embeddings.row(*row)).copied().collect();
        let rows = DenseRows::new(self.embeddings.columns(), &values);
        let mut fit = Fit::new(&rows, &labels, self.texts.labels.len());
        let mut heads = Vec::new();
        for strength in strengths {
            self.fit += 1;
            let number = self.fit;
            let config = FitConfig { strength: *strength, seed: self.training.seed, ..FitConfig::default() };
            let mut watch = |progress| {
                (self.watch)(TrainingProgress { fit: number, fits: FITS, strength: *strength, progress });
            };
            match fit.run(&config, &mut watch) {
                Ok(linear) => heads.push((*strength, linear.clone())),
                // What follows the rows too closely takes long; the more cautious ones are there.
                Err(FitError::NotDone { .. }) if !heads.is_empty() => {
                    self.fit += strengths.len() - heads.len() - 1;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(heads)
    }
}

/// Notes what a head says of an embedding as that of the text `at`.
fn tell_one(embeddings: &DenseRows<'_>, row: usize, head: &Linear, at: usize, into: &mut HeldOut) {
    let mut logits = vec![0.0; head.labels()];
    head.logits_into(embeddings, row, &mut logits);
    into.put(at, &logits, 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{Chance, Demands, LabelledText};

    const DIMENSIONS: usize = 6;

    /// Texts whose embeddings lie around a corner of their label's own, so far that some are nearer to another.
    fn world(rows: usize, spread: f32, seed: u64) -> (LabelledTexts, Vec<f32>) {
        let mut chance = Chance::new(seed);
        let mut noise = || (chance.below(2_001) as f32 / 1_000.0 - 1.0) * spread;
        let (mut texts, mut embeddings) = (Vec::new(), Vec::new());
        for nth in 0..rows {
            let label = nth % 3;
            texts.push(LabelledText { parts: vec![format!("text {nth}")], label: format!("l{label}"), line: 1 });
            embeddings.extend((0..DIMENSIONS).map(|column| f32::from(column == label) + noise()));
        }
        let demands = Demands { rows_min: 2, drops_rare_labels: false, drops_empty_texts: false, text_bytes_max: 100 };
        (LabelledTexts::of(texts, &demands).unwrap(), embeddings)
    }

    fn train(texts: &LabelledTexts, embeddings: &[f32], strangers: &[f32]) -> Result<TrainedHead, TrainingError> {
        let rows = |values| DenseRows::new(DIMENSIONS, values);
        HeadTraining::default().run(texts, rows(embeddings), rows(strangers), &mut |progress| {
            assert!(progress.fit <= progress.fits);
        })
    }

    #[test]
    fn learns_what_there_is_to_learn_and_says_honestly_how_much() {
        let (texts, embeddings) = world(300, 1.0, 7);
        let trained = train(&texts, &embeddings, &[0.0; DIMENSIONS]).unwrap();
        assert!((0.7..1.0).contains(&trained.quality.accuracy), "{:?}", trained.quality);
        assert_eq!(trained.held_out.len(), 301, "every row and the stranger was told");
        let (other, others) = world(300, 1.0, 8);
        let others = DenseRows::new(DIMENSIONS, &others);
        let mut logits = [0.0; 3];
        let right = (0..other.len()).filter(|row| {
            trained.linear.logits_into(&others, *row, &mut logits);
            let best = (0..3).max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
            best == Some(usize::from(other.rows[*row].label))
        });
        let accuracy = right.count() as f64 / 300.0;
        assert!((accuracy - trained.quality.accuracy).abs() < 0.08, "{accuracy} on new rows: {:?}", trained.quality);
    }

    #[test]
    fn the_scope_score_is_the_confidence() {
        let (texts, embeddings) = world(90, 0.5, 3);
        let trained = train(&texts, &embeddings, &[0.0; DIMENSIONS]).unwrap();
        let judged = trained.held_out.judgements(trained.temperature);
        for (judgement, scope) in judged.iter().zip(&trained.held_out.scopes) {
            assert!((judgement.confidence - scope).abs() < 1e-6, "{judgement:?} beside {scope}");
        }
    }

    #[test]
    fn the_same_embeddings_and_seed_give_the_same_head() {
        let (texts, embeddings) = world(90, 0.8, 1);
        let [a, b] = [(); 2].map(|()| train(&texts, &embeddings, &[]).unwrap());
        assert_eq!((a.linear, a.temperature), (b.linear, b.temperature));
    }

    #[test]
    fn embeddings_that_say_nothing_of_the_labels_make_no_model() {
        let (texts, mut noise) = world(150, 1.0, 5);
        Chance::new(6).shuffle(&mut noise);
        noise.iter_mut().for_each(|x| *x *= 0.3);
        let refused = train(&texts, &noise, &[]).map(|trained| trained.quality);
        assert!(matches!(refused, Err(TrainingError::Inaccurate { .. })), "{refused:?}");
    }
}
