//! Values in records: compact, for the bundle gives their types.

use serde::de::{self, DeserializeSeed, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserializer, Serialize, Serializer};

use crate::domain::{Decimal, TimeDelta, Timestamp, Type, Value};

/// Writes a value without its type: numbers of all kinds as integers, symbols by number. For records, whose bundle gives
/// the types back.
pub struct Compact<'a>(pub &'a Value);

/// Reads what [`Compact`] wrote for a value of this type.
pub struct CompactSeed<'a>(pub &'a Type);

impl Serialize for Compact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(v) => serializer.serialize_bool(*v),
            Value::Int(v) => serializer.serialize_i64(*v),
            Value::Decimal(v) => serializer.serialize_i64(v.units()),
            Value::Symbol(v) => serializer.serialize_u16(*v),
            Value::Time(v) => serializer.serialize_i64(v.micros()),
            Value::Duration(v) => serializer.serialize_i64(v.micros()),
            Value::Text(v) => serializer.serialize_str(v),
            Value::List(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(&Compact(item))?;
                }
                seq.end()
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for CompactSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CompactSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a stored value of type {}", self.0.name())
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Value, E> {
        match self.0 {
            Type::Bool => Ok(Value::Bool(v)),
            _ => Err(E::invalid_type(de::Unexpected::Bool(v), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Value, E> {
        match self.0 {
            Type::Int => Ok(Value::Int(v)),
            Type::Decimal => Ok(Value::Decimal(Decimal::from_units(v))),
            Type::Time => Ok(Value::Time(Timestamp::from_micros(v))),
            Type::Duration => Ok(Value::Duration(TimeDelta::from_micros(v))),
            Type::OneOf(of) => match u16::try_from(v) {
                Ok(symbol) if usize::from(symbol) < of.names().len() => Ok(Value::Symbol(symbol)),
                _ => Err(E::invalid_value(de::Unexpected::Signed(v), &self)),
            },
            Type::Bool | Type::Text | Type::List(_) => Err(E::invalid_type(de::Unexpected::Signed(v), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Value, E> {
        match i64::try_from(v) {
            Ok(v) => self.visit_i64(v),
            Err(_) => Err(E::invalid_value(de::Unexpected::Unsigned(v), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Value, E> {
        match self.0 {
            Type::Text => Ok(Value::Text(v.into())),
            _ => Err(E::invalid_type(de::Unexpected::Str(v), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let Type::List(of) = self.0 else {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &self));
        };
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(CompactSeed(of))? {
            items.push(item);
        }
        Ok(Value::List(items.into()))
    }
}
