//! Bundles by the record that holds them: the one in force, and those that older records were decided under.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use crate::bundle::Bundle;
use crate::journal::{Entry, Found, Journal, JournalError, Kind};
use crate::sync::Mutex;
use crate::turn::{decode_bundle, encode_bundle};

/// Bundles that were read back from the journal, compiled. A deployment has few; each stays. A clone is the same shelf.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf(Arc<Mutex<HashMap<u64, Arc<Bundle>>>>);

/// Why a bundle's record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The record is not a bundle, or of a newer release.
    #[error("record {seq} should hold a bundle: {reason}")]
    NotABundle {
        /// The record.
        seq: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// Appends a bundle's files to the journal and returns the record's sequence.
pub(super) fn record_bundle(journal: &Journal, bundle: &Bundle) -> Result<u64, JournalError> {
    journal.append(&Entry { kind: Kind::Bundle, partition: 0, keys: &[], payload: &encode_bundle(bundle) })
}

/// Compiles the bundle that a record holds.
pub fn bundle_of(found: &Found) -> Result<Bundle, ShelfError> {
    let not_a_bundle = |reason: String| ShelfError::NotABundle { seq: found.seq, reason };
    if found.kind != Kind::Bundle {
        return Err(not_a_bundle("it holds something else".to_owned()));
    }
    decode_bundle(&found.payload).map_err(not_a_bundle)
}

impl Shelf {
    /// Puts a bundle on the shelf.
    pub(super) fn put(&self, seq: u64, bundle: Arc<Bundle>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(seq, bundle);
    }

    /// Lets go of the models of a bundle that is no longer in force: those who read its records need what they said, which is there.
    pub(super) fn rest(&self, seq: u64, bundle: &Bundle) {
        if !bundle.models().iter().any(|model| model.kernel.is_some()) {
            return;
        }
        // What was compiled once compiles again.
        if let Ok(resting) = Bundle::recall(bundle.sources().clone()) {
            self.put(seq, Arc::new(resting));
        }
    }

    /// All that stand on it, the latest first.
    pub(super) fn known(&self) -> Vec<Arc<Bundle>> {
        let shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known: Vec<(u64, Arc<Bundle>)> = shelf.iter().map(|(seq, bundle)| (*seq, Arc::clone(bundle))).collect();
        known.sort_unstable_by_key(|(seq, _)| std::cmp::Reverse(*seq));
        known.into_iter().map(|(_, bundle)| bundle).collect()
    }

    /// The bundle of a record, read from the journal if it is not on the shelf.
    pub(super) fn get(
        &self,
        seq: u64,
        read: impl FnOnce() -> Result<Option<Found>, JournalError>,
    ) -> Result<Arc<Bundle>, ShelfError> {
        if let Some(bundle) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&seq) {
            return Ok(Arc::clone(bundle));
        }
        let missing = || ShelfError::NotABundle { seq, reason: "the journal has no such record".to_owned() };
        let bundle = Arc::new(bundle_of(&read()?.ok_or_else(missing)?)?);
        self.put(seq, Arc::clone(&bundle));
        Ok(bundle)
    }
}
