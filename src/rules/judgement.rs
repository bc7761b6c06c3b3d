//! The answer of a rule set, and how hit policies arrive at it.

use smallvec::SmallVec;

use super::eval::Evaluation;
use super::hit_policy::{Aggregation, HitPolicy, OutputOrder};
use super::rule::{Rule, Setting};
use super::{Miss, Values};
use crate::domain::{Decimal, TimeDelta, Unavailable, Value};

/// The answer of a rule set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The rank of the rule that decides; where several have their say, the one that has it first.
    pub rule: Option<usize>,
    /// The ranks of the other rules that have their say, in the order of the hit policy.
    pub others: SmallVec<[u32; 2]>,
    /// The hit policy that did not hold: then no rule decides.
    pub violation: Option<HitViolation>,
    /// What kept rules that were asked from being told.
    pub skipped: Skipped,
}

/// Two rules that match where a hit policy allows only one, or only one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HitViolation {
    /// The number of the group.
    pub group: usize,
    /// The ranks of the rules.
    pub rules: (usize, usize),
}

/// Values that were missing, each with the number of rules that could not be told for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    misses: SmallVec<[(Miss, u32); 2]>,
    rules: usize,
}

impl Judgement {
    /// The ranks of all rules that have their say.
    pub fn rules(&self) -> impl Iterator<Item = usize> {
        self.rule.into_iter().chain(self.others.iter().map(|rank| *rank as usize))
    }
}

impl Skipped {
    /// Rules that are counted, those of the best ranks; whoever reads the reasons reads no more.
    pub const RULES_MAX: usize = 256;

    /// Different misses that are kept.
    const KINDS_MAX: usize = 16;

    pub(super) fn count(&mut self, miss: Miss) {
        if self.rules == Self::RULES_MAX {
            return;
        }
        self.rules += 1;
        if let Some((_, rules)) = self.misses.iter_mut().find(|(known, _)| *known == miss) {
            *rules += 1;
        } else if self.misses.len() < Self::KINDS_MAX {
            self.misses.push((miss, 1));
        }
    }

    /// Each miss with the number of rules that it kept from being told.
    pub fn iter(&self) -> impl Iterator<Item = (Miss, u32)> {
        self.misses.iter().copied()
    }

    /// Whether there may be more rules than those counted.
    pub fn is_truncated(&self) -> bool {
        self.rules == Self::RULES_MAX
    }
}

// === hit policies ===

impl HitPolicy {
    /// What becomes of the rules that match, given by rank. There is at least one.
    pub(super) fn settle<'a, V: Values>(
        &self,
        matched: &mut [u32],
        (group, rules): (usize, &'a [Rule]),
        evaluation: &mut Evaluation<'a, V>,
        judgement: &mut Judgement,
    ) {
        let violated = |second: u32| HitViolation { group, rules: (matched[0] as usize, second as usize) };
        judgement.violation = match (self, &*matched) {
            (Self::Unique, [_, second, ..]) => Some(violated(*second)),
            (Self::Any, [first, others @ ..]) if !others.is_empty() => {
                let mut said = |rank: u32| rules[rank as usize].then.values(evaluation);
                let agreed = said(*first);
                others.iter().find(|rank| said(**rank) != agreed).map(|second| violated(*second))
            }
            _ => None,
        };
        if judgement.violation.is_some() {
            return;
        }
        match self {
            Self::Priority(order) | Self::OutputOrder(order) => {
                matched.sort_by_cached_key(|rank| (order.importance(&rules[*rank as usize]), *rank));
            }
            _ => {}
        }
        judgement.rule = matched.first().map(|rank| *rank as usize);
        if self.is_multiple() {
            judgement.others = matched[1..].into();
        }
    }

    /// What several rules say together, field by field. Fails with the first value that cannot be computed.
    pub(super) fn together<'a, V: Values>(
        &self,
        said: impl Iterator<Item = &'a Rule>,
        evaluation: &mut Evaluation<'a, V>,
    ) -> Result<Vec<Option<Value>>, Miss> {
        let mut together: Vec<Option<Value>> = Vec::new();
        for rule in said {
            let values = rule.then.values(evaluation)?;
            together.resize(values.len(), None);
            for (so_far, value) in together.iter_mut().zip(values) {
                let Some(value) = value else { continue };
                *so_far = Some(match so_far.take() {
                    Some(so_far) => self.joined(so_far, value)?,
                    None if *self == Self::Collect(Some(Aggregation::Count)) && !matches!(value, Value::List(_)) => {
                        Value::Int(1)
                    }
                    None => value,
                });
            }
        }
        Ok(together)
    }

    fn joined(&self, so_far: Value, value: Value) -> Result<Value, Miss> {
        const OVERFLOW: Miss = Miss { slot: None, reason: Unavailable::Overflow };
        let aggregation = match self {
            Self::Collect(Some(aggregation)) => *aggregation,
            _ => Aggregation::Sum,
        };
        let (l, r) = match (so_far, value) {
            (Value::List(l), Value::List(r)) => {
                return Ok(Value::List(l.into_iter().chain(r).collect()));
            }
            (l, r) => (l, r),
        };
        let sum = match (&l, &r, aggregation) {
            (Value::Int(count), _, Aggregation::Count) => return Ok(Value::Int(count.saturating_add(1))),
            (_, _, Aggregation::Min) => return Ok(if r.ordinal() < l.ordinal() { r } else { l }),
            (_, _, Aggregation::Max) => return Ok(if r.ordinal() > l.ordinal() { r } else { l }),
            (Value::Int(l), Value::Int(r), _) => l.checked_add(*r).map(Value::Int),
            (Value::Decimal(l), Value::Decimal(r), _) => {
                l.units().checked_add(r.units()).map(|units| Value::Decimal(Decimal::from_units(units)))
            }
            (Value::Duration(l), Value::Duration(r), _) => {
                l.micros().checked_add(r.micros()).map(|micros| Value::Duration(TimeDelta::from_micros(micros)))
            }
            // The playbook's compiler lets only such fields into a group that collects.
            _ => None,
        };
        sum.ok_or(OVERFLOW)
    }
}

impl OutputOrder {
    /// The importance of what a rule says, the smallest first; what it does not say comes last, a list counts as its most
    /// important item.
    pub(crate) fn importance(&self, rule: &Rule) -> SmallVec<[usize; 2]> {
        const LEAST: usize = usize::MAX;
        let of_field = |(field, symbols): &(usize, Box<[u16]>)| {
            let of_value = |value: &Value| match value {
                Value::Symbol(said) => symbols.iter().position(|symbol| symbol == said).unwrap_or(LEAST),
                _ => LEAST,
            };
            match rule.then.settings().get(*field) {
                Some(Some(Setting::Literal(Value::List(items)))) => items.iter().map(of_value).min().unwrap_or(LEAST),
                Some(Some(Setting::Literal(value))) => of_value(value),
                _ => LEAST,
            }
        };
        self.0.iter().map(of_field).collect()
    }
}
