//! Reads `[[caps]]` and `settle_within` of a playbook.

use std::sync::Arc;

use super::cap::CAPS_MAX;
use super::playbook::Ack;
use super::{Cap, CapScope, Measure, OnViolation, Share};
use crate::context::{CapKey, RESERVATIONS_MAX};
use crate::document::{Node, Section};
use crate::domain::{Decimal, Field, Limits, TimeDelta, Type, Value, suggestion};

/// The shortest and longest time that a cap may look back.
const OVER: (TimeDelta, TimeDelta) = (TimeDelta::SECOND, TimeDelta::from_micros(3_660 * TimeDelta::DAY.micros()));

/// The shortest and longest time that a decision may wait to be settled.
const SETTLE_WITHIN: (TimeDelta, TimeDelta) = (TimeDelta::SECOND, TimeDelta::from_micros(90 * TimeDelta::DAY.micros()));

/// Decisions that a cap of all customers together may count.
const COUNT_MAX: i64 = 1_000_000_000_000;

/// The field of an outcome whose values are what caps count.
const ACTION: &str = "action";

/// What caps are read against.
pub(super) struct Outcomes<'a> {
    pub(super) fields: &'a [Field],
    /// The values that hold where no rule says otherwise, if they could be read.
    pub(super) default: Option<&'a [Value]>,
}

/// How long decisions wait to be settled.
pub(super) fn settle_within(root: &Section<'_>) -> Option<TimeDelta> {
    root.get("settle_within").and_then(|node| node.duration(SETTLE_WITHIN.0, SETTLE_WITHIN.1))
}

/// The caps of a playbook; those that cannot be used are left out after noting why.
pub(super) fn read(root: &Section<'_>, outcomes: &Outcomes<'_>, ack: Option<Ack>) -> Vec<Cap> {
    let Some(node) = root.get("caps") else { return Vec::new() };
    let nodes = node.list().unwrap_or_default();
    if nodes.len() > CAPS_MAX {
        node.fault(format!("has {} caps, the limit is {CAPS_MAX}", nodes.len()));
        return Vec::new();
    }
    if ack == Some(Ack::Memory)
        && !nodes.is_empty()
        && let Some(ack) = root.get("ack")
    {
        ack.fault("a playbook with caps must be \"disk\": what a crash may undo has not been reserved");
    }
    let mut caps: Vec<Cap> = Vec::with_capacity(nodes.len());
    for node in &nodes {
        let Some(cap) = node.section().and_then(|section| cap(&section, outcomes)) else { continue };
        if caps.iter().any(|known| known.id == cap.id && known.action == cap.action) {
            node.fault(format!("the cap `{}` stands twice for the same action", cap.id));
            continue;
        }
        caps.push(cap);
    }
    caps
}

fn cap(section: &Section<'_>, outcomes: &Outcomes<'_>) -> Option<Cap> {
    let id = section
        .require("id", "a name; playbooks that use the same one share the cap")
        .and_then(|node| id(&node, "a cap"));
    let action = section.require("action", "the value of the outcome's field `action` that counts");
    let action = action.and_then(|node| action_of(&node, outcomes));
    let scope = section.get("scope").map_or(Some(CapScope::Customer), |node| scope(&node));
    let amount = section.get("amount").map(|node| amount_of(&node, outcomes.fields));
    let max = section.require("max", "how much there may be, such as `max = 1`");
    let max = max.and_then(|node| match &amount {
        None => node.int(1, if scope == Some(CapScope::Global) { COUNT_MAX } else { RESERVATIONS_MAX as i64 }),
        Some(amount) => max_amount(&node, &outcomes.fields[(*amount)?]),
    });
    let over = section.get("over").map(|node| node.duration(OVER.0, OVER.1));
    let on_violation = section.get("on_violation").map(|node| on_violation(&node, amount.is_some()));
    let unused_max = section.get("unused_max").map(|node| unused_max(&node, scope));
    if scope == Some(CapScope::Global) {
        amount.flatten().iter().for_each(|field| check_bound(section, &outcomes.fields[*field]));
    }
    section.refuse_unknown();
    let (id, (field, action)) = (id?, action?);
    Some(Cap {
        key: key_of(id, amount.flatten().map(|field| &outcomes.fields[field])),
        id: Arc::from(id),
        field,
        action,
        measure: match amount {
            None => Measure::Count,
            Some(amount) => Measure::Amount(amount?),
        },
        max: max?,
        over: match over {
            None => None,
            Some(over) => Some(over?),
        },
        scope: scope?,
        on_violation: on_violation.map_or(Some(OnViolation::default()), |given| given)?,
        unused_max: unused_max.map_or(Some(Share::default()), |given| given)?,
    })
}

