//! What an agent said of a decision, as people and programs read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::agents::Call;
use crate::bundle::Playbook;
use crate::decider::{AgentSaid, AgentWord, Consulted};
use crate::domain::Datum;

/// An agent that was asked for a decision: what it proposed, what became of that, and what it cost.
#[derive(Clone, Debug, Serialize, PartialEq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct AgentShown {
    /// The agent's id and version.
    pub agent: String,
    /// What it may do: `advisory`, `executor` or `escalation`.
    pub kind: &'static str,
    /// What its word came to: `accepted`, `advised`, `not_permitted`, `unneeded`, or why it said nothing.
    pub word: &'static str,
    /// Whether its proposal passed the guardrail and is the decision.
    pub decided: bool,
    /// Whether things had changed when it had answered, so that nobody would have asked it any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub unneeded: bool,
    /// The names that it may read.
    pub reads: Vec<String>,
    /// What it proposed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "http", schema(value_type = Object, required = false))]
    pub proposed: BTreeMap<String, Datum>,
    /// Why, in the words of the model: a text that nobody has checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub reason: Option<String>,
    /// What was done for it.
    pub call: CallShown,
}

/// What was done for a question to a large model.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct CallShown {
    /// The model that answered, or was asked last, as in `openai/small`; none if none was asked.
    pub model: Option<String>,
    /// Where the answer comes from: `model`, `shared` with another decision, `cache`, or `stale`.
    pub source: &'static str,
    /// Requests that were sent, retries and hedges included.
    pub requests: u8,
    /// Requests that were sent because the first was slow.
    pub hedges: u8,
    /// Tokens of the prompts.
    pub prompt_tokens: u32,
    /// Tokens of the answers.
    pub answer_tokens: u32,
    /// What it cost, in units of the currency of the prices.
    pub cost: String,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// That an agent was asked for a decision, and what its word came to.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentReason {
    /// The agent's id and version.
    pub agent: Arc<str>,
    /// What its word came to.
    pub word: AgentWord,
    /// The model that was asked last.
    pub target: Option<Arc<str>>,
}

impl AgentShown {
    /// What the agents said that were asked, in their order; `decided` is the number of the one that decided.
    pub(super) fn of(agents: &[Consulted], decided: Option<u16>, playbook: &Playbook) -> Vec<Self> {
        let shown = |consulted: &Consulted| {
            let agent = playbook.agents.get(usize::from(consulted.agent))?;
            let (mut proposed, mut reason) = (BTreeMap::new(), None);
            if let AgentSaid::Proposed { values, reason: why, .. } = &consulted.said {
                for (set, value) in agent.sets.iter().zip(values) {
                    let field = playbook.outcome.fields().get(*set)?;
                    proposed.insert(field.name.to_string(), Datum::new(&field.ty, value.clone()));
                }
                reason = why.as_deref().map(str::to_owned);
            }
            Some(Self {
                agent: agent.name.to_string(),
                kind: agent.agent.kind.as_str(),
                word: consulted.word(agent).as_str(),
                decided: decided == Some(consulted.agent),
                unneeded: !consulted.had_a_say,
                reads: agent.slots().map(|slot| playbook.scope.declared(slot).path.to_string()).collect(),
                proposed,
                reason,
                call: CallShown::of(&consulted.call),
            })
        };
        agents.iter().filter_map(shown).collect()
    }
}

impl CallShown {
    pub(super) fn of(call: &Call) -> Self {
        Self {
            model: call.target.as_deref().map(str::to_owned),
            source: call.source.as_str(),
            requests: call.requests,
            hedges: call.hedges,
            prompt_tokens: call.prompt_tokens,
            answer_tokens: call.answer_tokens,
            cost: call.cost.to_string(),
            took_us: u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX),
        }
    }
}
