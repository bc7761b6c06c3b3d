//! What a model folder says of a tabular model.

use std::fmt::Write as _;

use super::super::train::{Head, list, quoted};
use super::table::SeenFeature;

/// The fields of a manifest.
#[derive(Debug)]
pub(super) struct Manifest<'a> {
    pub(super) head: Head<'a>,
    pub(super) training: Training,
    pub(super) metrics: &'a [(&'static str, f64)],
    pub(super) features: &'a [SeenFeature],
}

/// What the model was trained on, as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct Training {
    pub(super) sha256: String,
    pub(super) rows: usize,
    pub(super) days: Option<(String, String)>,
    /// Whether it was named; if not, these are the rows it was judged by.
    pub(super) is_named: bool,
}

impl Manifest<'_> {
    /// The text of `manifest.toml`.
    pub(super) fn text(&self) -> String {
        let mut text = self.head.text();
        self.put_training(&mut text);
        text.push_str("\n[metrics]\n");
        for (name, value) in self.metrics {
            let _ = writeln!(text, "{name:<8} = {value:.4}");
        }
        for feature in self.features {
            let _ = write!(
                text,
                "\n[[features]]\nname        = {}\ntype        = {}\nunavailable = {}\n",
                quoted(&feature.name),
                feature.kind(),
                quoted(if feature.missing > 0 { "missing" } else { "refuse" }),
            );
        }
        text
    }

    fn put_training(&self, text: &mut String) {
        let Training { sha256, rows, days, is_named } = &self.training;
        let unknown = || "unknown".to_owned();
        let (from, until) = days.clone().unwrap_or_else(|| (unknown(), unknown()));
        text.push_str("\n[training]\n");
        if !is_named {
            text.push_str(
                "# What it was trained on was not named when it was adopted: these are the rows it was judged by.\n",
            );
        }
        let (sha256, from, until) = (quoted(sha256), quoted(&from), quoted(&until));
        let _ =
            write!(text, "data_sha256 = {sha256}\nrows        = {rows}\nfrom        = {from}\nuntil       = {until}\n");
    }
}

impl SeenFeature {
    /// Its type, as the manifest has it.
    fn kind(&self) -> String {
        if !self.texts.is_empty() {
            return format!("{{ one_of = {} }}", list(&self.texts));
        }
        quoted(if self.bools > 0 { "bool" } else { "number" })
    }
}
