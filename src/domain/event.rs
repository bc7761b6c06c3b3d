//! An event as a caller hands it over, before a schema has typed it.

use super::{Raw, RawMap, Timestamp};

/// A fact about a customer from outside, with the attributes of CloudEvents 1.0.
///
/// ```
/// use forthwith::Event;
/// let event = Event::new("t-1", "helpdesk", "ticket.created", "customer-42")
///     .with("subject", "Card not working")
///     .with("amount", 12.50);
/// assert_eq!(event.data.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Unique within the source; a second event with the same source and id is a repetition.
    pub id: String,
    /// The system that the event comes from.
    pub source: String,
    /// The event's type, such as `ticket.created` (CloudEvents `type`).
    pub kind: String,
    /// The customer that the event is about (CloudEvents `subject`).
    pub customer: String,
    /// When it happened; the arrival time stands in when absent.
    pub time: Option<Timestamp>,
    /// The attributes; keys are unique.
    pub data: RawMap,
}

impl Event {
    /// An event without attributes.
    pub fn new(
        id: impl Into<String>,
        source: impl Into<String>,
        kind: impl Into<String>,
        customer: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            kind: kind.into(),
            customer: customer.into(),
            time: None,
            data: RawMap::new(),
        }
    }

    /// The event with an attribute set; a second value for the same name replaces the first.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Raw>) -> Self {
        let (name, value) = (name.into(), value.into());
        match self.data.iter_mut().find(|(known, _)| *known == name) {
            Some((_, held)) => *held = value,
            None => self.data.push((name, value)),
        }
        self
    }

    /// The event with the time at which it happened.
    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Self {
        self.time = Some(time);
        self
    }
}
