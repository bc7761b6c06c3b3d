//! Reads signals of `context.toml`.

use std::sync::Arc;

use super::context_reader::{WINDOW_MAX, entries, narrowed};
use super::schema_reader::is_name;
use super::tags_reader::Declared;
use crate::context::{BUCKETS_MAX, EventType, SignalDefinition, SignalKind, Tags};
use crate::document::{Node, Section};
use crate::domain::{TimeDelta, Type, suggestion};

/// Reads `[signals]`; what is faulty is noted and left out.
pub(super) fn read(root: &Section<'_>, events: &[EventType], declared: &Declared) -> Vec<SignalDefinition> {
    entries(root, "signals").iter().filter_map(|(name, node)| signal(name, node, events, declared)).collect()
}

fn signal(name: &str, node: &Node<'_>, events: &[EventType], declared: &Declared) -> Option<SignalDefinition> {
    if !is_name(name) {
        node.fault(
            "a name consists of letters, digits and `_`, and begins with a letter, so that conditions can use it",
        );
        return None;
    }
    let section = node.section()?;
    section.allow(&["over", "every", "partial", "immutable"]);
    let own = declared.tags(&section);
    let made = signal_parts(name, &section, events);
    section.refuse_unknown();
    let made = made?;
    let event = &events[made.event];
    let attribute = made.kind.attribute();
    let tags = narrowed(attribute.map_or(&event.tags, |number| event.tags_of(number)), &own, node);
    let made = SignalDefinition { tags, ..made };
    check_retention(&made, &section, attribute.map_or(&*event.name, |number| &*event.attributes[number].name));
    Some(made)
}

/// A window must not reach further back than what it looks at is kept.
fn check_retention(signal: &SignalDefinition, section: &Section<'_>, watched: &str) {
    let (Some(over), Some(retain)) = (signal.over, signal.tags.retain) else { return };
    let back = TimeDelta::from_micros(over.micros().saturating_add(signal.resolution.micros()));
    if back > retain {
        section.fault(format!(
            "`over` = {over} and one `every` = {} reach back {back}, but `{watched}` is kept for `retain` = {retain}",
            signal.resolution
        ));
    }
}

fn signal_parts(name: &str, section: &Section<'_>, events: &[EventType]) -> Option<SignalDefinition> {
    let (kind_name, watched) = kind(section, events)?;
    let over = section.get("over").map(|node| node.duration(TimeDelta::MINUTE, WINDOW_MAX));
    let every = section.get("every").map(|node| (node.clone(), node.duration(TimeDelta::SECOND, TimeDelta::DAY)));
    let partial = section.get("partial").map(|node| node.bool());
    let over = match (over, watched.kind) {
        (Some(over), _) => Some(over?),
        (None, SignalKind::Last(_)) => None,
        (None, _) => {
            section.fault("the key `over` is missing: how far back the signal looks, such as \"24h\"");
            return None;
        }
    };
    let resolution = match (every, over) {
        (Some((_, every)), _) => every?,
        (None, Some(over)) => SignalDefinition::default_resolution(over),
        (None, None) => TimeDelta::SECOND,
    };
    if over.is_some_and(|over| over.micros() / resolution.micros() > BUCKETS_MAX) {
        section.fault(format!("`over` has more than {BUCKETS_MAX} times `every`; make `every` longer"));
        return None;
    }
    let event = &events[watched.event];
    let attribute = watched.attribute.map(|number| &event.attributes[number]);
    // Everything that gives the contents their meaning; the name is not among it, so a signal may be renamed.
    let meaning = format!(
        "{kind_name}|{}|{}|{}|{}|{}",
        event.name,
        attribute.map_or("", |field| &field.name),
        attribute.map_or_else(String::new, |field| field.ty.name()),
        over.unwrap_or_default(),
        resolution
    );
    Some(SignalDefinition {
        name: name.into(),
        kind: watched.kind,
        event: watched.event,
        over,
        resolution,
        decay: None,
        by: None,
        of: attribute.map(|field| field.ty.clone()),
        partial: partial.flatten().unwrap_or(false),
        immutable: section.get("immutable").and_then(|node| node.bool()).unwrap_or(false),
        ty: match (watched.kind, attribute) {
            (SignalKind::Count | SignalKind::Distinct(_), _) | (_, None) => Type::Int,
            (_, Some(field)) => field.ty.clone(),
        },
        tags: Tags::default(),
        fingerprint: SignalDefinition::fingerprint_of(&meaning),
    })
}

/// What a signal watches.
struct Watched {
    kind: SignalKind,
    event: usize,
    attribute: Option<usize>,
}

fn kind(section: &Section<'_>, events: &[EventType]) -> Option<(&'static str, Watched)> {
    let forms = ["count", "sum", "last", "distinct"].map(|name| section.get(name).map(|node| (name, node)));
    let of = section.get("of");
    let mut forms = forms.into_iter().flatten();
    let (Some((name, what)), None) = (forms.next(), forms.next()) else {
        section.fault("exactly one of `count`, `sum`, `last` and `distinct` says what the signal keeps");
        return None;
    };
    if name == "count" {
        if let Some(of) = of {
            of.fault("`count` names the event itself: `{ count = \"ticket.created\", over = \"24h\" }`");
        }
        let event = event_number(&what, events)?;
        return Some((name, Watched { kind: SignalKind::Count, event, attribute: None }));
    }
    let Some(of) = of else {
        section.fault(format!("the key `of` is missing: the event whose attribute `{name}` looks at"));
        return None;
    };
    let event = event_number(&of, events)?;
    let ty = &events[event];
    let wanted = what.text()?;
    let Some(attribute) = ty.attribute_number(wanted) else {
        let hint = suggestion(wanted, ty.attributes.iter().map(|field| &*field.name));
        what.fault(format!("`{}` has no attribute `{wanted}`{hint}", ty.name));
        return None;
    };
    let kind = match name {
        "sum" => SignalKind::Sum(attribute),
        "last" => SignalKind::Last(attribute),
        _ => SignalKind::Distinct(attribute),
    };
    let of_type = &ty.attributes[attribute].ty;
    if name == "sum" && !matches!(of_type, Type::Int | Type::Decimal | Type::Duration) {
        what.fault(format!("values of type {} cannot be summed", of_type.name()));
        return None;
    }
    Some((name, Watched { kind, event, attribute: Some(attribute) }))
}

fn event_number(node: &Node<'_>, events: &[EventType]) -> Option<usize> {
    let name = node.text()?;
    let number = events.iter().position(|event| *event.name == *name);
    if number.is_none() {
        let names = events.iter().map(|event| Arc::as_ref(&event.name));
        node.fault(format!("no event `{name}` is declared{}", suggestion(name, names)));
    }
    number
}
