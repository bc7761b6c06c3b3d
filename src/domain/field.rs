//! A named, typed and bounded slot of an event, of a customer's facts or of an outcome.

use super::{Raw, Type, TypeMismatch, Value};

/// One slot of a schema: its name, its type and the limits of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The slot's name.
    pub name: Box<str>,
    /// What its values are.
    pub ty: Type,
    /// How small, large or long they may be.
    pub limits: Limits,
    /// Whether a value must be given.
    pub required: bool,
    /// The value that stands in where none is given.
    pub default: Option<Value>,
    /// Whether nobody can change it: what is suggested to make a rule decide leaves it alone.
    pub immutable: bool,
}

/// Bounds of a slot's values.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The smallest ordinal allowed (numbers, times, durations).
    pub min: i64,
    /// The largest ordinal allowed.
    pub max: i64,
    /// The longest text in bytes, or list in items.
    pub length_max: usize,
}

impl Limits {
    /// Bytes that a text may have when its field does not say: a long e-mail with its quoted history fits.
    pub const TEXT_BYTES: usize = 65_536;
    /// Items that a list may have when its field does not say.
    pub const LIST_ITEMS: usize = 64;

    /// The widest limits that a type has by itself.
    pub fn of(ty: &Type) -> Self {
        let length_max = if matches!(ty, Type::List(_)) { Self::LIST_ITEMS } else { Self::TEXT_BYTES };
        Self { min: i64::MIN, max: i64::MAX, length_max }
    }
}

/// A value that does not fit its field; the message follows "`name`: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldFault {
    /// Nothing was given.
    #[error("is required: {0}")]
    Missing(String),
    /// Of another type.
    #[error(transparent)]
    Type(#[from] TypeMismatch),
    /// Below the smallest or above the largest value allowed.
    #[error("{found} is {side} the limit {limit}")]
    Range {
        /// What was found.
        found: String,
        /// `below` or `above`.
        side: &'static str,
        /// The limit that it passed.
        limit: String,
    },
    /// Too long a text or list.
    #[error("has {length} {unit}, the limit is {limit}")]
    Length {
        /// How long it is.
        length: usize,
        /// `bytes` or `items`.
        unit: &'static str,
        /// How long it may be.
        limit: usize,
    },
}

impl Field {
    /// A required field with the widest limits of its type.
    pub fn new(name: &str, ty: Type) -> Self {
        Self { name: name.into(), limits: Limits::of(&ty), ty, required: true, default: None, immutable: false }
    }

    /// The same field, optional.
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Types a value from outside and checks it; `None` if nothing was given and nothing had to be.
    pub fn accept(&self, raw: Raw) -> Result<Option<Value>, FieldFault> {
        if raw == Raw::Null {
            return match (&self.default, self.required) {
                (Some(default), _) => Ok(Some(default.clone())),
                (None, true) => Err(self.missing()),
                (None, false) => Ok(None),
            };
        }
        let value = self.ty.accept(raw)?;
        self.check(&value)?;
        Ok(Some(value))
    }

    /// The fault of a required value that is not there.
    pub fn missing(&self) -> FieldFault {
        FieldFault::Missing(self.ty.describe())
    }

    /// Checks that a value of the right type is within the limits.
    pub fn check(&self, value: &Value) -> Result<(), FieldFault> {
        let Limits { min, max, length_max } = self.limits;
        if let Some(ordinal) = value.ordinal() {
            let (side, limit) = match ordinal {
                n if n < min => ("below", min),
                n if n > max => ("above", max),
                _ => return Ok(()),
            };
            let limit = self.ty.show(&self.at_ordinal(limit)).to_string();
            return Err(FieldFault::Range { found: self.ty.show(value).to_string(), side, limit });
        }
        let (length, unit) = match value {
            Value::Text(text) => (text.len(), "bytes"),
            Value::List(items) => (items.len(), "items"),
            _ => return Ok(()),
        };
        if length > length_max { Err(FieldFault::Length { length, unit, limit: length_max }) } else { Ok(()) }
    }

    /// The value of this field's type with the given ordinal.
    pub fn at_ordinal(&self, ordinal: i64) -> Value {
        match self.ty {
            Type::Decimal => Value::Decimal(super::Decimal::from_units(ordinal)),
            Type::Time => Value::Time(super::Timestamp::from_micros(ordinal)),
            Type::Duration => Value::Duration(super::TimeDelta::from_micros(ordinal)),
            _ => Value::Int(ordinal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_presence_type_range_and_length() {
        let mut priority = Field::new("priority", Type::Int);
        priority.limits = Limits { min: 1, max: 4, length_max: 0 };
        let mut subject = Field::new("subject", Type::Text).optional();
        subject.limits.length_max = 3;
        assert_eq!(priority.accept(3.into()), Ok(Some(Value::Int(3))));
        assert_eq!(subject.accept(Raw::Null), Ok(None));
        let fault = |field: &Field, raw: Raw| field.accept(raw).unwrap_err().to_string();
        assert_eq!(fault(&priority, Raw::Null), "is required: a whole number");
        assert_eq!(fault(&priority, 5.into()), "5 is above the limit 4");
        assert_eq!(fault(&priority, 0.into()), "0 is below the limit 1");
        assert_eq!(fault(&subject, "four".into()), "has 4 bytes, the limit is 3");
        assert_eq!(fault(&subject, true.into()), "expected a text, found `true`");
    }
}
