//! A checked playbook: the definition of one kind of decision.

use std::sync::Arc;
use std::time::Duration;

use super::{AgentUse, Cap, CapScope, Flow, Limit, ModelPermit, OutcomeSchema, Permit, SmallModel};
use crate::context::{Layout, PlaybookKey, Purpose, Tags};
use crate::domain::{TimeDelta, Timestamp, Type, Value};
use crate::rules::{RuleSet, Scope};

/// One kind of decision, checked and compiled.
#[derive(Debug)]
pub struct Playbook {
    /// Its name, as callers use it.
    pub name: Arc<str>,
    /// Its name in ledgers.
    pub key: PlaybookKey,
    /// Its author's version number.
    pub version: u32,
    /// What it decides, in its author's words.
    pub description: Option<Arc<str>>,
    /// Numbers of the event types it decides on.
    pub on: Vec<usize>,
    /// How long a caller waits at most.
    pub budget: Duration,
    /// When a decision counts as made.
    pub ack: Ack,
    /// What becomes of its decisions while the disk is full.
    pub when_disk_full: WhenDiskFull,
    /// The shape of its outcome.
    pub outcome: Arc<OutcomeSchema>,
    /// The names its conditions may use.
    pub scope: Scope,
    /// Where each name's value comes from, by slot.
    pub sources: Vec<SlotSource>,
    /// The facts, signals and ledger entries that its rules use: what a decision looks at and records.
    pub sights: Vec<ContextSource>,
    /// Those of them that have a soft limit of freshness: sight and fact.
    pub aging: Vec<(u16, usize)>,
    /// Its rules and tables, ranked.
    pub rules: RuleSet,
    /// What holds where no rule says otherwise.
    pub default: DefaultOutcome,
    /// The models that are asked after the rules, in order.
    pub models: Vec<SmallModel>,
    /// The agents that are asked after the models, in order.
    pub agents: Vec<AgentUse>,
    /// What rules, tables and the default let models choose in place of their answer, by number.
    pub model_permits: Vec<ModelPermit>,
    /// What its guardrail lets out.
    pub permit: Permit,
    /// What the customer's context is opened for; `None` for what needs no consent and has no limits.
    pub purpose: Option<Purpose>,
    /// Consents without which an action is not let out; at most 32.
    pub consents: Vec<RequiredConsent>,
    /// What its guardrail asks of every outcome but the default, in the light of the event and the customer.
    pub limits: Vec<Limit>,
    /// Limits over time on what it decides.
    pub caps: Vec<Cap>,
    /// How long a decision waits to be settled before what it reserved is released; `None` if decisions are final.
    pub settle_within: Option<TimeDelta>,
    /// How often it may decide.
    pub flow: Flow,
    /// What becomes of a customer's later events while a decision waits for somebody's answer.
    pub ordering: Ordering,
    /// What goes first when there is no room for everything: from 0 to 9, the highest last to be shed.
    pub priority: u8,
}

/// An action that is let out only with the customer's consent.
#[derive(Clone, Debug, PartialEq)]
pub struct RequiredConsent {
    /// The number of the outcome's field that says what is done.
    pub field: usize,
    /// The value of that field.
    pub action: Value,
    /// The purpose that it needs consent to.
    pub purpose: Arc<str>,
}

/// The priority of a playbook that does not say.
pub const PRIORITY_DEFAULT: u8 = 5;

/// When a decision counts as made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ack {
    /// When it is on disk.
    #[default]
    Disk,
    /// When it is made; the disk follows.
    Memory,
}

/// What becomes of a playbook's decisions while the disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenDiskFull {
    /// None is made: callers are told so at once.
    #[default]
    Shed,
    /// They go on being made. Their records wait in memory, up to a bound, and are lost if the engine ends before there is room.
    Answer,
}

/// What becomes of a customer's later events while a decision waits for the answer of a slow or a large model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ordering {
    /// They are decided meanwhile.
    #[default]
    Overtaking,
    /// They wait their turn.
    Strict,
}

/// Where a name's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotSource {
    /// The arrival of the event.
    Now,
    /// An attribute of the event: where it is in each of the playbook's event types.
    Attribute(Box<[AttributeAt]>),
    /// Something that the playbook's purpose may not see.
    Withheld,
    /// A fact, signal or ledger entry, used by no rule.
    Unused(ContextSource),
    /// A fact, signal or ledger entry: its position in [`Playbook::sights`].
    Sight(usize),
}

/// Where an attribute is in one type of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeAt {
    /// It has this number.
    Number(usize),
    /// The type does not declare it.
    Absent,
    /// The playbook's purpose may not see it in events of this type.
    Withheld,
}

/// A value of a customer's context or ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextSource {
    /// The numbered fact.
    Fact(usize),
    /// The numbered signal.
    Signal(usize),
    /// How often this playbook has decided for the customer.
    Decisions,
    /// When this playbook last decided for the customer.
    LastDecided,
}

/// The outcome that holds where no rule says otherwise: a value for every field.
#[derive(Debug)]
pub struct DefaultOutcome {
    /// The values in the order of the outcome's fields.
    pub values: Box<[Value]>,
    /// The number of what models may choose in its place; `None`: nothing.
    pub permit: Option<u16>,
}

impl ContextSource {
    /// The type of its values.
    pub fn ty(self, layout: &Layout) -> &Type {
        match self {
            Self::Fact(number) => &layout.facts()[number].field.ty,
            Self::Signal(number) => &layout.signals()[number].ty,
            Self::Decisions => &Type::Int,
            Self::LastDecided => &Type::Time,
        }
    }
}

impl Playbook {
    /// Whether any of its caps is one of all customers together.
    pub fn has_global_caps(&self) -> bool {
        self.caps.iter().any(|cap| cap.scope == CapScope::Global)
    }

    /// Whether any of its models is too slow for a turn.
    pub fn has_slow_models(&self) -> bool {
        self.models.iter().any(SmallModel::is_slow)
    }

    /// Whether an outcome is something to be carried out: anything but the default.
    pub fn is_action(&self, outcome: &[Value]) -> bool {
        *outcome != *self.default.values
    }

    /// Whether it may see what has these tags. Without a purpose it sees what every purpose may.
    pub fn may_see(&self, tags: &Tags, layout: &Layout) -> bool {
        let purpose = self.purpose.as_ref().map(|purpose| layout.purpose_number(&purpose.name));
        match purpose {
            Some(number) => number.is_some_and(|number| tags.is_open_to(Some(number))),
            None => tags.is_open_to(None),
        }
    }

    /// Until when a decision that was made at a time can be settled; `None` if it is final.
    pub fn settle_by(&self, outcome: &[Value], at: Timestamp) -> Option<Timestamp> {
        let within = self.settle_within.filter(|_| self.is_action(outcome))?;
        Some(at.saturating_add(within))
    }

    /// The position among the playbook's event types of a numbered event type.
    pub fn position_of_event(&self, kind: usize) -> Option<usize> {
        self.on.iter().position(|on| *on == kind)
    }
}

impl AttributeAt {
    /// Its number, if it is there to be seen.
    #[inline]
    pub fn number(self) -> Option<usize> {
        match self {
            Self::Number(number) => Some(number),
            Self::Absent | Self::Withheld => None,
        }
    }
}

impl Ack {
    /// The word in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Memory => "memory",
        }
    }
}

impl WhenDiskFull {
    /// The word in playbooks.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shed => "shed",
            Self::Answer => "answer",
        }
    }
}

impl Ordering {
    /// The word in playbooks.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overtaking => "overtaking",
            Self::Strict => "strict",
        }
    }
}
