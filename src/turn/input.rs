//! What a turn is taken on, and what it consulted besides.

use std::sync::Arc;

use crate::context::TypedEvent;
use crate::domain::{CustomerId, Timestamp, Value};

/// What one customer's actor takes a turn on.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Something happened to the customer.
    Event(EventInput),
    /// Someone told us something about the customer.
    Facts(FactsInput),
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

/// Everything a decision consulted besides state, input and bundle. Recorded; a replay plays them back and asks nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// When the input arrived.
    pub arrival: Timestamp,
}

impl Input {
    /// Whom the input is about.
    pub fn customer(&self) -> &CustomerId {
        match self {
            Self::Event(input) => &input.event.customer,
            Self::Facts(input) => &input.customer,
        }
    }
}
