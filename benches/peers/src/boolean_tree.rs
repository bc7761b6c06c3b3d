//! a-tree: an index of boolean expressions that share their parts.
//!
//! Inside a decision: the event is built from texts and numbers, the tree is searched, and the first of the matching rules
//! is taken, because the tree gives all of them.

use a_tree::{ATree, AttributeDefinition, Event};

use crate::workload::{EventSpec, FIELDS, Kind, RuleSpec, a_tree};

/// A tree and the events that it is asked about.
pub(crate) struct BooleanTree {
    tree: ATree<usize>,
    events: Vec<Worded>,
}

/// An event before the tree knows it: the texts, and the numbers as they are.
struct Worded {
    texts: Vec<String>,
    spec: EventSpec,
}

/// The texts of these rules.
pub(crate) fn texts(rules: &[RuleSpec]) -> Vec<String> {
    rules.iter().map(a_tree).collect()
}

/// From texts to a tree.
pub(crate) fn load(texts: &[String]) -> ATree<usize> {
    let attributes: Vec<AttributeDefinition> = FIELDS
        .iter()
        .map(|field| match field.kind {
            Kind::Text(_) | Kind::Product => AttributeDefinition::string(field.name),
            Kind::Decimal(..) => AttributeDefinition::float(field.name),
            Kind::Int(..) => AttributeDefinition::integer(field.name),
            Kind::Bool => AttributeDefinition::boolean(field.name),
        })
        .collect();
    let mut tree = ATree::new(&attributes).expect("the fields have different names");
    for (rank, text) in texts.iter().enumerate() {
        tree.insert(&rank, text).expect("the rules are sound");
    }
    tree
}

impl BooleanTree {
    /// The tree with its events.
    pub(crate) fn new(tree: ATree<usize>, events: &[EventSpec]) -> Self {
        let worded = |spec: &EventSpec| Worded {
            texts: FIELDS
                .iter()
                .enumerate()
                .filter(|(_, field)| field.is_text())
                .map(|(nth, _)| spec.show(nth))
                .collect(),
            spec: spec.clone(),
        };
        Self { tree, events: events.iter().map(worded).collect() }
    }

    /// The first rule that matches an event.
    pub(crate) fn first(&self, nth: usize) -> Option<usize> {
        let event = self.event(&self.events[nth]);
        let report = self.tree.search(&event).expect("an event fits the fields");
        report.matches().iter().map(|rank| **rank).min()
    }

    fn event(&self, worded: &Worded) -> Event {
        let mut builder = self.tree.make_event();
        for (position, field) in FIELDS.iter().enumerate() {
            let value = worded.spec.0[position];
            let entered = match field.kind {
                Kind::Text(_) | Kind::Product => builder.with_string(field.name, &worded.texts[position]),
                Kind::Decimal(..) => builder.with_float(field.name, value, 2),
                Kind::Int(..) => builder.with_integer(field.name, value),
                Kind::Bool => builder.with_boolean(field.name, value == 1),
            };
            entered.expect("the field is known");
        }
        builder.build().expect("all fields are there")
    }
}
