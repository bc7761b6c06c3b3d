//! Findings in sentences.

use std::collections::BTreeSet;

use super::finding::Kind;
use super::model::Model;
use super::region::Region;
use super::search::Doubt;
use crate::rules::{Group, HitPolicy};

/// Rules that are named before the rest is counted.
const NAMED_MAX: usize = 6;

fn rule(model: &Model<'_>, rank: usize) -> String {
    let rule = &model.rules.rules()[rank];
    format!("`{}` ({})", rule.id, rule.origin)
}

fn rules(model: &Model<'_>, ranks: &[usize]) -> String {
    let mut named: Vec<String> = ranks.iter().take(NAMED_MAX).map(|rank| rule(model, *rank)).collect();
    if ranks.len() > NAMED_MAX {
        named.push(format!("{} more", ranks.len() - NAMED_MAX));
    }
    let last = named.pop().unwrap_or_default();
    if named.is_empty() { last } else { format!("{} and {last}", named.join(", ")) }
}

pub(super) fn contradictory(model: &Model<'_>, boxes: &[Region]) -> String {
    let empty = boxes
        .iter()
        .flat_map(Region::sides)
        .filter(|(dim, cells)| model.widened.iter().all(|space| !cells.meets(space.domain(*dim))));
    let names: BTreeSet<String> =
        empty.filter_map(|(dim, _)| Some(format!("`{}`", model.scope.declared(model.slot(*dim)?).path))).collect();
    if names.is_empty() {
        return "can never match: its conditions contradict each other".to_owned();
    }
    let names: Vec<String> = names.into_iter().collect();
    format!("can never match: {} is never what it asks for", names.join(", "))
}

pub(super) fn always_unavailable(model: &Model<'_>, missing: &BTreeSet<u32>) -> String {
    if let Some(withheld) = withheld(model, missing) {
        return withheld;
    }
    let named = missing.iter().filter_map(|dim| model.slot(*dim));
    let named: Vec<String> = named.map(|slot| format!("`{}`", model.scope.declared(slot).path)).collect();
    match &named[..] {
        [] => "can never match: no event of the playbook has the texts it looks at".to_owned(),
        [one] => format!("can never match: no event of the playbook has both {one} and the rest of what it asks for"),
        several => format!("can never match: no event of the playbook has {} together", several.join(" and ")),
    }
}

/// What is said of a rule that can never match for want of what the playbook's purpose may not see.
fn withheld(model: &Model<'_>, missing: &BTreeSet<u32>) -> Option<String> {
    let is_withheld = |dim: &&u32| model.names.iter().all(|names| names.withheld.contains(&(**dim as usize)));
    let named = missing.iter().filter(is_withheld).filter_map(|dim| model.slot(*dim));
    let named: Vec<String> = named.map(|slot| format!("`{}`", model.scope.declared(slot).path)).collect();
    let are = match &named[..] {
        [] => return None,
        [_] => "is",
        _ => "are",
    };
    let from = match model.names.first().and_then(|names| names.purpose.as_ref()) {
        Some(purpose) => format!("{are} withheld from purpose `{purpose}`"),
        None => format!("{are} withheld from a playbook that names no `purpose`"),
    };
    Some(format!("can never match: {} {from}", named.join(" and ")))
}

pub(super) fn shadowed(model: &Model<'_>, kind: Kind, rank: usize, by: &[usize], decides: usize) -> String {
    let decided = if by == [decides] { String::new() } else { format!("; here {} decides", rule(model, decides)) };
    let is_same_group = by.iter().all(|other| model.rules.group_of(*other) == model.rules.group_of(rank));
    let place = if is_same_group { "above it" } else { "before it" };
    match (kind, by) {
        (Kind::Duplicate, by) => format!("never decides: {} {place} has the same condition{decided}", rules(model, by)),
        (_, [one]) => {
            format!("never decides: {} {place} matches whatever it matches{decided}", rule(model, *one))
        }
        (_, several) => {
            format!("never decides: {} {place} together match whatever it matches{decided}", rules(model, several))
        }
    }
}

pub(super) fn conflict(model: &Model<'_>, group: &Group, first: usize) -> String {
    let both = format!("matches the same input as {}", rule(model, first));
    match group.policy {
        HitPolicy::Any => format!("{both} and says something else: the hit policy of {} is `any`", group.name),
        _ => format!("{both}: the hit policy of {} is `unique`", group.name),
    }
}

pub(super) fn gap(model: &Model<'_>, position: usize, table: Option<&str>) -> String {
    let event = &model.names[position].event;
    match table {
        Some(table) => format!("no row of {table} matches some inputs of `{event}` that reach it"),
        None => format!("no rule matches some inputs of `{event}`: the default decides them"),
    }
}

pub(super) fn too_many_overlaps(group: &Group) -> String {
    format!("it could not be shown whether rows of {} match the same input: too many of them overlap", group.name)
}

pub(super) fn whether_it_decides(model: &Model<'_>, rank: usize) -> String {
    format!("whether `{}` ever decides", model.rules.rules()[rank].id)
}

pub(super) fn whether_both_match(model: &Model<'_>, rank: usize, other: usize) -> String {
    format!("whether `{}` and {} match one input", model.rules.rules()[rank].id, rule(model, other))
}

pub(super) fn whether_it_has_a_gap(model: &Model<'_>, position: usize, table: Option<&str>) -> String {
    format!("whether {} has a gap for `{}`", table.unwrap_or("the playbook"), model.names[position].event)
}

pub(super) fn undecided(question: &str, doubt: Doubt) -> String {
    let why = match doubt {
        Doubt::NoInput => "it turns on texts, lists or calculations for which no input was found",
        Doubt::Steps => "it takes more steps than the analysis may",
    };
    format!("it could not be shown {question}: {why}")
}
