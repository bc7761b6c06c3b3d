//! The shape of what a playbook decides, and an outcome of that shape.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::domain::{Field, Value};

/// The fields of a playbook's outcome, in the order in which they are declared.
#[derive(Debug, Default, PartialEq)]
pub struct OutcomeSchema {
    fields: Vec<Field>,
}

/// A value for every field of a schema. Serializes as an object; an outcome of a decision has passed the guardrail.
#[derive(Clone, PartialEq)]
pub struct Outcome {
    schema: Arc<OutcomeSchema>,
    values: Box<[Value]>,
}

impl OutcomeSchema {
    /// A schema of these fields; their names are unique.
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields }
    }

    /// The fields in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The number of a field.
    pub fn field_number(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| &*field.name == name)
    }
}

impl Outcome {
    /// An outcome of these values, in the order of the schema's fields. The caller has as many values as there are fields.
    pub(crate) fn new(schema: Arc<OutcomeSchema>, values: Box<[Value]>) -> Self {
        debug_assert_eq!(schema.fields.len(), values.len(), "an outcome has a value for every field");
        Self { schema, values }
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.values.get(self.schema.field_number(field)?)
    }

    /// The value of a field as a text: a string, or the name of a member of an enumeration.
    pub fn text(&self, field: &str) -> Option<&str> {
        let number = self.schema.field_number(field)?;
        match (&self.values[number], &self.schema.fields[number].ty) {
            (Value::Text(text), _) => Some(text),
            (Value::Symbol(symbol), crate::domain::Type::OneOf(of)) => Some(of.name(*symbol)),
            _ => None,
        }
    }

    /// The value of a field as a whole number.
    pub fn int(&self, field: &str) -> Option<i64> {
        match self.get(field)? {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The outcome's shape.
    pub fn schema(&self) -> &OutcomeSchema {
        &self.schema
    }

    /// The values in the order of the schema's fields.
    pub fn values(&self) -> &[Value] {
        &self.values
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outcome({self})")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (field, value)) in self.schema.fields.iter().zip(&self.values).enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{} = {}", field.name, field.ty.show(value))?;
        }
        Ok(())
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (field, value) in self.schema.fields.iter().zip(&self.values) {
            map.serialize_entry(&*field.name, &field.ty.show(value))?;
        }
        map.end()
    }
}
