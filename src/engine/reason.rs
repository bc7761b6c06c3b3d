//! Why a decision came out as it did, in a sentence and in a word.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::{AgentReason, ModelReason};
use crate::agents::Silence;
use crate::decider::{AgentWord, Word};
use crate::domain::{FallbackReason, Unavailable};
use crate::guardrail::{Check, Violation};

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
    /// An agent was asked.
    Agent(AgentReason),
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

impl Reason {
    /// Rules of one table that are named as having had their say.
    pub(super) const CONTRIBUTED_MAX: usize = 32;

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
            Self::Agent(AgentReason { word, .. }) => match word {
                AgentWord::Accepted => "agent_accepted",
                AgentWord::Advised => "agent_advised",
                AgentWord::NotPermitted => "agent_not_permitted",
                AgentWord::Unneeded => "agent_unneeded",
                AgentWord::Silent(silence) => match silence {
                    Silence::Late => "agent_late",
                    Silence::WouldBeLate => "agent_would_be_late",
                    Silence::Shed => "agent_shed",
                    Silence::Down => "agent_provider_down",
                    Silence::RateLimited => "agent_rate_limited",
                    Silence::OverBudget => "agent_over_budget",
                    Silence::SwitchedOff => "agent_switched_off",
                    Silence::Unusable => "agent_answer_unusable",
                    Silence::Failed => "agent_failed",
                    Silence::InputUnavailable => "agent_input_unavailable",
                },
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
            Self::Agent(AgentReason { agent, word, target }) => {
                write!(f, "agent `{agent}` {}", agent_said(*word))?;
                match target {
                    Some(target) => write!(f, " ({target})"),
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

fn agent_said(word: AgentWord) -> &'static str {
    match word {
        AgentWord::Accepted => "decided",
        AgentWord::Advised => "advised",
        AgentWord::NotPermitted => "proposed what is not permitted",
        AgentWord::Unneeded => "was asked and is not needed any more",
        AgentWord::Silent(silence) => match silence {
            Silence::Late => "had no answer in time",
            Silence::WouldBeLate => "was not asked: an answer in time is not likely enough",
            Silence::Shed => "was not asked: too many requests are under way",
            Silence::Down => "was not asked: its provider has failed too often lately",
            Silence::RateLimited => "was not asked: its provider takes no more requests for now",
            Silence::OverBudget => "was not asked: it could have cost more than is left of a budget",
            Silence::SwitchedOff => "was not listened to: it is switched off",
            Silence::Unusable => "gave an answer that is not what it was asked for",
            Silence::Failed => "failed",
            Silence::InputUnavailable => "was not asked: nothing of what it reads is there",
        },
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
pub(super) struct Shown<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
