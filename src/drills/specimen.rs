//! Events that a playbook decides on, made from their declarations.

use crate::bundle::{Bundle, Playbook};
use crate::context::{Attributes, EventType, TypedEvent};
use crate::domain::{CustomerId, Event, EventKey, Field, Raw, TimeDelta, Timestamp, Type, Value};

/// The source of events that are made up.
pub const SOURCE: &str = "forthwith/selfcheck";

/// Events of one playbook that are tried at most.
const SPECIMENS_MAX: usize = 64;

/// Values of one attribute that are tried at most.
const VALUES_MAX: usize = 12;

/// An event that a playbook decides on, with a value for every attribute of its type; or why there can be none.
pub fn specimen(bundle: &Bundle, playbook: &Playbook, id: &str, customer: CustomerId) -> Result<TypedEvent, String> {
    let kind = *playbook.on.first().ok_or("it decides on no event")?;
    let ty = &bundle.layout().events()[kind];
    typed(bundle, ty, &|field| Some(example(field)), id, customer)
}

/// Several events that a playbook decides on: as different as one can tell from the declarations alone, so that different rules match.
pub(super) fn specimens(bundle: &Bundle, playbook: &Playbook, customer: &CustomerId) -> Vec<TypedEvent> {
    let mut events: Vec<TypedEvent> = Vec::new();
    for kind in &playbook.on {
        let ty = &bundle.layout().events()[*kind];
        let mut add = |values: &dyn Fn(&Field) -> Option<Value>| {
            let id = events.len().to_string();
            if events.len() < SPECIMENS_MAX {
                events.extend(typed(bundle, ty, values, &id, customer.clone()));
            }
        };
        add(&|field| Some(example(field)));
        add(&|field| field.required.then(|| example(field)));
        for attribute in &ty.attributes {
            for other in others(attribute) {
                add(&|field| Some(if field.name == attribute.name { other.clone() } else { example(field) }));
            }
        }
    }
    events
}

fn typed(
    bundle: &Bundle,
    ty: &EventType,
    values: &dyn Fn(&Field) -> Option<Value>,
    id: &str,
    customer: CustomerId,
) -> Result<TypedEvent, String> {
    // The doors take no event about a synthetic customer: it is named once the event is typed.
    let mut event = Event::new(id, SOURCE, &*ty.name, "nobody");
    for field in &ty.attributes {
        let raw = values(field).map_or(Raw::Null, |value| field.ty.to_raw(&value));
        event = event.with(&*field.name, raw);
    }
    match bundle.layout().accept(event) {
        Ok(event) => Ok(TypedEvent { customer, ..event }),
        Err(faults) => {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Err(format!("no event can be made up: {}", faults.join("; ")))
        }
    }
}

/// The same event under another id.
pub(super) fn under_id(event: &TypedEvent, id: &str) -> TypedEvent {
    let key = EventKey::new(SOURCE, id).unwrap_or_else(|_| event.key.clone());
    TypedEvent { key, attributes: Attributes::clone(&event.attributes), ..event.clone() }
}

/// What may be known of a customer beforehand: nothing, and all facts at several sizes.
pub(super) fn knowledge(bundle: &Bundle) -> Vec<Vec<(usize, Option<Value>)>> {
    let facts = bundle.layout().facts();
    let mut knowledge = vec![Vec::new()];
    if !facts.is_empty() {
        let known = |nth: usize| facts.iter().map(move |fact| Some(sized(&fact.field, nth))).enumerate().collect();
        knowledge.extend((0..SIZES.len()).map(known));
    }
    knowledge
}

/// The nth of several values that the field takes.
fn sized(field: &Field, nth: usize) -> Value {
    let others = others(field);
    if others.is_empty() { example(field) } else { others[nth % others.len()].clone() }
}

/// Numbers of the sizes that conditions speak of.
const SIZES: [i64; 5] = [100, 1_000, 10, 0, 100_000];

/// A value that the field takes.
fn example(field: &Field) -> Value {
    if let Some(default) = &field.default {
        return default.clone();
    }
    let within = |n: i64| n.clamp(field.limits.min, field.limits.max);
    match &field.ty {
        Type::Bool => Value::Bool(true),
        Type::Int => Value::Int(within(1)),
        Type::Decimal => field.at_ordinal(within(10_000)),
        Type::Text => {
            let text = "something to think about";
            Value::Text(text[..text.len().min(field.limits.length_max)].into())
        }
        Type::OneOf(_) => Value::Symbol(0),
        Type::Time => Value::Time(Timestamp::from_micros(within(1_767_225_600_000_000))),
        Type::Duration => Value::Duration(TimeDelta::from_micros(within(1_000_000))),
        Type::List(_) => Value::List([].into()),
    }
}

/// Other values that the field takes.
fn others(field: &Field) -> Vec<Value> {
    let (min, max) = (field.limits.min, field.limits.max);
    let numbers = |unit: i64| SIZES.map(|n| field.at_ordinal((n * unit).clamp(min, max))).to_vec();
    match &field.ty {
        Type::Bool => vec![Value::Bool(false), Value::Bool(true)],
        Type::Int => numbers(1),
        Type::Decimal => numbers(10_000),
        Type::OneOf(of) => (0..of.names().len().min(VALUES_MAX) as u16).map(Value::Symbol).collect(),
        Type::Duration => numbers(1_000_000),
        Type::Text | Type::Time | Type::List(_) => Vec::new(),
    }
}
