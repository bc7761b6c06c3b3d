//! Decision tables from CSV: columns are attributes, rows are rules.
//!
//! Columns are `in:NAME` (a unary test, see `cell`), `out:FIELD` (a literal of the outcome, or `=` and a CEL expression),
//! and optionally `id`, `priority`,
//! `note`, `enabled`, `valid_from` and `valid_until`. The first line names them.

use std::collections::HashSet;
use std::sync::Arc;

use csv::StringRecord;

use super::cell::to_cel;
use super::{
    Aggregation, Computation, Condition, HitPolicy, IfUnavailable, Origin, Rule, Scope, Setting, TextIndexBuilder,
    Then, Validity,
};
use crate::domain::{Field, Timestamp, Type, Value, suggestion};

/// A table's text and what it is read against.
pub(crate) struct Table<'a> {
    /// The file, relative to the configuration folder.
    pub(crate) file: &'a str,
    /// Its content.
    pub(crate) text: &'a str,
    /// The names that input columns may use.
    pub(crate) scope: &'a Scope,
    /// The fields that output columns may set.
    pub(crate) outcome: &'a [Field],
    /// What several matching rows mean.
    pub(crate) policy: &'a HitPolicy,
    /// Whether its rows are final.
    pub(crate) is_final: bool,
    /// The number of what later tiers may choose in place of what a row says.
    pub(crate) permit: Option<u16>,
}

/// A fault at a cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CellFault {
    pub(crate) line: u32,
    /// The column's header.
    pub(crate) column: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) message: String,
}

/// Rows that a table may have.
const ROWS_MAX: usize = 1_000_000;

enum Column {
    In { path: String },
    Out { field: usize },
    Id,
    Priority,
    Note,
    Enabled,
    ValidFrom,
    ValidUntil,
}

/// Reads a table into rules, higher priority first; or every fault in it.
pub(crate) fn read_table(table: &Table<'_>, texts: &mut TextIndexBuilder) -> Result<Vec<Rule>, Vec<CellFault>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(table.text.as_bytes());
    let headers = reader.headers().cloned().map_err(|e| vec![unreadable(&e, table.text)])?;
    let mut reading = Reading { table, texts, faults: Vec::new(), ids: HashSet::new(), rules: Vec::new() };
    let columns = reading.columns(&headers);
    for (row, record) in reader.records().enumerate() {
        match record {
            Ok(_) if row >= ROWS_MAX => {
                reading.fault(1, None, None, format!("has more than {ROWS_MAX} rows"));
                break;
            }
            Ok(record) => reading.row(row, &record, &headers, &columns),
            Err(e) => reading.faults.push(unreadable(&e, table.text)),
        }
    }
    let Reading { faults, mut rules, .. } = reading;
    if !faults.is_empty() {
        return Err(faults);
    }
    rules.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    Ok(rules.into_iter().map(|(_, rule)| rule).collect())
}

/// The line on which a record begins: the reader's position may lie before line ends that it has not skipped yet.
fn line_at(position: &csv::Position, text: &str) -> u32 {
    let rest = text.as_bytes().get(position.byte() as usize..).unwrap_or_default();
    let skipped = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).filter(|b| **b == b'\n').count();
    (position.line() as usize + skipped) as u32
}

fn unreadable(e: &csv::Error, text: &str) -> CellFault {
    let line = e.position().map_or(1, |position| line_at(position, text));
    CellFault { line, column: None, value: None, message: format!("not readable as CSV: {e}") }
}

struct Reading<'a, 'b> {
    table: &'a Table<'b>,
    texts: &'a mut TextIndexBuilder,
    faults: Vec<CellFault>,
    ids: HashSet<String>,
    rules: Vec<(i64, Rule)>,
}

impl Reading<'_, '_> {
    fn fault(&mut self, line: u32, column: Option<&str>, value: Option<&str>, message: impl Into<String>) {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        self.faults.push(CellFault { line, column: owned(column), value: owned(value), message: message.into() });
    }

    fn columns(&mut self, headers: &StringRecord) -> Vec<Option<Column>> {
        let mut known = HashSet::new();
        let columns = headers.iter().map(|header| {
            if !known.insert(header) {
                self.fault(1, Some(header), None, "the column stands twice");
                return None;
            }
            self.column(header)
        });
        let columns: Vec<_> = columns.collect();
        if !headers.iter().any(|header| header.starts_with("in:")) {
            self.fault(1, None, None, "a table needs at least one input column such as `in:event.channel`");
        }
        if !headers.iter().any(|header| header.starts_with("out:")) {
            self.fault(1, None, None, "a table needs at least one output column such as `out:queue`");
        }
        columns
    }

    fn column(&mut self, header: &str) -> Option<Column> {
        match header {
            "id" => return Some(Column::Id),
            "priority" => return Some(Column::Priority),
            "note" => return Some(Column::Note),
            "enabled" => return Some(Column::Enabled),
            "valid_from" => return Some(Column::ValidFrom),
            "valid_until" => return Some(Column::ValidUntil),
            _ => {}
        }
        if let Some(path) = header.strip_prefix("in:") {
            if self.table.scope.type_of(path).is_none() {
                if let Some(message) = self.table.scope.unknown(path) {
                    self.fault(1, Some(header), None, message);
                }
                return None;
            }
            return Some(Column::In { path: path.to_owned() });
        }
        let outcome = self.table.outcome;
        let Some(name) = header.strip_prefix("out:") else {
            let message = "a column is `in:NAME`, `out:FIELD`, `id`, `priority`, `note`, `enabled`, `valid_from` or `valid_until`";
            self.fault(1, Some(header), None, message);
            return None;
        };
        let field = outcome.iter().position(|field| &*field.name == name);
        if field.is_none() {
            let hint = suggestion(name, outcome.iter().map(|field| &*field.name));
            self.fault(1, Some(header), None, format!("the outcome has no field `{name}`{hint}"));
        }
        field.map(|field| Column::Out { field })
    }

