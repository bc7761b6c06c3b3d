//! Limits: what a playbook's guardrail asks of every outcome, in the light of the event and the customer.

use std::sync::Arc;

use super::OnViolation;
use crate::domain::{Field, Type, Value};
use crate::rules::{Computation, Condition, Slot};

/// Limits that a playbook may have.
pub const LIMITS_MAX: usize = 32;

/// Something that every outcome but the default must pass, whoever proposes it.
///
/// Its expressions see what the playbook's conditions see, and behind those names, in the order of the outcome's fields, what
/// is proposed: the slot of `proposal.FIELD` is the number of the field above the number of the playbook's own names.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its name, unique within the playbook.
    pub id: Arc<str>,
    /// What is asked.
    pub test: LimitTest,
    /// The numbers of the outcome's fields that it is about: those that it looks at, or all if it looks at none.
    pub fields: Box<[usize]>,
    /// What becomes of a proposal that is beyond it.
    pub on_violation: OnViolation,
}

/// What a limit asks.
#[derive(Clone, Debug)]
pub enum LimitTest {
    /// That a condition holds.
    Require {
        /// The condition.
        condition: Condition,
        /// How it is written.
        text: Box<str>,
    },
    /// That the value of a field lies within bounds.
    Within {
        /// The number of the field.
        field: usize,
        /// The smallest value.
        min: Option<Bound>,
        /// The largest value.
        max: Option<Bound>,
    },
}

/// One end of what a field's value may be.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Gives a value of the field's type; of a field of whole numbers perhaps a decimal.
    pub computation: Computation,
}

impl Limit {
    /// The names that its expressions use: those of the playbook's scope, and above them the fields of the proposal.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        let (condition, bounds) = match &self.test {
            LimitTest::Require { condition, .. } => (Some(condition), [None, None]),
            LimitTest::Within { min, max, .. } => (None, [min.as_ref(), max.as_ref()]),
        };
        let of_bounds = bounds.into_iter().flatten().flat_map(|bound| bound.computation.slots());
        condition.into_iter().flat_map(Condition::slots).chain(of_bounds).copied()
    }
}

impl Bound {
    /// The smallest value of a field that is not below this bound, as its ordinal.
    pub fn at_least(computed: &Value, field: &Field) -> Option<i64> {
        match (computed, &field.ty) {
            (Value::Decimal(bound), Type::Int) => Some(bound.ceil()),
            _ => computed.ordinal(),
        }
    }

    /// The largest value of a field that is not above this bound, as its ordinal.
    pub fn at_most(computed: &Value, field: &Field) -> Option<i64> {
        match (computed, &field.ty) {
            (Value::Decimal(bound), Type::Int) => Some(bound.floor()),
            _ => computed.ordinal(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_is_no_whole_number_is_rounded_toward_the_safe_side() {
        let field = Field::new("credit", Type::Int);
        let rounded = |text: &str| {
            let computed = Value::Decimal(text.parse().unwrap());
            (Bound::at_least(&computed, &field).unwrap(), Bound::at_most(&computed, &field).unwrap())
        };
        assert_eq!(rounded("10.5"), (11, 10));
        assert_eq!(rounded("-10.5"), (-10, -11));
        assert_eq!(rounded("0.0001"), (1, 0));
        assert_eq!(rounded("7"), (7, 7));
        let decimal = Field::new("credit", Type::Decimal);
        assert_eq!(Bound::at_most(&Value::Decimal("10.5".parse().unwrap()), &decimal), Some(105_000));
    }
}
