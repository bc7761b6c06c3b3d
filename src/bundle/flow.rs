//! Flow control: how often a playbook may decide for one key.

use crate::context::{FlowKey, Layout, Memory, TypedEvent};
use crate::domain::TimeDelta;

/// How often a playbook may decide for one customer, or one value of an event's attribute. Nothing set, nothing held back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// The attribute whose values are told apart, by its number in each of the playbook's event types; `None` for the
    /// customer as a whole.
    pub key: Option<Box<[Option<usize>]>>,
    /// How long it must be quiet after an event before the next is decided.
    pub debounce: Option<TimeDelta>,
    /// How many decisions there may be within a time.
    pub throttle: Option<Throttle>,
    /// How many decisions may be pending.
    pub pending_max: Option<u32>,
    /// For how long an event with the same key repeats the decision before it.
    pub deduplicate: Option<TimeDelta>,
}

/// So many decisions within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// How many.
    pub max: u32,
    /// Within which time.
    pub over: TimeDelta,
}

impl Flow {
    /// Whether anything is held back at all.
    pub fn is_free(&self) -> bool {
        self.memory().is_none() && self.pending_max.is_none()
    }

    /// How far back it looks; `None` if it does not.
    pub fn memory(&self) -> Option<Memory> {
        let count = self.throttle.map(|throttle| throttle.over);
        let longest = [self.debounce, self.deduplicate, count].into_iter().flatten().max()?;
        Some(Memory { count, longest })
    }

    /// The key of an event whose type stands at a position among the playbook's.
    pub fn key_of(&self, position: usize, event: &TypedEvent, layout: &Layout) -> FlowKey {
        let Some(numbers) = &self.key else { return FlowKey::WHOLE };
        let Some(number) = numbers.get(position).copied().flatten() else { return FlowKey::ABSENT };
        match event.attributes.get(number) {
            Some(Some(value)) => FlowKey::of(&layout.events()[event.kind].attributes[number].ty, value),
            _ => FlowKey::ABSENT,
        }
    }
}
