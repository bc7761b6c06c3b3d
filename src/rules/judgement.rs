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
        settling: &Settling<'a>,
        evaluation: &mut Evaluation<'a, V>,
        judgement: &mut Judgement,
    ) {
        let violated =
            |second: u32| HitViolation { group: settling.group, rules: (matched[0] as usize, second as usize) };
        judgement.violation = match (self, &*matched) {
            (Self::Unique, [_, second, ..]) => Some(violated(*second)),
            (Self::Any, [first, others @ ..]) if !others.is_empty() => {
                let agreed = settling.outcome(*first, evaluation);
                others
                    .iter()
                    .find(|rank| settling.outcome(**rank, evaluation) != agreed)
                    .map(|second| violated(*second))
            }
            _ => None,
        };
        if judgement.violation.is_some() {
            return;
        }
        match self {
            Self::Priority(order) | Self::OutputOrder(order) => {
                let importance = |rank: &u32| order.importance(&settling.rules[*rank as usize], settling.defaults);
                matched.sort_by_cached_key(|rank| (importance(rank), *rank));
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
        let mut together: Vec<Option<Joined>> = Vec::new();
        for rule in said {
            let values = rule.then.values(evaluation)?;
            together.resize_with(values.len(), || None);
            for (joined, value) in together.iter_mut().zip(values) {
                let Some(value) = value else { continue };
                match joined {
                    Some(joined) => self.join(joined, value),
                    None => *joined = Some(Joined::new(value)),
                }
            }
        }
        together.into_iter().map(|joined| joined.map(|joined| self.value(joined)).transpose()).collect()
    }

    fn join(&self, joined: &mut Joined, value: Value) {
        joined.count += 1;
        match (&mut joined.value, value) {
            (Value::List(_), Value::List(more)) => joined.items.extend(more),
            (so_far, value) => {
                joined.sum += i128::from(value.ordinal().unwrap_or_default());
                let is_better = match self {
                    Self::Collect(Some(Aggregation::Min)) => value.ordinal() < so_far.ordinal(),
                    Self::Collect(Some(Aggregation::Max)) => value.ordinal() > so_far.ordinal(),
                    _ => false,
                };
                if is_better {
                    *so_far = value;
                }
            }
        }
    }

    fn value(&self, joined: Joined) -> Result<Value, Miss> {
        const OVERFLOW: Miss = Miss { slot: None, reason: Unavailable::Overflow };
        let sum = i64::try_from(joined.sum).map_err(|_| OVERFLOW);
        Ok(match (joined.value, self) {
            (Value::List(_), _) => Value::List(joined.items.into()),
            (_, Self::Collect(Some(Aggregation::Count))) => Value::Int(joined.count),
            (Value::Int(_), Self::Collect(Some(Aggregation::Sum))) => Value::Int(sum?),
            (Value::Decimal(_), Self::Collect(Some(Aggregation::Sum))) => Value::Decimal(Decimal::from_units(sum?)),
            (Value::Duration(_), Self::Collect(Some(Aggregation::Sum))) => {
                Value::Duration(TimeDelta::from_micros(sum?))
            }
            (value, _) => value,
        })
    }
}

/// What a hit policy looks at besides the rules that match.
pub(super) struct Settling<'a> {
    /// The number of the group.
    pub(super) group: usize,
    pub(super) rules: &'a [Rule],
    /// What holds of each field where a rule says nothing.
    pub(super) defaults: &'a [Value],
}

impl<'a> Settling<'a> {
    /// What a rule makes of the outcome, whatever other rules have cost before.
    fn outcome<V: Values>(&self, rank: u32, evaluation: &mut Evaluation<'a, V>) -> Result<Vec<Option<Value>>, Miss> {
        evaluation.renew();
        let said = self.rules[rank as usize].then.values(evaluation)?;
        let filled = said.into_iter().enumerate();
        Ok(filled.map(|(field, value)| value.or_else(|| self.defaults.get(field).cloned())).collect())
    }
}

/// What several rules say of one field. There are only lists and numbers here: the playbook's compiler sees to it.
struct Joined {
    /// What the first says, or the smallest or largest.
    value: Value,
    items: Vec<Value>,
    sum: i128,
    count: i64,
}

impl Joined {
    fn new(value: Value) -> Self {
        let sum = i128::from(value.ordinal().unwrap_or_default());
        let (value, items) = match value {
            Value::List(items) => (Value::List([].into()), items.into_vec()),
            other => (other, Vec::new()),
        };
        Self { value, items, sum, count: 1 }
    }
}

impl OutputOrder {
    /// The importance of what a rule makes of the outcome, the smallest first; a list counts as its most important item.
    pub(crate) fn importance(&self, rule: &Rule, defaults: &[Value]) -> SmallVec<[usize; 2]> {
        const LEAST: usize = usize::MAX;
        let of_field = |(field, symbols): &(usize, Box<[u16]>)| {
            let of_value = |value: &Value| match value {
                Value::Symbol(said) => symbols.iter().position(|symbol| symbol == said).unwrap_or(LEAST),
                _ => LEAST,
            };
            let value = match rule.then.settings().get(*field) {
                Some(Some(Setting::Literal(value))) => Some(value),
                Some(Some(Setting::Computed(_))) => None,
                Some(None) | None => defaults.get(*field),
            };
            match value {
                Some(Value::List(items)) => items.iter().map(of_value).min().unwrap_or(LEAST),
                Some(value) => of_value(value),
                None => LEAST,
            }
        };
        self.0.iter().map(of_field).collect()
    }
}
