//! What people and programs read of an adoption.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::output::{counted, grouped};
use super::super::train::Reported;
use crate::inference::{Certified, Coverage, Goal, NotCertifiable, Probability, coverage_table, worst_confusions};
use crate::training::{AdoptedClassifier, RegressorQuality};

/// Pairs of labels that are shown.
const CONFUSIONS_MAX: usize = 10;

/// Shares of the rows for which a precision is shown, in parts per million.
const SHARES_PPM: [u32; 6] = [1_000_000, 950_000, 900_000, 800_000, 700_000, 500_000];

/// Everything about an adoption that is told.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) id: String,
    pub(super) version: u32,
    pub(super) folder: String,
    pub(super) file: String,
    pub(super) rows: usize,
    pub(super) features: Vec<String>,
    /// Features that some row has no value for.
    pub(super) missing: Vec<String>,
    pub(super) labels: Vec<String>,
    pub(super) judged: Judged,
    pub(super) is_training_named: bool,
    pub(super) has_purpose: bool,
    pub(super) bytes: usize,
    pub(super) score_time: ScoreTime,
}

/// What the model is worth.
#[derive(Debug)]
pub(super) enum Judged {
    Classifier { adopted: Box<AdoptedClassifier>, certified: Vec<(Goal, Result<Certified, NotCertifiable>)> },
    Regressor(RegressorQuality),
}

/// How long a score takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreTime {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

impl Judged {
    /// The metrics of the manifest.
    pub(super) fn metrics(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Classifier { adopted, .. } => {
                let quality = adopted.quality;
                vec![("accuracy", quality.accuracy), ("macro_f1", quality.macro_f1), ("ece", quality.ece)]
            }
            Self::Regressor(quality) => vec![("mae", quality.mean_absolute_error), ("r2", quality.r_squared)],
        }
    }
}

