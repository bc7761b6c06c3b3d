//! Reads `sets` of a model: what its labels mean in the outcome.

use std::collections::HashMap;

use super::{Manifest, Sources, TABLE_FOLDER};
use crate::document::{FaultSink, Node, Place};
use crate::domain::{Field, Type, Value, suggestion};
use crate::inference::ScopeCheck;

/// Different values of the fields that are set, in their order.
type Proposals = Box<[Box<[Value]>]>;

/// What a model's labels mean.
pub(super) struct Mapping {
    /// The fields of the outcome that are set.
    pub(super) sets: Box<[usize]>,
    /// The different values that labels give them.
    pub(super) proposals: Proposals,
    /// Which of them each label means; `None` if none.
    pub(super) proposal_of: Box<[Option<u16>]>,
}

/// Where a field's value comes from.
enum Origin<'d> {
    /// The label itself.
    Label,
    /// The column of the field's name in a table whose column `label` names the labels.
    Table { name: &'d str, node: Node<'d> },
    /// The number that a regressor gives.
    Number,
}

/// What a mapping is read against: the outcome's fields, the bundle's files, and where faults go.
type Against<'a> = (&'a [Field], &'a Sources, &'a FaultSink);

/// Reads `{ queue = "label" }`, `{ queue = "table:NAME" }` or, for a model that gives a number, `{ amount = "value" }`; `None`
/// after noting what is wrong.
pub(super) fn mapping(node: &Node<'_>, manifest: &Manifest, against: Against<'_>) -> Option<Mapping> {
    let (outcome, ..) = against;
    let entries = node.section()?.entries();
    if entries.is_empty() {
        node.fault("sets nothing: name a field of the outcome, such as `{ queue = \"label\" }`");
        return None;
    }
    if manifest.is_regressor() && entries.len() > 1 {
        node.fault("sets several fields: this model gives one number, for one field of the outcome");
        return None;
    }
    let mut sets = Vec::new();
    let mut columns = Vec::new();
    for (name, node) in &entries {
        let Some(number) = outcome.iter().position(|field| *field.name == *name.as_str()) else {
            let hint = suggestion(name, outcome.iter().map(|field| &*field.name));
            node.fault(format!("the outcome has no field `{name}`{hint}"));
            return None;
        };
        let column = match origin(node, manifest)? {
            Origin::Label => of_labels(node, manifest, &outcome[number])?,
            Origin::Table { name, node } => of_table(name, &node, manifest, (&outcome[number], against))?,
            Origin::Number => is_number(node, &outcome[number]).then(Vec::new)?,
        };
        sets.push(number);
        columns.push(column);
    }
    let (proposals, proposal_of) = proposals(&columns, manifest);
    Some(Mapping { sets: sets.into(), proposals, proposal_of })
}

fn origin<'d>(node: &Node<'d>, manifest: &Manifest) -> Option<Origin<'d>> {
    let text = node.text()?;
    match (text, manifest.is_regressor(), text.strip_prefix("table:")) {
        ("value", true, _) => Some(Origin::Number),
        ("label", false, _) => Some(Origin::Label),
        (_, false, Some(name)) => Some(Origin::Table { name, node: node.clone() }),
        (_, true, _) => {
            node.fault("expected \"value\": this model gives a number");
            None
        }
        (_, false, None) => {
            node.fault("expected \"label\" or \"table:NAME\" for a table `tables/NAME.csv` with a column `label`");
            None
        }
    }
}

fn is_number(node: &Node<'_>, field: &Field) -> bool {
    let is_number = matches!(field.ty, Type::Int | Type::Decimal);
    if !is_number {
        node.fault(format!("`{}` is {}; this model gives a number", field.name, field.ty.name()));
    }
    is_number
}

/// The value of each label, which is the label itself.
fn of_labels(node: &Node<'_>, manifest: &Manifest, field: &Field) -> Option<Vec<Option<Value>>> {
    let value = |label: &str| {
        let value = field.ty.parse(label).map_err(|mismatch| mismatch.to_string());
        value.and_then(|value| field.check(&value).map(|()| value).map_err(|fault| fault.to_string()))
    };
    let mut values = Vec::new();
    for (number, label) in manifest.labels.names().enumerate() {
        match value(label) {
            Ok(value) => values.push(Some(value)),
            Err(_) if is_for_out_of_scope(number, manifest) => values.push(None),
            Err(fault) => {
                node.fault(format!(
                    "the label `{label}` of {} is no value of `{}`: {fault}; say what labels mean in a table: \
                     `\"table:NAME\"`",
                    manifest.name, field.name
                ));
                return None;
            }
        }
    }
    Some(values)
}

