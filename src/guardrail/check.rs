//! Checking a proposal against schema and permit.

use std::fmt;
use std::sync::Arc;

use super::Approved;
use crate::bundle::{Outcome, OutcomeSchema, Permit};
use crate::domain::Value;

/// What a tier suggests: a value per field of the outcome; `None` where it could give none.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// In the order of the schema's fields.
    pub values: Vec<Option<Value>>,
}

/// A proposal that did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    violations: Vec<Violation>,
}

/// One check that a proposal did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which check.
    pub check: Check,
    /// The field of the outcome.
    pub field: Box<str>,
    /// What the proposal says, or "nothing".
    pub value: String,
    /// What would have passed.
    pub limit: String,
}

/// The guardrail's checks, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The value is there, of its field's type and within its limits.
    Schema,
    /// The value is one that the playbook may put out.
    Permit,
}

/// Checks a proposal; or says everything that is wrong with it.
///
/// Cost: a comparison or two per field.
pub fn check(proposal: Proposal, schema: &Arc<OutcomeSchema>, permit: &Permit) -> Result<Approved<Outcome>, Refused> {
    let mut violations = Vec::new();
    let mut values = Vec::with_capacity(schema.fields().len());
    let mut proposed = proposal.values.into_iter();
    for (number, field) in schema.fields().iter().enumerate() {
        let mut violated = |check, value: String, limit: String| {
            violations.push(Violation { check, field: field.name.clone(), value, limit });
        };
        let Some(value) = proposed.next().flatten() else {
            violated(Check::Schema, "nothing".to_owned(), field.ty.describe());
            continue;
        };
        if let Err(fault) = field.check(&value) {
            violated(Check::Schema, field.ty.show(&value).to_string(), fault.to_string());
        }
        if let Some(limit) = permit.violation(number, field, &value) {
            violated(Check::Permit, field.ty.show(&value).to_string(), limit);
        }
        values.push(value);
    }
    if violations.is_empty() {
        Ok(Approved::new(Outcome::new(Arc::clone(schema), values.into())))
    } else {
        Err(Refused { violations })
    }
}

impl Refused {
    /// Every check that was not passed.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schema => "schema",
            Self::Permit => "permit",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.check {
            Check::Schema => write!(f, "{} = {}: {}", self.field, self.value, self.limit),
            Check::Permit => write!(f, "{} = {} is not permitted: {}", self.field, self.value, self.limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::tests::bundle;
    use proptest::prelude::*;

    fn checked(values: Vec<Option<Value>>) -> Result<Approved<Outcome>, Refused> {
        let bundle = bundle();
        let playbook = &bundle.playbooks()[0];
        check(Proposal { values }, &playbook.outcome, &playbook.permit)
    }

    #[test]
    fn a_sound_proposal_is_approved() {
        let approved = checked(vec![Some(Value::Symbol(1)), Some(Value::Int(2)), Some(Value::Int(60))]).unwrap();
        assert_eq!(approved.get().text("queue"), Some("cards"));
        assert_eq!(approved.get().int("sla_minutes"), Some(60));
    }

    #[test]
    fn all_violations_are_reported() {
        let refused = checked(vec![None, Some(Value::Int(9)), Some(Value::Int(6_000))]).unwrap_err();
        let shown: Vec<String> = refused.violations().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"), @"
        queue = nothing: one of `general`, `cards`, `incident`
        priority = 9: 9 is above the limit 4
        sla_minutes = 6000 is not permitted: at most 5000
        ");
    }

    proptest! {
        /// Whatever is proposed, what is approved is within schema and permit.
        #[test]
        fn nothing_beyond_a_limit_is_approved(priority in -2_i64..8, sla in -10_i64..12_000) {
            let approved = checked(vec![Some(Value::Symbol(0)), Some(Value::Int(priority)), Some(Value::Int(sla))]);
            let is_sound = (1..=4).contains(&priority) && (1..=5_000).contains(&sla);
            prop_assert_eq!(approved.is_ok(), is_sound);
        }
    }
}
