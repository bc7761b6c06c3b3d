//! What a turn is taken on, and what it consulted besides.

use std::sync::Arc;

use super::Entered;
use crate::agents::{Call, Question, Silence};
use crate::bundle::{AgentUse, Bundle, Cap, Playbook};
use crate::context::{CapKey, TypedEvent};
use crate::decider::{AgentReply, Answers, Asked, Consulted, SlowAnswer};
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
    /// A large model answered after the decision had been made.
    LateAnswer(LateAnswerInput),
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

/// The answer of a large model that came after its decision had been made without it. It changes no decision and no state; it is kept
/// and found again.
#[derive(Clone, Debug, PartialEq)]
pub struct LateAnswerInput {
    /// Whom the decision is about.
    pub customer: CustomerId,
    /// Which.
    pub decision: DecisionId,
    /// The agent that asked, as in `ticket_router@1`.
    pub agent: Arc<str>,
    /// The fields that it proposed; or why it said nothing. Untyped, so that they can be read whatever became of the playbook.
    pub said: Result<RawMap, Silence>,
    /// Why, in the model's own words.
    pub reason: Option<Box<str>>,
    /// What was done for it.
    pub call: Call,
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
        /// What agents have replied.
        replies: Vec<AgentReply>,
        /// Which agents can be asked.
        served: Arc<Served>,
        /// Whether a slow one or an agent that has not been asked counts as late. If not, the turn is not taken, but says whom to
        /// ask.
        is_last: bool,
    },
    /// What was recorded, by playbook; nobody is asked.
    Recorded(Vec<RecordedModels>),
}

/// What the models and agents of a playbook said, as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedModels {
    /// The number of the playbook.
    pub playbook: usize,
    /// What models said.
    pub asked: Vec<Asked>,
    /// What agents said.
    pub agents: Vec<Consulted>,
}

/// Which agents of a bundle can be asked: those for whose models there is a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// By the number of the playbook, then that of the agent.
    by_playbook: Box<[Box<[bool]>]>,
}

/// Who must be asked before a decision can be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// A slow model.
    Model {
        /// The number of the playbook.
        playbook: usize,
        /// The number of the model among the playbook's.
        model: usize,
        /// The text that it is given, its parts on lines of their own.
        text: String,
    },
    /// An agent.
    Agent {
        /// The number of the playbook.
        playbook: usize,
        /// The number of the agent among the playbook's.
        agent: usize,
        /// What it asks.
        question: Arc<Question>,
    },
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
            ModelReadings::Live { slow, replies, served, is_last } => {
                Answers::Live { playbook, slow, replies, served: served.of(playbook), is_last: *is_last }
            }
            ModelReadings::Recorded(by_playbook) => {
                let recorded = by_playbook.iter().find(|recorded| recorded.playbook == playbook);
                recorded.map_or(Answers::Recorded(&[], &[]), |of| Answers::Recorded(&of.asked, &of.agents))
            }
        }
    }

    /// Whether deciding by a playbook may need somebody asked who has not been.
    pub(super) fn may_ask(&self, number: usize, playbook: &Playbook) -> bool {
        match &self.models {
            ModelReadings::Live { is_last: false, served, .. } => {
                playbook.has_slow_models() || served.of(number).contains(&true)
            }
            _ => false,
        }
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

impl Served {
    /// Those agents of a bundle's playbooks for which `is_served` says so.
    pub fn by(bundle: &Bundle, is_served: impl Fn(&AgentUse) -> bool) -> Self {
        let of = |playbook: &Playbook| playbook.agents.iter().map(&is_served).collect();
        Self { by_playbook: bundle.playbooks().iter().map(of).collect() }
    }

    /// Those of the numbered playbook; empty for one that is not known.
    pub fn of(&self, playbook: usize) -> &[bool] {
        self.by_playbook.get(playbook).map_or(&[], |of| of)
    }

    /// Whether any can be asked.
    pub fn is_any(&self) -> bool {
        self.by_playbook.iter().any(|of| of.contains(&true))
    }
}

impl Default for ModelReadings {
    fn default() -> Self {
        Self::Live { slow: Vec::new(), replies: Vec::new(), served: Arc::default(), is_last: true }
    }
}

impl Input {
    /// The key of its own under which the journal finds its record, besides the decisions made on it.
    pub fn key(&self) -> Option<u128> {
        match self {
            Self::Settlement(input) => Some(input.key()),
            Self::Event(_) | Self::Facts(_) | Self::Consents(_) | Self::Feedback(_) | Self::LateAnswer(_) => None,
        }
    }

    /// The trace of the call that it came with.
    pub fn trace(&self) -> Option<TraceId> {
        match self {
            Self::Event(input) => input.trace,
            Self::Settlement(_) | Self::Facts(_) | Self::Consents(_) | Self::Feedback(_) | Self::LateAnswer(_) => None,
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
            Self::LateAnswer(input) => &input.customer,
        }
    }
}
