//! A decision table as no format writes it: columns, rows, what translates of each cell, and what does not.

use std::fmt;

use super::literal::{Kind, Literal};
use super::scan::shorten;
use super::unary::{Setting, Test};

/// Rows that a table from outside may have.
pub const ROWS_MAX: usize = 1_000_000;

/// Columns that a table from outside may have.
pub const COLUMNS_MAX: usize = 1_024;

/// Cells that the tables of a file may have together: some gigabyte of memory while they are translated.
pub const CELLS_MAX: usize = 10_000_000;

/// Tables that a file may hold.
pub const TABLES_MAX: usize = 10_000;

/// Bytes that a cell from outside may have.
pub const CELL_BYTES_MAX: usize = 16_384;

/// The columns that a table of ours can have, for messages.
pub(super) const COLUMNS_OF_OURS: &str = "`in:NAME` such as `in:event.amount`, `out:FIELD`, `id`, `priority`, `note`, `enabled`, \
                                          `valid_from` or `valid_until`";

/// Which rows of a table count when several match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HitPolicy {
    /// The first.
    First,
    /// The only one; two are an error.
    Unique,
    /// Any of them; they must agree.
    Any,
    /// The one whose output is the most important.
    Priority,
    /// All, by the importance of their outputs.
    OutputOrder,
    /// All, in the order of the rows.
    RuleOrder,
    /// All, in no order, or brought together by an [`Aggregation`].
    Collect,
}

/// How the outputs of all matching rows become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// How many there are.
    Count,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Its name.
    pub name: String,
    /// Its hit policy.
    pub hit_policy: HitPolicy,
    /// Its aggregation, with [`HitPolicy::Collect`].
    pub aggregation: Option<Aggregation>,
    /// What it looks at.
    pub inputs: Vec<Input>,
    /// What it says.
    pub outputs: Vec<Output>,
    /// Its rows, in order.
    pub rows: Vec<Row>,
    /// What a reader should know and no cell can say.
    pub remarks: Vec<String>,
}

/// What a file of another maker holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its tables, in order; or why one cannot be a table here.
    pub tables: Vec<Result<Sheet, Vec<Fault>>>,
    /// What a reader should know of the rest.
    pub remarks: Vec<String>,
}

/// A column of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// What people call it.
    pub label: Option<String>,
    /// What it looks at, in the words of its format.
    pub expression: String,
    /// What its values are, if the table says so.
    pub kind: Option<Kind>,
    /// The values that it can have, if the table says so.
    pub allowed: Vec<Literal>,
}

/// A column of settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The name of what it sets.
    pub name: String,
    /// What people call it.
    pub label: Option<String>,
    /// What its values are, if the table says so.
    pub kind: Option<Kind>,
    /// The values that it can set, the most important first.
    pub allowed: Vec<Literal>,
}

/// A row: a cell for each column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: Option<String>,
    /// Its number in its file, counted from 1 without a header; 0 for its place among the rows.
    pub number: usize,
    /// What it is for.
    pub note: Option<String>,
    /// A cell for each input.
    pub tests: Vec<Cell<Test>>,
    /// A cell for each output.
    pub settings: Vec<Cell<Setting>>,
}

/// What a cell says, or why that could not be translated.
pub type Cell<T> = Result<T, Untranslated>;

/// A cell that does not translate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untranslated {
    /// Its text.
    pub text: String,
    /// Why.
    pub why: String,
}

/// Something that could not be translated, or read at all, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The table; empty for the file as a whole.
    pub table: String,
    /// The row, counted from 1 without the header; its id.
    pub row: Option<(usize, Option<Box<str>>)>,
    /// The column, as its format calls it.
    pub column: Option<String>,
    /// The cell's text.
    pub text: Option<String>,
    /// What is wrong, and what would be right.
    pub why: String,
}

impl HitPolicy {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::First, Self::Unique, Self::Any, Self::Priority, Self::OutputOrder, Self::RuleOrder, Self::Collect];

    /// Its name in a playbook.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Unique => "unique",
            Self::Any => "any",
            Self::Priority => "priority",
            Self::OutputOrder => "output_order",
            Self::RuleOrder => "rule_order",
            Self::Collect => "collect",
        }
    }

    /// Whether the importance of outputs decides.
    pub(super) fn is_ranked(self) -> bool {
        matches!(self, Self::Priority | Self::OutputOrder)
    }
}

