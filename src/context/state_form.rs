//! A customer's state on disk and at rest, version 2.
//!
//! ```text
//! state    = 2, last record, last arrival, part*
//! part     = number, length, bytes           an empty part is not there; parts ascend
//! facts    = [key, kind and marks, (retain), (source, observed at), value]*
//! signals  = [key, marks, (beginning), (length, contents)]*
//! ledger   = tallies, entries
//! consents, commitments, pace: MessagePack
//! recent   = [key, arrival, time, fingerprint, values]*
//! ```
//!
//! Numbers have seven bits a byte, times are relative to the last arrival, and keys are fingerprints of names or meanings, so
//! that another bundle finds what it knows; values carry their kind, members of an enumeration their name. A new part gets
//! the next number; a release that does not know it refuses the state instead of losing it.

use std::sync::Arc;

use serde::Serialize;

use super::packed::{Packer, TORN, Unpacker};
use super::recent::Recent;
use super::state::{Held, PackedValue, Parked};
use super::{
    Commitments, Consents, CustomerState, Fact, Layout, Pace, StateError, kept, ledger_form, signal_form, state_v1,
};
use crate::domain::{TimeDelta, Timestamp};

/// The version that is written. Version 1 began with a MessagePack array.
const VERSION: u8 = 2;
const ARRAY_OF_V1: u8 = 0x96;

const FACTS: u8 = 1;
const SIGNALS: u8 = 2;
const LEDGER: u8 = 3;
const CONSENTS: u8 = 4;
const COMMITMENTS: u8 = 5;
const RECENT: u8 = 6;
const PACE: u8 = 7;

/// Kinds beyond those of values.
const WITHDRAWN: u8 = kept::KINDS;
const EXPIRED: u8 = kept::KINDS + 1;
const KIND: u8 = 0x1F;
/// How long it is kept follows: for bundles that do not know it.
const RETAINED: u8 = 0x20;
/// Source and time are those of the fact before it.
const SAME_SOURCE: u8 = 0x40;

impl CustomerState {
    /// The last record in a stored state, if its form is one that this release writes.
    pub fn last_record_in(bytes: &[u8]) -> Option<u64> {
        let mut from = Unpacker::new(bytes.strip_prefix(&[VERSION])?);
        from.number().ok()
    }

    /// The state's stored form; of one that no turn has changed since it was read, with all that it was read from.
    pub fn encode(&self) -> Vec<u8> {
        if let Some(origin) = &self.origin {
            return origin.to_vec();
        }
        let mut packer = Packer::with_room(256);
        let near = self.last_arrival;
        packer.byte(VERSION);
        packer.number(self.last_seq);
        packer.signed(near.micros());
        packer.part(FACTS, |into| self.pack_facts(into));
        packer.part(SIGNALS, |into| signal_form::pack(&self.signals, self.layout.signals(), near, into));
        packer.part(LEDGER, |into| ledger_form::pack(&self.ledger, near, into));
        packer.part(CONSENTS, |into| pack_rare(self.consents.store().as_ref(), into));
        packer.part(COMMITMENTS, |into| pack_rare(self.ledger.commitments.store().as_ref(), into));
        packer.part(RECENT, |into| self.recent.pack(&self.layout, near, into));
        packer.part(PACE, |into| pack_rare(self.ledger.pace.store().as_ref(), into));
        packer.into_bytes()
    }

    /// Reads a stored state, of this version or an older one, into a layout.
    pub fn decode(bytes: &[u8], layout: &Arc<Layout>) -> Result<Self, StateError> {
        match bytes.first() {
            Some(&VERSION) => {}
            Some(&ARRAY_OF_V1) => return state_v1::read(bytes, layout),
            Some(&version) => return Err(StateError::Newer(version)),
            None => return Err(TORN),
        }
        let mut from = Unpacker::new(&bytes[1..]);
        let mut state = Self::new(Arc::clone(layout));
        state.last_seq = from.number()?;
        state.last_arrival = Timestamp::from_micros(from.signed()?);
        let near = state.last_arrival;
        let (mut commitments, mut pace) = (Commitments::default(), Pace::default());
        let mut is_whole = true;
        while !from.is_empty() {
            let (part, mut inner) = from.part()?;
            match part {
                FACTS => state.unpack_facts(inner)?,
                SIGNALS => is_whole &= signal_form::unpack(&mut state.signals, layout.signals(), near, inner)?,
                LEDGER => state.ledger = ledger_form::unpack(near, &mut inner)?,
                CONSENTS => state.consents = Consents::restore(rmp_serde::from_slice(inner.rest())?),
                COMMITMENTS => commitments = Commitments::restore(rmp_serde::from_slice(inner.rest())?),
                RECENT => {
                    let (recent, is_all) = Recent::unpack(layout, near, &mut inner)?;
                    state.recent = recent;
                    is_whole &= is_all;
                }
                PACE => pace = Pace::restore(rmp_serde::from_slice(inner.rest())?),
                part => return Err(StateError::Part(part)),
            }
        }
        (state.ledger.commitments, state.ledger.pace) = (commitments, pace);
        state.origin = (!is_whole).then(|| bytes.into());
        Ok(state)
    }

