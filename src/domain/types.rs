//! Types, values and enumerations.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::{Decimal, Raw, TimeDelta, Timestamp, suggestion};

/// What a value can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A fixed-point decimal of four places.
    Decimal,
    /// A text.
    Text,
    /// One of a closed list of texts, held as its number in the list.
    OneOf(Arc<Enumeration>),
    /// A point in time.
    Time,
    /// A length of time.
    Duration,
    /// A list of values of one type.
    List(Box<Type>),
}

/// A closed list of texts.
#[derive(Debug)]
pub struct Enumeration {
    names: Box<[Box<str>]>,
    symbols: HashMap<Box<str>, u16>,
}

/// A value whose type is known from its schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`Type::Bool`].
    Bool(bool),
    /// Of [`Type::Int`].
    Int(i64),
    /// Of [`Type::Decimal`].
    Decimal(Decimal),
    /// Of [`Type::Text`].
    Text(Box<str>),
    /// Of [`Type::OneOf`]: the position in the enumeration.
    Symbol(u16),
    /// Of [`Type::Time`].
    Time(Timestamp),
    /// Of [`Type::Duration`].
    Duration(TimeDelta),
    /// Of [`Type::List`].
    List(Box<[Value]>),
}

/// A value that is not of the type it should be: says what would be right and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}{hint}")]
pub struct TypeMismatch {
    expected: String,
    found: String,
    hint: String,
}

// === impl Enumeration ===

impl Enumeration {
    /// Names that an enumeration may have.
    pub const NAMES_MAX: usize = 4_096;

    /// An enumeration of these names, in this order.
    ///
    /// `Err` names the text that stands twice, is empty, or the first one too many.
    pub fn new(names: Vec<String>) -> Result<Self, String> {
        if let Some(extra) = names.get(Self::NAMES_MAX) {
            return Err(extra.clone());
        }
        let mut symbols = HashMap::with_capacity(names.len());
        for (symbol, name) in (0..).zip(&names) {
            if name.is_empty() || symbols.insert(name.as_str().into(), symbol).is_some() {
                return Err(name.clone());
            }
        }
        Ok(Self { names: names.into_iter().map(String::into_boxed_str).collect(), symbols })
    }

    /// The number of a name.
    pub fn symbol(&self, name: &str) -> Option<u16> {
        self.symbols.get(name).copied()
    }

    /// The name of a number; empty for a number of another enumeration.
    pub fn name(&self, symbol: u16) -> &str {
        self.names.get(usize::from(symbol)).map_or("", |name| name)
    }

    /// All names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    fn listed(&self) -> String {
        const SHOWN: usize = 12;
        let mut text = self.names().take(SHOWN).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        if self.names.len() > SHOWN {
            text.push_str(&format!(", … ({} in all)", self.names.len()));
        }
        text
    }
}

impl PartialEq for Enumeration {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Eq for Enumeration {}

// === impl Type ===

impl Type {
    /// Checks a value from outside and types it.
    pub fn accept(&self, raw: Raw) -> Result<Value, TypeMismatch> {
        match (self, raw) {
            (Self::Bool, Raw::Bool(v)) => Ok(Value::Bool(v)),
            (Self::Int, Raw::Int(v)) => Ok(Value::Int(v)),
            (Self::Text, Raw::Text(v)) => Ok(Value::Text(v.into_boxed_str())),
            (Self::List(of), Raw::List(items)) => {
                items.into_iter().map(|item| of.accept(item)).collect::<Result<_, _>>().map(Value::List)
            }
            (Self::Int, Raw::Float(v)) => {
                let whole = Decimal::from_f64(v).ok().and_then(Decimal::to_int);
                whole.map(Value::Int).ok_or_else(|| self.mismatch(&Raw::Float(v)))
            }
            (Self::Decimal, Raw::Decimal(v)) => Ok(Value::Decimal(v)),
            (Self::Decimal, Raw::Int(v)) => {
                Decimal::from_int(v).map(Value::Decimal).ok_or_else(|| self.mismatch(&Raw::Int(v)))
            }
            (Self::Decimal, Raw::Float(v)) => {
                Decimal::from_f64(v).map(Value::Decimal).map_err(|e| self.mismatch(&Raw::Float(v)).because(&e))
            }
            (Self::Decimal | Self::OneOf(_) | Self::Time | Self::Duration, Raw::Text(text)) => self.parse(&text),
            (_, other) => Err(self.mismatch(&other)),
        }
    }

