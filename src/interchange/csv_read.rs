//! A CSV table of ours, read for another format.

use std::collections::BTreeMap;

use super::literal::{Kind, Literal};
use super::names::{is_field, is_path};
use super::our_cell;
use super::sheet::{
    Aggregation, CELLS_MAX, COLUMNS_MAX, COLUMNS_OF_OURS, Fault, HitPolicy, Input, Output, ROWS_MAX, Row, Sheet, cell,
};
use super::unary::{Setting, Test};

/// A CSV table, and what is known of it beside.
#[derive(Clone, Debug)]
pub struct OurTable<'a> {
    /// What the other format is to call it.
    pub name: &'a str,
    /// The file.
    pub csv: &'a str,
    /// The hit policy that the playbook gives it.
    pub hit_policy: HitPolicy,
    /// The aggregation that the playbook gives it.
    pub aggregation: Option<Aggregation>,
    /// What columns are declared to be, by their headers (`in:event.amount`, `out:queue`). Others are taken as written.
    pub kinds: &'a BTreeMap<String, Kind>,
}

enum Column {
    In,
    Out,
    Id,
    Priority,
    Note,
}

/// Reads a table; cells that say what no other format can are left for the writer to name.
pub fn read(table: &OurTable<'_>) -> Result<Sheet, Vec<Fault>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(table.csv.as_bytes());
    let unreadable = |e: csv::Error| Fault::of_table(table.name, format!("not readable as CSV: {e}"));
    let headers = reader.headers().cloned().map_err(|e| vec![unreadable(e)])?;
    let mut sheet = Sheet {
        name: table.name.to_owned(),
        hit_policy: table.hit_policy,
        aggregation: table.aggregation,
        inputs: Vec::new(),
        outputs: Vec::new(),
        rows: Vec::new(),
        remarks: Vec::new(),
    };
    let (columns, faults) = columns(&headers, table.kinds, &mut sheet);
    if !faults.is_empty() {
        return Err(faults);
    }
    let (mut rows, faults) = rows(&mut reader, &columns, &sheet);
    if !faults.is_empty() {
        return Err(faults);
    }
    // Other formats have no priority of rows: they stand in the order in which they are asked.
    rows.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    sheet.rows = rows.into_iter().map(|(_, row)| row).collect();
    let faults = mixed_columns(&sheet, table.kinds);
    if faults.is_empty() { Ok(sheet) } else { Err(faults) }
}

/// The rows, each with its priority, and what is wrong with them.
fn rows(reader: &mut csv::Reader<&[u8]>, columns: &[Column], sheet: &Sheet) -> (Vec<(i64, Row)>, Vec<Fault>) {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for (nth, record) in (1..).zip(reader.records()) {
        let of_row = |fault: Fault| Fault { row: Some((nth, None)), ..fault };
        match record {
            Ok(_) if nth > ROWS_MAX || nth * columns.len() > CELLS_MAX => {
                faults.push(sheet.fault(format!("has more than {ROWS_MAX} rows or {CELLS_MAX} cells")));
                break;
            }
            Ok(record) if record.len() != columns.len() => {
                let found = format!("has {} cells, the header has {}", record.len(), columns.len());
                faults.push(of_row(sheet.fault(found)));
            }
            Ok(record) => match row(&record, columns, sheet) {
                Ok((priority, row)) => rows.push((priority, Row { number: nth, ..row })),
                Err(text) => {
                    let fault = sheet.column_fault("priority", "expected a whole number");
                    faults.push(of_row(Fault { text: Some(text), ..fault }));
                }
            },
            Err(e) => {
                faults.push(sheet.fault(format!("not readable as CSV: {e}")));
                break;
            }
        }
    }
    (rows, faults)
}

fn columns(
    headers: &csv::StringRecord,
    kinds: &BTreeMap<String, Kind>,
    sheet: &mut Sheet,
) -> (Vec<Column>, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut columns = Vec::with_capacity(headers.len());
    for (at, header) in headers.iter().enumerate().take(COLUMNS_MAX) {
        if headers.iter().take(at).any(|other| other == header) {
            faults.push(sheet.column_fault(header, "the column stands twice"));
        }
        let kind = kinds.get(header).copied();
        match (header, header.strip_prefix("in:"), header.strip_prefix("out:")) {
            ("id", ..) => columns.push(Column::Id),
            ("priority", ..) => columns.push(Column::Priority),
            ("note", ..) => columns.push(Column::Note),
            ("enabled" | "valid_from" | "valid_until", ..) => {
                faults.push(sheet.column_fault(header, "this column has no counterpart in DMN/JDM"));
            }
            (_, Some(path), _) if is_path(path) => {
                let label = Some(header.to_owned());
                sheet.inputs.push(Input { label, expression: path.to_owned(), kind, ..Input::default() });
                columns.push(Column::In);
            }
            (_, Some(name), _) if is_condition(name) => {
                faults.push(sheet.column_fault(header, "a named condition has no counterpart in DMN/JDM"));
            }
            (_, _, Some(field)) if is_field(field) => {
                let label = Some(header.to_owned());
                sheet.outputs.push(Output { name: field.to_owned(), label, kind, ..Output::default() });
                columns.push(Column::Out);
            }
            _ => {
                let expected = format!("a column is {COLUMNS_OF_OURS}");
                faults.push(sheet.column_fault(header, expected));
            }
        }
    }
    if headers.len() > COLUMNS_MAX {
        faults.push(sheet.fault(format!("has {} columns, the limit is {COLUMNS_MAX}", headers.len())));
    } else if faults.is_empty() && (sheet.inputs.is_empty() || sheet.outputs.is_empty()) {
        faults.push(sheet.fault("needs at least one column `in:NAME` and one `out:FIELD` in its first line"));
    }
    (columns, faults)
}

