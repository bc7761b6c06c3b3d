//! What a model folder says of its model.

use std::fmt::Write as _;

use super::target::Named;
use crate::domain::Timestamp;
use crate::inference::Quality;

/// How every manifest begins: what the model is, its file, who answers for it and what it tells apart.
#[derive(Debug)]
pub(in crate::cli) struct Head<'a> {
    pub(in crate::cli) named: &'a Named,
    pub(in crate::cli) kind: &'a str,
    /// The model's own file.
    pub(in crate::cli) file: &'a str,
    pub(in crate::cli) sha256: &'a str,
    /// Of the calibration set, if there is one.
    pub(in crate::cli) calibration_sha256: Option<&'a str>,
    pub(in crate::cli) owner: &'a str,
    pub(in crate::cli) created: Timestamp,
    pub(in crate::cli) purposes: &'a [String],
    /// None of a regressor, which has no temperature either.
    pub(in crate::cli) labels: &'a [String],
    pub(in crate::cli) temperature: f32,
}

/// The fields of a manifest.
#[derive(Debug)]
pub(super) struct Manifest<'a> {
    pub(super) head: Head<'a>,
    /// What each further file is for, its name and its hash.
    pub(super) files: &'a [(&'a str, &'a str, String)],
    pub(super) out_of_scope: Option<OutOfScope>,
    pub(super) data_sha256: String,
    pub(super) rows: usize,
    pub(super) days: Option<(String, String)>,
    pub(super) quality: Quality,
}

/// How the model tells that a text is out of its scope.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum OutOfScope {
    Below(f32),
    Label(String),
}

impl Head<'_> {
    /// The first lines of `manifest.toml`.
    pub(in crate::cli) fn text(&self) -> String {
        let mut text = String::new();
        let mut put = |key, value: String| put(&mut text, key, &value);
        put("id", quoted(&self.named.id));
        put("version", self.named.version.to_string());
        put("kind", quoted(self.kind));
        put("file", quoted(self.file));
        put("sha256", quoted(self.sha256));
        if let Some(sha256) = self.calibration_sha256 {
            put("calibration_sha256", quoted(sha256));
        }
        put("owner", quoted(self.owner));
        // A quarter of a second tells nothing of a model.
        put("created", quoted(&Timestamp::from_micros(self.created.micros() / 1_000_000 * 1_000_000).to_string()));
        put("consent_scope", list(self.purposes));
        if !self.labels.is_empty() {
            put("labels", list(self.labels));
            put("temperature", float(self.temperature));
        }
        text
    }
}

impl Manifest<'_> {
    /// The text of `manifest.toml`.
    pub(super) fn text(&self) -> String {
        let mut text = self.head.text();
        match &self.out_of_scope {
            None => {}
            Some(OutOfScope::Below(score)) => {
                put(&mut text, "out_of_scope", &format!("{{ below = {} }}", float(*score)));
            }
            Some(OutOfScope::Label(label)) => {
                put(&mut text, "out_of_scope", &format!("{{ label = {} }}", quoted(label)));
            }
        }
        let unknown = || "unknown".to_owned();
        let (from, until) = self.days.clone().unwrap_or_else(|| (unknown(), unknown()));
        let (data, rows, Quality { accuracy, macro_f1, ece }) = (&self.data_sha256, self.rows, self.quality);
        let _ = write!(
            text,
            "\n[training]\ndata_sha256 = {}\nrows        = {rows}\nfrom        = {}\nuntil       = {}\n\n\
             [metrics]\naccuracy = {accuracy:.4}\nmacro_f1 = {macro_f1:.4}\nece      = {ece:.4}\n",
            quoted(data),
            quoted(&from),
            quoted(&until),
        );
        for (role, file, sha256) in self.files {
            let _ = write!(text, "\n[files.{role}]\nfile   = {}\nsha256 = {}\n", quoted(file), quoted(sha256));
        }
        text
    }
}

fn put(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key:<18} = {value}");
}

/// A number that reads back as the same: the shortest text that does.
fn float(number: f32) -> String {
    format!("{number:?}")
}

pub(in crate::cli) fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    if quoted.iter().map(String::len).sum::<usize>() < 80 {
        return format!("[{}]", quoted.join(", "));
    }
    format!("[\n    {},\n]", quoted.join(",\n    "))
}

/// A basic string of TOML, which escapes as JSON does, and the one control character that JSON leaves.
pub(in crate::cli) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7F}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Document, FaultSink};

    #[test]
    fn the_manifest_that_people_read() {
        let named = Named { id: "intent".to_owned(), version: 3 };
        let labels = ["billing", "cards", "\"quoted\" \\ \u{7F}é\n"].map(str::to_owned);
        let manifest = |out_of_scope, purposes: &[String]| {
            Manifest {
                head: Head {
                    named: &named,
                    kind: "text",
                    file: "model.bin",
                    sha256: &"ab".repeat(32),
                    calibration_sha256: Some(&"ef".repeat(32)),
                    owner: "support",
                    created: "2026-11-23T10:00:00.25Z".parse().unwrap(),
                    purposes,
                    labels: &labels,
                    temperature: 0.685_718_1,
                },
                files: &[],
                out_of_scope,
                data_sha256: "cd".repeat(32),
                rows: 10_003,
                days: Some(("2026-01-01".to_owned(), "2026-10-31".to_owned())),
                quality: Quality { accuracy: 0.903_329, macro_f1: 0.902_651, ece: 0.011_134 },
            }
            .text()
        };
        let below = manifest(Some(OutOfScope::Below(-1.0)), &["service".to_owned()]);
        let label = manifest(Some(OutOfScope::Label("other".to_owned())), &[]);
        for text in [&below, &label] {
            let sink = FaultSink::default();
            let document = Document::parse("manifest.toml", text, &sink);
            let root = document.root();
            assert_eq!(root.get("owner").and_then(|node| node.text()), Some("support"));
            assert_eq!(sink.len(), 0, "{}", sink.into_faults());
        }
        insta::assert_snapshot!(below + "\n" + &label);
    }
}
