//! Stored states of version 1: a MessagePack array with names. Read for ever, written no more.

use std::sync::Arc;

use serde::Deserialize;

use super::content::Content;
use super::distinct::Values;
use super::ledger::StoredLedger;
use super::packed::Packer;
use super::state::{Held, PackedValue, Parked, key_of};
use super::{CustomerState, Fact, Layout, Ledger, Signal, SignalDefinition, StateError, kept};
use crate::domain::{Raw, Timestamp, Value};

/// Name, value, source, observed-at.
type StoredFact = (String, Raw, String, i64);

#[derive(Deserialize)]
struct Stored {
    _version: u8,
    last_seq: u64,
    last_arrival: i64,
    facts: Vec<StoredFact>,
    signals: Vec<(u64, StoredSignal)>,
    ledger: StoredLedger,
}

#[derive(Deserialize)]
struct StoredSignal {
    since: i64,
    totals: Vec<(i64, i64)>,
    last: Option<(i64, Raw)>,
    values: Vec<(i64, u64)>,
    dropped_at: Option<i64>,
}

/// Reads a state of version 1 into a layout.
pub(super) fn read(bytes: &[u8], layout: &Arc<Layout>) -> Result<CustomerState, StateError> {
    let stored: Stored = rmp_serde::from_slice(bytes)?;
    let mut state = CustomerState::new(Arc::clone(layout));
    state.last_seq = stored.last_seq;
    state.last_arrival = Timestamp::from_micros(stored.last_arrival);
    let mut parked = Vec::new();
    for (name, raw, source, observed_at) in stored.facts {
        let observed_at = Timestamp::from_micros(observed_at);
        let number = layout.fact_number(&name);
        let typed = match number {
            Some(_) if raw == Raw::Null => Some(None),
            Some(number) => layout.facts()[number].field.accept(raw.clone()).ok().flatten().map(Some),
            None => None,
        };
        match (number, typed) {
            (Some(number), Some(value)) => {
                state.hold(number, Held::Told(Fact { value, source: source.into(), observed_at }));
            }
            _ => parked.push(Parked {
                key: key_of(&name),
                source: source.into(),
                observed_at,
                retain: None,
                value: packed(&raw),
            }),
        }
    }
    state.parked = parked.into();
    for (fingerprint, signal) in stored.signals {
        let mut is_known = false;
        for (at, definition) in layout.signals().iter().enumerate() {
            if definition.fingerprint == fingerprint {
                state.signals[at] = restored(definition, &signal);
                is_known = true;
            }
        }
        if !is_known {
            state.origin = Some(bytes.into());
        }
    }
    state.ledger = Ledger::restore(stored.ledger);
    Ok(state)
}

/// A value of which only the form is known, as a stored state keeps it.
fn packed(raw: &Raw) -> PackedValue {
    let value = match raw {
        Raw::Bool(v) => Value::Bool(*v),
        Raw::Int(v) => Value::Int(*v),
        Raw::Decimal(v) => Value::Decimal(*v),
        Raw::Text(v) => Value::Text(v.as_str().into()),
        // Version 1 has nothing else: its lists are of these, and a list of lists has no type.
        Raw::List(items) => Value::List(
            items
                .iter()
                .filter_map(|item| match item {
                    Raw::Bool(v) => Some(Value::Bool(*v)),
                    Raw::Int(v) => Some(Value::Int(*v)),
                    Raw::Text(v) => Some(Value::Text(v.as_str().into())),
                    _ => None,
                })
                .collect(),
        ),
        Raw::Null | Raw::Float(_) | Raw::Map(_) => return PackedValue::Withdrawn,
    };
    let mut packer = Packer::default();
    // Texts are packed as they are; no other kind looks at the type.
    kept::pack(&value, &crate::domain::Type::Text, &mut packer);
    PackedValue::Value(kept::kind(&value), packer.into_bytes().into())
}

fn restored(definition: &SignalDefinition, stored: &StoredSignal) -> Signal {
    let mut signal = Signal::new(definition, Timestamp::from_micros(stored.since));
    match &mut signal.content {
        Content::Totals(totals) => totals.extend(stored.totals.iter().copied()),
        Content::Last(last) => {
            let value = stored.last.as_ref().and_then(|(at, raw)| Some((*at, definition.ty.accept(raw.clone()).ok()?)));
            *last = value.map(|(at, value)| Box::new((Timestamp::from_micros(at), value)));
        }
        Content::Values(values) if !stored.values.is_empty() => {
            let seen = stored.values.iter().copied().collect();
            *values = Some(Box::new(Values { seen, dropped_at: stored.dropped_at }));
        }
        // What version 1 did not have.
        Content::Values(_) | Content::Means(_) | Content::Latest(_) | Content::Groups(_) => {}
    }
    signal
}
