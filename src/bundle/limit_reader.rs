//! Reads `[[guardrail.limits]]` of a playbook.

use std::sync::Arc;

use super::cap_reader::id;
use super::limit::{Bound, LIMITS_MAX, Limit, LimitTest};
use super::{OnViolation, rule_reader};
use crate::document::{Node, Section};
use crate::domain::{Field, Type, suggestion};
use crate::rules::{Computation, Condition, Scope, TextIndexBuilder};

/// What the names of proposed values begin with.
const PROPOSAL: &str = "proposal";

/// The limits of a playbook; those that cannot be used are left out after noting why.
pub(super) fn read(root: &Section<'_>, scope: &Scope, outcome: &[Field], texts: &mut TextIndexBuilder) -> Vec<Limit> {
    let node = root.get("guardrail").and_then(|node| node.section()?.get("limits"));
    let Some(node) = node else { return Vec::new() };
    let nodes = node.list().unwrap_or_default();
    if nodes.len() > LIMITS_MAX {
        node.fault(format!("has {} limits, the limit is {LIMITS_MAX}", nodes.len()));
        return Vec::new();
    }
    if scope.is_taken(PROPOSAL) {
        node.fault(format!("in limits `{PROPOSAL}` is what is proposed; give the condition of this name another one"));
        return Vec::new();
    }
    if scope.len() + outcome.len() > Scope::NAMES_MAX {
        node.fault(format!("would have more than {} names to use", Scope::NAMES_MAX));
        return Vec::new();
    }
    let names = scope.len();
    let mut reader = Reader { scope: &with_proposal(root, scope, outcome), names, outcome, texts };
    let mut limits: Vec<Limit> = Vec::with_capacity(nodes.len());
    for node in &nodes {
        let Some(limit) = node.section().and_then(|section| reader.limit(&section)) else { continue };
        if limits.iter().any(|known| known.id == limit.id) {
            node.fault(format!("the limit `{}` stands twice", limit.id));
            continue;
        }
        limits.push(limit);
    }
    limits
}

/// The names of the playbook, and behind them those of what is proposed.
fn with_proposal(root: &Section<'_>, scope: &Scope, outcome: &[Field]) -> Scope {
    let mut scope = scope.clone();
    for field in outcome {
        scope.declare_bounded(&format!("{PROPOSAL}.{}", field.name), field.ty.clone(), field.limits.length_max);
    }
    // A field whose own declaration is faulty is no further fault where it is used.
    let declared = root.get("outcome").and_then(|node| node.section()).map(|section| section.entries());
    for (name, _) in declared.unwrap_or_default() {
        if outcome.iter().all(|field| *field.name != *name) {
            scope.declare_broken(&format!("{PROPOSAL}.{name}"));
        }
    }
    scope
}

/// Reads limits against the names that they may use and the outcome that they are about.
struct Reader<'a> {
    scope: &'a Scope,
    /// The number of the first name of what is proposed.
    names: usize,
    outcome: &'a [Field],
    texts: &'a mut TextIndexBuilder,
}

