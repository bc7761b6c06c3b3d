//! Which name of ours a column from outside has.

use std::collections::HashSet;
use std::str::FromStr;

use super::sheet::{Fault, Input, Output, Sheet};

/// What a person said of a column: `Customer Plan=customer.plan`; before it `in:` or `out:` where both sides have such a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    side: Option<Side>,
    column: String,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    In,
    Out,
}

/// The names of a table's columns, or what stands in the way.
pub(super) struct Names {
    /// `None` for an input that looks at nothing.
    pub(super) inputs: Vec<Option<String>>,
    pub(super) outputs: Vec<String>,
    pub(super) faults: Vec<Fault>,
    /// Columns that have no name: nothing was said of them, and their own is none of ours.
    pub(super) nameless: usize,
}

impl FromStr for Naming {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Expressions may hold `==`; a name holds no `=`.
        let (column, name) = text
            .rsplit_once('=')
            .ok_or_else(|| format!("expected COLUMN=NAME such as `Age=customer.age`, found `{text}`"))?;
        let (side, column) = match (column.strip_prefix("in:"), column.strip_prefix("out:")) {
            (Some(column), _) => (Some(Side::In), column),
            (_, Some(column)) => (Some(Side::Out), column),
            _ => (None, column),
        };
        let (column, name) = (column.trim(), name.trim());
        if column.is_empty() || !(is_path(name) || is_field(name)) {
            let expected = "a name of ours such as `event.amount`, or a field of the outcome such as `queue`";
            return Err(format!("expected COLUMN=NAME with {expected}, found `{text}`"));
        }
        Ok(Self { side, column: column.to_owned(), name: name.to_owned() })
    }
}

impl Naming {
    fn is_of_input(&self, input: &Input) -> bool {
        self.side != Some(Side::Out) && (self.column == input.expression || Some(&self.column) == input.label.as_ref())
    }

    fn is_of_output(&self, output: &Output) -> bool {
        self.side != Some(Side::In) && (self.column == output.name || Some(&self.column) == output.label.as_ref())
    }
}

/// Whether this names a value that conditions can look at.
pub(super) fn is_path(name: &str) -> bool {
    match name.split_once('.') {
        Some(("event" | "customer" | "signal" | "ledger", field)) => is_field(field),
        Some(_) => false,
        None => name == "now",
    }
}

/// Whether this can be the name of a field.
pub(super) fn is_field(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !matches!(name, "in" | "true" | "false" | "null")
}

/// Names every column: by what was said of it, or by its own name if it is one of ours.
pub(super) fn names_of(sheet: &Sheet, said: &[Naming]) -> Names {
    let mut names = Names { inputs: Vec::new(), outputs: Vec::new(), faults: Vec::new(), nameless: 0 };
    for (nth, input) in sheet.inputs.iter().enumerate() {
        let said: Vec<&Naming> = said.iter().filter(|naming| naming.is_of_input(input)).collect();
        let missing =
            format!("no name of ours: say it with {}", example(&input.expression, input.shown(), "event.NAME"));
        if said.is_empty() && sheet.is_blank(nth) {
            names.inputs.push(None);
            continue;
        }
        let name = names.name(sheet, Side::In, input.shown(), &input.expression, (&said, is_path, &missing));
        names.inputs.push(Some(name));
    }
    for output in &sheet.outputs {
        let said: Vec<&Naming> = said.iter().filter(|naming| naming.is_of_output(output)).collect();
        let missing = format!("not the name of a field: say one with {}", example(&output.name, &output.name, "FIELD"));
        let name = names.name(sheet, Side::Out, output.shown(), &output.name, (&said, is_field, &missing));
        names.outputs.push(name);
    }
    for naming in said {
        let is_used = sheet.inputs.iter().any(|input| naming.is_of_input(input))
            || sheet.outputs.iter().any(|output| naming.is_of_output(output));
        if !is_used {
            let columns: Vec<String> = sheet.inputs.iter().map(|input| format!("`{}`", input.shown())).collect();
            let columns = columns.into_iter().chain(sheet.outputs.iter().map(|output| format!("`{}`", output.shown())));
            let columns = columns.collect::<Vec<_>>().join(", ");
            names.faults.push(sheet.fault(format!("`--map` names `{}`, the columns are {columns}", naming.column)));
        }
    }
    names
}

fn example(expression: &str, shown: &str, name: &str) -> String {
    let column = if expression.is_empty() { shown } else { expression };
    format!("`--map \"{column}={name}\"`")
}

impl Names {
    /// The name of a column; `own` is what its format calls it. Empty where there is none, with a fault.
    fn name(
        &mut self,
        sheet: &Sheet,
        side: Side,
        shown: &str,
        own: &str,
        (said, is_ours, missing): (&[&Naming], fn(&str) -> bool, &str),
    ) -> String {
        let name = match said {
            [] if is_ours(own) => own,
            [] => {
                self.nameless += 1;
                self.faults.push(sheet.column_fault(shown, missing));
                return String::new();
            }
            [one] => one.name.as_str(),
            _ => {
                self.faults.push(sheet.column_fault(shown, "is named more than once by `--map`"));
                return String::new();
            }
        };
        if !is_ours(name) {
            let what = if side == Side::In { "a value such as `event.amount`" } else { "a field such as `queue`" };
            let hint = "put `in:` or `out:` before a column that stands on both sides";
            self.faults.push(sheet.column_fault(shown, format!("`--map` says `{name}`, expected {what}; {hint}")));
        }
        let is_taken = match side {
            Side::In => self.inputs.iter().flatten().any(|other| other == name),
            Side::Out => self.outputs.iter().any(|other| other == name),
        };
        if is_taken {
            self.faults.push(sheet.column_fault(shown, format!("another column is `{name}` too")));
        }
        name.to_owned()
    }
}

/// Ids that stand twice.
pub(super) fn repeated_ids(sheet: &Sheet) -> Vec<Fault> {
    let mut known = HashSet::new();
    let mut faults = Vec::new();
    for (at, row) in sheet.rows.iter().enumerate() {
        if let Some(id) = row.id.as_ref().filter(|id| !known.insert(id.as_str())) {
            faults.push(sheet.cell_fault(at, "id", id, "the id stands twice in this table"));
        }
    }
    faults
}
