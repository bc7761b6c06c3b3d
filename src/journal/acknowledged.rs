//! What is known to have been on disk, whatever the end of the journal looks like now.

use std::path::Path;

use super::heads::newest_head;
use super::{JournalError, NotaryError};

/// The last records that others than the segments know of. A head is signed and a state is stored over what is synced only, so a
/// journal that ends before them has lost what was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// How many records the newest tree head was signed over.
    pub(super) signed: u64,
    /// The last record that the store knows of.
    pub(super) stored: u64,
}

impl Acknowledged {
    /// What the heads beside the segments know, and the store.
    pub(super) fn of(journal: &Path, stored: u64) -> Result<Self, JournalError> {
        let newest = newest_head(journal).map_err(|error| match error {
            NotaryError::Journal(error) => error,
            other => JournalError::Heads(Box::new(other)),
        })?;
        Ok(Self { signed: newest.map_or(0, |head| head.head().size), stored })
    }

    /// The last of them.
    pub(super) fn last(&self) -> u64 {
        self.signed.max(self.stored)
    }

    /// What is wrong with a journal that ends with a record; `None` if nobody knows of more.
    pub(super) fn refusal(&self, last_seq: u64) -> Option<String> {
        let Self { signed, stored } = self;
        let by = match (*signed > last_seq, *stored > last_seq) {
            (false, false) => return None,
            (true, false) => format!("a tree head was signed over {signed}"),
            (false, true) => format!("the store knows of record {stored}"),
            (true, true) => {
                format!("a tree head was signed over {signed}, and the store knows of record {stored}")
            }
        };
        Some(format!(
            "the journal ends with record {last_seq}, and {by}: what follows was acknowledged and is damaged or gone, or an older \
             copy was put back; if there is a newer copy, put that back"
        ))
    }
}
