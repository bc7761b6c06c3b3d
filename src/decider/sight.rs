//! What a decision sees: the event, the arrival, and the values of the context that its playbook uses.

use crate::bundle::{AttributeAt, ContextSource, Playbook, SlotSource};
use crate::context::{CustomerState, TypedEvent};
use crate::domain::{Timestamp, Unavailable, Value};
use crate::rules::{Ref, Slot, Values};

/// A value of the context as it was seen, or why it was not.
pub type Seen = Result<Value, Unavailable>;

/// The values that a playbook's conditions see of one event. Built from a state in a live turn, and from a record when a
/// decision is explained: the same rules over the same sight give the same answer.
#[derive(Debug)]
pub struct Sight<'a> {
    playbook: &'a Playbook,
    event: &'a TypedEvent,
    /// The event's position among the playbook's event types.
    position: usize,
    arrival: Timestamp,
    seen: &'a [Seen],
    /// Whether nothing of it may be seen.
    is_withheld: bool,
}

impl<'a> Sight<'a> {
    /// The sight of a decision; `None` if the playbook does not decide on events of this type.
    pub fn new(playbook: &'a Playbook, event: &'a TypedEvent, arrival: Timestamp, seen: &'a [Seen]) -> Option<Self> {
        let position = playbook.position_of_event(event.kind)?;
        Some(Self { playbook, event, position, arrival, seen, is_withheld: false })
    }

    /// The same decision with everything withheld: the customer has not consented to the playbook's purpose.
    #[must_use]
    pub fn withholding(self) -> Self {
        Self { is_withheld: true, ..self }
    }

    /// What is seen of a context that may not be opened.
    pub fn withheld(playbook: &Playbook) -> Vec<Seen> {
        vec![Err(Unavailable::Withheld); playbook.sights.len()]
    }

    /// Looks up the context's values that the playbook uses, in the order of its sights.
    pub fn look(playbook: &Playbook, state: &CustomerState, event: &TypedEvent, arrival: Timestamp) -> Vec<Seen> {
        let as_of = event.time.unwrap_or(arrival);
        let look = |source: &ContextSource| match source {
            ContextSource::Fact(number) => state.fact(*number, arrival).cloned(),
            ContextSource::Signal(number) => state.signal_for(*number, Some(event), as_of, arrival),
            ContextSource::Decisions => {
                Ok(Value::Int(state.ledger.tally(playbook.key).map_or(0, |tally| tally.decisions as i64)))
            }
            ContextSource::LastDecided => match state.ledger.tally(playbook.key) {
                Some(tally) => Ok(Value::Time(tally.last)),
                None => Err(Unavailable::Never),
            },
        };
        playbook.sights.iter().map(look).collect()
    }
}

impl Values for Sight<'_> {
    #[inline]
    fn value(&self, slot: Slot) -> Result<Ref<'_>, Unavailable> {
        match &self.playbook.sources[slot.index()] {
            SlotSource::Attribute(numbers) => {
                if self.is_withheld {
                    return Err(Unavailable::Withheld);
                }
                let number = match numbers[self.position] {
                    AttributeAt::Number(number) => number,
                    AttributeAt::Absent => return Err(Unavailable::Absent),
                    AttributeAt::Withheld => return Err(Unavailable::Withheld),
                };
                self.event.attributes[number].as_ref().map(Ref::from).ok_or(Unavailable::Absent)
            }
            SlotSource::Sight(number) => self.seen[*number].as_ref().map(Ref::from).map_err(|reason| *reason),
            SlotSource::Now => Ok(Ref::Number(self.arrival.micros())),
            SlotSource::Withheld => Err(Unavailable::Withheld),
            SlotSource::Unused(_) => Err(Unavailable::Unknown),
        }
    }
}