    /// Reads a value from a text such as a CSV cell; lists have their items separated by `,`.
    pub fn parse(&self, text: &str) -> Result<Value, TypeMismatch> {
        let wrong = || self.mismatch(&Raw::Text(text.to_owned()));
        match self {
            Self::Bool => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(wrong()),
            },
            Self::Int => text.parse().map(Value::Int).map_err(|_| wrong()),
            Self::Decimal => text.parse().map(Value::Decimal).map_err(|e| wrong().because(&e)),
            Self::Text => Ok(Value::Text(text.into())),
            Self::OneOf(of) => {
                of.symbol(text).map(Value::Symbol).ok_or_else(|| wrong().hinted(suggestion(text, of.names())))
            }
            Self::Time => text.parse().map(Value::Time).map_err(|_| wrong()),
            Self::Duration => text.parse().map(Value::Duration).map_err(|_| wrong()),
            Self::List(_) if text.trim().is_empty() => Ok(Value::List([].into())),
            Self::List(of) => {
                text.split(',').map(|item| of.parse(item.trim())).collect::<Result<_, _>>().map(Value::List)
            }
        }
    }

    /// A value of this type as it would come from outside: accepted again, it is the same value.
    pub fn to_raw(&self, value: &Value) -> Raw {
        match (value, self) {
            (Value::Bool(v), _) => Raw::Bool(*v),
            (Value::Int(v), _) => Raw::Int(*v),
            (Value::Decimal(v), _) => Raw::Decimal(*v),
            (Value::Symbol(symbol), Self::OneOf(of)) => Raw::Text(of.name(*symbol).to_owned()),
            (Value::Symbol(symbol), _) => Raw::Int(i64::from(*symbol)),
            (Value::Time(v), _) => Raw::Text(v.to_string()),
            (Value::Duration(v), _) => Raw::Text(v.to_string()),
            (Value::Text(v), _) => Raw::Text(v.to_string()),
            (Value::List(items), Self::List(of)) => Raw::List(items.iter().map(|item| of.to_raw(item)).collect()),
            (Value::List(items), ty) => Raw::List(items.iter().map(|item| ty.to_raw(item)).collect()),
        }
    }

