//! A value on its own: for looking at customers and explanations.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Raw, Type, Value};

/// A value with its type, or one that was never typed. Shows as people write it, serializes as JSON has it.
///
/// ```
/// use forthwith::domain::{Datum, Type, Value};
///
/// let datum = Datum::new(&Type::Text, Value::Text("pro".into()));
/// assert_eq!(datum.to_string(), "\"pro\"");
/// assert_eq!(serde_json::to_value(&datum).unwrap(), "pro");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Datum(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Typed(Type, Value),
    Untyped(Raw),
}

impl Datum {
    /// A value of a declared type.
    pub fn new(ty: &Type, value: Value) -> Self {
        Self(Kind::Typed(ty.clone(), value))
    }

    /// A value that nobody has declared.
    pub fn untyped(raw: Raw) -> Self {
        Self(Kind::Untyped(raw))
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Typed(ty, value) => ty.show(value).fmt(f),
            Kind::Untyped(raw) => raw.fmt(f),
        }
    }
}

impl Serialize for Datum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kind::Typed(ty, value) => ty.show(value).serialize(serializer),
            Kind::Untyped(raw) => raw.serialize(serializer),
        }
    }
}