impl Aggregation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sum, Self::Min, Self::Max, Self::Count];

    /// Its name in a playbook.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
        }
    }

    /// Whether values of this kind can be brought together so.
    pub(super) fn takes(self, kind: Kind) -> bool {
        match self {
            Self::Sum => matches!(kind, Kind::Number | Kind::Duration),
            Self::Min | Self::Max => kind.is_ordered(),
            Self::Count => true,
        }
    }
}

impl Input {
    /// What to call it in a message.
    pub(super) fn shown(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.expression)
    }
}

impl Output {
    /// What to call it in a message.
    pub(super) fn shown(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }
}

impl Sheet {
    /// Whether an input looks at nothing: it has no expression, and no cell of it that translates asks for anything.
    pub(super) fn is_blank(&self, nth: usize) -> bool {
        let asks = |row: &Row| matches!(row.tests.get(nth), Some(Ok(test)) if *test != Test::Any);
        self.inputs[nth].expression.is_empty() && !self.rows.iter().any(asks)
    }

    /// Every cell that does not translate.
    pub fn untranslated(&self) -> Vec<Fault> {
        self.rows.iter().enumerate().flat_map(|(at, row)| self.untranslated_in(at, row)).collect()
    }

    fn untranslated_in(&self, at: usize, row: &Row) -> Vec<Fault> {
        let tests = row.tests.iter().zip(&self.inputs).map(|(cell, input)| (cell.as_ref().err(), input.shown()));
        let settings =
            row.settings.iter().zip(&self.outputs).map(|(cell, output)| (cell.as_ref().err(), output.shown()));
        let faults = tests.chain(settings).filter_map(|(cell, column)| cell.map(|cell| (cell, column)));
        faults.map(|(cell, column)| self.cell_fault(at, column, &cell.text, &cell.why)).collect()
    }

    /// A fault in a cell of the row at `at`.
    pub(super) fn cell_fault(&self, at: usize, column: &str, text: &str, why: &str) -> Fault {
        let number = self.rows.get(at).map(|row| row.number).filter(|number| *number > 0);
        Fault {
            table: self.name.clone(),
            row: Some((number.unwrap_or(at + 1), self.rows.get(at).and_then(|row| row.id.as_deref().map(Box::from)))),
            column: Some(column.to_owned()),
            text: Some(text.to_owned()),
            why: why.to_owned(),
        }
    }

    /// A fault of a column.
    pub(super) fn column_fault(&self, column: &str, why: impl Into<String>) -> Fault {
        Fault { table: self.name.clone(), column: Some(column.to_owned()), why: why.into(), ..Fault::default() }
    }

    /// A fault of the table.
    pub(super) fn fault(&self, why: impl Into<String>) -> Fault {
        Fault::of_table(&self.name, why)
    }
}

impl Fault {
    /// A fault of a file as a whole, which is the only one.
    pub(super) fn of_file(why: impl Into<String>) -> Vec<Self> {
        vec![Self { why: why.into(), ..Self::default() }]
    }

    /// A fault of a table as a whole.
    pub(super) fn of_table(table: &str, why: impl Into<String>) -> Self {
        Self { table: table.to_owned(), why: why.into(), ..Self::default() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.table.is_empty() {
            write!(f, "table `{}`", self.table)?;
        }
        if let Some((row, id)) = &self.row {
            write!(f, ", row {row}")?;
            if let Some(id) = id {
                write!(f, " (`{}`)", shorten(id))?;
            }
        }
        if let Some(column) = &self.column {
            write!(f, ", column `{}`", shorten(column))?;
        }
        if let Some(text) = self.text.as_ref().filter(|text| !text.is_empty()) {
            write!(f, ", `{}`", shorten(&text.replace('\n', " ")))?;
        }
        let comma = if self.table.is_empty() { "" } else { ": " };
        write!(f, "{comma}{}", self.why)
    }
}

/// A cell from outside, read by `read` if it is not too long.
pub(super) fn cell<T>(text: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Cell<T> {
    let read = if text.len() > CELL_BYTES_MAX {
        Err(format!("the cell has {} bytes, the limit is {CELL_BYTES_MAX}", text.len()))
    } else {
        read(text)
    };
    read.map_err(|why| Untranslated { text: text.to_owned(), why })
}
