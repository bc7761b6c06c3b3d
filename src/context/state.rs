//! A customer's state: what we were told, what we keep of what happened, what we did.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::recent::Recent;
use super::{Consents, FactDefinition, Freshness, Layout, Ledger, RecentEvent, Signal, TypedEvent};
use crate::domain::{TimeDelta, Timestamp, Unavailable, Value};

/// Everything the engine holds about one customer. Only the customer's own turn changes it.
#[derive(Clone, Debug)]
pub struct CustomerState {
    pub(super) layout: Arc<Layout>,
    /// The sequence of the last record that changed it; 0 before the first.
    pub last_seq: u64,
    /// The latest arrival; arrivals never go backwards for a customer.
    pub last_arrival: Timestamp,
    /// By number; empty until the first fact is told.
    pub(super) facts: Box<[Option<Held>]>,
    pub(super) signals: Box<[Signal]>,
    pub(super) recent: Recent,
    /// Facts that the layout does not declare, or types so that they do not fit: kept for a bundle that does again.
    pub(super) parked: Box<[Parked]>,
    /// Whether every signal knows since when it watches. A state that was just made or read learns it at its next turn, from
    /// the arrival, so that recovery finds the same.
    is_settled: bool,
    /// The stored form that it was read from, if that holds more than the layout has places for. Until the next turn the
    /// state stays what the store has: what the layout does not know is lost by a turn under it, not by a look.
    pub(super) origin: Option<Arc<[u8]>>,
    /// What the customer allows.
    pub consents: Consents,
    /// Events seen and decisions made.
    pub ledger: Ledger,
}

/// What someone told us about a customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What; `None` for one that was withdrawn, which is kept so that an older observation does not bring it back.
    pub value: Option<Value>,
    /// Who.
    pub source: Arc<str>,
    /// When they observed it.
    pub observed_at: Timestamp,
}

/// A fact, or what is left of one that has expired: the time of its observation, so that an older one does not take its
/// place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Held {
    Told(Fact),
    Expired(Timestamp),
}

/// A fact that the layout has no place for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parked {
    pub(super) key: u32,
    pub(super) source: Arc<str>,
    pub(super) observed_at: Timestamp,
    /// How long the bundle under which it was told keeps it.
    pub(super) retain: Option<TimeDelta>,
    pub(super) value: PackedValue,
}

/// A value in its stored form.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PackedValue {
    Value(u8, Box<[u8]>),
    Withdrawn,
    Expired,
}

/// Why a stored state cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The bytes, or a part of them that is MessagePack, are not a state.
    #[error("a stored customer state is damaged: {0}")]
    Damaged(#[from] rmp_serde::decode::Error),
    /// The bytes are not a state.
    #[error("a stored customer state is damaged: it ends too soon or says what cannot be")]
    Torn,
    /// Written by a newer release.
    #[error("a stored customer state has version {0}, this release reads versions 1 and 2")]
    Newer(u8),
    /// Written by a newer release that keeps more.
    #[error("a stored customer state has a part {0}, which this release does not know")]
    Part(u8),
}

/// The name of a fact in a stored state. Two facts of one bundle never share one; the bundle refuses that.
pub(super) fn key_of(name: &str) -> u32 {
    xxh3_64(name.as_bytes()) as u32
}

impl Held {
    fn observed_at(&self) -> Timestamp {
        match self {
            Self::Told(fact) => fact.observed_at,
            Self::Expired(at) => *at,
        }
    }
}

impl Parked {
    pub(super) fn expired(key: u32, observed_at: Timestamp) -> Self {
        Self { key, source: "".into(), observed_at, retain: None, value: PackedValue::Expired }
    }

    fn expiry(&self) -> Option<Timestamp> {
        let retain = self.retain.filter(|_| matches!(self.value, PackedValue::Value(..)));
        retain.map(|retain| self.observed_at.saturating_add(retain))
    }
}

impl CustomerState {
    /// The state of a customer nobody has heard of.
    pub fn new(layout: Arc<Layout>) -> Self {
        let signals = layout.signals().iter().map(Signal::unsettled).collect();
        Self {
            layout,
            last_seq: 0,
            last_arrival: Timestamp::from_micros(i64::MIN),
            facts: [].into(),
            signals,
            recent: Recent::default(),
            parked: [].into(),
            is_settled: false,
            origin: None,
            consents: Consents::default(),
            ledger: Ledger::default(),
        }
    }

