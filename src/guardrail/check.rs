//! Checking a proposal against schema, permit, consents and caps.

use std::fmt;
use std::sync::Arc;

use super::{Approved, CapRoom, Circumstances};
use crate::bundle::{Cap, Measure, OnViolation, Outcome, Playbook};
use crate::domain::{FallbackReason, Value};

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
    /// The number of the playbook's cap, if it is one that was not passed.
    pub cap: Option<usize>,
}

/// A proposal that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Passed {
    /// What it came to.
    pub outcome: Approved<Outcome>,
    /// Caps that did not leave room for all of it: the amounts were lowered.
    pub clamped: Vec<Violation>,
}

/// The guardrail's checks, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The value is there, of its field's type and within its limits.
    Schema,
    /// The value is one that the playbook may put out.
    Permit,
    /// The customer consents to it.
    Consent,
    /// The caps leave room for it.
    Cap,
}

/// Checks a proposal; or says everything that is wrong with it.
///
/// Cost: a comparison or two per field, one per required consent and cap.
pub fn check(proposal: Proposal, playbook: &Playbook, circumstances: &Circumstances) -> Result<Passed, Refused> {
    let mut violations = Vec::new();
    let mut values = Vec::with_capacity(playbook.outcome.fields().len());
    let mut proposed = proposal.values.into_iter();
    for (number, field) in playbook.outcome.fields().iter().enumerate() {
        let mut violated = |check, value: String, limit: String| {
            violations.push(Violation { check, field: field.name.clone(), value, limit, cap: None });
        };
        let Some(value) = proposed.next().flatten() else {
            violated(Check::Schema, "nothing".to_owned(), field.ty.describe());
            continue;
        };
        if let Err(fault) = field.check(&value) {
            violated(Check::Schema, field.ty.show(&value).to_string(), fault.to_string());
        }
        if let Some(limit) = playbook.permit.violation(number, field, &value) {
            violated(Check::Permit, field.ty.show(&value).to_string(), limit);
        }
        values.push(value);
    }
    if !violations.is_empty() {
        return Err(Refused { violations });
    }
    violations.extend(missing_consents(&values, playbook, circumstances));
    let mut clamped = Vec::new();
    for (number, cap) in playbook.caps.iter().enumerate() {
        let room = circumstances.room(number);
        let Some(takes) = cap.takes(&values).filter(|takes| *takes > room.left.max(0)) else { continue };
        let violation = over_cap((number, cap), takes, room, playbook);
        match lowered(cap, room.left, playbook) {
            Some((field, value)) => {
                values[field] = value;
                clamped.push(violation);
            }
            None => violations.push(violation),
        }
    }
    if violations.is_empty() {
        let outcome = Approved::new(Outcome::new(Arc::clone(&playbook.outcome), values.into()));
        Ok(Passed { outcome, clamped })
    } else {
        Err(Refused { violations })
    }
}

fn missing_consents<'a>(
    values: &'a [Value],
    playbook: &'a Playbook,
    circumstances: &'a Circumstances,
) -> impl Iterator<Item = Violation> + use<'a> {
    let missing = playbook.consents.iter().enumerate().filter(|(number, required)| {
        values.get(required.field) == Some(&required.action) && !circumstances.is_consented(*number)
    });
    missing.map(|(_, required)| {
        let field = &playbook.outcome.fields()[required.field];
        Violation {
            check: Check::Consent,
            field: field.name.clone(),
            value: field.ty.show(&required.action).to_string(),
            limit: format!("consent to `{}`", required.purpose),
            cap: None,
        }
    })
}

fn over_cap((number, cap): (usize, &Cap), takes: i64, room: CapRoom, playbook: &Playbook) -> Violation {
    let field = &playbook.outcome.fields()[cap.counted_field()];
    let value = match cap.measure {
        Measure::Count => field.ty.show(&cap.action).to_string(),
        Measure::Amount(_) => cap.show(takes, &playbook.outcome),
    };
    let [left, max] = [room.left.max(0), cap.max].map(|amount| cap.show(amount, &playbook.outcome));
    let over = cap.over.map_or_else(String::new, |over| format!(" within {over}"));
    let again = room.again.map_or_else(String::new, |again| format!(", more from {again}"));
    let limit = format!("cap `{}` leaves {left} of {max}{over}{again}", cap.id);
    Violation { check: Check::Cap, field: field.name.clone(), value, limit, cap: Some(number) }
}

/// The amount that a clamping cap leaves, if the outcome's schema and permit let so little out.
fn lowered(cap: &Cap, room: i64, playbook: &Playbook) -> Option<(usize, Value)> {
    let (OnViolation::Clamp, Measure::Amount(number)) = (cap.on_violation, cap.measure) else { return None };
    let field = playbook.outcome.fields().get(number)?;
    let value = field.at_ordinal(room);
    let is_sound =
        room > 0 && field.check(&value).is_ok() && playbook.permit.violation(number, field, &value).is_none();
    is_sound.then_some((number, value))
}

impl Refused {
    /// Every check that was not passed.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Why the default takes the proposal's place: what the first check that failed stands for.
    pub fn reason(&self) -> FallbackReason {
        match self.violations.iter().map(|violation| violation.check).min() {
            Some(Check::Cap) => FallbackReason::CapReached,
            Some(Check::Consent) => FallbackReason::ConsentMissing,
            Some(Check::Schema | Check::Permit) | None => FallbackReason::GuardrailRefused,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schema => "schema",
            Self::Permit => "permit",
            Self::Consent => "consent",
            Self::Cap => "cap",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.check {
            Check::Schema | Check::Cap => write!(f, "{} = {}: {}", self.field, self.value, self.limit),
            Check::Consent => write!(f, "{} = {} needs {}", self.field, self.value, self.limit),
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
        check(Proposal { values }, playbook, &Circumstances::default()).map(|passed| passed.outcome)
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
