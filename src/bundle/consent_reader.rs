//! Reads what a playbook opens the customer's context for, and which of its actions need consent.

use super::playbook::RequiredConsent;
use crate::context::{Layout, Purpose};
use crate::document::{Node, Section};
use crate::domain::{Field, Raw, Type, Value, suggestion};

/// The outcome's field whose values are actions.
const ACTION: &str = "action";

/// Consents that a playbook may ask for: a decision keeps a bit for each.
const CONSENTS_MAX: usize = 32;

/// Reads `purpose`: the number of a declared purpose.
pub(super) fn purpose(root: &Section<'_>, layout: &Layout) -> Option<usize> {
    let node = root.get("purpose")?;
    declared(&node, layout).map(|(number, _)| number)
}

/// Reads `consent` of `[guardrail]`: actions, and the purpose that each needs consent to.
pub(super) fn consents(root: &Section<'_>, layout: &Layout, outcome: &[Field]) -> Vec<RequiredConsent> {
    let Some(node) = root.get("guardrail").and_then(|node| node.section()?.get("consent")) else { return Vec::new() };
    let entries = node.section().map(|section| section.entries()).unwrap_or_default();
    if entries.len() > CONSENTS_MAX {
        node.fault(format!("names {} actions, the limit is {CONSENTS_MAX}", entries.len()));
    }
    let Some(field) = outcome.iter().position(|field| &*field.name == ACTION) else {
        node.fault(format!("names values of the outcome's field `{ACTION}`, which it does not have"));
        return Vec::new();
    };
    let required = |(name, node): &(String, Node<'_>)| {
        // The purpose is read whatever the action is, for its own faults.
        let (action, purpose) = (action(name, node, &outcome[field].ty), consent_purpose(node, layout));
        Some(RequiredConsent { field, action: action?, purpose: std::sync::Arc::clone(&purpose?.name) })
    };
    entries.iter().filter_map(required).collect()
}

/// Notes a fault if the default itself takes an action that needs consent: it holds for those who gave none.
pub(super) fn check_default(root: &Section<'_>, consents: &[RequiredConsent], outcome: &[Field], default: &[Value]) {
    for required in consents.iter().filter(|required| default.get(required.field) == Some(&required.action)) {
        let Some(field) = outcome.get(required.field) else { continue };
        let shown = field.ty.show(&required.action).to_string();
        let message = format!(
            "{} = {shown} needs consent to `{}`, and the default holds for those who gave none: let it be another action",
            field.name, required.purpose
        );
        match root.get("default") {
            Some(node) => node.fault(message),
            None => root.fault(message),
        }
    }
}

fn action(name: &str, node: &Node<'_>, ty: &Type) -> Option<Value> {
    let Type::OneOf(actions) = ty else {
        node.fault(format!(
            "names values of the outcome's field `{ACTION}`, which is {}, not one of a list",
            ty.name()
        ));
        return None;
    };
    let action = ty.accept(Raw::Text(name.to_owned())).ok();
    if action.is_none() {
        let hint = match suggestion(name, actions.names()) {
            hint if hint.is_empty() => format!("; it is {}", ty.describe()),
            hint => hint,
        };
        node.fault(format!("`{ACTION}` is never `{name}`{hint}"));
    }
    action
}

fn consent_purpose<'l>(node: &Node<'_>, layout: &'l Layout) -> Option<&'l Purpose> {
    let (_, purpose) = declared(node, layout)?;
    if !purpose.needs_consent {
        node.fault(format!("`{}` needs no consent, so nobody can give any; name a purpose that does", purpose.name));
        return None;
    }
    Some(purpose)
}

/// A declared purpose and its number.
fn declared<'l>(node: &Node<'_>, layout: &'l Layout) -> Option<(usize, &'l Purpose)> {
    let name = node.text()?;
    if let Some(number) = layout.purpose_number(name) {
        return Some((number, &layout.purposes()[number]));
    }
    let names = || layout.purposes().iter().map(|purpose| &*purpose.name);
    let hint = match suggestion(name, names()) {
        hint if !hint.is_empty() => hint,
        _ if layout.purposes().is_empty() => {
            format!("; declare it: `[purposes]` with `{name} = {{ needs_consent = true }}`")
        }
        _ => format!("; declared are {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    node.fault(format!("no purpose `{name}` is declared in context.toml{hint}"));
    None
}
