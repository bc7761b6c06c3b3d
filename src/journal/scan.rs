//! Reading segments: batch after batch, everything checked.

use std::fs;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::batch::{BatchHash, BatchHeader, Frame, HEADER_BYTES, hash_batch, leaf_hashes};
use super::segment::{PAGE_BYTES, Page, segment_numbers, segment_path};
use crate::domain::Timestamp;

/// A record as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// Its sequence.
    pub seq: u64,
    /// The record.
    pub frame: Frame<'a>,
    /// Where its frame begins in the segment's file.
    pub(super) offset: u32,
}

/// A segment's bytes and the place of reading.
#[derive(Debug)]
pub(super) struct SegmentScan {
    pub(super) path: PathBuf,
    pub(super) page: Page,
    bytes: Vec<u8>,
    /// Where the next batch begins, if there is one.
    pub(super) at: usize,
    pub(super) tail: Tail,
}

/// What the log's end looks like so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) last_batch: u64,
    pub(super) last_seq: u64,
    pub(super) epoch: u64,
    pub(super) hash: BatchHash,
    pub(super) is_sealed: bool,
}

/// What stands where the next batch would begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A sound batch.
    Batch(BatchHeader),
    /// Zeros: nothing was ever written here.
    Blank,
    /// Something that is not a sound batch.
    Broken(&'static str),
}

impl SegmentScan {
    /// Reads a segment into memory.
    pub(super) fn open(path: &Path) -> Result<Self, JournalError> {
        let bytes = fs::read(path).map_err(|e| JournalError::io("read", path, e))?;
        let page = Page::decode(&bytes).map_err(|reason| JournalError::damaged(path, 0, reason))?;
        let tail = Tail {
            last_batch: page.first_batch - 1,
            last_seq: page.first_seq - 1,
            epoch: 0,
            hash: page.previous,
            is_sealed: false,
        };
        Ok(Self { path: path.to_owned(), page, bytes, at: PAGE_BYTES, tail })
    }

    /// Looks at the next batch without moving on: header, chain, length and every record's checksum.
    pub(super) fn peek(&self) -> Next {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        if rest.iter().take(HEADER_BYTES).all(|byte| *byte == 0) {
            return Next::Blank;
        }
        let Some(header) = BatchHeader::decode(rest, self.page.log) else {
            return Next::Broken("no sound batch begins here");
        };
        if header.batch != self.tail.last_batch + 1 || header.first_seq != self.tail.last_seq + 1 {
            return Next::Broken("a batch does not follow the one before it");
        }
        if header.previous != self.tail.hash {
            return Next::Broken("a batch does not carry the hash of the one before it");
        }
        let Some(frames) = rest.get(HEADER_BYTES..HEADER_BYTES + header.length as usize) else {
            return Next::Broken("a batch is cut off");
        };
        match count_frames(frames) {
            Ok(count) if count == header.count => Next::Batch(header),
            Ok(_) => Next::Broken("a batch has another number of records than its header says"),
            Err(reason) => Next::Broken(reason),
        }
    }

    /// The records of the batch that `peek` found, and moves behind it.
    pub(super) fn take(&mut self, header: &BatchHeader) -> impl Iterator<Item = Read<'_>> {
        let (begin, start) = (self.at, self.at + HEADER_BYTES);
        let end = start + header.length as usize;
        self.at = end;
        let frames = &self.bytes[start..end];
        // Format 1 hashes the bytes as they are.
        let leaves = if self.page.format == 1 { Vec::new() } else { leaf_hashes(frames) };
        self.tail = Tail {
            last_batch: header.batch,
            last_seq: header.first_seq + u64::from(header.count) - 1,
            epoch: header.epoch,
            hash: hash_batch(self.page.format, &self.bytes[begin..end], &leaves),
            is_sealed: header.is_seal,
        };
        let mut offset = 0;
        (header.first_seq..).map_while(move |seq| {
            let (frame, length) = Frame::decode(frames.get(offset..).filter(|rest| !rest.is_empty())?).ok()?;
            let read = Read { seq, frame, offset: (start + offset) as u32 };
            offset += length;
            Some(read)
        })
    }

    /// A sound header of a batch that comes after the next one, anywhere behind the place of reading.
    pub(super) fn later_batch(&self) -> Option<(usize, BatchHeader)> {
        let from = (self.at + 1).min(self.bytes.len());
        (from..self.bytes.len().saturating_sub(HEADER_BYTES - 1)).find_map(|at| {
            let header = BatchHeader::decode(&self.bytes[at..], self.page.log)?;
            (header.batch > self.tail.last_batch + 1).then_some((at, header))
        })
    }

    /// Where the last byte that is not zero stands, from the place of reading on.
    pub(super) fn written_until(&self) -> usize {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        self.at + rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    }

    pub(super) fn damaged(&self, reason: &str) -> JournalError {
        JournalError::damaged(&self.path, self.at as u64, reason)
    }
}

