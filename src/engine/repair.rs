//! Repairing a data directory whose journal is damaged, without an engine.

use std::path::Path;

use crate::context::CustomerState;
use crate::journal::{DataDirectory, FjallStore, Inspection, JournalError, Rewritten, StateStore};
use crate::time::Clock;

/// A data directory that nobody else has while its journal is looked through and repaired.
#[derive(Debug)]
pub struct Repair {
    _directory: DataDirectory,
    inspection: Inspection,
}

impl Repair {
    /// Takes the lock of a data directory and looks through its whole journal. Changes nothing. `progress` is told each segment, and
    /// the last one.
    pub fn inspect(data: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Self, JournalError> {
        let directory = DataDirectory::hold(data)?;
        let inspection = Inspection::of(&directory.journal(), &|| last_known(&directory.store()), progress)?;
        Ok(Self { _directory: directory, inspection })
    }

    /// What was found.
    pub fn found(&self) -> &Inspection {
        &self.inspection
    }

    /// Repairs what was found, and lets go of the directory.
    pub fn carry_out(self, clock: &Clock) -> Result<Vec<Rewritten>, JournalError> {
        self.inspection.repair(clock.wall(), env!("CARGO_PKG_VERSION"))
    }
}

/// The last record that the store knows of: a number that must not be given to another record, or whoever knows the first would pass
/// over the second.
fn last_known(store: &Path) -> Result<u64, JournalError> {
    if !store.is_dir() {
        return Ok(0);
    }
    let store = FjallStore::open(store)?;
    let checkpoint = store.last_checkpoint()?.map_or(0, |checkpoint| checkpoint.seq);
    Ok(checkpoint.max(store.last_record(CustomerState::last_record_in)?))
}
