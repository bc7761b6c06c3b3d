//! What people and programs read of a training.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::output::{counted, grouped};
use super::Reported;
use crate::inference::{
    Certified, Coverage, Goal, Judgement, NotCertifiable, Probability, Quality, ScopeThreshold, coverage_table,
    worst_confusions,
};
use crate::training::Findings;

/// Pairs of labels that are shown.
const CONFUSIONS_MAX: usize = 10;

/// Contradictions that are shown.
const CONTRADICTIONS_MAX: usize = 5;

/// Shares of the rows for which a precision is shown, in parts per million.
const SHARES_PPM: [u32; 8] = [1_000_000, 950_000, 900_000, 850_000, 800_000, 700_000, 600_000, 500_000];

/// Everything about a training that is told.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) id: String,
    pub(super) version: u32,
    pub(super) folder: String,
    pub(super) rows: usize,
    pub(super) findings: Findings,
    /// Rows of each label.
    pub(super) counts: Vec<usize>,
    pub(super) labels: Vec<String>,
    /// Of rows held out, before the temperature.
    pub(super) raw: Quality,
    pub(super) heldout: Measured,
    pub(super) test: Option<Tested>,
    pub(super) temperature: f32,
    pub(super) strength: f32,
    /// Of a text model.
    pub(super) emphasis: Option<f64>,
    pub(super) scope: Scope,
    pub(super) certified: Vec<(Goal, Result<Certified, NotCertifiable>)>,
    pub(super) bytes: usize,
    /// Of a text model.
    pub(super) buckets: Option<usize>,
    pub(super) score_time: ScoreTime,
    pub(super) has_purpose: bool,
    pub(super) seconds: f64,
}

/// Rows with what was said of them.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) quality: Quality,
    pub(super) judgements: Vec<Judgement>,
    /// How many labels the model knows; a truth that is not below is none of them.
    pub(super) known: usize,
}

/// Rows that are only for measuring, with what the finished model said of them.
#[derive(Debug)]
pub(super) struct Tested {
    pub(super) measured: Measured,
    /// Whether each passed the model's check of scope.
    pub(super) admitted: Vec<bool>,
}

/// How the model tells what is out of its scope.
#[derive(Debug)]
pub(super) enum Scope {
    Off,
    Label(String),
    Below { threshold: ScopeThreshold, texts: usize },
}

/// How long a score takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreTime {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

impl Measured {
    /// Rows whose label the model does not know.
    fn unknown(&self) -> usize {
        self.judgements.iter().filter(|judgement| usize::from(judgement.truth) >= self.known).count()
    }

    fn coverage(&self) -> Vec<Coverage> {
        let shares = SHARES_PPM.map(|ppm| Probability::from_ppm(ppm).unwrap_or(Probability::ONE));
        coverage_table(&self.judgements, &shares)
    }
}