impl Reader<'_> {
    fn limit(&mut self, section: &Section<'_>) -> Option<Limit> {
        let id = section.require("id", "a name unique within the playbook").and_then(|node| id(&node, "a limit"));
        let (require, field) = (section.get("require"), section.get("field"));
        let (min, max) = (section.get("min"), section.get("max"));
        let test = match (require, field) {
            (Some(require), None) if min.is_none() && max.is_none() => self.require(&require),
            (None, Some(field)) => self.within(&field, min, max),
            _ => {
                section.fault(
                    "a limit is a condition (`require = '…'`) or holds a field within bounds (`field = \"…\"` with `min` or \
                     `max`, or both)",
                );
                None
            }
        };
        let is_within = section.get("field").is_some();
        let on_violation = section.get("on_violation").map(|node| on_violation(&node, is_within));
        section.refuse_unknown();
        let test = test?;
        let mut limit = Limit {
            id: Arc::from(id?),
            test,
            fields: Box::default(),
            on_violation: on_violation.map_or(Some(OnViolation::default()), |given| given)?,
        };
        limit.fields = self.fields_of(&limit);
        Some(limit)
    }

    fn require(&mut self, node: &Node<'_>) -> Option<LimitTest> {
        let text = node.text()?;
        let compiled = Condition::compile(text, self.scope, self.texts);
        let condition = compiled.map_err(|faults| rule_reader::note(node, faults)).ok()?;
        Some(LimitTest::Require { condition, text: text.trim().into() })
    }

    fn within(&mut self, node: &Node<'_>, min: Option<Node<'_>>, max: Option<Node<'_>>) -> Option<LimitTest> {
        let field = self.field(node);
        if min.is_none() && max.is_none() {
            node.fault("has no bounds: give `min` or `max`, or both, as expressions in CEL");
        }
        let field = field?;
        let (min, max) = (min.map(|node| self.bound(&node, field)), max.map(|node| self.bound(&node, field)));
        let given = |bound: Option<Option<Bound>>| bound.map_or(Some(None), |bound| bound.map(Some));
        Some(LimitTest::Within { field, min: given(min)?, max: given(max)? })
    }

    /// The number of the field that is held within bounds.
    fn field(&self, node: &Node<'_>) -> Option<usize> {
        let name = node.text()?;
        let Some(number) = self.outcome.iter().position(|field| *field.name == *name) else {
            let hint = suggestion(name, self.outcome.iter().map(|field| &*field.name));
            node.fault(format!("the outcome has no field `{name}`{hint}"));
            return None;
        };
        let ty = &self.outcome[number].ty;
        if !matches!(ty, Type::Int | Type::Decimal | Type::Duration | Type::Time) {
            let message = format!("`{name}` is {}, which has no bounds; say by `require` what must hold", ty.name());
            node.fault(message);
            return None;
        }
        Some(number)
    }

    /// A value of the field's type. What bounds a whole number may be a decimal: it is rounded when it is known.
    fn bound(&mut self, node: &Node<'_>, field: usize) -> Option<Bound> {
        let text = node.text()?;
        let of_field = &self.outcome[field];
        let mut compiled = Computation::compile(text, &of_field.ty, self.scope, self.texts);
        if compiled.is_err() && of_field.ty == Type::Int {
            compiled = Computation::compile(text, &Type::Decimal, self.scope, self.texts).or(compiled);
        }
        let computation = compiled.map_err(|faults| rule_reader::note(node, faults)).ok()?;
        if computation.slots().iter().any(|slot| slot.index() == self.names + field) {
            let name = &of_field.name;
            node.fault(format!("a bound of `{name}` cannot be told by `{PROPOSAL}.{name}`, which it is to hold"));
            return None;
        }
        Some(Bound { computation })
    }

    /// The fields of what is proposed that a limit looks at; all, if it looks at none.
    fn fields_of(&self, limit: &Limit) -> Box<[usize]> {
        let held = match limit.test {
            LimitTest::Within { field, .. } => Some(field),
            LimitTest::Require { .. } => None,
        };
        let looked_at = limit.slots().filter_map(|slot| slot.index().checked_sub(self.names));
        let mut fields: Vec<usize> = match held {
            Some(field) => vec![field],
            None => looked_at.collect(),
        };
        fields.sort_unstable();
        fields.dedup();
        if fields.is_empty() { (0..self.outcome.len()).collect() } else { fields.into() }
    }
}

fn on_violation(node: &Node<'_>, is_within: bool) -> Option<OnViolation> {
    match node.text()? {
        "fallback" => Some(OnViolation::Fallback),
        "clamp" if is_within => Some(OnViolation::Clamp),
        "clamp" => {
            node.fault(
                "a condition says no value to move to; give the bounds of a field (`field`, `min`, `max`), or say \"fallback\"",
            );
            None
        }
        other => {
            let hint = suggestion(other, ["fallback", "clamp"]);
            node.fault(format!("expected `fallback` or `clamp`, found `{other}`{hint}"));
            None
        }
    }
}
