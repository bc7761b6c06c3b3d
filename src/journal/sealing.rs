//! Sealing a full segment: its blocks compressed, written under another name, synced, read back, and only then the segment removed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::batch::{HEADER_BYTES, u32_at};
use super::disk::Disk;
use super::names::{is_there, sealed_path, segment_path, unfinished};
use super::reader::is_end;
use super::scan::{Next, SegmentScan};
use super::sealed::{Block, HEAD_BYTES, Sealed, foot_of, head_of};
use super::segment::PAGE_BYTES;

/// Bytes of a segment in a block. Of real records, a block of 64 KiB makes 176 bytes each, one of 128 KiB 157 and one of 256 KiB 133; and
/// a look at one record unpacks a block.
#[cfg(not(test))]
const BLOCK_BYTES: usize = 128 << 10;

/// In tests, small journals have many blocks.
#[cfg(test)]
const BLOCK_BYTES: usize = 16 << 10;

/// The level of compression. At 9, records take 5 % less and three times as long, on a machine that has turns to take.
const LEVEL: i32 = 3;

/// How much is written before it is synced, so that the disk is never busy with the sealer for long.
const SYNC_EVERY: u64 = 4 << 20;

/// What came of sealing a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealing {
    /// It is sealed.
    Done {
        /// Bytes of the segment up to its last batch.
        before: u64,
        /// Bytes of the sealed one.
        after: u64,
    },
    /// The journal is closed meanwhile; the next start begins again.
    Left,
}

/// Seals a full segment. `pause` is called after every batch; true from it leaves it for the next start. What is there under the name of a sealed one is replaced.
pub(super) fn seal(
    disk: &dyn Disk,
    folder: &Path,
    number: u64,
    pause: &mut dyn FnMut() -> bool,
) -> Result<Sealing, JournalError> {
    let path = sealed_path(folder, number);
    let temporary = unfinished(&path);
    let sealed = write(disk, folder, number, &temporary, pause);
    let Ok(Some((before, after))) = sealed else {
        // Half a segment is of no use, and its room is what the disk may be short of.
        let _ = fs::remove_file(&temporary);
        return sealed.map(|_| Sealing::Left);
    };
    let failed = |e| JournalError::io("seal the segment at", &path, e);
    let synced = || disk.sync_folder(folder).map_err(|e| JournalError::io("sync the folder", folder, e));
    disk.rename(&temporary, &path).map_err(failed)?;
    synced()?;
    let plain = segment_path(folder, number);
    disk.remove(&plain).map_err(|e| JournalError::io("remove", &plain, e))?;
    synced()?;
    Ok(Sealing::Done { before, after })
}

/// Writes the sealed segment and compares it with the segment; `None` if it was left. Returns the bytes of both.
fn write(
    disk: &dyn Disk,
    folder: &Path,
    number: u64,
    path: &Path,
    pause: &mut dyn FnMut() -> bool,
) -> Result<Option<(u64, u64)>, JournalError> {
    let mut scan = SegmentScan::open(folder, number)?;
    let mut writing = Writing::begin(disk, path, &scan)?;
    loop {
        match scan.peek()? {
            Next::Batch(header) => {
                let seq = header.first_seq - scan.page.first_seq;
                writing.batch(scan.batch(&header), scan.at, seq as u32, Cut::AtRecords)?;
                scan.take(&header).for_each(drop);
            }
            Next::Gap(header, gap) => {
                let seq = header.first_seq - scan.page.first_seq;
                writing.batch(scan.batch(&header), scan.at, seq as u32, Cut::Nowhere)?;
                scan.step_over(&header, &gap);
            }
            // INVARIANT: a segment is removed only when all of it was sealed: it ends where the next one begins. Zeros alone say
            // nothing; a disk may have lost what stood there.
            Next::Blank | Next::Broken(_) => {
                if !is_there(folder, number + 1) {
                    return Err(scan.damaged("the segment is not full: there is none behind it"));
                }
                if is_end(folder, &mut scan)? {
                    break;
                }
            }
        }
        if pause() {
            return Ok(None);
        }
    }
    let bytes = writing.end(&scan)?;
    Ok(compare(path, &scan, pause)?.then_some((scan.at, bytes)))
}

