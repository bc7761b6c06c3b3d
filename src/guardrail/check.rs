//! Checking a proposal against schema, permit, consents, limits and caps.

use std::fmt;
use std::sync::Arc;

use super::grounds::Nothing;
use super::{Approved, CapRoom, Chosen, Circumstances, Grounds, limits};
use crate::bundle::{Cap, Measure, OnViolation, Outcome, Playbook};
use crate::domain::{FallbackReason, Field, Value};
use crate::rules::{Scratch, Values};

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
    reason: FallbackReason,
}

/// One check that a proposal did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which check.
    pub check: Check,
    /// The field of the outcome; of a limit perhaps several, as are the values.
    pub field: Box<str>,
    /// What the proposal says, or "nothing".
    pub value: String,
    /// What would have passed.
    pub limit: String,
    /// The number of the playbook's cap, if it is one that was not passed.
    pub cap: Option<usize>,
    /// The number of the playbook's limit, if it is one that was passed.
    pub of_limit: Option<usize>,
    /// Whether the value is too small, rather than too large.
    pub is_below: bool,
}

/// A proposal that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Passed {
    /// What it came to.
    pub outcome: Approved<Outcome>,
    /// Limits that it was beyond and caps that did not leave room for all of it: the values were moved.
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
    /// The playbook's limits, in the light of the event and the customer.
    Limit,
    /// The caps leave room for it.
    Cap,
}

/// Checks a proposal; or says everything that is wrong with it. `chosen` says what of it a model has chosen.
///
/// Values that are missing, or not of their type or within their field's limits, cannot be checked further. Otherwise every
/// check is made, whatever those before it say. What was moved on the way is checked again: nothing is let out that is beyond
/// a limit.
///
/// Cost: a comparison or two per field, one per required consent and cap, and each limit's expressions.
pub fn check<V: Values>(
    proposal: Proposal,
    chosen: Option<Chosen<'_>>,
    grounds: &Grounds<'_, V>,
    scratch: &mut Scratch,
) -> Result<Passed, Refused> {
    let playbook = grounds.playbook;
    let (mut values, mut violations) = permitted(proposal, playbook)?;
    violations.extend(missing_consents(&values, playbook, grounds.circumstances));
    let (beyond, mut clamped) = limits::hold(&mut values, chosen, grounds, scratch);
    violations.extend(beyond);
    for (number, cap) in playbook.caps.iter().enumerate() {
        let room = grounds.circumstances.room(number);
        let Some(takes) = cap.takes(&values).filter(|takes| *takes > room.left.max(0)) else { continue };
        let violation = over_cap((number, cap), takes, room, playbook);
        match lowered(cap, room.left, chosen, playbook) {
            Some((field, value)) => {
                values[field] = value;
                clamped.push(violation);
            }
            None => violations.push(violation),
        }
    }
    if violations.is_empty() && !clamped.is_empty() {
        violations = limits::hold_again(&values, grounds, scratch);
    }
    if violations.is_empty() {
        let outcome = Approved::new(Outcome::new(Arc::clone(&playbook.outcome), values.into()));
        Ok(Passed { outcome, clamped })
    } else {
        Err(Refused::of(violations, clamped))
    }
}

/// Checks a playbook's default, which is the safe action: limits leave it alone, and it passes whatever is seen.
pub fn check_default(playbook: &Playbook) -> Result<Approved<Outcome>, Refused> {
    let proposal = Proposal { values: playbook.default.values.iter().cloned().map(Some).collect() };
    let grounds = Grounds { playbook, circumstances: &Circumstances::default(), values: &Nothing };
    check(proposal, None, &grounds, &mut Scratch::default()).map(|passed| passed.outcome)
}

/// The values of a proposal that the schema allows, with what the permit says against them.
fn permitted(proposal: Proposal, playbook: &Playbook) -> Result<(Vec<Value>, Vec<Violation>), Refused> {
    let mut violations = Vec::new();
    let mut values = Vec::with_capacity(playbook.outcome.fields().len());
    let mut proposed = proposal.values.into_iter();
    let mut is_sound = true;
    for (number, field) in playbook.outcome.fields().iter().enumerate() {
        let mut violated = |check, value: String, limit: String| {
            is_sound &= check != Check::Schema;
            violations.push(Violation::of(check, field, value, limit));
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
    if is_sound { Ok((values, violations)) } else { Err(Refused::of(violations, Vec::new())) }
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
        let value = field.ty.show(&required.action).to_string();
        Violation::of(Check::Consent, field, value, format!("consent to `{}`", required.purpose))
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
    Violation { cap: Some(number), ..Violation::of(Check::Cap, field, value, limit) }
}

/// The amount that a clamping cap leaves, if so little may be let out.
fn lowered(cap: &Cap, room: i64, chosen: Option<Chosen<'_>>, playbook: &Playbook) -> Option<(usize, Value)> {
    let (OnViolation::Clamp, Measure::Amount(number)) = (cap.on_violation, cap.measure) else { return None };
    let value = playbook.outcome.fields().get(number)?.at_ordinal(room);
    (room > 0 && let_out(number, &value, chosen, playbook)).then_some((number, value))
}

/// Whether a value may be let out in place of a proposed one: the schema, the permit, and what a model may choose where it
/// chose the value, allow it.
pub(super) fn let_out(number: usize, value: &Value, chosen: Option<Chosen<'_>>, playbook: &Playbook) -> bool {
    let field = &playbook.outcome.fields()[number];
    field.check(value).is_ok()
        && playbook.permit.violation(number, field, value).is_none()
        && chosen.is_none_or(|chosen| chosen.allows(number, field, value, playbook))
}

impl Refused {
    /// What was refused; what would only have been moved stands at the end, for it was not passed either.
    fn of(mut violations: Vec<Violation>, clamped: Vec<Violation>) -> Self {
        let reason = match violations.iter().map(|violation| violation.check).min() {
            Some(Check::Cap) => FallbackReason::CapReached,
            Some(Check::Limit) => FallbackReason::LimitPassed,
            Some(Check::Consent) => FallbackReason::ConsentMissing,
            Some(Check::Schema | Check::Permit) | None => FallbackReason::GuardrailRefused,
        };
        violations.extend(clamped);
        Self { violations, reason }
    }

    /// Every check that was not passed.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Why the default takes the proposal's place: what the first check that failed stands for.
    pub fn reason(&self) -> FallbackReason {
        self.reason
    }
}

impl Violation {
    fn of(check: Check, field: &Field, value: String, limit: String) -> Self {
        Self { check, field: field.name.clone(), value, limit, cap: None, of_limit: None, is_below: false }
    }

    /// The numbers of the outcome's fields that are refused.
    pub fn fields<'p>(&self, playbook: &'p Playbook) -> impl Iterator<Item = usize> + use<'p> {
        let of_limit = self.of_limit.and_then(|number| playbook.limits.get(number));
        let own = if of_limit.is_none() { playbook.outcome.field_number(&self.field) } else { None };
        of_limit.into_iter().flat_map(|limit| limit.fields.iter().copied()).chain(own)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schema => "schema",
            Self::Permit => "permit",
            Self::Consent => "consent",
            Self::Limit => "limit",
            Self::Cap => "cap",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.check {
            Check::Schema | Check::Limit | Check::Cap => write!(f, "{} = {}: {}", self.field, self.value, self.limit),
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
        let grounds = Grounds { playbook, circumstances: &Circumstances::default(), values: &Nothing };
        check(Proposal { values }, None, &grounds, &mut Scratch::default()).map(|passed| passed.outcome)
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
