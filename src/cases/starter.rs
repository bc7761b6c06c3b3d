//! A first case for a playbook that has none.

use std::fmt::Write as _;

use super::event_reader::RESERVED;
use super::{CASES_ENDING, Cases};
use crate::bundle::{Bundle, Playbook};
use crate::domain::{Decimal, Field, TimeDelta, Timestamp, Type, Value};

/// A file with one case that passes: an event that the playbook decides on, and what it decides today. `None` if there is
/// no such event, because it would be beyond its bounds.
pub fn starter(bundle: &Bundle, playbook: &Playbook) -> Option<String> {
    let file = format!("{}{CASES_ENDING}", playbook.name);
    let event = event(bundle, playbook);
    let draft =
        format!("[[cases]]\nname = \"draft\"\nevent = {event}\nexpect = {{ rule = \"default\", refused = [] }}\n");
    let report = Cases::read(bundle, &file, &draft).ok()?.run();
    let case = report.cases.first()?;
    let mut expect = format!("rule = {}, outcome = {{ ", quoted(&case.rule.rule));
    for (nth, (field, value)) in case.outcome.schema().fields().iter().zip(case.outcome.values()).enumerate() {
        let comma = if nth > 0 { ", " } else { "" };
        let _ = write!(expect, "{comma}{} = {}", field.name, literal(&field.ty, value));
    }
    let name = if case.rule.origin.is_some() { &case.rule.rule } else { "nothing special" };
    Some(format!("[[cases]]\nname   = {}\nevent  = {event}\nexpect = {{ {expect} }} }}\n", quoted(name)))
}

/// An event of the first type that the playbook decides on, with what its attributes require.
fn event(bundle: &Bundle, playbook: &Playbook) -> String {
    let Some(ty) = playbook.on.first().map(|kind| &bundle.layout().events()[*kind]) else { return "{}".to_owned() };
    let required: Vec<&Field> =
        ty.attributes.iter().filter(|field| field.required && field.default.is_none()).collect();
    let mut entries: Vec<String> =
        required.iter().map(|field| format!("{} = {}", field.name, literal(&field.ty, &example(field)))).collect();
    if required.iter().any(|field| RESERVED.contains(&&*field.name)) {
        entries = vec![format!("data = {{ {} }}", entries.join(", "))];
    }
    if playbook.on.len() > 1 {
        entries.insert(0, format!("type = {}", quoted(&ty.name)));
    }
    format!("{{ {} }}", entries.join(", "))
}

/// A value that the field takes.
fn example(field: &Field) -> Value {
    let within = |n: i64| n.clamp(field.limits.min, field.limits.max);
    match &field.ty {
        Type::Bool => Value::Bool(true),
        Type::Int => Value::Int(within(1)),
        Type::Decimal => Value::Decimal(Decimal::from_units(within(10_000))),
        Type::Text => {
            let text = "something to think about";
            Value::Text(text[..text.len().min(field.limits.length_max)].into())
        }
        Type::OneOf(_) => Value::Symbol(0),
        Type::Time => Value::Time(Timestamp::from_micros(within(1_767_225_600_000_000))),
        Type::Duration => Value::Duration(TimeDelta::from_micros(within(1_000_000))),
        Type::List(_) => Value::List([].into()),
    }
}

/// A value as TOML has it.
fn literal(ty: &Type, value: &Value) -> String {
    match (ty, value) {
        (_, Value::Text(text)) => quoted(text),
        (Type::List(of), Value::List(items)) => {
            format!("[{}]", items.iter().map(|item| literal(of, item)).collect::<Vec<_>>().join(", "))
        }
        (_, Value::Duration(delta)) => quoted(&delta.to_string()),
        (ty, value) => ty.show(value).to_string(),
    }
}

/// A text as a TOML basic string, which reads JSON's escapes.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
