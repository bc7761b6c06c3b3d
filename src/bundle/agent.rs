//! Agents of a bundle, and how a playbook uses one.

use std::sync::Arc;

use crate::agents::{Budget, Target};
use crate::domain::Value;
use crate::rules::Slot;

/// An agent of the bundle: what a large model is asked, in which words, for how much.
#[derive(Debug)]
pub struct Agent {
    /// Its id and version, as in `ticket_router@1`.
    pub name: Arc<str>,
    /// What it may do.
    pub kind: AgentKind,
    /// The models that it may ask.
    pub targets: Arc<[Target]>,
}

/// What an agent may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentKind {
    /// Advise: what it says is in the trace, the rules' answer holds.
    Advisory,
    /// Decide, among what the matched rule permits.
    Executor,
    /// Hand over to people: it decides only among the outcomes that the playbook names for that.
    Escalation,
}

/// An agent as one of a playbook's tiers: what it is given and what it sets.
#[derive(Debug)]
pub struct AgentUse {
    /// Its id and version, as in `ticket_router@1`.
    pub name: Arc<str>,
    /// The agent.
    pub agent: Arc<Agent>,
    /// Where each of its inputs comes from; `None` for one that the playbook's purpose may not see.
    pub reads: Box<[Option<Slot>]>,
    /// The fields of the outcome that it sets.
    pub sets: Box<[usize]>,
    /// What it may choose under each of the playbook's permits, by the number of the permit; `None` where the permit does not open
    /// all of its fields, or leaves nothing of one.
    pub choices: Box<[Option<Choices>]>,
    /// The budgets that its questions draw on.
    pub budgets: Arc<[Budget]>,
}

/// The values that may be chosen, for each field that an agent sets; `None` for whatever field and guardrail allow.
pub type Choices = Box<[Option<Box<[Value]>>]>;

impl AgentKind {
    /// The word in files and traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Executor => "executor",
            Self::Escalation => "escalation",
        }
    }
}

impl AgentUse {
    /// The names that it reads.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.reads.iter().flatten().copied()
    }
}
