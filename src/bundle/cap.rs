//! Caps: limits over time on what a playbook's decisions may come to.

use std::sync::Arc;

use super::{Outcome, OutcomeSchema};
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
    /// For a cap of all customers together: how much of it may lie unused in portions that were lent out.
    pub unused_max: Share,
}

/// Caps that a playbook may have.
pub const CAPS_MAX: usize = 32;

/// A part of a whole, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

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

/// What becomes of a proposal that is beyond a limit, or that a cap leaves no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnViolation {
    /// The playbook's default takes its place.
    #[default]
    Fallback,
    /// The value is moved to the limit, or the amount lowered to what is left, if the outcome's schema and permit let that out.
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

    /// The number of the outcome's field whose values are added up, or for a count the one that says what is done.
    pub fn counted_field(&self) -> usize {
        match self.measure {
            Measure::Count => self.field,
            Measure::Amount(field) => field,
        }
    }

    /// So much of what the cap counts, as people read it.
    pub fn show(&self, amount: i64, outcome: &OutcomeSchema) -> String {
        match (self.measure, outcome.fields().get(self.counted_field())) {
            (Measure::Amount(_), Some(field)) => field.ty.show(&field.at_ordinal(amount)).to_string(),
            _ => amount.to_string(),
        }
    }

    /// Whether another cap of the same id means the same limit; what counts against it may differ.
    pub(super) fn is_same_limit(&self, other: &Self) -> bool {
        let is_count = |cap: &Self| cap.measure == Measure::Count;
        is_count(self) == is_count(other)
            && self.max == other.max
            && self.over == other.over
            && self.scope == other.scope
            && (self.scope == CapScope::Customer || self.unused_max == other.unused_max)
    }
}

impl Share {
    /// The whole.
    pub const WHOLE: Self = Self(1_000_000);

    /// A part in millionths, at most the whole.
    pub const fn millionths(of: u32) -> Self {
        Self(if of > Self::WHOLE.0 { Self::WHOLE.0 } else { of })
    }

    /// So much of an amount, rounded down.
    pub fn of(self, amount: i64) -> i64 {
        let part = i128::from(amount) * i128::from(self.0) / i128::from(Self::WHOLE.0);
        i64::try_from(part).unwrap_or(amount)
    }
}

impl Default for Share {
    /// One hundredth: small enough that a campaign is as good as spent when it stops, large enough that portions last.
    fn default() -> Self {
        Self(10_000)
    }
}
