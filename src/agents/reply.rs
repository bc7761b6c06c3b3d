//! What came of a question to a large model.

use std::sync::Arc;
use std::time::Duration;

use super::format::Answer;
use crate::domain::{FallbackReason, Money};

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The answer, of the asked form; or why there is none.
    pub answer: Result<Answer, Silence>,
    /// What was done for it.
    pub call: Call,
}

/// What was done for a question. Recorded with the decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The model that answered, or was asked last, as in `openai/small`; `None` if none was.
    pub target: Option<Arc<str>>,
    /// Where the answer comes from.
    pub source: Source,
    /// Requests that were sent, retries and hedges included.
    pub requests: u8,
    /// Requests that were sent because the first was slow.
    pub hedges: u8,
    /// Tokens of the prompts, as the provider counted them, or as they were estimated where it did not.
    pub prompt_tokens: u32,
    /// Tokens of the answers.
    pub answer_tokens: u32,
    /// What it cost; what is not known is counted in full.
    pub cost: Money,
    /// How long it took.
    pub took: Duration,
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// A call of its own.
    #[default]
    Model,
    /// A call that another decision had made for the same question at the same time.
    Shared,
    /// Kept from an earlier call.
    Cache,
    /// Kept from an earlier call and no longer fresh; the model had no answer in time.
    Stale,
}

/// Why a large model gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Silence {
    /// Not before the deadline.
    Late,
    /// Not asked: too little chance of an answer in time.
    WouldBeLate,
    /// Not asked: as many requests as may be were under way.
    Shed,
    /// Not asked: the provider has failed too often lately.
    Down,
    /// Not asked: the provider takes no more requests for now.
    RateLimited,
    /// Not asked: it could have cost more than is left.
    OverBudget,
    /// Not asked, or not listened to: somebody has switched it off.
    SwitchedOff,
    /// It answered, but not in the form that it was asked for.
    Unusable,
    /// The request failed.
    Failed,
    /// Not asked: nothing of what it reads was there.
    InputUnavailable,
}

impl Source {
    /// The word in traces and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Shared => "shared",
            Self::Cache => "cache",
            Self::Stale => "stale",
        }
    }

    /// The number under which records store it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Model => 0,
            Self::Shared => 1,
            Self::Cache => 2,
            Self::Stale => 3,
        }
    }

    /// The source stored as `code`.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Model),
            1 => Some(Self::Shared),
            2 => Some(Self::Cache),
            3 => Some(Self::Stale),
            _ => None,
        }
    }
}

impl Silence {
    /// All of them, each at the place of its code.
    pub const ALL: [Self; 10] = [
        Self::Late,
        Self::WouldBeLate,
        Self::Shed,
        Self::Down,
        Self::RateLimited,
        Self::OverBudget,
        Self::SwitchedOff,
        Self::Unusable,
        Self::Failed,
        Self::InputUnavailable,
    ];

    /// The number under which records store it.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The silence stored as `code`.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The word in traces and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::WouldBeLate => "would_be_late",
            Self::Shed => "shed",
            Self::Down => "provider_down",
            Self::RateLimited => "rate_limited",
            Self::OverBudget => "over_budget",
            Self::SwitchedOff => "switched_off",
            Self::Unusable => "answer_unusable",
            Self::Failed => "failed",
            Self::InputUnavailable => "input_unavailable",
        }
    }

    /// Why the rules' answer is taken instead.
    pub const fn fallback(self) -> FallbackReason {
        match self {
            Self::Late => FallbackReason::ModelLate,
            Self::WouldBeLate => FallbackReason::WouldBeLate,
            Self::Shed => FallbackReason::ModelShed,
            Self::Down => FallbackReason::ProviderDown,
            Self::RateLimited => FallbackReason::RateLimited,
            Self::OverBudget => FallbackReason::OverBudget,
            Self::SwitchedOff => FallbackReason::SwitchedOff,
            Self::Unusable => FallbackReason::AnswerUnusable,
            Self::Failed => FallbackReason::ModelFailed,
            Self::InputUnavailable => FallbackReason::InputUnavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_silence_is_stored_under_a_number_of_its_own() {
        for silence in Silence::ALL {
            assert_eq!(Silence::from_code(silence.code()), Some(silence));
        }
        assert_eq!(Silence::from_code(10), None);
    }
}
