//! Rules and events for measuring: made from a seed, the same on every machine and for every engine.
//!
//! An event has twelve fields: six texts, four numbers, two truths. A rule is a conjunction of two to four tests, a text
//! that equals or is one of two to four, a number within a half-open range, a truth. Rules with more tests stand
//! first; the first that matches decides. Every value is a whole number (a text its position in its field's vocabulary,
//! a decimal its hundredths), so that all engines mean the same by it.
//!
//! Nothing here knows any engine, and only the standard library is used: the bench and the package of peers share the
//! folder by path.
//!
//! | file | noun |
//! |---|---|
//! | `field` | the twelve fields |
//! | `random` | seeded numbers |
//! | `family` | what kinds of rules there are, and making them |
//! | `event` | events, two thirds of which match |
//! | `render` | a rule in each engine's language |
//! | `floor` | rules lowered to flat predicates and asked one after the other |

#![allow(dead_code, unused_imports, reason = "each bench uses its part")]

mod event;
mod family;
mod field;
mod floor;
mod random;
mod render;

pub(crate) use event::{EVENTS, EventSpec, events};
pub(crate) use family::{Family, Predicate, RuleSpec, Test, rules};
pub(crate) use field::{FIELDS, Field, Kind};
pub(crate) use floor::{LoweredRules, WordedEvent};
pub(crate) use render::{a_tree, bundle, cel, decision_table};

/// The rules and events of one measurement, with the right answers.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) family: Family,
    pub(crate) rules: Vec<RuleSpec>,
    pub(crate) events: Vec<EventSpec>,
    /// For each event the rank of the first rule that matches.
    pub(crate) expected: Vec<Option<usize>>,
}

/// What a workload is like, for the reader of a table.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The share of events that no rule matches.
    pub(crate) unmatched: f64,
    /// Rules that match an event, in the mean.
    pub(crate) matching: f64,
    /// Rules that are read until the first match, in the mean.
    pub(crate) read: f64,
}

impl Workload {
    /// The workload of so many rules of a family. The same arguments always give the same workload.
    pub(crate) fn new(family: Family, rules: usize) -> Self {
        let rules = family::rules(family, rules);
        let events = event::events(family, &rules, EVENTS);
        let expected = events.iter().map(|event| first_match(&rules, event)).collect();
        Self { family, rules, events, expected }
    }

    /// How hard it is, from a sample of its events.
    pub(crate) fn shape(&self) -> Shape {
        const SAMPLE: usize = 500;
        let sample = &self.events[..SAMPLE.min(self.events.len())];
        let matching: usize =
            sample.iter().map(|event| self.rules.iter().filter(|rule| rule.matches(event)).count()).sum();
        let read: usize = self.expected.iter().map(|rank| rank.map_or(self.rules.len(), |rank| rank + 1)).sum();
        Shape {
            unmatched: self.expected.iter().filter(|rank| rank.is_none()).count() as f64 / self.events.len() as f64,
            matching: matching as f64 / sample.len() as f64,
            read: read as f64 / self.events.len() as f64,
        }
    }
}

/// The judge: every rule is asked in its order, straight from its description.
pub(crate) fn first_match(rules: &[RuleSpec], event: &EventSpec) -> Option<usize> {
    rules.iter().position(|rule| rule.matches(event))
}
