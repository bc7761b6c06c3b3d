//! A customer's state: what we were told, what we keep of what happened, what we did.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::consent::StoredConsents;
use super::ledger::StoredLedger;
use super::signal::StoredSignal;
use super::{Consents, FactDefinition, Freshness, Layout, Ledger, Signal, SignalDefinition, TypedEvent, codec};
use crate::domain::{Raw, Timestamp, Unavailable, Value};

/// Everything the engine holds about one customer. Only the customer's own turn changes it.
#[derive(Clone, Debug)]
pub struct CustomerState {
    layout: Arc<Layout>,
    /// The sequence of the last record that changed it; 0 before the first.
    pub last_seq: u64,
    /// The latest arrival; arrivals never go backwards for a customer.
    pub last_arrival: Timestamp,
    facts: Box<[Option<Fact>]>,
    signals: Box<[Signal]>,
    /// Facts that the layout does not declare, or types so that they do not fit: kept for a bundle that does again.
    parked: Vec<StoredFact>,
    /// Whether every signal knows since when it watches. A state that was just made or read learns it at its next turn, from
    /// the arrival, so that recovery finds the same.
    is_settled: bool,
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

/// Name, value, source, observed-at.
type StoredFact = (String, Raw, String, i64);

/// The stored form, version 1: a MessagePack array. Facts and signals go by name, so that another bundle can read them.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    last_seq: u64,
    last_arrival: i64,
    facts: Vec<StoredFact>,
    signals: Vec<(u64, StoredSignal)>,
    ledger: StoredLedger,
    #[serde(default)]
    consents: StoredConsents,
}

/// Why a stored state cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The bytes are not a state.
    #[error("a stored customer state is damaged: {0}")]
    Damaged(#[from] rmp_serde::decode::Error),
    /// Written by a newer release.
    #[error("a stored customer state has version {0}, this release reads version 1")]
    Newer(u8),
}

impl CustomerState {
    /// The state of a customer nobody has heard of.
    pub fn new(layout: Arc<Layout>) -> Self {
        let signals = layout.signals().iter().map(Signal::unsettled).collect();
        let facts = layout.facts().iter().map(|_| None).collect();
        Self {
            layout,
            last_seq: 0,
            last_arrival: Timestamp::from_micros(i64::MIN),
            facts,
            signals,
            parked: Vec::new(),
            is_settled: false,
            consents: Consents::default(),
            ledger: Ledger::default(),
        }
    }

    /// Makes the state one of this layout: facts by name, signals by meaning. A signal that is new, or means something new,
    /// begins to watch now. Free when nothing changed.
    pub fn conform(&mut self, layout: &Arc<Layout>, now: Timestamp) {
        if !Arc::ptr_eq(&self.layout, layout) {
            *self = Self::restore(self.store(), layout);
        }
        if !self.is_settled {
            self.signals.iter_mut().for_each(|signal| signal.settle(now));
            self.is_settled = true;
        }
    }

    /// Folds an event into the signals that watch its type.
    pub fn fold(&mut self, event: &TypedEvent, time: Timestamp) {
        let watching = self.layout.signals().iter().zip(&mut self.signals);
        for (definition, signal) in watching.filter(|(definition, _)| definition.event == event.kind) {
            signal.fold(definition, event, time);
        }
    }

    /// Sets or withdraws a fact, unless a later observation of it is held. Says whether it was taken.
    pub fn put_fact(&mut self, number: usize, fact: Fact) -> bool {
        let Some(held) = self.facts.get_mut(number) else { return false };
        let is_newer = held.as_ref().is_none_or(|held| held.observed_at <= fact.observed_at);
        if is_newer {
            *held = Some(fact);
            let name = &self.layout.facts()[number].field.name;
            self.parked.retain(|(parked, ..)| **parked != **name);
        }
        is_newer
    }

    /// The fact as it is held: fresh or not, withdrawn or not.
    pub fn held_fact(&self, number: usize) -> Option<&Fact> {
        self.facts.get(number)?.as_ref()
    }

    /// The value of a fact at a time, or why there is none.
    pub fn fact(&self, number: usize, now: Timestamp) -> Result<&Value, Unavailable> {
        let Some(FactDefinition { field, fresh, .. }) = self.layout.facts().get(number) else {
            return Err(Unavailable::Unknown);
        };
        let Some((observed_at, value)) =
            self.held_fact(number).and_then(|fact| Some((fact.observed_at, fact.value.as_ref()?)))
        else {
            return field.default.as_ref().ok_or(Unavailable::Unknown);
        };
        if Freshness::is_beyond(fresh.hard, observed_at, now) { Err(Unavailable::Stale) } else { Ok(value) }
    }

