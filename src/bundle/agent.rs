//! Agents of a bundle, and how a playbook uses one.

use std::sync::Arc;

use crate::agents::{Budget, CachePolicy, Choose, Prompt, Target, Template};
use crate::document::Place;
use crate::domain::{Money, Raw, Value};
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
    /// Which of them first.
    pub choose: Choose,
    /// Who answers for it.
    pub owner: Arc<str>,
    /// What it is for, in its author's words.
    pub description: Option<Arc<str>>,
    /// The purposes that it may serve.
    pub consent_scope: Box<[Box<str>]>,
    /// What it is given.
    pub inputs: Box<[AgentInput]>,
    /// What the model is told before anything else.
    pub instructions: Box<str>,
    /// The words around the inputs.
    pub template: Template,
    /// Examples that the model is shown.
    pub examples: Box<[AgentExample]>,
    /// Tokens that the prompt may have, as they are estimated.
    pub context_tokens: usize,
    /// Tokens that the answer may have.
    pub answer_tokens: u32,
    /// How freely the model may choose its words, in thousandths.
    pub temperature_milli: u16,
    /// Bytes of a reason in the model's own words; 0 if none is asked for.
    pub reason_bytes_max: usize,
    /// What its questions may cost in a day, in all playbooks together.
    pub budget: Option<Budget>,
    /// What one question may cost at most.
    pub cost_max: Option<Money>,
    /// The chance of an answer in time, in thousandths, below which no model is asked.
    pub chance_min_milli: u16,
    /// Whether an answer may be kept, and for how long.
    pub cache: Option<CachePolicy>,
    /// Whether a kept answer may be given to whoever asks the very same: nothing that it reads is anybody's own.
    pub is_shared: bool,
}

/// An input of an agent.
#[derive(Clone, Debug)]
pub struct AgentInput {
    /// Its name, as in `{{name}}`.
    pub name: Box<str>,
    /// Where it comes from: a name of the playbook's conditions, such as `event.subject`.
    pub from: Box<str>,
    /// The word for the type that it must have, such as `string`; `None` for any.
    pub ty: Option<Box<str>>,
    /// What stands before it where the agent has no template of its own.
    pub label: Box<str>,
    /// Whether somebody else has written it, such as a customer; `None` if its author has not said.
    pub is_untrusted: Option<bool>,
    /// Characters of it that are given at most.
    pub chars_max: usize,
    /// Whether it is, or may be, anybody's own.
    pub is_personal: bool,
}

/// An example for the model.
#[derive(Clone, Debug)]
pub struct AgentExample {
    /// Where it stands.
    pub place: Place,
    /// The key under which it stands.
    pub key: String,
    /// What is given, by the number of the input.
    pub given: Box<[Option<Raw>]>,
    /// What to answer, by the name of the field; a reason by `reason`.
    pub answer: Box<[(Box<str>, Raw)]>,
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
    /// Its prompt, with everything that is the same for all questions.
    pub prompt: Prompt,
}

/// The values that may be chosen, for each field that an agent sets; of a list what each of its items may be. `None` for whatever field
/// and guardrail allow.
pub type Choices = Box<[Option<Box<[Value]>>]>;

impl Agent {
    /// Whether it may serve a purpose.
    pub fn serves(&self, purpose: &str) -> bool {
        self.consent_scope.iter().any(|served| **served == *purpose)
    }
}

impl AgentKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Advisory, Self::Executor, Self::Escalation];

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
