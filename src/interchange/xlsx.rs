//! Excel workbooks: a worksheet that is a table of ours, its values rendered as our cells write them.

use std::io::{self, Cursor, Read};

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx};
use zip::ZipArchive;

use super::csv_write::records_to_csv;
use super::sheet::{CELLS_MAX, COLUMNS_MAX, COLUMNS_OF_OURS, Fault, ROWS_MAX};
use super::zone::Zone;
use crate::domain::{Decimal, TimeDelta};

/// Bytes that a workbook may have when it is unpacked: a million rows of ten cells fit, a small file that grows without end
/// does not.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// Files that a workbook may hold.
const PARTS_MAX: usize = 10_000;

/// A workbook.
pub struct Workbook {
    inner: Xlsx<Cursor<Vec<u8>>>,
    is_1904: bool,
}

/// A worksheet as CSV, or every cell that has no form in a table of ours.
pub type Worksheet = Result<String, Vec<Fault>>;

/// Cells by row and column, counted from 0.
type Cells = Vec<((u32, u32), Result<String, (String, String)>)>;

impl Workbook {
    /// Opens a workbook, after a look at how large it is when unpacked.
    pub fn open(bytes: Vec<u8>) -> Result<Self, Vec<Fault>> {
        let unreadable =
            |e: &dyn std::fmt::Display| Fault::of_file(format!("not readable as an Excel workbook (.xlsx): {e}"));
        measure(&bytes).map_err(|e| unreadable(&e))?;
        let inner = Xlsx::new(Cursor::new(bytes)).map_err(|e| unreadable(&e))?;
        let is_1904 = inner.has_1904_epoch();
        Ok(Self { inner, is_1904 })
    }

    /// The names of its worksheets.
    pub fn names(&self) -> Vec<String> {
        self.inner.sheet_names()
    }

    /// Reads a worksheet whose first row is the header of a table of ours.
    pub fn read(&mut self, name: &str, zone: Option<&Zone>) -> Worksheet {
        let unreadable = |e: calamine::XlsxError| vec![Fault::of_table(name, format!("not readable: {e}"))];
        let merged = self.inner.merge_cells_by_sheet_name(name).map_err(unreadable)?;
        let mut faults = Vec::new();
        for area in merged {
            let (from, to) = (place(area.start), place(area.end));
            let why = format!("the cells {from} to {to} are merged: only the first has a value; write it into each");
            faults.push(Fault::of_table(name, why));
        }
        let cells = self.cells(name, zone)?;
        records(name, cells, faults)
    }

    fn cells(&mut self, name: &str, zone: Option<&Zone>) -> Result<Cells, Vec<Fault>> {
        let unreadable = |e: calamine::XlsxError| vec![Fault::of_table(name, format!("not readable: {e}"))];
        let is_1904 = self.is_1904;
        let mut reader = self.inner.worksheet_cells_reader(name).map_err(unreadable)?;
        let mut cells = Vec::new();
        while let Some(cell) = reader.next_cell_with_formula().map_err(unreadable)? {
            if matches!(cell.value, DataRef::Empty) && cell.formula.is_none() {
                continue;
            }
            if cells.len() == CELLS_MAX || cell.pos.0 as usize > ROWS_MAX || cell.pos.1 as usize >= COLUMNS_MAX {
                let limits = format!("{ROWS_MAX} rows, {COLUMNS_MAX} columns and {CELLS_MAX} cells");
                return Err(vec![Fault::of_table(
                    name,
                    format!("has a value at {}, the limits are {limits}", place(cell.pos)),
                )]);
            }
            cells.push((cell.pos, rendered(&cell.value, cell.formula.as_deref(), zone, is_1904)));
        }
        cells.sort_by_key(|(at, _)| *at);
        Ok(cells)
    }
}

/// Unpacks every part once, without keeping it: what a header says of its size may be wrong.
fn measure(bytes: &[u8]) -> Result<(), String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    if archive.len() > PARTS_MAX {
        return Err(format!("it holds {} files, the limit is {PARTS_MAX}", archive.len()));
    }
    let mut left = UNPACKED_BYTES_MAX;
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(|e| e.to_string())?;
        let read = io::copy(&mut part.take(left + 1), &mut io::sink()).map_err(|e| e.to_string())?;
        left = left
            .checked_sub(read)
            .ok_or_else(|| format!("it has more than {UNPACKED_BYTES_MAX} bytes when unpacked"))?;
    }
    Ok(())
}

