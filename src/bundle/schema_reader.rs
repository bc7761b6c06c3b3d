//! Types as configuration writes them.
//!
//! ```toml
//! subject  = "string"                                   # string, int, decimal, bool, timestamp, duration
//! channel  = ["email", "chat"]                          # one of these
//! amount   = { type = "decimal", optional = true, min = 0, max = 100000 }
//! plan     = { one_of = ["free", "pro"], default = "free" }
//! labels   = { list_of = "string", max_items = 10 }
//! ```

use std::sync::Arc;

use crate::document::{Node, Section};
use crate::domain::{Enumeration, Field, Limits, Type, suggestion};

/// Names of the plain types.
const PLAIN: [&str; 6] = ["string", "int", "decimal", "bool", "timestamp", "duration"];

/// The longest text or list that a field may declare.
const LENGTH_MAX: i64 = 1 << 20;

/// Reads a field from its declaration; `None` after noting what is wrong.
pub(super) fn field(name: &str, node: &Node<'_>) -> Option<Field> {
    field_with(name, node, &[])
}

/// Reads a field whose table also holds keys that the caller reads.
pub(super) fn field_with(name: &str, node: &Node<'_>, others: &[&'static str]) -> Option<Field> {
    if !is_name(name) {
        node.fault(
            "a name consists of letters, digits and `_`, and begins with a letter, so that conditions can use it",
        );
        return None;
    }
    if !node.is_section() {
        return short_type(node).map(|ty| Field::new(name, ty));
    }
    let section = node.section()?;
    section.allow(&["type", "one_of", "list_of", "optional", "min", "max", "max_length", "max_items", "default"]);
    section.allow(others);
    let field = long_form(name, &section);
    section.refuse_unknown();
    field
}

/// Names that can stand after a dot in a condition.
pub(super) fn is_name(name: &str) -> bool {
    const RESERVED: [&str; 4] = ["in", "true", "false", "null"];
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !RESERVED.contains(&name)
}

fn short_type(node: &Node<'_>) -> Option<Type> {
    if node.is_list() { enumeration(node) } else { plain_type(node) }
}

/// One of the types that a word names.
pub(super) fn plain_type(node: &Node<'_>) -> Option<Type> {
    let name = node.text()?;
    match name {
        "string" => Some(Type::Text),
        "int" => Some(Type::Int),
        "decimal" => Some(Type::Decimal),
        "bool" => Some(Type::Bool),
        "timestamp" => Some(Type::Time),
        "duration" => Some(Type::Duration),
        _ => {
            let hint = suggestion(name, PLAIN);
            node.fault(format!("unknown type `{name}`{hint}; a type is {} or a list of texts", PLAIN.join(", ")));
            None
        }
    }
}

fn enumeration(node: &Node<'_>) -> Option<Type> {
    let names: Vec<String> = node.texts()?.into_iter().map(str::to_owned).collect();
    if names.is_empty() {
        node.fault("a list of allowed texts needs at least one");
        return None;
    }
    match Enumeration::new(names) {
        Ok(of) => Some(Type::OneOf(Arc::new(of))),
        Err(name) => {
            node.fault(format!(
                "`{name}` is empty, stands twice, or is one of more than {} texts",
                Enumeration::NAMES_MAX
            ));
            None
        }
    }
}

fn long_form(name: &str, section: &Section<'_>) -> Option<Field> {
    let ty = declared_type(section)?;
    let mut field = Field::new(name, ty);
    if let Some(optional) = section.get("optional").and_then(|node| node.bool()) {
        field.required = !optional;
    }
    field.limits = limits(section, &field)?;
    if let Some(node) = section.get("default") {
        match field.accept(node.raw()?) {
            Ok(default) => field.default = default,
            Err(fault) => node.fault(fault.to_string()),
        }
    }
    Some(field)
}

fn declared_type(section: &Section<'_>) -> Option<Type> {
    let forms = [section.get("type"), section.get("one_of"), section.get("list_of")];
    match forms {
        [Some(plain), None, None] => plain_type(&plain),
        [None, Some(one_of), None] => enumeration(&one_of),
        [None, None, Some(list_of)] => short_type(&list_of).map(|of| Type::List(Box::new(of))),
        _ => {
            section.fault("exactly one of `type`, `one_of` and `list_of` says what the values are");
            None
        }
    }
}

fn limits(section: &Section<'_>, field: &Field) -> Option<Limits> {
    let mut limits = Limits::of(&field.ty);
    for (key, limit) in [("min", &mut limits.min), ("max", &mut limits.max)] {
        let Some(node) = section.get(key) else { continue };
        if !matches!(field.ty, Type::Int | Type::Decimal | Type::Time | Type::Duration) {
            node.fault(format!("values of type {} have no order", field.ty.name()));
            return None;
        }
        match field.ty.accept(node.raw()?) {
            Ok(value) => *limit = value.ordinal()?,
            Err(mismatch) => node.fault(mismatch.to_string()),
        }
    }
    if limits.min > limits.max {
        section.fault("`min` is above `max`");
    }
    let (key, fits) = match field.ty {
        Type::List(_) => ("max_items", true),
        Type::Text => ("max_length", true),
        _ => ("max_length", false),
    };
    if let Some(node) = section.get(key) {
        if !fits {
            node.fault(format!("values of type {} have no length", field.ty.name()));
        }
        limits.length_max = node.int(1, LENGTH_MAX)? as usize;
    }
    Some(limits)
}
