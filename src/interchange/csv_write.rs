//! A table as a CSV file of ours.

use super::names::{Naming, names_of, repeated_ids};
use super::sheet::{Fault, Input, Output, Row, Sheet};
use super::unary::{Setting, Test};

/// What becomes of rows with cells that do not translate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untranslatable {
    /// Nothing is written.
    Refused,
    /// They are left out.
    LeftOut,
}

/// A table in our words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The CSV file.
    pub csv: String,
    /// The fields that it sets, in order, by the names that a playbook knows.
    pub fields: Vec<String>,
    /// Rows in it.
    pub rows: usize,
    /// Why rows were left out.
    pub left_out: Vec<Fault>,
}

/// Writes a table as CSV, its columns named by `names` or by themselves; or every reason why not.
pub fn write(sheet: &Sheet, names: &[Naming], untranslatable: Untranslatable) -> Result<Written, Vec<Fault>> {
    let names = names_of(sheet, names);
    let mut faults = names.faults;
    faults.extend(repeated_ids(sheet));
    let (rows, untranslated) = cells(sheet);
    if untranslatable == Untranslatable::Refused || !faults.is_empty() {
        faults.extend(untranslated.iter().cloned());
    }
    if untranslatable == Untranslatable::LeftOut && names.nameless > 0 {
        let (nameless, plural) = (names.nameless, if names.nameless == 1 { "" } else { "s" });
        let why = "`--skip-untranslated` leaves out rows, not columns";
        faults.push(sheet.fault(format!("{why}: what stops it is the missing `--map` of {nameless} column{plural}")));
    }
    if faults.is_empty() && names.inputs.iter().all(Option::is_none) {
        faults.push(sheet.fault("no column looks at anything"));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if rows.is_empty() {
        let why = if sheet.rows.is_empty() { "has no rows" } else { "has no row that translates" };
        return Err(untranslated.into_iter().chain([sheet.fault(why)]).collect());
    }
    let has_ids = sheet.rows.iter().any(|row| row.id.is_some());
    let has_notes = sheet.rows.iter().any(|row| row.note.is_some());
    let mut records = Vec::with_capacity(rows.len() + 1);
    let mut header: Vec<String> = has_ids.then(|| "id".to_owned()).into_iter().collect();
    header.extend(names.inputs.iter().flatten().map(|name| format!("in:{name}")));
    header.extend(names.outputs.iter().map(|name| format!("out:{name}")));
    header.extend(has_notes.then(|| "note".to_owned()));
    records.push(header);
    for (row, cells) in &rows {
        let mut record: Vec<String> = has_ids.then(|| row.id.clone().unwrap_or_default()).into_iter().collect();
        let is_kept = |nth: usize| names.inputs.get(nth).is_none_or(Option::is_some);
        record.extend(cells.iter().enumerate().filter(|(nth, _)| is_kept(*nth)).map(|(_, cell)| cell.clone()));
        record.extend(has_notes.then(|| row.note.clone().unwrap_or_default()));
        records.push(record);
    }
    Ok(Written { csv: records_to_csv(&records)?, fields: names.outputs, rows: rows.len(), left_out: untranslated })
}

/// The rows that translate wholly, with their cells, and every cell that does not.
fn cells(sheet: &Sheet) -> (Vec<(&Row, Vec<String>)>, Vec<Fault>) {
    let mut faults = sheet.untranslated();
    let mut rows = Vec::with_capacity(sheet.rows.len());
    for (at, row) in sheet.rows.iter().enumerate() {
        let columns = sheet.inputs.iter().map(Input::shown).chain(sheet.outputs.iter().map(Output::shown));
        let tests = row.tests.iter().map(|cell| cell.as_ref().ok().map(Test::to_cell));
        let settings = row.settings.iter().map(|cell| cell.as_ref().ok().map(Setting::to_cell));
        let mut cells = Vec::with_capacity(row.tests.len() + row.settings.len());
        let faults_before = faults.len();
        for (column, cell) in columns.zip(tests.chain(settings)) {
            match cell {
                Some(Ok(cell)) => cells.push(cell),
                // The readers refuse such cells with their text; a sheet that a program built may have them.
                Some(Err(why)) => faults.push(sheet.cell_fault(at, column, "", &why)),
                None => {}
            }
        }
        let is_empty = row.settings.iter().all(|cell| matches!(cell, Ok(Setting::Default)));
        if is_empty {
            faults.push(Fault { column: None, text: None, ..sheet.cell_fault(at, "", "", "the row sets nothing") });
        }
        if cells.len() == row.tests.len() + row.settings.len() && faults.len() == faults_before {
            rows.push((row, cells));
        }
    }
    faults.sort_by_key(|fault| fault.row.as_ref().map(|(row, _)| *row));
    (rows, faults)
}

/// Records as CSV; the first is the header.
pub(super) fn records_to_csv(records: &[Vec<String>]) -> Result<String, Vec<Fault>> {
    let unwritable = |e: String| Fault::of_file(format!("not writable as CSV: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.write_record(record).map_err(|e| unwritable(e.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|e| unwritable(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| unwritable(e.to_string()))
}
