//! What is known of events and customers: declared once per bundle, in `context.toml`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{CustomerId, RawMap, Value};

use crate::domain::{
    EVENT_BYTES_MAX, Event, EventKey, Field, FieldFault, IdError, MEMBERS_MAX, Raw, Timestamp, key_twice, suggestion,
};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use super::state::key_of;
use super::{Freshness, Purpose, RecentDefinition, SignalDefinition, Tags, Window};

/// The declared events, facts and signals of a bundle.
#[derive(Debug, Default)]
pub struct Layout {
    events: Vec<EventType>,
    event_numbers: HashMap<Box<str>, usize>,
    facts: Vec<FactDefinition>,
    fact_numbers: HashMap<Box<str>, usize>,
    /// Names of facts in stored states, by number.
    fact_keys: Vec<u32>,
    signals: Vec<SignalDefinition>,
    repetitions: Window,
    purposes: Vec<Purpose>,
    recent: RecentDefinition,
}

/// One declared type of event.
#[derive(Debug)]
pub struct EventType {
    /// Its name, such as `ticket.created`.
    pub name: Arc<str>,
    /// Its attributes.
    pub attributes: Vec<Field>,
    /// What happens to attributes that are not declared.
    pub undeclared: Undeclared,
    /// What may be done with its events.
    pub tags: Tags,
    /// What may be done with its attributes, each narrowed by the type's own tags; see [`EventType::tags_of`].
    pub attribute_tags: Vec<Tags>,
}

/// What happens to attributes of an event that its type does not declare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Undeclared {
    /// They are recorded with the event; rules do not see them.
    #[default]
    Keep,
    /// The event is refused.
    Refuse,
}

/// One declared fact about customers.
#[derive(Debug)]
pub struct FactDefinition {
    /// Its type, bounds and default.
    pub field: Field,
    /// How long after it was observed it may be relied on.
    pub fresh: Freshness,
    /// What may be done with it.
    pub tags: Tags,
}

/// An event that its schema has typed.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedEvent {
    /// Source and id.
    pub key: EventKey,
    /// The number of its type in the layout.
    pub kind: usize,
    /// Whom it is about.
    pub customer: CustomerId,
    /// When it happened, if its sender said so.
    pub time: Option<Timestamp>,
    /// Values by the order of the type's attributes.
    pub attributes: Attributes,
    /// Attributes that are not declared, by name.
    pub undeclared: RawMap,
    /// A fingerprint of type and data as they came, whatever the order of the attributes: tells a repetition of the event
    /// from another event under the same id.
    pub body: u64,
}

/// Values by the order of an event type's attributes.
pub type Attributes = Box<[Option<Value>]>;

/// Why an event cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventFault {
    /// An id is empty or too long.
    #[error("`{attribute}`{} {fault}", if *attribute == "subject" { " (the customer's id)" } else { "" })]
    Id {
        /// Which one.
        attribute: &'static str,
        /// Why.
        fault: IdError,
    },
    /// No such type is declared.
    #[error("unknown event type `{found}`{hint}")]
    Type {
        /// What was given.
        found: String,
        /// What was perhaps meant, or the known types.
        hint: String,
    },
    /// An attribute is wrong.
    #[error("`data.{attribute}` {fault}")]
    Attribute {
        /// Its name.
        attribute: String,
        /// Why.
        fault: FieldFault,
    },
    /// An attribute is not declared, and the type refuses such.
    #[error("`data.{attribute}` is not an attribute of `{kind}`{hint}")]
    Undeclared {
        /// Its name.
        attribute: String,
        /// The event's type.
        kind: String,
        /// What was perhaps meant.
        hint: String,
    },
    /// The same attribute stands twice.
    #[error("`data.{0}` is given twice")]
    Twice(String),
    /// An attribute, or all of them together, are beyond a bound.
    #[error("`data{}{attribute}` {message}", if attribute.is_empty() { "" } else { "." })]
    Bound {
        /// Its name; empty for all together.
        attribute: String,
        /// What is beyond which bound.
        message: String,
    },
}

impl EventFault {
    /// The attribute that is wrong, as a JSON Pointer (RFC 6901) into the event.
    pub fn pointer(&self) -> String {
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        match self {
            Self::Id { attribute, .. } => format!("/{attribute}"),
            Self::Type { .. } => "/type".to_owned(),
            Self::Bound { attribute, .. } if attribute.is_empty() => "/data".to_owned(),
            Self::Attribute { attribute, .. }
            | Self::Undeclared { attribute, .. }
            | Self::Twice(attribute)
            | Self::Bound { attribute, .. } => format!("/data/{}", escaped(attribute)),
        }
    }
}

