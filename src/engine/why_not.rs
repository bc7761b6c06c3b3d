//! Why a rule did not decide, and what would have to be different.

use serde::Serialize;

use super::{ConditionShown, Error, Named, RuleShown, RuleVerdict};
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
    /// The rule that decided; none if it was the default.
    pub decided_by: Option<String>,
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
    /// Looks at one rule of a playbook in the light of a decision's values. `rules` is how each of them stood.
    pub(super) fn of(
        id: &str,
        playbook: &Playbook,
        bundle: &Bundle,
        rules: &[RuleShown],
        (values, position): (&impl Values, usize),
    ) -> Result<Self, Error> {
        let Some(rank) = rules.iter().position(|rule| rule.rule == id) else {
            let hint = suggestion(id, rules.iter().map(|rule| rule.rule.as_str()));
            return Err(Error::UnknownRule { name: id.to_owned(), playbook: playbook.name.to_string(), hint });
        };
        let rule = rules[rank].clone();
        let fails = |condition: &&ConditionShown| condition.holds != Some(true);
        let failing = rule.conditions.iter().filter(fails).cloned().collect();
        let fired = rules.iter().find(|rule| rule.verdict == RuleVerdict::Fired);
        let mut shown = Self {
            decided_by: fired.map(|rule| rule.rule.clone()),
            failing,
            changes: Vec::new(),
            is_minimal: false,
            note: None,
            rule,
        };
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
}

fn said(none: NoChange) -> &'static str {
    match none {
        NoChange::Decides => "it decided, or had its say",
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
