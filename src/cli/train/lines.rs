//! The rows of a file, one after the other, and what is wrong with them.

use super::super::mapping::Row;
use super::super::rows::{Content, Lines};
use super::watching::Watching;
use crate::domain::Raw;

/// Faults of a file that are told; who has more has one cause for them.
const FAULTS_MAX: usize = 20;

/// What is wrong with a file's rows: the first faults by their lines, and how many more there are.
#[derive(Debug)]
pub(in crate::cli) struct RowFaults {
    /// The file's name.
    pub(in crate::cli) name: String,
    told: Vec<String>,
    further: usize,
}

impl RowFaults {
    /// Of a file in which nothing was found yet.
    pub(in crate::cli) fn of(name: String) -> Self {
        Self { name, told: Vec::new(), further: 0 }
    }

    /// Notes a fault of one row.
    pub(in crate::cli) fn note(&mut self, line: u64, fault: &str) {
        if self.told.len() < FAULTS_MAX {
            self.told.push(format!("{}:{line}: {fault}", self.name));
        } else {
            self.further += 1;
        }
    }

    /// Notes a fault that is of the file and of no row; it is always told.
    pub(in crate::cli) fn note_of_all(&mut self, fault: &str) {
        self.told.push(format!("{}: {fault}", self.name));
    }

    /// Everything that is told, in the order in which it was found.
    pub(in crate::cli) fn done(mut self) -> Vec<String> {
        if self.further > 0 {
            self.told.push(format!("{}: {} more faults like these", self.name, self.further));
        }
        self.told
    }
}

/// Hands out every row of a file with its line, or why the line is none. What `take` gives as an error ends the reading, as a file that
/// cannot be read any further does.
pub(in crate::cli) fn each_row(
    lines: &mut Lines,
    size: Option<u64>,
    watching: &Watching,
    mut take: impl FnMut(u64, Result<Row, String>) -> Result<(), String>,
) -> Result<(), String> {
    watching.reading(size);
    while let Some(line) = lines.next()? {
        take(line.number, line.content.and_then(row_of))?;
        watching.read(lines.bytes_read());
    }
    Ok(())
}

/// An event as a row: its attributes under their CloudEvents names, what it carries under `data`.
fn row_of(content: Content) -> Result<Row, String> {
    let event = match content {
        Content::Row(row) => return Ok(row),
        Content::Event(event) => event.into_event().map(|arrived| arrived.event),
    };
    let event = event.map_err(|faults| faults.into_iter().map(|fault| fault.detail).collect::<Vec<_>>().join("; "))?;
    let time = event.time.map_or(Raw::Null, |time| Raw::Text(time.to_string()));
    let text = |key: &str, value: String| (key.to_owned(), Raw::Text(value));
    Ok(vec![
        text("id", event.id),
        text("source", event.source),
        text("type", event.kind),
        text("subject", event.customer),
        ("time".to_owned(), time),
        ("data".to_owned(), Raw::Map(event.data)),
    ])
}

/// A column by its name, or by keys inside keys: `data.subject`.
pub(in crate::cli) fn find<'r>(row: &'r [(String, Raw)], column: &str) -> Option<&'r Raw> {
    if let Some((_, value)) = row.iter().find(|(key, _)| key == column) {
        return Some(value);
    }
    column.match_indices('.').find_map(|(at, _)| {
        let Some((_, Raw::Map(inner))) = row.iter().find(|(key, _)| *key == column[..at]) else { return None };
        find(inner, &column[at + 1..])
    })
}
