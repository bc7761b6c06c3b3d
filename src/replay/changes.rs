//! What would change under another bundle, counted by playbook.

use std::collections::BTreeMap;

use serde::Serialize;

use super::moves::{Example, Move, Moves};
use crate::bundle::Playbook;
use crate::domain::{Field, Value};
use crate::turn::{Made, RecordedDecision};

/// Reasons that are told apart.
const REASONS_MAX: usize = 1_000;

/// What changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) turns: u64,
    pub(super) recorded: u64,
    /// Settlements of decisions that are not pending any more.
    pub(super) void_settlements: u64,
    playbooks: BTreeMap<String, PlaybookMoves>,
    pub(super) not_decided: Reasons,
    pub(super) left: Reasons,
    /// Why records cannot be read.
    pub(super) unreadable: Reasons,
}

#[derive(Clone, Debug, Default)]
struct PlaybookMoves {
    decided: u64,
    changed: u64,
    outcome_changed: u64,
    added: u64,
    rules: Moves,
    tiers: Moves,
    fallbacks: Moves,
    fields: BTreeMap<String, Moves>,
}

/// Counts by reason.
#[derive(Clone, Debug, Default)]
pub(super) struct Reasons(BTreeMap<String, u64>);

/// A reason and how often it was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The reason.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// What changes in one playbook's decisions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlaybookChanges {
    /// The playbook.
    pub playbook: String,
    /// Recorded decisions that were decided again.
    pub decided: u64,
    /// Those of them in which anything is another: outcome, rule, tier or fallback.
    pub changed: u64,
    /// Those of them in which the outcome is.
    pub outcome_changed: u64,
    /// Decisions that were not made then.
    pub added: u64,
    /// Rules that decided, from which to which.
    pub rules: Vec<Move>,
    /// Fallbacks.
    pub fallbacks: Vec<Move>,
    /// Tiers.
    pub tiers: Vec<Move>,
    /// Fields of the outcome that are others.
    pub fields: Vec<FieldChanges>,
}

/// What changes in one field of outcomes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChanges {
    /// The field.
    pub field: String,
    /// Its values, from which to which.
    pub moves: Vec<Move>,
}

/// A decision then, and now.
pub(super) struct Pair<'a> {
    pub(super) then: (&'a RecordedDecision, &'a Playbook),
    pub(super) now: (&'a Made, &'a Playbook),
}

impl Reasons {
    pub(super) fn count(&mut self, reason: String, times: u64) {
        let is_known = self.0.contains_key(&reason) || self.0.len() < REASONS_MAX;
        let reason = if is_known { reason } else { "(others)".to_owned() };
        *self.0.entry(reason).or_default() += times;
    }

    fn add(&mut self, other: Self) {
        other.0.into_iter().for_each(|(reason, times)| self.count(reason, times));
    }

    pub(super) fn listed(self) -> Vec<Counted> {
        let mut listed: Vec<Counted> = self.0.into_iter().map(|(reason, count)| Counted { reason, count }).collect();
        listed.sort_by_key(|counted| std::cmp::Reverse(counted.count));
        listed
    }
}

impl Changes {
    /// Counts a decision that was not made then.
    pub(super) fn added(&mut self, playbook: &str) {
        self.playbooks.entry(playbook.to_owned()).or_default().added += 1;
    }

    /// Compares a decision then and now.
    pub(super) fn compare(&mut self, pair: &Pair<'_>, example: impl Fn() -> Example) {
        let name = &*pair.now.1.name;
        if !self.playbooks.contains_key(name) {
            self.playbooks.insert(name.to_owned(), PlaybookMoves::default());
        }
        let Some(moves) = self.playbooks.get_mut(name) else { return };
        moves.decided += 1;
        let (then, now) = (pair.then.0, &pair.now.0.decided);
        let rule = |rank: Option<usize>, playbook: &Playbook| {
            let rule = rank.and_then(|rank| playbook.rules.rules().get(rank));
            rule.map_or_else(|| "(default)".to_owned(), |rule| rule.id.to_string())
        };
        let fallback = |of: Option<_>| of.map_or_else(|| "none".to_owned(), |reason| format!("{reason}"));
        let mut is_changed = moves.rules.count(rule(then.rule, pair.then.1), rule(now.rule, pair.now.1), &example);
        is_changed |= moves.fallbacks.count(fallback(then.fallback), fallback(now.fallback), &example);
        is_changed |= moves.tiers.count(then.tier.to_string(), now.tier.to_string(), &example);
        let mut is_other = false;
        for (field, from, to) in pair.fields() {
            is_other = true;
            moves.fields.entry(field).or_default().count(from, to, &example);
        }
        moves.outcome_changed += u64::from(is_other);
        moves.changed += u64::from(is_changed || is_other);
    }

    /// Adds those of another partition.
    pub(super) fn add(&mut self, other: Self) {
        self.turns += other.turns;
        self.recorded += other.recorded;
        self.void_settlements += other.void_settlements;
        self.not_decided.add(other.not_decided);
        self.left.add(other.left);
        self.unreadable.add(other.unreadable);
        for (name, moves) in other.playbooks {
            let known = self.playbooks.entry(name).or_default();
            known.decided += moves.decided;
            known.changed += moves.changed;
            known.outcome_changed += moves.outcome_changed;
            known.added += moves.added;
            known.rules.add(moves.rules);
            known.tiers.add(moves.tiers);
            known.fallbacks.add(moves.fallbacks);
            moves.fields.into_iter().for_each(|(field, of)| known.fields.entry(field).or_default().add(of));
        }
    }

    /// By playbook, in the order of their names.
    pub(super) fn listed(playbooks: Self) -> Vec<PlaybookChanges> {
        let field = |(field, moves): (String, Moves)| FieldChanges { field, moves: moves.listed() };
        let listed = |(playbook, moves): (String, PlaybookMoves)| PlaybookChanges {
            playbook,
            decided: moves.decided,
            changed: moves.changed,
            outcome_changed: moves.outcome_changed,
            added: moves.added,
            rules: moves.rules.listed(),
            fallbacks: moves.fallbacks.listed(),
            tiers: moves.tiers.listed(),
            fields: moves.fields.into_iter().map(field).collect(),
        };
        playbooks.playbooks.into_iter().map(listed).collect()
    }
}

/// What stands for the value of a field that an outcome does not have.
const NO_FIELD: &str = "(no such field)";

impl Pair<'_> {
    /// The outcome's fields that are others: name, then, now.
    fn fields(&self) -> Vec<(String, String, String)> {
        let (then, now) = (self.then.1.outcome.fields(), self.now.1.outcome.fields());
        let values = self.now.0.decided.outcome.get().values();
        let mut changed = Vec::new();
        for (field, value) in now.iter().zip(values) {
            let before = then.iter().zip(&self.then.0.outcome).find(|(known, _)| known.name == field.name);
            let is_same = before.is_some_and(|(known, before)| known.ty == field.ty && before == value);
            if !is_same {
                let from = before.map_or_else(|| NO_FIELD.to_owned(), |(known, before)| shown(known, before));
                changed.push((field.name.to_string(), from, shown(field, value)));
            }
        }
        for (field, value) in then.iter().zip(&self.then.0.outcome) {
            if now.iter().all(|known| known.name != field.name) {
                changed.push((field.name.to_string(), shown(field, value), NO_FIELD.to_owned()));
            }
        }
        changed.retain(|(_, from, to)| from != to);
        changed
    }
}

fn shown(field: &Field, value: &Value) -> String {
    field.ty.show(value).to_string()
}