    /// What a value of this type is called in messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Int => "a whole number".to_owned(),
            Self::Decimal => "a number with at most 4 decimal places".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::OneOf(of) => format!("one of {}", of.listed()),
            Self::Time => "a date and time with its zone, such as `2026-11-22T10:00:00Z`".to_owned(),
            Self::Duration => "a duration such as `50ms`, `24h` or `1h30m`".to_owned(),
            Self::List(of) => format!("a list, each item {}", of.describe()),
        }
    }

    /// The type's name in configuration and type errors.
    pub fn name(&self) -> String {
        match self {
            Self::Bool => "bool".to_owned(),
            Self::Int => "int".to_owned(),
            Self::Decimal => "decimal".to_owned(),
            Self::Text => "string".to_owned(),
            Self::OneOf(_) => "one of a list".to_owned(),
            Self::Time => "timestamp".to_owned(),
            Self::Duration => "duration".to_owned(),
            Self::List(of) => format!("list of {}", of.name()),
        }
    }

    /// The type of a list's items; of any other type, itself.
    pub fn item(&self) -> &Self {
        match self {
            Self::List(of) => of,
            other => other,
        }
    }

    /// Pairs a value with its type, for showing and writing it.
    pub fn show<'a>(&'a self, value: &'a Value) -> Shown<'a> {
        Shown { ty: self, value }
    }

    /// A value as it could have come from outside: [`Type::accept`] gives it back.
    pub fn raw(&self, value: &Value) -> Raw {
        match (self, value) {
            (_, Value::Bool(v)) => Raw::Bool(*v),
            (_, Value::Int(v)) => Raw::Int(*v),
            (_, Value::Decimal(v)) => Raw::Decimal(*v),
            (_, Value::Text(text)) => Raw::Text(text.to_string()),
            (Self::OneOf(of), Value::Symbol(symbol)) => Raw::Text(of.name(*symbol).to_owned()),
            (Self::List(of), Value::List(items)) => Raw::List(items.iter().map(|item| of.raw(item)).collect()),
            (_, Value::Time(time)) => Raw::Text(time.to_string()),
            (_, Value::Duration(duration)) => Raw::Text(duration.to_string()),
            // Of another type: nothing that this one could have been.
            (_, Value::Symbol(_) | Value::List(_)) => Raw::Null,
        }
    }

    fn mismatch(&self, found: &Raw) -> TypeMismatch {
        TypeMismatch { expected: self.describe(), found: format!("`{found}`"), hint: String::new() }
    }
}

impl TypeMismatch {
    fn because(mut self, reason: &dyn fmt::Display) -> Self {
        self.hint = format!(": {reason}");
        self
    }

    fn hinted(mut self, hint: String) -> Self {
        self.hint = hint;
        self
    }
}

// === impl Value ===

impl Value {
    /// The text of a [`Value::Text`].
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number by which ordered values of one type compare: whole numbers, decimals, times and durations.
    #[inline]
    pub fn ordinal(&self) -> Option<i64> {
        match self {
            Self::Int(v) => Some(*v),
            Self::Decimal(v) => Some(v.units()),
            Self::Time(v) => Some(v.micros()),
            Self::Duration(v) => Some(v.micros()),
            Self::Bool(_) | Self::Text(_) | Self::Symbol(_) | Self::List(_) => None,
        }
    }

    /// Bytes this value holds beyond its own size.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::List(items) => items.iter().map(|v| size_of::<Self>() + v.heap_bytes()).sum(),
            _ => 0,
        }
    }
}

/// A value together with its type: shows and serializes as people and JSON write it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    ty: &'a Type,
    value: &'a Value,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.value, self.ty) {
            (Value::Bool(v), _) => write!(f, "{v}"),
            (Value::Int(v), _) => write!(f, "{v}"),
            (Value::Decimal(v), _) => write!(f, "{v}"),
            (Value::Text(v), _) => write!(f, "{}", Raw::Text(v.to_string())),
            (Value::Symbol(v), Type::OneOf(of)) => write!(f, "\"{}\"", of.name(*v)),
            (Value::Symbol(v), _) => write!(f, "#{v}"),
            (Value::Time(v), _) => write!(f, "{v}"),
            (Value::Duration(v), _) => write!(f, "{v}"),
            (Value::List(items), ty) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{}", ty.item().show(item))?;
                }
                f.write_str("]")
            }
        }
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.value, self.ty) {
            (Value::Bool(v), _) => serializer.serialize_bool(*v),
            (Value::Int(v), _) => serializer.serialize_i64(*v),
            (Value::Decimal(v), _) => serialize_decimal(*v, serializer),
            (Value::Text(v), _) => serializer.serialize_str(v),
            (Value::Symbol(v), Type::OneOf(of)) => serializer.serialize_str(of.name(*v)),
            (Value::Symbol(v), _) => serializer.serialize_u16(*v),
            (Value::Time(v), _) => serializer.collect_str(v),
            (Value::Duration(v), _) => serializer.collect_str(v),
            (Value::List(items), ty) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(&ty.item().show(item))?;
                }
                seq.end()
            }
        }
    }
}

