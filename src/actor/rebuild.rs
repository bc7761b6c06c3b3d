//! States in the making: what recovery holds of one partition's customers, from the store and the records after it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::RecoveryError;
use super::backlog::Backlog;
use super::recovery::read_record;
use super::shelf::Shelf;
use crate::bundle::Bundle;
use crate::context::CustomerState;
use crate::domain::{CustomerId, Partition, Timestamp};
use crate::journal::{Journal, JournalError, StateStore, StateWrite};
use crate::sync::thread;
use crate::turn::{CapChange, Record, apply};

/// Records that are decoded before they are applied: so that the states that they need are read from the store in its order.
const CHUNK: usize = 1_024;

/// States that are stored in one go. So long may a customer of the partition who is asked for meanwhile wait.
const STORED_AT_ONCE: usize = 128;

/// What a state takes beside itself: its place in the map, and the customer's name.
const PIECE_BYTES: usize = size_of::<(CustomerId, Piece)>() - size_of::<CustomerState>() + 64;

/// Whether a partition is seen to in this pass over the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// Its records are applied.
    This,
    /// There is no room for its states: a later pass sees to it.
    Later,
    /// Its states are stored.
    Over,
}

/// One partition's states.
#[derive(Debug)]
pub(super) struct Rebuild {
    partition: Partition,
    pass: Pass,
    /// Records that were applied to its states.
    records: u64,
    states: HashMap<CustomerId, Piece, foldhash::fast::RandomState>,
    bytes: usize,
    /// Whether the store may have states of customers who are not among these.
    is_store_asked: bool,
}

/// A state that records are applied to.
#[derive(Debug)]
struct Piece {
    state: CustomerState,
    /// When the first of what the store has expires.
    stored_expiry: Option<Timestamp>,
    bytes: usize,
    has_changed: bool,
}

/// What recovery works with.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) journal: &'a Journal,
    pub(super) store: &'a dyn StateStore,
    pub(super) shelf: &'a Shelf,
    pub(super) backlog: &'a Backlog,
    /// Bytes that the states of one partition may take.
    pub(super) bytes_max: usize,
    /// Whether a store that does not answer, or has no room, is waited for.
    pub(super) is_patient: bool,
}

/// How long recovery waits before it asks a store again that did not answer.
const PAUSE: Duration = Duration::from_secs(1);

impl Ground<'_> {
    /// Asks the store until it answers, if there is time for that. What is asked twice comes to the same as once.
    fn patiently<T>(&self, mut ask: impl FnMut() -> Result<T, JournalError>) -> Result<T, RecoveryError> {
        let mut is_told = false;
        loop {
            match ask() {
                Err(error @ JournalError::Store(_)) if self.is_patient => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::error!(%error, "recovery waits for the store of states; nothing is lost");
                    }
                    if self.backlog.is_abandoned() {
                        return Err(RecoveryError::Abandoned);
                    }
                    thread::sleep(PAUSE);
                }
                result => return Ok(result?),
            }
        }
    }
}

/// What a partition's records came to.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// What they change in the accounts of global caps.
    pub(super) cap_changes: Vec<(u64, CapChange)>,
}

type Decoded = (u64, Record, Arc<Bundle>);

impl Rebuild {
    pub(super) fn new(partition: Partition, is_store_empty: bool) -> Self {
        let states = HashMap::default();
        Self { partition, pass: Pass::This, records: 0, states, bytes: 0, is_store_asked: !is_store_empty }
    }

    pub(super) fn pass(&self) -> Pass {
        self.pass
    }

    /// What its states take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Leaves it for a later pass: what was made of its states is made again.
    pub(super) fn put_off(&mut self) {
        (self.pass, self.records, self.bytes) = (Pass::Later, 0, 0);
        self.states = HashMap::default();
    }

    /// Sees to it in the pass that begins.
    pub(super) fn take_up(&mut self) {
        self.pass = Pass::This;
    }

    /// What turns of the partition's customers change in the accounts of global caps, and nothing else of them.
    pub(super) fn look<'t>(
        &self,
        turns: impl Iterator<Item = (u64, &'t [u8])>,
        ground: Ground<'_>,
    ) -> Result<Applied, RecoveryError> {
        let (mut applied, mut bundle) = (Applied::default(), None);
        for (seq, payload) in turns {
            let (record, of) = read_record(seq, payload, |of| bundle_at(of, &mut bundle, ground))?;
            applied.cap_changes.extend(record.cap_changes(&of).map(|change| (seq, change)));
        }
        Ok(applied)
    }

    pub(super) fn partition(&self) -> Partition {
        self.partition
    }

