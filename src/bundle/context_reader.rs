//! Reads `context.toml`: purposes, events, facts, signals and named lists.

use std::sync::Arc;

use super::schema_reader::{field, field_with};
use super::tags_reader::{Declared, TAGS, freshness};
use super::{Sources, list_reader, signal_reader};
use crate::context::{
    EventType, FactDefinition, Freshness, Layout, RECENT_DEFAULT, RECENT_MAX, Tags, Undeclared, Window,
};
use crate::document::{Document, FaultSink, Node, Section};
use crate::domain::{Field, TimeDelta, suggestion};
use crate::rules::NamedList;

/// The longest window, freshness or retention that can be declared.
pub(super) const WINDOW_MAX: TimeDelta = TimeDelta::from_micros(10 * 366 * TimeDelta::DAY.micros());

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
    let declared = Declared::read(&root);
    let events = events(&root, undeclared.unwrap_or_default(), &declared);
    let facts: Vec<FactDefinition> =
        entries(&root, "facts").iter().filter_map(|(name, node)| fact(name, node, &declared)).collect();
    let signals = signal_reader::read(&root, &events, &declared);
    let repetitions = repetitions(&root);
    let (recent, recent_attributes) = recent(&root, &events);
    let named_lists = list_reader::read(&root, sources, sink);
    root.refuse_unknown();
    let layout = Layout::new(events, facts, signals, repetitions).with_purposes(declared.purposes);
    let layout = layout.with_recent(recent, &recent_attributes);
    check_keys(&root, &layout);
    let mut broken = broken(&root, &layout);
    let mut lists = Vec::new();
    for (name, list) in named_lists {
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

/// How many of the latest events are kept, and which attributes of theirs.
fn recent<'d>(root: &Section<'d>, events: &[EventType]) -> (usize, Vec<&'d str>) {
    let Some(section) = root.get("recent").and_then(|node| node.section()) else { return (RECENT_DEFAULT, Vec::new()) };
    let kept = section.get("events").and_then(|node| node.int(0, RECENT_MAX));
    let listed = section.get("attributes").and_then(|node| node.list()).unwrap_or_default();
    section.refuse_unknown();
    let attribute = |node: &Node<'d>| {
        let name = node.text()?;
        let known = || events.iter().flat_map(|event| &event.attributes).map(|field| &*field.name);
        if !known().any(|known| known == name) {
            node.fault(format!("no event has an attribute `{name}`{}", suggestion(name, known())));
        }
        Some(name)
    };
    (kept.map_or(RECENT_DEFAULT, |kept| kept as usize), listed.iter().filter_map(attribute).collect())
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

pub(super) fn entries<'d>(root: &Section<'d>, key: &'static str) -> Vec<(String, Node<'d>)> {
    let Some(section) = root.get(key).and_then(|node| node.section()) else { return Vec::new() };
    let entries = section.entries();
    if entries.len() > DECLARATIONS_MAX {
        section.fault(format!("has {} entries, the limit is {DECLARATIONS_MAX}", entries.len()));
    }
    entries
}

fn events(root: &Section<'_>, undeclared: Undeclared, declared: &Declared) -> Vec<EventType> {
    let entries = entries(root, "events");
    if entries.is_empty() {
        root.fault("no event is declared; declare at least one, such as `[events.\"ticket.created\"]`");
    }
    let tags = event_tags(root, &entries, declared);
    let event = |(name, node): &(String, Node<'_>)| {
        if name.is_empty() || name.len() > 128 {
            node.fault("an event type has a name of 1 to 128 bytes");
        }
        let tags = tags.iter().find(|(tagged, _)| tagged == name).map(|(_, tags)| tags.clone()).unwrap_or_default();
        let attribute = |(name, node): &(String, Node<'_>)| {
            let field = attribute(name, node);
            let own = declared.tags_of(node);
            field.map(|field| (field, narrowed(&tags, &own, node)))
        };
        let (attributes, attribute_tags) = node.section()?.entries().iter().filter_map(attribute).unzip();
        Some(EventType { name: name.as_str().into(), attributes, undeclared, tags, attribute_tags })
    };
    entries.iter().filter_map(event).collect()
}

/// Tags of whole event types stand in a section of their own, because every key of an event type is an attribute.
fn event_tags(root: &Section<'_>, events: &[(String, Node<'_>)], declared: &Declared) -> Vec<(String, Tags)> {
    let Some(section) = root.get("tags").and_then(|node| node.section()) else { return Vec::new() };
    let tagged = entries(&section, "events");
    section.refuse_unknown();
    let tags = |(name, node): (String, Node<'_>)| {
        if !events.iter().any(|(event, _)| *event == name) {
            let hint = suggestion(&name, events.iter().map(|(event, _)| event.as_str()));
            node.fault(format!("no event `{name}` is declared{hint}"));
        }
        let section = node.section()?;
        let tags = declared.tags(&section);
        section.refuse_unknown();
        Some((name, tags))
    };
    tagged.into_iter().filter_map(tags).collect()
}

/// The tags of something that is part of, or made from, what has tags already.
pub(super) fn narrowed(from: &Tags, own: &Tags, node: &Node<'_>) -> Tags {
    let tags = from.and(own);
    if tags.purposes.is_none() {
        node.fault("no purpose is left for which it may be used: what it is part of, or made from, allows others");
    }
    tags
}

fn attribute(name: &str, node: &Node<'_>) -> Option<Field> {
    let field = field_with(name, node, &[&["immutable"][..], &TAGS].concat())?;
    Some(Field { immutable: is_immutable(node), ..field })
}

/// `immutable = true`: nobody can change the value.
fn is_immutable(node: &Node<'_>) -> bool {
    let section = if node.is_section() { node.section() } else { None };
    section.and_then(|section| section.get("immutable")?.bool()).unwrap_or(false)
}

/// Facts go by a fingerprint of their names in stored states: no two may share one.
fn check_keys(root: &Section<'_>, layout: &Layout) {
    let mut keys: Vec<(u32, &str)> =
        layout.fact_keys().iter().copied().zip(layout.facts().iter().map(|fact| &*fact.field.name)).collect();
    keys.sort_unstable();
    for pair in keys.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        root.fault(format!("facts `{}` and `{}` have the same fingerprint; rename one", pair[0].1, pair[1].1));
    }
}

fn fact(name: &str, node: &Node<'_>, declared: &Declared) -> Option<FactDefinition> {
    let tags = declared.tags_of(node);
    if !node.is_section() {
        return field(name, node).map(|field| FactDefinition { field, fresh: Freshness::default(), tags });
    }
    // `fresh` belongs to the fact, the rest to its type: the two share one table for the author's sake.
    let section = node.section()?;
    let fresh = match section.get("fresh") {
        Some(node) => freshness(&node)?,
        None => Freshness::default(),
    };
    let field = field_with(name, node, &[&["fresh", "immutable"][..], &TAGS].concat())?;
    let field = Field { immutable: is_immutable(node), ..field };
    Some(FactDefinition { field, fresh, tags })
}
