//! What the journal has of one customer, a stretch at a time.

use std::sync::Arc;

use super::recovery::read_record;
use super::set_aside::set_aside_of;
use super::{Customers, RecoveryError, SetAsideInput, ShelfError};
use crate::bundle::Bundle;
use crate::domain::{CustomerId, Partition};
use crate::journal::{Found, Frame, Kind, Reader};
use crate::turn::{Record, RecordError};

/// A stretch of one customer's records.
#[derive(Clone, Debug)]
pub struct History {
    /// The customer's records in it, in order.
    pub records: Vec<Recorded>,
    /// The last record of the journal that was looked at, whomever it is about.
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
    /// Records of the journal that are looked at, to the end of the batch in which they end.
    pub looked_at: u64,
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
    /// A customer's records on disk, from a sequence on. There is no index by customer: everything from there on is read and
    /// checked, and of each 64th of it, the customer's partition, the records are decoded. Blocks, and holds a segment in
    /// memory.
    pub fn history(&self, customer: &CustomerId, from: u64, stretch: Stretch) -> Result<History, RecoveryError> {
        let house = self.house();
        let partition = Partition::of(&house.tenant, customer.as_str()).number();
        let synced = house.journal.synced_seq();
        let mut reader = house.journal.reader(from)?;
        let mut history = History { records: Vec::new(), until: from.saturating_sub(1), next: None };
        let mut bytes = 0;
        loop {
            let (found, last) = next_found(&mut reader, partition, synced)?;
            for found in found {
                let Some(what) = read(&found, |seq| house.bundle_at(seq))?.filter(|what| what.customer() == customer)
                else {
                    continue;
                };
                let Found { seq, payload, .. } = found;
                let is_full = history.records.len() >= stretch.records || bytes + payload.len() > stretch.bytes;
                if is_full && !history.records.is_empty() {
                    return Ok(History { until: seq - 1, next: Some(seq), ..history });
                }
                bytes += payload.len();
                history.records.push(Recorded { seq, what });
            }
            let Some(last) = last else { return Ok(history) };
            history.until = last;
            if last >= synced {
                return Ok(history);
            }
            if last.saturating_sub(from) >= stretch.looked_at {
                return Ok(History { next: Some(last + 1), ..history });
            }
        }
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

/// The records of a partition in the next batch and inputs that were set aside, whomever they are about, as far as they are
/// synced; and the last record of all, `None` at the end.
fn next_found(reader: &mut Reader, partition: u8, synced: u64) -> Result<(Vec<Found>, Option<u64>), RecoveryError> {
    let (mut found, mut last) = (Vec::new(), None);
    let mut is_more = true;
    // The batch in which the journal is entered may hold nothing from there on.
    while is_more && last.is_none() {
        is_more = reader.next_batch(|read| {
            if read.seq > synced {
                return;
            }
            last = Some(read.seq);
            let Frame { kind, partition: of, payload, .. } = read.frame;
            if (kind == Kind::Turn && of == partition) || kind == Kind::SetAside {
                found.push(Found { seq: read.seq, kind, payload: payload.to_vec() });
            }
        })?;
    }
    Ok((found, last))
}
