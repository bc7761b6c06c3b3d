//! Caps: limits over time on what a playbook's decisions may come to.

use std::sync::Arc;

use super::Outcome;
use crate::context::CapKey;
use crate::domain::{TimeDelta, Value};

/// A limit over time. What a decision takes of it is reserved in its turn.
///
/// Playbooks that name a cap of the same id share it; the bundle refuses two caps of one id that differ in their limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Cap {
    /// Its name, unique within the bundle.
    pub id: Arc<str>,
    /// Its name in ledgers.
    pub key: CapKey,
    /// The number of the outcome's field that says what is done.
    pub field: usize,
    /// The value of that field which counts.
    pub action: Value,
    /// What is counted.
    pub measure: Measure,
    /// How much there may be within the window: decisions, or the amount's ordinal.
    pub max: i64,
    /// How far back the window reaches; `None` for ever.
    pub over: Option<TimeDelta>,
    /// For whom it holds.
    pub scope: CapScope,
    /// What becomes of a proposal that does not fit.
    pub on_violation: OnViolation,
}

/// What a cap counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Decisions.
    Count,
    /// The sum of the numbered field of their outcomes.
    Amount(usize),
}

/// For whom a cap holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CapScope {
    /// For each customer.
    #[default]
    Customer,
    /// For all customers together.
    Global,
}

/// What becomes of a proposal that a cap leaves no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnViolation {
    /// The playbook's default takes its place.
    #[default]
    Fallback,
    /// The amount is lowered to what is left, if the outcome's schema and permit allow so little.
    Clamp,
}

impl Cap {
    /// What an outcome takes of the cap; `None` if it does not count.
    #[inline]
    pub fn takes(&self, values: &[Value]) -> Option<i64> {
        if values.get(self.field) != Some(&self.action) {
            return None;
        }
        match self.measure {
            Measure::Count => Some(1),
            Measure::Amount(field) => values.get(field)?.ordinal().map(|amount| amount.max(0)),
        }
    }

    /// What an outcome takes of the cap.
    pub fn takes_of(&self, outcome: &Outcome) -> Option<i64> {
        self.takes(outcome.values())
    }
}