/// Reads the sealed segment from end to end: it must come to the same last batch, whose hash stands for all before it. False if it
/// was left.
fn compare(path: &Path, segment: &SegmentScan, pause: &mut dyn FnMut() -> bool) -> Result<bool, JournalError> {
    let differs = |what: &str| JournalError::damaged(path, 0, format!("{what} when it was read back"));
    let sealed = Sealed::open(path)?.ok_or_else(|| differs("the sealed segment was gone"))?;
    let (page, tail) = (sealed.page, sealed.tail);
    let mut back = SegmentScan::of_sealed(sealed)?;
    loop {
        match back.peek()? {
            Next::Batch(header) => back.take(&header).for_each(drop),
            Next::Gap(header, gap) => back.step_over(&header, &gap),
            Next::Blank => break,
            Next::Broken(reason) => return Err(back.damaged(reason)),
        }
        if pause() {
            return Ok(false);
        }
    }
    let is_same = (page, tail, back.tail, back.at) == (segment.page, segment.tail, segment.tail, segment.at);
    if is_same { Ok(true) } else { Err(differs("the sealed segment was not the segment")) }
}

/// Where a batch may be cut into blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    AtRecords,
    Nowhere,
}

/// A sealed segment while it is written.
struct Writing<'a> {
    disk: &'a dyn Disk,
    path: PathBuf,
    file: File,
    compressor: zstd::bulk::Compressor<'static>,
    table: Vec<Block>,
    /// The bytes of the block that is gathered, where they begin in the segment, and the place of the first record in it.
    block: Vec<u8>,
    begin: u64,
    nth: u32,
    /// Where the next block goes, and up to where the file is synced.
    at: u64,
    synced: u64,
}

impl<'a> Writing<'a> {
    fn begin(disk: &'a dyn Disk, path: &Path, scan: &SegmentScan) -> Result<Self, JournalError> {
        let failed = |e| JournalError::io("seal the segment at", path, e);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).map_err(failed)?;
        let mut writing = Self {
            disk,
            path: path.to_owned(),
            file,
            compressor: zstd::bulk::Compressor::new(LEVEL).map_err(failed)?,
            table: Vec::new(),
            block: Vec::with_capacity(2 * BLOCK_BYTES),
            begin: PAGE_BYTES as u64,
            nth: 0,
            at: 0,
            synced: 0,
        };
        writing.write(&head_of(&scan.page))?;
        debug_assert_eq!(writing.at, HEAD_BYTES as u64);
        Ok(writing)
    }

    /// Adds a batch: to the block if it fits, to the next one if the block is half full, and cut where it is larger than a block.
    fn batch(&mut self, batch: &[u8], at: u64, mut nth: u32, cut: Cut) -> Result<(), JournalError> {
        let len = self.block.len();
        if len >= BLOCK_BYTES || (len >= BLOCK_BYTES / 2 && len + batch.len() > BLOCK_BYTES) {
            self.flush(at, nth)?;
        }
        if cut == Cut::Nowhere || self.block.len() + batch.len() <= 2 * BLOCK_BYTES {
            self.block.extend_from_slice(batch);
            return Ok(());
        }
        let mut from = 0;
        let mut end = HEADER_BYTES;
        while end < batch.len() {
            if self.block.len() + (end - from) >= BLOCK_BYTES {
                self.block.extend_from_slice(&batch[from..end]);
                self.flush(at + end as u64, nth)?;
                from = end;
            }
            end += 8 + u32_at(batch, end) as usize;
            nth += 1;
        }
        self.block.extend_from_slice(&batch[from..]);
        Ok(())
    }

    /// Writes the block that was gathered; the next one begins at this place of the segment.
    fn flush(&mut self, next: u64, nth: u32) -> Result<(), JournalError> {
        if !self.block.is_empty() {
            let failed = |e| JournalError::io("compress a block of", &self.path, e);
            let packed = self.compressor.compress(&self.block).map_err(failed)?;
            let crc = crc32c::crc32c(&packed);
            self.table.push(Block { begin: self.begin as u32, offset: self.at as u32, nth: self.nth, crc });
            self.write(&packed)?;
            self.block.clear();
        }
        (self.begin, self.nth) = (next, nth);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let failed = |e| JournalError::io("write", &self.path, e);
        self.disk.write(&self.file, &self.path, bytes, self.at).map_err(failed)?;
        self.at += bytes.len() as u64;
        if self.at - self.synced >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        self.disk.sync(&self.file, &self.path).map_err(|e| JournalError::io("sync", &self.path, e))?;
        self.synced = self.at;
        Ok(())
    }

    /// Writes what is left; returns the file's length.
    fn end(mut self, scan: &SegmentScan) -> Result<u64, JournalError> {
        self.flush(scan.at, 0)?;
        let foot = foot_of(&self.table, scan.at, &scan.tail);
        self.write(&foot)?;
        self.sync()?;
        Ok(self.at)
    }
}

/// Removes what an interrupted sealing has left unfinished.
pub(super) fn clear(folder: &Path, number: u64) -> Result<(), JournalError> {
    let path = unfinished(&sealed_path(folder, number));
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(JournalError::io("remove", &path, e)),
        _ => Ok(()),
    }
}
