//! Reads the events, facts and consents of a case.

use super::reader::{SOURCE, listed};
use crate::bundle::Playbook;
use crate::context::{EventFault, EventType, Layout, TypedEvent};
use crate::document::{Node, Section};
use crate::domain::{Event, Raw, TimeDelta, Timestamp, Value, suggestion};

/// Events that may come before the one that is decided on.
const EARLIER_MAX: usize = 10_000;

/// Keys of an event that are ours; an attribute of the same name stands in `data`.
pub(super) const RESERVED: [&str; 5] = ["type", "at", "ago", "times", "data"];

/// What an event is to its case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Decided,
    Earlier,
}

/// An event as it is written, its attributes apart from our own keys.
#[derive(Clone, Default)]
pub(super) struct Parts<'d> {
    kind: Option<Node<'d>>,
    at: Option<Node<'d>>,
    ago: Option<Node<'d>>,
    times: Option<Node<'d>>,
    attributes: Vec<(String, Node<'d>)>,
}

/// A fact of a case.
pub(super) struct Fact {
    pub(super) number: usize,
    pub(super) value: Value,
    pub(super) observed_at: Timestamp,
}

pub(super) struct EventReader<'b> {
    pub(super) layout: &'b Layout,
    pub(super) playbook: &'b Playbook,
}

/// A point in time: a TOML date and time with its zone, or the same as a text.
pub(super) fn time(node: &Node<'_>) -> Option<Timestamp> {
    let raw = node.raw()?;
    let time = match &raw {
        Raw::Text(text) => text.parse().ok(),
        _ => None,
    };
    if time.is_none() {
        node.fault(format!("expected a date and time with its zone, such as 2026-11-22T10:00:00Z, found `{raw}`"));
    }
    time
}

// === impl Parts ===

impl<'d> Parts<'d> {
    pub(super) fn read(node: &Node<'d>) -> Option<Self> {
        let entries = node.section()?.entries();
        let has_data = entries.iter().any(|(key, node)| key == "data" && node.is_section());
        let mut parts = Self::default();
        for (key, node) in entries {
            match key.as_str() {
                "type" => parts.kind = Some(node),
                "at" => parts.at = Some(node),
                "ago" => parts.ago = Some(node),
                "times" => parts.times = Some(node),
                "data" if has_data => {
                    let data = node.section().map(|section| section.entries());
                    parts.attributes.extend(data.unwrap_or_default());
                }
                _ if has_data => node.fault("attributes of this event stand in its `data`"),
                _ => parts.attributes.push((key, node)),
            }
        }
        Some(parts)
    }

    /// These parts, with others where they say nothing. An event of another type has other attributes; `only` is the type
    /// of events that need not name theirs.
    pub(super) fn or(mut self, others: &Self, only: Option<&str>) -> Self {
        let other = others.kind.as_ref().map_or(only, Node::text);
        if let (Some(own), Some(other)) = (self.kind.as_ref().and_then(Node::text), other)
            && own != other
        {
            return self;
        }
        self.kind = self.kind.or_else(|| others.kind.clone());
        for (name, node) in &others.attributes {
            if !self.attributes.iter().any(|(given, _)| given == name) {
                self.attributes.push((name.clone(), node.clone()));
            }
        }
        self
    }

    /// Notes a fault of every key that says when, or how often.
    pub(super) fn refuse_moment(&self, message: &str) {
        for node in [&self.at, &self.ago, &self.times].into_iter().flatten() {
            node.fault(message);
        }
    }

    /// When the event happened.
    fn moment(&self, at: Timestamp) -> Option<Timestamp> {
        let moment = match (&self.at, &self.ago) {
            (Some(_), Some(ago)) => {
                ago.fault("either `at` or `ago` says when it happened, not both");
                return None;
            }
            (Some(node), None) => time(node)?,
            (None, Some(node)) => at.saturating_sub(
                node.duration(TimeDelta::default(), TimeDelta::from_micros(36_500 * TimeDelta::DAY.micros()))?,
            ),
            (None, None) => return Some(at),
        };
        if let (true, Some(node)) = (moment > at, &self.at) {
            node.fault(format!("is after the case's own time, {at}, which its `at` sets"));
            return None;
        }
        Some(moment)
    }
}

