//! What records are searched by.
//!
//! A record is read for its customer and its decisions only: what was seen and what the event brought is stepped over.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, SeqAccess, Visitor};

use super::RecordedDecision;
use super::record::{KIND_EVENT, KIND_FEEDBACK, KIND_LATE_ANSWER, KIND_SETTLEMENT, RecordError};
use super::record_read::{Outer, TypedValues, decision_id, next, next_seed, seq_seed};
use crate::bundle::{Bundle, CapScope, Playbook};
use crate::domain::{CustomerId, DecisionId, FallbackReason, Term, Tier, Timestamp, Type, Value};

/// The version of the terms. Raised when the same records get other ones.
pub const TERMS_VERSION: u32 = 1;

/// What a record can be searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Termed<'a> {
    /// Whom it is about.
    Customer(&'a CustomerId),
    /// That something was decided.
    Decision,
    /// That something was decided about a synthetic customer. Such a record has no term beside it but its customer, so that no other
    /// search finds it.
    Synthetic,
    /// The playbook that decided.
    Playbook(&'a str),
    /// The rule of a playbook that matched.
    Rule(&'a str, &'a str),
    /// Who decided.
    Tier(Tier),
    /// Why the default was taken, or that it was not.
    Fallback(Option<FallbackReason>),
    /// A field of the outcome and its value, as [`searchable`] writes it.
    Outcome(&'a str, &'a str),
    /// That it is feedback on a decision.
    Feedback(DecisionId),
    /// That it is a late answer to a question that was asked for a decision.
    LateAnswer(DecisionId),
    /// That it changes the accounts of global caps.
    Cap,
    /// That it is no turn: the files of a bundle.
    Bundle,
    /// That it is no turn: an input that is set aside, or released.
    SetAside,
    /// That it cannot be read; the partition of whoever it is about.
    Unreadable(u8),
}

impl Termed<'_> {
    /// Its term.
    pub fn term(self) -> Term {
        match self {
            Self::Customer(id) => Term::of(&["customer", id.as_str()]),
            Self::Decision => Term::of(&["decision"]),
            Self::Synthetic => Term::of(&["synthetic"]),
            Self::Playbook(name) => Term::of(&["playbook", name]),
            Self::Rule(playbook, rule) => Term::of(&["rule", playbook, rule]),
            Self::Tier(tier) => Term::of(&["tier", tier.as_str()]),
            Self::Fallback(reason) => Term::of(&["fallback", reason.map_or("none", FallbackReason::as_str)]),
            Self::Outcome(field, value) => Term::of(&["outcome", field, value]),
            Self::Feedback(decision) => Term::of(&["feedback", &decision.to_string()]),
            Self::LateAnswer(decision) => Term::of(&["late_answer", &decision.to_string()]),
            Self::Cap => Term::of(&["cap"]),
            Self::Bundle => Term::of(&["kind", "bundle"]),
            Self::SetAside => Term::of(&["kind", "set_aside"]),
            Self::Unreadable(partition) => Term::of(&["unreadable", &partition.to_string()]),
        }
    }
}

/// A value as it is searched by; nothing for a list.
pub fn searchable<'a>(ty: &'a Type, value: &'a Value) -> Option<Cow<'a, str>> {
    match (value, ty) {
        (Value::List(_), _) => None,
        (Value::Text(text), _) => Some(Cow::Borrowed(text)),
        (Value::Symbol(symbol), Type::OneOf(of)) => Some(Cow::Borrowed(of.name(*symbol))),
        _ => Some(Cow::Owned(ty.show(value).to_string())),
    }
}