    fn pack_facts(&self, into: &mut Packer) {
        let mut sources = Sources { known: Vec::new(), before: None, near: self.last_arrival };
        let keys = self.layout.fact_keys();
        for ((definition, held), key) in self.layout.facts().iter().zip(&self.facts).zip(keys) {
            let Some(held) = held else { continue };
            into.fixed(&key.to_le_bytes());
            match held {
                Held::Expired(at) => pack_expired(*at, self.last_arrival, into),
                Held::Told(fact) => {
                    let kind = fact.value.as_ref().map_or(WITHDRAWN, kept::kind);
                    sources.pack_head(kind, definition.tags.retain, &fact.source, fact.observed_at, into);
                    if let Some(value) = &fact.value {
                        kept::pack(value, &definition.field.ty, into);
                    }
                }
            }
        }
        for Parked { key, source, observed_at, retain, value } in &self.parked {
            into.fixed(&key.to_le_bytes());
            match value {
                PackedValue::Expired => pack_expired(*observed_at, self.last_arrival, into),
                PackedValue::Withdrawn => sources.pack_head(WITHDRAWN, *retain, source, *observed_at, into),
                PackedValue::Value(kind, bytes) => {
                    sources.pack_head(*kind, *retain, source, *observed_at, into);
                    into.fixed(bytes);
                }
            }
        }
    }

    fn unpack_facts(&mut self, mut from: Unpacker<'_>) -> Result<(), StateError> {
        let near = self.last_arrival;
        let layout = Arc::clone(&self.layout);
        let (mut sources, mut before): (Vec<Arc<str>>, _) = (Vec::new(), None);
        let mut parked = Vec::new();
        let mut next = 0;
        while !from.is_empty() {
            let key = u32::from_le_bytes(from.fixed()?);
            let head = from.byte()?;
            let kind = head & KIND;
            // Facts stand in the order of the layout that they were written under; usually it is this one.
            let keys = layout.fact_keys();
            let in_order = (next..keys.len()).find(|number| keys[*number] == key);
            let number = in_order.or_else(|| keys.iter().position(|known| *known == key));
            next = number.map_or(next, |number| number + 1);
            if kind == EXPIRED {
                let at = Timestamp::from_micros(from.since(near.micros())?);
                match number {
                    Some(number) => self.hold(number, Held::Expired(at)),
                    None => parked.push(Parked::expired(key, at)),
                }
                continue;
            }
            let retain = match head & RETAINED {
                0 => None,
                _ => Some(TimeDelta::from_micros(from.signed()?)),
            };
            if head & SAME_SOURCE == 0 {
                before = Some(unpack_source(&mut sources, near, &mut from)?);
            }
            let (source, observed_at) = before.clone().ok_or(TORN)?;
            let start = from.rest();
            let kept = if kind == WITHDRAWN { None } else { Some(kept::unpack(kind, &mut from)?) };
            let typed = number.and_then(|number| match &kept {
                None => Some((number, None)),
                Some(kept) => kept.accept(&layout.facts()[number].field).map(|value| (number, Some(value))),
            });
            match typed {
                Some((number, value)) => self.hold(number, Held::Told(Fact { value, source, observed_at })),
                None => {
                    let bytes = &start[..start.len() - from.rest().len()];
                    let value = kept.map_or(PackedValue::Withdrawn, |_| PackedValue::Value(kind, bytes.into()));
                    parked.push(Parked { key, source, observed_at, retain, value });
                }
            }
        }
        self.parked = parked.into();
        Ok(())
    }
}

/// Packs what most customers have nothing of: as MessagePack.
fn pack_rare(stored: Option<&impl Serialize>, into: &mut Packer) {
    if let Some(stored) = stored {
        // Writing into memory cannot fail.
        into.fixed(&rmp_serde::to_vec(stored).unwrap_or_default());
    }
}

fn pack_expired(at: Timestamp, near: Timestamp, into: &mut Packer) {
    into.byte(EXPIRED);
    into.since(at.micros(), near.micros());
}

/// Sources of facts by number: each text is written once.
struct Sources<'a> {
    known: Vec<&'a str>,
    before: Option<(&'a str, Timestamp)>,
    near: Timestamp,
}

impl<'a> Sources<'a> {
    fn pack_head(
        &mut self,
        kind: u8,
        retain: Option<TimeDelta>,
        source: &'a str,
        observed_at: Timestamp,
        into: &mut Packer,
    ) {
        let is_same = self.before == Some((source, observed_at));
        into.byte(kind | if retain.is_some() { RETAINED } else { 0 } | if is_same { SAME_SOURCE } else { 0 });
        if let Some(retain) = retain {
            into.signed(retain.micros());
        }
        if is_same {
            return;
        }
        self.before = Some((source, observed_at));
        let number = self.known.iter().position(|known| *known == source);
        into.number(number.unwrap_or(self.known.len()) as u64);
        if number.is_none() {
            into.text(source);
            self.known.push(source);
        }
        into.since(observed_at.micros(), self.near.micros());
    }
}

fn unpack_source(
    sources: &mut Vec<Arc<str>>,
    near: Timestamp,
    from: &mut Unpacker<'_>,
) -> Result<(Arc<str>, Timestamp), StateError> {
    let number = usize::try_from(from.number()?).map_err(|_| TORN)?;
    if number == sources.len() {
        sources.push(from.text()?.into());
    }
    let source = sources.get(number).ok_or(TORN)?;
    Ok((Arc::clone(source), Timestamp::from_micros(from.since(near.micros())?)))
}
