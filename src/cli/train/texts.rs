//! Rows of a file as labelled texts.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::args::Format;
use super::super::mapping::Row;
use super::super::output::grouped;
use super::super::rows::Lines;
use super::lines::{RowFaults, each_row, find};
use super::watching::Watching;
use crate::domain::{Raw, suggestion};
use crate::inference::TEXT_BYTES_MAX;
use crate::training::LabelledText;

/// Bytes of text that are kept of a file. Learning takes about 60 bytes of memory for each, some 4 GB for all.
const TEXTS_BYTES_MAX: usize = 64 << 20;

/// Where in a row text, label and time are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<'a> {
    pub(super) texts: &'a [String],
    pub(super) label: Option<&'a str>,
    pub(super) time: Option<&'a str>,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct ReadTexts {
    pub(super) texts: Vec<LabelledText>,
    /// The first and the last day, if there are times.
    pub(super) days: Option<(String, String)>,
}

/// Reads a file; or tells what is wrong with it, each fault with its line and column.
pub(super) fn read(
    path: &Path,
    format: Option<Format>,
    columns: &Columns<'_>,
    watching: &Watching,
) -> Result<ReadTexts, Vec<String>> {
    let name = path.display().to_string();
    let (mut lines, size) = Lines::open(&name, format).map_err(|fault| vec![fault])?;
    let mut reading = Reading::new(name, columns, TEXTS_BYTES_MAX);
    if let Some(headers) = lines.columns() {
        reading.refuse_unknown(headers)?;
    }
    if let Err(fault) = each_row(&mut lines, size, watching, |line, row| reading.take(line, row)) {
        reading.faults.note_of_all(&fault);
    }
    reading.done()
}

struct Reading<'a> {
    columns: &'a Columns<'a>,
    texts: Vec<LabelledText>,
    /// Bytes of text that may still be kept.
    bytes_left: usize,
    bytes_max: usize,
    days: BTreeSet<String>,
    /// Columns that no row has had so far.
    unseen: BTreeSet<&'a str>,
    /// Keys of the first row, to suggest one.
    keys: Vec<String>,
    faults: RowFaults,
}

impl<'a> Reading<'a> {
    fn new(name: String, columns: &'a Columns<'a>, bytes_max: usize) -> Self {
        let unseen = columns.texts.iter().map(String::as_str).chain(columns.label).chain(columns.time).collect();
        Self {
            columns,
            texts: Vec::new(),
            bytes_left: bytes_max,
            bytes_max,
            days: BTreeSet::new(),
            unseen,
            keys: Vec::new(),
            faults: RowFaults::of(name),
        }
    }

