//! Inspecting a rule set: every finding, in the order of the rules.

use std::collections::{BTreeSet, HashMap};

use super::conflict::conflicts;
use super::cover::Cover;
use super::finding::{Example, Finding, Kind};
use super::gap::gaps;
use super::model::Model;
use super::names;
use super::region::Region;
use super::search::{Answer, Doubt, Outcome, Search, who_decides};
use super::words;
use crate::bundle::Playbook;
use crate::context::Layout;
use crate::rules::Scratch;

/// Steps that the analysis of one playbook may take: some ten seconds. What is beyond is said to be undecided.
const STEPS_MAX: u64 = 1_500_000_000;

/// Rules above one that are tried by themselves, before several are named.
const ALONE_MAX: usize = 10_000;

/// Analyses a playbook's rules without running them. `progress` is told after each rule how many of how many are done.
pub fn inspect(playbook: &Playbook, layout: &Layout, progress: &mut dyn FnMut(usize, usize)) -> Vec<Finding> {
    let names = names::of(playbook, layout);
    let model = Model::new(&playbook.rules, &playbook.scope, &playbook.default.values, names);
    findings(model, progress)
}

pub(super) fn findings(mut model: Model<'_>, progress: &mut dyn FnMut(usize, usize)) -> Vec<Finding> {
    let (mut scratch, mut steps) = (Scratch::default(), STEPS_MAX);
    let mut search = Search { model: &mut model, scratch: &mut scratch, steps: &mut steps };
    let total = search.model.rules.rules().len();
    let mut findings = conflicts(&mut search);
    let taken: BTreeSet<usize> = findings.iter().filter(|f| f.kind == Kind::Conflict).map(|f| f.ranks[0]).collect();
    let mut alike: HashMap<String, Vec<usize>> = HashMap::new();
    for rank in 0..total {
        let known = alike.entry(format!("{:?}", search.model.boxes(rank))).or_default();
        let before = known.clone();
        known.push(rank);
        if !taken.contains(&rank) {
            findings.extend(of_rule(&mut search, rank, &before));
        }
        progress(rank + 1, total);
    }
    findings.extend(gaps(&mut search));
    // In the order of the rules; what is about none of them stands last.
    findings.sort_by_key(|finding| (finding.ranks.first().copied().unwrap_or(usize::MAX), finding.kind));
    findings
}

/// The finding about a rule, if there is one. `alike` are the rules above with the same boxes.
fn of_rule(search: &mut Search<'_, '_>, rank: usize, alike: &[usize]) -> Option<Finding> {
    if search.model.rules.rules()[rank].condition.is_switched_off() {
        return None;
    }
    let regions = search.regions_of(rank);
    if regions.is_empty() {
        return Some(never(search, rank));
    }
    let mut shown: Option<(Example, usize)> = None;
    let outcome = search.run(&regions, &|model, other| model.is_above(other, rank), &mut |model, example, scratch| {
        let answer = who_decides(model, rank, example, scratch);
        if let (Answer::Blocked(other), None) = (&answer, &shown) {
            shown = Some((example.clone(), *other));
        }
        answer
    });
    match outcome {
        Outcome::Found(_) => None,
        Outcome::Excluded(met) => {
            let (example, decides) = shown?;
            Some(shadowed(search, rank, &regions, Shadow { alike, met, example, decides }))
        }
        Outcome::Undecided(doubt) => {
            let question = words::whether_it_decides(search.model, rank);
            Some(undecided(search.model, vec![rank], &question, doubt))
        }
    }
}

/// A rule that matches nothing.
fn never(search: &mut Search<'_, '_>, rank: usize) -> Finding {
    let boxes = search.model.boxes(rank);
    let model = &*search.model;
    let missing = model.widened.iter().zip(&model.spaces).flat_map(|(wide, space)| {
        let possible = boxes.iter().filter_map(move |part| model.within(part, wide));
        possible.flat_map(move |part| {
            let sides = part.sides().to_vec().into_iter();
            sides.filter(move |(dim, cells)| !cells.meets(space.domain(*dim))).map(|(dim, _)| dim)
        })
    });
    let missing: BTreeSet<u32> = missing.collect();
    let (kind, message) = if missing.is_empty() {
        (Kind::Contradictory, words::contradictory(model, &boxes))
    } else {
        (Kind::AlwaysUnavailable, words::always_unavailable(model, &missing))
    };
    finding(model, kind, vec![rank], message, None)
}

/// What is known of a rule that is decided above.
struct Shadow<'s> {
    alike: &'s [usize],
    /// Rules that match all of it together.
    met: Vec<usize>,
    /// An input that it matches, and the rule that decides it.
    example: Example,
    decides: usize,
}

fn shadowed(search: &mut Search<'_, '_>, rank: usize, regions: &[(usize, Region)], shadow: Shadow<'_>) -> Finding {
    let twin = shadow.alike.iter().copied().find(|other| search.model.is_above(*other, rank));
    let (kind, by) = match twin {
        Some(twin) => (Kind::Duplicate, vec![twin]),
        None => {
            let alone = alone(search, rank, regions, &shadow);
            (Kind::Shadowed, alone.map_or_else(|| fewer(search, regions, shadow.met), |other| vec![other]))
        }
    };
    let message = words::shadowed(search.model, kind, rank, &by, shadow.decides);
    let ranks = [rank].into_iter().chain(by).collect();
    finding(search.model, kind, ranks, message, Some(shadow.example))
}

/// A rule above that matches everything by itself. One that does matches the example too, so few are looked at closely.
fn alone(search: &mut Search<'_, '_>, rank: usize, regions: &[(usize, Region)], shadow: &Shadow<'_>) -> Option<usize> {
    let others = (0..search.model.rules.rules().len()).filter(|other| !shadow.met.contains(other)).take(ALONE_MAX);
    let candidates: Vec<usize> = shadow.met.iter().copied().chain(others).collect();
    candidates.into_iter().find(|other| {
        *search.steps = search.steps.saturating_sub(1);
        *search.steps > 0
            && search.model.is_above(*other, rank)
            && search.model.rules.matches(*other, &shadow.example.witness, search.scratch)
            && covers(search, regions, &[*other])
    })
}

/// The rules without those that are not needed.
fn fewer(search: &mut Search<'_, '_>, regions: &[(usize, Region)], met: Vec<usize>) -> Vec<usize> {
    let mut needed = met;
    needed.sort_unstable();
    let mut at = needed.len();
    while at > 0 && needed.len() <= 64 {
        at -= 1;
        let mut without = needed.clone();
        without.remove(at);
        if covers(search, regions, &without) {
            needed = without;
        }
    }
    needed
}

fn covers(search: &mut Search<'_, '_>, regions: &[(usize, Region)], rules: &[usize]) -> bool {
    regions.iter().all(|(position, region)| search.uncovered(*position, region, rules, &[]) == Cover::Whole)
}

pub(super) fn undecided(model: &Model<'_>, ranks: Vec<usize>, question: &str, doubt: Doubt) -> Finding {
    let message = words::undecided(question, doubt);
    finding(model, Kind::Undecided, ranks, message, None)
}

pub(super) fn finding(
    model: &Model<'_>,
    kind: Kind,
    ranks: Vec<usize>,
    message: String,
    example: Option<Example>,
) -> Finding {
    let origin = ranks.first().map(|rank| model.rules.rules()[*rank].origin.clone());
    Finding { kind, ranks, origin, message, example }
}
