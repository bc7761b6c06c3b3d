//! One customer's state brought up to date with the journal: after a panic, and for whoever is asked for while recovery goes on.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::house::House;
use super::loading::LoadError;
use super::record_terms::records_of;
use crate::bundle::Bundle;
use crate::context::CustomerState;
use crate::domain::{CustomerId, Partition};
use crate::journal::{Found, Kind};
use crate::turn::{Record, apply};

/// The records of one customer that a stored state may lack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing {
    /// Up to here the store had everything before the state was read from it, so that whoever is not in it has no record until there.
    pub(super) after: u64,
    /// The last record to look at.
    pub(super) until: u64,
}

/// Applies to one customer's stored state what the journal has of the customer besides.
pub(super) fn catch_up(
    house: &House,
    state: &mut CustomerState,
    stored: Option<&[u8]>,
    (customer, partition): (&CustomerId, Partition),
    missing: Missing,
) -> Result<(), LoadError> {
    // What was appended before the state broke may still be on its way to the disk.
    house.journal.wait_synced_unless_full(missing.until)?;
    let after = state.last_seq.max(missing.after);
    let mut is_first = true;
    turns_of(house, (customer, partition), Missing { after, ..missing }, |seq, record, bundle| {
        if std::mem::take(&mut is_first) && !Arc::ptr_eq(bundle.layout(), state.layout()) {
            // As its next turn found it: what only a later bundle does not know is still there.
            *state = match stored {
                Some(bytes) => CustomerState::decode(bytes, bundle.layout())?,
                None => CustomerState::new(Arc::clone(bundle.layout())),
            };
        }
        Ok(apply(state, record, seq, bundle)?)
    })
}

/// Hands out a customer's turns in the journal, in order, found by the index of terms.
fn turns_of(
    house: &House,
    (customer, partition): (&CustomerId, Partition),
    Missing { after, until }: Missing,
    mut each: impl FnMut(u64, &Record, &Bundle) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    if after >= until {
        return Ok(());
    }
    let mut take = |found: &Found| {
        let (record, bundle) = Record::decode(&found.payload, |seq| house.bundle_at(seq).ok())?;
        if record.input.customer() == customer { each(found.seq, &record, &bundle) } else { Ok(()) }
    };
    let mut result = Ok(());
    records_of(&house.journal, (customer, partition), after + 1, &mut |found| {
        if found.seq > until {
            return ControlFlow::Break(());
        }
        if found.kind == Kind::Turn {
            result = take(&found);
        }
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    result
}
