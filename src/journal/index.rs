//! Finding records by key: a sorted list beside each full segment, an unsorted one in memory for the segment being
//! written. Derived from the segments and made anew where it is missing or damaged.
//!
//! ```text
//! index = magic "FWIDX002", crc32c of the rest u32, number of keys u32, number of marks u32, bytes of a place u32, log u64,
//!         number of the segment u64, marks, fingerprints, places
//! mark  = where in the segment a record begins u32, its place u32
//! ```
//!
//! A fingerprint is 32 bits of a hash of a key, in ascending order; a record's place is its sequence less the segment's first, in as many
//! bytes as the last place takes. So a key costs seven bytes in a segment of up to 16 million records, of which the keys themselves would
//! take sixteen. Two keys may have one fingerprint: whoever finds a place looks whether the record has the key. Marks stand
//! some 64 KiB apart and say where to begin reading for a place, in a segment that is not sealed.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::JournalError;
use super::batch::{u32_at, u64_at};
use super::names::{index_path, unfinished};
use super::reader::is_end;
use super::scan::{Next, SegmentScan};
use super::segment::Page;

const MAGIC: [u8; 8] = *b"FWIDX002";
const HEADER_BYTES: usize = 40;
const MARK_BYTES: usize = 8;

/// How far apart marks are: a look at one record reads about as much.
const MARK_EVERY: u32 = 1 << 16;

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
    bytes: Vec<u8>,
    keys: usize,
    marks: usize,
    place_bytes: usize,
}

impl SegmentIndex {
    /// Reads the index of a full segment, or makes it from the segment.
    pub(super) fn open(folder: &Path, number: u64) -> Result<Self, JournalError> {
        let page = Page::read(folder, number)?;
        if let Some(index) = Self::read(folder, &page) {
            return Ok(index);
        }
        let index = Self::of(&page, &scan_entries(folder, number)?);
        index.write(folder, number);
        Ok(index)
    }

    /// Reads the index of the segment with this page; `None` if there is none, or none that is sound.
    pub(super) fn read(folder: &Path, page: &Page) -> Option<Self> {
        let bytes = fs::read(index_path(folder, page.number)).ok()?;
        let is_sound = bytes.len() >= HEADER_BYTES
            && bytes[..8] == MAGIC
            && u32_at(&bytes, 8) == crc32c::crc32c(&bytes[12..])
            && (u64_at(&bytes, 24), u64_at(&bytes, 32)) == (page.log, page.number);
        if !is_sound {
            return None;
        }
        let [keys, marks, place_bytes] = [12, 16, 20].map(|at| u32_at(&bytes, at) as usize);
        let length = HEADER_BYTES + marks * MARK_BYTES + keys * (4 + place_bytes);
        (bytes.len() == length && (1..=4).contains(&place_bytes)).then_some(Self { bytes, keys, marks, place_bytes })
    }

    /// Makes the index of a segment from what is in it, in the order in which it was written.
    pub(super) fn of(page: &Page, entries: &[IndexEntry]) -> Self {
        let mut sorted: Vec<(u32, u32)> = entries.iter().map(|entry| (fingerprint(entry.key), entry.nth)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut marks: Vec<(u32, u32)> = Vec::new();
        for entry in entries {
            if marks.last().is_none_or(|(offset, _)| entry.offset - offset >= MARK_EVERY) {
                marks.push((entry.offset, entry.nth));
            }
        }
        let last = entries.last().map_or(0, |entry| entry.nth);
        let place_bytes = ((32 - last.leading_zeros()).div_ceil(8) as usize).max(1);
        let mut bytes = vec![0; 12];
        bytes[..8].copy_from_slice(&MAGIC);
        for number in [sorted.len(), marks.len(), place_bytes] {
            bytes.extend_from_slice(&(number as u32).to_le_bytes());
        }
        bytes.extend_from_slice(&page.log.to_le_bytes());
        bytes.extend_from_slice(&page.number.to_le_bytes());
        bytes.extend(marks.iter().flat_map(|(offset, nth)| [offset.to_le_bytes(), nth.to_le_bytes()].concat()));
        bytes.extend(sorted.iter().flat_map(|(fingerprint, _)| fingerprint.to_le_bytes()));
        for (_, nth) in &sorted {
            bytes.extend_from_slice(&nth.to_le_bytes()[..place_bytes]);
        }
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        Self { bytes, keys: sorted.len(), marks: marks.len(), place_bytes }
    }

    /// Writes the index of a segment. It can be made anew at any time, so failing to write it is no fault.
    pub(super) fn write(&self, folder: &Path, number: u64) {
        let path = index_path(folder, number);
        let temporary = unfinished(&path);
        let written = File::create(&temporary)
            .and_then(|mut file| file.write_all(&self.bytes))
            .and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "a segment's index was not written; it will be made when it is needed");
        }
    }

    /// The places of the records that may have a key, in their order.
    pub(super) fn find(&self, key: u128) -> impl Iterator<Item = u32> {
        let wanted = fingerprint(key);
        let (mut low, mut high) = (0, self.keys);
        while low < high {
            let middle = low.midpoint(high);
            if self.fingerprint(middle) < wanted { low = middle + 1 } else { high = middle }
        }
        (low..self.keys).take_while(move |at| self.fingerprint(*at) == wanted).map(|at| self.place(at))
    }

    /// Where to begin reading for a place, and the place that is there; `None` for the segment's beginning.
    pub(super) fn mark(&self, nth: u32) -> Option<(u32, u32)> {
        let mark = |at: usize| {
            let from = HEADER_BYTES + at * MARK_BYTES;
            (u32_at(&self.bytes, from), u32_at(&self.bytes, from + 4))
        };
        let (mut low, mut high) = (0, self.marks);
        while low < high {
            let middle = low.midpoint(high);
            if mark(middle).1 <= nth { low = middle + 1 } else { high = middle }
        }
        low.checked_sub(1).map(mark)
    }

    fn fingerprint(&self, at: usize) -> u32 {
        u32_at(&self.bytes, HEADER_BYTES + self.marks * MARK_BYTES + at * 4)
    }

    fn place(&self, at: usize) -> u32 {
        let from = HEADER_BYTES + self.marks * MARK_BYTES + self.keys * 4 + at * self.place_bytes;
        let mut bytes = [0; 4];
        bytes[..self.place_bytes].copy_from_slice(&self.bytes[from..from + self.place_bytes]);
        u32::from_le_bytes(bytes)
    }
}

