//! A decision as callers get it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use super::ModelReason;
use crate::bundle::{Bundle, BundleId, Outcome, Playbook};
use crate::decider::{Decided, Word, fallen_back};
use crate::domain::{CustomerId, DecisionId, Durability, FallbackReason, Tier, Timestamp, Unavailable};
use crate::guardrail::{Approved, Check, Refused, Violation};
use crate::rules::{HitViolation, Miss};
use crate::turn::Made;

/// What was decided about a customer, by whom, why, and how safely it is kept.
///
/// Serializes with the names of the HTTP answer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Decision {
    /// Its id: the same for every repetition of the event.
    #[serde(rename = "decision_id")]
    #[cfg_attr(feature = "http", schema(value_type = String, format = "uuid"))]
    pub id: DecisionId,
    /// The playbook that decided.
    #[serde(serialize_with = "shown")]
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub playbook: Arc<str>,
    /// The bundle it was decided on.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub bundle: BundleId,
    /// Whom it is about.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub customer: CustomerId,
    /// What was decided: the fields of the playbook's outcome.
    #[serde(serialize_with = "approved")]
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    outcome: Approved<Outcome>,
    /// What made it.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub tier: Tier,
    /// The rule that matched; `None` for the playbook's default.
    #[serde(serialize_with = "optional")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub rule: Option<Arc<str>>,
    /// The model that decided, as in `intent@3`; `None` where none did.
    #[serde(serialize_with = "optional")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub model: Option<Arc<str>>,
    /// How sure the tier is, from 0 to 1; rules are sure, and so is a model that gives a number taken to be.
    pub confidence: f64,
    /// Why the rules' answer, or the playbook's default, was taken in place of a proposal.
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub fallback: Option<FallbackReason>,
    /// Why it came out like this, the most telling first.
    #[cfg_attr(feature = "http", schema(value_type = Vec<ReasonShape>))]
    pub reasons: SmallVec<[Reason; 2]>,
    /// The place of the review that a decision may wait for.
    #[cfg_attr(feature = "http", schema(value_type = Option<Object>, required = true))]
    review: Option<()>,
    /// Until when someone must say what became of the decision; `None` if it is final.
    #[serde(serialize_with = "optional_time")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, format = DateTime, required = true))]
    pub settle_by: Option<Timestamp>,
    /// How safely it was kept when it was given out: `disk`, `memory` or `pending`.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub durability: Durability,
    /// Whether the event had been decided before, and this is that decision.
    #[serde(rename = "duplicate")]
    pub is_duplicate: bool,
    /// The time from taking the event to giving out the decision, in microseconds. Not part of the record.
    #[serde(rename = "elapsed_us", serialize_with = "micros")]
    #[cfg_attr(feature = "http", schema(value_type = u64))]
    pub elapsed: Duration,
}

/// The shape of a [`Reason`] in answers.
#[cfg(feature = "http")]
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the description of the interface")]
pub(crate) struct ReasonShape {
    /// The reason's name for machines.
    code: String,
    /// The reason for people.
    detail: String,
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
    /// Another rule of the same table had its say too.
    RuleContributed {
        /// Its id.
        rule: Arc<str>,
    },
    /// More rules had their say than are named.
    MoreContributed {
        /// How many.
        rules: usize,
    },
    /// Two rules matched that the hit policy of their table does not let match together.
    HitPolicyViolated {
        /// The hit policy.
        policy: &'static str,
        /// The table, or `rules`.
        group: Arc<str>,
        /// The rules' ids.
        rules: [Arc<str>; 2],
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
        /// Whether there may be more of them.
        or_more: bool,
    },
    /// A value of the matched rule's outcome could not be computed.
    NotComputed {
        /// The missing value's name; `None` for arithmetic that went wrong.
        name: Option<Arc<str>>,
        /// Why it was missing.
        reason: Unavailable,
    },
    /// A model was asked.
    Model(ModelReason),
    /// The guardrail refused what a model said.
    ModelRefused(Violation),
    /// The guardrail refused what the rule said.
    GuardrailRefused(Violation),
    /// A limit or a cap left room only for another value than was proposed.
    Clamped(Violation),
    /// Neither rules nor models were asked.
    NotAsked {
        /// Why.
        reason: FallbackReason,
        /// The purpose that the playbook opens the customer's context for.
        purpose: Option<Arc<str>>,
    },
}

impl Decision {
    /// What was decided.
    pub fn outcome(&self) -> &Outcome {
        self.outcome.get()
    }