fn count_frames(mut frames: &[u8]) -> Result<u32, &'static str> {
    let mut count = 0;
    while !frames.is_empty() {
        let (_, length) = Frame::decode(frames)?;
        frames = &frames[length..];
        count += 1;
    }
    Ok(count)
}

/// A segment of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSpan {
    /// Its number, counted from 1.
    pub number: u64,
    /// The sequence of its first record.
    pub first_seq: u64,
    /// When it was begun.
    pub begun_at: Timestamp,
}

/// The segments of the journal in `folder`, in their order. Reads the first page of each.
pub fn segments(folder: &Path) -> Result<Vec<SegmentSpan>, JournalError> {
    let span = |number| {
        let page = Page::read(&segment_path(folder, number))?;
        Ok(SegmentSpan { number, first_seq: page.first_seq, begun_at: Timestamp::from_micros(page.created_at) })
    };
    segment_numbers(folder)?.into_iter().map(span).collect()
}

/// Reads the records of a journal from a sequence on, in order, everything checked. Needs no lock: it may run beside a
/// process that writes, and then ends where that process has come to.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    /// Segments not yet read, the next one last.
    segments: Vec<u64>,
    scan: Option<SegmentScan>,
    from: u64,
}

impl Reader {
    /// A reader of the journal in `folder` that begins with the record `from`.
    pub fn new(folder: &Path, from: u64) -> Result<Self, JournalError> {
        let mut segments = segment_numbers(folder)?;
        if let Some(missing) = segments.windows(2).find(|pair| pair[1] != pair[0] + 1) {
            let path = segment_path(folder, missing[0] + 1);
            return Err(JournalError::damaged(&path, 0, "the segment is missing"));
        }
        // The segment that holds `from` is the last one that begins at or before it.
        while segments.len() > 1 && Page::read(&segment_path(folder, segments[1]))?.first_seq <= from {
            segments.remove(0);
        }
        segments.reverse();
        Ok(Self { folder: folder.to_owned(), segments, scan: None, from })
    }

    /// A reader of one segment's records, so that several can be read side by side.
    pub fn of_segment(folder: &Path, number: u64) -> Self {
        Self { folder: folder.to_owned(), segments: vec![number], scan: None, from: 0 }
    }

    /// Hands every record of the next batch to `each`; false at the journal's end.
    pub fn next_batch(&mut self, mut each: impl FnMut(Read<'_>)) -> Result<bool, JournalError> {
        loop {
            let scan = match &mut self.scan {
                Some(scan) => scan,
                None => {
                    let Some(number) = self.segments.pop() else { return Ok(false) };
                    self.scan.insert(SegmentScan::open(&segment_path(&self.folder, number))?)
                }
            };
            match scan.peek() {
                Next::Batch(header) => {
                    let from = self.from;
                    scan.take(&header).filter(|read| read.seq >= from).for_each(&mut each);
                    return Ok(true);
                }
                // The end of the last segment is the end of the journal: a torn end is cut when the journal is opened for
                // writing, and a reader beside a writer may see a batch half written.
                Next::Blank | Next::Broken(_) if self.segments.is_empty() => match scan.later_batch() {
                    Some(_) => return Err(scan.damaged("the records from here on are damaged, and later ones are not")),
                    None => return Ok(false),
                },
                Next::Blank => self.follow()?,
                Next::Broken(reason) => {
                    let reason = format!("{reason}, and there are later segments");
                    return Err(scan.damaged(&reason));
                }
            }
        }
    }

    /// Goes on to the next segment, which must continue this one.
    fn follow(&mut self) -> Result<(), JournalError> {
        let (Some(scan), Some(number)) = (self.scan.take(), self.segments.pop()) else { return Ok(()) };
        let next = SegmentScan::open(&segment_path(&self.folder, number))?;
        if next.page.previous != scan.tail.hash || next.page.first_seq != scan.tail.last_seq + 1 {
            return Err(scan.damaged("the segment ends before the next one begins"));
        }
        self.scan = Some(next);
        Ok(())
    }
}
