//! The calibration set: what a model said of labelled rows that it was not trained on.
//!
//! It lies beside the model (`calibration.csv`) and is a part of the bundle. Thresholds are certified on it when the bundle is loaded, for
//! the proposals of the playbook that asks, so that one model can serve playbooks that ask for different precision.

use std::fmt::Write as _;

use super::{Probability, Ranked, Score};
use crate::domain::suggestion;

/// The most rows of a calibration set. Certifying 99.9 % needs some thousands; beyond this a set costs time and tells no more.
pub const CALIBRATION_ROWS_MAX: usize = 200_000;

/// The most faults that are told of one file; who has more has one cause for them.
const FAULTS_MAX: usize = 100;

const HEADER: [&str; 3] = ["label", "scope", "scores"];

/// Rows that a model was not trained on, with what it said of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// The rows, in the order of the file.
    pub rows: Vec<CalibrationRow>,
}

/// One labelled row.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationRow {
    /// The true label by its position in the manifest; `None` for a row that is out of the model's scope.
    pub label: Option<u16>,
    /// How much the row is like what the model knows; higher is more.
    pub scope: f32,
    /// What the model said, after temperature.
    pub scores: Ranked,
}

/// What is wrong with a calibration set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalibrationFault {
    /// The line of the file, counted from 1; 0 for the file as a whole.
    pub line: u32,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Calibration {
    /// Reads the text of a `calibration.csv` for a model of these labels.
    ///
    /// # Errors
    /// Every fault with its line; of more than 100 the first 100 and how many there are.
    pub fn parse<L: AsRef<str>>(text: &str, labels: &[L]) -> Result<Self, Vec<CalibrationFault>> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let mut faults = Faults::default();
        if !reader.headers().is_ok_and(|header| header.iter().eq(HEADER)) {
            faults.add(1, format!("the header is not `{}`", HEADER.join(",")));
            return Err(faults.first);
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let line = record.as_ref().map_or_else(csv::Error::position, csv::StringRecord::position);
            let line = line.map_or(0, |position| u32::try_from(position.line()).unwrap_or(u32::MAX));
            if rows.len() == CALIBRATION_ROWS_MAX {
                faults.add(line, format!("more than {CALIBRATION_ROWS_MAX} rows"));
                break;
            }
            match record.map_err(|e| format!("not readable as CSV: {e}")).and_then(|record| read(&record, labels)) {
                Ok(row) => rows.push(row),
                Err(message) => faults.add(line, message),
            }
        }
        if faults.count == 0 { Ok(Self { rows }) } else { Err(faults.told()) }
    }

    /// The text that [`Calibration::parse`] reads back; the same rows give the same bytes.
    ///
    /// # Panics
    /// When a row names a label that is not among these: the rows are then of another model.
    pub fn write<L: AsRef<str>>(&self, labels: &[L]) -> String {
        let mut writer = csv::WriterBuilder::new().flexible(false).from_writer(Vec::new());
        let in_memory = "a text in memory takes everything";
        writer.write_record(HEADER).expect(in_memory);
        let mut scores = String::new();
        for row in &self.rows {
            scores.clear();
            for score in row.scores.scores() {
                let gap = if scores.is_empty() { "" } else { " " };
                write!(scores, "{gap}{}:{}", score.index, score.probability.ppm()).expect(in_memory);
            }
            let label = row.label.map_or("", |label| labels[usize::from(label)].as_ref());
            writer.write_record([label, &row.scope.to_string(), &scores]).expect(in_memory);
        }
        String::from_utf8(writer.into_inner().expect(in_memory)).expect("labels are UTF-8")
    }
}

/// Faults in the order of the file: the first hundred, and how many there are.
#[derive(Default)]
struct Faults {
    first: Vec<CalibrationFault>,
    count: usize,
}

impl Faults {
    fn add(&mut self, line: u32, message: String) {
        self.count += 1;
        if self.first.len() < FAULTS_MAX {
            self.first.push(CalibrationFault { line, message });
        }
    }

    fn told(mut self) -> Vec<CalibrationFault> {
        if let more @ 1.. = self.count - self.first.len() {
            self.first.push(CalibrationFault { line: 0, message: format!("{more} more faults like these") });
        }
        self.first
    }
}

fn read<L: AsRef<str>>(record: &csv::StringRecord, labels: &[L]) -> Result<CalibrationRow, String> {
    let [label, scope, scores] = [0, 1, 2].map(|column| record.get(column).unwrap_or_default());
    if record.len() != HEADER.len() {
        return Err(format!("{} columns, but there are 3: `{}`", record.len(), HEADER.join(",")));
    }
    let label = match label {
        "" => None,
        text => Some(position_of(text, labels)?),
    };
    let scope = scope.parse::<f32>().ok().filter(|scope| scope.is_finite());
    let scope = scope.ok_or_else(|| format!("the scope score `{}` is not a decimal", &record[1]))?;
    let scores = scores.split(' ').filter(|part| !part.is_empty()).map(|part| read_score(part, labels.len()));
    let scores: Vec<Score> = scores.collect::<Result<_, _>>()?;
    let scores = Ranked::from_scores(&scores).map_err(|wrong| format!("`{}` has {wrong}", &record[2]))?;
    Ok(CalibrationRow { label, scope, scores })
}

