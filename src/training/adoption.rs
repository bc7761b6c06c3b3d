//! Taking over a tabular model that was trained elsewhere: what it is worth on labelled rows that it has not seen.

use thiserror::Error;

use super::held_out::HeldOut;
use crate::inference::{Quality, TabularModel, TabularScratch, logits_into};

/// The fewest rows on which a model is judged.
pub const ADOPTION_ROWS_MIN: usize = 50;

/// How far the probabilities of a row may be from a sum of 1.
const SUM_DISTANCE_MAX: f32 = 1e-3;

/// Rows of features, one after the other.
#[derive(Clone, Debug, Default)]
pub struct FeatureRows {
    /// How many features a row has.
    pub columns: usize,
    /// The features, row by row; NaN where one is missing.
    pub features: Vec<f32>,
    /// The line of each row in its file.
    pub lines: Vec<u64>,
}

/// A classifier that was taken over, and what is known of it.
#[derive(Clone, Debug)]
pub struct AdoptedClassifier {
    /// What it said of the rows.
    pub held_out: HeldOut,
    /// The temperature that makes its confidence honest.
    pub temperature: f32,
    /// Its quality before the temperature.
    pub raw_quality: Quality,
    /// Its quality.
    pub quality: Quality,
    /// The accuracy that was asked of it.
    pub accuracy_min: f64,
}

/// What a regressor is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegressorQuality {
    /// The mean distance from the true value.
    pub mean_absolute_error: f64,
    /// The share of the variance that it explains: 1 is perfect, always saying the mean reaches 0.
    pub r_squared: f64,
}

/// Why a model is not taken over.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum AdoptionError {
    /// There is too little to judge it by.
    #[error("there are {rows} labelled rows; {ADOPTION_ROWS_MIN} at least are needed to judge a model by")]
    TooFewRows {
        /// How many there are.
        rows: usize,
    },
    /// It gives no number for a row.
    #[error(
        "the model gives no number for the row of line {line}{}",
        if *.has_missing { ", which has missing values: it does not take them, so fill them before or in the model" } else { "" }
    )]
    NoNumber {
        /// The row's line.
        line: u64,
        /// Whether the row has missing values.
        has_missing: bool,
    },
    /// What it gives are no probabilities.
    #[error(
        "what the model gives for the row of line {line} are no probabilities ({shown}): export it with those, such as those of \
         `predict_proba`"
    )]
    NoProbabilities {
        /// The row's line.
        line: u64,
        /// What it gives.
        shown: String,
    },
    /// It tells too few rows rightly.
    #[error(
        "the model tells {:.1} % of the rows rightly; {:.1} % are asked of it, and always saying the most frequent label would \
         reach {:.1} %; are the features in the order of the model's inputs, and the labels in that of its outputs?",
        100.0 * .accuracy, 100.0 * .accuracy_min, 100.0 * .majority_share
    )]
    Inaccurate {
        /// The share that it tells rightly.
        accuracy: f64,
        /// The share that was asked.
        accuracy_min: f64,
        /// The share of the most frequent label.
        majority_share: f64,
    },
    /// It is no better than the mean.
    #[error(
        "the model is no better than always saying the mean (R² {r_squared:.3}); are the features in the order of its inputs?"
    )]
    Worthless {
        /// The share of the variance that it explains.
        r_squared: f64,
    },
}

impl FeatureRows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn each(&self) -> impl Iterator<Item = (u64, &[f32])> {
        self.lines.iter().copied().zip(self.features.chunks_exact(self.columns.max(1)))
    }

    fn refuse_few(&self) -> Result<(), AdoptionError> {
        if self.len() >= ADOPTION_ROWS_MIN { Ok(()) } else { Err(AdoptionError::TooFewRows { rows: self.len() }) }
    }
}

