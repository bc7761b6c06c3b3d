//! What a playbook's guardrail lets out, field by field.

use crate::domain::{Field, Value};

/// The values that a playbook may put out: narrower than its outcome's types, and above every rule and model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Permit {
    /// Per field of the outcome; a field that is not named may have any value of its type.
    pub(crate) fields: Vec<Option<Permitted>>,
}

/// The values that one field may have.
#[derive(Clone, Debug, PartialEq)]
pub enum Permitted {
    /// These only; for a list, each of its items.
    OneOf(Vec<Value>),
    /// Ordinals from the first to the second.
    Between(i64, i64),
}

impl Permit {
    /// Everything of a field's type.
    pub fn everything() -> Self {
        Self::default()
    }

    /// The limit that a value of the numbered field passes, as people write it.
    pub fn violation(&self, number: usize, field: &Field, value: &Value) -> Option<String> {
        let permitted = self.fields.get(number)?.as_ref()?;
        if permitted.allows(value) { None } else { Some(permitted.describe(field)) }
    }
}

impl Permitted {
    pub(super) fn allows(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::OneOf(_), Value::List(items)) => items.iter().all(|item| self.allows(item)),
            (Self::OneOf(values), value) => values.contains(value),
            (Self::Between(min, max), value) => value.ordinal().is_some_and(|n| (*min..=*max).contains(&n)),
        }
    }

    pub(super) fn describe(&self, field: &Field) -> String {
        let item = match &field.ty {
            crate::domain::Type::List(of) => of,
            ty => ty,
        };
        match self {
            Self::OneOf(values) => values.iter().map(|v| item.show(v).to_string()).collect::<Vec<_>>().join(", "),
            Self::Between(min, max) => {
                let end = |ordinal: i64| field.ty.show(&field.at_ordinal(ordinal)).to_string();
                match (*min, *max) {
                    (i64::MIN, max) => format!("at most {}", end(max)),
                    (min, i64::MAX) => format!("at least {}", end(min)),
                    (min, max) => format!("{} to {}", end(min), end(max)),
                }
            }
        }
    }
}
