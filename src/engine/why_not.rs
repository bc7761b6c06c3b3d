//! Why a rule did not decide, and what would have to be different.

use serde::Serialize;

use super::rule_shown::SWITCHED_OFF;
use super::{ConditionShown, Error, Explanation, Named, RuleShown, RuleVerdict};
use crate::analysis::{NoChange, nearest_change};
use crate::bundle::{Bundle, Playbook};
use crate::domain::{Datum, suggestion};
use crate::rules::Values;

/// How a rule stood to a decision, and the nearest change that would have made it decide.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct WhyNot {
    /// The rule.
    pub rule: RuleShown,
    /// The rule that decided, the first where several have their say; none if no rule did.
    pub decided_by: Option<String>,
    /// Why the default was taken, if it was: no rule matched, rules matched that may not match together, or the guardrail
    /// refused what they say.
    pub default_because: Option<String>,
    /// The conditions that do not hold or cannot be told, in the order in which they are written.
    pub failing: Vec<ConditionShown>,
    /// The fewest values to change so that the rule decides; empty if there are none, for which `note` says why.
    pub changes: Vec<ChangeShown>,
    /// Whether it is shown that no change of fewer values would do.
    pub is_minimal: bool,
    /// What is to be said of the changes.
    pub note: Option<String>,
}

/// A value that would have to be different.
#[derive(Clone, Debug, Serialize, PartialEq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ChangeShown {
    /// The value as it was, or why there was none.
    pub from: Named,
    /// The value that it would have to be; none if it must not be given.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub to: Option<Datum>,
}

impl WhyNot {
    /// Looks at one rule of a playbook in the light of a decision's values. `explained` says how each of them stood.
    pub(super) fn of(
        id: &str,
        playbook: &Playbook,
        bundle: &Bundle,
        explained: &Explanation,
        (values, position): (&impl Values, usize),
    ) -> Result<Self, Error> {
        let rules = &explained.rules;
        let Some(rank) = rules.iter().position(|rule| rule.rule == id) else {
            let hint = match id {
                "default" => "; `default` stands for no rule: name the one that you expected to decide".to_owned(),
                _ => suggestion(id, rules.iter().map(|rule| rule.rule.as_str())),
            };
            return Err(Error::UnknownRule { name: id.to_owned(), playbook: playbook.name.to_string(), hint });
        };
        let rule = rules[rank].clone();
        let is_asked = rule.verdict != RuleVerdict::NotAsked;
        let fails = |condition: &&ConditionShown| is_asked && condition.holds != Some(true);
        let failing = rule.conditions.iter().filter(fails).cloned().collect();
        let mut shown = Self {
            decided_by: explained.fired().map(|rule| rule.rule.clone()),
            default_because: explained.default_because(),
            failing,
            changes: Vec::new(),
            is_minimal: false,
            note: None,
            rule,
        };
        if shown.rule.note.as_deref() == Some(SWITCHED_OFF) {
            shown.note = Some("it is switched off: `enabled = true` switches it on".to_owned());
            return Ok(shown);
        }
        if !is_asked {
            let why = shown.default_because.as_deref().unwrap_or("the default was taken");
            shown.note = Some(format!("the rules were not asked: {why}"));
            return Ok(shown);
        }
        if shown.rule.verdict.had_its_say() {
            shown.note = Some(shown.said_of_its_say());
            return Ok(shown);
        }
        match nearest_change(playbook, bundle.layout(), rank, values, position) {
            Ok(nearest) => {
                let change = |(slot, to)| ChangeShown::of(playbook, values, slot, to);
                shown.changes = nearest.changes.into_iter().map(change).collect();
                shown.is_minimal = nearest.is_minimal;
                shown.note = (!nearest.is_minimal).then(|| "not shown that no smaller change would do".to_owned());
            }
            Err(none) => shown.note = Some(said(none).to_owned()),
        }
        Ok(shown)
    }

    fn said_of_its_say(&self) -> String {
        match &self.default_because {
            Some(why) => format!("it had its say, but the default was taken: {why}"),
            None if self.decided_by.as_deref() == Some(&self.rule.rule) => "it decided".to_owned(),
            None => "it had its say".to_owned(),
        }
    }
}

fn said(none: NoChange) -> &'static str {
    match none {
        NoChange::Decides => "with these values it decides",
        NoChange::Impossible => "no change of values that can be changed would make it decide",
        NoChange::NotFound => "no change was found that would make it decide",
    }
}

impl ChangeShown {
    fn of(
        playbook: &Playbook,
        values: &impl Values,
        slot: crate::rules::Slot,
        to: Option<crate::domain::Value>,
    ) -> Self {
        let declared = playbook.scope.declared(slot);
        let from = Named::seen(&playbook.scope, slot, values.value(slot));
        Self { from, to: to.map(|value| Datum::new(&declared.ty, value)) }
    }
}