    fn refuse_unknown(&self, headers: &[String]) -> Result<(), Vec<String>> {
        let unknown = self.unseen.iter().filter(|column| !headers.iter().any(|header| header == *column));
        let faults: Vec<String> = unknown.map(|column| self.no_column(column, headers)).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn no_column(&self, column: &str, known: &[String]) -> String {
        let hint = suggestion(column, known.iter().map(String::as_str));
        format!("{}: there is no column `{column}`{hint}; it has {}", self.faults.name, known.join(", "))
    }

    fn take(&mut self, line: u64, row: Result<Row, String>) -> Result<(), String> {
        match row.and_then(|row| self.text(line, &row)) {
            Ok(text) => {
                let bytes = text.parts.iter().map(String::len).sum();
                let Some(left) = self.bytes_left.checked_sub(bytes) else { return Err(self.too_large(line)) };
                self.bytes_left = left;
                self.texts.push(text);
            }
            Err(fault) => self.faults.note(line, &fault),
        }
        Ok(())
    }

    fn too_large(&self, line: u64) -> String {
        let max = grouped(self.bytes_max as u64);
        format!(
            "up to line {line} it has more than {max} bytes of text, more than can be learnt from at once: take a sample, or \
             shorten long texts, of which a text model reads {} bytes",
            grouped(TEXT_BYTES_MAX as u64)
        )
    }

    fn text(&mut self, line: u64, row: &Row) -> Result<LabelledText, String> {
        if self.keys.is_empty() {
            self.keys = row.iter().map(|(key, _)| key.clone()).collect();
        }
        self.unseen.retain(|column| find(row, column).is_none());
        let mut parts = Vec::with_capacity(self.columns.texts.len());
        for column in self.columns.texts {
            parts.push(self.cell(row, column)?.unwrap_or_default());
        }
        let label = match self.columns.label {
            None => String::new(),
            Some(column) => {
                let label = self.cell(row, column)?.filter(|label| !label.trim().is_empty());
                let label =
                    label.ok_or_else(|| format!("column `{column}` has no label; label the row or take it out"))?;
                label.trim().to_owned()
            }
        };
        if let Some(column) = self.columns.time
            && let Some(time) = self.cell(row, column)?
        {
            self.days.insert(day(column, &time)?);
        }
        Ok(LabelledText { parts, label, line })
    }

    /// What a column of a row says; `None` if it says nothing.
    fn cell(&self, row: &Row, column: &str) -> Result<Option<String>, String> {
        let Some(value) = find(row, column) else { return Ok(None) };
        match value {
            Raw::Null => Ok(None),
            Raw::Text(text) => Ok(Some(text.clone())),
            Raw::Bool(value) => Ok(Some(value.to_string())),
            Raw::Int(value) => Ok(Some(value.to_string())),
            Raw::Float(value) => Ok(Some(value.to_string())),
            Raw::Decimal(value) => Ok(Some(value.to_string())),
            other => Err(format!("column `{column}` holds {}; expected a text", other.kind())),
        }
    }

    fn done(self) -> Result<ReadTexts, Vec<String>> {
        let mut faults = Vec::new();
        if !self.keys.is_empty() {
            faults.extend(self.unseen.iter().map(|column| self.no_column(column, &self.keys)));
            // Of rows without the column of the labels nothing else can be said than that they have none.
            if self.columns.label.is_some_and(|label| self.unseen.contains(label)) {
                return Err(faults);
            }
        }
        faults.extend(self.faults.done());
        if !faults.is_empty() {
            return Err(faults);
        }
        let days = self.days.first().cloned().zip(self.days.last().cloned());
        Ok(ReadTexts { texts: self.texts, days })
    }
}

/// The day of a date or a time, as it is written.
pub(in crate::cli) fn day(column: &str, time: &str) -> Result<String, String> {
    let day = time.trim().get(..10).unwrap_or_default();
    let is_day = day.is_ascii() && format!("{day}T00:00:00Z").parse::<crate::domain::Timestamp>().is_ok();
    if is_day {
        Ok(day.to_owned())
    } else {
        Err(format!(
            "column `{column}` holds `{time}`; expected a date or a time such as 2026-11-23 or 2026-11-23T10:00:00Z"
        ))
    }
}

/// Refuses what can be read only once: the manifest states the hash of the file.
pub(in crate::cli) fn refuse_stream(path: &Path) -> Result<(), String> {
    let is_stream = path.as_os_str() == "-" || path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
    if !is_stream {
        return Ok(());
    }
    Err(format!(
        "`--data {}` is no file; the manifest states the hash of the data, so write it to a file first",
        path.display()
    ))
}

/// The SHA-256 of a file, as text.
pub(in crate::cli) fn sha256_of(path: &Path) -> Result<String, String> {
    let failed = |e: std::io::Error| format!("cannot read `{}`: {e}", path.display());
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..count]);
    }
}