    /// A decision from what the turn made of it.
    pub(super) fn of(made: Made, bundle: &Bundle, customer: CustomerId) -> Self {
        let Made { id, playbook, decided, circumstances, settle_by, .. } = made;
        let playbook = &bundle.playbooks()[playbook];
        let rule = decided.rule.and_then(|rank| playbook.rules.rules().get(rank));
        let name = |miss: Miss| miss.slot.map(|slot| Arc::clone(&playbook.scope.declared(slot).path));
        let mut reasons = SmallVec::new();
        let confidence = decided.confidence();
        let Decided { outcome, tier, fallback, skipped, refused, not_computed, others, violation, clamped, .. } =
            decided;
        let named = |number: u16| playbook.models.get(usize::from(number));
        for asked in &decided.asked {
            let Some(model) = named(asked.model) else { continue };
            let word = asked.said.word(model);
            let reason = ModelReason { model: Arc::clone(&model.name), word, confidence: asked.said.confidence() };
            reasons.push(Reason::Model(reason));
        }
        let model = decided.model.and_then(named).map(|model| Arc::clone(&model.name));
        for violation in decided.model_refused.iter().flat_map(Refused::violations) {
            reasons.push(Reason::ModelRefused(violation.clone()));
        }
        for violation in refused.iter().flat_map(Refused::violations) {
            reasons.push(Reason::GuardrailRefused(violation.clone()));
        }
        reasons.extend(clamped.into_iter().map(Reason::Clamped));
        if let Some(miss) = not_computed {
            reasons.push(Reason::NotComputed { name: name(miss), reason: miss.reason });
        }
        reasons.push(match (rule, violation) {
            (Some(rule), _) => {
                Reason::RuleMatched { rule: Arc::clone(&rule.id), description: rule.description.clone() }
            }
            (None, Some(violation)) => hit_policy_violated(playbook, violation),
            (None, None) => match circumstances.refusal {
                Some(reason) => {
                    Reason::NotAsked { reason, purpose: playbook.purpose.as_ref().map(|of| Arc::clone(&of.name)) }
                }
                None => Reason::DefaultApplied,
            },
        });
        let contributed = others.iter().filter_map(|rank| playbook.rules.rules().get(*rank as usize));
        let named = contributed.take(Reason::CONTRIBUTED_MAX);
        reasons.extend(named.map(|rule| Reason::RuleContributed { rule: Arc::clone(&rule.id) }));
        if others.len() > Reason::CONTRIBUTED_MAX {
            reasons.push(Reason::MoreContributed { rules: others.len() - Reason::CONTRIBUTED_MAX });
        }
        let or_more = skipped.is_truncated();
        for (miss, rules) in skipped.iter() {
            reasons.push(Reason::ValueUnavailable { name: name(miss), reason: miss.reason, rules, or_more });
        }
        Self {
            id,
            playbook: Arc::clone(&playbook.name),
            bundle: bundle.id(),
            customer,
            outcome,
            tier,
            rule: rule.map(|rule| Arc::clone(&rule.id)),
            model,
            confidence: confidence.as_f64(),
            fallback,
            reasons,
            review: None,
            settle_by,
            durability: Durability::Memory,
            is_duplicate: false,
            elapsed: Duration::ZERO,
        }
    }
}

impl Decision {
    /// A decision as its caller gets it, kept so safely. One that takes something of a cap is not granted before it is on
    /// disk, for a crash could grant it again: the caller gets the default under its id, and hears what was decided by asking
    /// again.
    pub(super) fn given(mut made: Made, durability: Durability, bundle: &Bundle, customer: CustomerId) -> Self {
        let playbook = &bundle.playbooks()[made.playbook];
        let is_taken = |made: &Made| {
            let outcome = made.decided.outcome.get();
            playbook.caps.iter().any(|cap| cap.takes_of(outcome).is_some())
        };
        if durability != Durability::Disk && is_taken(&made) {
            let reason = FallbackReason::InDoubt;
            made.decided = fallen_back(playbook, reason);
            made.circumstances.refusal = Some(reason);
            made.settle_by = None;
        }
        Self { durability, ..Self::of(made, bundle, customer) }
    }
}

fn hit_policy_violated(playbook: &Playbook, violation: HitViolation) -> Reason {
    let group = &playbook.rules.groups()[violation.group];
    let id = |rank: usize| Arc::clone(&playbook.rules.rules()[rank].id);
    let (first, second) = violation.rules;
    Reason::HitPolicyViolated {
        policy: group.policy.name(),
        group: Arc::clone(&group.name),
        rules: [id(first), id(second)],
    }
}

impl Reason {
    /// Rules of one table that are named as having had their say.
    const CONTRIBUTED_MAX: usize = 32;

