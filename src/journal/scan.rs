//! Reading a segment, sealed or not: batch after batch, everything checked once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::{BatchHash, BatchHeader, Frame, HEADER_BYTES, check_frames, hash_batch};
use super::sealed::Sealed;
use super::segment::{PAGE_BYTES, Page};
use super::window::{Bytes, CHUNK_BYTES, Window};
use super::{Gap, JournalError};
use crate::tlog;

/// A record as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// Its sequence.
    pub seq: u64,
    /// The record.
    pub frame: Frame<'a>,
    /// The hash of its leaf in the tree.
    pub leaf_hash: &'a tlog::Hash,
    /// Where its frame begins in the segment.
    pub(super) offset: u32,
}

/// A segment and the place of reading.
#[derive(Debug)]
pub(super) struct SegmentScan {
    pub(super) path: PathBuf,
    pub(super) page: Page,
    window: Window,
    /// Where the next batch begins, if there is one.
    pub(super) at: u64,
    pub(super) tail: Tail,
    /// The leaf hashes of the batch that was looked at last.
    leaves: Vec<tlog::Hash>,
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
    /// Batches that were lost.
    Gap(BatchHeader, Gap),
    /// Zeros: nothing was ever written here.
    Blank,
    /// Something that is not a sound batch.
    Broken(&'static str),
}

impl Tail {
    /// The end of the log before a segment.
    pub(super) fn before(page: &Page) -> Self {
        Self {
            last_batch: page.first_batch - 1,
            last_seq: page.first_seq - 1,
            epoch: 0,
            hash: page.previous,
            is_sealed: false,
        }
    }

    /// Whether a segment begins here.
    pub(super) fn is_before(&self, page: &Page) -> bool {
        page.previous == self.hash && page.first_seq == self.last_seq + 1 && page.first_batch == self.last_batch + 1
    }

    /// Why a batch is not the next one.
    pub(super) fn refusal(&self, header: &BatchHeader) -> Option<&'static str> {
        if header.batch != self.last_batch + 1 || header.first_seq != self.last_seq + 1 {
            return Some("a batch does not follow the one before it");
        }
        (header.previous != self.hash).then_some("a batch does not carry the hash of the one before it")
    }

    /// The end of the log behind a gap.
    pub(super) fn behind(header: &BatchHeader, gap: &Gap) -> Self {
        Self {
            last_batch: header.batch + gap.batches - 1,
            last_seq: header.first_seq + gap.records - 1,
            epoch: header.epoch,
            hash: gap.resumes,
            is_sealed: false,
        }
    }
}

impl SegmentScan {
    /// Opens a segment, in either form.
    pub(super) fn open(folder: &Path, number: u64) -> Result<Self, JournalError> {
        let opened = Window::open(folder, number);
        opened
            .and_then(|(window, page)| Self::of(window, page))
            .map_err(|error| error.at_record_or(|| first_record(folder, number)))
    }

    /// Opens a sealed segment.
    pub(super) fn of_sealed(sealed: Sealed) -> Result<Self, JournalError> {
        let (window, page) = Window::of_sealed(Arc::new(sealed))?;
        Self::of(window, page)
    }

    fn of(window: Window, page: Page) -> Result<Self, JournalError> {
        let path = window.path().to_owned();
        if page.first_seq == 0 || page.first_batch == 0 {
            return Err(JournalError::damaged(&path, 0, "the segment's first page counts from 0"));
        }
        Ok(Self { path, page, window, at: PAGE_BYTES as u64, tail: Tail::before(&page), leaves: Vec::new() })
    }

    /// What is known of the segment if it is sealed.
    pub(super) fn sealed(&self) -> Option<&Arc<Sealed>> {
        self.window.sealed()
    }

    /// Looks at the next batch without moving on: header, chain, length, every record's checksum and leaf.
    pub(super) fn peek(&mut self) -> Result<Next, JournalError> {
        let (log, next_seq) = (self.page.log, self.tail.last_seq + 1);
        let unread = |error: JournalError| error.at_record(Some(next_seq));
        let head = self.window.bytes(self.at, HEADER_BYTES).map_err(unread)?;
        if head.iter().all(|byte| *byte == 0) {
            return Ok(Next::Blank);
        }
        let Some(header) = BatchHeader::decode(head, log) else {
            return Ok(Next::Broken("no sound batch begins here"));
        };
        if let Some(reason) = self.tail.refusal(&header) {
            return Ok(Next::Broken(reason));
        }
        let batch = self.window.bytes(self.at, HEADER_BYTES + header.length as usize).map_err(unread)?;
        let frames = &batch[HEADER_BYTES..];
        if frames.len() < header.length as usize {
            return Ok(Next::Broken("a batch is cut off"));
        }
        if header.is_gap {
            let gap = Gap::decode(&header, frames);
            return Ok(gap.map_or(Next::Broken("a gap is not readable"), |gap| Next::Gap(header, gap)));
        }
        self.leaves.clear();
        match check_frames(frames, &mut self.leaves) {
            Ok(()) if self.leaves.len() == header.count as usize => Ok(Next::Batch(header)),
            Ok(()) => Ok(Next::Broken("a batch has another number of records than its header says")),
            Err(reason) => Ok(Next::Broken(reason)),
        }
    }

