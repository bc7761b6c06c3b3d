//! Gathering the terms of one segment: at once if it is full, from where one stopped if it is being written.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::super::batch::{BatchHeader, Frame, HEADER_BYTES};
use super::super::names::segment_path;
use super::super::segment::{PAGE_BYTES, Page};
use super::super::{JournalError, Reader, Terms};
use super::gathered::Gathered;

/// Bytes that are read at a time from a segment that is being written.
const WINDOW_BYTES: usize = 1 << 18;

/// The terms of a segment as far as they were gathered.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) gathered: Gathered,
    log: u64,
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
        let mut gathering = Self { gathered: Gathered::new(page.first_seq), log: page.log, tail: None };
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

    /// Begins with a segment that is being written.
    pub(super) fn begin(folder: &Path, number: u64) -> Result<Self, JournalError> {
        let path = segment_path(folder, number);
        let page = Page::read(folder, number)?;
        let file = File::open(&path).map_err(|e| JournalError::io("open", &path, e))?;
        let tail = Tail { file, path, at: PAGE_BYTES as u64, last_batch: page.first_batch - 1 };
        Ok(Self { gathered: Gathered::new(page.first_seq), log: page.log, tail: Some(tail) })
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
            match BatchHeader::decode(&bytes[taken..], self.log) {
                // More of them, or one that is longer than what was read.
                Some(next) if next.first_seq <= synced && bytes.len() == window => {
                    window = WINDOW_BYTES.max(HEADER_BYTES + next.length as usize);
                }
                None if taken > 0 && bytes.len() == window => window = WINDOW_BYTES,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes the whole batches at the beginning of some bytes; returns where they end.
    fn take_batches(&mut self, bytes: &[u8], describer: &dyn Terms, synced: u64) -> Result<usize, JournalError> {
        let mut taken = 0;
        let Some(begin) = self.tail.as_ref().map(|tail| tail.at) else { return Ok(0) };
        while let Some(header) = BatchHeader::decode(&bytes[taken..], self.log) {
            let Some(tail) = self.tail.as_mut().filter(|tail| header.batch > tail.last_batch) else { break };
            let start = taken + HEADER_BYTES;
            let Some(frames) = bytes.get(start..start + header.length as usize) else { break };
            if header.first_seq > synced || !(header.is_gap || is_sound(frames)) {
                break;
            }
            taken = start + frames.len();
            (tail.at, tail.last_batch) = (begin + taken as u64, header.batch);
            // What a gap holds is no frames.
            let frames = if header.is_gap { &[] } else { frames };
            let (mut at, mut seq) = (0, header.first_seq);
            while let Ok((frame, length)) = Frame::decode(&frames[at..]) {
                let offset = (begin as usize + start + at) as u32;
                self.gathered.add((seq, &frame), offset, describer)?;
                (at, seq) = (at + length, seq + 1);
            }
        }
        Ok(taken)
    }
}

fn is_sound(mut frames: &[u8]) -> bool {
    while !frames.is_empty() {
        let Ok((_, length)) = Frame::decode(frames) else { return false };
        frames = &frames[length..];
    }
    true
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