fn fingerprint(key: u128) -> u32 {
    (xxh3_64(&key.to_be_bytes()) >> 32) as u32
}

/// The entries of every record of a segment, in the order in which they were written. Only the journal's last segment may end in
/// the middle of something.
pub(super) fn scan_entries(folder: &Path, number: u64) -> Result<Vec<IndexEntry>, JournalError> {
    let mut scan = SegmentScan::open(folder, number)?;
    let first_seq = scan.page.first_seq;
    let mut entries = Vec::new();
    loop {
        match scan.peek()? {
            Next::Batch(header) => {
                for read in scan.take(&header) {
                    let nth = (read.seq - first_seq) as u32;
                    entries.extend(read.frame.keys().map(|key| IndexEntry { key, offset: read.offset, nth }));
                }
            }
            Next::Gap(header, gap) => scan.step_over(&header, &gap),
            Next::Blank | Next::Broken(_) if is_end(folder, &mut scan)? => return Ok(entries),
            Next::Blank | Next::Broken(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::directory::FORMAT;
    use super::*;

    fn page() -> Page {
        Page {
            format: FORMAT,
            log: 5,
            number: 1,
            first_seq: 1,
            first_batch: 1,
            created_at: 0,
            previous: [0; 32],
            has_gaps: false,
        }
    }

    #[test]
    fn finds_what_was_written_and_distrusts_damage() {
        let folder = tempfile::tempdir().unwrap();
        let keys = |nth: u32| u128::from(nth) << 77 | 3;
        let entry = |nth: u32| IndexEntry { key: keys(nth), offset: nth * 3_000 + 4_192, nth };
        let entries: Vec<IndexEntry> = (0..300).map(entry).collect();
        SegmentIndex::of(&page(), &entries).write(folder.path(), 1);
        let index = SegmentIndex::read(folder.path(), &page()).unwrap();
        for nth in 0..300 {
            assert_eq!(index.find(keys(nth)).collect::<Vec<_>>(), [nth]);
            let (offset, at) = index.mark(nth).unwrap();
            assert!(at <= nth && offset == entry(at).offset && entry(nth).offset - offset <= MARK_EVERY);
        }
        assert_eq!(index.find(4).count(), 0);
        assert_eq!(index.bytes.len(), HEADER_BYTES + index.marks * MARK_BYTES + 300 * 6, "four bytes and two");
        assert!(SegmentIndex::read(folder.path(), &Page { log: 6, ..page() }).is_none(), "of another log");
        let path = index_path(folder.path(), 1);
        let sound = fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert!(SegmentIndex::read(folder.path(), &page()).is_none(), "byte {at}");
        }
    }

    #[test]
    fn two_keys_with_one_fingerprint_are_both_found() {
        // Found by trying: the fingerprints of small numbers collide early enough.
        let mut seen = std::collections::HashMap::new();
        let (first, second) = (0..u128::from(u32::MAX))
            .find_map(|key| seen.insert(fingerprint(key), key).map(|other| (other, key)))
            .unwrap();
        let entries = [(first, 7), (second, 70_000)].map(|(key, nth)| IndexEntry { key, offset: nth, nth });
        let index = SegmentIndex::of(&page(), &entries);
        assert_eq!(index.find(first).collect::<Vec<_>>(), [7, 70_000]);
        assert_eq!(index.find(second).collect::<Vec<_>>(), [7, 70_000]);
    }
}