impl Layout {
    /// A layout of these declarations; names are unique within each kind.
    pub fn new(
        events: Vec<EventType>,
        facts: Vec<FactDefinition>,
        signals: Vec<SignalDefinition>,
        repetitions: Window,
    ) -> Self {
        let numbered = |names: Vec<&str>| (0..).zip(names).map(|(i, name)| (Box::from(name), i)).collect();
        Self {
            event_numbers: numbered(events.iter().map(|event| &*event.name).collect()),
            fact_numbers: numbered(facts.iter().map(|fact| &*fact.field.name).collect()),
            fact_keys: facts.iter().map(|fact| key_of(&fact.field.name)).collect(),
            events,
            facts,
            signals,
            repetitions,
            purposes: Vec::new(),
            recent: RecentDefinition::default(),
        }
    }

    /// The layout with these purposes; tags name them by their place here.
    #[must_use]
    pub fn with_purposes(self, purposes: Vec<Purpose>) -> Self {
        Self { purposes, ..self }
    }

    /// The layout with a ring of so many of the latest events, and these attributes of theirs.
    #[must_use]
    pub fn with_recent(self, events: usize, attributes: &[&str]) -> Self {
        Self { recent: RecentDefinition::new(events, attributes, &self.events), ..self }
    }

    /// What is kept of the latest events.
    pub fn recent(&self) -> &RecentDefinition {
        &self.recent
    }

    /// The declared purposes, at most [`PURPOSES_MAX`](super::PURPOSES_MAX).
    pub fn purposes(&self) -> &[Purpose] {
        &self.purposes
    }

    /// The number of a purpose.
    pub fn purpose_number(&self, name: &str) -> Option<usize> {
        self.purposes.iter().position(|purpose| *purpose.name == *name)
    }

    /// How long repetitions of an event are recognised.
    pub fn repetitions(&self) -> Window {
        self.repetitions
    }

    /// The declared event types.
    pub fn events(&self) -> &[EventType] {
        &self.events
    }

    /// The declared facts.
    pub fn facts(&self) -> &[FactDefinition] {
        &self.facts
    }

    /// The names of facts in stored states, by number.
    pub fn fact_keys(&self) -> &[u32] {
        &self.fact_keys
    }

    /// The declared signals.
    pub fn signals(&self) -> &[SignalDefinition] {
        &self.signals
    }

    /// The number of an event type.
    pub fn event_number(&self, name: &str) -> Option<usize> {
        self.event_numbers.get(name).copied()
    }

    /// The number of a fact.
    pub fn fact_number(&self, name: &str) -> Option<usize> {
        self.fact_numbers.get(name).copied()
    }

    /// Types an event from outside; or every fault in it.
    pub fn accept(&self, event: Event) -> Result<TypedEvent, Vec<EventFault>> {
        let mut faults = Vec::new();
        let key = EventKey::new(&event.source, &event.id);
        let key = key.map_err(|(attribute, fault)| faults.push(EventFault::Id { attribute, fault }));
        let customer = CustomerId::new(&event.customer);
        let customer = customer.map_err(|fault| faults.push(EventFault::Id { attribute: "subject", fault }));
        let Some(kind) = self.event_number(&event.kind) else {
            faults.push(self.unknown_type(event.kind));
            return Err(faults);
        };
        let ty = &self.events[kind];
        check_bounds(&event.data, &mut faults);
        let body = fingerprint(&event.kind, &event.data);
        let (attributes, undeclared) = ty.accept(event.data, &mut faults);
        match (key, customer) {
            (Ok(key), Ok(customer)) if faults.is_empty() => {
                Ok(TypedEvent { key, kind, customer, time: event.time, attributes, undeclared, body })
            }
            _ => Err(faults),
        }
    }

    fn unknown_type(&self, found: String) -> EventFault {
        let mut hint = suggestion(&found, self.events.iter().map(|event| &*event.name));
        if hint.is_empty() {
            let known: Vec<String> = self.events.iter().take(12).map(|event| format!("`{}`", event.name)).collect();
            hint = format!("; known types are {}", known.join(", "));
        }
        EventFault::Type { found, hint }
    }
}