    /// The reason's name for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RuleMatched { .. } => "rule_matched",
            Self::RuleContributed { .. } | Self::MoreContributed { .. } => "rule_contributed",
            Self::HitPolicyViolated { .. } => "hit_policy_violated",
            Self::DefaultApplied => "default_applied",
            Self::ValueUnavailable { .. } => "value_unavailable",
            Self::NotComputed { .. } => "not_computed",
            Self::Model(ModelReason { word, .. }) => match word {
                Word::Accepted => "model_accepted",
                Word::Unsure => "model_unsure",
                Word::OutOfScope => "model_out_of_scope",
                Word::NotPermitted => "model_not_permitted",
                Word::Unread => "model_input_unavailable",
                Word::Late => "model_late",
                Word::Shed => "model_shed",
                Word::Failed => "model_failed",
            },
            Self::ModelRefused(violation) | Self::GuardrailRefused(violation) if violation.check == Check::Cap => {
                "cap_reached"
            }
            Self::ModelRefused(violation) | Self::GuardrailRefused(violation) if violation.check == Check::Consent => {
                "consent_missing"
            }
            Self::ModelRefused(violation) | Self::GuardrailRefused(violation) if violation.check == Check::Limit => {
                "limit_passed"
            }
            Self::ModelRefused(_) | Self::GuardrailRefused(_) => "guardrail_refused",
            Self::Clamped(_) => "clamped",
            Self::NotAsked { reason, .. } => reason.as_str(),
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
            Self::RuleContributed { rule } => write!(f, "rule `{rule}` matched too and has its say"),
            Self::MoreContributed { rules } => write!(f, "{rules} more rules matched too and have their say"),
            Self::HitPolicyViolated { policy: "any", group, rules: [first, second] } => write!(
                f,
                "rules `{first}` and `{second}` of {group} both match and do not say the same, as the hit policy `any` \
                 demands; the playbook's default applies"
            ),
            Self::HitPolicyViolated { policy, group, rules: [first, second] } => write!(
                f,
                "rules `{first}` and `{second}` both match, which the hit policy `{policy}` of {group} does not allow; the \
                 playbook's default applies"
            ),
            Self::DefaultApplied => f.write_str("no rule matched; the playbook's default applies"),
            Self::ValueUnavailable { name, reason, rules, or_more } => {
                let plural = if *rules == 1 { "rule" } else { "rules" };
                let at_least = if *or_more { "at least " } else { "" };
                write!(f, "{}: {reason}; {at_least}{rules} {plural} could not be told", named(name))
            }
            Self::NotComputed { name, reason } => {
                write!(f, "the rule's outcome could not be computed: {}: {reason}", named(name))
            }
            Self::Model(ModelReason { model, word, confidence }) => {
                write!(f, "model `{model}` {}", said(*word))?;
                match confidence {
                    Some(confidence) => write!(f, " (confidence {confidence})"),
                    None => Ok(()),
                }
            }
            Self::ModelRefused(violation) => write!(f, "the guardrail refused what the model proposed: {violation}"),
            Self::GuardrailRefused(violation) => write!(f, "the guardrail refused {violation}"),
            Self::Clamped(violation) if violation.is_below => write!(f, "the guardrail raised {violation}"),
            Self::Clamped(violation) => write!(f, "the guardrail lowered {violation}"),
            Self::NotAsked { reason, purpose } => {
                let why = match (reason, purpose) {
                    (FallbackReason::ConsentMissing, Some(purpose)) => {
                        format!("the customer has not consented to `{purpose}`")
                    }
                    (reason, _) => not_asked(*reason).to_owned(),
                };
                write!(f, "{why}; the playbook's default applies")
            }
        }
    }
}

fn said(word: Word) -> &'static str {
    match word {
        Word::Accepted => "is sure enough",
        Word::Unsure => "is not sure enough",
        Word::OutOfScope => "takes it for none of its business",
        Word::NotPermitted => "finds nothing likely that is permitted",
        Word::Unread => "was not asked: a value that it reads is not there",
        Word::Late => "had no answer in time",
        Word::Shed => "was not asked: too many are waiting for it",
        Word::Failed => "failed",
    }
}

fn not_asked(reason: FallbackReason) -> &'static str {
    match reason {
        FallbackReason::Throttled => "as many decisions as may be within a time have been made",
        FallbackReason::Debounced => "it has not been quiet long enough since the last event",
        FallbackReason::TooManyPending => "as many decisions as may be are pending",
        FallbackReason::Late => "there was no time left to ask the rules",
        FallbackReason::InDoubt => {
            "the disk has not confirmed in time what the decision takes of a cap, so it is not granted; ask again with the \
             same event to hear what was decided"
        }
        FallbackReason::ConsentMissing => "a consent is missing",
        FallbackReason::CapReached => "a cap is reached",
        // These are told by the rule or the model that they are about.
        _ => "the proposal was refused",
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

fn shown<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn optional<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

fn approved<S: Serializer>(outcome: &Approved<Outcome>, serializer: S) -> Result<S::Ok, S::Error> {
    outcome.get().serialize(serializer)
}

fn optional_time<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(Shown).serialize(serializer)
}

fn micros<S: Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
}
