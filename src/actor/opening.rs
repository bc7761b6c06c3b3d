//! Opening the house: from what is on disk to where turns can be taken.

use std::sync::Arc;

use super::backlog::Backlog;
use super::cap_book::CapBook;
use super::customers::Start;
use super::house::{Foundations, House, InForce};
use super::record_terms::{RecordTerms, notices_of};
use super::recovery::{Recovered, Recovery};
use super::set_aside::Quarantine;
use super::shelf::{Shelf, record_bundle};
use super::tail::Tail;
use super::{Metrics, RecoveryError};
use crate::bundle::Bundle;
use crate::journal::{Checkpoint, Found, Journal, JournalError, Kind};
use crate::turn::RecordError;

/// A backlog of up to so many records is read and checked before anyone is served, so that damage in it is met before: no more than
/// checkpoints leave by default, a second or so.
const READ_FIRST_MAX: u64 = 2_000_000;

/// A house that was opened.
pub(super) struct Opened {
    pub(super) house: Arc<House>,
    pub(super) recovered: Recovered,
    /// What is to go on behind those who are served.
    pub(super) recovery: Option<Recovery>,
}

/// Notes the bundle in the journal and recovers the states, or finds out what is to be recovered. A house has nobody yet who does what
/// takes time.
pub(super) fn open_house(start: Start<'_>) -> Result<Opened, RecoveryError> {
    let Start { config, tenant, clock, journal, store, bundle, metrics, progress } = start;
    let shelf = Shelf::default();
    journal.describe_with(RecordTerms::with_shelf(journal.folder(), shelf.clone()))?;
    let checkpoint = store.last_checkpoint()?.unwrap_or_default();
    let last_seq = journal.last_seq();
    if checkpoint.seq > last_seq {
        return Err(RecoveryError::JournalBehind { store: checkpoint.seq, journal: last_seq });
    }
    let damaged = |e| JournalError::Store(format!("the accounts of global caps are not readable: {e}"));
    let caps = CapBook::restore(&checkpoint.caps).map_err(damaged)?;
    let damaged = |e| JournalError::Store(format!("the list of what is set aside is not readable: {e}"));
    let quarantine = Quarantine::restore(&checkpoint.set_aside, &metrics).map_err(damaged)?;
    let is_store_empty = checkpoint == Checkpoint::default() && store.is_empty()?;
    let tail = Tail::new(&journal, checkpoint.seq, last_seq)?;
    let mut bundle_seq = checkpoint.bundle_seq;
    // A long backlog is checked as it is recovered, if what must be known before that is found without reading it.
    let is_long = last_seq - checkpoint.seq > READ_FIRST_MAX;
    let notices = if is_long && journal.has_terms_from(checkpoint.seq + 1)? {
        notices_of(&journal, checkpoint.seq, last_seq)?
    } else {
        tail.notices(config.recovery_threads, &mut |seq| (progress.0)(seq, last_seq))?
    };
    for notice in notices {
        if notice.kind == Kind::Bundle {
            bundle_seq = notice.seq;
        } else {
            notice_set_aside(&notice, &quarantine, &metrics)?;
        }
    }
    let current = enter_bundle(&journal, &shelf, bundle, bundle_seq)?;
    let backlog = Backlog::new(checkpoint.seq, last_seq);
    let foundations =
        Foundations { config, tenant, clock, journal, store, metrics, current, shelf, caps, quarantine, backlog };
    let house = Arc::new(House::new(foundations));
    let mut recovery = Recovery::new(&house, tail, is_store_empty);
    let mut recovered = Recovered { records: 0, left: last_seq - checkpoint.seq, bundle_seq, last_seq };
    if recovered.left > house.config.recovery_ahead {
        house.metrics.recovery_left.set(recovered.left as i64);
        return Ok(Opened { house, recovered, recovery: Some(recovery) });
    }
    while recovery.step()? {
        (progress.0)(house.backlog.progress().done, last_seq);
    }
    if recovered.left > 0 || checkpoint == Checkpoint::default() {
        recovery.checkpoint(bundle_seq)?;
    }
    house.backlog.note_checkpoint();
    (recovered.records, recovered.left) = (house.backlog.progress().records, 0);
    Ok(Opened { house, recovered, recovery: None })
}

/// Applies the record of an input that was set aside, or released.
fn notice_set_aside(found: &Found, quarantine: &Quarantine, metrics: &Metrics) -> Result<(), RecoveryError> {
    let damaged = |error| RecoveryError::Record { seq: found.seq, error: RecordError::Damaged(error) };
    quarantine.recover(found, metrics).map_err(damaged)
}

/// Makes sure that the journal holds the bundle; returns it with its record. It is the one that was given that decides, not the
/// one that the journal holds: of a model the journal has what is known of it, and not the model.
pub(super) fn enter_bundle(
    journal: &Journal,
    shelf: &Shelf,
    bundle: Arc<Bundle>,
    last: u64,
) -> Result<InForce, RecoveryError> {
    // One that was lost to damage is written again.
    if last > 0 && journal.record_at(last)?.is_some() {
        let known = shelf.get(last, || journal.record_at(last))?;
        if known.id() == bundle.id() {
            // The one that was read back only knows what its models said; this one has them.
            shelf.put(last, Arc::clone(&bundle));
            return Ok(InForce::new(bundle, last));
        }
        shelf.rest(last, &known);
    }
    let seq = record_bundle(journal, &bundle)?;
    journal.wait_synced_blocking(seq)?;
    shelf.put(seq, Arc::clone(&bundle));
    Ok(InForce::new(bundle, seq))
}
