//! Rows of `unique` and `any` tables that match the same input.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::finding::{Example, Finding, Kind};
use super::inspect::{finding, undecided};
use super::meeting::meeting_pairs;
use super::model::Model;
use super::region::Region;
use super::search::{Answer, Doubt, Outcome, Search, first_of};
use super::words;
use crate::domain::Value;
use crate::rules::{Group, HitPolicy, Scratch, Setting};

/// The conflicts of all groups: for each row the first above it that it conflicts with.
pub(super) fn conflicts(search: &mut Search<'_, '_>) -> Vec<Finding> {
    let groups = search.model.rules.groups();
    let exclusive = groups.iter().filter(|group| matches!(group.policy, HitPolicy::Unique | HitPolicy::Any));
    exclusive.flat_map(|group| of_group(search, group)).collect()
}

fn of_group(search: &mut Search<'_, '_>, group: &Group) -> Vec<Finding> {
    let rows: Vec<(usize, Rc<[Region]>)> = group.ranks.clone().map(|rank| (rank, search.model.boxes(rank))).collect();
    let Some(pairs) = meeting_pairs(&rows, &search.model.spaces, search.steps) else {
        let message = words::too_many_overlaps(group);
        return vec![finding(search.model, Kind::Undecided, Vec::new(), message, None)];
    };
    pairs.into_iter().filter_map(|(second, firsts)| of_row(search, group, &firsts, second)).collect()
}

/// The conflict of a row with the first of those above that it conflicts with.
fn of_row(search: &mut Search<'_, '_>, group: &Group, firsts: &BTreeSet<usize>, second: usize) -> Option<Finding> {
    let mut doubt = None;
    for first in firsts.iter().copied() {
        match of_pair(search, group, first, second) {
            Some(Outcome::Found(example)) => {
                let message = words::conflict(search.model, group, first);
                return Some(finding(search.model, Kind::Conflict, vec![second, first], message, Some(example)));
            }
            Some(Outcome::Undecided(why)) => doubt = doubt.or(Some((first, why))),
            Some(Outcome::Excluded(_)) | None => {}
        }
    }
    doubt.map(|(first, why)| {
        let question = words::whether_both_match(search.model, second, first);
        undecided(search.model, vec![second, first], &question, why)
    })
}

/// Whether two rows match one input that reaches their table; `None` if that is plain.
fn of_pair(search: &mut Search<'_, '_>, group: &Group, first: usize, second: usize) -> Option<Outcome> {
    if group.policy == HitPolicy::Any && are_same_literals(search.model, first, second) {
        return None;
    }
    let Some(left) = search.steps.checked_sub(4) else { return Some(Outcome::Undecided(Doubt::Steps)) };
    *search.steps = left;
    let regions = common(search, first, second);
    if regions.is_empty() {
        return None;
    }
    let own = search.model.rules.group_of(first);
    let outcome =
        search.run(&regions, &|model, other| model.rules.group_of(other) < own, &mut |model, example, scratch| {
            answer(model, group, (first, second), example, scratch)
        });
    Some(outcome)
}

fn answer(
    model: &Model<'_>,
    group: &Group,
    (first, second): (usize, usize),
    example: &Example,
    scratch: &mut Scratch,
) -> Answer {
    let witness = &example.witness;
    if !model.rules.matches(first, witness, scratch) || !model.rules.matches(second, witness, scratch) {
        return Answer::Missed;
    }
    match first_of(model, witness, scratch) {
        Some(above) if above < group.ranks.start => Answer::Blocked(above),
        _ if group.policy == HitPolicy::Unique || !say_the_same(model, first, second, example, scratch) => {
            Answer::Found
        }
        _ => Answer::Missed,
    }
}

fn common(search: &mut Search<'_, '_>, first: usize, second: usize) -> Vec<(usize, Region)> {
    let (left, right) = (search.model.boxes(first), search.model.boxes(second));
    let model = &*search.model;
    let mut regions = Vec::new();
    for (position, space) in model.spaces.iter().enumerate() {
        for part in left.iter() {
            for other in right.iter().filter(|other| part.meets(other, space)) {
                let mut both = part.clone();
                both.restrict_to(other);
                regions.extend(model.within(&both, space).map(|region| (position, region)));
            }
        }
    }
    regions
}

/// Whether both rules say the same, whatever the input.
fn are_same_literals(model: &Model<'_>, first: usize, second: usize) -> bool {
    let said = |rank: usize| model.rules.rules()[rank].then.settings();
    let literal = |(number, setting): (usize, &Option<Setting>)| match setting {
        None => model.defaults.get(number).cloned(),
        Some(Setting::Literal(value)) => Some(value.clone()),
        Some(Setting::Computed(_)) => None,
    };
    let mut pairs = said(first).iter().enumerate().map(literal).zip(said(second).iter().enumerate().map(literal));
    pairs.all(|(left, right)| left.is_some() && left == right)
}

fn say_the_same(model: &Model<'_>, first: usize, second: usize, example: &Example, scratch: &mut Scratch) -> bool {
    let mut said = |rank: usize| -> Option<Vec<Option<Value>>> {
        let values = model.rules.said_by(rank, &example.witness, scratch).ok()?;
        Some(values.into_iter().enumerate().map(|(n, v)| v.or_else(|| model.defaults.get(n).cloned())).collect())
    };
    said(first) == said(second)
}
