//! Options of `train`.

use std::path::PathBuf;

use super::target::Target;

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

    #[command(flatten)]
    pub(super) target: Target,

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
