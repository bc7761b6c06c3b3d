//! Property: what a decision may not see changes nothing of it. Values that are withheld from a playbook's purpose are changed
//! throughout a history; the decisions as callers get them, as they are recorded and as they are explained stay the same, byte
//! for byte.

use proptest::prelude::*;

use super::world::*;
use crate::bundle::Playbook;
use crate::context::{Layout, Purpose, Purposes, SignalDefinition, Tags};
use crate::domain::Event;
use crate::turn::Readings;

/// The playbook that is looked at; another one, of another purpose, decides on the same events.
const LOOKED_AT: usize = 0;

const KINDS: Kinds = Kinds { playbooks: 2, has_caps: true };

/// Whether a playbook may see what has these tags: what its purpose stands on, or without one what names no purpose at all. Said
/// once more here, so that the rule is not checked against itself.
fn may_see(playbook: &Playbook, tags: &Tags, layout: &Layout) -> bool {
    match &playbook.purpose {
        Some(purpose) => (0..PURPOSES.len())
            .any(|number| layout.purposes()[number].name == purpose.name && tags.purposes.contains(number)),
        None => tags.purposes == Purposes::ALL,
    }
}

/// The names of what may be changed without the playbook's seeing it: facts, attributes that neither it nor a signal that it
/// sees looks at.
fn forbidden(playbook: &Playbook, layout: &Layout) -> Vec<String> {
    let mut names = Vec::new();
    for (kind, event) in layout.events().iter().enumerate() {
        for (number, field) in event.attributes.iter().enumerate() {
            let is_decided_on = playbook.on.contains(&kind);
            let is_seen = is_decided_on && may_see(playbook, event.tags_of(number), layout);
            let is_of = |signal: &SignalDefinition| {
                signal.kind.attribute() == Some(number) || signal.by.as_ref().is_some_and(|by| by.by == number)
            };
            let mut signals = layout.signals().iter().filter(|signal| signal.event == kind && is_of(signal));
            if !is_seen && signals.all(|signal| !may_see(playbook, &signal.tags, layout)) {
                names.push(format!("{}.{}", event.name, field.name));
            }
        }
    }
    let facts = layout.facts().iter().filter(|fact| !may_see(playbook, &fact.tags, layout));
    names.extend(facts.map(|fact| format!("customer.{}", fact.field.name)));
    names
}

/// The values, with the others in the places of what is forbidden.
fn exchanged(of: &str, values: &Values, others: &Values, forbidden: &[String]) -> Values {
    let is_forbidden = |name: &str| forbidden.iter().any(|known| *known == format!("{of}.{name}"));
    let mut mixed = values.clone();
    let places: [(&str, &str, usize); 5] = [
        ("visit", "amount", 0),
        ("visit", "secret", 1),
        ("order", "size", 2),
        ("customer", "f0", 0),
        ("customer", "f1", 1),
    ];
    for (_, name, number) in places.iter().filter(|(kind, ..)| *kind == of) {
        if is_forbidden(name) {
            mixed.numbers[*number] = others.numbers[*number];
        }
    }
    if is_forbidden("page") {
        mixed.page = others.page;
    }
    if is_forbidden("vip") {
        mixed.vip = others.vip;
    }
    mixed
}

fn changed(step: &Step, others: &Values, forbidden: &[String]) -> Step {
    match step {
        Step::Visit(values) => Step::Visit(exchanged("visit", values, others, forbidden)),
        Step::Order(values) => Step::Order(exchanged("order", values, others, forbidden)),
        Step::Facts(values) => Step::Facts(exchanged("customer", values, others, forbidden)),
        step => step.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn what_is_withheld_changes_no_byte_of_a_decision(
        bundle in any_bundle(KINDS),
        steps in proptest::collection::vec((step(), values()), 1..20),
    ) {
        let forbidden = forbidden(&bundle.playbooks()[LOOKED_AT], bundle.layout());
        let (steps, others): (Vec<Step>, Vec<Values>) = steps.into_iter().unzip();
        let changed: Vec<Step> =
            steps.iter().zip(&others).map(|(step, others)| changed(step, others, &forbidden)).collect();
        let (mut world, mut other) = (World::new(&bundle), World::new(&bundle));
        for at in 0..steps.len() {
            let (told, other_told) = (world.perform(&steps, at), other.perform(&changed, at));
            prop_assert_eq!(told.is_some(), other_told.is_some());
            let (Some(told), Some(other_told)) = (told, other_told) else { continue };
            let (made, other_made) = (told.made(LOOKED_AT), other_told.made(LOOKED_AT));
            prop_assert_eq!(made.is_some(), other_made.is_some());
            let (Some(made), Some(other_made)) = (made, other_made) else { continue };
            prop_assert_eq!(told.decision(made), other_told.decision(other_made), "{:?}", forbidden);
            prop_assert_eq!(told.recorded(made), other_told.recorded(other_made), "{:?}", forbidden);
            prop_assert_eq!(told.explained(made), other_told.explained(other_made), "{:?}", forbidden);
        }
    }

    /// Without the consent that its purpose needs, or answered too late to ask for it, a playbook sees nothing: neither the event it decides on nor anything that is
    /// known of the customer.
    #[test]
    fn without_consent_nothing_at_all_changes_a_byte_of_a_decision(
        bundle in any_bundle(KINDS),
        steps in proptest::collection::vec(step(), 1..12),
        (here, there) in (values(), values()),
        facts in values(),
        is_late in proptest::bool::weighted(0.3),
    ) {
        let mut world = World::new(&bundle);
        for at in 0..steps.len() {
            world.perform(&steps, at);
        }
        let (mut other, told_to) = (world.clone(), world.state.consents.clone());
        other.take(other.facts(&facts));
        let visit = |world: &mut World, values: &Values| {
            let input = world.event(Event::new("last", "s", "visit", "c-1"), values);
            world.take_with(input, &Readings { is_late, ..Readings::at(world.now) }).unwrap()
        };
        let (told, other_told) = (visit(&mut world, &here), visit(&mut other, &there));
        for (made, other_made) in told.turn.decisions.iter().zip(&other_told.turn.decisions) {
            let playbook = &bundle.playbooks()[made.playbook];
            let needs_consent = playbook.purpose.as_ref().is_some_and(|of| of.needs_consent);
            let is_given = |of: &Purpose| told_to.is_given(&of.name);
            if !needs_consent || (!is_late && playbook.purpose.as_ref().is_some_and(is_given)) {
                continue;
            }
            prop_assert_eq!(told.decision(made), other_told.decision(other_made));
            prop_assert_eq!(told.recorded(made), other_told.recorded(other_made));
            prop_assert_eq!(told.explained(made), other_told.explained(other_made));
        }
    }
}
