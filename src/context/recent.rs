//! The latest events of a customer: what happened, when, and a few of its attributes.
//!
//! A ring in the order of arrival. Events and values that have expired are passed over when the ring is read and are gone
//! when it is purged.

use super::packed::{Packer, Unpacker};
use super::state::key_of;
use super::{EventType, Layout, StateError, Tags, TypedEvent, kept};
use crate::domain::{Timestamp, Value};

/// How many events are kept and which of their attributes.
#[derive(Debug, Default)]
pub struct RecentDefinition {
    events: usize,
    /// By event type.
    kinds: Vec<RecentKind>,
}

/// What is kept of events of one type.
#[derive(Debug)]
struct RecentKind {
    key: u32,
    /// The numbers and names of its attributes.
    attributes: Vec<(usize, u32)>,
}

/// One of a customer's latest events.
#[derive(Clone, Debug, PartialEq)]
pub struct RecentEvent {
    /// The number of its type.
    pub kind: usize,
    /// When it happened; its arrival if its sender did not say so.
    pub time: Timestamp,
    /// When it arrived.
    pub arrival: Timestamp,
    /// Half of its fingerprint: tells it from the others.
    pub event: u64,
    /// Numbers and values of attributes.
    values: Box<[(usize, Value)]>,
}

/// The ring, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Recent(Vec<RecentEvent>);

/// Events that can be kept.
pub const RECENT_MAX: i64 = 64;

/// Events that are kept if nobody says otherwise: what fits on a screen, at some 50 bytes each.
pub const RECENT_DEFAULT: usize = 8;

impl RecentDefinition {
    /// Keeps so many events and those of these attributes that they have.
    pub fn new(events: usize, attributes: &[&str], types: &[EventType]) -> Self {
        let kind = |ty: &EventType| {
            let fields = ty.attributes.iter().enumerate();
            let listed = fields.filter(|(_, field)| attributes.contains(&&*field.name));
            RecentKind {
                key: key_of(&ty.name),
                attributes: listed.map(|(number, field)| (number, key_of(&field.name))).collect(),
            }
        };
        Self { events, kinds: types.iter().map(kind).collect() }
    }

    /// How many events are kept.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Numbers of the attributes that are kept of events of a type.
    pub fn attributes(&self, kind: usize) -> impl Iterator<Item = usize> {
        self.kinds.get(kind).into_iter().flat_map(|kind| kind.attributes.iter().map(|(number, _)| *number))
    }
}

impl RecentEvent {
    /// The kept values of its attributes that have not expired at `now`, by their numbers.
    pub fn values<'a>(&'a self, layout: &'a Layout, now: Timestamp) -> impl Iterator<Item = (usize, &'a Value)> {
        let is_held = move |number: &usize| {
            !tags_of(layout, self.kind, *number).is_some_and(|tags| tags.is_expired(self.time, now))
        };
        self.values.iter().map(|(number, value)| (*number, value)).filter(move |(number, _)| is_held(number))
    }

    fn is_expired(&self, layout: &Layout, now: Timestamp) -> bool {
        layout.events().get(self.kind).is_none_or(|ty| ty.tags.is_expired(self.time, now))
    }

    fn expiry(&self, layout: &Layout) -> Option<Timestamp> {
        let own = layout.events().get(self.kind).and_then(|ty| ty.tags.expiry(self.time));
        let values =
            self.values.iter().filter_map(|(number, _)| tags_of(layout, self.kind, *number)?.expiry(self.time));
        values.chain(own).min()
    }
}

fn tags_of(layout: &Layout, kind: usize, attribute: usize) -> Option<&Tags> {
    layout.events().get(kind).map(|ty| ty.tags_of(attribute))
}

impl Recent {
    /// Enters an event; the oldest goes if there is no room. One that has expired when it arrives leaves no mark.
    pub(super) fn enter(&mut self, layout: &Layout, event: &TypedEvent, time: Timestamp, arrival: Timestamp) {
        let definition = layout.recent();
        let is_expired = layout.events().get(event.kind).is_none_or(|ty| ty.tags.is_expired(time, arrival));
        if definition.events == 0 || is_expired {
            return;
        }
        if self.0.len() >= definition.events {
            // What has expired goes first, so that a ring that was purged holds the same.
            self.0.retain(|known| !known.is_expired(layout, arrival));
            let beyond = (self.0.len() + 1).saturating_sub(definition.events);
            self.0.drain(..beyond);
        }
        if self.0.len() == self.0.capacity() {
            let grown = (2 * self.0.len()).clamp(1, definition.events);
            self.0.reserve_exact(grown - self.0.len());
        }
        let held =
            |number: &usize| !tags_of(layout, event.kind, *number).is_some_and(|tags| tags.is_expired(time, arrival));
        let value = |number: usize| Some((number, event.attributes.get(number)?.clone()?));
        let values = definition.attributes(event.kind).filter(held).filter_map(value).collect();
        self.0.push(RecentEvent { kind: event.kind, time, arrival, event: event.key.fingerprint() as u64, values });
    }