/// A number while a binary floating-point reader gets it back exactly, otherwise a text.
fn serialize_decimal<S: Serializer>(decimal: Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    match decimal.to_int() {
        Some(whole) => serializer.serialize_i64(whole),
        None if Decimal::from_f64(decimal.to_f64()) == Ok(decimal) => serializer.serialize_f64(decimal.to_f64()),
        None => serializer.collect_str(&decimal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels() -> Type {
        Type::OneOf(Arc::new(Enumeration::new(vec!["email".into(), "chat".into()]).unwrap()))
    }

    #[test]
    fn types_what_comes_from_json() {
        let json = |text: &str| serde_json::from_str::<Raw>(text).unwrap();
        for (ty, text, value) in [
            (Type::Int, "5", Value::Int(5)),
            (Type::Int, "5.0", Value::Int(5)),
            (Type::Decimal, "12.5", Value::Decimal("12.5".parse().unwrap())),
            (Type::Decimal, "\"0.1\"", Value::Decimal("0.1".parse().unwrap())),
            (channels(), "\"chat\"", Value::Symbol(1)),
            (Type::Duration, "\"1h\"", Value::Duration(TimeDelta::HOUR)),
            (Type::List(Box::new(Type::Int)), "[1,2]", Value::List([Value::Int(1), Value::Int(2)].into())),
        ] {
            assert_eq!(ty.accept(json(text)), Ok(value), "{text} as {}", ty.name());
        }
    }

    #[test]
    fn a_mismatch_says_what_would_be_right() {
        let wrong = |ty: Type, raw: Raw| ty.accept(raw).unwrap_err().to_string();
        insta::assert_snapshot!([
            wrong(Type::Bool, "yes".into()),
            wrong(Type::Int, 1.5.into()),
            wrong(Type::Decimal, 0.00001.into()),
            wrong(Type::Decimal, "1,50".into()),
            wrong(channels(), "emial".into()),
            wrong(channels(), "x".into()),
            wrong(Type::Time, "2026-11-22".into()),
            wrong(Type::Duration, "5".into()),
            wrong(Type::Text, Raw::Map(vec![])),
            wrong(Type::List(Box::new(Type::Int)), Raw::List(vec!["a".into()])),
        ].join("\n"), @r#"
        expected true or false, found `"yes"`
        expected a whole number, found `1.5`
        expected a number with at most 4 decimal places, found `0.00001`: more than 4 decimal places
        expected a number with at most 4 decimal places, found `"1,50"`: not a decimal number
        expected one of `email`, `chat`, found `"emial"` (did you mean `email`?)
        expected one of `email`, `chat`, found `"x"`
        expected a date and time with its zone, such as `2026-11-22T10:00:00Z`, found `"2026-11-22"`
        expected a duration such as `50ms`, `24h` or `1h30m`, found `"5"`
        expected a text, found `an object of 0`
        expected a whole number, found `"a"`
        "#);
    }

    #[test]
    fn shows_values_as_people_and_json_write_them() {
        let list = Type::List(Box::new(channels()));
        let value = Value::List([Value::Symbol(1), Value::Symbol(0)].into());
        assert_eq!(list.show(&value).to_string(), r#"["chat", "email"]"#);
        assert_eq!(serde_json::to_string(&list.show(&value)).unwrap(), r#"["chat","email"]"#);
        let big = Value::Decimal(Decimal::from_units(i64::MAX));
        assert_eq!(serde_json::to_string(&Type::Decimal.show(&big)).unwrap(), "\"922337203685477.5807\"");
    }

    #[test]
    fn an_enumeration_has_each_name_once() {
        assert_eq!(Enumeration::new(vec!["a".into(), "a".into()]).unwrap_err(), "a");
        assert_eq!(Enumeration::new(vec![String::new()]).unwrap_err(), "");
    }
}
