//! Finding records by key: a sorted list beside each full segment, an unsorted one in memory for the segment being
//! written. Derived from the segments and made anew where it is missing or damaged.
//!
//! ```text
//! index = magic "FWIDX001", crc32c of the rest, number of entries u32, entries sorted by key
//! entry = key (16 bytes, big-endian), offset of the frame u32, sequence less the segment's first u32
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::batch::u32_at;
use super::scan::{Next, SegmentScan};
use super::segment::segment_path;

const MAGIC: [u8; 8] = *b"FWIDX001";
const HEADER_BYTES: usize = 16;
const ENTRY_BYTES: usize = 24;

/// Where a record with a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IndexEntry {
    pub(super) key: u128,
    pub(super) offset: u32,
    /// The sequence, less the segment's first.
    pub(super) nth: u32,
}

/// The index of a full segment.
#[derive(Debug)]
pub(super) struct SegmentIndex {
    entries: Vec<u8>,
}

pub(super) fn index_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.idx"))
}

impl SegmentIndex {
    /// Reads the index of a full segment, or makes it from the segment.
    pub(super) fn open(folder: &Path, number: u64) -> Result<Self, JournalError> {
        if let Some(index) = Self::read(&index_path(folder, number)) {
            return Ok(index);
        }
        let entries = scan_entries(&segment_path(folder, number))?;
        Self::write(folder, number, entries.clone());
        Ok(Self { entries: encoded(entries) })
    }

    fn read(path: &Path) -> Option<Self> {
        let mut bytes = fs::read(path).ok()?;
        let is_sound = bytes.len() >= HEADER_BYTES
            && bytes[..8] == MAGIC
            && u32_at(&bytes, 8) == crc32c::crc32c(&bytes[12..])
            && bytes.len() == HEADER_BYTES + u32_at(&bytes, 12) as usize * ENTRY_BYTES;
        if !is_sound {
            return None;
        }
        Some(Self { entries: bytes.split_off(HEADER_BYTES) })
    }

    /// Writes the index of a segment. It can be made anew at any time, so failing to write it is no fault.
    pub(super) fn write(folder: &Path, number: u64, entries: Vec<IndexEntry>) {
        let entries = encoded(entries);
        let mut bytes = Vec::with_capacity(HEADER_BYTES + entries.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&((entries.len() / ENTRY_BYTES) as u32).to_le_bytes());
        bytes.extend_from_slice(&entries);
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        let path = index_path(folder, number);
        let temporary = path.with_extension("idx.tmp");
        let written = File::create(&temporary)
            .and_then(|mut file| file.write_all(&bytes))
            .and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "a segment's index was not written; it will be made when it is needed");
        }
    }

    /// The entry of a key.
    pub(super) fn find(&self, key: u128) -> Option<IndexEntry> {
        let count = self.entries.len() / ENTRY_BYTES;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            if self.entry(middle).key < key { low = middle + 1 } else { high = middle }
        }
        (low < count).then(|| self.entry(low)).filter(|entry| entry.key == key)
    }

    fn entry(&self, number: usize) -> IndexEntry {
        let bytes = &self.entries[number * ENTRY_BYTES..][..ENTRY_BYTES];
        let mut key = [0; 16];
        key.copy_from_slice(&bytes[..16]);
        IndexEntry { key: u128::from_be_bytes(key), offset: u32_at(bytes, 16), nth: u32_at(bytes, 20) }
    }
}

fn encoded(mut entries: Vec<IndexEntry>) -> Vec<u8> {
    entries.sort_unstable();
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for entry in entries {
        bytes.extend_from_slice(&entry.key.to_be_bytes());
        bytes.extend_from_slice(&entry.offset.to_le_bytes());
        bytes.extend_from_slice(&entry.nth.to_le_bytes());
    }
    bytes
}

/// The entries of every sound record of a segment.
pub(super) fn scan_entries(segment: &Path) -> Result<Vec<IndexEntry>, JournalError> {
    let mut scan = SegmentScan::open(segment)?;
    let first_seq = scan.page.first_seq;
    let mut entries = Vec::new();
    while let Next::Batch(header) = scan.peek() {
        for read in scan.take(&header) {
            let nth = (read.seq - first_seq) as u32;
            entries.extend(read.frame.keys().map(|key| IndexEntry { key, offset: read.offset, nth }));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_written_and_distrusts_damage() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |key: u128| IndexEntry { key, offset: key as u32 + 1, nth: key as u32 };
        SegmentIndex::write(folder.path(), 1, [9, 3, 700, 5].map(entry).to_vec());
        let path = index_path(folder.path(), 1);
        let index = SegmentIndex::read(&path).unwrap();
        assert_eq!(index.find(700), Some(entry(700)));
        assert_eq!(index.find(4), None);
        let mut bytes = fs::read(&path).unwrap();
        bytes[30] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(SegmentIndex::read(&path).is_none());
    }
}
