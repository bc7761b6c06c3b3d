//! Values as they came from outside, before a schema has typed them.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Decimal, Timestamp};

/// A value from outside: JSON's kinds, plus exact decimals from texts that carry them (TOML, CSV, the in-process API).
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// No value: as if the key were absent.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A binary floating-point number.
    Float(f64),
    /// An exact decimal.
    Decimal(Decimal),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Raw>),
    /// An object; keys are unique, their order is kept.
    Map(RawMap),
}

/// An object's entries, keys unique, in the order in which they came.
pub type RawMap = Vec<(String, Raw)>;

/// Nesting that event data may have. CloudEvents data for decisions is flat; eight leaves room and bounds the stack.
pub const DEPTH_MAX: usize = 8;

/// Members that one object may have: bounds the comparison of keys with each other.
pub const MEMBERS_MAX: usize = 256;

/// Bytes that the texts of one event may have, names included.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

impl Raw {
    /// Checks that the value could have been read: bounded in depth and width, no key twice. Values that come from a reader
    /// are; those that a program builds may not be. Returns the bytes of its texts, and one for each value.
    pub fn measure(&self) -> Result<usize, String> {
        self.measure_within(DEPTH_MAX)
    }

    fn measure_within(&self, levels: usize) -> Result<usize, String> {
        let too_deep = || format!("is nested more than {DEPTH_MAX} levels deep");
        match self {
            Self::List(items) => {
                let levels = levels.checked_sub(1).ok_or_else(too_deep)?;
                items.iter().try_fold(1, |bytes, item| Ok(bytes + item.measure_within(levels)?))
            }
            Self::Map(entries) => {
                let levels = levels.checked_sub(1).ok_or_else(too_deep)?;
                if entries.len() > MEMBERS_MAX {
                    return Err(format!("has an object with {} members, the limit is {MEMBERS_MAX}", entries.len()));
                }
                if let Some(key) = key_twice(entries) {
                    return Err(format!("has an object with the key `{key}` twice"));
                }
                entries
                    .iter()
                    .try_fold(1, |bytes, (key, value)| Ok(bytes + key.len() + value.measure_within(levels)?))
            }
            Self::Text(text) => Ok(1 + text.len()),
            _ => Ok(1),
        }
    }

    /// What kind of value this is, for error messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Int(_) => "a whole number",
            Self::Float(_) | Self::Decimal(_) => "a number with decimal places",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

impl fmt::Display for Raw {
    /// Shows the value shortened to one readable line, for error messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Float(x) => write!(f, "{x}"),
            Self::Decimal(d) => write!(f, "{d}"),
            Self::Text(text) => write!(f, "{:?}", Shortened(text)),
            Self::List(items) => write!(f, "a list of {}", items.len()),
            Self::Map(entries) => write!(f, "an object of {}", entries.len()),
        }
    }
}

/// A text cut to what fits in a message.
struct Shortened<'a>(&'a str);

impl fmt::Debug for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

macro_rules! from {
    ($($source:ty => |$value:ident| $raw:expr),* $(,)?) => {
        $(impl From<$source> for Raw {
            fn from($value: $source) -> Self {
                $raw
            }
        })*
    };
}

from! {
    bool => |v| Self::Bool(v),
    i64 => |v| Self::Int(v),
    i32 => |v| Self::Int(v.into()),
    u32 => |v| Self::Int(v.into()),
    f64 => |v| Self::Float(v),
    Decimal => |v| Self::Decimal(v),
    String => |v| Self::Text(v),
    &str => |v| Self::Text(v.to_owned()),
    Timestamp => |v| Self::Text(v.to_string()),
    Vec<Raw> => |v| Self::List(v),
}

impl<T: Into<Raw>> From<Option<T>> for Raw {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

// === reading, with a bound on depth ===

impl<'de> Deserialize<'de> for Raw {
    /// Reads JSON or MessagePack, at most [`DEPTH_MAX`] levels deep; a key given twice is an error.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Level(DEPTH_MAX).deserialize(deserializer)
    }
}

/// The first key that an object has twice.
pub fn key_twice(entries: &[(String, Raw)]) -> Option<&str> {
    let is_known = |nth: &usize| entries[..*nth].iter().any(|(known, _)| *known == entries[*nth].0);
    (1..entries.len()).find(is_known).map(|nth| entries[nth].0.as_str())
}

/// Reads a value that may nest this many levels more.
struct Level(usize);

impl Level {
    fn deeper<E: de::Error>(&self) -> Result<Self, E> {
        let left = self.0.checked_sub(1);
        left.map(Level).ok_or_else(|| E::custom(format_args!("nested more than {DEPTH_MAX} levels deep")))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Raw, E> {
        Ok(Raw::Int(v))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Raw, E> {
        i64::try_from(v).map(Raw::Int).map_err(|_| E::custom(format_args!("the number {v} is above {}", i64::MAX)))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Raw, E> {
        Ok(Raw::Float(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Raw, E> {
        Ok(Raw::Text(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Raw, E> {
        Ok(Raw::Text(v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let level = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Level(level.0))? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let level = self.deeper()?;
        let mut entries = RawMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if entries.len() == MEMBERS_MAX {
                return Err(de::Error::custom(format_args!("an object with more than {MEMBERS_MAX} members")));
            }
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(de::Error::custom(format_args!("the key `{key}` is given twice")));
            }
            entries.push((key, map.next_value_seed(Level(level.0))?));
        }
        Ok(Raw::Map(entries))
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(v) => serializer.serialize_bool(*v),
            Self::Int(v) => serializer.serialize_i64(*v),
            Self::Float(v) => serializer.serialize_f64(*v),
            Self::Decimal(v) => serializer.collect_str(v),
            Self::Text(v) => serializer.serialize_str(v),
            Self::List(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Raw, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn keeps_order_and_refuses_a_key_given_twice() {
        let raw = read(r#"{"b":1,"a":[true,null,"x",-2.5]}"#).unwrap();
        assert_eq!(serde_json::to_string(&raw).unwrap(), r#"{"b":1,"a":[true,null,"x",-2.5]}"#);
        assert!(read(r#"{"a":1,"a":2}"#).unwrap_err().starts_with("the key `a` is given twice"));
    }

    #[test]
    fn bounds_depth_in_both_formats() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert!(read(&nested(DEPTH_MAX + 1)).unwrap_err().contains("more than 8 levels"));
        let deep = vec![0x91; 500];
        assert!(rmp_serde::from_slice::<Raw>(&deep).is_err());
    }

    #[test]
    fn says_what_a_number_too_large_would_have_to_be() {
        assert!(read("18446744073709551615").unwrap_err().contains("is above 9223372036854775807"));
    }
}
