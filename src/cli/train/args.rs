//! Options of `train`.

use std::path::{Path, PathBuf};

use super::super::args::Format;

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  forthwith train --data tickets.csv --text subject --text body --label queue --out config/models/intent-1
  forthwith train --data train.csv --text text --label category --test test.csv --out config/models/intent-2 --owner support
  forthwith train --data tickets.jsonl --text data.subject --text data.body --label queue --time time --purpose service \\
      --out-of-scope small-talk.jsonl --out config/models/intent-3 --replace
  forthwith train --data tickets.csv --text subject --text body --label queue --encoder minilm/ --out config/models/meaning-1";

/// Options of `train`.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Train {
    /// Labelled texts: one JSON object a line, or CSV with a header
    #[arg(long, value_name = "FILE")]
    pub(super) data: PathBuf,

    /// A column with a text; may be given several times, for subject and body, say. `data.subject` is a key inside `data`
    #[arg(long, value_name = "COLUMN", required = true)]
    pub(super) text: Vec<String>,

    /// The column with the label
    #[arg(long, value_name = "COLUMN")]
    pub(super) label: String,

    /// The model's folder; `intent-3` is version 3 of the model `intent`
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,

    /// A folder with a sentence encoder, `model.onnx` and `tokenizer.json`, over whose embeddings a head is trained: a neural
    /// model instead of a text model. The encoder is copied beside the head
    #[arg(long, value_name = "DIR")]
    pub(super) encoder: Option<PathBuf>,

    /// The shared library of onnxruntime, for `--encoder` [default: the environment variable ORT_DYLIB_PATH]
    #[arg(long, value_name = "FILE", requires = "encoder")]
    pub(super) onnxruntime: Option<PathBuf>,

    /// Labelled texts that are only for measuring the finished model
    #[arg(long, value_name = "FILE")]
    pub(super) test: Option<PathBuf>,

    /// Texts that are none of the labels: what the model should leave to others
    #[arg(long, value_name = "FILE", conflicts_with = "out_of_scope_label")]
    pub(super) out_of_scope: Option<PathBuf>,

    /// The label, among those of the data, that means none of the others
    #[arg(long, value_name = "LABEL")]
    pub(super) out_of_scope_label: Option<String>,

    /// The column with each row's date or time, for the range that the manifest states
    #[arg(long, value_name = "COLUMN")]
    pub(super) time: Option<String>,

    /// The model's name [default: from the folder's]
    #[arg(long, value_name = "ID")]
    pub(super) id: Option<String>,

    /// Its version [default: from the folder's name, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) version: Option<u32>,

    /// Who answers for it
    #[arg(long, value_name = "NAME", default_value = "unknown")]
    pub(super) owner: String,

    /// A purpose that the data's subjects have consented to; may be given several times [default: none]
    #[arg(long, value_name = "NAME")]
    pub(super) purpose: Vec<String>,

    /// The least accuracy on rows held out, 0 to 1 [default: clearly better than the most frequent label]
    #[arg(long, value_name = "X", value_parser = share)]
    pub(super) accuracy_min: Option<f64>,

    /// The fewest rows that a label may have
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_two)]
    pub(super) labels_min: usize,

    /// Leave out labels that have fewer rows than that, instead of refusing
    #[arg(long)]
    pub(super) drop_rare: bool,

    /// Leave out texts without a letter or a digit, instead of refusing
    #[arg(long)]
    pub(super) skip_empty: bool,

    /// Of every choice of chance: the same data and seed give the same model
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,

    /// How the files are written [default: by their endings, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<Format>,

    /// Replace the model that is in the folder
    #[arg(long)]
    pub(super) replace: bool,

    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(in crate::cli) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share between 0 and 1, such as 0.85".to_owned()),
    }
}

fn at_least_two(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rows) if rows >= 2 => Ok(rows),
        _ => Err("expected at least 2: one row to learn from and one to judge by".to_owned()),
    }
}

/// Bytes that a model's name may have, as manifests are read.
const ID_BYTES_MAX: usize = 64;

/// A model's name and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Named {
    pub(in crate::cli) id: String,
    pub(in crate::cli) version: u32,
}

impl Train {
    /// Name and version, as given or as the folder's name says.
    pub(super) fn named(&self) -> Result<Named, String> {
        Named::of(&self.out, self.id.as_deref(), self.version)
    }
}

impl Named {
    /// Name and version, as given or as the folder's name says.
    pub(in crate::cli) fn of(out: &Path, id: Option<&str>, version: Option<u32>) -> Result<Self, String> {
        let folder = folder_name(out)?;
        let (stem, number) = match folder.rsplit_once('-') {
            Some((stem, number)) => (stem, number.parse().ok().filter(|number| *number > 0)),
            None => (folder, None),
        };
        let (stem, number) = if number.is_some() && !stem.is_empty() { (stem, number) } else { (folder, None) };
        let id = id.unwrap_or(stem).to_owned();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.chars().all(is_plain) {
            return Err(format!(
                "the model's name `{id}` may have letters, digits, `_`, `-` and `.`, at most {ID_BYTES_MAX}; name one with `--id`"
            ));
        }
        Ok(Self { id, version: version.or(number).unwrap_or(1) })
    }
}

fn folder_name(out: &Path) -> Result<&str, String> {
    let name = out.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| {
        format!("`--out {}` names no folder; expected one such as config/models/intent-1", out.display())
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        train: Train,
    }

    fn named(out: &str, more: &[&str]) -> Result<(String, u32), String> {
        let line = ["train", "--data", "d.csv", "--text", "text", "--label", "label", "--out", out];
        let train = Line::parse_from(line.iter().chain(more)).train;
        train.named().map(|named| (named.id, named.version))
    }

    #[test]
    fn a_folder_names_model_and_version() {
        let expected = |id: &str, version| Ok((id.to_owned(), version));
        assert_eq!(named("config/models/intent-3", &[]), expected("intent", 3));
        assert_eq!(named("models/intent", &[]), expected("intent", 1));
        assert_eq!(named("models/second-line", &[]), expected("second-line", 1));
        assert_eq!(named("models/intent-0", &[]), expected("intent-0", 1));
        assert_eq!(named("intent-3/", &["--version", "4"]), expected("intent", 4));
        assert_eq!(named("intent-3", &["--id", "route", "--version", "4"]), expected("route", 4));
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        assert!(named("..", &[]).unwrap_err().contains("names no folder"));
        assert!(named("mein modell", &[]).unwrap_err().contains("`mein modell`"));
    }
}
