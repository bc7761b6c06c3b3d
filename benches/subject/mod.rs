//! Forthwith under the rules of a workload.
//!
//! Events are typed beforehand; a decision is the question to the rules, the recognition of texts included. No turn, no
//! journal: those have measurements of their own.

#![allow(dead_code, reason = "each bench uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops where it cannot go on")]

use std::hint::black_box;

use forthwith::analysis::nearest_change;
use forthwith::bundle::{Bundle, Sources};
use forthwith::context::TypedEvent;
use forthwith::decider::Sight;
use forthwith::rules::Scratch;
use forthwith::{Event, Raw, Timestamp};

use crate::workload::{EventSpec, FIELDS, Kind, RuleSpec, bundle};

/// The texts of a bundle.
pub(crate) type Texts = [(&'static str, String); 2];

/// A compiled bundle and its events.
pub(crate) struct Subject {
    bundle: Bundle,
    events: Vec<TypedEvent>,
    scratch: Scratch,
    at: Timestamp,
}

/// The texts of these rules.
pub(crate) fn texts(rules: &[RuleSpec]) -> Texts {
    bundle(rules)
}

/// From texts to a bundle that decides. It keeps a copy of the texts, as it always does.
pub(crate) fn load(texts: &Texts) -> Bundle {
    let mut sources = Sources::default();
    for (path, text) in texts {
        sources.insert(*path, text.as_str());
    }
    Bundle::compile(sources).expect("the rules are sound")
}

impl Subject {
    /// The bundle with its events, typed.
    pub(crate) fn new(bundle: Bundle, events: &[EventSpec]) -> Self {
        let typed = |event| bundle.layout().accept(spoken(event)).expect("an event fits its schema");
        let events = events.iter().map(typed).collect();
        Self { bundle, events, scratch: Scratch::default(), at: "2026-11-22T10:00:00Z".parse().unwrap() }
    }

    /// Bytes that the index over the rules holds.
    pub(crate) fn index_bytes(&self) -> usize {
        self.bundle.playbooks()[0].rules.index_bytes()
    }

    /// The first rule that matches an event.
    pub(crate) fn first(&mut self, nth: usize) -> Option<usize> {
        let playbook = &self.bundle.playbooks()[0];
        let sight = Sight::new(playbook, &self.events[nth], self.at, &[]).unwrap();
        playbook.rules.judge(&sight, &mut self.scratch).rule
    }

    /// The first rule that matches, with its conditions and the values they looked at.
    pub(crate) fn first_explained(&mut self, nth: usize) -> Option<usize> {
        let playbook = &self.bundle.playbooks()[0];
        let sight = Sight::new(playbook, &self.events[nth], self.at, &[]).unwrap();
        let rule = playbook.rules.judge(&sight, &mut self.scratch).rule;
        if let Some(rank) = rule {
            black_box(playbook.rules.explain_rule(rank, &sight, &mut self.scratch));
        }
        rule
    }

    /// The first rule that matches, and what would have to change for another one to decide.
    pub(crate) fn nearest_change(&mut self, nth: usize) -> Option<usize> {
        let playbook = &self.bundle.playbooks()[0];
        let sight = Sight::new(playbook, &self.events[nth], self.at, &[]).unwrap();
        let other = nth.wrapping_mul(7_919) % playbook.rules.rules().len();
        black_box(nearest_change(playbook, self.bundle.layout(), other, &sight, 0).ok());
        self.first(nth)
    }
}

/// What the row of [`Subject::first_explained`] is called.
pub(crate) const EXPLAINED: &str = "forthwith, explained";

/// An event as a sender would send it.
fn spoken(event: &EventSpec) -> Event {
    let mut spoken = Event::new("1", "bench", "order", "ann");
    for (position, field) in FIELDS.iter().enumerate() {
        let value: Raw = match field.kind {
            Kind::Text(_) | Kind::Product => event.show(position).into(),
            Kind::Decimal(..) => event.float(position).into(),
            Kind::Int(..) => event.0[position].into(),
            Kind::Bool => (event.0[position] == 1).into(),
        };
        spoken = spoken.with(field.name, value);
    }
    spoken
}
