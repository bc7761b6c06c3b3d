//! Segments: files of one size, zeroed before they are used, each beginning with a page that says where it belongs.
//!
//! ```text
//! segment = page of 4096 bytes, batches, zeros
//! page    = magic "FWSEG001", crc32c of the rest, format of the batches u32, log u64, number u64, first sequence u64, first batch u64,
//!           created at i64, SHA-256 of the batch before (32 bytes), flags u32 (1: there are gaps in it), zeros
//! ```
//!
//! Zeroed ahead of time, so that a write never changes the file's size or the disk's map of it: a sync then costs half.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::batch::{BatchHash, u32_at, u64_at};
use super::directory::FORMAT;
use super::disk::Disk;
use super::error::SYNC_FOLDER;
use super::names::{missing_segment, sealed_path, segment_path};
use super::scan::first_record;
use super::sealed::read_head;

/// Bytes of the page at a segment's beginning.
pub(super) const PAGE_BYTES: usize = 4_096;

const MAGIC: [u8; 8] = *b"FWSEG001";

/// Where a segment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The format of the batches behind it.
    pub(super) format: u32,
    pub(super) log: u64,
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) first_seq: u64,
    pub(super) first_batch: u64,
    pub(super) created_at: i64,
    pub(super) previous: BatchHash,
    /// Whether batches in it account for lost ones.
    pub(super) has_gaps: bool,
}

impl Page {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; PAGE_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[12..16].copy_from_slice(&self.format.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.log.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.number.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.first_batch.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.created_at.to_le_bytes());
        bytes[56..88].copy_from_slice(&self.previous);
        bytes[88..92].copy_from_slice(&u32::from(self.has_gaps).to_le_bytes());
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let Some(bytes) = bytes.get(..PAGE_BYTES) else { return Err("the segment's first page is cut off") };
        if bytes[..8] != MAGIC {
            return Err("the file is not a segment of a journal");
        }
        if u32_at(bytes, 8) != crc32c::crc32c(&bytes[12..]) {
            return Err("the checksum of the segment's first page is wrong");
        }
        Self::decode_fields(bytes)
    }

    /// Reads what stands at the page's places, of bytes whose checksum was looked at.
    pub(super) fn decode_fields(bytes: &[u8]) -> Result<Self, &'static str> {
        let format = u32_at(bytes, 12);
        if !(1..=FORMAT).contains(&format) {
            return Err("the segment is of a later format than this release reads");
        }
        let mut previous = [0; 32];
        previous.copy_from_slice(&bytes[56..88]);
        Ok(Self {
            format,
            log: u64_at(bytes, 16),
            number: u64_at(bytes, 24),
            first_seq: u64_at(bytes, 32),
            first_batch: u64_at(bytes, 40),
            created_at: u64_at(bytes, 48) as i64,
            previous,
            has_gaps: u32_at(bytes, 88) & 1 != 0,
        })
    }

    /// Reads the page of a segment, in either form.
    pub(super) fn read(folder: &Path, number: u64) -> Result<Self, JournalError> {
        let open = |path: PathBuf| match File::open(&path) {
            Ok(file) => Ok(Some((file, path))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(JournalError::io("open", &path, e)),
        };
        let page = if let Some((file, path)) = open(segment_path(folder, number))? {
            Self::of_file(&file, &path)
        } else if let Some((file, path)) = open(sealed_path(folder, number))? {
            read_head(&file, &path)
        } else {
            return Err(missing_segment(folder, number));
        };
        page.map_err(|error| error.at_record_or(|| first_record(folder, number)))
    }

    /// Reads the page of a segment's file.
    pub(super) fn of_file(file: &File, path: &Path) -> Result<Self, JournalError> {
        let mut bytes = vec![0; PAGE_BYTES];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(JournalError::damaged(path, 0, "the segment's first page is cut off"));
            }
            Err(e) => return Err(JournalError::io("read", path, e)),
        }
        Self::decode(&bytes).map_err(|reason| JournalError::damaged(path, 0, reason))
    }
}

/// Makes a file of zeros for the next segment, under a name that recovery ignores.
pub(super) fn prepare(disk: &dyn Disk, folder: &Path, bytes: u64) -> Result<Blank, JournalError> {
    let path = folder.join("next.tmp");
    let made = zeroed_file(disk, &path, bytes);
    if made.is_err() {
        // Half a blank is of no use, and its room is what the disk may be short of.
        let _ = fs::remove_file(&path);
    }
    made.map(|file| Blank { file, path: path.clone() }).map_err(|e| JournalError::io("make a segment at", &path, e))
}

/// Bytes that are zeroed and synced in one go: a commit that comes in between waits some tenths of a millisecond for them.
const CHUNK: usize = 1 << 18;

fn zeroed_file(disk: &dyn Disk, path: &Path, bytes: u64) -> io::Result<File> {
    let zeros = vec![0; CHUNK];
    // A file of its own: whoever may still be at work on one that was left behind must not write into this.
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    disk.reserve(&file, path, bytes)?;
    for at in (0..bytes).step_by(CHUNK) {
        let now = (bytes - at).min(CHUNK as u64) as usize;
        disk.write(&file, path, &zeros[..now], at)?;
        // At once: a commit's sync would have to wait until the disk has taken all that has gathered.
        disk.sync(&file, path)?;
    }
    Ok(file)
}

/// A zeroed file that is not yet a segment.
#[derive(Debug)]
pub(super) struct Blank {
    file: File,
    path: PathBuf,
}

impl Blank {
    /// Removes a file that was not needed.
    pub(super) fn discard(self) {
        let _ = fs::remove_file(&self.path);
    }

    /// Makes the file a segment: its page, its name, both durable.
    pub(super) fn into_segment(
        self,
        disk: &dyn Disk,
        folder: &Path,
        page: &Page,
    ) -> Result<(File, PathBuf), JournalError> {
        let path = segment_path(folder, page.number);
        let failed = |e| JournalError::io("begin the segment", &path, e);
        disk.write(&self.file, &self.path, &page.encode(), 0).map_err(failed)?;
        disk.sync(&self.file, &self.path).map_err(failed)?;
        disk.rename(&self.path, &path).map_err(failed)?;
        disk.sync_folder(folder).map_err(|e| JournalError::io(SYNC_FOLDER, folder, e))?;
        Ok((self.file, path))
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::MachineDisk;
    use super::super::names::segment_numbers;
    use super::*;

    #[test]
    fn a_segment_begins_with_its_page() {
        let folder = tempfile::tempdir().unwrap();
        let page = Page {
            format: FORMAT,
            log: 1,
            number: 1,
            first_seq: 3,
            first_batch: 4,
            created_at: -5,
            previous: [6; 32],
            has_gaps: true,
        };
        let blank = prepare(&MachineDisk, folder.path(), 16_384).unwrap();
        assert!(segment_numbers(folder.path()).unwrap().is_empty());
        let (_, path) = blank.into_segment(&MachineDisk, folder.path(), &page).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 16_384);
        assert_eq!(Page::read(folder.path(), 1).unwrap(), page);
        assert_eq!(segment_numbers(folder.path()).unwrap(), [1]);
        fs::write(&path, [0; 100]).unwrap();
        assert!(Page::read(folder.path(), 1).unwrap_err().to_string().contains("cut off"));
    }
}