    /// The events that have not expired at `now`, newest first.
    pub(super) fn iter<'a>(&'a self, layout: &'a Layout, now: Timestamp) -> impl Iterator<Item = &'a RecentEvent> {
        self.0.iter().rev().filter(move |event| !event.is_expired(layout, now))
    }

    pub(super) fn next_expiry(&self, layout: &Layout) -> Option<Timestamp> {
        self.0.iter().filter_map(|event| event.expiry(layout)).min()
    }

    pub(super) fn purge(&mut self, layout: &Layout, now: Timestamp) {
        self.0.retain(|event| !event.is_expired(layout, now));
        for event in &mut self.0 {
            if event.values(layout, now).count() < event.values.len() {
                event.values = event.values(layout, now).map(|(number, value)| (number, value.clone())).collect();
            }
        }
        self.0.shrink_to_fit();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let values = |event: &RecentEvent| -> usize {
            size_of_val(&*event.values) + event.values.iter().map(|(_, value)| value.heap_bytes()).sum::<usize>()
        };
        self.0.capacity() * size_of::<RecentEvent>() + self.0.iter().map(values).sum::<usize>()
    }

    /// Packs the ring; times are relative to `near`.
    pub(super) fn pack(&self, layout: &Layout, mut near: Timestamp, into: &mut Packer) {
        for event in &self.0 {
            let (Some(ty), Some(kind)) = (layout.events().get(event.kind), layout.recent().kinds.get(event.kind))
            else {
                continue;
            };
            into.fixed(&kind.key.to_le_bytes());
            into.since(event.arrival.micros(), near.micros());
            into.since(event.time.micros(), event.arrival.micros());
            into.fixed(&event.event.to_le_bytes());
            let named = |number: usize| kind.attributes.iter().find(|(known, _)| *known == number).map(|(_, key)| *key);
            let values = || event.values.iter().filter_map(|(number, value)| Some((*number, named(*number)?, value)));
            into.number(values().count() as u64);
            for (number, key, value) in values() {
                into.fixed(&key.to_le_bytes());
                into.byte(kept::kind(value));
                kept::pack(value, &ty.attributes[number].ty, into);
            }
            near = event.arrival;
        }
    }

    /// Reads a ring. Events and attributes that the layout does not know, or keeps no more, are passed over; says whether
    /// there were none of them.
    pub(super) fn unpack(
        layout: &Layout,
        mut near: Timestamp,
        from: &mut Unpacker<'_>,
    ) -> Result<(Self, bool), StateError> {
        let mut events = Vec::new();
        let mut is_whole = true;
        while !from.is_empty() {
            let key = u32::from_le_bytes(from.fixed()?);
            let arrival = Timestamp::from_micros(from.since(near.micros())?);
            let time = Timestamp::from_micros(from.since(arrival.micros())?);
            let event = u64::from_le_bytes(from.fixed()?);
            near = arrival;
            let kind = layout.recent().kinds.iter().position(|kind| kind.key == key);
            is_whole &= kind.is_some();
            let mut values = Vec::new();
            for _ in 0..from.count()? {
                let attribute = u32::from_le_bytes(from.fixed()?);
                let value = kept::unpack(from.byte()?, from)?;
                let Some(kind) = kind else { continue };
                let known = layout.recent().kinds[kind].attributes.iter().find(|(_, key)| *key == attribute);
                let typed = known.and_then(|(number, _)| {
                    Some((*number, value.value(&layout.events()[kind].attributes[*number].ty)?))
                });
                is_whole &= typed.is_some();
                values.extend(typed);
            }
            events.extend(kind.map(|kind| RecentEvent { kind, time, arrival, event, values: values.into() }));
        }
        let beyond = events.len().saturating_sub(layout.recent().events);
        events.drain(..beyond);
        events.shrink_to_fit();
        Ok((Self(events), is_whole && beyond == 0))
    }
}