fn position_of<L: AsRef<str>>(text: &str, labels: &[L]) -> Result<u16, String> {
    let position = labels.iter().position(|label| label.as_ref() == text);
    position.and_then(|position| u16::try_from(position).ok()).ok_or_else(|| {
        let suggestion = suggestion(text, labels.iter().map(AsRef::as_ref));
        format!("`{text}` is not a label of this model{suggestion}")
    })
}

fn read_score(part: &str, labels: usize) -> Result<Score, String> {
    let score = part.split_once(':').and_then(|(index, ppm)| {
        let probability = Probability::from_ppm(ppm.parse().ok()?).ok()?;
        Some(Score { index: index.parse().ok()?, probability })
    });
    match score {
        None => Err(format!("`{part}` is not a score such as `12:934217`, a label's position and parts per million")),
        Some(Score { index, .. }) if usize::from(index) >= labels => {
            Err(format!("`{part}` names position {index}, but the model has {labels} labels, counted from 0"))
        }
        Some(score) => Ok(score),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LABELS: [&str; 4] = ["cards", "billing", "how, \"much\"", "naïve\nlabel"];

    fn row() -> impl Strategy<Value = CalibrationRow> {
        let scope = any::<f32>().prop_filter("finite", |scope| scope.is_finite());
        let weights = prop::collection::vec(0.001f32..1.0, LABELS.len());
        (prop::option::of(0..LABELS.len() as u16), scope, weights).prop_map(|(label, scope, weights)| {
            let sum: f32 = weights.iter().sum();
            let probabilities: Vec<f32> = weights.iter().map(|weight| weight / sum).collect();
            CalibrationRow { label, scope, scores: Ranked::of(&probabilities) }
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(rows in prop::collection::vec(row(), 0..20)) {
            let calibration = Calibration { rows };
            let text = calibration.write(&LABELS);
            prop_assert_eq!(Calibration::parse(&text, &LABELS), Ok(calibration));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(label,scope,scores\n)?(.|\n|[,:0-9a]){0,80}") {
            let _ = Calibration::parse(&text, &LABELS);
        }
    }

    #[test]
    fn the_text_is_plain() {
        let rows = vec![
            CalibrationRow { label: Some(1), scope: 0.5, scores: Ranked::of(&[0.25, 0.75]) },
            CalibrationRow { label: None, scope: 0.125, scores: Ranked::of(&[0.5, 0.5]) },
        ];
        let text = Calibration { rows }.write(&LABELS);
        assert_eq!(text, "label,scope,scores\nbilling,0.5,1:750000 0:250000\n,0.125,0:500000 1:500000\n");
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = "label,scope,scores\n\
            cards,0.9,0:900000 1:100000\n\
            card,0.9,0:900000\n\
            cards,high,0:900000\n\
            cards,NaN,0:900000\n\
            cards,0.9,\n\
            cards,0.9,0:900000 4:100\n\
            cards,0.9,0:900000 1\n\
            cards,0.9,0:1000001\n\
            cards,0.9,1:100000 0:900000\n\
            cards,0.9,0:400000 0:300000\n\
            cards,0.9,0:900000 1:800000\n\
            cards,0.9\n";
        let told: Vec<String> = Calibration::parse(text, &LABELS)
            .unwrap_err()
            .iter()
            .map(|fault| format!("{}: {}", fault.line, fault.message))
            .collect();
        insta::assert_snapshot!(told.join("\n"));
        let header = Calibration::parse("label,scores\n", &LABELS).unwrap_err();
        assert_eq!(header[0].message, "the header is not `label,scope,scores`");
    }

    #[test]
    fn faults_and_rows_are_bounded() {
        let mut text = "label,scope,scores\n".to_owned();
        text.push_str(&"x,0,0:1\n".repeat(250));
        let faults = Calibration::parse(&text, &LABELS).unwrap_err();
        assert_eq!(faults.len(), 101);
        assert_eq!(faults[100].message, "150 more faults like these");
        let mut text = "label,scope,scores\n".to_owned();
        text.push_str(&"cards,0,0:1\n".repeat(CALIBRATION_ROWS_MAX + 1));
        let faults = Calibration::parse(&text, &LABELS).unwrap_err();
        assert_eq!(faults, [CalibrationFault { line: 200_002, message: "more than 200000 rows".to_owned() }]);
    }
}
