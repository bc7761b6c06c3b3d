//! What the journal has of one customer, a stretch at a time.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::record_terms::records_of;
use super::recovery::read_record;
use super::set_aside::set_aside_of;
use super::{Customers, RecoveryError, SetAsideInput, ShelfError};
use crate::bundle::Bundle;
use crate::domain::{CustomerId, Partition};
use crate::journal::{Found, Kind};
use crate::turn::{Record, RecordError};

/// A stretch of one customer's records.
#[derive(Clone, Debug)]
pub struct History {
    /// The customer's records in it, in order.
    pub records: Vec<Recorded>,
    /// The record of the journal up to which it has them all.
    pub until: u64,
    /// Where the next stretch begins; `None` at the journal's end.
    pub next: Option<u64>,
}

/// A record of the journal.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its sequence.
    pub seq: u64,
    /// What it holds.
    pub what: RecordedWhat,
}

/// What the journal has of a customer.
#[derive(Clone, Debug)]
pub enum RecordedWhat {
    /// A turn that was taken, and the bundle it was taken under.
    Turn(Record, Arc<Bundle>),
    /// An input that was set aside.
    SetAside(SetAsideInput),
}

/// How long a stretch is at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The customer's records in it.
    pub records: usize,
    /// Their bytes in the journal. One record is given, however large.
    pub bytes: usize,
}

impl RecordedWhat {
    /// Whom it is about.
    pub fn customer(&self) -> &CustomerId {
        match self {
            Self::Turn(record, _) => record.input.customer(),
            Self::SetAside(input) => &input.aside.customer,
        }
    }
}

impl Customers {
    /// A customer's records on disk, from a sequence on. Reads the index of terms and those records.
    pub fn history(&self, customer: &CustomerId, from: u64, stretch: Stretch) -> Result<History, RecoveryError> {
        let house = self.house();
        let partition = Partition::of(&house.tenant, customer.as_str());
        let synced = house.journal.synced_seq();
        let mut history = History { records: Vec::new(), until: synced.max(from.saturating_sub(1)), next: None };
        let (mut bytes, mut failed) = (0, None);
        records_of(&house.journal, (customer, partition), from, &mut |found| {
            let what = match read(&found, |seq| house.bundle_at(seq)) {
                Ok(what) => what,
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            };
            let Found { seq, payload, .. } = found;
            let Some(what) = what.filter(|what| what.customer() == customer && seq <= synced) else {
                return ControlFlow::Continue(());
            };
            let is_full = history.records.len() >= stretch.records || bytes + payload.len() > stretch.bytes;
            if is_full && !history.records.is_empty() {
                (history.until, history.next) = (seq - 1, Some(seq));
                return ControlFlow::Break(());
            }
            bytes += payload.len();
            history.records.push(Recorded { seq, what });
            ControlFlow::Continue(())
        })?;
        failed.map_or(Ok(history), Err)
    }
}

/// What a record holds; nothing where an input was released.
fn read(
    found: &Found,
    bundle_at: impl FnOnce(u64) -> Result<Arc<Bundle>, ShelfError>,
) -> Result<Option<RecordedWhat>, RecoveryError> {
    if found.kind == Kind::SetAside {
        let damaged = |error| RecoveryError::Record { seq: found.seq, error: RecordError::Damaged(error) };
        return set_aside_of(found).map(|input| input.map(RecordedWhat::SetAside)).map_err(damaged);
    }
    read_record(found.seq, &found.payload, bundle_at).map(|(record, bundle)| Some(RecordedWhat::Turn(record, bundle)))
}
