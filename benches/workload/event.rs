//! Events: two thirds made to satisfy a rule, a third that no rule matches.

use std::collections::HashSet;

use super::family::{Family, Predicate, RuleSpec, Test};
use super::field::{FIELDS, Kind, products};
use super::first_match;
use super::random::{Random, Zipf};

/// Events of a workload.
pub(crate) const EVENTS: usize = 10_000;

/// The values of an event by field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EventSpec(pub(crate) [i64; FIELDS.len()]);

/// So many different events for these rules, in random order.
///
/// Two thirds satisfy a rule that is drawn at random (an earlier one may match them too); a third is drawn until no rule
/// matches. Where rules cover nearly everything that fails, and after [`TRIES_MAX`] tries in a row the rest of the third is
/// taken as it comes.
pub(crate) fn events(family: Family, rules: &[RuleSpec], count: usize) -> Vec<EventSpec> {
    let mut maker = Maker { random: Random::new(1 + family as u64), products: Zipf::new(products(rules.len())) };
    let mut seen = HashSet::with_capacity(count);
    let mut failed = 0;
    while seen.len() < count / 3 {
        let event = maker.event();
        match first_match(rules, &event) {
            Some(_) if failed < TRIES_MAX => failed += 1,
            matched => {
                failed = if matched.is_none() { 0 } else { failed };
                seen.insert(event);
            }
        }
    }
    while seen.len() < count {
        let rule = &rules[maker.random.below(rules.len())];
        seen.insert(maker.satisfying(rule));
    }
    // The order of a hash set is not the same in every run.
    let mut events: Vec<EventSpec> = seen.into_iter().collect();
    events.sort_unstable_by_key(|event| event.0);
    maker.random.shuffle(&mut events);
    events
}

/// See [`events`].
const TRIES_MAX: usize = 1_000;

impl EventSpec {
    /// A value as all engines write it.
    pub(crate) fn show(&self, field: usize) -> String {
        FIELDS[field].show(self.0[field])
    }

    /// A value as a binary floating-point number; for numbers.
    pub(crate) fn float(&self, field: usize) -> f64 {
        match FIELDS[field].kind {
            Kind::Decimal(..) => self.0[field] as f64 / 100.0,
            _ => self.0[field] as f64,
        }
    }
}

struct Maker {
    random: Random,
    products: Zipf,
}

impl Maker {
    fn event(&mut self) -> EventSpec {
        EventSpec(std::array::from_fn(|field| match FIELDS[field].kind {
            Kind::Text(length) => self.random.within(0, length - 1),
            Kind::Product => self.products.next(&mut self.random) as i64,
            Kind::Decimal(from, to) | Kind::Int(from, to) => self.random.within(from, to),
            Kind::Bool => self.random.within(0, 1),
        }))
    }

    fn satisfying(&mut self, rule: &RuleSpec) -> EventSpec {
        let mut event = self.event();
        for Predicate { field, test } in &rule.tests {
            event.0[*field] = match test {
                Test::Is(wanted) => *wanted,
                Test::OneOf(wanted) => wanted[self.random.below(wanted.len())],
                Test::Range(from, to) => self.random.within(*from, to - 1),
            };
        }
        event
    }
}
