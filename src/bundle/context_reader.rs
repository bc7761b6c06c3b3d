//! Reads `context.toml`: events, facts, signals and named lists.

use std::sync::Arc;

use super::schema_reader::{field, field_with, is_name};
use super::{Sources, list_reader};
use crate::context::{
    BUCKETS_MAX, EventType, FactDefinition, Layout, SignalDefinition, SignalKind, Undeclared, Window,
};
use crate::document::{Document, FaultSink, Node, Section};
use crate::domain::{Field, TimeDelta, Type, suggestion};
use crate::rules::NamedList;

/// The longest window or freshness that can be declared.
const WINDOW_MAX: TimeDelta = TimeDelta::from_micros(10 * 366 * TimeDelta::DAY.micros());

/// Declarations of each kind that a bundle may have.
const DECLARATIONS_MAX: usize = 1_000;

/// What the file declares, and the names it declares wrongly.
pub(super) struct Context {
    pub(super) layout: Layout,
    pub(super) lists: Vec<(String, Arc<NamedList>)>,
    /// Names as conditions write them; a use of one is no further fault.
    pub(super) broken: Vec<String>,
}

/// Reads the file; what is faulty is noted and left out.
pub(super) fn read(document: &Document<'_>, sources: &Sources, sink: &FaultSink) -> Context {
    let root = document.root();
    let undeclared = root.get("undeclared_attributes").and_then(|node| match node.text()? {
        "keep" => Some(Undeclared::Keep),
        "refuse" => Some(Undeclared::Refuse),
        _ => {
            node.fault("expected `keep` (recorded, invisible to rules) or `refuse`");
            None
        }
    });
    let events = events(&root, undeclared.unwrap_or_default());
    let facts = facts(&root);
    let signals = signals(&root, &events);
    let repetitions = repetitions(&root);
    let declared = list_reader::read(&root, sources, sink);
    root.refuse_unknown();
    let layout = Layout::new(events, facts, signals, repetitions);
    let mut broken = broken(&root, &layout);
    let mut lists = Vec::new();
    for (name, list) in declared {
        match list {
            Some(list) => lists.push((name, list)),
            None => broken.push(format!("list.{name}")),
        }
    }
    Context { layout, lists, broken }
}

fn repetitions(root: &Section<'_>) -> Window {
    let mut window = Window::default();
    let Some(section) = root.get("repetitions").and_then(|node| node.section()) else { return window };
    if let Some(entries) = section.get("remember").and_then(|node| node.int(1, 10_000)) {
        window.entries = entries as usize;
    }
    if let Some(over) = section.get("over").and_then(|node| node.duration(TimeDelta::MINUTE, WINDOW_MAX)) {
        window.over = over;
    }
    section.refuse_unknown();
    window
}

/// Names that stand in the file but not in the layout.
fn broken(root: &Section<'_>, layout: &Layout) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, node) in entries(root, "events") {
        let event = layout.event_number(&name).map(|number| &layout.events()[number]);
        let attributes = node.section().map(|section| section.entries()).unwrap_or_default();
        for (attribute, _) in attributes {
            if event.is_none_or(|event| event.attribute_number(&attribute).is_none()) {
                broken.push(format!("event.{attribute}"));
            }
        }
    }
    let facts = entries(root, "facts").into_iter().filter(|(name, _)| layout.fact_number(name).is_none());
    broken.extend(facts.map(|(name, _)| format!("customer.{name}")));
    let signals = entries(root, "signals").into_iter();
    let signals = signals.filter(|(name, _)| !layout.signals().iter().any(|signal| *signal.name == **name));
    broken.extend(signals.map(|(name, _)| format!("signal.{name}")));
    broken
}

fn entries<'d>(root: &Section<'d>, key: &'static str) -> Vec<(String, Node<'d>)> {
    let Some(section) = root.get(key).and_then(|node| node.section()) else { return Vec::new() };
    let entries = section.entries();
    if entries.len() > DECLARATIONS_MAX {
        section.fault(format!("has {} entries, the limit is {DECLARATIONS_MAX}", entries.len()));
    }
    entries
}

fn events(root: &Section<'_>, undeclared: Undeclared) -> Vec<EventType> {
    let entries = entries(root, "events");
    if entries.is_empty() {
        root.fault("no event is declared; declare at least one, such as `[events.\"ticket.created\"]`");
    }
    let event = |(name, node): &(String, Node<'_>)| {
        if name.is_empty() || name.len() > 128 {
            node.fault("an event type has a name of 1 to 128 bytes");
        }
        let attributes = node.section()?.entries().iter().filter_map(|(name, node)| attribute(name, node)).collect();
        Some(EventType { name: name.as_str().into(), attributes, undeclared })
    };
    entries.iter().filter_map(event).collect()
}

fn attribute(name: &str, node: &Node<'_>) -> Option<Field> {
    let field = field_with(name, node, &["immutable"])?;
    Some(Field { immutable: is_immutable(node), ..field })
}

/// `immutable = true`: nobody can change the value.
fn is_immutable(node: &Node<'_>) -> bool {
    let section = if node.is_section() { node.section() } else { None };
    section.and_then(|section| section.get("immutable")?.bool()).unwrap_or(false)
}

fn facts(root: &Section<'_>) -> Vec<FactDefinition> {
    entries(root, "facts").iter().filter_map(|(name, node)| fact(name, node)).collect()
}

fn fact(name: &str, node: &Node<'_>) -> Option<FactDefinition> {
    if !node.is_section() {
        return field(name, node).map(|field| FactDefinition { field, fresh: None });
    }
    // `fresh` belongs to the fact, the rest to its type: the two share one table for the author's sake.
    let section = node.section()?;
    let fresh = match section.get("fresh") {
        Some(node) => Some(node.duration(TimeDelta::SECOND, WINDOW_MAX)?),
        None => None,
    };
    let field = field_with(name, node, &["fresh", "immutable"])?;
    let field = Field { immutable: is_immutable(node), ..field };
    Some(FactDefinition { field, fresh })
}

fn signals(root: &Section<'_>, events: &[EventType]) -> Vec<SignalDefinition> {
    entries(root, "signals").iter().filter_map(|(name, node)| signal(name, node, events)).collect()
}

fn signal(name: &str, node: &Node<'_>, events: &[EventType]) -> Option<SignalDefinition> {
    if !is_name(name) {
        node.fault(
            "a name consists of letters, digits and `_`, and begins with a letter, so that conditions can use it",
        );
        return None;
    }
    let section = node.section()?;
    section.allow(&["over", "every", "partial", "immutable"]);
    let made = signal_parts(name, &section, events);
    section.refuse_unknown();
    made
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
        of: attribute.map(|field| field.ty.clone()),
        partial: partial.flatten().unwrap_or(false),
        immutable: section.get("immutable").and_then(|node| node.bool()).unwrap_or(false),
        ty: match (watched.kind, attribute) {
            (SignalKind::Count | SignalKind::Distinct(_), _) | (_, None) => Type::Int,
            (SignalKind::Sum(_) | SignalKind::Last(_), Some(field)) => field.ty.clone(),
        },
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