// === impl EventReader ===

impl EventReader<'_> {
    /// The events of `before`, each with how often it happened.
    pub(super) fn before(&self, list: &Node<'_>, at: Timestamp) -> Vec<(TypedEvent, usize)> {
        let (mut events, mut all) = (Vec::new(), 0);
        for node in list.list().unwrap_or_default() {
            let Some(parts) = Parts::read(&node) else { continue };
            if parts.at.is_none() && parts.ago.is_none() {
                node.fault("when did it happen? Give `ago = \"10m\"` before the case's own time, or `at`");
            }
            let times = parts.times.as_ref().map_or(Some(1), |node| node.int(1, EARLIER_MAX as i64)).unwrap_or(1);
            all += times as usize;
            let fault = |message: String| node.fault(message);
            events.extend(self.event(&fault, &parts, at, Role::Earlier).map(|event| (event, times as usize)));
        }
        if all > EARLIER_MAX {
            list.fault(format!("has {all} events, the limit is {EARLIER_MAX}"));
        }
        events
    }

    /// An event, typed as the engine types it at its door, but for attributes that no rule could see: those are refused.
    /// Faults of the event as a whole go to `fault`.
    pub(super) fn event(
        &self,
        fault: &dyn Fn(String),
        parts: &Parts<'_>,
        at: Timestamp,
        role: Role,
    ) -> Option<TypedEvent> {
        let time = parts.moment(at);
        if let (Role::Decided, Some(times)) = (role, &parts.times) {
            times.fault("the event that is decided on happens once; `times` is for those in `before`");
        }
        let number = self.type_number(fault, parts, role)?;
        let ty = &self.layout.events()[number];
        let data = values(parts, ty);
        let event = Event { time, ..Event::new("event", SOURCE, &*ty.name, "customer") };
        // What could not be read is reported; the door still says what else is wrong, and what is missing.
        let is_sound = data.iter().all(|(_, raw)| raw.is_some());
        let data = data.into_iter().filter_map(|(name, raw)| Some((name, raw?))).collect();
        match self.layout.accept(Event { data, ..event }) {
            Ok(event) => (is_sound && time.is_some()).then_some(event),
            Err(faults) => {
                faults.iter().for_each(|found| note(fault, parts, found));
                None
            }
        }
    }

    /// The number of the event's type, which is one that the playbook decides on where the event is decided on.
    fn type_number(&self, fault: &dyn Fn(String), parts: &Parts<'_>, role: Role) -> Option<usize> {
        let kind = self.kind(fault, parts)?;
        let kind_fault = |message: String| match &parts.kind {
            Some(node) => node.fault(message),
            None => fault(message),
        };
        let Some(number) = self.layout.event_number(kind) else {
            let mut hint = suggestion(kind, self.layout.events().iter().map(|event| &*event.name));
            if self.decides_on_attribute("type") {
                hint.push_str("; the attribute `type` stands in `data = { … }`");
            }
            kind_fault(format!("no event type `{kind}` is declared in context.toml{hint}"));
            return None;
        };
        if role == Role::Decided && self.playbook.position_of_event(number).is_none() {
            let (name, on) = (&self.playbook.name, listed(self.playbook, self.layout));
            let message =
                format!("`{name}` decides on {on}, not on `{kind}`; events that come earlier stand in `before`");
            kind_fault(message);
        }
        Some(number)
    }

    /// The event's type; where the playbook decides on one type only it need not be named.
    fn kind<'d>(&'d self, fault: &dyn Fn(String), parts: &Parts<'d>) -> Option<&'d str> {
        if let Some(kind) = &parts.kind {
            return kind.text();
        }
        let only = self.only_type();
        if only.is_none() {
            fault(format!("the key `type` is missing: {}", listed(self.playbook, self.layout)));
        }
        only
    }

    /// The type of events that the playbook decides on, if there is one only.
    pub(super) fn only_type(&self) -> Option<&str> {
        match self.playbook.on.as_slice() {
            [only] => Some(&self.layout.events()[*only].name),
            _ => None,
        }
    }

    /// Whether an event that the playbook decides on declares an attribute of this name.
    fn decides_on_attribute(&self, name: &str) -> bool {
        self.playbook.on.iter().any(|kind| self.layout.events()[*kind].attribute_number(name).is_some())
    }

    /// A consent: the number of a purpose that needs one, and whether it is given.
    pub(super) fn consent(&self, name: &str, node: &Node<'_>) -> Option<(usize, bool)> {
        let Some(number) = self.layout.purpose_number(name) else {
            let needing = self.layout.purposes().iter().filter(|purpose| purpose.needs_consent);
            let hint = suggestion(name, needing.map(|purpose| &*purpose.name));
            node.fault(format!("no purpose `{name}` is declared in context.toml{hint}"));
            return None;
        };
        if !self.layout.purposes()[number].needs_consent {
            node.fault(format!("purpose `{name}` needs no consent"));
            return None;
        }
        node.bool().map(|is_given| (number, is_given))
    }

    /// A fact: its value, or `{ value, at }` for one that was observed at another time than the case's own.
    pub(super) fn fact(&self, name: &str, node: &Node<'_>, at: Timestamp) -> Option<Fact> {
        let Some(number) = self.layout.fact_number(name) else {
            let hint = suggestion(name, self.layout.facts().iter().map(|fact| &*fact.field.name));
            node.fault(format!("no fact `{name}` is declared in context.toml{hint}"));
            return None;
        };
        let (value, observed_at) = if node.is_section() { dated(&node.section()?, at)? } else { (node.clone(), at) };
        match self.layout.facts()[number].field.accept(value.raw()?) {
            Ok(accepted) => Some(Fact { number, value: accepted?, observed_at }),
            Err(fault) => {
                value.fault(fault.to_string());
                None
            }
        }
    }
}