/// Hands on what the record of a turn is searched by; returns when its input arrived.
pub fn terms_of(
    bytes: &[u8],
    bundle_at: impl FnOnce(u64) -> Option<Arc<Bundle>>,
    each: &mut dyn FnMut(Term),
) -> Result<Timestamp, RecordError> {
    let Outer { outer, bundle, mut decisions } = Outer::read(bytes, bundle_at)?;
    let seed = PersonalTerms { bundle: &bundle, decisions: &mut decisions };
    let Personal { kind, customer, of } =
        seed.deserialize(&mut rmp_serde::Deserializer::from_read_ref(outer.personal))?;
    each(Termed::Customer(&customer).term());
    if customer.is_synthetic() {
        if !decisions.is_empty() {
            each(Termed::Synthetic.term());
        }
        return Ok(Timestamp::from_micros(outer.arrival));
    }
    match (kind, of) {
        (KIND_FEEDBACK, Some(decision)) => each(Termed::Feedback(decision).term()),
        (KIND_LATE_ANSWER, Some(decision)) => each(Termed::LateAnswer(decision).term()),
        _ => {}
    }
    if !decisions.is_empty() {
        each(Termed::Decision.term());
    }
    let mut changes_caps = kind == KIND_SETTLEMENT;
    for decision in &decisions {
        let playbook = &bundle.playbooks()[decision.playbook];
        terms_of_decision(decision, playbook, each);
        let is_global = playbook.caps.iter().filter(|cap| cap.scope == CapScope::Global);
        let mut takes = is_global.filter_map(|cap| cap.takes(&decision.outcome));
        changes_caps |= takes.any(|amount| amount > 0);
    }
    if changes_caps {
        each(Termed::Cap.term());
    }
    Ok(Timestamp::from_micros(outer.arrival))
}

fn terms_of_decision(decision: &RecordedDecision, playbook: &Playbook, each: &mut dyn FnMut(Term)) {
    each(Termed::Playbook(&playbook.name).term());
    if let Some(rule) = decision.rule.and_then(|rank| playbook.rules.rules().get(rank)) {
        each(Termed::Rule(&playbook.name, &rule.id).term());
    }
    each(Termed::Tier(decision.tier).term());
    each(Termed::Fallback(decision.fallback).term());
    for (field, value) in playbook.outcome.fields().iter().zip(&decision.outcome) {
        if let Some(text) = searchable(&field.ty, value) {
            each(Termed::Outcome(&field.name, &text).term());
        }
    }
}

/// What is read of an input.
struct Personal {
    kind: u8,
    customer: CustomerId,
    /// The decision that feedback or a late answer is on.
    of: Option<DecisionId>,
}

/// Reads the kind of an input, its customer and, into the decisions' heads, their outcomes.
struct PersonalTerms<'a> {
    bundle: &'a Bundle,
    decisions: &'a mut [RecordedDecision],
}

/// Parts of an event between its customer and its decisions.
const BETWEEN: usize = 9;

seq_seed!(PersonalTerms<'_>, Personal, |self, seq| {
    let kind: u8 = next(&mut seq)?;
    let customer = next(&mut seq)?;
    if kind == KIND_EVENT {
        for _ in 0..BETWEEN {
            next::<IgnoredAny, _>(&mut seq)?;
        }
        next_seed(&mut seq, Outcomes { bundle: self.bundle, decisions: self.decisions })?;
    }
    let is_of_decision = matches!(kind, KIND_FEEDBACK | KIND_LATE_ANSWER);
    let of = if is_of_decision { Some(decision_id(&mut seq)?) } else { None };
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(Personal { kind, customer, of })
});

struct Outcomes<'a> {
    bundle: &'a Bundle,
    decisions: &'a mut [RecordedDecision],
}

seq_seed!(Outcomes<'_>, (), |self, seq| {
    for decision in self.decisions {
        let playbook = &self.bundle.playbooks()[decision.playbook];
        decision.outcome = next_seed(&mut seq, OutcomeOf(playbook))?;
    }
    Ok(())
});

struct OutcomeOf<'a>(&'a Playbook);

seq_seed!(OutcomeOf<'_>, Vec<Value>, |self, seq| {
    let types = self.0.outcome.fields().iter().map(|field| &field.ty);
    let outcome = next_seed(&mut seq, TypedValues(types.collect()))?;
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(outcome)
});