/// Whether an input column is of a named condition: a name without a dot that is none of those before a dot.
fn is_condition(name: &str) -> bool {
    is_field(name) && !matches!(name, "event" | "customer" | "signal" | "ledger" | "list")
}

/// A row and its priority; `Err` has the text of a priority that is no number.
fn row(record: &csv::StringRecord, columns: &[Column], sheet: &Sheet) -> Result<(i64, Row), String> {
    let (mut inputs, mut outputs) = (sheet.inputs.iter(), sheet.outputs.iter());
    let mut row = Row::default();
    let mut priority = 0;
    for (text, column) in record.iter().zip(columns) {
        match column {
            Column::In => {
                let kind = inputs.next().and_then(|input| input.kind);
                row.tests.push(cell(text, |text| our_cell::read_test(text, kind)));
            }
            Column::Out => {
                let kind = outputs.next().and_then(|output| output.kind);
                row.settings.push(cell(text, |text| our_cell::read_setting(text, kind)));
            }
            _ if text.is_empty() => {}
            Column::Id => row.id = Some(text.to_owned()),
            Column::Note => row.note = Some(text.to_owned()),
            Column::Priority => priority = text.parse().map_err(|_| text.to_owned())?,
        }
    }
    Ok((priority, row))
}

/// Columns whose cells look like values of several kinds: which one is meant, only a playbook can say.
fn mixed_columns(sheet: &Sheet, kinds: &BTreeMap<String, Kind>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (nth, input) in sheet.inputs.iter().enumerate() {
        let header = format!("in:{}", input.expression);
        let tests = sheet.rows.iter().filter_map(|row| row.tests[nth].as_ref().ok());
        let literals = tests.flat_map(|test| test.literals()).map(|literal| (literal.kind(), literal.bare()));
        faults.extend(
            mixed(literals).filter(|_| !kinds.contains_key(&header)).map(|why| sheet.column_fault(&header, why)),
        );
    }
    for (nth, output) in sheet.outputs.iter().enumerate() {
        let header = format!("out:{}", output.name);
        let settings = sheet.rows.iter().filter_map(|row| row.settings[nth].as_ref().ok());
        let values = settings.filter_map(|setting| Some((setting.kind()?, setting.to_cell().unwrap_or_default())));
        faults
            .extend(mixed(values).filter(|_| !kinds.contains_key(&header)).map(|why| sheet.column_fault(&header, why)));
    }
    faults
}

fn mixed(mut values: impl Iterator<Item = (Kind, String)>) -> Option<String> {
    let (first, shown) = values.next()?;
    let (other, other_shown) = values.find(|(kind, _)| *kind != first)?;
    Some(format!(
        "`{shown}` is written like {} and `{other_shown}` like {}: name the playbook that declares the column with `--playbook`",
        first.describe(),
        other.describe()
    ))
}

/// The kinds that the cells of each column have: what is declared, else what is written.
pub(super) fn kinds_of(sheet: &Sheet) -> (Vec<Option<Kind>>, Vec<Option<Kind>>) {
    let written_in = |nth: usize| {
        let tests = sheet.rows.iter().filter_map(|row| row.tests[nth].as_ref().ok());
        tests.into_iter().find_map(|test| match test {
            Test::Text(..) => Some(Kind::Text),
            test => test.literals().first().copied().map(Literal::kind),
        })
    };
    let written_out =
        |nth: usize| sheet.rows.iter().filter_map(|row| row.settings[nth].as_ref().ok()).find_map(Setting::kind);
    let inputs = sheet.inputs.iter().enumerate().map(|(nth, input)| input.kind.or_else(|| written_in(nth))).collect();
    let outputs =
        sheet.outputs.iter().enumerate().map(|(nth, output)| output.kind.or_else(|| written_out(nth))).collect();
    (inputs, outputs)
}
