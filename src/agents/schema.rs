//! The JSON Schema of an answer.
//!
//! Only words that OpenAI's strict mode and the grammars of llama.cpp both understand: no `$ref`, every member required, nothing
//! else allowed, enumerations in place of conditions. Bounds that a grammar would have to count out are left to our own reading.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::format::AnswerField;
use crate::domain::{Decimal, Limits, Type, Value};

/// The longest repetition that is put into a schema: llama.cpp refuses a grammar that repeats anything 2,000 times.
const REPEATED_MAX: usize = 1_000;

/// Durations as they are written here, of at most six parts: none of them leaves the range of the type.
const DURATION: &str = "^-?([0-9]{1,6}(d|h|m|s|ms|us)){1,6}$";

/// The schema of an object with these members, and the reason first: a model that has to say why thinks before it chooses.
pub(super) fn written(fields: &[AnswerField], reason: Option<(&str, usize)>) -> String {
    // INVARIANT: names, numbers and texts are always JSON.
    serde_json::to_string(&Object { fields, reason }).unwrap_or_default()
}

struct Object<'a> {
    fields: &'a [AnswerField],
    reason: Option<(&'a str, usize)>,
}

struct Members<'a>(&'a Object<'a>);

struct Names<'a>(&'a Object<'a>);

/// What a value may be.
struct Allowed<'a> {
    ty: &'a Type,
    limits: Option<&'a Limits>,
    choices: Option<&'a [Value]>,
}

/// A text of at most so many characters.
struct TextOf(usize);

/// Values as JSON has them.
struct Listed<'a>(&'a Type, &'a [Value]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "object")?;
        map.serialize_entry("properties", &Members(self))?;
        map.serialize_entry("required", &Names(self))?;
        map.serialize_entry("additionalProperties", &false)?;
        map.end()
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((name, bytes_max)) = self.0.reason {
            map.serialize_entry(name, &TextOf(bytes_max))?;
        }
        for AnswerField { field, choices } in self.0.fields {
            let allowed = Allowed { ty: &field.ty, limits: Some(&field.limits), choices: choices.as_deref() };
            map.serialize_entry(&*field.name, &allowed)?;
        }
        map.end()
    }
}

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reason = self.0.reason.map(|(name, _)| name);
        serializer.collect_seq(reason.into_iter().chain(self.0.fields.iter().map(|known| &*known.field.name)))
    }
}

impl Serialize for TextOf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "string")?;
        if self.0 <= REPEATED_MAX {
            map.serialize_entry("maxLength", &self.0)?;
        }
        map.end()
    }
}

impl Serialize for Allowed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let (Type::Text, None) = (self.ty, self.choices) {
            return TextOf(self.limits.map_or(usize::MAX, |limits| limits.length_max)).serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        let are_texts = self.choices.is_some_and(|choices| !choices.iter().all(is_number));
        let is_text = are_texts && *self.ty == Type::Decimal;
        map.serialize_entry("type", if is_text { "string" } else { word(self.ty) })?;
        match (self.ty, self.choices) {
            (Type::List(of), choices) => {
                // A list's limits speak of how many items it has, its choices of each of them.
                map.serialize_entry("items", &Allowed { ty: of, limits: None, choices })?;
                if let Some(limits) = self.limits.filter(|limits| limits.length_max <= REPEATED_MAX) {
                    map.serialize_entry("maxItems", &limits.length_max)?;
                }
            }
            (ty, Some(choices)) if is_text => {
                let choices: Vec<String> = choices.iter().map(|choice| ty.show(choice).to_string()).collect();
                map.serialize_entry("enum", &choices)?;
            }
            (ty, Some(choices)) => map.serialize_entry("enum", &Listed(ty, choices))?,
            (Type::OneOf(of), None) => map.serialize_entry("enum", &of.names().collect::<Vec<_>>())?,
            (Type::Time, None) => map.serialize_entry("format", "date-time")?,
            (Type::Duration, None) => map.serialize_entry("pattern", DURATION)?,
            (Type::Int | Type::Decimal, None) => {
                let limits = self.limits.map_or((i64::MIN, i64::MAX), |limits| (limits.min, limits.max));
                serialize_ends::<S>(&mut map, self.ty, limits)?;
            }
            (Type::Bool | Type::Text, None) => {}
        }
        map.end()
    }
}

/// The ends of a range of numbers, where it has any; one that is no JSON number is left to our own reading.
fn serialize_ends<S: Serializer>(map: &mut S::SerializeMap, ty: &Type, (min, max): (i64, i64)) -> Result<(), S::Error> {
    for (key, end) in [("minimum", min), ("maximum", max)] {
        if end == i64::MIN || end == i64::MAX {
            continue;
        }
        let value = match ty {
            Type::Decimal => Value::Decimal(Decimal::from_units(end)),
            _ => Value::Int(end),
        };
        if is_number(&value) {
            map.serialize_entry(key, &ty.show(&value))?;
        }
    }
    Ok(())
}

/// Whether a value is no decimal that floating point cannot hold: such a one is written as a text, not as a JSON number.
fn is_number(value: &Value) -> bool {
    match value {
        Value::Decimal(decimal) => decimal.to_int().is_some() || Decimal::from_f64(decimal.to_f64()) == Ok(*decimal),
        _ => true,
    }
}

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(ty, values) = self;
        let mut seq = serializer.serialize_seq(Some(values.len()))?;
        for value in *values {
            seq.serialize_element(&ty.show(value))?;
        }
        seq.end()
    }
}

/// The word for a type.
fn word(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "boolean",
        Type::Int => "integer",
        Type::Decimal => "number",
        Type::Text | Type::OneOf(_) | Type::Time | Type::Duration => "string",
        Type::List(_) => "array",
    }
}
