//! Bringing states up to date with the journal: at start for everyone, after a panic for one customer.

use std::collections::HashMap;
use std::sync::Arc;

use super::cap_book::CapBook;
use super::house::House;
use super::loading::LoadError;
use super::set_aside::Quarantine;
use super::shelf::Shelf;
use super::{Metrics, RecoveryError, ShelfError};
use crate::bundle::Bundle;
use crate::context::CustomerState;
use crate::domain::{CustomerId, Partition, Timestamp};
use crate::journal::{Checkpoint, Found, Journal, Kind, StateStore, StateWrite};
use crate::turn::{Record, RecordError, apply};

/// States that recovery keeps in memory before it stores them.
const STATES_MAX: usize = 50_000;

/// A state that records are applied to.
struct Recovering {
    state: CustomerState,
    /// When the first of what the store has expires.
    stored_expiry: Option<Timestamp>,
}

/// What recovery found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Records applied to states.
    pub records: u64,
    /// Customers whose state changed.
    pub customers: u64,
    /// The record of the last bundle in the journal; 0 for none.
    pub bundle_seq: u64,
    /// The last record.
    pub last_seq: u64,
}

/// What a recovery works with.
pub(super) struct Recovery<'a> {
    pub(super) journal: &'a Journal,
    pub(super) store: &'a dyn StateStore,
    pub(super) shelf: &'a Shelf,
    /// The accounts of global caps as of the store's checkpoint.
    pub(super) caps: &'a CapBook,
    /// The time, for what has left the caps' windows.
    pub(super) now: Timestamp,
    /// What was set aside as of the store's checkpoint.
    pub(super) quarantine: &'a Quarantine,
    pub(super) metrics: &'a Metrics,
    /// Told how far it has come: the record, and the last one.
    pub(super) progress: &'a mut dyn FnMut(u64, u64),
}

impl Recovery<'_> {
    /// Applies every record after the store's checkpoint to the states in the store. Idempotent: a state remembers the last
    /// record in it.
    pub(super) fn run(mut self, checkpoint: &Checkpoint) -> Result<Recovered, RecoveryError> {
        let last_seq = self.journal.last_seq();
        if checkpoint.seq > last_seq {
            return Err(RecoveryError::JournalBehind { store: checkpoint.seq, journal: last_seq });
        }
        let mut recovered = Recovered { bundle_seq: checkpoint.bundle_seq, last_seq, ..Recovered::default() };
        let mut states = HashMap::new();
        let mut reader = self.journal.reader(checkpoint.seq + 1)?;
        let mut batch: Vec<Found> = Vec::new();
        loop {
            batch.clear();
            let is_more = reader.next_batch(|read| {
                let payload = read.frame.payload.to_vec();
                batch.push(Found { seq: read.seq, kind: read.frame.kind, payload });
            })?;
            for found in &batch {
                self.take(found, &mut states, &mut recovered)?;
                (self.progress)(found.seq, last_seq);
            }
            if states.len() > STATES_MAX {
                self.store_states(&mut states)?;
            }
            if !is_more {
                break;
            }
        }
        self.store_states(&mut states)?;
        self.caps.open();
        if recovered.records > 0 || *checkpoint == Checkpoint::default() {
            let (bundle_seq, caps) = (recovered.bundle_seq, self.caps.checkpoint(last_seq, self.now));
            let set_aside = self.quarantine.checkpoint(last_seq);
            self.store.checkpoint(&Checkpoint { seq: last_seq, bundle_seq, caps, set_aside })?;
        }
        Ok(recovered)
    }

    fn take(
        &mut self,
        found: &Found,
        states: &mut HashMap<CustomerId, Recovering>,
        recovered: &mut Recovered,
    ) -> Result<(), RecoveryError> {
        if found.kind == Kind::Bundle {
            recovered.bundle_seq = found.seq;
            return Ok(());
        }
        if found.kind == Kind::SetAside {
            let damaged = |error| RecoveryError::Record { seq: found.seq, error: RecordError::Damaged(error) };
            return self.quarantine.recover(found, self.metrics).map_err(damaged);
        }
        let (record, bundle) =
            read_record(found.seq, &found.payload, |seq| self.shelf.get(seq, || self.journal.record_at(seq)))?;
        // The accounts are as of the checkpoint, whatever a state may have been stored with since.
        self.caps.recover(record.cap_changes(&bundle));
        let customer = record.input.customer();
        if !states.contains_key(customer) {
            let layout = Arc::clone(bundle.layout());
            let state = match self.store.get(customer.as_str())? {
                Some(bytes) => CustomerState::decode(&bytes, &layout)?,
                None => CustomerState::new(layout),
            };
            let stored_expiry = state.next_expiry();
            states.insert(customer.clone(), Recovering { state, stored_expiry });
            recovered.customers += 1;
        }
        if let Some(Recovering { state, .. }) = states.get_mut(customer)
            && state.last_seq < found.seq
        {
            apply(state, &record, found.seq, &bundle)?;
            recovered.records += 1;
        }
        Ok(())
    }

    fn store_states(&self, states: &mut HashMap<CustomerId, Recovering>) -> Result<(), RecoveryError> {
        let written = |(customer, Recovering { state, stored_expiry }): (CustomerId, Recovering)| StateWrite {
            customer,
            bytes: state.encode().into(),
            expiry: state.next_expiry(),
            expiry_before: stored_expiry,
        };
        let mut encoded: Vec<StateWrite> = states.drain().map(written).collect();
        // In one order, so that a recovery that is interrupted can be repeated step by step.
        encoded.sort_unstable_by(|a, b| a.customer.cmp(&b.customer));
        for chunk in encoded.chunks(512) {
            self.store.put(chunk)?;
        }
        Ok(())
    }
}

/// Reads the record with a sequence.
pub(super) fn read_record(
    seq: u64,
    payload: &[u8],
    bundle_at: impl FnOnce(u64) -> Result<Arc<Bundle>, ShelfError>,
) -> Result<(Record, Arc<Bundle>), RecoveryError> {
    let mut failed = None;
    let decoded = Record::decode(payload, |seq| bundle_at(seq).map_err(|error| failed = Some(error)).ok());
    match (decoded, failed) {
        (_, Some(error)) => Err(RecoveryError::Shelf(error)),
        (Ok(read), None) => Ok(read),
        (Err(error), None) => Err(RecoveryError::Record { seq, error }),
    }
}

/// Applies to one customer's stored state what the journal has of the customer since. Up to `stored_seq` the store had
/// everything before the state was read from it, so that whoever is not in it has no record until there.
pub(super) fn catch_up(
    house: &House,
    state: &mut CustomerState,
    (customer, partition): (&CustomerId, Partition),
    stored_seq: u64,
) -> Result<(), LoadError> {
    // What was appended before the state broke may still be on its way to the disk.
    house.journal.wait_synced_unless_full(house.journal.last_seq())?;
    let mut reader = house.journal.reader(state.last_seq.max(stored_seq) + 1)?;
    let mut found = Vec::new();
    let mut is_more = true;
    while is_more {
        is_more = reader.next_batch(|read| {
            if read.frame.kind == Kind::Turn && read.frame.partition == partition.number() {
                found.push((read.seq, read.frame.payload.to_vec()));
            }
        })?;
        for (seq, payload) in found.drain(..) {
            let (record, bundle) = Record::decode(&payload, |seq| house.bundle_at(seq).ok())?;
            if record.input.customer() == customer && state.last_seq < seq {
                apply(state, &record, seq, &bundle)?;
            }
        }
    }
    Ok(())
}
