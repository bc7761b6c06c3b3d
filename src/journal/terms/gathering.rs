//! Gathering the terms of one segment: at once if it is full, from where one stopped if it is being written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::super::batch::{BatchHeader, Frame, HEADER_BYTES};
use super::super::names::segment_path;
use super::super::segment::{PAGE_BYTES, Page};
use super::super::{Gap, JournalError, Reader, Terms};
use super::gathered::Gathered;

/// Bytes that are read at a time from a segment that is being written.
const WINDOW_BYTES: usize = 1 << 18;

/// The terms of a segment as far as they were gathered.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) gathered: Gathered,
    pub(super) page: Page,
    /// The segment's file while more may come.
    tail: Option<Tail>,
}

#[derive(Debug)]
struct Tail {
    /// Held open, so that it can be read to its end when it is full and another file has taken its place.
    file: File,
    path: PathBuf,
    /// Where the next batch begins.
    at: u64,
    last_batch: u64,
    /// The sequence of the first record of the next batch.
    next_seq: u64,
}

impl Gathering {
    /// Gathers a segment that is full; gives up when told to.
    pub(super) fn whole(
        folder: &Path,
        number: u64,
        describer: &dyn Terms,
        is_stopping: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, JournalError> {
        let page = Page::read(folder, number)?;
        let mut gathering = Self { gathered: Gathered::new(page.first_seq), page, tail: None };
        let mut reader = Reader::of_segment(folder, number);
        let mut failed = None;
        while failed.is_none()
            && reader.next_batch(|read| {
                let mut taken = || gathering.gathered.add((read.seq, &read.frame), read.offset, describer);
                failed = failed.take().or_else(|| taken().err());
            })?
        {
            if is_stopping() {
                return Ok(None);
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(Some(gathering)),
        }
    }

    /// Begins with a segment that is being written. `None` if it is sealed meanwhile, and can be gathered as a whole.
    pub(super) fn begin(folder: &Path, number: u64) -> Result<Option<Self>, JournalError> {
        let path = segment_path(folder, number);
        let page = Page::read(folder, number)?;
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(JournalError::io("open", &path, e)),
        };
        let (last_batch, next_seq) = (page.first_batch - 1, page.first_seq);
        let tail = Tail { file, path, at: PAGE_BYTES as u64, last_batch, next_seq };
        Ok(Some(Self { gathered: Gathered::new(page.first_seq), page, tail: Some(tail) }))
    }

    /// Goes on to the last batch that is synced. What is not a sound batch ends it, until the next time.
    pub(super) fn catch_up(&mut self, describer: &dyn Terms, synced: u64) -> Result<(), JournalError> {
        let overview = &self.gathered.overview;
        if overview.first_seq + u64::from(overview.records) > synced {
            return Ok(());
        }
        let mut window = WINDOW_BYTES;
        while let Some(tail) = &self.tail {
            let bytes = tail.read(window)?;
            let taken = self.take_batches(&bytes, describer, synced)?;
            match BatchHeader::decode(&bytes[taken..], self.page.log).filter(|next| next.first_seq <= synced) {
                // It is there and was not taken.
                Some(next) if bytes.len() - taken >= HEADER_BYTES + next.length as usize => {
                    return self.refuse(synced);
                }
                // More of them, or one that is longer than what was read.
                Some(next) if bytes.len() == window => {
                    window = WINDOW_BYTES.max(HEADER_BYTES + next.length as usize);
                }
                None if taken > 0 && bytes.len() == window => window = WINDOW_BYTES,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// A batch that is not sound: damage if it is synced, or else one that another process is writing.
    fn refuse(&self, synced: u64) -> Result<(), JournalError> {
        match &self.tail {
            Some(tail) if synced < u64::MAX => {
                Err(JournalError::damaged(&tail.path, tail.at, "a batch that is synced is not sound"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it has all records of a segment behind which the next one begins with a record.
    pub(super) fn is_until(&self, next_seq: u64) -> bool {
        // A segment that was gathered as a whole was held against the next one.
        self.tail.as_ref().is_none_or(|tail| tail.next_seq == next_seq)
    }

    /// Takes the whole batches at the beginning of some bytes; returns where they end.
    fn take_batches(&mut self, bytes: &[u8], describer: &dyn Terms, synced: u64) -> Result<usize, JournalError> {
        let mut taken = 0;
        let Some(begin) = self.tail.as_ref().map(|tail| tail.at) else { return Ok(0) };
        while let Some(header) = BatchHeader::decode(&bytes[taken..], self.page.log) {
            let follows = |tail: &Tail| header.batch > tail.last_batch && header.first_seq == tail.next_seq;
            if header.first_seq > synced || self.tail.as_ref().is_none_or(|tail| !follows(tail)) {
                break;
            }
            let start = taken + HEADER_BYTES;
            let Some(frames) = bytes.get(start..start + header.length as usize) else { break };
            let Some(records) = records_of(&header, frames) else { break };
            if !header.is_gap {
                self.add_all(header.first_seq, frames, begin + start as u64, describer)?;
            }
            taken = start + frames.len();
            // Only now: what could not be told is asked for again.
            if let Some(tail) = &mut self.tail {
                (tail.at, tail.last_batch) = (begin + taken as u64, header.batch);
                tail.next_seq = header.first_seq + records;
            }
        }
        Ok(taken)
    }

    /// Adds the records of a batch, but those of them that were added before one could not be told.
    fn add_all(
        &mut self,
        first_seq: u64,
        frames: &[u8],
        start: u64,
        describer: &dyn Terms,
    ) -> Result<(), JournalError> {
        let overview = &self.gathered.overview;
        let (mut at, next) = (0, overview.first_seq + u64::from(overview.records));
        for seq in first_seq.. {
            let Ok((frame, length)) = Frame::decode(&frames[at..]) else { break };
            if seq >= next {
                self.gathered.add((seq, &frame), (start + at as u64) as u32, describer)?;
            }
            at += length;
        }
        Ok(())
    }
}

/// How many records a batch accounts for; `None` if it is not sound.
fn records_of(header: &BatchHeader, mut frames: &[u8]) -> Option<u64> {
    if header.is_gap {
        return Gap::decode(header, frames).map(|gap| gap.records);
    }
    let mut records = 0;
    while !frames.is_empty() {
        let (_, length) = Frame::decode(frames).ok()?;
        frames = &frames[length..];
        records += 1;
    }
    (records == u64::from(header.count)).then_some(records)
}

impl Tail {
    /// What comes next, at most so many bytes.
    fn read(&self, bytes: usize) -> Result<Vec<u8>, JournalError> {
        let failed = |e| JournalError::io("read", &self.path, e);
        let length = self.file.metadata().map_err(failed)?.len().saturating_sub(self.at);
        let mut window = vec![0; bytes.min(length as usize)];
        self.file.read_exact_at(&mut window, self.at).map_err(failed)?;
        Ok(window)
    }
}