/// The attributes' values; `None` for what is no value, or of no attribute that the type declares.
fn values(parts: &Parts<'_>, ty: &EventType) -> Vec<(String, Option<Raw>)> {
    let value = |(name, node): &(String, Node<'_>)| {
        if ty.attribute_number(name).is_some() {
            return (name.clone(), node.raw());
        }
        let hint = suggestion(name, ty.attributes.iter().map(|field| &*field.name));
        node.fault(format!("`{}` declares no attribute `{name}`, so no rule could see it{hint}", ty.name));
        (name.clone(), None)
    };
    parts.attributes.iter().map(value).collect()
}

/// A value and when it was observed.
fn dated<'d>(section: &Section<'d>, at: Timestamp) -> Option<(Node<'d>, Timestamp)> {
    let value = section.require("value", "the fact's value");
    let parts = Parts { at: section.get("at"), ago: section.get("ago"), ..Parts::default() };
    section.refuse_unknown();
    Some((value?, parts.moment(at)?))
}

/// Notes a fault that the door found, where it is written.
fn note(whole: &dyn Fn(String), parts: &Parts<'_>, found: &EventFault) {
    let EventFault::Attribute { attribute, fault } = found else { return whole(found.to_string()) };
    match parts.attributes.iter().find(|(name, _)| name == attribute) {
        Some((_, node)) => node.fault(fault.to_string()),
        None if RESERVED.contains(&attribute.as_str()) => {
            whole(format!("`{attribute}` {fault}; an attribute of that name stands in `data = {{ … }}`"));
        }
        None => whole(format!("`{attribute}` {fault}")),
    }
}