    /// Applies turns of the partition's customers to their states, in order.
    pub(super) fn take<'t>(
        &mut self,
        turns: impl Iterator<Item = (u64, &'t [u8])>,
        ground: Ground<'_>,
    ) -> Result<Applied, RecoveryError> {
        let (mut applied, mut turns) = (Applied::default(), turns.peekable());
        let mut bundle: Option<(u64, Arc<Bundle>)> = None;
        let mut decoded: Vec<Decoded> = Vec::new();
        while turns.peek().is_some() {
            decoded.clear();
            for (seq, payload) in turns.by_ref().take(CHUNK) {
                let (record, of) = read_record(seq, payload, |of| bundle_at(of, &mut bundle, ground))?;
                applied.cap_changes.extend(record.cap_changes(&of).map(|change| (seq, change)));
                decoded.push((seq, record, of));
            }
            self.bring_in(&decoded, ground)?;
            self.apply(&decoded)?;
            if self.bytes > ground.bytes_max {
                self.thin_out(ground)?;
            }
        }
        Ok(applied)
    }

    /// Reads the states from the store that records need, in the store's order.
    fn bring_in(&mut self, decoded: &[Decoded], ground: Ground<'_>) -> Result<(), RecoveryError> {
        let customers = decoded.iter().enumerate().map(|(nth, (_, record, _))| (record.input.customer(), nth));
        let missing = customers.filter(|(customer, _)| !self.states.contains_key(*customer));
        let mut missing: Vec<(CustomerId, usize)> = missing.map(|(customer, nth)| (customer.clone(), nth)).collect();
        missing.sort_unstable();
        missing.dedup_by(|(later, _), (first, _)| later == first);
        ground.backlog.retain_sleeping(self.partition, &mut missing);
        for (customer, nth) in missing {
            // The first record that is missing from the state gives the layout.
            let layout = Arc::clone(decoded[nth].2.layout());
            let ask = || ground.patiently(|| ground.store.get(customer.as_str()));
            let stored = if self.is_store_asked { ask()? } else { None };
            let state = match stored {
                Some(bytes) => CustomerState::decode(&bytes, &layout)?,
                None => CustomerState::new(layout),
            };
            let stored_expiry = state.next_expiry();
            self.states.insert(customer, Piece { state, stored_expiry, bytes: 0, has_changed: false });
        }
        Ok(())
    }

    fn apply(&mut self, decoded: &[Decoded]) -> Result<(), RecoveryError> {
        for (seq, record, bundle) in decoded {
            // Who is awake sees to their own records.
            let Some(piece) = self.states.get_mut(record.input.customer()) else { continue };
            if piece.state.last_seq < *seq {
                apply(&mut piece.state, record, *seq, bundle)?;
                piece.has_changed = true;
                self.records += 1;
            }
            let bytes = PIECE_BYTES + piece.state.bytes();
            self.bytes = self.bytes - piece.bytes + bytes;
            piece.bytes = bytes;
        }
        Ok(())
    }

    /// Stores those whose last record lies back the furthest, half of all, and lets go of them.
    fn thin_out(&mut self, ground: Ground<'_>) -> Result<(), RecoveryError> {
        let mut lasts: Vec<u64> = self.states.values().map(|piece| piece.state.last_seq).collect();
        let middle = lasts.len() / 2;
        let (_, middle, _) = lasts.select_nth_unstable(middle);
        let middle = *middle;
        self.let_go(ground, |piece| piece.state.last_seq <= middle)
    }

    /// Stores everyone who is not awake; the partition is done with. Returns how many records were applied.
    pub(super) fn finish(&mut self, ground: Ground<'_>) -> Result<u64, RecoveryError> {
        self.let_go(ground, |_| true)?;
        ground.backlog.close(self.partition);
        self.pass = Pass::Over;
        Ok(self.records)
    }

    fn let_go(&mut self, ground: Ground<'_>, is_gone: impl Fn(&Piece) -> bool) -> Result<(), RecoveryError> {
        let mut going: Vec<(CustomerId, Piece)> = self.states.extract_if(|_, piece| is_gone(piece)).collect();
        self.bytes -= going.iter().map(|(_, piece)| piece.bytes).sum::<usize>();
        going.retain(|(_, piece)| piece.has_changed);
        // In one order, the store's.
        going.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.is_store_asked = true;
        for chunk in going.chunks(STORED_AT_ONCE) {
            // What is let go of and not stored is lost to whoever would go on.
            if ground.backlog.is_abandoned() {
                return Err(RecoveryError::Abandoned);
            }
            let written = |(customer, piece): &(CustomerId, Piece)| StateWrite {
                customer: customer.clone(),
                bytes: piece.state.encode().into(),
                expiry: piece.state.next_expiry(),
                expiry_before: piece.stored_expiry,
            };
            let states: Vec<StateWrite> = chunk.iter().map(written).collect();
            ground.patiently(|| ground.backlog.store_sleeping(self.partition, ground.store, states.clone()))?;
        }
        Ok(())
    }
}

/// The bundle of a record; one record after the other names the same.
fn bundle_at(
    seq: u64,
    last: &mut Option<(u64, Arc<Bundle>)>,
    ground: Ground<'_>,
) -> Result<Arc<Bundle>, super::ShelfError> {
    if let Some((known, bundle)) = last
        && *known == seq
    {
        return Ok(Arc::clone(bundle));
    }
    let bundle = ground.shelf.get(seq, || ground.journal.record_at(seq))?;
    *last = Some((seq, Arc::clone(&bundle)));
    Ok(bundle)
}

impl std::fmt::Debug for Ground<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ground").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}
