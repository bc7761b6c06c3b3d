//! Signals: what happened to a customer lately, kept incrementally while events pass by.
//!
//! Time is cut into buckets of the signal's resolution. A window reaches back at least as far as declared: its beginning
//! is rounded down to the resolution, so a signal never misses an event that lies within its window, and counts none
//! that is older by more than one resolution. Late events fall into the bucket of their own time; buckets are kept for
//! twice the window and what an event may be ahead of the clock, so an event that is late by up to a window is judged as it
//! would have been on time.
//!
//! What has expired counts no more: a bucket that begins before what is retained is passed over when it is read, whether or
//! not it is still held, so that a signal reads the same before and after it is purged.

use super::content::{Content, Span};
use super::groups::Groups;
use super::{SignalDefinition, TypedEvent};
use crate::domain::{Timestamp, Unavailable, Value};

/// One signal of one customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// When it began to watch.
    pub(super) since: Timestamp,
    pub(super) content: Content,
}

/// Stands for a beginning that the next turn will settle.
const UNSETTLED: Timestamp = Timestamp::from_micros(i64::MAX);

impl Signal {
    /// A signal that begins to watch at a customer's next turn.
    pub fn unsettled(definition: &SignalDefinition) -> Self {
        Self::new(definition, UNSETTLED)
    }

    /// Begins to watch, unless it does already.
    pub fn settle(&mut self, now: Timestamp) {
        if self.since == UNSETTLED {
            self.since = now;
        }
    }

    /// A signal that begins to watch.
    pub fn new(definition: &SignalDefinition, since: Timestamp) -> Self {
        Self { since, content: Content::empty(definition) }
    }

    /// Takes an event of the type that the definition watches; one that has expired when it arrives leaves no mark.
    pub fn fold(&mut self, definition: &SignalDefinition, event: &TypedEvent, time: Timestamp, arrival: Timestamp) {
        let Some(brought) = definition.brought(event) else { return };
        if definition.is_expired(time, arrival) {
            return;
        }
        match &mut self.content {
            Content::Groups(groups) => Groups::fold(groups, definition, event, brought, time, arrival),
            content => content.fold(definition, brought, time),
        }
    }

    /// The signal's value as of a time, for a decision on an event when the time is `arrival`. Only signals that are kept by
    /// an attribute look at the event.
    pub fn value(
        &self,
        definition: &SignalDefinition,
        event: Option<&TypedEvent>,
        as_of: Timestamp,
        arrival: Timestamp,
    ) -> Result<Value, Unavailable> {
        if self.is_warming(definition, as_of) {
            return Err(Unavailable::Warming);
        }
        let span = Span::new(definition, as_of, arrival);
        match &self.content {
            Content::Groups(groups) => Groups::value(groups.as_deref(), definition, event, &span, arrival),
            content => content.value(definition, &span),
        }
    }

    /// Whether it is too young for its window. One that looks back for ever has no window to be too young for.
    pub(super) fn is_warming(&self, definition: &SignalDefinition, as_of: Timestamp) -> bool {
        let is_young = definition.over.is_some_and(|over| as_of.since(self.since) < over);
        is_young && !definition.partial
    }

    /// Since when it watches; `None` before the next turn has settled it.
    pub(super) fn watches_since(&self) -> Option<Timestamp> {
        (self.since != UNSETTLED).then_some(self.since)
    }

    /// Drops what has expired at `now`.
    pub fn purge(&mut self, definition: &SignalDefinition, now: Timestamp) {
        if definition.tags.retain.is_some() && !self.content.is_empty() {
            self.content.purge(definition, now);
        }
    }

    /// When the oldest of what it holds expires.
    pub fn next_expiry(&self, definition: &SignalDefinition) -> Option<Timestamp> {
        definition.tags.expiry(self.content.oldest(definition)?)
    }

    /// Bytes held beyond the signal's own size.
    pub fn heap_bytes(&self) -> usize {
        self.content.heap_bytes()
    }
}