fn coverage(adopted: &AdoptedClassifier) -> Vec<Coverage> {
    let shares = SHARES_PPM.map(|ppm| Probability::from_ppm(ppm).unwrap_or(Probability::ONE));
    coverage_table(&adopted.held_out.judgements(adopted.temperature), &shares)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

impl Reported for Report {
    fn show(&self) -> String {
        let mut text = String::new();
        let (rows, features) = (counted(self.rows, "row"), counted(self.features.len(), "feature"));
        let labels = if self.labels.is_empty() { "a number".to_owned() } else { counted(self.labels.len(), "label") };
        let _ = writeln!(text, "`{}`: {features}, {labels}; judged by {rows}", self.file);
        if !self.missing.is_empty() {
            let _ =
                writeln!(text, "values are missing in {}: the model takes them as missing", self.missing.join(", "));
        }
        match &self.judged {
            Judged::Classifier { adopted, certified } => self.show_classifier(&mut text, adopted, certified),
            Judged::Regressor(quality) => {
                let RegressorQuality { mean_absolute_error, r_squared } = quality;
                let _ = writeln!(text, "\nmean absolute error {mean_absolute_error:.4}, R² {r_squared:.4}");
            }
        }
        self.show_model(&mut text);
        text
    }

    fn as_json(&self) -> String {
        let mut object = json!({
            "id": self.id,
            "version": self.version,
            "folder": self.folder,
            "rows": self.rows,
            "features": self.features,
            "features_with_missing_values": self.missing,
            "labels": self.labels.len(),
            "model_bytes": self.bytes,
            "training_named": self.is_training_named,
            "score_us": { "p50": self.score_time.p50_us, "p99": self.score_time.p99_us },
        });
        match &self.judged {
            Judged::Regressor(quality) => {
                object["heldout"] = json!({ "mae": quality.mean_absolute_error, "r2": quality.r_squared });
            }
            Judged::Classifier { adopted, certified } => {
                object["heldout"] = self.heldout(adopted);
                object["temperature"] = adopted.temperature.into();
                object["certified"] = certified.iter().map(certified_as_json).collect();
            }
        }
        serde_json::to_string_pretty(&object).unwrap_or_default()
    }
}

// === for people ===

impl Report {
    fn show_classifier(
        &self,
        text: &mut String,
        adopted: &AdoptedClassifier,
        certified: &[(Goal, Result<Certified, NotCertifiable>)],
    ) {
        let (quality, raw) = (adopted.quality, adopted.raw_quality);
        let _ = writeln!(
            text,
            "\naccuracy {}, macro-F1 {}, calibration error {:.4} -> {:.4} with temperature {:.3}",
            percent(quality.accuracy),
            percent(quality.macro_f1),
            raw.ece,
            quality.ece,
            adopted.temperature
        );
        let label = |at: u16| self.labels.get(usize::from(at)).map_or("", String::as_str);
        let judgements = adopted.held_out.judgements(adopted.temperature);
        let confusions = worst_confusions(&judgements, CONFUSIONS_MAX);
        if !confusions.is_empty() {
            let _ = writeln!(text, "\nmost often taken for another");
        }
        for confusion in confusions {
            let (truth, told) = (label(confusion.truth), label(confusion.told));
            let _ = writeln!(text, "  {:>4} of {:<4} `{truth}` for `{told}`", confusion.count, confusion.rows);
        }
        let _ =
            writeln!(text, "\nif only the surest are told\n  {:>8} {:>10} {:>10}", "share", "precision", "threshold");
        for Coverage { share, threshold, precision } in coverage(adopted) {
            let (share, precision) = (share.percent().to_string(), precision.percent().to_string());
            let _ = writeln!(text, "  {share:>8} {precision:>10} {:>10.3}", threshold.as_f64());
        }
        let _ = writeln!(text, "\ncertified on these rows");
        for (goal, certified) in certified {
            let (precision, confidence) = (goal.precision().percent(), goal.confidence().percent());
            let _ = write!(text, "  precision {precision} at confidence {confidence}: ");
            let _ = match certified {
                Ok(Certified { threshold, share, .. }) => {
                    writeln!(text, "accept from {:.3}, {} of the rows", threshold.as_f64(), share.percent())
                }
                Err(refused) => writeln!(text, "{refused}"),
            };
        }
    }

    fn show_model(&self, text: &mut String) {
        let ScoreTime { p50_us, p99_us } = self.score_time;
        let (id, version, folder) = (&self.id, self.version, &self.folder);
        let size = grouped(self.bytes.div_ceil(1024) as u64);
        let _ = writeln!(
            text,
            "\n`{id}` version {version} is in {folder}: {size} KiB; a score takes {p50_us:.2} us (p50), {p99_us:.2} us (p99)"
        );
        if !self.is_training_named {
            let _ = writeln!(
                text,
                "What it was trained on was not named: the manifest has the rows it was judged by. Say it with --trained-on."
            );
        }
        if !self.has_purpose {
            let _ =
                writeln!(text, "No purpose was named: say with --purpose what the data's subjects have consented to.");
        }
    }
}

// === for programs ===

impl Report {
    fn heldout(&self, adopted: &AdoptedClassifier) -> Value {
        let label = |at: u16| self.labels.get(usize::from(at));
        let judgements = adopted.held_out.judgements(adopted.temperature);
        let confusions = worst_confusions(&judgements, CONFUSIONS_MAX);
        let confusions = confusions.iter().map(|confusion| {
            json!({ "label": label(confusion.truth), "told": label(confusion.told), "count": confusion.count, "rows": confusion.rows })
        });
        let coverage = coverage(adopted).into_iter().map(|Coverage { share, threshold, precision }| {
            json!({ "share": share.as_f64(), "threshold": threshold.as_f64(), "precision": precision.as_f64() })
        });
        json!({
            "rows": judgements.len(),
            "accuracy": adopted.quality.accuracy,
            "macro_f1": adopted.quality.macro_f1,
            "ece": adopted.quality.ece,
            "ece_before_temperature": adopted.raw_quality.ece,
            "confusions": confusions.collect::<Vec<_>>(),
            "coverage": coverage.collect::<Vec<_>>(),
        })
    }
}

fn certified_as_json((goal, certified): &(Goal, Result<Certified, NotCertifiable>)) -> Value {
    let mut object = json!({ "precision": goal.precision().as_f64(), "confidence": goal.confidence().as_f64() });
    match certified {
        Ok(certified) => {
            object["threshold"] = certified.threshold.as_f64().into();
            object["share"] = certified.share.as_f64().into();
        }
        Err(refused) => object["refused"] = refused.to_string().into(),
    }
    object
}