impl AdoptedClassifier {
    /// Judges a classifier by rows whose true labels are given by their position among its outputs. Without a floor of its own
    /// it must be better than always saying the most frequent label by three standard errors of that label's share.
    pub fn judge(
        model: &TabularModel,
        rows: &FeatureRows,
        truths: &[u16],
        accuracy_min: Option<f64>,
    ) -> Result<Self, AdoptionError> {
        rows.refuse_few()?;
        let labels = model.outputs().count();
        let mut held_out = HeldOut::new(labels, truths.iter().map(|truth| Some(*truth)).collect());
        let (mut scratch, mut logits) = (TabularScratch::default(), Vec::new());
        for (at, (line, row)) in rows.each().enumerate() {
            let probabilities = model.score(row, &mut scratch);
            refuse_no_probabilities(line, row, probabilities)?;
            let best = probabilities.iter().copied().fold(0.0, f32::max);
            logits_into(probabilities, &mut logits);
            held_out.put(at, &logits, best);
        }
        let temperature = held_out.temperature();
        let raw_quality = Quality::of(&held_out.judgements(1.0));
        let quality = Quality::of(&held_out.judgements(temperature));
        let accuracy_min = refuse_inaccurate(truths, labels, quality.accuracy, accuracy_min)?;
        Ok(Self { held_out, temperature, raw_quality, quality, accuracy_min })
    }
}

fn refuse_no_probabilities(line: u64, row: &[f32], given: &[f32]) -> Result<(), AdoptionError> {
    if given.iter().any(|value| !value.is_finite()) {
        return Err(AdoptionError::NoNumber { line, has_missing: row.iter().any(|value| value.is_nan()) });
    }
    let sum: f32 = given.iter().sum();
    let is_share = |value: &f32| (-SUM_DISTANCE_MAX..=1.0 + SUM_DISTANCE_MAX).contains(value);
    if given.iter().all(is_share) && libm::fabsf(sum - 1.0) <= SUM_DISTANCE_MAX {
        return Ok(());
    }
    let shown: Vec<String> = given.iter().take(4).map(|value| format!("{value:.3}")).collect();
    Err(AdoptionError::NoProbabilities { line, shown: shown.join(", ") })
}

fn refuse_inaccurate(truths: &[u16], labels: usize, accuracy: f64, asked: Option<f64>) -> Result<f64, AdoptionError> {
    let mut counts = vec![0usize; labels];
    truths.iter().for_each(|truth| counts[usize::from(*truth)] += 1);
    let rows = truths.len() as f64;
    let majority_share = counts.into_iter().max().unwrap_or(0) as f64 / rows;
    let chance = 3.0 * libm::sqrt(majority_share * (1.0 - majority_share) / rows);
    let accuracy_min = asked.unwrap_or((majority_share + chance).min(0.999));
    if accuracy >= accuracy_min {
        return Ok(accuracy_min);
    }
    Err(AdoptionError::Inaccurate { accuracy, accuracy_min, majority_share })
}

