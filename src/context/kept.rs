//! A value as a stored state keeps it: with its kind, so that a bundle that types it otherwise can still read it.

use super::StateError;
use super::packed::{Packer, TORN, Unpacker};
use crate::domain::{Decimal, Field, Raw, TimeDelta, Timestamp, Type, Value};

/// A stored value. Members of an enumeration go by name, so that another order of the names makes no difference.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kept<'a> {
    Plain(Value),
    Text(&'a str),
    List(Vec<Kept<'a>>),
}

const FALSE: u8 = 0;
const TRUE: u8 = 1;
const INT: u8 = 2;
const DECIMAL: u8 = 3;
const TEXT: u8 = 4;
const TIME: u8 = 5;
const DURATION: u8 = 6;
const LIST: u8 = 7;

/// Kinds of values go up to here; what packs a value may use what is above.
pub(super) const KINDS: u8 = 8;

/// Lists within lists that a stored value may have: no type has more than one.
const DEPTH_MAX: usize = 4;

/// The number of a value's kind.
pub(super) fn kind(value: &Value) -> u8 {
    match value {
        Value::Bool(false) => FALSE,
        Value::Bool(true) => TRUE,
        Value::Int(_) => INT,
        Value::Decimal(_) => DECIMAL,
        Value::Text(_) | Value::Symbol(_) => TEXT,
        Value::Time(_) => TIME,
        Value::Duration(_) => DURATION,
        Value::List(_) => LIST,
    }
}

/// Packs a value of a type, without its kind.
pub(super) fn pack(value: &Value, ty: &Type, into: &mut Packer) {
    match (value, ty) {
        (Value::Bool(_), _) => {}
        (Value::Symbol(symbol), Type::OneOf(of)) => into.text(of.name(*symbol)),
        (Value::Symbol(_), _) => into.text(""),
        (Value::Text(text), _) => into.text(text),
        (Value::List(items), ty) => {
            into.number(items.len() as u64);
            let of = if let Type::List(of) = ty { of } else { ty };
            for item in items {
                into.byte(kind(item));
                pack(item, of, into);
            }
        }
        (Value::Int(v), _) => into.signed(*v),
        (Value::Decimal(v), _) => into.signed(v.units()),
        (Value::Time(v), _) => into.signed(v.micros()),
        (Value::Duration(v), _) => into.signed(v.micros()),
    }
}

/// Reads a value of a kind.
pub(super) fn unpack<'a>(kind: u8, from: &mut Unpacker<'a>) -> Result<Kept<'a>, StateError> {
    unpack_level(kind, from, DEPTH_MAX)
}

fn unpack_level<'a>(kind: u8, from: &mut Unpacker<'a>, levels: usize) -> Result<Kept<'a>, StateError> {
    Ok(Kept::Plain(match kind {
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INT => Value::Int(from.signed()?),
        DECIMAL => Value::Decimal(Decimal::from_units(from.signed()?)),
        TEXT => return Ok(Kept::Text(from.text()?)),
        TIME => Value::Time(Timestamp::from_micros(from.signed()?)),
        DURATION => Value::Duration(TimeDelta::from_micros(from.signed()?)),
        LIST if levels > 0 => {
            let count = from.count()?;
            let mut items = Vec::with_capacity(count.min(1_024));
            for _ in 0..count {
                items.push(unpack_level(from.byte()?, from, levels - 1)?);
            }
            return Ok(Kept::List(items));
        }
        _ => return Err(TORN),
    }))
}

impl Kept<'_> {
    /// The value in a type; `None` if it does not fit.
    pub(super) fn value(&self, ty: &Type) -> Option<Value> {
        match (self, ty) {
            (Self::Text(text), Type::Text) => Some(Value::Text((*text).into())),
            (Self::Text(text), Type::OneOf(of)) => of.symbol(text).map(Value::Symbol),
            (Self::List(items), Type::List(of)) => items
                .iter()
                .map(|item| item.value(of))
                .collect::<Option<Vec<_>>>()
                .map(|items| Value::List(items.into())),
            (Self::Plain(value), ty) if is_of(value, ty) => Some(value.clone()),
            // Typed otherwise than when it was written: as if it came from outside.
            (kept, ty) => ty.accept(kept.raw()).ok(),
        }
    }

    /// The value in a field; `None` if it does not fit its type and limits.
    pub(super) fn accept(&self, field: &Field) -> Option<Value> {
        self.value(&field.ty).filter(|value| field.check(value).is_ok())
    }

    /// The value in the form in which it could have come from outside.
    pub(super) fn raw(&self) -> Raw {
        match self {
            Self::Text(text) => Raw::Text((*text).to_owned()),
            Self::List(items) => Raw::List(items.iter().map(Self::raw).collect()),
            Self::Plain(Value::Bool(v)) => Raw::Bool(*v),
            Self::Plain(Value::Int(v)) => Raw::Int(*v),
            Self::Plain(Value::Decimal(v)) => Raw::Decimal(*v),
            Self::Plain(Value::Time(v)) => Raw::Text(v.to_string()),
            Self::Plain(Value::Duration(v)) => Raw::Text(v.to_string()),
            Self::Plain(_) => Raw::Null,
        }
    }
}

fn is_of(value: &Value, ty: &Type) -> bool {
    matches!(
        (value, ty),
        (Value::Bool(_), Type::Bool)
            | (Value::Int(_), Type::Int)
            | (Value::Decimal(_), Type::Decimal)
            | (Value::Time(_), Type::Time)
            | (Value::Duration(_), Type::Duration)
    )
}
