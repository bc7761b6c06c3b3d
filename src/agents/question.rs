//! Everything a large model is asked with.

use std::sync::Arc;
use std::time::Duration;

use super::format::AnswerFormat;
use super::target::{Choose, Target};
use crate::domain::{Money, TraceContext};

/// A question to a large model, complete: the same values give the same question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The agent that asks, with its version, as in `ticket_router@1`.
    pub agent: Arc<str>,
    /// The bundle that it asks under, by the hash of its content: another bundle is never given an answer that was kept for this.
    pub bundle: [u8; 32],
    /// The playbook that it asks for.
    pub playbook: Arc<str>,
    /// The models that it may ask.
    pub targets: Arc<[Target]>,
    /// Which of them first.
    pub choose: Choose,
    /// The prompt.
    pub messages: Vec<Message>,
    /// The form of the answer.
    pub format: Arc<AnswerFormat>,
    /// Tokens that the answer may have.
    pub answer_tokens: u32,
    /// How freely the model may choose its words, in thousandths: 0 is as good as always the same.
    pub temperature_milli: u16,
    /// What the call could cost at most; `None` for whatever the budgets leave.
    pub cost_max: Option<Money>,
    /// The budgets that it draws on, each of them.
    pub budgets: Arc<[Budget]>,
    /// The chance of an answer in time, in thousandths, below which the model is not asked.
    pub chance_min_milli: u16,
    /// Whether an answer may be kept, and for how long.
    pub cache: Option<CachePolicy>,
    /// Whom a kept answer may be given to.
    pub sharing: Sharing,
    /// Names the decision: spreads weights and probes, in place of chance.
    pub spread: u64,
    /// Where the decision stands in a trace, for spans and for whoever is asked; no part of what is asked.
    pub trace: Option<TraceContext>,
    /// Whether the decision has a span there: then each request has one too.
    pub has_span: bool,
}

/// A part of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: Arc<str>,
}

/// Who speaks in a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The agent's author.
    System,
    /// What is asked, with what is given to it.
    User,
    /// The model, in an example.
    Assistant,
}

/// Money that may be spent within a day, by the clock's days in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Whose it is: `agent:ticket_router`, `playbook:ticket_routing`.
    pub name: Arc<str>,
    /// How much.
    pub per_day: Money,
}

/// How long an answer may stand in for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// So long it is as good as new.
    pub fresh: Duration,
    /// So long beyond that it stands in where the model has no answer in time.
    pub stale: Duration,
}

/// Whom a kept answer may be given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Whoever asks the very same: nothing in the prompt is anybody's own.
    Everyone,
    /// Only the same customer under the same consents; a hash of both.
    Customer(u128),
}

impl Role {
    /// The word in the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}
