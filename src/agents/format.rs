//! The form of an answer: an object with a member for each field that may be chosen.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{reading, schema};
use crate::domain::{Field, Value};

/// The form of an answer: a JSON object with these members and no other.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerFormat {
    fields: Box<[AnswerField]>,
    /// Bytes of a reason in the model's own words; 0 if none is asked for.
    reason_bytes_max: usize,
    /// The name of the member that holds the reason.
    reason: Box<str>,
    schema: Arc<str>,
}

/// A member of the answer: a field of the outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerField {
    /// The field, with its type and limits.
    pub field: Field,
    /// The values that may be chosen; for a list, what each of its items may be. `None` for whatever the field allows.
    pub choices: Option<Box<[Value]>>,
}

/// An answer of the asked form.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The values, in the order of the format's fields.
    pub values: Box<[Value]>,
    /// Why, in the model's own words.
    pub reason: Option<Box<str>>,
}

/// Why a text is not an answer of the asked form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(pub String);

impl AnswerFormat {
    /// Bytes that the text of an answer may have: more is refused before it is read.
    pub const TEXT_BYTES_MAX: usize = 1 << 16;

    /// The form with these fields, whose names are all different, and a reason of at most so many bytes; 0: none is asked for.
    pub fn new(fields: Vec<AnswerField>, reason_bytes_max: usize) -> Self {
        let mut reason = String::from("reason");
        while fields.iter().any(|known| *known.field.name == *reason) {
            reason.push('_');
        }
        let schema = schema::written(&fields, (reason_bytes_max > 0).then_some((&*reason, reason_bytes_max)));
        Self { fields: fields.into(), reason_bytes_max, reason: reason.into(), schema: schema.into() }
    }

    /// The form as a JSON Schema, within what both strict hosted models and local grammars understand.
    pub fn schema(&self) -> &Arc<str> {
        &self.schema
    }

    /// The members, without the reason.
    pub fn fields(&self) -> &[AnswerField] {
        &self.fields
    }

    /// The name of the member that says why, and the bytes that it may have; `None` if no reason is asked for.
    pub fn reason(&self) -> Option<(&str, usize)> {
        (self.reason_bytes_max > 0).then_some((&*self.reason, self.reason_bytes_max))
    }

    /// Reads what a model has said, whatever its server has promised of it: one JSON object, bare, fenced or amid other words,
    /// with exactly the asked members, each of them within the field's limits and among the choices.
    pub fn read(&self, text: &str) -> Result<Answer, Misfit> {
        reading::answer(self, text)
    }

    /// An answer as a model would write it.
    pub fn write(&self, answer: &Answer) -> String {
        let written = serde_json::to_string(&Written { format: self, answer });
        // INVARIANT: values and texts are always JSON; a map of texts cannot fail either.
        written.unwrap_or_default()
    }
}

impl AnswerField {
    /// A field with whatever it allows.
    pub fn open(field: Field) -> Self {
        Self { field, choices: None }
    }

    /// Whether a value may be chosen.
    pub fn allows(&self, value: &Value) -> bool {
        let is_choice = |value: &Value| self.choices.as_ref().is_none_or(|choices| choices.contains(value));
        let are_choices = match value {
            Value::List(items) => items.iter().all(is_choice),
            value => is_choice(value),
        };
        are_choices && self.field.check(value).is_ok()
    }
}

impl Misfit {
    /// Characters of a misfit that are kept: what a model says is no shorter for being wrong.
    const CHARACTERS_MAX: usize = 400;

    /// A misfit, cut to what is worth keeping.
    pub(super) fn new(message: impl fmt::Display) -> Self {
        let message = message.to_string();
        match message.char_indices().nth(Self::CHARACTERS_MAX) {
            Some((end, _)) => Self(format!("{}…", &message[..end])),
            None => Self(message),
        }
    }
}

/// An answer with its form.
struct Written<'a> {
    format: &'a AnswerFormat,
    answer: &'a Answer,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((name, _)) = self.format.reason() {
            map.serialize_entry(name, self.answer.reason.as_deref().unwrap_or_default())?;
        }
        for (AnswerField { field, .. }, value) in self.format.fields.iter().zip(&self.answer.values) {
            map.serialize_entry(&*field.name, &field.ty.show(value))?;
        }
        map.end()
    }
}