    /// Makes the state one of this layout: facts by name, signals by meaning. A signal that is new, or means something new,
    /// begins to watch now. Free when nothing changed. A state that cannot be read in the new layout stays as it is, and is not
    /// to be used: a new one in its place would have neither consents nor what was taken of caps.
    pub fn conform(&mut self, layout: &Arc<Layout>, now: Timestamp) -> Result<(), StateError> {
        if !Arc::ptr_eq(&self.layout, layout) {
            *self = Self::decode(&self.encode(), layout)?;
        }
        if !self.is_settled {
            self.signals.iter_mut().for_each(|signal| signal.settle(now));
            self.is_settled = true;
            self.origin = None;
        }
        Ok(())
    }

    /// Folds an event into the signals that watch its type and the ring of the latest events. What has expired by the latest arrival leaves no mark.
    pub fn fold(&mut self, event: &TypedEvent, time: Timestamp) {
        let watching = self.layout.signals().iter().zip(&mut self.signals);
        for (definition, signal) in watching.filter(|(definition, _)| definition.event == event.kind) {
            signal.fold(definition, event, time, self.last_arrival);
        }
        self.recent.enter(&self.layout, event, time, self.last_arrival);
    }

    /// Sets or withdraws a fact, unless a later observation of it is held. Says whether it was taken.
    pub fn put_fact(&mut self, number: usize, fact: Fact) -> bool {
        if number >= self.layout.facts().len() {
            return false;
        }
        let held = self.facts.get(number).and_then(Option::as_ref);
        let is_newer = held.is_none_or(|held| held.observed_at() <= fact.observed_at);
        if is_newer {
            let key = self.layout.fact_keys()[number];
            if self.parked.iter().any(|parked| parked.key == key) {
                self.parked = self.parked.iter().filter(|parked| parked.key != key).cloned().collect();
            }
            self.hold(number, Held::Told(fact));
        }
        is_newer
    }

    pub(super) fn hold(&mut self, number: usize, held: Held) {
        if self.facts.is_empty() {
            self.facts = self.layout.facts().iter().map(|_| None).collect();
        }
        self.facts[number] = Some(held);
    }

    /// The fact as it is held: fresh or not, withdrawn or not; `None` for one that is gone.
    pub fn held_fact(&self, number: usize) -> Option<&Fact> {
        match self.facts.get(number)?.as_ref()? {
            Held::Told(fact) => Some(fact),
            Held::Expired(_) => None,
        }
    }

    /// The value of a fact at a time, or why there is none.
    pub fn fact(&self, number: usize, now: Timestamp) -> Result<&Value, Unavailable> {
        let Some(FactDefinition { field, fresh, tags }) = self.layout.facts().get(number) else {
            return Err(Unavailable::Unknown);
        };
        match self.facts.get(number).and_then(Option::as_ref) {
            Some(Held::Expired(_)) => Err(Unavailable::Expired),
            Some(Held::Told(Fact { value: Some(value), observed_at, .. })) => {
                if tags.is_expired(*observed_at, now) {
                    Err(Unavailable::Expired)
                } else if Freshness::is_beyond(fresh.hard, *observed_at, now) {
                    Err(Unavailable::Stale)
                } else {
                    Ok(value)
                }
            }
            Some(Held::Told(_)) | None => field.default.as_ref().ok_or(Unavailable::Unknown),
        }
    }

    /// Whether a fact is beyond its soft limit at a time: still used, and called stale.
    pub fn is_stale(&self, number: usize, now: Timestamp) -> bool {
        let (Some(definition), Some(fact)) = (self.layout.facts().get(number), self.held_fact(number)) else {
            return false;
        };
        let is_beyond = Freshness::is_beyond(definition.fresh.soft, fact.observed_at, now);
        is_beyond && fact.value.is_some() && self.fact(number, now).is_ok()
    }