impl Tested {
    /// What a threshold accepts of these rows, and how much of that is right.
    fn under(&self, threshold: Probability) -> (f64, f64) {
        let rows = self.measured.judgements.iter().zip(&self.admitted);
        let (mut accepted, mut right) = (0_u32, 0_u32);
        for (judgement, is_admitted) in rows {
            if *is_admitted && Probability::from_f32(judgement.confidence) >= threshold {
                accepted += 1;
                right += u32::from(judgement.is_correct());
            }
        }
        let share = |part: u32, whole: f64| if whole > 0.0 { f64::from(part) / whole } else { 0.0 };
        (share(accepted, self.measured.judgements.len() as f64), share(right, f64::from(accepted)))
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

impl Reported for Report {
    fn show(&self) -> String {
        let mut text = String::new();
        self.show_rows(&mut text);
        self.show_quality(&mut text);
        self.show_confusions(&mut text);
        self.show_coverage(&mut text);
        self.show_certified(&mut text);
        self.show_model(&mut text);
        text
    }

    fn as_json(&self) -> String {
        let certified = |(goal, certified): &(Goal, Result<Certified, NotCertifiable>)| {
            let mut object = json!({
                "precision": goal.precision().as_f64(),
                "confidence": goal.confidence().as_f64(),
            });
            match certified {
                Ok(certified) => {
                    object["threshold"] = certified.threshold.as_f64().into();
                    object["share"] = certified.share.as_f64().into();
                    if let Some(test) = &self.test {
                        let (share, precision) = test.under(certified.threshold);
                        object["test"] = json!({ "share": share, "precision": precision });
                    }
                }
                Err(refused) => object["refused"] = refused.to_string().into(),
            }
            object
        };
        let mut heldout = self.measured(&self.heldout);
        heldout["ece_before_temperature"] = self.raw.ece.into();
        let object = json!({
            "id": self.id,
            "version": self.version,
            "folder": self.folder,
            "rows": self.rows,
            "labels": self.labels.len(),
            "duplicates": self.findings.duplicates,
            "contradictions": self.findings.contradictions.len(),
            "dropped_labels": self.findings.dropped_labels.iter().map(|(label, _)| label).collect::<Vec<_>>(),
            "dropped_texts": self.findings.dropped_texts,
            "heldout": heldout,
            "test": self.test.as_ref().map(|test| self.measured(&test.measured)),
            "temperature": self.temperature,
            "strength": self.strength,
            "emphasis": self.emphasis,
            "out_of_scope": self.scope_as_json(),
            "certified": self.certified.iter().map(certified).collect::<Vec<_>>(),
            "model_bytes": self.bytes,
            "buckets": self.buckets,
            "score_us": { "p50": self.score_time.p50_us, "p99": self.score_time.p99_us },
            "seconds": self.seconds,
        });
        serde_json::to_string_pretty(&object).unwrap_or_default()
    }
}

// === for people ===

impl Report {
    fn show_rows(&self, text: &mut String) {
        let (rows, labels) = (counted(self.rows, "row"), counted(self.labels.len(), "label"));
        let least = self.counts.iter().min().copied().unwrap_or_default();
        let most = self.counts.iter().max().copied().unwrap_or_default();
        let _ = writeln!(text, "{rows} of {labels}, {} to {} of each", grouped(least as u64), grouped(most as u64));
        let Findings { dropped_labels, dropped_texts, duplicates, contradictions } = &self.findings;
        if !dropped_labels.is_empty() {
            let named: Vec<String> = dropped_labels.iter().map(|(label, rows)| format!("{label} ({rows})")).collect();
            let _ = writeln!(text, "left out, with too few rows: {}", named.join(", "));
        }
        if *dropped_texts > 0 {
            let _ = writeln!(text, "left out, without a letter or a digit: {}", counted(*dropped_texts, "text"));
        }
        if *duplicates > 0 {
            let rows = counted(*duplicates, "row");
            let _ = writeln!(
                text,
                "{rows} the same as an earlier one of its label; the calibration set has such rows once"
            );
        }
        if !contradictions.is_empty() {
            let _ =
                writeln!(text, "{} the same as an earlier one of another label:", counted(contradictions.len(), "row"));
        }
        for contradiction in contradictions.iter().take(CONTRADICTIONS_MAX) {
            let ((first, one), (second, other)) = (&contradiction.first, &contradiction.second);
            let _ = writeln!(text, "  line {first} is `{one}`, line {second} is `{other}`");
        }
    }

    fn show_quality(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n{:<10} {:>8} {:>10} {:>10} {:>18}",
            "", "rows", "accuracy", "macro-F1", "calibration error"
        );
        let mut line = |name: &str, rows: usize, quality: &Quality, before: Option<f64>| {
            let before = before.map_or_else(String::new, |ece| format!("{ece:.4} -> "));
            let ece = format!("{before}{:.4}", quality.ece);
            let (accuracy, f1, rows) = (percent(quality.accuracy), percent(quality.macro_f1), grouped(rows as u64));
            let _ = writeln!(text, "{name:<10} {rows:>8} {accuracy:>10} {f1:>10} {ece:>18}");
        };
        line("held out", self.heldout.judgements.len(), &self.heldout.quality, Some(self.raw.ece));
        if let Some(test) = &self.test {
            line("test", test.measured.judgements.len(), &test.measured.quality, None);
        }
        let _ = writeln!(
            text,
            "Each held-out row was told by a model that did not see it. Temperature {:.3}.",
            self.temperature
        );
        if let Some(unknown) = self.test.as_ref().map(|test| test.measured.unknown()).filter(|unknown| *unknown > 0) {
            let _ =
                writeln!(text, "{} of the test have a label that the model does not know.", counted(unknown, "row"));
        }
    }

    fn show_confusions(&self, text: &mut String) {
        let confusions = worst_confusions(&self.heldout.judgements, CONFUSIONS_MAX);
        if confusions.is_empty() {
            return;
        }
        let _ = writeln!(text, "\nmost often taken for another");
        for confusion in confusions {
            let label = |at: u16| self.labels.get(usize::from(at)).map_or("", String::as_str);
            let (truth, told) = (label(confusion.truth), label(confusion.told));
            let _ = writeln!(text, "  {:>4} of {:<4} `{truth}` for `{told}`", confusion.count, confusion.rows);
        }
    }

    fn show_coverage(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\nif only the surest are told (held out)\n  {:>8} {:>10} {:>10}",
            "share", "precision", "threshold"
        );
        for Coverage { share, threshold, precision } in self.heldout.coverage() {
            let threshold = format!("{:.3}", threshold.as_f64());
            let (share, precision) = (share.percent().to_string(), precision.percent().to_string());
            let _ = writeln!(text, "  {share:>8} {precision:>10} {threshold:>10}");
        }
    }

