//! A ranked set of rules, and the question every decision asks it: which rule matches first?
//!
//! Rules are asked one after the other here. The callers know only [`RuleSet::first`] and [`RuleSet::explain`], so that an
//! index can take the place of the loop without anyone noticing but the clock.

use std::sync::Arc;

use smallvec::SmallVec;

use super::eval::{Evaluation, Scratch, Truth};
use super::hit_policy::{Group, HitPolicy};
use super::rule::{IfUnavailable, Rule};
use super::text::{TextIndex, TextIndexBuilder};
use super::{Miss, Ref, Scope, Slot, Then, Values};
use crate::domain::{Datum, Decimal, TimeDelta, Timestamp, Type, Unavailable, Value};

/// Rules in the order in which they are asked.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    groups: Vec<Group>,
    texts: TextIndex,
}

/// The rules of one group, in the order of their ranks.
#[derive(Debug)]
pub(crate) struct RankedRules {
    pub(crate) name: Arc<str>,
    pub(crate) policy: HitPolicy,
    pub(crate) rules: Vec<Rule>,
}

/// The answer of a rule set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The rank of the first rule that matches.
    pub rule: Option<usize>,
    /// What kept higher-ranked rules from being told.
    pub skipped: Skipped,
}

/// Values that were missing, each with the number of rules that could not be told for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped(SmallVec<[(Miss, u32); 2]>);

/// How one rule stands to one event: for explanations.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTrace {
    /// The rule's rank.
    pub rank: usize,
    /// Whether its condition holds.
    pub truth: Truth,
    /// Its condition, part by part.
    pub parts: Vec<PartTrace>,
}

/// How one part of a condition stands to one event.
#[derive(Debug, Clone, PartialEq)]
pub struct PartTrace {
    /// The part as its author wrote it.
    pub text: String,
    /// Whether it holds.
    pub truth: Truth,
    /// The values it looked at.
    pub values: Vec<(Slot, Result<Seen, Unavailable>)>,
}

/// A value that a part of a condition looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// True or false.
    Bool(bool),
    /// A number of any kind, by its ordinal.
    Number(i64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
}

impl RuleSet {
    /// A set of rules in groups that are already ranked. Fails only if the phrases they look for are too many to index.
    pub(crate) fn new(groups: Vec<RankedRules>, texts: TextIndexBuilder) -> Result<Self, String> {
        let mut set = Self { rules: Vec::new(), groups: Vec::new(), texts: texts.build()? };
        for RankedRules { name, policy, rules } in groups {
            let start = set.rules.len();
            set.rules.extend(rules);
            set.groups.push(Group { name, policy, ranks: start..set.rules.len() });
        }
        Ok(set)
    }

    /// The groups in the order in which they are asked.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The rules by rank.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The phrases that the rules look for.
    pub(super) fn text_index(&self) -> &TextIndex {
        &self.texts
    }

    /// The first rule that matches. Allocates nothing unless a rule joins or changes texts.
    pub fn first<V: Values>(&self, values: &V, scratch: &mut Scratch) -> Judgement {
        let mut evaluation = Evaluation::new(values, &self.texts, scratch);
        let mut skipped = Skipped::default();
        for (rank, rule) in self.rules.iter().enumerate() {
            match rule.condition.truth(&mut evaluation) {
                Truth::True => return Judgement { rule: Some(rank), skipped },
                Truth::False => {}
                Truth::Unavailable(_) if rule.if_unavailable == IfUnavailable::Apply => {
                    return Judgement { rule: Some(rank), skipped };
                }
                Truth::Unavailable(miss) => skipped.count(miss),
            }
        }
        Judgement { rule: None, skipped }
    }

    /// The values that `then` gives, which may be the set's default or one of its rules'.
    pub fn values_of<V: Values>(
        &self,
        then: &Then,
        values: &V,
        scratch: &mut Scratch,
    ) -> Result<Vec<Option<Value>>, Miss> {
        then.values(&mut Evaluation::new(values, &self.texts, scratch))
    }

    /// How every rule stands to the values, by rank. For people: it allocates, and looks at all parts of all rules.
    pub fn explain<V: Values>(&self, values: &V, scratch: &mut Scratch) -> Vec<RuleTrace> {
        let mut evaluation = Evaluation::new(values, &self.texts, scratch);
        let mut traces = Vec::with_capacity(self.rules.len());
        for (rank, rule) in self.rules.iter().enumerate() {
            let mut parts = Vec::new();
            for part in rule.condition.parts() {
                parts.push(PartTrace {
                    text: part.text.to_string(),
                    truth: evaluation.truth(&part.expr),
                    values: part.slots.iter().map(|slot| (*slot, values.value(*slot).map(Seen::from))).collect(),
                });
            }
            traces.push(RuleTrace { rank, truth: conjunction(&parts), parts });
        }
        traces
    }
}

fn conjunction(parts: &[PartTrace]) -> Truth {
    let first_missing = parts.iter().map(|part| part.truth).find(|truth| matches!(truth, Truth::Unavailable(_)));
    if parts.iter().any(|part| part.truth == Truth::False) {
        Truth::False
    } else {
        first_missing.unwrap_or(Truth::True)
    }
}

impl Skipped {
    /// Different misses that are kept; a decision's reasons are for people, who read no more.
    const KINDS_MAX: usize = 16;

    fn count(&mut self, miss: Miss) {
        if let Some((_, rules)) = self.0.iter_mut().find(|(known, _)| *known == miss) {
            *rules += 1;
        } else if self.0.len() < Self::KINDS_MAX {
            self.0.push((miss, 1));
        }
    }

    /// Each miss with the number of rules that it kept from being told.
    pub fn iter(&self) -> impl Iterator<Item = (Miss, u32)> {
        self.0.iter().copied()
    }
}

impl From<Ref<'_>> for Seen {
    fn from(value: Ref<'_>) -> Self {
        match value {
            Ref::Bool(v) => Self::Bool(v),
            Ref::Number(v) => Self::Number(v),
            Ref::Text(v) => Self::Text(v.to_owned()),
            Ref::List(v) => Self::List(v.to_vec()),
        }
    }
}

impl PartTrace {
    /// A value that a part looked at, of the type that the scope declares.
    pub fn datum(scope: &Scope, slot: Slot, seen: &Seen) -> Datum {
        let ty = &scope.declared(slot).ty;
        let value = match (seen, ty) {
            (Seen::Bool(v), _) => Value::Bool(*v),
            (Seen::Text(v), _) => Value::Text(v.as_str().into()),
            (Seen::List(v), _) => Value::List(v.as_slice().into()),
            (Seen::Number(v), Type::Decimal) => Value::Decimal(Decimal::from_units(*v)),
            (Seen::Number(v), Type::Time) => Value::Time(Timestamp::from_micros(*v)),
            (Seen::Number(v), Type::Duration) => Value::Duration(TimeDelta::from_micros(*v)),
            (Seen::Number(v), Type::OneOf(_)) => Value::Symbol(u16::try_from(*v).unwrap_or(u16::MAX)),
            (Seen::Number(v), _) => Value::Int(*v),
        };
        Datum::new(ty, value)
    }
}
