//! How a rule stands to an event, part by part: for explanations.

use smallvec::SmallVec;

use super::eval::{Evaluation, Scratch, Truth};
use super::{Ref, RuleSet, Scope, Slot, Values};
use crate::domain::{Datum, Decimal, TimeDelta, Timestamp, Type, Unavailable, Value};

/// How one rule stands to one event. Borrows from the rule set and the values.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTrace<'a> {
    /// The rule's rank.
    pub rank: usize,
    /// Whether its condition holds.
    pub truth: Truth,
    /// Its condition, part by part.
    pub parts: SmallVec<[PartTrace<'a>; 4]>,
}

/// How one part of a condition stands to one event.
#[derive(Debug, Clone, PartialEq)]
pub struct PartTrace<'a> {
    /// The part as its author wrote it.
    pub text: &'a str,
    /// Whether it holds.
    pub truth: Truth,
    /// The values it looked at.
    pub values: SmallVec<[(Slot, Result<Ref<'a>, Unavailable>); 2]>,
}

impl RuleSet {
    /// How one rule stands to the values. Asks that rule only; allocates nothing if it has no more than four parts that look
    /// at no more than two names each.
    ///
    /// # Panics
    ///
    /// If there is no rule of that rank.
    pub fn explain_rule<'a, V: Values>(&'a self, rank: usize, values: &'a V, scratch: &mut Scratch) -> RuleTrace<'a> {
        let mut evaluation = Evaluation::new(values, &self.texts, &mut scratch.evaluation);
        self.trace(rank, values, &mut evaluation)
    }

    /// How every rule stands to the values, by rank. For people: it looks at all parts of all rules.
    pub fn explain<'a, V: Values>(&'a self, values: &'a V, scratch: &mut Scratch) -> Vec<RuleTrace<'a>> {
        let mut evaluation = Evaluation::new(values, &self.texts, &mut scratch.evaluation);
        (0..self.rules().len()).map(|rank| self.trace(rank, values, &mut evaluation)).collect()
    }

    fn trace<'a, 'e, V: Values>(
        &'a self,
        rank: usize,
        values: &'a V,
        evaluation: &mut Evaluation<'e, V>,
    ) -> RuleTrace<'a>
    where
        'a: 'e,
    {
        // Each rule has the steps of a judgement of its own, so that what is shown of one does not rest on the others.
        evaluation.renew();
        let of_part = |part: &'a super::condition::Part| PartTrace {
            text: &part.text,
            truth: evaluation.truth(&part.expr),
            values: part.slots.iter().map(|slot| (*slot, values.value(*slot))).collect(),
        };
        let parts: SmallVec<_> = self.rules()[rank].condition.parts().iter().map(of_part).collect();
        RuleTrace { rank, truth: conjunction(&parts), parts }
    }
}

fn conjunction(parts: &[PartTrace<'_>]) -> Truth {
    let first_missing = parts.iter().map(|part| part.truth).find(|truth| matches!(truth, Truth::Unavailable(_)));
    if parts.iter().any(|part| part.truth == Truth::False) {
        Truth::False
    } else {
        first_missing.unwrap_or(Truth::True)
    }
}

impl PartTrace<'_> {
    /// A value that a part looked at, of the type that the scope declares.
    pub fn datum(scope: &Scope, slot: Slot, seen: Ref<'_>) -> Datum {
        let ty = &scope.declared(slot).ty;
        let value = match (seen, ty) {
            (Ref::Bool(v), _) => Value::Bool(v),
            (Ref::Text(v), _) => Value::Text(v.into()),
            (Ref::List(v), _) => Value::List(v.into()),
            (Ref::Number(v), Type::Decimal) => Value::Decimal(Decimal::from_units(v)),
            (Ref::Number(v), Type::Time) => Value::Time(Timestamp::from_micros(v)),
            (Ref::Number(v), Type::Duration) => Value::Duration(TimeDelta::from_micros(v)),
            (Ref::Number(v), Type::OneOf(_)) => Value::Symbol(u16::try_from(v).unwrap_or(u16::MAX)),
            (Ref::Number(v), _) => Value::Int(v),
        };
        Datum::new(ty, value)
    }
}
