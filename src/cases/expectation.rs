//! What is expected of a case, and whether it came so.

use std::collections::{BTreeSet, HashMap};

use super::report::{Difference, RuleNamed};
use crate::bundle::Playbook;
use crate::decider::Decided;
use crate::document::{Node, Section};
use crate::domain::{Datum, FallbackReason, Value, suggestion};
use crate::guardrail::Refused;
use crate::rules::Slot;
use crate::turn::Made;

/// How the playbook's default is named where a rule is expected.
pub(super) const DEFAULT: &str = "default";

/// What is expected; what is not said may be anything, but that the rules are asked, that the guardrail refuses nothing and
/// that no hit policy is violated.
#[derive(Debug, Default)]
pub(super) struct Expectation {
    /// The rule that decides, by rank; `Some(None)` for the default.
    pub(super) rule: Option<Option<usize>>,
    /// All rules that have their say, by rank.
    rules: Option<BTreeSet<usize>>,
    /// The two rules that match where their hit policy does not allow it, by rank.
    violated: BTreeSet<usize>,
    /// The model whose word is taken, by its number among the playbook's; `Some(None)` for none.
    model: Option<Option<u16>>,
    /// Values of the outcome, by the number of their field.
    outcome: Vec<(usize, Value)>,
    /// Fields of which the guardrail refuses what the rule says.
    refused: BTreeSet<usize>,
    /// Why the default is taken in place of a proposal.
    fallback: Option<FallbackReason>,
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
        let rules = self.names(&section, "rules", |node, name| self.rank(node, name));
        if let (Some([]), Some(node)) = (rules.as_deref(), section.get("rules")) {
            node.fault("says nothing: name all rules that have their say; `rule = \"default\"` for none");
        }
        let violated = self.names(&section, "violated", |node, name| self.rank(node, name));
        if let (Some([_] | [_, _, _, ..]), Some(node)) = (violated.as_deref(), section.get("violated")) {
            node.fault("expected two rules: the first two that match where their hit policy does not allow it");
        }
        let outcome = section.get("outcome").map(|node| self.outcome(&node));
        let model = section.get("model").map(|node| self.model(&node));
        let refused = self.names(&section, "refused", |node, name| self.field(node, name));
        let fallback = section.get("fallback").map(|node| fallback(&node));
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
            rules: Some(rules?).filter(|rules| !rules.is_empty()).map(BTreeSet::from_iter),
            violated: violated?.into_iter().collect(),
            model: model.map_or(Some(None), |model| model.map(Some))?,
            outcome: outcome.unwrap_or(Some(Vec::new()))?,
            refused: refused?.into_iter().collect(),
            fallback: fallback.map_or(Some(None), |fallback| fallback.map(Some))?,
            unavailable: unavailable?,
        })
    }

    /// The rank of a rule; `Some(None)` for the default.
    fn rule(&self, node: &Node<'_>) -> Option<Option<usize>> {
        let id = node.text()?;
        if id == DEFAULT && !self.ranks.contains_key(id) { Some(None) } else { self.rank(node, id).map(Some) }
    }

    fn rank(&self, node: &Node<'_>, id: &str) -> Option<usize> {
        let rank = self.ranks.get(id).copied();
        if rank.is_none() {
            let hint = suggestion(id, self.playbook.rules.rules().iter().map(|rule| &*rule.id));
            let name = &self.playbook.name;
            node.fault(format!("`{name}` has no rule `{id}`{hint}; \"{DEFAULT}\" stands for no rule"));
        }
        rank
    }

    /// The number of a model; `Some(None)` for none.
    fn model(&self, node: &Node<'_>) -> Option<Option<u16>> {
        let name = node.text()?;
        if name == "none" {
            return Some(None);
        }
        let known = self.playbook.models.iter().position(|model| *model.name == *name);
        if known.is_none() {
            let hint = suggestion(name, self.playbook.models.iter().map(|model| &*model.name));
            node.fault(format!("`{}` asks no model `{name}`{hint}; \"none\" stands for no model", self.playbook.name));
        }
        known.map(|number| Some(number as u16))
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

fn fallback(node: &Node<'_>) -> Option<FallbackReason> {
    let word = node.text()?;
    let reason = FallbackReason::ALL.into_iter().find(|reason| reason.as_str() == word);
    if reason.is_none() {
        let words = || FallbackReason::ALL.iter().map(|reason| reason.as_str());
        let hint = match suggestion(word, words()) {
            hint if hint.is_empty() => format!("; there is {}", words().collect::<Vec<_>>().join(", ")),
            hint => hint,
        };
        node.fault(format!("no fallback is called `{word}`{hint}"));
    }
    reason
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
        differences.extend(self.having_their_say(decided, playbook));
        if let Some(expected) = self.model
            && expected != decided.model
        {
            let named = |number: Option<u16>| {
                number.and_then(|number| playbook.models.get(usize::from(number))).map(|model| model.name.to_string())
            };
            differences.push(Difference::Model { expected: named(expected), decided: named(decided.model) });
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
        differences.extend(self.falling_back(made));
        let missed: BTreeSet<Slot> = decided.skipped.iter().filter_map(|(miss, _)| miss.slot).collect();
        for slot in self.unavailable.iter().filter(|slot| !missed.contains(slot)) {
            let path = |slot: &Slot| playbook.scope.declared(*slot).path.to_string();
            differences
                .push(Difference::Unavailable { expected: path(slot), missed: missed.iter().map(path).collect() });
        }
        differences
    }

    fn having_their_say(&self, decided: &Decided, playbook: &Playbook) -> Vec<Difference> {
        let ids = |ranks: &BTreeSet<usize>| -> Vec<String> {
            ranks.iter().map(|rank| playbook.rules.rules()[*rank].id.to_string()).collect()
        };
        let mut differences = Vec::new();
        let others = decided.others.iter().map(|rank| *rank as usize);
        let said: BTreeSet<usize> = decided.rule.into_iter().chain(others).collect();
        if let Some(expected) = self.rules.as_ref().filter(|expected| **expected != said) {
            differences.push(Difference::Rules { expected: ids(expected), decided: ids(&said) });
        }
        let violated: BTreeSet<usize> =
            decided.violation.iter().flat_map(|violation| [violation.rules.0, violation.rules.1]).collect();
        if violated != self.violated {
            let policy = decided.violation.map(|violation| {
                let group = &playbook.rules.groups()[violation.group];
                format!("`{}` of {}", group.policy.name(), group.name)
            });
            let (expected, violated) = (ids(&self.violated), ids(&violated));
            differences.push(Difference::Violated { expected, violated, policy });
        }
        differences
    }

    /// Another reason for the default than is expected; one for which the rules were not asked is to be expected too.
    fn falling_back(&self, made: &Made) -> Option<Difference> {
        let (expected, decided) = (self.fallback, made.decided.fallback);
        let is_as_expected = if expected.is_some() { expected == decided } else { made.decided.is_asked() };
        (!is_as_expected).then_some(Difference::Fallback { expected, decided })
    }

    fn refusal(&self, refused: Option<&Refused>, playbook: &Playbook) -> Option<Difference> {
        let violations = refused.map(Refused::violations).unwrap_or_default();
        let refused: BTreeSet<usize> = violations.iter().flat_map(|violation| violation.fields(playbook)).collect();
        let name = |number: &usize| playbook.outcome.fields()[*number].name.to_string();
        (refused != self.refused).then(|| Difference::Refused {
            expected: self.refused.iter().map(name).collect(),
            refused: violations.iter().map(ToString::to_string).collect(),
        })
    }
}
