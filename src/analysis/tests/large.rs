//! What small rule sets do not reach: many rows, of which only a few meet.

use std::collections::BTreeSet;
use std::rc::Rc;

use proptest::prelude::*;

use super::small::{Small, SmallRule, model, scope};
use crate::analysis::cells::Cells;
use crate::analysis::finding::Kind;
use crate::analysis::inspect::findings;
use crate::analysis::meeting::meeting_pairs;
use crate::analysis::region::{Region, Space};
use crate::rules::Extent;

fn cells() -> impl Strategy<Value = Cells> {
    let intervals = prop::collection::vec((0_i64..20, 0_i64..4), 0..3);
    (intervals, any::<bool>()).prop_map(|(intervals, unavailable)| {
        let extents = intervals.into_iter().map(|(low, width)| Extent::interval(low, low + width));
        let extent = extents.fold(Extent::interval(1, 0), |all, next| all.union(&next));
        Cells { extent, unavailable }
    })
}

fn region() -> impl Strategy<Value = Region> {
    prop::collection::btree_map(0_u32..4, cells(), 0..4).prop_map(|sides| {
        let mut region = Region::default();
        sides.into_iter().for_each(|(dim, cells)| region.restrict(dim, &cells));
        region
    })
}

proptest! {
    #[test]
    fn rows_that_overlap_are_found_without_looking_at_every_pair(
        rows in prop::collection::vec(prop::collection::vec(region(), 1..3), 1..60),
    ) {
        let domain = |unavailable| Cells { extent: Extent::interval(0, 22), unavailable };
        let space = Space(vec![domain(true), domain(false), domain(true), domain(false)]);
        let overlap = |left: &Region, right: &Region| {
            let mut both = left.clone();
            both.restrict_to(right);
            both.within(&space).is_some()
        };
        let mut expected: BTreeSet<(usize, usize)> = BTreeSet::new();
        for second in 0..rows.len() {
            let meets = |first: &usize| rows[*first].iter().any(|l| rows[second].iter().any(|r| overlap(l, r)));
            expected.extend((0..second).filter(meets).map(|first| (second, first)));
        }
        let rows: Vec<(usize, Rc<[Region]>)> = rows.into_iter().map(Rc::from).enumerate().collect();
        let pairs = meeting_pairs(&rows, std::slice::from_ref(&space), &mut 10_000_000).unwrap();
        let found: BTreeSet<(usize, usize)> =
            pairs.iter().flat_map(|(second, firsts)| firsts.iter().map(|first| (*second, *first))).collect();
        prop_assert!(expected.is_subset(&found), "missing: {:?}", expected.difference(&found));
        // A part that is empty by itself meets nothing, but looks as if it did: the search that follows knows better.
        let false_alarms = found.difference(&expected).filter(|(second, first)| {
            let is_whole = |rank: usize| rows[rank].1.iter().all(|part| part.within(&space).is_some());
            is_whole(*second) && is_whole(*first)
        });
        prop_assert_eq!(false_alarms.count(), 0);
    }
}

/// One rule for each text but one, and a last one for all texts that rules name.
fn many(without: usize) -> Small {
    let rule = |when: String| SmallRule { when, applies: false, outcome: 0 };
    let texts: Vec<String> = (0..200).map(|n| format!("'t{n}'")).collect();
    let each = texts.iter().enumerate().filter(|(n, _)| *n != without).map(|(_, text)| format!("event.t == {text}"));
    let mut rules: Vec<SmallRule> = each.map(rule).collect();
    rules.push(rule(format!("event.t in [{}]", texts.join(", "))));
    Small { there: vec![[0; 4]], groups: vec![(0, rules)] }
}

#[test]
fn a_rule_below_hundreds_is_judged_exactly() {
    let scope = scope();
    for (without, expected) in [(200, Some(201)), (137, None)] {
        let small = many(without);
        let rules = small.compile(&scope);
        let found = findings(model(&rules, &scope, &small.there), &mut |_, _| {});
        let shadowed = found.iter().find(|finding| finding.kind == Kind::Shadowed);
        assert_eq!(shadowed.map(|finding| finding.ranks.len()), expected, "{found:?}");
        assert_eq!(found.iter().filter(|finding| finding.kind != Kind::Gap).count(), usize::from(expected.is_some()));
    }
}

#[test]
fn a_table_of_hundreds_of_rows_has_the_conflicts_it_has() {
    let scope = scope();
    let mut small = many(200);
    small.groups[0].0 = 1;
    let rules = small.compile(&scope);
    let found = findings(model(&rules, &scope, &small.there), &mut |_, _| {});
    let conflicts: Vec<_> = found.iter().filter(|f| f.kind == Kind::Conflict).map(|f| f.ranks.clone()).collect();
    assert_eq!(conflicts, [vec![200, 0]]);
}