    /// Whether a fact is beyond its soft limit at a time: still used, and called stale.
    pub fn is_stale(&self, number: usize, now: Timestamp) -> bool {
        let (Some(definition), Some(fact)) = (self.layout.facts().get(number), self.held_fact(number)) else {
            return false;
        };
        let is_beyond = Freshness::is_beyond(definition.fresh.soft, fact.observed_at, now);
        is_beyond && fact.value.is_some() && self.fact(number, now).is_ok()
    }

    /// The value of a signal as of a time, or why there is none.
    pub fn signal(&self, number: usize, as_of: Timestamp) -> Result<Value, Unavailable> {
        match (self.layout.signals().get(number), self.signals.get(number)) {
            (Some(definition), Some(signal)) => signal.value(definition, as_of),
            _ => Err(Unavailable::Unknown),
        }
    }

    /// The layout whose slots the state has.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// An estimate of the bytes the state holds.
    pub fn bytes(&self) -> usize {
        let facts: usize = self.facts.iter().flatten().flat_map(|fact| &fact.value).map(Value::heap_bytes).sum();
        let signals: usize = self.signals.iter().map(Signal::heap_bytes).sum();
        size_of::<Self>()
            + size_of_val(&*self.facts)
            + size_of_val(&*self.signals)
            + facts
            + signals
            + self.parked.capacity() * size_of::<StoredFact>()
            + self.ledger.heap_bytes()
            + self.consents.heap_bytes()
    }

    // === on disk ===

    /// The state's stored form.
    pub fn encode(&self) -> Vec<u8> {
        // Writing into memory cannot fail, and every part has a stored form.
        rmp_serde::to_vec(&self.store()).unwrap_or_default()
    }

    /// Reads a stored state into a layout.
    pub fn decode(bytes: &[u8], layout: &Arc<Layout>) -> Result<Self, StateError> {
        let stored: Stored = rmp_serde::from_slice(bytes)?;
        if stored.version != 1 {
            return Err(StateError::Newer(stored.version));
        }
        Ok(Self::restore(stored, layout))
    }

    fn store(&self) -> Stored {
        let facts = self.layout.facts().iter().zip(&self.facts).filter_map(|(definition, fact)| {
            let fact = fact.as_ref()?;
            let raw = fact.value.as_ref().map_or(Raw::Null, |value| codec::to_raw(&definition.field.ty, value));
            Some((definition.field.name.to_string(), raw, fact.source.to_string(), fact.observed_at.micros()))
        });
        let signals = self.layout.signals().iter().zip(&self.signals);
        Stored {
            version: 1,
            last_seq: self.last_seq,
            last_arrival: self.last_arrival.micros(),
            facts: facts.chain(self.parked.iter().cloned()).collect(),
            signals: signals.map(|(definition, signal)| (definition.fingerprint, signal.store(definition))).collect(),
            ledger: self.ledger.store(),
            consents: self.consents.store(),
        }
    }

    fn restore(stored: Stored, layout: &Arc<Layout>) -> Self {
        let mut state = Self::new(Arc::clone(layout));
        state.last_seq = stored.last_seq;
        state.last_arrival = Timestamp::from_micros(stored.last_arrival);
        let mut source: Arc<str> = "".into();
        for (name, raw, from, observed_at) in stored.facts {
            let number = layout.fact_number(&name);
            let typed = match number {
                Some(_) if raw == Raw::Null => Some(None),
                Some(number) => layout.facts()[number].field.accept(raw.clone()).ok().flatten().map(Some),
                None => None,
            };
            let (Some(number), Some(value)) = (number, typed) else {
                state.parked.push((name, raw, from, observed_at));
                continue;
            };
            if *source != *from {
                source = from.into();
            }
            let fact = Fact { value, source: Arc::clone(&source), observed_at: Timestamp::from_micros(observed_at) };
            state.facts[number] = Some(fact);
        }
        let number_of =
            |fingerprint: u64| layout.signals().iter().position(|d: &SignalDefinition| d.fingerprint == fingerprint);
        for (fingerprint, signal) in stored.signals {
            if let Some(number) = number_of(fingerprint) {
                state.signals[number] = Signal::restore(&layout.signals()[number], signal);
            }
        }
        state.ledger = Ledger::restore(stored.ledger);
        state.consents = Consents::restore(stored.consents);
        state
    }
}
