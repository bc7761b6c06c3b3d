//! Rows of a file as features.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::args::Format;
use super::super::mapping::Row;
use super::super::rows::Lines;
use super::super::train::{RowFaults, Watching, day, each_row, find};
use super::args::OneOf;
use crate::domain::{Raw, suggestion};
use crate::training::FeatureRows;

/// Numbers that are kept of a file: 1 GiB.
const NUMBERS_MAX: usize = 1 << 28;

/// Where features, label and time are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<'a> {
    /// The features in the order of the model's inputs; empty: all columns of a CSV file but label and time.
    pub(super) features: &'a [String],
    /// How many features the model takes.
    pub(super) count: usize,
    pub(super) one_of: &'a [OneOf],
    pub(super) label: &'a str,
    pub(super) time: Option<&'a str>,
    /// A column that is no feature though nobody names the features: that of the time, in whichever file it is read.
    pub(super) apart: Option<&'a str>,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) features: Vec<SeenFeature>,
    pub(super) rows: FeatureRows,
    /// The label of each row, as it is written.
    pub(super) labels: Vec<String>,
    /// The first and the last day, if there are times.
    pub(super) days: Option<(String, String)>,
}

/// A feature, and what was seen of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SeenFeature {
    pub(super) name: String,
    /// The texts that it may be, if it is one.
    pub(super) texts: Vec<String>,
    pub(super) bools: usize,
    pub(super) numbers: usize,
    pub(super) missing: usize,
}

/// Reads a file; or tells what is wrong with it, each fault with its line and column.
pub(super) fn read(
    path: &Path,
    format: Option<Format>,
    columns: &Columns<'_>,
    watching: &Watching,
) -> Result<Table, Vec<String>> {
    let name = path.display().to_string();
    let (mut lines, size) = Lines::open(&name, format).map_err(|fault| vec![fault])?;
    let mut reading = Reading::new(name, columns, lines.columns())?;
    if let Err(fault) = each_row(&mut lines, size, watching, |line, row| reading.take(line, row)) {
        reading.faults.note_of_all(&fault);
    }
    reading.done()
}

struct Reading<'a> {
    columns: &'a Columns<'a>,
    table: Table,
    days: BTreeSet<String>,
    faults: RowFaults,
}

impl<'a> Reading<'a> {
    fn new(name: String, columns: &'a Columns<'a>, headers: Option<&[String]>) -> Result<Self, Vec<String>> {
        let names = feature_names(&name, columns, headers)?;
        let mut faults = Vec::new();
        if let Some(headers) = headers {
            let needed = names.iter().map(String::as_str).chain([columns.label]).chain(columns.time);
            faults.extend(needed.filter(|column| !headers.iter().any(|header| header == column)).map(|column| {
                let hint = suggestion(column, headers.iter().map(String::as_str));
                format!("{name}: there is no column `{column}`{hint}; it has {}", headers.join(", "))
            }));
        }
        let stray = columns.one_of.iter().filter(|one_of| !names.contains(&one_of.column));
        faults.extend(stray.map(|one_of| format!("`--one-of {}`: this is not one of the features", one_of.column)));
        if !faults.is_empty() {
            return Err(faults);
        }
        let texts = |name: &String| columns.one_of.iter().find(|one_of| one_of.column == *name);
        let seen = |name: String| SeenFeature {
            texts: texts(&name).map_or_else(Vec::new, |one_of| one_of.texts.clone()),
            name,
            ..SeenFeature::default()
        };
        let rows = FeatureRows { columns: names.len(), ..FeatureRows::default() };
        let features = names.into_iter().map(seen).collect();
        let table = Table { features, rows, labels: Vec::new(), days: None };
        Ok(Self { columns, table, days: BTreeSet::new(), faults: RowFaults::of(name) })
    }

    fn take(&mut self, line: u64, row: Result<Row, String>) -> Result<(), String> {
        let start = self.table.rows.features.len();
        if start >= NUMBERS_MAX {
            return Err(format!("it has more than {NUMBERS_MAX} numbers"));
        }
        if let Err(fault) = row.and_then(|row| self.row(line, &row)) {
            self.table.rows.features.truncate(start);
            self.faults.note(line, &fault);
        }
        Ok(())
    }

