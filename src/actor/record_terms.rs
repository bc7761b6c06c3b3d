//! By which terms the records of turns are searched: told to the journal, which does not know what they mean.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ShelfError;
use super::set_aside::set_aside_of;
use super::shelf::Shelf;
use crate::bundle::Bundle;
use crate::domain::{CustomerId, Partition, Term, Timestamp};
use crate::journal::{Described, Found, Frame, Hear, Journal, JournalError, Kind, Terms, record_at};
use crate::turn::{TERMS_VERSION, Termed, terms_of};

/// Stands for the partition where nobody knows it.
const ANYBODY: u8 = u8::MAX;

/// Tells the terms of records, with the bundles that they were decided under.
#[derive(Debug)]
pub struct RecordTerms {
    folder: PathBuf,
    shelf: Shelf,
}

impl RecordTerms {
    /// For the records of the journal in a folder.
    pub fn new(folder: &Path) -> Arc<Self> {
        Self::with_shelf(folder, Shelf::default())
    }

    /// The same, with a shelf for the bundles that others use too.
    pub(super) fn with_shelf(folder: &Path, shelf: Shelf) -> Arc<Self> {
        Arc::new(Self { folder: folder.to_owned(), shelf })
    }

    /// The bundle that a record holds.
    pub fn bundle_at(&self, seq: u64) -> Result<Arc<Bundle>, ShelfError> {
        self.shelf.get(seq, || record_at(&self.folder, seq))
    }

    /// The bundles that were read so far, the latest first.
    pub fn known_bundles(&self) -> Vec<Arc<Bundle>> {
        self.shelf.known()
    }

    fn of_turn(&self, frame: &Frame<'_>, each: &mut dyn FnMut(Term)) -> Result<Described, JournalError> {
        let mut failed = None;
        let bundle_at = |seq| self.bundle_at(seq).map_err(|error| failed = Some(error)).ok();
        let arrival = terms_of(frame.payload, bundle_at, each);
        match (arrival, failed) {
            (Ok(arrival), _) => Ok(Described::Arrived(arrival)),
            (Err(_), Some(ShelfError::Journal(error))) => Err(error),
            (Err(_), _) => {
                each(Termed::Unreadable(frame.partition).term());
                Ok(Described::Unreadable)
            }
        }
    }
}

/// Hands on the records on disk of a customer, from a sequence on, oldest first, until `hear` says to stop: turns, and inputs
/// that were set aside. Reads those and the index, nothing else. Another customer's record may be among them, and a record
/// that cannot be read if it may be the customer's: look.
pub(super) fn records_of(
    journal: &Journal,
    (customer, partition): (&CustomerId, Partition),
    from: u64,
    hear: Hear<'_>,
) -> Result<(), JournalError> {
    let unreadable = [partition.number(), ANYBODY].map(|of| Termed::Unreadable(of).term());
    let any = [Termed::Customer(customer).term(), unreadable[0], unreadable[1]];
    journal.records_with(&any, from, hear)
}

/// Everything but turns after a record, up to another, in order: bundles, what was set aside and released. Reads those and the index.
pub(super) fn notices_of(journal: &Journal, after: u64, until: u64) -> Result<Vec<Found>, JournalError> {
    let mut notices = Vec::new();
    let any = [Termed::Bundle.term(), Termed::SetAside.term()];
    journal.records_with(&any, after + 1, &mut |found| {
        if found.seq > until {
            return ControlFlow::Break(());
        }
        // Two terms may share a number.
        notices.extend((found.kind != Kind::Turn).then_some(found));
        ControlFlow::Continue(())
    })?;
    Ok(notices)
}

impl Terms for RecordTerms {
    fn version(&self) -> u32 {
        TERMS_VERSION
    }

    fn describe(&self, seq: u64, frame: &Frame<'_>, each: &mut dyn FnMut(Term)) -> Result<Described, JournalError> {
        match frame.kind {
            Kind::Turn => self.of_turn(frame, each),
            Kind::Bundle => {
                each(Termed::Bundle.term());
                Ok(Described::Timeless)
            }
            Kind::SetAside => {
                each(Termed::SetAside.term());
                let found = Found { seq, kind: frame.kind, payload: frame.payload.to_vec() };
                match set_aside_of(&found) {
                    Ok(Some(input)) => {
                        each(Termed::Customer(&input.aside.customer).term());
                        Ok(Described::Arrived(Timestamp::from_micros(input.aside.at)))
                    }
                    Ok(None) => Ok(Described::Timeless),
                    Err(_) => {
                        each(Termed::Unreadable(ANYBODY).term());
                        Ok(Described::Unreadable)
                    }
                }
            }
        }
    }
}
