//! Options of `adopt`.

use std::path::PathBuf;

use super::super::train::{Target, share};

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  forthwith adopt --model churn.onnx --data held-out.csv --label churned --out config/models/churn-1 --owner retention
  forthwith adopt --model risk.onnx --data held-out.csv --label outcome --labels repaid,defaulted --features age,income,arrears \\
      --trained-on training.csv --purpose credit --out config/models/risk-4
  forthwith adopt --model price.onnx --data sales.jsonl --features size,rooms,city --one-of city=bern,basel --label price \\
      --out config/models/price-2 --replace";

/// Options of `adopt`.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Adopt {
    /// The model: an ONNX file as scikit-learn, LightGBM and XGBoost export it
    #[arg(long, value_name = "FILE")]
    pub(super) model: PathBuf,

    /// Labelled rows that the model was not trained on: one JSON object a line, or CSV with a header
    #[arg(long, value_name = "FILE")]
    pub(super) data: PathBuf,

    /// The column with the true label or value
    #[arg(long, value_name = "COLUMN")]
    pub(super) label: String,

    /// The columns in the order of the model's inputs [default: the names of its inputs, else all columns of the CSV file in
    /// their order]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(super) features: Vec<String>,

    /// A feature that is a text: the model takes its position in this list, counted from 0; may be given several times
    #[arg(long, value_name = "COLUMN=A,B,...", value_parser = one_of)]
    pub(super) one_of: Vec<OneOf>,

    /// Names for the model's labels, in the order of its outputs [default: as the file has them]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) labels: Vec<String>,

    #[command(flatten)]
    pub(super) target: Target,

    /// What the model was trained on, for the manifest: one row a line, with a header if it is CSV
    #[arg(long, value_name = "FILE")]
    pub(super) trained_on: Option<PathBuf>,

    /// The column of `--trained-on`, or else of `--data`, with each row's date or time, for the range that the manifest states
    #[arg(long, value_name = "COLUMN")]
    pub(super) time: Option<String>,

    /// The least accuracy of a classifier, 0 to 1 [default: clearly better than the most frequent label]
    #[arg(long, value_name = "X", value_parser = share)]
    pub(super) accuracy_min: Option<f64>,
}

/// The texts that a feature may be, each standing for its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OneOf {
    pub(super) column: String,
    pub(super) texts: Vec<String>,
}

fn one_of(text: &str) -> Result<OneOf, String> {
    let (column, texts) = text.split_once('=').ok_or("expected COLUMN=A,B,..., such as city=bern,basel")?;
    let texts: Vec<String> = texts.split(',').map(|text| text.trim().to_owned()).collect();
    let is_twice = texts.iter().enumerate().find(|(at, text)| texts[..*at].contains(text)).map(|(_, text)| text);
    match is_twice {
        Some(text) => Err(format!("`{text}` stands twice")),
        None if texts.iter().any(String::is_empty) => Err("one of the texts is empty".to_owned()),
        None => Ok(OneOf { column: column.trim().to_owned(), texts }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_texts_is_read_or_refused() {
        let expected = OneOf { column: "city".to_owned(), texts: vec!["bern".to_owned(), "la chaux".to_owned()] };
        assert_eq!(one_of("city=bern, la chaux"), Ok(expected));
        assert!(one_of("city").unwrap_err().contains("COLUMN=A,B"));
        assert!(one_of("city=a,b,a").unwrap_err().contains("`a` stands twice"));
        assert!(one_of("city=a,").unwrap_err().contains("empty"));
    }
}
