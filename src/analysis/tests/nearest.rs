//! Property: the nearest change is the nearest of all.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::small::{Small, TEXTS, matching, model, points, scope, slots, small};
use crate::analysis::nearest::nearest;
use crate::analysis::{NoChange, Witness};
use crate::rules::{HitPolicy, RuleSet, Scratch, Slot, Values};

/// Whether a rule wins, or has its say among those that match.
fn decides(small: &Small, rules: &RuleSet, rank: usize, point: &Witness) -> bool {
    let matching = matching(rules, point, &mut Scratch::default());
    let group = rules.groups().iter().find(|group| group.ranks.contains(&rank)).unwrap();
    let outcomes = small.outcomes();
    let outdoes = |other: usize| match group.policy {
        HitPolicy::First | HitPolicy::Any => other < rank,
        HitPolicy::Priority(_) => (outcomes[other], other) < (outcomes[rank], rank),
        HitPolicy::Unique => other != rank,
        _ => false,
    };
    matching.contains(&rank)
        && matching.iter().all(|other| *other >= group.ranks.start)
        && !matching.iter().any(|other| group.ranks.contains(other) && outdoes(*other))
}

fn differing(left: &Witness, right: &Witness, slots: &[Slot]) -> BTreeSet<Slot> {
    slots.iter().copied().filter(|slot| left.value(*slot).ok() != right.value(*slot).ok()).collect()
}

fn judge(small: &Small, at: prop::sample::Index, fixed: usize) -> Result<(), TestCaseError> {
    let scope = scope();
    let (rules, slots) = (small.compile(&scope), slots(&scope));
    let points = points(&small.there[0], &TEXTS);
    let now = at.get(&points);
    let mutable: BTreeSet<Slot> = slots.iter().copied().filter(|slot| slot.index() != fixed).collect();
    for rank in 0..rules.rules().len() {
        let found = nearest(model(&rules, &scope, &small.there), rank, now, 0, mutable.clone());
        let least = points
            .iter()
            .filter(|point| decides(small, &rules, rank, point))
            .map(|point| differing(now, point, &slots))
            .filter(|changed| changed.is_subset(&mutable))
            .map(|changed| changed.len())
            .min();
        match (found, least) {
            (Err(NoChange::Decides), Some(0)) | (Err(NoChange::Impossible), None) => {}
            (Ok(change), Some(least)) => {
                prop_assert!(change.is_minimal);
                prop_assert_eq!(change.changes.len(), least, "rule {} from {:?}: {:?}", rank, now, change);
                let mut then = now.clone();
                change.changes.iter().for_each(|(slot, value)| then.set(*slot, value.clone()));
                prop_assert!(decides(small, &rules, rank, &then));
            }
            (found, least) => prop_assert!(false, "rule {rank} from {now:?}: {found:?}, the least is {least:?}"),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn no_change_of_fewer_names_would_do(small in small(), at in any::<prop::sample::Index>(), fixed in 0_usize..6) {
        judge(&small, at, fixed)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "takes minutes: for the night"]
    fn no_change_of_fewer_names_would_do_on_many(
        small in small(), at in any::<prop::sample::Index>(), fixed in 0_usize..6,
    ) {
        judge(&small, at, fixed)?;
    }
}
