//! Reading events in bulk: JSON lines or CSV, from a file or standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::args::Format;
use super::mapping::Row;
use crate::domain::Raw;
use crate::ingress::CloudEvent;

/// Bytes that one line of input may have.
const LINE_BYTES_MAX: usize = 16 << 20;

/// One line of input.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number, counted from 1.
    pub(super) number: u64,
    /// What it holds, or why it cannot be read.
    pub(super) content: Result<Content, String>,
}

/// What a line holds.
#[derive(Debug)]
pub(super) enum Content {
    /// A CloudEvent.
    Event(Box<CloudEvent>),
    /// Columns, to be mapped.
    Row(Row),
}

/// Hands out lines.
pub(super) struct Lines {
    source: Source,
    /// Bytes read so far.
    read: Arc<AtomicU64>,
}

enum Source {
    Json {
        reader: BufReader<Counted>,
        line: u64,
        buffer: Vec<u8>,
    },
    Csv {
        reader: Box<csv::Reader<BufReader<Counted>>>,
        headers: Vec<String>,
        /// How many lines behind the reader's idea of a record's line is: it stops between `\r` and `\n`.
        behind: u64,
    },
}

/// Counts the bytes that pass.
struct Counted {
    inner: Box<dyn Read>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Lines {
    /// Opens a file, or standard input for `-`. Also returns the file's size, if it has one.
    pub(super) fn open(path: &str, format: Option<Format>) -> Result<(Self, Option<u64>), String> {
        let (inner, size): (Box<dyn Read>, Option<u64>) = if path == "-" {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(path).map_err(|e| format!("cannot open `{path}`: {e}"))?;
            let metadata = file.metadata().map_err(|e| format!("cannot open `{path}`: {e}"))?;
            if metadata.is_dir() {
                return Err(format!("`{path}` is a folder, not a file"));
            }
            (Box::new(file), Some(metadata.len()))
        };
        let format = format.unwrap_or_else(|| match Path::new(path).extension() {
            Some(ending) if ending.eq_ignore_ascii_case("csv") => Format::Csv,
            _ => Format::Jsonl,
        });
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner, read: Arc::clone(&read) };
        let source = match format {
            Format::Jsonl => Source::Json { reader: BufReader::new(counted), line: 0, buffer: Vec::new() },
            Format::Csv => {
                let mut buffered = BufReader::new(counted);
                let beginning = buffered.fill_buf().map_err(|e| format!("cannot read `{path}`: {e}"))?;
                let ends_with_return = |end: usize| end > 0 && beginning[end - 1] == b'\r';
                let behind = u64::from(beginning.iter().position(|b| *b == b'\n').is_some_and(ends_with_return));
                let mut reader = Box::new(csv::ReaderBuilder::new().flexible(true).from_reader(buffered));
                let headers = reader.headers().map_err(|e| format!("`{path}` is not readable as CSV: {e}"))?;
                let headers = headers.iter().map(|h| h.trim_start_matches('\u{feff}').trim().to_owned()).collect();
                Source::Csv { reader, headers, behind }
            }
        };
        Ok((Self { source, read }, size))
    }

    /// The columns of a CSV file.
    pub(super) fn columns(&self) -> Option<&[String]> {
        match &self.source {
            Source::Csv { headers, .. } => Some(headers),
            Source::Json { .. } => None,
        }
    }

    /// Bytes read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The next line; `None` at the end. The error is one of reading, after which there is nothing more.
    pub(super) fn next(&mut self) -> Result<Option<Line>, String> {
        match &mut self.source {
            Source::Json { reader, line, buffer } => next_json(reader, line, buffer),
            Source::Csv { reader, headers, behind } => Ok(next_csv(reader, headers, *behind)),
        }
    }
}

fn next_json(reader: &mut BufReader<Counted>, line: &mut u64, buffer: &mut Vec<u8>) -> Result<Option<Line>, String> {
    loop {
        buffer.clear();
        *line += 1;
        let limit = LINE_BYTES_MAX as u64 + 1;
        let count = reader.by_ref().take(limit).read_until(b'\n', buffer);
        let count = count.map_err(|e| format!("cannot read line {line}: {e}"))?;
        if count == 0 {
            return Ok(None);
        }
        if buffer.len() > LINE_BYTES_MAX {
            return Err(format!("line {line} has more than {LINE_BYTES_MAX} bytes"));
        }
        let text = buffer.trim_ascii();
        if !text.is_empty() {
            return Ok(Some(Line { number: *line, content: json(text) }));
        }
    }
}

/// A CloudEvent, or any other object as a row.
fn json(text: &[u8]) -> Result<Content, String> {
    let not_json = |e: serde_json::Error| format!("not readable as JSON: {e}");
    let raw: Raw = serde_json::from_slice(text).map_err(not_json)?;
    match raw {
        Raw::Map(entries) if entries.iter().any(|(key, _)| key == "specversion") => {
            serde_json::from_slice(text).map(|event| Content::Event(Box::new(event))).map_err(not_json)
        }
        Raw::Map(entries) => Ok(Content::Row(entries)),
        other => Err(format!("expected a JSON object, found {}", other.kind())),
    }
}

fn next_csv(reader: &mut csv::Reader<BufReader<Counted>>, headers: &[String], behind: u64) -> Option<Line> {
    let mut record = csv::StringRecord::new();
    let line = |record: &csv::StringRecord| record.position().map_or(0, csv::Position::line) + behind;
    let (number, content) = match reader.read_record(&mut record) {
        Ok(false) => return None,
        Err(e) => (e.position().map_or(0, csv::Position::line) + behind, Err(format!("not readable as CSV: {e}"))),
        Ok(true) if record.len() != headers.len() => {
            let message = format!("the row has {} cells, the header has {}", record.len(), headers.len());
            (line(&record), Err(message))
        }
        Ok(true) => {
            // An empty cell is no value.
            let cell = |cell: &str| if cell.is_empty() { Raw::Null } else { Raw::Text(cell.to_owned()) };
            let row = headers.iter().cloned().zip(record.iter().map(cell)).collect();
            (line(&record), Ok(Content::Row(row)))
        }
    };
    Some(Line { number, content })
}
