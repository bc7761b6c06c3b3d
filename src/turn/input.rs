//! What a turn is taken on, and what it consulted besides.

use std::sync::Arc;

use super::Entered;
use crate::bundle::Cap;
use crate::context::{CapKey, TypedEvent};
use crate::decider::{Answers, Asked, SlowAnswer};
use crate::domain::{CustomerId, DecisionId, FeedbackVerdict, RawMap, Settlement, Timestamp, Value};

/// What one customer's actor takes a turn on.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Something happened to the customer.
    Event(EventInput),
    /// Someone told us something about the customer.
    Facts(FactsInput),
    /// The customer allowed something, or does so no more.
    Consents(ConsentsInput),
    /// A pending decision was carried out, or was not.
    Settlement(SettlementInput),
    /// Someone looks back at a decision.
    Feedback(FeedbackInput),
}

/// An event and what is to be decided on it.
#[derive(Clone, Debug, PartialEq)]
pub struct EventInput {
    /// The event.
    pub event: TypedEvent,
    /// Which playbooks decide.
    pub run: Run,
    /// The caller's trace (W3C trace context), to be found again in the record.
    pub trace: Option<TraceId>,
}

/// The trace id of a W3C trace context.
pub type TraceId = [u8; 16];

/// Which playbooks decide on an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// The numbered one.
    Playbook(usize),
    /// All whose `on` names the event's type.
    Subscribed,
}

/// Facts about a customer.
#[derive(Clone, Debug, PartialEq)]
pub struct FactsInput {
    /// Whom they are about.
    pub customer: CustomerId,
    /// Who says so.
    pub source: Arc<str>,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// Facts by number; `None` withdraws one.
    pub facts: Vec<(usize, Option<Value>)>,
}

/// What a customer allows.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsentsInput {
    /// Who.
    pub customer: CustomerId,
    /// Who says so.
    pub source: Arc<str>,
    /// When it was said.
    pub observed_at: Timestamp,
    /// Purposes by number, and whether consent to them is given.
    pub consents: Vec<(usize, bool)>,
}

/// What became of a pending decision.
#[derive(Clone, Debug, PartialEq)]
pub struct SettlementInput {
    /// Whom it is about.
    pub customer: CustomerId,
    /// Which.
    pub decision: DecisionId,
    /// What became of it.
    pub settlement: Settlement,
}

/// What someone says of a decision when looking back at it. It changes no decision and no state; it is kept and found again.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedbackInput {
    /// Whom the decision is about.
    pub customer: CustomerId,
    /// Which.
    pub decision: DecisionId,
    /// Tells it from other feedback on the decision.
    pub id: Box<str>,
    /// Who says so.
    pub source: Arc<str>,
    /// When it was said, if its sender told.
    pub time: Option<Timestamp>,
    /// Whether the decision was right.
    pub verdict: Option<FeedbackVerdict>,
    /// Fields of the outcome as they should have been, in the order of the playbook. Untyped, so that they can be read whatever
    /// became of the playbook.
    pub corrected: RawMap,
    /// What a classifier should have told.
    pub label: Option<Box<str>>,
    /// What became of it in the end, by name.
    pub outcome: RawMap,
}

/// Everything a decision consulted besides state, input and bundle. What it made of them is recorded; a replay plays it back
/// and asks nobody.
#[derive(Clone, Debug, PartialEq)]
pub struct Readings {
    /// When the input arrived.
    pub arrival: Timestamp,
    /// Whether it is too late to decide: the caller has been answered with the default.
    pub is_late: bool,
    /// What the turn may take of global caps.
    pub leases: Vec<Lease>,
    /// Where the word of models comes from.
    pub models: ModelReadings,
    /// The record up to which the journal was searched for feedback on the decision that feedback is given on. Of no account
    /// for any other input.
    pub searched_to: u64,
}

/// Where the word of models comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelReadings {
    /// The quick ones are asked in the turn.
    Live {
        /// What slow ones have said.
        slow: Vec<SlowAnswer>,
        /// Whether a slow one that has not been asked counts as late. If not, the turn is not taken, but says whom to ask.
        is_last: bool,
    },
    /// What was recorded, by the number of the playbook; nobody is asked.
    Recorded(Vec<(usize, Vec<Asked>)>),
}

/// A slow model that must be asked before a decision can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The number of the playbook.
    pub playbook: usize,
    /// The number of the model among the playbook's.
    pub model: usize,
    /// The text that it is given, its parts on lines of their own.
    pub text: String,
}

/// A part of a global cap that is lent to a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The cap.
    pub cap: CapKey,
    /// How much of it may be taken.
    pub room: i64,
}

impl SettlementInput {
    /// The key under which the journal finds its record. Never that of a decision, whose ids have another version.
    pub fn key(&self) -> u128 {
        !self.decision.to_u128()
    }
}

impl Readings {
    /// The readings of an input that arrives in time and draws on no global cap.
    pub fn at(arrival: Timestamp) -> Self {
        Self { arrival, is_late: false, leases: Vec::new(), models: ModelReadings::default(), searched_to: 0 }
    }

    /// What a playbook's models are asked with.
    pub(super) fn answers(&self, playbook: usize) -> Answers<'_> {
        match &self.models {
            ModelReadings::Live { slow, is_last } => Answers::Live { playbook, slow, is_last: *is_last },
            ModelReadings::Recorded(by_playbook) => {
                let asked = by_playbook.iter().find(|(number, _)| *number == playbook);
                Answers::Recorded(asked.map_or(&[], |(_, asked)| asked))
            }
        }
    }

    /// Whether a slow model that has not answered is to be asked.
    pub(super) fn asks_slow_models(&self) -> bool {
        matches!(self.models, ModelReadings::Live { is_last: false, .. })
    }

    /// The readings of the next decision in the same turn: what this one took of global caps is gone.
    pub(super) fn without(&self, entered: Entered<'_>, caps: &[Cap]) -> Self {
        let mut left = self.clone();
        for lease in &mut left.leases {
            let takes = caps.iter().filter(|cap| cap.key == lease.cap).filter_map(|cap| cap.takes(entered.outcome));
            lease.room = takes.fold(lease.room, i64::saturating_sub);
        }
        left
    }
}

impl Default for ModelReadings {
    fn default() -> Self {
        Self::Live { slow: Vec::new(), is_last: true }
    }
}

impl Input {
    /// The key of its own under which the journal finds its record, besides the decisions made on it.
    pub fn key(&self) -> Option<u128> {
        match self {
            Self::Settlement(input) => Some(input.key()),
            Self::Event(_) | Self::Facts(_) | Self::Consents(_) | Self::Feedback(_) => None,
        }
    }

    /// Whom the input is about.
    pub fn customer(&self) -> &CustomerId {
        match self {
            Self::Event(input) => &input.event.customer,
            Self::Facts(input) => &input.customer,
            Self::Consents(input) => &input.customer,
            Self::Settlement(input) => &input.customer,
            Self::Feedback(input) => &input.customer,
        }
    }
}
