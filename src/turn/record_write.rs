//! Writing records.

use serde::ser::{SerializeMap, SerializeTuple};
use serde::{Serialize, Serializer};

use super::record::{KIND_EVENT, KIND_FACTS, RECORD_VERSION, SEMANTICS_VERSION};
use super::{EventInput, Input, Made, Run, Turn};
use crate::context::Compact;
use crate::decider::Seen;
use crate::domain::{FallbackReason, Raw, TenantId, Timestamp, Value};

/// Reusable memory for writing records. Keep one per thread.
#[derive(Debug, Default)]
pub struct RecordBuffer {
    personal: Vec<u8>,
    record: Vec<u8>,
}

/// What a record is written from.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// Whose engine this is.
    pub tenant: &'a TenantId,
    /// The sequence of the bundle's record.
    pub bundle_seq: u64,
    /// The input.
    pub input: &'a Input,
    /// The turn that was taken on it.
    pub turn: &'a Turn,
}

impl RecordBuffer {
    /// Writes a record into the buffer and returns its bytes.
    pub fn write(&mut self, written: Written<'_>) -> &[u8] {
        self.personal.clear();
        self.record.clear();
        let personal = Personal { input: written.input, turn: written.turn };
        let personal = personal.serialize(&mut rmp_serde::Serializer::new(&mut self.personal));
        let record = Outer { written, personal: &self.personal };
        let record = record.serialize(&mut rmp_serde::Serializer::new(&mut self.record));
        // Writing into memory cannot fail: every part has a MessagePack form of known length.
        debug_assert!(personal.is_ok() && record.is_ok(), "{personal:?} {record:?}");
        &self.record
    }
}

struct Outer<'a> {
    written: Written<'a>,
    personal: &'a [u8],
}

impl Serialize for Outer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Written { tenant, bundle_seq, turn, .. } = self.written;
        let head = |made: &Made| {
            let decided = &made.decided;
            (made.playbook, decided.tier.code(), decided.rule, decided.fallback.map(FallbackReason::code))
        };
        let mut record = serializer.serialize_tuple(8)?;
        record.serialize_element(&RECORD_VERSION)?;
        record.serialize_element(tenant)?;
        record.serialize_element(&bundle_seq)?;
        record.serialize_element(&SEMANTICS_VERSION)?;
        record.serialize_element(&turn.arrival.micros())?;
        record.serialize_element(&Sequence(turn.decisions.iter().map(head)))?;
        record.serialize_element(&0_u64)?;
        record.serialize_element(&Bytes(self.personal))?;
        record.end()
    }
}

struct Personal<'a> {
    input: &'a Input,
    turn: &'a Turn,
}

impl Serialize for Personal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.input {
            Input::Event(input) => self.event(input, serializer),
            Input::Facts(input) => {
                let mut tuple = serializer.serialize_tuple(5)?;
                tuple.serialize_element(&KIND_FACTS)?;
                tuple.serialize_element(&input.customer)?;
                tuple.serialize_element(&*input.source)?;
                tuple.serialize_element(&input.observed_at.micros())?;
                tuple.serialize_element(&Sequence(input.facts.iter().map(FactPair)))?;
                tuple.end()
            }
        }
    }
}

impl Personal<'_> {
    fn event<S: Serializer>(&self, input: &EventInput, serializer: S) -> Result<S::Ok, S::Error> {
        let event = &input.event;
        let run = match input.run {
            Run::Playbook(number) => Some(number),
            Run::Subscribed => None,
        };
        let mut tuple = serializer.serialize_tuple(12)?;
        tuple.serialize_element(&KIND_EVENT)?;
        tuple.serialize_element(&event.customer)?;
        tuple.serialize_element(event.key.source())?;
        tuple.serialize_element(event.key.id())?;
        tuple.serialize_element(&event.kind)?;
        tuple.serialize_element(&event.body)?;
        tuple.serialize_element(&event.time.map(Timestamp::micros))?;
        tuple.serialize_element(&input.trace.as_ref().map(|trace| Bytes(trace)))?;
        tuple.serialize_element(&run)?;
        tuple.serialize_element(&Sequence(event.attributes.iter().map(|value| value.as_ref().map(Compact))))?;
        tuple.serialize_element(&Undeclared(&event.undeclared))?;
        tuple.serialize_element(&Sequence(self.turn.decisions.iter().map(DecisionPair)))?;
        tuple.end()
    }
}

/// The outcome's values and the values seen.
struct DecisionPair<'a>(&'a Made);

impl Serialize for DecisionPair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(2)?;
        tuple.serialize_element(&Sequence(self.0.decided.outcome.get().values().iter().map(Compact)))?;
        tuple.serialize_element(&Sequence(self.0.seen.iter().map(SeenValue)))?;
        tuple.end()
    }
}

struct FactPair<'a>(&'a (usize, Option<Value>));

impl Serialize for FactPair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0.0, self.0.1.as_ref().map(Compact)).serialize(serializer)
    }
}

struct SeenValue<'a>(&'a Seen);

impl Serialize for SeenValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Ok(value) => Compact(value).serialize(serializer),
            Err(reason) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(&0_u8, &reason.code())?;
                map.end()
            }
        }
    }
}

/// A map, or nil where there is nothing.
struct Undeclared<'a>(&'a [(String, Raw)]);

impl Serialize for Undeclared<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_empty() {
            return serializer.serialize_none();
        }
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// An array from an iterator.
struct Sequence<I>(I);

impl<I: ExactSizeIterator + Clone> Serialize for Sequence<I>
where
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}