    /// The records of the batch that `peek` found, and moves behind it.
    pub(super) fn take(&mut self, header: &BatchHeader) -> impl Iterator<Item = Read<'_>> {
        let begin = self.at;
        let batch = self.window.held(begin, HEADER_BYTES + header.length as usize);
        self.at += batch.len() as u64;
        self.tail = Tail {
            last_batch: header.batch,
            last_seq: header.first_seq + u64::from(header.count) - 1,
            epoch: header.epoch,
            hash: hash_batch(self.page.format, batch, &self.leaves),
            is_sealed: header.is_seal,
        };
        let mut at = HEADER_BYTES;
        (header.first_seq..).zip(&self.leaves).map_while(move |(seq, leaf_hash)| {
            let (frame, length) = Frame::parse(&batch[at..]).ok()?;
            let read = Read { seq, frame, leaf_hash, offset: (begin + at as u64) as u32 };
            at += length;
            Some(read)
        })
    }

    /// Moves behind the gap that `peek` found.
    pub(super) fn step_over(&mut self, header: &BatchHeader, gap: &Gap) {
        self.at += HEADER_BYTES as u64 + u64::from(header.length);
        self.tail = Tail::behind(header, gap);
    }

    /// The bytes of the batch that `peek` found.
    pub(super) fn batch(&self, header: &BatchHeader) -> &[u8] {
        self.window.held(self.at, HEADER_BYTES + header.length as usize)
    }

    /// Moves behind all batches, and returns the gaps among them.
    pub(super) fn run_to_end(&mut self) -> Result<Vec<Gap>, JournalError> {
        let mut gaps = Vec::new();
        loop {
            match self.peek()? {
                Next::Batch(header) => self.take(&header).for_each(drop),
                Next::Gap(header, gap) => {
                    self.step_over(&header, &gap);
                    gaps.push(gap);
                }
                Next::Blank | Next::Broken(_) => return Ok(gaps),
            }
        }
    }

    /// Reads again what may have been written since it was read.
    pub(super) fn look_again(&mut self) {
        self.window.forget(self.at);
    }

    /// A sound header of a batch that comes after the next one, anywhere behind the place of reading.
    pub(super) fn later_batch(&mut self) -> Result<Option<(u64, BatchHeader)>, JournalError> {
        self.look_again();
        let (log, last_batch) = (self.page.log, self.tail.last_batch);
        let mut from = self.at + 1;
        loop {
            let bytes = self.window.bytes(from, CHUNK_BYTES)?;
            let headers = bytes.len().saturating_sub(HEADER_BYTES - 1);
            let later = (0..headers).find_map(|at| {
                let header = BatchHeader::decode(&bytes[at..], log)?;
                (header.batch > last_batch + 1).then_some((from + at as u64, header))
            });
            if later.is_some() || headers == 0 {
                return Ok(later);
            }
            from += headers as u64;
        }
    }

    /// Where the last byte that is not zero stands, from the place of reading on.
    pub(super) fn written_until(&mut self) -> Result<u64, JournalError> {
        self.look_again();
        let (mut from, mut until) = (self.at, self.at);
        loop {
            let bytes = self.window.bytes(from, CHUNK_BYTES)?;
            if bytes.is_empty() {
                return Ok(until);
            }
            until = bytes.iter().rposition(|byte| *byte != 0).map_or(until, |last| from + last as u64 + 1);
            from += bytes.len() as u64;
        }
    }

    pub(super) fn damaged(&self, reason: &str) -> JournalError {
        let offset = self.window.offset_of(self.at);
        JournalError::damaged(&self.path, offset, reason).at_record(Some(self.tail.last_seq + 1))
    }
}

/// The sequence with which a segment begins, as the one before it tells.
pub(super) fn first_record(folder: &Path, number: u64) -> Option<u64> {
    if number <= 1 {
        return Some(1);
    }
    // A segment that cannot be read tells nothing of the next; only the first damage is looked for.
    let (window, page) = Window::open_quietly(folder, number - 1)?;
    let mut before = SegmentScan::of(window, page).ok()?;
    before.run_to_end().ok()?;
    Some(before.tail.last_seq + 1)
}
