//! The form of an answer: its JSON Schema, and reading it.

use std::sync::Arc;

use crate::domain::{Field, Value};

/// The form of an answer: a JSON object with these members and no other.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerFormat {
    fields: Box<[AnswerField]>,
    /// Bytes of a reason in the model's own words; 0 if none is asked for.
    reason_bytes_max: usize,
    schema: Arc<str>,
}

/// A member of the answer: a field of the outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerField {
    /// The field, with its type and limits.
    pub field: Field,
    /// The values that may be chosen; `None` for whatever the field allows.
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
