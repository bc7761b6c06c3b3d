//! A decision as callers get it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use crate::bundle::{Bundle, BundleId, Outcome};
use crate::decider::Decided;
use crate::domain::{CustomerId, DecisionId, Durability, FallbackReason, Tier, Unavailable};
use crate::guardrail::{Approved, Violation};
use crate::rules::Miss;
use crate::turn::Made;

/// What was decided about a customer, by whom, why, and how safely it is kept.
///
/// Serializes with the names of the HTTP answer.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Its id: the same for every repetition of the event.
    pub id: DecisionId,
    /// The playbook that decided.
    pub playbook: Arc<str>,
    /// The bundle it was decided on.
    pub bundle: BundleId,
    /// Whom it is about.
    pub customer: CustomerId,
    outcome: Approved<Outcome>,
    /// What made it.
    pub tier: Tier,
    /// The rule that matched; `None` for the playbook's default.
    pub rule: Option<Arc<str>>,
    /// How sure the tier is, from 0 to 1; rules are sure.
    pub confidence: f64,
    /// Why the playbook's default was taken in place of a proposal.
    pub fallback: Option<FallbackReason>,
    /// Why it came out like this, the most telling first.
    pub reasons: SmallVec<[Reason; 2]>,
    /// How safely it was kept when it was given out.
    pub durability: Durability,
    /// Whether the event had been decided before, and this is that decision.
    pub is_duplicate: bool,
    /// The time from taking the event to giving out the decision. Not part of the record.
    pub elapsed: Duration,
}

/// One reason of a decision. Shows as a sentence; [`Reason::code`] is for machines.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// A rule matched.
    RuleMatched {
        /// Its id.
        rule: Arc<str>,
        /// What it is for.
        description: Option<Arc<str>>,
    },
    /// No rule matched.
    DefaultApplied,
    /// A value was missing, so rules that rank above could not be told.
    ValueUnavailable {
        /// The value's name; `None` for arithmetic that went wrong.
        name: Option<Arc<str>>,
        /// Why it was missing.
        reason: Unavailable,
        /// How many rules it kept from being told.
        rules: u32,
    },
    /// A value of the matched rule's outcome could not be computed.
    NotComputed {
        /// The missing value's name; `None` for arithmetic that went wrong.
        name: Option<Arc<str>>,
        /// Why it was missing.
        reason: Unavailable,
    },
    /// The guardrail refused what the rule said.
    GuardrailRefused(Violation),
}

impl Decision {
    /// What was decided.
    pub fn outcome(&self) -> &Outcome {
        self.outcome.get()
    }

    /// A decision from what the turn made of it.
    pub(super) fn of(made: Made, bundle: &Bundle, customer: CustomerId) -> Self {
        let Made { id, playbook, decided, .. } = made;
        let playbook = &bundle.playbooks()[playbook];
        let rule = decided.rule.and_then(|rank| playbook.rules.rules().get(rank));
        let name = |miss: Miss| miss.slot.map(|slot| Arc::clone(&playbook.scope.declared(slot).path));
        let mut reasons = SmallVec::new();
        let Decided { outcome, tier, fallback, skipped, refused, not_computed, .. } = decided;
        for violation in refused.iter().flat_map(|refused| refused.violations()) {
            reasons.push(Reason::GuardrailRefused(violation.clone()));
        }
        if let Some(miss) = not_computed {
            reasons.push(Reason::NotComputed { name: name(miss), reason: miss.reason });
        }
        reasons.push(match rule {
            Some(rule) => Reason::RuleMatched { rule: Arc::clone(&rule.id), description: rule.description.clone() },
            None => Reason::DefaultApplied,
        });
        for (miss, rules) in skipped.iter() {
            reasons.push(Reason::ValueUnavailable { name: name(miss), reason: miss.reason, rules });
        }
        Self {
            id,
            playbook: Arc::clone(&playbook.name),
            bundle: bundle.id(),
            customer,
            outcome,
            tier,
            rule: rule.map(|rule| Arc::clone(&rule.id)),
            confidence: 1.0,
            fallback,
            reasons,
            durability: Durability::Memory,
            is_duplicate: false,
            elapsed: Duration::ZERO,
        }
    }
}

impl Reason {
    /// The reason's name for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RuleMatched { .. } => "rule_matched",
            Self::DefaultApplied => "default_applied",
            Self::ValueUnavailable { .. } => "value_unavailable",
            Self::NotComputed { .. } => "not_computed",
            Self::GuardrailRefused(_) => "guardrail_refused",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |name: &Option<Arc<str>>| name.as_deref().unwrap_or("arithmetic").to_owned();
        match self {
            Self::RuleMatched { rule, description: Some(description) } => {
                write!(f, "rule `{rule}` matched: {description}")
            }
            Self::RuleMatched { rule, description: None } => write!(f, "rule `{rule}` matched"),
            Self::DefaultApplied => f.write_str("no rule matched; the playbook's default applies"),
            Self::ValueUnavailable { name, reason, rules } => {
                let plural = if *rules == 1 { "rule" } else { "rules" };
                write!(f, "{}: {reason}; {rules} {plural} above could not be told", named(name))
            }
            Self::NotComputed { name, reason } => {
                write!(f, "the rule's outcome could not be computed: {}: {reason}", named(name))
            }
            Self::GuardrailRefused(violation) => write!(f, "the guardrail refused {violation}"),
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reason = serializer.serialize_struct("Reason", 2)?;
        reason.serialize_field("code", self.code())?;
        reason.serialize_field("detail", &Shown(self))?;
        reason.end()
    }
}

/// Serializes as its text, without an allocation of its own.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut decision = serializer.serialize_struct("Decision", 14)?;
        decision.serialize_field("decision_id", &self.id)?;
        decision.serialize_field("playbook", &*self.playbook)?;
        decision.serialize_field("bundle", &self.bundle)?;
        decision.serialize_field("customer", &self.customer)?;
        decision.serialize_field("outcome", self.outcome())?;
        decision.serialize_field("tier", &self.tier)?;
        decision.serialize_field("rule", &self.rule.as_deref())?;
        decision.serialize_field("confidence", &self.confidence)?;
        decision.serialize_field("fallback", &self.fallback)?;
        decision.serialize_field("reasons", &self.reasons)?;
        // The place of the review that a decision may wait for.
        decision.serialize_field("review", &None::<()>)?;
        decision.serialize_field("durability", &self.durability)?;
        decision.serialize_field("duplicate", &self.is_duplicate)?;
        decision.serialize_field("elapsed_us", &(self.elapsed.as_micros() as u64))?;
        decision.end()
    }
}
