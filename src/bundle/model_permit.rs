//! What models may choose in place of a rule's answer.

use super::{Permit, Permitted};
use crate::domain::{Field, Value};

/// What a rule, a table or the default lets models choose: their `permit`. A field that it does not name stays as the rule says.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelPermit {
    /// Per field of the outcome; `None` for what no model may choose.
    pub(crate) fields: Box<[Option<Choice>]>,
}

/// What a model may choose of one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice {
    /// Whatever the guardrail lets out.
    Any,
    /// Only these.
    Only(Permitted),
}

impl ModelPermit {
    /// Whether a model may choose the numbered field at all.
    pub fn is_open(&self, number: usize) -> bool {
        matches!(self.fields.get(number), Some(Some(_)))
    }

    /// Whether a model may choose this value of the numbered field, and the guardrail's own permit and the field's limits let
    /// it out.
    pub fn allows(&self, number: usize, field: &Field, value: &Value, guardrail: &Permit) -> bool {
        let is_chosen = match self.fields.get(number) {
            Some(Some(Choice::Any)) => true,
            Some(Some(Choice::Only(permitted))) => permitted.allows(value),
            Some(None) | None => false,
        };
        is_chosen && field.check(value).is_ok() && guardrail.violation(number, field, value).is_none()
    }

    /// What it narrows a field to, beyond what the guardrail lets out.
    pub(super) fn narrowed(&self, number: usize) -> Option<&Permitted> {
        match self.fields.get(number) {
            Some(Some(Choice::Only(permitted))) => Some(permitted),
            _ => None,
        }
    }

    /// What may be chosen of a field, as people write it; `None` for what may not be chosen.
    pub fn describe(&self, number: usize, field: &Field) -> Option<String> {
        match self.fields.get(number)?.as_ref()? {
            Choice::Any => Some("any".to_owned()),
            Choice::Only(permitted) => Some(permitted.describe(field)),
        }
    }
}