/// Whether a label says that the input is none of the model's business.
fn is_for_out_of_scope(label: usize, manifest: &Manifest) -> bool {
    matches!(manifest.out_of_scope, ScopeCheck::Label(of) if usize::from(of) == label)
}

/// The value of each label by a table; an empty cell says that the label means nothing.
fn of_table(
    name: &str,
    node: &Node<'_>,
    manifest: &Manifest,
    (field, (_, sources, sink)): (&Field, Against<'_>),
) -> Option<Vec<Option<Value>>> {
    let path = format!("{TABLE_FOLDER}{name}.csv");
    let Some(text) = sources.get(&path) else {
        node.fault(format!("there is no file `{path}` in the configuration folder"));
        return None;
    };
    let faults_before = sink.len();
    let fault = |line: u64, message: String| sink.add(Place::line(&path, line as u32), &field.name, message);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().cloned().unwrap_or_default();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let (Some(label_at), Some(value_at)) = (column("label"), column(&field.name)) else {
        fault(1, format!("the first line names the columns `label` and `{}`", field.name));
        return None;
    };
    let mut values: HashMap<u16, Option<Value>> = HashMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                fault(e.position().map_or(1, csv::Position::line), format!("cannot be read: {e}"));
                continue;
            }
        };
        let line = record.position().map_or(1, csv::Position::line);
        let (label, cell) = (record.get(label_at).unwrap_or_default(), record.get(value_at).unwrap_or_default());
        let Some(symbol) = manifest.labels.symbol(label) else {
            fault(
                line,
                format!("{} has no label `{label}`{}", manifest.name, suggestion(label, manifest.labels.names())),
            );
            continue;
        };
        let value = if cell.is_empty() { None } else { parsed(field, cell, &|message| fault(line, message)) };
        if values.insert(symbol, value).is_some() {
            fault(line, format!("the label `{label}` stands twice"));
        }
    }
    let missing: Vec<&str> =
        manifest.labels.names().zip(0..).filter(|(_, n)| !values.contains_key(n)).map(|(name, _)| name).collect();
    if !missing.is_empty() {
        let shown = missing.iter().take(8).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        fault(1, format!("{} has labels without a row ({} of them): {shown}", manifest.name, missing.len()));
    }
    if sink.len() > faults_before {
        return None;
    }
    Some((0..manifest.labels.names().len() as u16).map(|symbol| values.remove(&symbol).flatten()).collect())
}

fn parsed(field: &Field, cell: &str, fault: &dyn Fn(String)) -> Option<Value> {
    let value = field.ty.parse(cell).map_err(|mismatch| mismatch.to_string());
    let value = value.and_then(|value| field.check(&value).map(|()| value).map_err(|fault| fault.to_string()));
    value.map_err(fault).ok()
}

/// The different proposals, in the order of the first label of each, and the one that each label means. A label that gives
/// one of the fields no value means nothing; nor does the one for what is out of scope, whatever it is called: once the others
/// are cut it would be the best that is left.
fn proposals(columns: &[Vec<Option<Value>>], manifest: &Manifest) -> (Proposals, Box<[Option<u16>]>) {
    let labels = manifest.labels.names().len();
    let mut proposals: Vec<Box<[Value]>> = Vec::new();
    let mut of_label = Vec::with_capacity(labels);
    for label in 0..labels {
        let values: Option<Box<[Value]>> = columns.iter().map(|column| column.get(label).cloned().flatten()).collect();
        let values = values.filter(|_| !is_for_out_of_scope(label, manifest));
        of_label.push(values.map(|values| match proposals.iter().position(|known| *known == values) {
            Some(known) => known as u16,
            None => {
                proposals.push(values);
                (proposals.len() - 1) as u16
            }
        }));
    }
    (proposals.into(), of_label.into())
}