    fn row(&mut self, line: u64, row: &Row) -> Result<(), String> {
        for feature in &mut self.table.features {
            let value = feature.value(find(row, &feature.name))?;
            self.table.rows.features.push(value);
        }
        let label = find(row, self.columns.label).and_then(text_of).filter(|label| !label.is_empty());
        let label = label.ok_or_else(|| format!("column `{}` has no label", self.columns.label))?;
        if let Some(column) = self.columns.time
            && let Some(time) = find(row, column).and_then(text_of).filter(|time| !time.is_empty())
        {
            self.days.insert(day(column, &time)?);
        }
        self.table.labels.push(label);
        self.table.rows.lines.push(line);
        Ok(())
    }

    fn done(mut self) -> Result<Table, Vec<String>> {
        let rows = self.table.rows.len();
        let never = self.table.features.iter().filter(|feature| rows > 0 && feature.missing == rows);
        let never: Vec<String> =
            never.map(|feature| format!("{}: column `{}` never has a value", self.faults.name, feature.name)).collect();
        let mut faults = self.faults.done();
        faults.extend(never);
        if !faults.is_empty() {
            return Err(faults);
        }
        self.table.days = self.days.first().cloned().zip(self.days.last().cloned());
        Ok(self.table)
    }
}

/// The features' columns, as many as the model takes.
fn feature_names(name: &str, columns: &Columns<'_>, headers: Option<&[String]>) -> Result<Vec<String>, Vec<String>> {
    let is_feature = |header: &&String| **header != columns.label && Some(header.as_str()) != columns.apart;
    let names: Vec<String> = match (columns.features, headers) {
        ([], None) => {
            let how = "name its features with `--features`, in the order of the model's inputs";
            return Err(vec![format!(
                "{name}: the model takes {} features and does not name them: {how}",
                columns.count
            )]);
        }
        ([], Some(headers)) => headers.iter().filter(is_feature).cloned().collect(),
        (features, _) => features.to_vec(),
    };
    if names.len() != columns.count {
        let given = names.join(", ");
        let (count, how) = (columns.count, "name them in the order of the model's inputs with `--features`");
        return Err(vec![format!(
            "{name}: the model takes {count} features, these are {}: {given}; {how}",
            names.len()
        )]);
    }
    match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        Some((_, twice)) => Err(vec![format!("{name}: the feature `{twice}` stands twice")]),
        None => Ok(names),
    }
}

impl SeenFeature {
    /// A cell as the number that the model takes; NaN if there is nothing in it.
    fn value(&mut self, cell: Option<&Raw>) -> Result<f32, String> {
        let text = cell.and_then(text_of).unwrap_or_default();
        if text.is_empty() || text.eq_ignore_ascii_case("nan") {
            self.missing += 1;
            return Ok(f32::NAN);
        }
        if !self.texts.is_empty() {
            let place = self.texts.iter().position(|known| *known == text);
            let place = place.and_then(|place| u16::try_from(place).ok()).ok_or_else(|| {
                let hint = suggestion(&text, self.texts.iter().map(String::as_str));
                format!("column `{}` holds `{text}`, which `--one-of` does not name{hint}", self.name)
            })?;
            return Ok(f32::from(place));
        }
        if let "true" | "false" | "True" | "False" = text.as_str() {
            self.bools += 1;
            return Ok(f32::from(u8::from(text.eq_ignore_ascii_case("true"))));
        }
        self.numbers += 1;
        let number = text.parse::<f32>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| {
            let how = format!("name its texts in the order of their numbers with `--one-of {}=...`", self.name);
            format!("column `{}` holds `{text}`; expected a number, `true` or `false`; {how}", self.name)
        })
    }
}

fn text_of(value: &Raw) -> Option<String> {
    match value {
        Raw::Text(text) => Some(text.trim().to_owned()),
        Raw::Bool(value) => Some(value.to_string()),
        Raw::Int(value) => Some(value.to_string()),
        Raw::Float(value) => Some(value.to_string()),
        Raw::Decimal(value) => Some(value.to_string()),
        _ => None,
    }
}
