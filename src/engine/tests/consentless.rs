//! Property: taking a consent away never leads to a more permissive action.
//!
//! A playbook's default is what it does for those who gave no consent at all: that it needs none is checked when it is compiled.
//! So "no more permissive" means: the same decision, or the default with the reason that a consent is missing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::*;
use crate::context::{Consent, Consents};
use crate::domain::{FallbackReason, Timestamp};
use crate::turn::Made;

/// The customer's consents without the one to a purpose: never given, or withdrawn.
fn without(consents: &Consents, purpose: &str, is_withdrawn: bool) -> Consents {
    let mut fewer = Consents::default();
    for consent in consents.iter() {
        if *consent.purpose != *purpose {
            fewer.put(consent.clone());
        } else if is_withdrawn {
            fewer.put(Consent { is_given: false, ..consent.clone() });
        }
    }
    fewer
}

fn is_default_for_want_of_consent(made: &Made, world: &World) -> bool {
    let default = &world.bundle.playbooks()[made.playbook].default.values;
    made.decided.fallback == Some(FallbackReason::ConsentMissing) && made.decided.outcome.get().values() == &**default
}

fn action(made: &Made) -> String {
    made.decided.outcome.get().text("action").unwrap().to_owned()
}

/// What a customer consents to, kept as plainly as can be: the last word by its own time, which is no later than its arrival; of
/// two of the same instant the withdrawal.
#[derive(Default)]
struct Words(BTreeMap<usize, (Timestamp, bool)>);

impl Words {
    fn hear(&mut self, purpose: usize, at: Timestamp, is_given: bool) {
        let word = (at, !is_given);
        let held = self.0.get(&purpose).map(|(at, is_given)| (*at, !*is_given));
        if held.is_none_or(|held| word > held) {
            self.0.insert(purpose, (at, is_given));
        }
    }

    fn is_given(&self, purpose: &str) -> bool {
        let number = PURPOSES.iter().position(|name| *name == purpose).unwrap();
        self.0.get(&number).is_some_and(|(_, is_given)| *is_given)
    }
}

const CAPPED: Kinds = Kinds { playbooks: 2, has_caps: true };
const UNCAPPED: Kinds = Kinds { playbooks: 2, has_caps: false };
const ALONE: Kinds = Kinds { playbooks: 1, has_caps: true };

fn history() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..25)
}

/// The history without some of the words that give consent.
fn fewer(steps: &[Step], kept: &[bool]) -> Vec<Step> {
    let without = |(step, is_kept): (&Step, &bool)| match step {
        Step::Consent { is_given: true, .. } if !is_kept => Step::Wait(0),
        step => step.clone(),
    };
    steps.iter().zip(kept).map(without).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// At every decision, whatever happened before it: without any one of the consents that are given, it is the same decision,
    /// byte for byte, or the default for want of a consent.
    #[test]
    fn without_a_consent_a_decision_is_the_same_or_the_default(
        bundle in any_bundle(CAPPED),
        steps in history(),
    ) {
        let mut world = World::new(&bundle);
        for at in 0..steps.len() {
            let before = world.clone();
            let Some(told) = world.perform(&steps, at) else { continue };
            for (number, is_withdrawn) in NEEDING.into_iter().flat_map(|number| [(number, false), (number, true)]) {
                let mut less = before.clone();
                less.state.consents = without(&before.state.consents, PURPOSES[number], is_withdrawn);
                let Some(less_told) = less.perform(&steps, at) else { continue };
                prop_assert_eq!(told.turn.decisions.len(), less_told.turn.decisions.len());
                for (made, less_made) in told.turn.decisions.iter().zip(&less_told.turn.decisions) {
                    prop_assert!(
                        less_told.decision(less_made) == told.decision(made)
                            || is_default_for_want_of_consent(less_made, &less),
                        "without {}: {} in place of {}",
                        PURPOSES[number],
                        less_told.decision(less_made),
                        told.decision(made)
                    );
                }
            }
        }
    }

    /// Nothing that needs a consent is ever decided without it; who gave none to a playbook's purpose gets its default. Checked
    /// against words kept apart from the state.
    #[test]
    fn no_action_is_taken_without_its_consent(bundle in any_bundle(CAPPED), steps in history()) {
        let (mut world, mut words) = (World::new(&bundle), Words::default());
        for at in 0..steps.len() {
            if let Step::Consent { purpose, is_given, ago } = &steps[at] {
                let minutes = crate::domain::TimeDelta::from_micros(ago * 60_000_000);
                let said = world.now.saturating_sub(minutes).min(world.now);
                words.hear(*purpose, said, *is_given);
            }
            let Some(told) = world.perform(&steps, at) else { continue };
            for made in &told.turn.decisions {
                let playbook = &bundle.playbooks()[made.playbook];
                let is_open = playbook.purpose.as_ref().is_none_or(|of| !of.needs_consent || words.is_given(&of.name));
                prop_assert_eq!(is_default_for_want_of_consent(made, &world) && made.decided.refused.is_none(), !is_open);
                let action = action(made);
                for required in &playbook.consents {
                    let is_taken = made.decided.outcome.get().values()[required.field] == required.action;
                    prop_assert!(!is_taken || words.is_given(&required.purpose), "{action} without {}", required.purpose);
                }
            }
        }
    }

    /// Over whole histories: without caps, each decision of a customer who consented to less is the same or the default for want
    /// of a consent.
    #[test]
    fn a_history_with_fewer_consents_has_no_other_action(
        bundle in any_bundle(UNCAPPED),
        steps in history(),
        kept in proptest::collection::vec(any::<bool>(), 25),
    ) {
        let fewer = fewer(&steps, &kept);
        let (mut world, mut less) = (World::new(&bundle), World::new(&bundle));
        for at in 0..steps.len() {
            let (told, less_told) = (world.perform(&steps, at), less.perform(&fewer, at));
            let decisions = |told: &Option<Told>| told.as_ref().map_or(0, |told| told.turn.decisions.len());
            prop_assert_eq!(decisions(&told), decisions(&less_told));
            let (Some(told), Some(less_told)) = (told, less_told) else { continue };
            for (made, less_made) in told.turn.decisions.iter().zip(&less_told.turn.decisions) {
                let is_same = less_told.decision(less_made) == told.decision(made);
                prop_assert!(is_same || is_default_for_want_of_consent(less_made, &less));
            }
        }
    }

    /// Over whole histories with caps that count: up to any moment, a customer who consented to less was granted an action no more
    /// often. (What is not granted leaves room, so a single grant may come later than it would have.)
    #[test]
    fn a_history_with_fewer_consents_is_granted_no_more(
        bundle in any_bundle(ALONE),
        steps in history(),
        kept in proptest::collection::vec(any::<bool>(), 25),
    ) {
        let fewer = fewer(&steps, &kept);
        let (mut world, mut less) = (World::new(&bundle), World::new(&bundle));
        let (mut granted, mut less_granted) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
        for at in 0..steps.len() {
            let count = |told: Option<Told>, granted: &mut BTreeMap<String, usize>| {
                for made in told.iter().flat_map(|told| &told.turn.decisions) {
                    *granted.entry(action(made)).or_default() += 1;
                }
            };
            count(world.perform(&steps, at), &mut granted);
            count(less.perform(&fewer, at), &mut less_granted);
            for action in &ACTIONS[1..] {
                let (all, less) = (granted.get(*action), less_granted.get(*action));
                prop_assert!(less <= all, "{action}: {less:?} of {all:?} after step {at}");
            }
        }
    }
}
