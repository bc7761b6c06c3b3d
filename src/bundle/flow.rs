//! Flow control: how often a playbook may decide for one key.

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
        self.debounce.is_none() && self.throttle.is_none() && self.pending_max.is_none() && self.deduplicate.is_none()
    }
}
