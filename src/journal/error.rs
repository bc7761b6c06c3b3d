//! What can go wrong with the book.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::NotaryError;

/// Why the journal cannot be opened, read or written. Names the file.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("cannot {action} `{path}`: {source}{hint}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
        /// What helps, if that is known.
        hint: &'static str,
    },
    /// Another process has the data directory.
    #[error("the data directory `{path}` is in use by process {holder}; stop it, or give another directory with `--data`", path = path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The other process, as it wrote itself down.
        holder: String,
    },
    /// The data directory was written by a newer release.
    #[error("the data directory `{path}` has format {found}, this release reads format {known}; use the newer release", path = path.display())]
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: String,
        /// The latest format that this release knows.
        known: u32,
    },
    /// Bytes are not what was written, and not the torn end of an interrupted write either.
    #[error(
        "`{path}` is damaged at byte {offset}{from}: {reason}; nothing was changed; `forthwith repair` shows what can be saved",
        path = path.display(), from = from_record(*record)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// The first record that cannot be read, where that can be told.
        record: Option<u64>,
        /// What is wrong there.
        reason: String,
    },
    /// The tree heads beside the segments, which tell how far the journal must go, cannot be read.
    #[error(transparent)]
    Heads(Box<NotaryError>),
    /// The caller's idea of the journal's end is wrong: someone else has written.
    #[error("append expected the journal to end at record {expected}, it ends at {found}")]
    WrongSequence {
        /// The last record the caller knows of.
        expected: u64,
        /// The last record there is.
        found: u64,
    },
    /// A record does not fit into a segment.
    #[error(
        "a record of {bytes} bytes does not fit into a segment of the journal, which holds {limit} (`segment_bytes`)"
    )]
    TooLarge {
        /// The record's size.
        bytes: usize,
        /// What a segment holds.
        limit: usize,
    },
    /// Nobody has told the journal what its records are searched by.
    #[error("the journal cannot be searched: nobody has told it by which terms")]
    Undescribed,
    /// There is no room on the disk; what was acknowledged is safe, and the journal goes on when there is room.
    #[error("the disk is full; the journal waits for room")]
    DiskFull,
    /// Writing failed before; nothing is acknowledged any more.
    #[error("the journal has stopped: {0}")]
    Stopped(Arc<str>),
    /// The store of customer states failed.
    #[error("the state store failed: {0}")]
    Store(String),
}

/// The action of a sync that failed.
pub(super) const SYNC: &str = "sync";

/// The action of a folder's sync that failed.
pub(super) const SYNC_FOLDER: &str = "sync the folder";

impl JournalError {
    /// Whether nothing but room on the disk was wanting, so that the same may be tried again when there is some. A failed sync
    /// may not, whatever it failed for: what the kernel has kept of the file is unknown.
    pub(super) fn is_want_of_room(&self) -> bool {
        let Self::Io { action, source, .. } = self else { return false };
        let is_full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        is_full && !matches!(*action, SYNC | SYNC_FOLDER)
    }

    /// An error of the operating system about a file, with what helps where that is known.
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::PermissionDenied => {
                " (give the process write permission, or another directory with `--data`)"
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => " (make room on the disk)",
            io::ErrorKind::ReadOnlyFilesystem => {
                " (the file system is read-only; give another directory with `--data`)"
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => " (a file stands where a directory belongs)",
            _ => "",
        };
        Self::Io { action, path: path.to_owned(), source, hint }
    }

    /// Damage at a place in a file.
    pub(super) fn damaged(path: &Path, offset: u64, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), offset, record: None, reason: reason.into() }
    }

    /// The same damage, with the first record that cannot be read.
    pub(super) fn at_record(self, first: Option<u64>) -> Self {
        self.at_record_or(|| first)
    }

    /// The same damage, with the first record that cannot be read, unless it is known.
    pub(super) fn at_record_or(mut self, first: impl FnOnce() -> Option<u64>) -> Self {
        if let Self::Damaged { record, .. } = &mut self
            && record.is_none()
        {
            *record = first();
        }
        self
    }
}

fn from_record(record: Option<u64>) -> String {
    record.map_or_else(String::new, |record| format!(", from record {record} on"))
}