    /// The value of a signal as of a time, or why there is none: for somebody who looks at the customer now.
    pub fn signal(&self, number: usize, as_of: Timestamp) -> Result<Value, Unavailable> {
        self.signal_for(number, None, as_of, as_of.max(self.last_arrival))
    }

    /// The value of a signal as of a time, for a decision on an event that arrived at `arrival`; or why there is none.
    pub fn signal_for(
        &self,
        number: usize,
        event: Option<&TypedEvent>,
        as_of: Timestamp,
        arrival: Timestamp,
    ) -> Result<Value, Unavailable> {
        match (self.layout.signals().get(number), self.signals.get(number)) {
            (Some(definition), Some(signal)) => signal.value(definition, event, as_of, arrival),
            _ => Err(Unavailable::Unknown),
        }
    }

    /// The latest events that have not expired at `now`, newest first.
    pub fn recent(&self, now: Timestamp) -> impl Iterator<Item = &RecentEvent> {
        self.recent.iter(&self.layout, now)
    }

    // === retention ===

    /// When the next of what it holds expires: from then on [`CustomerState::purge`] has something to drop.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let fact = |(definition, held): (&FactDefinition, &Option<Held>)| match held {
            Some(Held::Told(fact)) if fact.value.is_some() => definition.tags.expiry(fact.observed_at),
            _ => None,
        };
        let facts = self.layout.facts().iter().zip(&self.facts).filter_map(fact);
        let signals = self.layout.signals().iter().zip(&self.signals);
        let signals = signals.filter_map(|(definition, signal)| signal.next_expiry(definition));
        let parked = self.parked.iter().filter_map(Parked::expiry);
        facts.chain(signals).chain(parked).chain(self.recent.next_expiry(&self.layout)).min()
    }

    /// Drops what has expired at `now`, which is not before the latest arrival. No question asked at `now` or later has
    /// another answer than before: purging is no input, and no record knows of it. Says whether anything was dropped.
    pub fn purge(&mut self, now: Timestamp) -> bool {
        if self.next_expiry().is_none_or(|expiry| expiry > now) {
            return false;
        }
        for (definition, held) in self.layout.facts().iter().zip(&mut self.facts) {
            if let Some(Held::Told(Fact { value: Some(_), observed_at, .. })) = held
                && definition.tags.is_expired(*observed_at, now)
            {
                *held = Some(Held::Expired(*observed_at));
            }
        }
        for parked in &mut self.parked {
            if parked.expiry().is_some_and(|expiry| expiry <= now) {
                *parked = Parked::expired(parked.key, parked.observed_at);
            }
        }
        for (definition, signal) in self.layout.signals().iter().zip(&mut self.signals) {
            signal.purge(definition, now);
        }
        self.recent.purge(&self.layout, now);
        self.origin = None;
        true
    }

    /// Drops what the stored form holds and the layout does not know, of which it cannot be said when it expires. Says whether
    /// there was anything.
    pub fn drop_unknown(&mut self) -> bool {
        self.origin.take().is_some()
    }

    /// A test door: a state that is damaged in memory, so that no other layout can read it.
    #[cfg(test)]
    pub(crate) fn damaged(mut self) -> Self {
        let (key, source, observed_at) = (0, "".into(), self.last_arrival);
        let value = PackedValue::Value(u8::MAX >> 3, [].into());
        self.parked = [Parked { key, source, observed_at, retain: None, value }].into();
        self
    }

    /// The layout whose slots the state has.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// An estimate of the bytes the state holds.
    pub fn bytes(&self) -> usize {
        let value = |held: &Held| match held {
            Held::Told(fact) => fact.value.as_ref().map_or(0, Value::heap_bytes),
            Held::Expired(_) => 0,
        };
        let facts: usize = self.facts.iter().flatten().map(value).sum();
        let signals: usize = self.signals.iter().map(Signal::heap_bytes).sum();
        size_of::<Self>()
            + size_of_val(&*self.facts)
            + size_of_val(&*self.signals)
            + facts
            + signals
            + size_of_val(&*self.parked)
            + self.origin.as_ref().map_or(0, |origin| origin.len())
            + self.recent.heap_bytes()
            + self.ledger.heap_bytes()
            + self.consents.heap_bytes()
    }
}