/// What is accepted is recorded, and what is recorded must be readable again: nothing gets in that a reader would refuse.
fn check_bounds(data: &[(String, Raw)], faults: &mut Vec<EventFault>) {
    let bound = |attribute: &str, message| EventFault::Bound { attribute: attribute.to_owned(), message };
    if data.len() > MEMBERS_MAX {
        return faults.push(bound("", format!("has {} attributes, the limit is {MEMBERS_MAX}", data.len())));
    }
    faults.extend(key_twice(data).map(|name| EventFault::Twice(name.to_owned())));
    let mut total = 0;
    for (name, value) in data {
        match value.measure() {
            Ok(bytes) => total += name.len() + bytes,
            Err(message) => faults.push(bound(name, message)),
        }
    }
    if total > EVENT_BYTES_MAX {
        faults.push(bound("", format!("has {total} bytes, the limit is {EVENT_BYTES_MAX}")));
    }
}

fn fingerprint(kind: &str, data: &[(String, Raw)]) -> u64 {
    let mut entries: SmallVec<[&(String, Raw); 16]> = data.iter().filter(|(_, raw)| *raw != Raw::Null).collect();
    entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let mut bytes = SmallVec::<[u8; 1024]>::new();
    absorb_text(kind, &mut bytes);
    for (name, value) in entries {
        absorb_text(name, &mut bytes);
        absorb(value, &mut bytes);
    }
    xxh3_64(&bytes)
}

fn absorb_text(text: &str, bytes: &mut SmallVec<[u8; 1024]>) {
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Every kind of value begins with a byte of its own, so that different values never give the same bytes.
fn absorb(value: &Raw, bytes: &mut SmallVec<[u8; 1024]>) {
    match value {
        Raw::Null => bytes.push(0),
        Raw::Bool(v) => bytes.extend_from_slice(&[1, u8::from(*v)]),
        Raw::Int(v) => {
            bytes.push(2);
            bytes.extend_from_slice(&v.to_le_bytes());
        }
        Raw::Float(v) => {
            bytes.push(3);
            bytes.extend_from_slice(&v.to_bits().to_le_bytes());
        }
        Raw::Decimal(v) => {
            bytes.push(4);
            bytes.extend_from_slice(&v.units().to_le_bytes());
        }
        Raw::Text(v) => {
            bytes.push(5);
            absorb_text(v, bytes);
        }
        Raw::List(items) => {
            bytes.push(6);
            bytes.extend_from_slice(&(items.len() as u32).to_le_bytes());
            items.iter().for_each(|item| absorb(item, bytes));
        }
        Raw::Map(entries) => {
            bytes.push(7);
            bytes.extend_from_slice(&(entries.len() as u32).to_le_bytes());
            for (name, value) in entries {
                absorb_text(name, bytes);
                absorb(value, bytes);
            }
        }
    }
}

impl EventType {
    /// The number of an attribute. Types have few attributes: a walk over the names beats a hash.
    pub fn attribute_number(&self, name: &str) -> Option<usize> {
        self.attributes.iter().position(|field| &*field.name == name)
    }

    /// What may be done with an attribute.
    pub fn tags_of(&self, attribute: usize) -> &Tags {
        self.attribute_tags.get(attribute).unwrap_or(&self.tags)
    }

    /// Types attributes of which none stands twice.
    fn accept(&self, data: Vec<(String, Raw)>, faults: &mut Vec<EventFault>) -> (Attributes, RawMap) {
        let mut raw: Vec<Option<Raw>> = vec![None; self.attributes.len()];
        let mut undeclared = Vec::new();
        for (name, value) in data {
            match self.attribute_number(&name) {
                Some(number) => raw[number] = Some(value),
                None if self.undeclared == Undeclared::Keep => undeclared.push((name, value)),
                None => {
                    let hint = suggestion(&name, self.attributes.iter().map(|field| &*field.name));
                    faults.push(EventFault::Undeclared { attribute: name, kind: self.name.to_string(), hint });
                }
            }
        }
        let typed = self.attributes.iter().zip(raw).map(|(field, raw)| {
            let typed = field.accept(raw.unwrap_or(Raw::Null));
            typed.unwrap_or_else(|fault| {
                faults.push(EventFault::Attribute { attribute: field.name.to_string(), fault });
                None
            })
        });
        let typed = typed.collect();
        // A fixed order, so that the same content has the same bytes whatever order its sender chose.
        undeclared.sort_by(|(a, _), (b, _)| a.cmp(b));
        (typed, undeclared)
    }
}
