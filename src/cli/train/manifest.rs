//! What a model folder says of its model.

use std::fmt::Write as _;

use super::args::Named;
use crate::domain::Timestamp;
use crate::inference::Quality;

/// The fields of a manifest.
#[derive(Debug)]
pub(super) struct Manifest<'a> {
    pub(super) named: &'a Named,
    pub(super) kind: &'a str,
    /// What each file is for, its name and its hash; the model's own first.
    pub(super) files: Vec<(&'a str, &'a str, String)>,
    pub(super) owner: &'a str,
    pub(super) created: Timestamp,
    pub(super) purposes: &'a [String],
    pub(super) labels: &'a [String],
    pub(super) temperature: f32,
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

impl Manifest<'_> {
    /// The text of `manifest.toml`.
    pub(super) fn text(&self) -> String {
        let Named { id, version } = self.named;
        let mut text = String::new();
        let mut put = |key: &str, value: String| {
            let _ = writeln!(text, "{key:<13} = {value}");
        };
        put("id", quoted(id));
        put("version", version.to_string());
        put("kind", quoted(self.kind));
        if let Some((_, file, sha256)) = self.files.first() {
            put("file", quoted(file));
            put("sha256", quoted(sha256));
        }
        put("owner", quoted(self.owner));
        // A quarter of a second tells nothing of a model.
        put("created", quoted(&Timestamp::from_micros(self.created.micros() / 1_000_000 * 1_000_000).to_string()));
        put("consent_scope", list(self.purposes));
        put("labels", list(self.labels));
        put("temperature", float(self.temperature));
        match &self.out_of_scope {
            None => {}
            Some(OutOfScope::Below(score)) => put("out_of_scope", format!("{{ below = {} }}", float(*score))),
            Some(OutOfScope::Label(label)) => put("out_of_scope", format!("{{ label = {} }}", quoted(label))),
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
        for (role, file, sha256) in self.files.iter().skip(1) {
            let _ = write!(text, "\n[files.{role}]\nfile   = {}\nsha256 = {}\n", quoted(file), quoted(sha256));
        }
        text
    }
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
                named: &named,
                kind: "text",
                files: vec![("file", "model.bin", "ab".repeat(32))],
                owner: "support",
                created: "2026-11-23T10:00:00.25Z".parse().unwrap(),
                purposes,
                labels: &labels,
                temperature: 0.685_718_1,
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