    fn show_certified(&self, text: &mut String) {
        let _ = writeln!(text, "\ncertified on the held-out rows");
        for (goal, certified) in &self.certified {
            let goal =
                format!("precision {} at confidence {}", goal.precision().percent(), goal.confidence().percent());
            let Ok(certified) = certified else {
                let reason = certified.as_ref().err().map(ToString::to_string).unwrap_or_default();
                let _ = writeln!(text, "  {goal}: {reason}");
                continue;
            };
            let (threshold, share) = (certified.threshold, certified.share.percent());
            let _ = write!(text, "  {goal}: accept from {:.3}, {share} of the rows", threshold.as_f64());
            if let Some(test) = &self.test {
                let (share, precision) = test.under(threshold);
                let _ = write!(text, "; of the test {}, {} of them right", percent(share), percent(precision));
            }
            text.push('\n');
        }
    }

    fn show_model(&self, text: &mut String) {
        text.push('\n');
        match &self.scope {
            Scope::Off => {}
            Scope::Label(label) => {
                let _ = writeln!(text, "out of scope is what is told as `{label}`");
            }
            Scope::Below { threshold, texts } => {
                let (recall, lost) = (threshold.recall.percent(), threshold.lost.percent());
                let texts = counted(*texts, "text");
                let _ = writeln!(
                    text,
                    "out of scope is what scores below {:.3}: {recall} of {texts} found, {lost} of the rows in scope lost",
                    threshold.below
                );
            }
        }
        let ScoreTime { p50_us, p99_us } = self.score_time;
        let buckets = self.buckets.map_or_else(String::new, |buckets| format!(", {} buckets", grouped(buckets as u64)));
        let size = format!("{:.1} MiB{buckets}", self.bytes as f64 / f64::from(1 << 20));
        let _ = writeln!(
            text,
            "`{}` version {} is in {}: {size}; a score takes {p50_us:.1} us (p50), {p99_us:.1} us (p99); trained in {:.1} s",
            self.id, self.version, self.folder, self.seconds
        );
        if !self.has_purpose {
            let _ =
                writeln!(text, "No purpose was named: say with --purpose what the data's subjects have consented to.");
        }
    }
}

// === for programs ===

impl Report {
    fn measured(&self, measured: &Measured) -> Value {
        let Quality { accuracy, macro_f1, ece } = measured.quality;
        let label = |at: u16| self.labels.get(usize::from(at));
        let confusions = worst_confusions(&measured.judgements, CONFUSIONS_MAX);
        let confusions = confusions.iter().map(|confusion| {
            json!({ "label": label(confusion.truth), "told": label(confusion.told), "count": confusion.count, "rows": confusion.rows })
        });
        let coverage = measured.coverage().into_iter().map(|Coverage { share, threshold, precision }| {
            json!({ "share": share.as_f64(), "threshold": threshold.as_f64(), "precision": precision.as_f64() })
        });
        json!({
            "rows": measured.judgements.len(),
            "rows_of_unknown_labels": measured.unknown(),
            "accuracy": accuracy,
            "macro_f1": macro_f1,
            "ece": ece,
            "confusions": confusions.collect::<Vec<_>>(),
            "coverage": coverage.collect::<Vec<_>>(),
        })
    }

    fn scope_as_json(&self) -> Value {
        match &self.scope {
            Scope::Off => Value::Null,
            Scope::Label(label) => json!({ "label": label }),
            Scope::Below { threshold, texts } => json!({
                "below": threshold.below,
                "texts": texts,
                "recall": threshold.recall.as_f64(),
                "lost": threshold.lost.as_f64(),
                "separation": threshold.separation.as_f64(),
            }),
        }
    }
}
