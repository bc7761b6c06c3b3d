//! Names of the files in a journal's folder.
//!
//! ```text
//! N.seg           a segment as it was written; N has ten digits and counts from 1
//! N.sealed        the same, compressed; while both are there, the first is the one that counts
//! N.idx           its index by key; made anew when missing or damaged
//! N.terms         what its records are searched by; made anew when missing or damaged
//! N.filter        which of the 64 segments from N on may have a term; made anew when missing or damaged
//! N.damaged-TIME  what `forthwith repair` has put something else in the place of
//! *.tmp           not finished; made again
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::JournalError;

pub(super) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.seg"))
}

pub(super) fn sealed_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.sealed"))
}

pub(super) fn index_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.idx"))
}

/// The name under which a file is made.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

/// The numbers of a folder's segments, as they were or sealed.
pub(super) fn numbers_there(folder: &Path) -> Result<BTreeSet<u64>, JournalError> {
    let failed = |e| JournalError::io("list", folder, e);
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".seg").or_else(|| name.strip_suffix(".sealed")));
        numbers.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
    }
    Ok(numbers)
}

/// The numbers of a journal's segments, from the first to the last. One that is missing in between is damage.
pub(super) fn segment_numbers(folder: &Path) -> Result<Vec<u64>, JournalError> {
    let there = numbers_there(folder)?;
    let last = there.last().copied().unwrap_or(0);
    // A folder is not listed in one moment: a segment that was sealed meanwhile may have been seen in neither form.
    if let Some(missing) = (1..=last).find(|number| !there.contains(number) && !is_there(folder, *number)) {
        return Err(missing_segment(folder, missing));
    }
    Ok((1..=last).collect())
}

/// Whether there is a segment, in either form.
pub(super) fn is_there(folder: &Path, number: u64) -> bool {
    // In this order: a segment is sealed before it is removed.
    segment_path(folder, number).exists() || sealed_path(folder, number).exists()
}

pub(super) fn missing_segment(folder: &Path, number: u64) -> JournalError {
    let record = super::scan::first_record(folder, number);
    JournalError::damaged(&segment_path(folder, number), 0, "the segment is missing").at_record(record)
}
