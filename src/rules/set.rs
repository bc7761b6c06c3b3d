//! A ranked set of rules, and the question every decision asks it: which rules have their say?

use std::sync::Arc;

use super::eval::{Evaluation, Scratch, Truth};
use super::hit_policy::{Group, HitPolicy};
use super::index::{Index, Search, Tuning};
use super::judgement::Judgement;
use super::rule::Rule;
use super::text::{TextIndex, TextIndexBuilder};
use super::{Miss, Ref, Scope, Slot, Values};
use crate::domain::{Datum, Decimal, TimeDelta, Timestamp, Type, Unavailable, Value};

/// Rules in the order in which they are asked.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    groups: Vec<Group>,
    segments: Vec<Segment>,
    pub(super) texts: TextIndex,
}

/// Rules that are searched at once: one group, or several in which the first match decides.
#[derive(Debug)]
struct Segment {
    /// The number of its first group.
    group: usize,
    /// The rank after its last.
    end: u32,
    index: Index,
}

/// The rules of one group, in the order of their ranks.
#[derive(Debug)]
pub(crate) struct RankedRules {
    pub(crate) name: Arc<str>,
    pub(crate) policy: HitPolicy,
    pub(crate) rules: Vec<Rule>,
}

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
        Self::tuned(groups, texts, Tuning::default())
    }

    pub(super) fn tuned(groups: Vec<RankedRules>, texts: TextIndexBuilder, tuning: Tuning) -> Result<Self, String> {
        let mut set = Self { texts: texts.build()?, ..Self::default() };
        for RankedRules { name, policy, rules } in groups {
            let start = set.rules.len();
            set.rules.extend(rules);
            set.groups.push(Group { name, policy, ranks: start..set.rules.len() });
        }
        set.segments = segments(&set.groups, &set.rules, tuning);
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

    /// Which rules have their say. Allocates nothing unless a rule joins or changes texts.
    pub fn judge<V: Values>(&self, values: &V, scratch: &mut Scratch) -> Judgement {
        let Scratch { text, index } = scratch;
        let mut evaluation = Evaluation::new(values, &self.texts, text);
        let mut judgement = Judgement::default();
        for segment in &self.segments {
            let policy = &self.groups[segment.group].policy;
            let search = Search {
                index: &segment.index,
                rules: &self.rules,
                evaluation: &mut evaluation,
                scratch: index,
                wants_all: *policy != HitPolicy::First,
                end: segment.end,
            };
            search.run();
            index.untold.iter().for_each(|(_, miss)| judgement.skipped.count(*miss));
            if !index.matched.is_empty() {
                let group = (segment.group, &self.rules[..]);
                policy.settle(&mut index.matched, group, &mut evaluation, &mut judgement);
                break;
            }
        }
        judgement
    }

    /// What the rules of a judgement say, field by field; `None` where they say nothing. Computes what has to be computed.
    pub fn said<V: Values>(
        &self,
        judgement: &Judgement,
        values: &V,
        scratch: &mut Scratch,
    ) -> Result<Vec<Option<Value>>, Miss> {
        let mut evaluation = Evaluation::new(values, &self.texts, &mut scratch.text);
        let Some(first) = judgement.rule else { return Ok(Vec::new()) };
        match &self.groups[self.group_of(first)].policy {
            policy if policy.is_multiple() => {
                policy.together(judgement.rules().map(|rank| &self.rules[rank]), &mut evaluation)
            }
            _ => self.rules[first].then.values(&mut evaluation),
        }
    }

    /// The number of the group that a rule belongs to.
    pub fn group_of(&self, rank: usize) -> usize {
        self.groups.partition_point(|group| group.ranks.end <= rank)
    }

    /// Bytes that the index holds.
    pub fn index_bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.index.bytes()).sum()
    }

    /// How every rule stands to the values, by rank. For people: it allocates, and looks at all parts of all rules.
    pub fn explain<V: Values>(&self, values: &V, scratch: &mut Scratch) -> Vec<RuleTrace> {
        let mut evaluation = Evaluation::new(values, &self.texts, &mut scratch.text);
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

fn segments(groups: &[Group], rules: &[Rule], tuning: Tuning) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut group = 0;
    while group < groups.len() {
        let policy = &groups[group].policy;
        let alike = |next: &&Group| *policy == HitPolicy::First && next.policy == HitPolicy::First;
        let last = group + groups[group + 1..].iter().take_while(alike).count();
        let ranks = groups[group].ranks.start..groups[last].ranks.end;
        let index = Index::build(&rules[ranks.clone()], ranks.start, tuning);
        segments.push(Segment { group, end: ranks.end as u32, index });
        group = last + 1;
    }
    segments
}

fn conjunction(parts: &[PartTrace]) -> Truth {
    let first_missing = parts.iter().map(|part| part.truth).find(|truth| matches!(truth, Truth::Unavailable(_)));
    if parts.iter().any(|part| part.truth == Truth::False) {
        Truth::False
    } else {
        first_missing.unwrap_or(Truth::True)
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