    fn row(&mut self, row: usize, record: &StringRecord, headers: &StringRecord, columns: &[Option<Column>]) {
        let line = record.position().map_or(0, |position| line_at(position, self.table.text));
        if record.len() != headers.len() {
            let message = format!("the row has {} cells, the header has {}", record.len(), headers.len());
            return self.fault(line, None, None, message);
        }
        let faults_before = self.faults.len();
        let stem = self.table.file.rsplit('/').next().unwrap_or_default().trim_end_matches(".csv");
        let mut id = format!("{stem}-{}", row + 1);
        let mut priority = 0;
        let mut description = None;
        let mut validity = Validity::default();
        let mut conditions = Vec::new();
        let mut settings: Vec<Option<Setting>> = vec![None; self.table.outcome.len()];
        for ((cell, header), column) in record.iter().zip(headers).zip(columns) {
            match column {
                Some(Column::Id) if !cell.is_empty() => id = cell.to_owned(),
                Some(Column::Note) if !cell.is_empty() => description = Some(Arc::from(cell)),
                Some(Column::Priority) if !cell.is_empty() => match cell.parse() {
                    Ok(value) => priority = value,
                    Err(_) => self.fault(line, Some(header), Some(cell), "expected a whole number"),
                },
                Some(Column::Enabled) if !cell.is_empty() => {
                    validity.is_enabled = self.typed(line, header, &Type::Bool, cell) != Some(Value::Bool(false));
                }
                Some(Column::ValidFrom) if !cell.is_empty() => validity.from = self.time(line, header, cell),
                Some(Column::ValidUntil) if !cell.is_empty() => validity.until = self.time(line, header, cell),
                Some(Column::In { path }) => conditions.extend(self.condition(line, header, path, cell)),
                Some(Column::Out { field }) => settings[*field] = self.setting(line, header, *field, cell),
                _ => {}
            }
        }
        if !self.ids.insert(id.clone()) {
            self.fault(line, Some("id"), Some(&id), "the id stands twice in this table");
        }
        if let Some(fault) = validity.fault() {
            self.fault(line, None, None, fault);
        }
        if settings.iter().all(Option::is_none) && self.faults.len() == faults_before {
            self.fault(line, None, None, "the row sets no field of the outcome");
        }
        let rule = Rule {
            id: id.into(),
            origin: Origin { file: self.table.file.into(), line },
            description,
            condition: Condition::and(conditions).in_force(validity, self.table.scope),
            then: Then::new(settings),
            if_unavailable: IfUnavailable::Skip,
            is_final: self.table.is_final,
            permit: self.table.permit,
        };
        self.rules.push((priority, rule));
    }

    fn condition(&mut self, line: u32, header: &str, path: &str, cell: &str) -> Option<Condition> {
        let scope = self.table.scope;
        let ty = scope.type_of(path)?;
        let source = match to_cel(path, ty, cell) {
            Ok(source) => source?,
            Err(message) => {
                self.fault(line, Some(header), Some(cell), message);
                return None;
            }
        };
        match Condition::compile(&source, scope, self.texts) {
            Ok(condition) => Some(condition.shown_as(&source)),
            Err(faults) => {
                for fault in faults {
                    self.fault(line, Some(header), Some(cell), fault.message);
                }
                None
            }
        }
    }

    fn setting(&mut self, line: u32, header: &str, field: usize, cell: &str) -> Option<Setting> {
        if cell.is_empty() {
            return None;
        }
        let field = &self.table.outcome[field];
        // What is counted is that something is said, whatever it is.
        if *self.table.policy == HitPolicy::Collect(Some(Aggregation::Count)) && field.ty == Type::Int {
            return Some(Setting::Literal(Value::Int(1)));
        }
        if let Some(source) = cell.strip_prefix('=') {
            return self.computed(line, header, field, source);
        }
        let value = self.typed(line, header, &field.ty, cell)?;
        // What is only a part of a sum is checked when the sum is known.
        let is_whole = !matches!(self.table.policy, HitPolicy::Collect(Some(_)));
        match field.check(&value) {
            Err(fault) if is_whole => {
                self.fault(line, Some(header), Some(cell), fault.to_string());
                None
            }
            _ => Some(Setting::Literal(value)),
        }
    }

    fn typed(&mut self, line: u32, header: &str, ty: &Type, cell: &str) -> Option<Value> {
        ty.parse(cell).map_err(|mismatch| self.fault(line, Some(header), Some(cell), mismatch.to_string())).ok()
    }

    fn time(&mut self, line: u32, header: &str, cell: &str) -> Option<Timestamp> {
        match self.typed(line, header, &Type::Time, cell)? {
            Value::Time(time) => Some(time),
            _ => None,
        }
    }

    /// `=CEL`
    fn computed(&mut self, line: u32, header: &str, field: &Field, source: &str) -> Option<Setting> {
        match Computation::compile(source, &field.ty, self.table.scope, self.texts) {
            Ok(computation) => Some(Setting::Computed(Box::new(computation))),
            Err(faults) => {
                for fault in faults {
                    self.fault(line, Some(header), Some(source), fault.message);
                }
                None
            }
        }
    }
}
