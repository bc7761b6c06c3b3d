//! Facts that are held and have no place in the layout, for someone who looks at them.

use super::packed::Unpacker;
use super::state::{PackedValue, key_of};
use super::{CustomerState, kept};
use crate::domain::{Datum, Timestamp, Unavailable};

/// A fact that is kept for a bundle that declares it again, or types it so that it fits.
#[derive(Clone, Debug, PartialEq)]
pub struct ParkedFact<'a> {
    /// The fingerprint of its name, which is all that a state keeps of it.
    pub key: u32,
    /// What was told; `None` for one that was withdrawn.
    pub value: Result<Option<Datum>, Unavailable>,
    /// Who told it; nobody for one that has expired and is gone.
    pub source: Option<&'a str>,
    /// When they observed it.
    pub observed_at: Timestamp,
    /// Until when it may be kept, as the bundle under which it was told had it.
    pub retain_until: Option<Timestamp>,
}

impl ParkedFact<'_> {
    /// Whether it is the fact of this name.
    pub fn is_named(&self, name: &str) -> bool {
        self.key == key_of(name)
    }
}

impl CustomerState {
    /// The facts that the layout has no place for, as they are at a time.
    pub fn parked(&self, now: Timestamp) -> impl Iterator<Item = ParkedFact<'_>> {
        self.parked.iter().map(move |parked| {
            let retain_until = parked.retain.map(|retain| parked.observed_at.saturating_add(retain));
            let is_expired = retain_until.is_some_and(|until| until <= now);
            let value = match &parked.value {
                PackedValue::Withdrawn => Ok(None),
                PackedValue::Value(kind, bytes) if !is_expired => {
                    // What was packed can be unpacked.
                    let kept = kept::unpack(*kind, &mut Unpacker::new(bytes));
                    kept.map(|kept| Some(Datum::untyped(kept.raw()))).map_err(|_| Unavailable::Malformed)
                }
                PackedValue::Value(..) | PackedValue::Expired => Err(Unavailable::Expired),
            };
            let source = if parked.value == PackedValue::Expired { None } else { Some(&*parked.source) };
            ParkedFact { key: parked.key, value, source, observed_at: parked.observed_at, retain_until }
        })
    }
}
