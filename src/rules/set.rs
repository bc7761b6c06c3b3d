//! A ranked set of rules, and the question every decision asks it: which rules have their say?

use std::sync::Arc;

use super::eval::{Evaluation, Scratch};
use super::hit_policy::{Group, HitPolicy};
use super::index::{Index, Search, Tuning};
use super::judgement::{Judgement, Settling};
use super::rule::Rule;
use super::text::{TextIndex, TextIndexBuilder};
use super::{Computation, Condition, Miss, Truth, Values};
use crate::domain::Value;

/// Rules in the order in which they are asked.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    groups: Vec<Group>,
    segments: Vec<Segment>,
    /// What holds of each field where no rule says otherwise.
    defaults: Box<[Value]>,
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

impl RuleSet {
    /// A set of rules in groups that are already ranked, and what holds where they say nothing. Fails only if the phrases
    /// they look for are too many to index.
    pub(crate) fn new(groups: Vec<RankedRules>, texts: TextIndexBuilder, defaults: &[Value]) -> Result<Self, String> {
        Ok(Self { defaults: defaults.into(), ..Self::tuned(groups, texts, Tuning::default())? })
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
        let Scratch { evaluation, index } = scratch;
        let mut evaluation = Evaluation::new(values, &self.texts, evaluation);
        let mut judgement = Judgement::default();
        for segment in &self.segments {
            let policy = &self.groups[segment.group].policy;
            let wants_all = *policy != HitPolicy::First;
            Search::new((&segment.index, &self.rules), &mut evaluation, index, wants_all, segment.end).run();
            index.untold.iter().for_each(|(_, miss)| judgement.skipped.count(*miss));
            if !index.matched.is_empty() {
                let settling = Settling { group: segment.group, rules: &self.rules, defaults: &self.defaults };
                policy.settle(&mut index.matched, &settling, &mut evaluation, &mut judgement);
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
        let mut evaluation = Evaluation::new(values, &self.texts, &mut scratch.evaluation);
        let Some(first) = judgement.rule else { return Ok(Vec::new()) };
        match &self.groups[self.group_of(first)].policy {
            policy if policy.is_multiple() => {
                policy.together(judgement.rules().map(|rank| &self.rules[rank]), &mut evaluation)
            }
            _ => self.rules[first].then.values(&mut evaluation),
        }
    }

    /// What one rule says, field by field, whether it matches or not.
    pub fn said_by<V: Values>(
        &self,
        rank: usize,
        values: &V,
        scratch: &mut Scratch,
    ) -> Result<Vec<Option<Value>>, Miss> {
        self.rules[rank].then.values(&mut Evaluation::new(values, &self.texts, &mut scratch.evaluation))
    }

    /// Whether a condition that was compiled with the rules holds, on steps of its own.
    pub fn truth_of<V: Values>(&self, condition: &Condition, values: &V, scratch: &mut Scratch) -> Truth {
        condition.truth(&mut Evaluation::new(values, &self.texts, &mut scratch.evaluation))
    }

    /// What an expression that was compiled with the rules comes to, on steps of its own.
    pub fn value_of<V: Values>(
        &self,
        computation: &Computation,
        values: &V,
        scratch: &mut Scratch,
    ) -> Result<Value, Miss> {
        computation.value(&mut Evaluation::new(values, &self.texts, &mut scratch.evaluation))
    }

    /// The number of the group that a rule belongs to.
    pub fn group_of(&self, rank: usize) -> usize {
        self.groups.partition_point(|group| group.ranks.end <= rank)
    }

    /// Bytes that the index holds.
    pub fn index_bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.index.bytes()).sum()
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
