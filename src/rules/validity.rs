//! When a rule is in force: switched on, and between two instants.

use smallvec::SmallVec;

use super::condition::{Condition, Part};
use super::expr::{Expr, Test};
use super::{Scope, Slot};
use crate::domain::Timestamp;

/// How the part of a rule that is not enabled is shown.
const SWITCH: &str = "enabled";

/// When a rule is in force. What is asked about is `now`, the arrival of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    /// Whether it is switched on.
    pub(crate) is_enabled: bool,
    /// The first instant at which it is in force.
    pub(crate) from: Option<Timestamp>,
    /// The first instant at which it is no longer in force.
    pub(crate) until: Option<Timestamp>,
}

impl Default for Validity {
    fn default() -> Self {
        Self { is_enabled: true, from: None, until: None }
    }
}

impl Validity {
    /// What is wrong with the instants, if anything is.
    pub(crate) fn fault(&self) -> Option<String> {
        let (from, until) = (self.from?, self.until?);
        (from >= until)
            .then(|| format!("the rule is never in force: `valid_until` {until} is not after `valid_from` {from}"))
    }

    fn part(&self, now: Slot) -> Option<Part> {
        if !self.is_enabled {
            return Some(Part { expr: Expr::Const(false), text: SWITCH.into(), slots: SmallVec::new() });
        }
        let text = match (self.from, self.until) {
            (None, None) => return None,
            (Some(from), None) => format!("valid_from {from}"),
            (None, Some(until)) => format!("valid_until {until}"),
            (Some(from), Some(until)) => format!("valid_from {from}, valid_until {until}"),
        };
        let first = self.from.map_or(i64::MIN, Timestamp::micros);
        let last = self.until.map_or(i64::MAX, |until| until.micros().saturating_sub(1));
        Some(Part {
            expr: Expr::Test(now, Test::Within(first, last)),
            text: text.into(),
            slots: SmallVec::from_slice(&[now]),
        })
    }
}

impl Condition {
    /// The condition where the rule is in force; elsewhere it does not hold. It is the first part, so that an explanation
    /// begins with it. Every scope of a playbook declares `now`.
    pub(crate) fn in_force(self, validity: Validity, scope: &Scope) -> Self {
        match scope.slot("now").and_then(|now| validity.part(now)) {
            Some(part) => Self::and(vec![Self::of_part(part), self]),
            None => self,
        }
    }

    /// Whether its rule is not enabled.
    pub(crate) fn is_switched_off(&self) -> bool {
        self.parts().first().is_some_and(|part| matches!(part.expr, Expr::Const(false)) && &*part.text == SWITCH)
    }
}
