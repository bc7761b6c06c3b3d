//! Reads hit policies: `hit_policy`, `aggregation` and `output_values`, of a playbook's rules and of its tables.

use crate::document::{Node, Section};
use crate::domain::{Field, Type, Value, suggestion};
use crate::rules::{Aggregation, HitPolicy, OutputOrder, Rule, Setting};

/// Reads the hit policy of a section, `first` if it names none; `None` after noting what is wrong.
pub(super) fn read(section: &Section<'_>, outcome: &[Field]) -> Option<HitPolicy> {
    let (policy, aggregation) = (section.get("hit_policy"), section.get("aggregation"));
    let output_values = section.get("output_values");
    let name = match &policy {
        Some(node) => node.text()?,
        None => "first",
    };
    if let Some(node) = aggregation.as_ref().filter(|_| name != "collect") {
        node.fault("only the hit policy `collect` aggregates");
    }
    if let Some(node) = output_values.as_ref().filter(|_| !matches!(name, "priority" | "output_order")) {
        node.fault("only the hit policies `priority` and `output_order` order outcomes");
    }
    let aggregation = match aggregation {
        Some(node) => Some(read_aggregation(&node)?),
        None => None,
    };
    Some(match name {
        "first" => HitPolicy::First,
        "unique" => HitPolicy::Unique,
        "any" => HitPolicy::Any,
        "priority" => HitPolicy::Priority(output_order(section, output_values, outcome)?),
        "output_order" => HitPolicy::OutputOrder(output_order(section, output_values, outcome)?),
        "rule_order" => HitPolicy::RuleOrder,
        "collect" => HitPolicy::Collect(aggregation),
        _ => {
            let hint = suggestion(name, HitPolicy::NAMES);
            let message = format!("unknown hit policy `{name}`{hint}; there is {}", HitPolicy::NAMES.join(", "));
            policy?.fault(message);
            return None;
        }
    })
}

fn read_aggregation(node: &Node<'_>) -> Option<Aggregation> {
    let name = node.text()?;
    let known = Aggregation::from_name(name);
    if known.is_none() {
        let hint = suggestion(name, Aggregation::NAMES);
        node.fault(format!("unknown aggregation `{name}`{hint}; there is {}", Aggregation::NAMES.join(", ")));
    }
    known
}

/// `output_values = { queue = ["incident", "cards"] }`; without it every field that is one of a list, as it is declared.
fn output_order(section: &Section<'_>, node: Option<Node<'_>>, outcome: &[Field]) -> Option<OutputOrder> {
    let Some(node) = node else {
        let declared = outcome.iter().enumerate().filter_map(|(number, field)| match item_type(&field.ty) {
            Type::OneOf(of) => Some((number, (0..of.names().len() as u16).collect())),
            _ => None,
        });
        let order: Vec<_> = declared.collect();
        if order.is_empty() {
            section
                .fault("no field of the outcome is one of a list, so that no outcome is more important than another");
            return None;
        }
        return Some(OutputOrder(order.into()));
    };
    let fields = node.section()?.entries();
    let ordered = fields.iter().map(|(name, node)| values_of_field(name, node, outcome));
    let order = ordered.collect::<Option<Vec<_>>>()?;
    if order.is_empty() {
        node.fault("names no field, such as `output_values = { queue = [\"incident\", \"cards\"] }`");
        return None;
    }
    Some(OutputOrder(order.into()))
}

fn values_of_field(name: &str, node: &Node<'_>, outcome: &[Field]) -> Option<(usize, Box<[u16]>)> {
    let Some(number) = outcome.iter().position(|field| *field.name == *name) else {
        let hint = suggestion(name, outcome.iter().map(|field| &*field.name));
        node.fault(format!("the outcome has no field `{name}`{hint}"));
        return None;
    };
    let ty = item_type(&outcome[number].ty);
    if !matches!(ty, Type::OneOf(_)) {
        node.fault(format!("`{name}` is {}; only values that are one of a list can be ordered", ty.name()));
        return None;
    }
    let symbol = |node: &Node<'_>| match ty.accept(node.raw()?) {
        Ok(Value::Symbol(symbol)) => Some(symbol),
        Ok(_) => None,
        Err(mismatch) => {
            node.fault(mismatch.to_string());
            None
        }
    };
    let symbols: Box<[u16]> = node.list()?.iter().map(symbol).collect::<Option<_>>()?;
    if symbols.is_empty() {
        node.fault("names no value, so that no outcome is more important than another");
        return None;
    }
    Some((number, symbols))
}

/// What a rule says of a field is of its type; of a list, what it says is judged by its items.
fn item_type(ty: &Type) -> &Type {
    match ty {
        Type::List(of) => of,
        other => other,
    }
}

/// Why a rule cannot stand in a group of the policy, if it cannot: several rules' values of one field must make one.
pub(super) fn fault(policy: &HitPolicy, rule: &Rule, outcome: &[Field]) -> Option<String> {
    if let HitPolicy::Priority(OutputOrder(order)) | HitPolicy::OutputOrder(OutputOrder(order)) = policy {
        let is_computed = |field: usize| matches!(rule.then.settings().get(field), Some(Some(Setting::Computed(_))));
        if let Some((field, _)) = order.iter().find(|(field, _)| is_computed(*field)) {
            let name = &outcome[*field].name;
            return Some(format!("`{name}` orders the outcomes, so it must be a literal, not an expression"));
        }
    }
    if !policy.is_multiple() {
        return None;
    }
    let said = rule.then.settings().iter().zip(outcome).filter(|(setting, _)| setting.is_some());
    let mut unfit = said.filter(|(_, field)| !joins(policy, &field.ty));
    let (_, field) = unfit.next()?;
    let needed = match policy {
        HitPolicy::Collect(Some(Aggregation::Count)) => "`count` needs an `int` or a list",
        HitPolicy::Collect(Some(Aggregation::Sum)) => "`sum` needs an `int`, a `decimal`, a `duration` or a list",
        HitPolicy::Collect(Some(_)) => "it needs a number, a time, a duration or a list",
        _ => "it gives all outcomes as a list, so the field must be `{ list_of = … }`",
    };
    let (name, ty, policy) = (&field.name, field.ty.name(), policy.name());
    Some(format!("`{name}` is {ty}, and several rules of a `{policy}` group may say something of it: {needed}"))
}

fn joins(policy: &HitPolicy, ty: &Type) -> bool {
    match (policy, ty) {
        (_, Type::List(_)) => true,
        (HitPolicy::Collect(Some(Aggregation::Count)), Type::Int) => true,
        (HitPolicy::Collect(Some(Aggregation::Sum)), Type::Int | Type::Decimal | Type::Duration) => true,
        (HitPolicy::Collect(Some(Aggregation::Min | Aggregation::Max)), ty) => {
            matches!(ty, Type::Int | Type::Decimal | Type::Duration | Type::Time)
        }
        _ => false,
    }
}
