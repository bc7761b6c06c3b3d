//! The judge: on small rule sets every finding is true and none is missing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::small::{PHRASES, Small, TEXTS, matching, model, points, scope, small, small_with_atoms};
use crate::analysis::finding::Kind;
use crate::analysis::inspect::findings;
use crate::analysis::{Finding, Witness};
use crate::rules::{HitPolicy, RuleSet, Scratch};

/// Every input with the rules that match it.
struct World {
    points: Vec<(usize, Witness, Vec<usize>)>,
    /// Whether each rule matches something once attributes of other events count as there.
    matches_wide: Vec<bool>,
}

impl World {
    fn of(small: &Small, rules: &RuleSet, texts: &[&str]) -> Self {
        let mut scratch = Scratch::default();
        let mut of = |there: &[[u8; 4]]| -> Vec<(usize, Witness, Vec<usize>)> {
            let all =
                there.iter().enumerate().flat_map(|(n, there)| points(there, texts).into_iter().map(move |p| (n, p)));
            let with_rules = all.map(|(n, point)| {
                let matching = matching(rules, &point, &mut scratch).into_iter().collect();
                (n, point, matching)
            });
            with_rules.collect()
        };
        let wide: Vec<[u8; 4]> = small.there.iter().map(|there| there.map(|there| there.min(1))).collect();
        let wide = of(&wide);
        let ranks = 0..rules.rules().len();
        let matches_wide = ranks.map(|rank| wide.iter().any(|(_, _, m)| m.contains(&rank))).collect();
        Self { points: of(&small.there), matches_wide }
    }

    fn of_rule(&self, rank: usize) -> impl Iterator<Item = &Vec<usize>> {
        self.points.iter().map(|(_, _, matching)| matching).filter(move |m| m.contains(&rank))
    }

    /// Whether these rules match whatever the rule matches.
    fn is_covered(&self, rank: usize, by: impl Fn(usize) -> bool) -> bool {
        self.of_rule(rank).all(|matching| matching.iter().any(|other| by(*other)))
    }

    fn is_same(&self, left: usize, right: usize) -> bool {
        self.points.iter().all(|(_, _, m)| m.contains(&left) == m.contains(&right))
    }
}

/// Whether the first decides in place of the second, in the words of the hit policies.
fn is_above(small: &Small, rules: &RuleSet, first: usize, second: usize) -> bool {
    let group = |rank: usize| rules.groups().iter().position(|group| group.ranks.contains(&rank)).unwrap();
    if group(first) != group(second) {
        return group(first) < group(second);
    }
    let outcomes = small.outcomes();
    match rules.groups()[group(first)].policy {
        HitPolicy::First | HitPolicy::Any => first < second,
        HitPolicy::Priority(_) => (outcomes[first], first) < (outcomes[second], second),
        _ => false,
    }
}

fn conflict_of(small: &Small, rules: &RuleSet, world: &World, second: usize, first: usize) -> bool {
    let group = rules.groups().iter().find(|group| group.ranks.contains(&second)).unwrap();
    let outcomes = small.outcomes();
    let forbids = match group.policy {
        HitPolicy::Unique => true,
        HitPolicy::Any => outcomes[first] != outcomes[second],
        _ => false,
    };
    let is_shown =
        || world.of_rule(second).any(|m| m.contains(&first) && m.iter().all(|other| *other >= group.ranks.start));
    forbids && group.ranks.contains(&first) && first < second && is_shown()
}

/// What should be found of each rule.
fn expected(small: &Small, rules: &RuleSet, world: &World) -> BTreeMap<usize, Kind> {
    let mut expected = BTreeMap::new();
    for rank in 0..rules.rules().len() {
        let kind = if (0..rank).any(|first| conflict_of(small, rules, world, rank, first)) {
            Kind::Conflict
        } else if world.of_rule(rank).next().is_none() {
            if world.matches_wide[rank] { Kind::AlwaysUnavailable } else { Kind::Contradictory }
        } else if world.is_covered(rank, |other| is_above(small, rules, other, rank)) {
            Kind::Shadowed
        } else {
            continue;
        };
        expected.insert(rank, kind);
    }
    expected
}

fn judge(small: &Small) -> Result<(), TestCaseError> {
    let scope = scope();
    let rules = small.compile(&scope);
    let world = World::of(small, &rules, &TEXTS);
    let found = findings(model(&rules, &scope, &small.there), &mut |_, _| {});
    let by_rule: BTreeMap<usize, Kind> = found
        .iter()
        .filter(|finding| !finding.ranks.is_empty())
        .map(|finding| (finding.ranks[0], if finding.kind == Kind::Duplicate { Kind::Shadowed } else { finding.kind }))
        .collect();
    prop_assert_eq!(&by_rule, &expected(small, &rules, &world), "{:#?}", found);
    let gaps: Vec<usize> = found
        .iter()
        .filter(|f| f.kind == Kind::Gap && f.message.contains("default"))
        .map(|f| f.example.as_ref().unwrap().position)
        .collect();
    let open = |n: &usize| world.points.iter().any(|(position, _, m)| position == n && m.is_empty());
    prop_assert_eq!(gaps, (0..small.there.len()).filter(open).collect::<Vec<_>>());
    found.iter().try_for_each(|finding| is_true(small, &rules, &world, finding))
}