/// Bytes as text.
pub(in crate::cli) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(name: &str, text: &str, texts: &[&str], time: Option<&str>) -> Result<ReadTexts, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let columns = Columns { texts: &texts, label: Some("label"), time };
        let shown = |faults: Vec<String>| {
            let folder = format!("{}/", folder.path().display());
            faults.iter().map(|fault| fault.replace(&folder, "")).collect()
        };
        read(&path, None, &columns, &Watching::hidden()).map_err(shown)
    }

    #[test]
    fn reads_columns_and_keys_inside_keys() {
        let csv = "subject,body,label,when\nCard,\"lost,\nsince today\",cards,2026-03-01\n,paid twice, billing ,2026-02-01T23:00:00Z\n";
        let found = read_text("t.csv", csv, &["subject", "body"], Some("when")).unwrap();
        assert_eq!(found.texts[0].parts, ["Card", "lost,\nsince today"]);
        assert_eq!(
            (found.texts[1].parts.as_slice(), found.texts[1].line),
            (&[String::new(), "paid twice".to_owned()][..], 4)
        );
        assert_eq!(found.texts[1].label, "billing");
        assert_eq!(found.days, Some(("2026-02-01".to_owned(), "2026-03-01".to_owned())));

        let jsonl = "{\"data\":{\"subject\":\"Card\"},\"label\":3}\n\
            {\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"subject\":\"c\",\"data\":{\"subject\":\"Paid\"},\"label\":\"x\"}\n";
        let faults = read_text("t.jsonl", jsonl, &["data.subject"], None).unwrap_err();
        assert_eq!(faults, ["t.jsonl:2: column `label` has no label; label the row or take it out"]);
        let found = read_text("t.jsonl", jsonl.lines().next().unwrap(), &["data.subject"], None).unwrap();
        assert_eq!((found.texts[0].parts[0].as_str(), found.texts[0].label.as_str()), ("Card", "3"));
    }

    #[test]
    fn more_text_than_can_be_learnt_from_ends_the_reading() {
        let texts = ["text".to_owned()];
        let columns = Columns { texts: &texts, label: Some("label"), time: None };
        let row = |text: &str| Ok(["text", "label"].map(|key| (key.to_owned(), Raw::Text(text.to_owned()))).to_vec());
        let mut reading = Reading::new("t.csv".to_owned(), &columns, 10);
        assert_eq!(reading.take(2, row("eight by")), Ok(()));
        assert_eq!(reading.take(3, row("to")), Ok(()), "just as many as may be");
        let fault = reading.take(4, row("!")).unwrap_err();
        assert!(fault.starts_with("up to line 4 it has more than 10 bytes of text"), "{fault}");
        assert!(fault.ends_with("shorten long texts, of which a text model reads 4,096 bytes"), "{fault}");
    }

    #[test]
    fn what_can_be_read_only_once_is_no_data() {
        assert!(refuse_stream(Path::new("-")).unwrap_err().contains("write it to a file"));
        #[cfg(unix)]
        assert!(refuse_stream(Path::new("/dev/null")).unwrap_err().contains("`--data /dev/null` is no file"));
        assert_eq!(refuse_stream(Path::new("Cargo.toml")), Ok(()));
        assert_eq!(refuse_stream(Path::new("not-there.csv")), Ok(()), "who opens it says so");
    }

    #[test]
    fn tells_all_faults_with_their_places() {
        let told = |name, text, texts: &[&str], time| read_text(name, text, texts, time).unwrap_err().join("\n");
        let no_column = told("t.csv", "txt,lable\na,b\n", &["text"], None);
        let rows = "text,label,when\na,,2026-01-01\nb,x,soon\nc,y\n";
        let rows = told("t.csv", rows, &["text"], Some("when"));
        let kinds = "{\"text\":[\"a\"],\"label\":\"x\"}\n7\n{\"text\":\"b\",\"label\":\"y\"}\n{\"te";
        let kinds = told("t.jsonl", kinds, &["text", "body"], None);
        let no_label = told("t.jsonl", "{\"text\":\"a\",\"lable\":\"x\"}\n{\"text\":\"b\"}\n", &["text"], None);
        assert_eq!(no_label, "t.jsonl: there is no column `label` (did you mean `lable`?); it has text, lable");
        let many = format!("text,label\n{}", "a,\n".repeat(30));
        let many = told("t.csv", &many, &["text"], None);
        insta::assert_snapshot!([no_column, rows, kinds, many].join("\n\n"));
    }
}