impl RegressorQuality {
    /// Judges a regressor by rows with their true values. It must be better than always saying their mean.
    pub fn judge(model: &TabularModel, rows: &FeatureRows, truths: &[f64]) -> Result<Self, AdoptionError> {
        rows.refuse_few()?;
        let mean = truths.iter().sum::<f64>() / truths.len() as f64;
        let (mut distance, mut unexplained, mut variance) = (0.0, 0.0, 0.0);
        let mut scratch = TabularScratch::default();
        for ((line, row), truth) in rows.each().zip(truths) {
            let has_missing = row.iter().any(|value| value.is_nan());
            let value = model.score(row, &mut scratch).first().copied().unwrap_or(f32::NAN);
            if !value.is_finite() {
                return Err(AdoptionError::NoNumber { line, has_missing });
            }
            let error = truth - f64::from(value);
            distance += libm::fabs(error);
            unexplained += error * error;
            variance += (truth - mean) * (truth - mean);
        }
        let r_squared = if variance > 0.0 { 1.0 - unexplained / variance } else { 0.0 };
        if r_squared > 0.0 {
            return Ok(Self { mean_absolute_error: distance / truths.len() as f64, r_squared });
        }
        Err(AdoptionError::Worthless { r_squared })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A real export, and rows for it.
    fn export(name: &str) -> (TabularModel, FeatureRows) {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(name);
        let model = TabularModel::from_bytes(&fs::read(place.join("model.onnx")).unwrap()).unwrap();
        let bytes = fs::read(place.join("inputs.f32")).unwrap();
        let once: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        // Three times the same 24 rows.
        let features = once.repeat(3);
        let columns = model.inputs().count;
        let lines = (2..2 + (features.len() / columns) as u64).collect();
        (model, FeatureRows { columns, features, lines })
    }

    /// What the model itself thinks most likely, but for every `nth` row.
    fn truths(model: &TabularModel, rows: &FeatureRows, nth: usize) -> Vec<u16> {
        let mut scratch = TabularScratch::default();
        let labels = model.outputs().count();
        let told = rows.each().enumerate().map(|(at, (_, row))| {
            let scores = model.score(row, &mut scratch);
            let best = (0..labels).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
            (if at % nth == 0 { (best + 1) % labels } else { best }) as u16
        });
        told.collect()
    }

    #[test]
    fn a_model_that_is_too_sure_of_itself_is_cooled() {
        let (model, rows) = export("iris_tree_text_labels");
        let truths = truths(&model, &rows, 10);
        let adopted = AdoptedClassifier::judge(&model, &rows, &truths, None).unwrap();
        assert!((adopted.quality.accuracy - 0.9).abs() < 0.03, "{adopted:?}");
        assert!(adopted.temperature > 1.5, "it says 1 of everything: {}", adopted.temperature);
        assert!(adopted.quality.ece < adopted.raw_quality.ece / 3.0);
        assert_eq!(adopted.held_out.calibration(adopted.temperature, 0).rows.len(), rows.len());
    }

    #[test]
    fn a_model_that_tells_nothing_is_refused() {
        let (model, rows) = export("iris_tree_text_labels");
        let wrong: Vec<u16> = truths(&model, &rows, 1);
        let error = AdoptedClassifier::judge(&model, &rows, &wrong, None).unwrap_err();
        assert!(matches!(error, AdoptionError::Inaccurate { accuracy: 0.0, .. }), "{error}");
        let right = truths(&model, &rows, usize::MAX);
        let error = AdoptedClassifier::judge(&model, &rows, &right, Some(0.999)).unwrap_err().to_string();
        assert!(error.contains("99.9 % are asked"), "{error}");
    }

    #[test]
    fn rows_that_are_too_few_or_get_no_number_are_told() {
        let (model, rows) = export("iris_column_transformer");
        let truths = truths(&model, &rows, 10);
        let few = FeatureRows { lines: vec![2; 10], ..rows.clone() };
        assert_eq!(
            AdoptedClassifier::judge(&model, &few, &truths[..10], None).unwrap_err(),
            AdoptionError::TooFewRows { rows: 10 }
        );
        let mut holes = rows.clone();
        holes.features[4 * 7 + 1] = f32::NAN;
        let error = AdoptedClassifier::judge(&model, &holes, &truths, None).unwrap_err();
        assert_eq!(error, AdoptionError::NoNumber { line: 9, has_missing: true });
    }

    #[test]
    fn a_regressor_is_judged_by_distance_and_variance() {
        let (model, rows) = export("diabetes_tree");
        let mut scratch = TabularScratch::default();
        let told: Vec<f64> = rows.each().map(|(_, row)| f64::from(model.score(row, &mut scratch)[0])).collect();
        let off: Vec<f64> =
            told.iter().enumerate().map(|(at, value)| value + if at % 2 == 0 { 3.0 } else { -3.0 }).collect();
        let quality = RegressorQuality::judge(&model, &rows, &off).unwrap();
        assert!((quality.mean_absolute_error - 3.0).abs() < 1e-9);
        assert!(quality.r_squared > 0.99 && quality.r_squared < 1.0);
        let upside_down: Vec<f64> = told.iter().map(|value| 400.0 - value).collect();
        let error = RegressorQuality::judge(&model, &rows, &upside_down).unwrap_err();
        assert!(matches!(error, AdoptionError::Worthless { .. }), "{error}");
    }
}