/// Brings cells, which are in order, into rows of the header's width.
fn records(name: &str, cells: Cells, mut faults: Vec<Fault>) -> Worksheet {
    let (mut header, mut rows): (Vec<String>, Vec<(u32, Vec<String>)>) = (Vec::new(), Vec::new());
    for ((row, column), cell) in cells {
        match cell {
            Err((text, why)) => faults.push(fault(name, (row, column), Some(text), why)),
            Ok(cell) if row == 0 => {
                header.resize(column as usize + 1, String::new());
                header[column as usize] = cell;
            }
            Ok(cell) if cell.trim().is_empty() => {}
            Ok(cell) if column as usize >= header.len() => {
                let why = "stands right of the header's last column".to_owned();
                faults.push(fault(name, (row, column), Some(cell), why));
            }
            Ok(_) if rows.len() * header.len() > CELLS_MAX => {
                return Err(vec![Fault::of_table(name, format!("has more than {CELLS_MAX} cells"))]);
            }
            Ok(cell) => match rows.last_mut() {
                Some((last, record)) if *last == row => record[column as usize] = cell,
                _ => {
                    let mut record = vec![String::new(); header.len()];
                    record[column as usize] = cell;
                    rows.push((row, record));
                }
            },
        }
    }
    faults.extend(header_faults(name, &header));
    if rows.is_empty() && faults.is_empty() {
        faults.push(Fault::of_table(name, "has no rows below its header"));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let records: Vec<Vec<String>> = [header].into_iter().chain(rows.into_iter().map(|(_, row)| row)).collect();
    records_to_csv(&records)
}

fn header_faults(name: &str, header: &[String]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let is_ours = |text: &str| {
        let is_of_row = matches!(text, "id" | "priority" | "note" | "enabled" | "valid_from" | "valid_until");
        text.starts_with("in:") || text.starts_with("out:") || is_of_row
    };
    for (at, text) in (0..).zip(header).filter(|(_, text)| !is_ours(text.trim())) {
        let why = format!("the first row names the columns: {COLUMNS_OF_OURS}");
        faults.push(fault(name, (0, at), Some(text.clone()), why));
    }
    for side in ["in:", "out:"] {
        if faults.is_empty() && !header.iter().any(|text| text.trim().starts_with(side)) {
            faults.push(Fault::of_table(name, format!("its first row names no column `{side}…`")));
        }
    }
    faults
}

fn fault(name: &str, at: (u32, u32), text: Option<String>, why: String) -> Fault {
    Fault { table: name.to_owned(), column: Some(place(at)), text, why, ..Fault::default() }
}

/// A cell's value as a cell of ours; `Err` has its text and why there is no such.
fn rendered(
    value: &DataRef<'_>,
    formula: Option<&str>,
    zone: Option<&Zone>,
    is_1904: bool,
) -> Result<String, (String, String)> {
    match value {
        DataRef::Empty => {
            let why = "the formula has no stored value; open the file in a spreadsheet program and save it".to_owned();
            Err((format!("={}", formula.unwrap_or_default()), why))
        }
        DataRef::Int(number) => Ok(number.to_string()),
        DataRef::Float(number) => match Decimal::from_f64(*number) {
            Ok(decimal) => Ok(decimal.to_string()),
            Err(e) => Err((number.to_string(), format!("the number cannot be held: {e}"))),
        },
        DataRef::String(text) => Ok(text.clone()),
        DataRef::SharedString(text) => Ok((*text).to_owned()),
        DataRef::Bool(value) => Ok(value.to_string()),
        DataRef::DateTime(time) => moment(time, zone, is_1904),
        DataRef::DateTimeIso(text) => placed(text, zone),
        DataRef::DurationIso(text) => Err((text.clone(), "durations are written such as `1h30m`".to_owned())),
        DataRef::Error(error) => Err((error.to_string(), "the cell holds an error".to_owned())),
    }
}

/// A serial date, or a length of time.
fn moment(time: &ExcelDateTime, zone: Option<&Zone>, is_1904: bool) -> Result<String, (String, String)> {
    const DAY_MILLIS: f64 = 86_400_000.0;
    let serial = time.as_f64();
    if time.is_duration() {
        let millis = (serial * DAY_MILLIS).round();
        if millis.abs() < 9.0e15 {
            return Ok(TimeDelta::from_micros(millis as i64 * 1_000).to_string());
        }
        return Err((serial.to_string(), "the duration is out of range".to_owned()));
    }
    if !(serial >= 1.0 || (is_1904 && serial >= 0.0)) {
        return Err((serial.to_string(), "a time of day has no literal here".to_owned()));
    }
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let fraction = if milli == 0 { String::new() } else { format!(".{milli:03}") };
    placed(&format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}"), zone)
}

/// Excel knows no zones: which one is meant, a person says.
fn placed(text: &str, zone: Option<&Zone>) -> Result<String, (String, String)> {
    match Zone::place(zone, text) {
        Ok(time) => Ok(time.to_string()),
        Err(why) => Err((text.to_owned(), why)),
    }
}

/// A place in the words of a spreadsheet: `B7`.
fn place((row, column): (u32, u32)) -> String {
    let mut letters = Vec::new();
    let mut left = column + 1;
    while left > 0 {
        left -= 1;
        letters.insert(0, char::from(b'A' + (left % 26) as u8));
        left /= 26;
    }
    format!("{}{}", letters.into_iter().collect::<String>(), row + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_as_a_spreadsheet_does() {
        let places = [(0, 0), (6, 1), (0, 25), (0, 26), (9, 701), (0, 702)].map(place);
        assert_eq!(places, ["A1", "B7", "Z1", "AA1", "ZZ10", "AAA1"]);
    }
}
