//! A signal that is kept apart for each value of an attribute: a bounded number of groups, the least recently seen goes first.
//!
//! What had to go is remembered by its time alone: a window that may have reached into it is unavailable, never wrong.

use super::content::{Content, Span};
use super::distinct::fingerprint;
use super::signal_definition::Brought;
use super::{Grouping, SignalDefinition, TypedEvent};
use crate::domain::{Timestamp, Unavailable, Value};

/// The groups of a signal.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Groups {
    /// Ascending by key.
    pub(super) list: Vec<Group>,
    /// The latest bucket of a group that had to go; the smallest number if none had.
    pub(super) forgotten: i64,
    /// Events taken; says which group was seen when.
    pub(super) ticks: u64,
}

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// The fingerprint of its value.
    pub(super) key: u64,
    /// The tick of the latest event.
    pub(super) seen: u64,
    /// What the groups had forgotten when this one began: it may have been among it.
    pub(super) missing: i64,
    pub(super) content: Content,
}

impl Default for Groups {
    fn default() -> Self {
        Self { list: Vec::new(), forgotten: i64::MIN, ticks: 0 }
    }
}

impl Group {
    fn begin(definition: &SignalDefinition, key: u64, missing: i64) -> Self {
        Self { key, seen: 0, missing, content: Content::of_kind(definition.kind) }
    }

    fn value(&self, definition: &SignalDefinition, span: &Span) -> Result<Value, Unavailable> {
        self.content.value(definition, &Span { missing: self.missing, ..*span })
    }

    /// Whether everything in it has expired: it is then as if it were not there.
    fn is_expired(&self, definition: &SignalDefinition, now: Timestamp) -> bool {
        self.content.newest(definition).is_none_or(|newest| definition.is_expired(newest, now))
    }
}

impl Grouping {
    /// The group of a value.
    pub(super) fn key_of(&self, value: &Value) -> u64 {
        fingerprint(value, Some(&self.of))
    }

    /// The group of an event that the signal watches.
    fn key_of_watched(&self, event: &TypedEvent) -> Option<u64> {
        event.attributes.get(self.by)?.as_ref().map(|value| self.key_of(value))
    }

    /// The group of an event that is decided on.
    fn key_of_asked(&self, event: &TypedEvent) -> Option<u64> {
        let (number, ty) = self.asked.get(event.kind)?.as_ref()?;
        event.attributes.get(*number)?.as_ref().map(|value| fingerprint(value, Some(ty)))
    }
}

impl Groups {
    /// Takes what an event brings to its group.
    pub(super) fn fold(
        groups: &mut Option<Box<Self>>,
        definition: &SignalDefinition,
        event: &TypedEvent,
        brought: Brought<'_>,
        time: Timestamp,
        arrival: Timestamp,
    ) {
        let Some(grouping) = &definition.by else { return };
        let Some(key) = grouping.key_of_watched(event) else { return };
        let groups = groups.get_or_insert_default();
        groups.ticks += 1;
        let at = match groups.list.binary_search_by_key(&key, |group| group.key) {
            Ok(at) => {
                if groups.list[at].is_expired(definition, arrival) {
                    groups.list[at] = Group::begin(definition, key, groups.forgotten);
                }
                at
            }
            Err(_) => groups.begin(definition, grouping.groups_max, key, arrival),
        };
        let group = &mut groups.list[at];
        group.seen = groups.ticks;
        group.content.fold(definition, brought, time);
    }

    /// Begins a group; others go if there is no room.
    fn begin(&mut self, definition: &SignalDefinition, groups_max: usize, key: u64, arrival: Timestamp) -> usize {
        if self.list.len() >= groups_max {
            self.list.retain(|group| !group.is_expired(definition, arrival));
        }
        while self.list.len() >= groups_max.max(1) {
            let Some(at) = (0..self.list.len()).min_by_key(|at| self.list[*at].seen) else { break };
            let newest = self.list.remove(at).content.newest(definition);
            let newest = newest.map_or(i64::MIN, |newest| definition.bucket(newest));
            self.forgotten = self.forgotten.max(newest);
        }
        if self.list.is_empty() {
            self.list.reserve_exact(1);
        }
        let at = self.list.partition_point(|group| group.key < key);
        self.list.insert(at, Group::begin(definition, key, self.forgotten));
        at
    }

    /// The value of the group of an event that is decided on.
    pub(super) fn value(
        groups: Option<&Self>,
        definition: &SignalDefinition,
        event: Option<&TypedEvent>,
        span: &Span,
        arrival: Timestamp,
    ) -> Result<Value, Unavailable> {
        let key = definition.by.as_ref().zip(event).and_then(|(grouping, event)| grouping.key_of_asked(event));
        let key = key.ok_or(Unavailable::Absent)?;
        let list = groups.map_or(&[][..], |groups| &groups.list);
        let found = list.binary_search_by_key(&key, |group| group.key).ok().map(|at| &list[at]);
        match found.filter(|group| !group.is_expired(definition, arrival)) {
            Some(group) => group.value(definition, span),
            None => {
                let missing = groups.map_or(i64::MIN, |groups| groups.forgotten);
                Content::of_kind(definition.kind).value(definition, &Span { missing, ..*span })
            }
        }
    }

    /// The values of all groups that have not expired, those of the latest events first.
    pub(super) fn standings(
        &self,
        definition: &SignalDefinition,
        span: &Span,
        arrival: Timestamp,
    ) -> Vec<(u64, Result<Value, Unavailable>)> {
        let mut held: Vec<&Group> = self.list.iter().filter(|group| !group.is_expired(definition, arrival)).collect();
        held.sort_unstable_by_key(|group| std::cmp::Reverse(group.seen));
        held.into_iter().map(|group| (group.key, group.value(definition, span))).collect()
    }

    /// What a function says of each group's content, where it says something.
    pub(super) fn each<T>(&self, say: impl Fn(&Content) -> Option<T>) -> impl Iterator<Item = T> {
        self.list.iter().filter_map(move |group| say(&group.content))
    }

    pub(super) fn purge(&mut self, definition: &SignalDefinition, now: Timestamp) {
        self.list.retain(|group| !group.is_expired(definition, now));
        self.list.shrink_to_fit();
        self.list.iter_mut().for_each(|group| group.content.purge(definition, now));
    }

    /// Whether nothing is held, not even that something had to go.
    pub(super) fn is_forgotten(&self) -> bool {
        self.list.is_empty() && self.forgotten == i64::MIN
    }

    /// Bytes held, the groups' own size included.
    pub(super) fn bytes(&self) -> usize {
        let contents: usize = self.list.iter().map(|group| group.content.heap_bytes()).sum();
        size_of::<Self>() + self.list.capacity() * size_of::<Group>() + contents
    }
}
