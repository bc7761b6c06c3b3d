//! What an agent said of a decision, as it is recorded, and what that comes to.

use crate::agents::{Call, Reply, Silence};
use crate::bundle::{AgentKind, AgentUse};
use crate::domain::{FallbackReason, Value};

/// An agent that was asked, what it said and what that cost. Recorded with the decision: a replay asks nobody.
#[derive(Clone, Debug, PartialEq)]
pub struct Consulted {
    /// The number of the agent among the playbook's.
    pub agent: u16,
    /// What it said.
    pub said: AgentSaid,
    /// Whether it had a say: not, if things had changed when it had answered, and nobody would have asked it any more.
    pub had_a_say: bool,
    /// What was done for it.
    pub call: Call,
}

/// What an agent said.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentSaid {
    /// Values of the fields that it sets.
    Proposed {
        /// The values, in the order of the fields that it sets.
        values: Box<[Value]>,
        /// Why, in the model's own words.
        reason: Option<Box<str>>,
        /// Whether they may be chosen, by the permit that was in force when it had answered.
        is_permitted: bool,
    },
    /// Nothing.
    Silent(Silence),
}

/// What an agent's word comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentWord {
    /// It is taken.
    Accepted,
    /// The agent may only advise.
    Advised,
    /// What it proposed is not permitted.
    NotPermitted,
    /// It had no say: nobody would have asked it any more.
    Unneeded,
    /// It said nothing.
    Silent(Silence),
}

/// The reply to an agent's question: a reading of the turn that asked.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentReply {
    /// The number of the playbook.
    pub playbook: usize,
    /// The number of the agent among the playbook's.
    pub agent: usize,
    /// What came of the question.
    pub reply: Reply,
}

impl Consulted {
    /// What its word comes to.
    pub fn word(&self, agent: &AgentUse) -> AgentWord {
        if self.had_a_say { self.said.word(agent) } else { AgentWord::Unneeded }
    }
}

impl AgentSaid {
    /// What it comes to.
    pub fn word(&self, agent: &AgentUse) -> AgentWord {
        match self {
            Self::Silent(silence) => AgentWord::Silent(*silence),
            Self::Proposed { is_permitted: false, .. } => AgentWord::NotPermitted,
            Self::Proposed { .. } if agent.agent.kind == AgentKind::Advisory => AgentWord::Advised,
            Self::Proposed { .. } => AgentWord::Accepted,
        }
    }
}

impl AgentWord {
    /// How many there are.
    pub const COUNT: usize = 4 + Silence::ALL.len();

    /// All of them, for metrics, each at its [`AgentWord::place`].
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Accepted, Self::Advised, Self::NotPermitted, Self::Unneeded]
            .into_iter()
            .chain(Silence::ALL.map(Self::Silent))
    }

    /// Its place among all.
    pub fn place(self) -> usize {
        match self {
            Self::Accepted => 0,
            Self::Advised => 1,
            Self::NotPermitted => 2,
            Self::Unneeded => 3,
            Self::Silent(silence) => 4 + usize::from(silence.code()),
        }
    }

    /// The word in traces and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Advised => "advised",
            Self::NotPermitted => "not_permitted",
            Self::Unneeded => "unneeded",
            Self::Silent(silence) => silence.as_str(),
        }
    }

    /// Why the rules' answer is taken instead; `None` if it is not.
    pub fn fallback(self) -> Option<FallbackReason> {
        match self {
            Self::Accepted | Self::Unneeded => None,
            Self::Advised => Some(FallbackReason::AdviceOnly),
            Self::NotPermitted => Some(FallbackReason::NotPermitted),
            Self::Silent(silence) => Some(silence.fallback()),
        }
    }
}
