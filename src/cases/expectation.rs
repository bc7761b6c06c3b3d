//! What is expected of a case, and whether it came so.

use std::collections::{BTreeSet, HashMap};

use super::report::{Difference, RuleNamed};
use crate::bundle::Playbook;
use crate::document::{Node, Section};
use crate::domain::{Datum, Value, suggestion};
use crate::guardrail::Refused;
use crate::rules::Slot;
use crate::turn::Made;

/// How the playbook's default is named where a rule is expected.
pub(super) const DEFAULT: &str = "default";

/// What is expected; what is not said may be anything, but that the guardrail refuses nothing.
#[derive(Debug, Default)]
pub(super) struct Expectation {
    /// The rule that decides, by rank; `Some(None)` for the default.
    pub(super) rule: Option<Option<usize>>,
    /// Values of the outcome, by the number of their field.
    outcome: Vec<(usize, Value)>,
    /// Fields of which the guardrail refuses what the rule says.
    refused: BTreeSet<usize>,
    /// Values that are missed by rules above the one that decides.
    unavailable: Vec<Slot>,
}

pub(super) struct ExpectationReader<'b> {
    playbook: &'b Playbook,
    ranks: HashMap<&'b str, usize>,
}

impl<'b> ExpectationReader<'b> {
    pub(super) fn new(playbook: &'b Playbook) -> Self {
        let ranks = (0..).zip(playbook.rules.rules()).map(|(rank, rule)| (&*rule.id, rank)).collect();
        Self { playbook, ranks }
    }

    pub(super) fn read(&self, node: &Node<'_>) -> Option<Expectation> {
        let section = node.section()?;
        let is_silent = section.entries().is_empty();
        let rule = section.get("rule").map(|node| self.rule(&node));
        let outcome = section.get("outcome").map(|node| self.outcome(&node));
        let refused = self.names(&section, "refused", |node, name| self.field(node, name));
        let unavailable = self.names(&section, "unavailable", |node, name| self.slot(node, name));
        if let (Some([]), Some(node)) = (unavailable.as_deref(), section.get("unavailable")) {
            node.fault("says nothing: name values that are missed by rules above; others may be missed as well");
        }
        section.refuse_unknown();
        if is_silent {
            node.fault("says nothing: expected a `rule`, an `outcome`, or both");
            return None;
        }
        Some(Expectation {
            rule: rule.map_or(Some(None), |rule| rule.map(Some))?,
            outcome: outcome.unwrap_or(Some(Vec::new()))?,
            refused: refused?.into_iter().collect(),
            unavailable: unavailable?,
        })
    }

    /// The rank of a rule; `Some(None)` for the default.
    fn rule(&self, node: &Node<'_>) -> Option<Option<usize>> {
        let id = node.text()?;
        match self.ranks.get(id) {
            Some(rank) => Some(Some(*rank)),
            None if id == DEFAULT => Some(None),
            None => {
                let hint = suggestion(id, self.playbook.rules.rules().iter().map(|rule| &*rule.id));
                let name = &self.playbook.name;
                node.fault(format!("`{name}` has no rule `{id}`{hint}; \"{DEFAULT}\" stands for no rule"));
                None
            }
        }
    }

    fn outcome(&self, node: &Node<'_>) -> Option<Vec<(usize, Value)>> {
        let entries = node.section()?.entries();
        if entries.is_empty() {
            node.fault("says nothing of the outcome");
            return None;
        }
        // Every field is looked at before the first fault ends it.
        let values: Vec<Option<(usize, Value)>> = entries.iter().map(|(name, node)| self.value(name, node)).collect();
        values.into_iter().collect()
    }

    fn value(&self, name: &str, node: &Node<'_>) -> Option<(usize, Value)> {
        let number = self.field(node, name)?;
        match self.playbook.outcome.fields()[number].accept(node.raw()?) {
            Ok(value) => Some((number, value?)),
            Err(fault) => {
                node.fault(fault.to_string());
                None
            }
        }
    }

    fn field(&self, node: &Node<'_>, name: &str) -> Option<usize> {
        let number = self.playbook.outcome.field_number(name);
        if number.is_none() {
            let hint = suggestion(name, self.playbook.outcome.fields().iter().map(|field| &*field.name));
            node.fault(format!("the outcome has no field `{name}`{hint}"));
        }
        number
    }

    fn slot(&self, node: &Node<'_>, name: &str) -> Option<Slot> {
        let scope = &self.playbook.scope;
        let slot = scope.slot(name);
        if slot.is_none() {
            let hint = suggestion(name, scope.slots().map(|slot| &*scope.declared(slot).path));
            node.fault(format!(
                "unknown name `{name}`{hint}; names are written as in conditions, such as `customer.plan`"
            ));
        }
        slot
    }

    /// A list of names, each of which means something; an absent list is empty.
    fn names<T>(
        &self,
        section: &Section<'_>,
        key: &'static str,
        meaning: impl Fn(&Node<'_>, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(node) = section.get(key) else { return Some(Vec::new()) };
        let names: Vec<Option<T>> = node.list()?.iter().map(|node| meaning(node, node.text()?)).collect();
        names.into_iter().collect()
    }
}

// === impl Expectation ===

impl Expectation {
    /// Everything that came otherwise than expected.
    pub(super) fn differences(&self, made: &Made, playbook: &Playbook) -> Vec<Difference> {
        let mut differences = Vec::new();
        let decided = &made.decided;
        if let Some(expected) = self.rule
            && expected != decided.rule
        {
            let named = |rank: Option<usize>| RuleNamed::of(rank, playbook);
            differences.push(Difference::Rule { expected: named(expected), decided: named(decided.rule) });
        }
        for (number, expected) in &self.outcome {
            let field = &playbook.outcome.fields()[*number];
            let value = &decided.outcome.get().values()[*number];
            if value != expected {
                differences.push(Difference::Outcome {
                    field: field.name.to_string(),
                    expected: Datum::new(&field.ty, expected.clone()),
                    decided: Datum::new(&field.ty, value.clone()),
                });
            }
        }
        differences.extend(self.refusal(decided.refused.as_ref(), playbook));
        let missed: BTreeSet<Slot> = decided.skipped.iter().filter_map(|(miss, _)| miss.slot).collect();
        for slot in self.unavailable.iter().filter(|slot| !missed.contains(slot)) {
            let path = |slot: &Slot| playbook.scope.declared(*slot).path.to_string();
            differences
                .push(Difference::Unavailable { expected: path(slot), missed: missed.iter().map(path).collect() });
        }
        differences
    }

    fn refusal(&self, refused: Option<&Refused>, playbook: &Playbook) -> Option<Difference> {
        let violations = refused.map(Refused::violations).unwrap_or_default();
        let refused: BTreeSet<usize> =
            violations.iter().filter_map(|violation| playbook.outcome.field_number(&violation.field)).collect();
        let name = |number: &usize| playbook.outcome.fields()[*number].name.to_string();
        (refused != self.refused).then(|| Difference::Refused {
            expected: self.refused.iter().map(name).collect(),
            refused: violations.iter().map(ToString::to_string).collect(),
        })
    }
}