/// What a finding says beyond its kind: who shadows, who conflicts, and what the engine makes of the example.
fn is_true(small: &Small, rules: &RuleSet, world: &World, finding: &Finding) -> Result<(), TestCaseError> {
    let mut scratch = Scratch::default();
    let matching = finding.example.as_ref().map(|e| matching(rules, &e.witness, &mut scratch));
    let others = finding.ranks.get(1..).unwrap_or_default();
    match finding.kind {
        Kind::Contradictory | Kind::AlwaysUnavailable => prop_assert!(matching.is_none()),
        Kind::Gap => prop_assert!(finding.message.contains("table-") || matching.unwrap().is_empty()),
        Kind::Conflict => {
            let matching = matching.unwrap();
            prop_assert!(finding.ranks.iter().all(|rank| matching.contains(rank)));
            prop_assert!(conflict_of(small, rules, world, finding.ranks[0], others[0]));
        }
        Kind::Duplicate | Kind::Shadowed => {
            let (rank, matching) = (finding.ranks[0], matching.unwrap());
            prop_assert!(matching.contains(&rank));
            prop_assert!(matching.iter().any(|other| is_above(small, rules, *other, rank)));
            prop_assert!(others.iter().all(|other| is_above(small, rules, *other, rank)));
            prop_assert!(world.is_covered(rank, |other| others.contains(&other)), "{:?}", finding);
            prop_assert!(finding.kind == Kind::Shadowed || world.is_same(rank, others[0]));
            let alone = |other: usize| is_above(small, rules, other, rank) && world.is_covered(rank, |o| o == other);
            prop_assert!(others.len() == 1 || !(0..rules.rules().len()).any(alone), "one alone does: {:?}", finding);
            for without in others.iter().filter(|_| others.len() > 1) {
                prop_assert!(!world.is_covered(rank, |o| o != *without && others.contains(&o)), "one too many");
            }
        }
        Kind::Undecided => prop_assert!(false, "undecided within the decidable fragment: {:?}", finding),
    }
    Ok(())
}

/// With parts that the analysis does not look into, findings may be missing, but none may be false.
fn judge_truth(small: &Small) -> Result<(), TestCaseError> {
    let scope = scope();
    let rules = small.compile(&scope);
    let world = World::of(small, &rules, &PHRASES);
    let found = findings(model(&rules, &scope, &small.there), &mut |_, _| {});
    for finding in found.iter().filter(|finding| finding.kind != Kind::Undecided) {
        let never = matches!(finding.kind, Kind::Contradictory | Kind::AlwaysUnavailable);
        prop_assert!(!never || world.of_rule(finding.ranks[0]).next().is_none(), "{:?}", finding);
        if let (Kind::Shadowed | Kind::Duplicate, [rank, others @ ..]) = (finding.kind, &finding.ranks[..]) {
            prop_assert!(world.is_covered(*rank, |other| others.contains(&other)), "{:?}", finding);
        }
        let mut scratch = Scratch::default();
        let Some(matching) = finding.example.as_ref().map(|e| matching(&rules, &e.witness, &mut scratch)) else {
            prop_assert!(never);
            continue;
        };
        match finding.kind {
            Kind::Gap => prop_assert!(finding.message.contains("table-") || matching.is_empty()),
            Kind::Conflict => prop_assert!(finding.ranks.iter().all(|rank| matching.contains(rank))),
            _ => prop_assert!(matching.contains(&finding.ranks[0]) && matching.len() > 1, "{:?}", finding),
        }
    }
    Ok(())
}

/// The judge is worth its name only if it sees all there is to find.
#[test]
fn the_rule_sets_that_are_judged_hold_every_kind_of_finding() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::<Kind, usize>::new();
    for _ in 0..300 {
        let small = small().new_tree(&mut runner).unwrap().current();
        let scope = scope();
        let rules = small.compile(&scope);
        for finding in findings(model(&rules, &scope, &small.there), &mut |_, _| {}) {
            *seen.entry(finding.kind).or_default() += 1;
        }
    }
    let rare: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::Undecided && seen.get(kind).is_none_or(|n| *n < 5))
        .collect();
    assert!(rare.is_empty(), "hardly ever found: {rare:?} of {seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn every_finding_is_true_and_none_is_missing(small in small()) {
        judge(&small)?;
    }

    #[test]
    fn no_finding_is_false_whatever_the_conditions_are(small in small_with_atoms()) {
        judge_truth(&small)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "takes minutes: for the night"]
    fn every_finding_is_true_and_none_is_missing_on_many(small in small()) {
        judge(&small)?;
    }

    #[test]
    #[ignore = "takes minutes: for the night"]
    fn no_finding_is_false_whatever_the_conditions_are_on_many(small in small_with_atoms()) {
        judge_truth(&small)?;
    }
}