/// The key of a cap. What counts something else is another cap: decisions are no amounts, and hours no money.
fn key_of(id: &str, amount: Option<&Field>) -> CapKey {
    match amount {
        None => CapKey::of(id),
        Some(field) => CapKey::of(&format!("{id} {}", field.ty.name())),
    }
}

/// While a decision is made, as much is set apart for it as it may take at most.
fn check_bound(section: &Section<'_>, field: &Field) {
    if field.limits.max == Limits::of(&field.ty).max {
        let name = &field.name;
        section.fault(format!(
            "a global cap needs to know what one decision takes at most: declare `{name}` with a `max`"
        ));
    }
}

/// The name of a cap or a limit.
pub(super) fn id<'d>(node: &Node<'d>, of: &str) -> Option<&'d str> {
    let id = node.text()?;
    let is_sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=64).contains(&id.len()) && id.chars().all(is_sound) {
        return Some(id);
    }
    node.fault(format!("{of}'s id has 1 to 64 letters, digits, `-`, `_` and `.`"));
    None
}

/// The number of the field `action` and the value that counts.
fn action_of(node: &Node<'_>, outcomes: &Outcomes<'_>) -> Option<(usize, Value)> {
    let text = node.text()?;
    let number = outcomes.fields.iter().position(|field| *field.name == *ACTION);
    let Some(number) = number.filter(|number| matches!(outcomes.fields[*number].ty, Type::OneOf(_))) else {
        node.fault(format!(
            "caps count outcomes by their field `{ACTION}`, which must be one of a list: `{ACTION} = [\"{text}\", …]` in \
             `[outcome]`"
        ));
        return None;
    };
    let action = match outcomes.fields[number].ty.accept(text.into()) {
        Ok(action) => action,
        Err(mismatch) => {
            node.fault(format!("the outcome's field `{ACTION}`: {mismatch}"));
            return None;
        }
    };
    if outcomes.default.and_then(|values| values.get(number)) == Some(&action) {
        node.fault(format!(
            "`{text}` is what the default does, which must count against no cap: it stands in where a cap is reached"
        ));
        return None;
    }
    Some((number, action))
}

/// The number of the field whose sum is capped.
fn amount_of(node: &Node<'_>, fields: &[Field]) -> Option<usize> {
    let name = node.text()?;
    let Some(number) = fields.iter().position(|field| *field.name == *name) else {
        let hint = suggestion(name, fields.iter().map(|field| &*field.name));
        node.fault(format!("the outcome has no field `{name}`{hint}"));
        return None;
    };
    let field = &fields[number];
    if !matches!(field.ty, Type::Int | Type::Decimal | Type::Duration) {
        node.fault(format!("`{name}` is {}; amounts are int, decimal or duration", field.ty.name()));
        return None;
    }
    if field.limits.min < 0 {
        node.fault(format!("`{name}` may be negative, which would give room back; declare it with `min = 0`"));
        return None;
    }
    Some(number)
}

fn max_amount(node: &Node<'_>, field: &Field) -> Option<i64> {
    match field.ty.accept(node.raw()?) {
        Ok(value) => {
            let max = value.ordinal().filter(|max| *max > 0);
            if max.is_none() {
                node.fault("leaves no room for anything; it must be above 0");
            }
            max
        }
        Err(mismatch) => {
            node.fault(mismatch.to_string());
            None
        }
    }
}

fn scope(node: &Node<'_>) -> Option<CapScope> {
    match node.text()? {
        "customer" => Some(CapScope::Customer),
        "global" => Some(CapScope::Global),
        other => {
            let hint = suggestion(other, ["customer", "global"]);
            node.fault(format!("expected `customer` or `global`, found `{other}`{hint}"));
            None
        }
    }
}

fn on_violation(node: &Node<'_>, has_amount: bool) -> Option<OnViolation> {
    match node.text()? {
        "fallback" => Some(OnViolation::Fallback),
        "clamp" if has_amount => Some(OnViolation::Clamp),
        "clamp" => {
            node.fault("only an amount can be lowered; name its field by `amount`, or say \"fallback\"");
            None
        }
        other => {
            let hint = suggestion(other, ["fallback", "clamp"]);
            node.fault(format!("expected `fallback` or `clamp`, found `{other}`{hint}"));
            None
        }
    }
}

/// A percentage such as `"1%"`.
fn unused_max(node: &Node<'_>, scope: Option<CapScope>) -> Option<Share> {
    if scope == Some(CapScope::Customer) {
        node.fault("only a cap of scope \"global\" is lent out in portions");
        return None;
    }
    let text = node.text()?;
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<Decimal>().ok());
    let millionths = percent.and_then(|percent| u32::try_from(percent.units()).ok());
    let share = millionths.filter(|of| (1..=1_000_000).contains(of)).map(Share::millionths);
    if share.is_none() {
        node.fault(format!("expected a percentage above 0 and up to 100 such as \"1%\", found `{text}`"));
    }
    share
}
