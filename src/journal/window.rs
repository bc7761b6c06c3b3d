//! The bytes of a segment by their place in it, whichever form it has: as much at a time as is needed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::JournalError;
use super::names::{missing_segment, sealed_path, segment_path};
use super::sealed::{Sealed, Unpacking};
use super::segment::Page;

/// Bytes that are read of a segment at once, if there is no more to a batch: for reading on, and for a look at one record.
pub(super) const CHUNK_BYTES: usize = 1 << 20;
pub(super) const LOOK_BYTES: usize = 1 << 16;

/// Bytes of a segment by their place.
pub(super) trait Bytes {
    /// The bytes from a place on: so many, or fewer where there are no more.
    fn bytes(&mut self, at: u64, length: usize) -> Result<&[u8], JournalError>;
}

/// A stretch of a segment's bytes.
#[derive(Debug)]
pub(super) struct Window {
    source: Source,
    /// Where in the segment the stretch begins.
    base: u64,
    bytes: Vec<u8>,
    chunk: usize,
}

#[derive(Debug)]
enum Source {
    /// As it was written.
    Plain { file: File, path: PathBuf },
    /// Compressed, with the number of the next block behind the stretch.
    Sealed { sealed: Arc<Sealed>, next: usize, unpacking: Unpacking },
}

impl Window {
    /// Opens a segment.
    pub(super) fn open(folder: &Path, number: u64) -> Result<(Self, Page), JournalError> {
        let path = segment_path(folder, number);
        match File::open(&path) {
            Ok(file) => Self::of_plain(file, path),
            Err(e) if e.kind() == io::ErrorKind::NotFound => match Sealed::open(&sealed_path(folder, number))? {
                Some(sealed) => Self::of_sealed(Arc::new(sealed)),
                None => Err(missing_segment(folder, number)),
            },
            Err(e) => Err(JournalError::io("open", &path, e)),
        }
    }

    /// As [`Window::open`], for looking at what stands before damage: says nothing if it cannot.
    pub(super) fn open_quietly(folder: &Path, number: u64) -> Option<(Self, Page)> {
        if let Ok(file) = File::open(segment_path(folder, number)) {
            return Self::of_plain(file, segment_path(folder, number)).ok();
        }
        let sealed = Sealed::open(&sealed_path(folder, number)).ok()??;
        Self::of_sealed(Arc::new(sealed)).ok()
    }

    fn of_plain(file: File, path: PathBuf) -> Result<(Self, Page), JournalError> {
        let page = Page::of_file(&file, &path)?;
        Ok((Self { source: Source::Plain { file, path }, base: 0, bytes: Vec::new(), chunk: CHUNK_BYTES }, page))
    }

    /// A window on a sealed segment.
    pub(super) fn of_sealed(sealed: Arc<Sealed>) -> Result<(Self, Page), JournalError> {
        let page = sealed.page;
        let unpacking = Unpacking::new(&sealed.path)?;
        let source = Source::Sealed { sealed, next: 0, unpacking };
        Ok((Self { source, base: 0, bytes: Vec::new(), chunk: CHUNK_BYTES }, page))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        match &self.source {
            Source::Plain { path, .. } => path,
            Source::Sealed { sealed, .. } => &sealed.path,
        }
    }

    /// The segment's summary, if it is sealed.
    pub(super) fn sealed(&self) -> Option<&Arc<Sealed>> {
        match &self.source {
            Source::Plain { .. } => None,
            Source::Sealed { sealed, .. } => Some(sealed),
        }
    }

    /// Where in the file a place in the segment is: itself, or the beginning of its block.
    pub(super) fn offset_of(&self, at: u64) -> u64 {
        match &self.source {
            Source::Plain { .. } => at,
            Source::Sealed { sealed, .. } => sealed.offset_of(at),
        }
    }

    /// A segment's file of which so much is read at once.
    pub(super) fn of_file(path: PathBuf, chunk: usize) -> std::io::Result<Self> {
        let file = File::open(&path)?;
        Ok(Self { source: Source::Plain { file, path }, base: 0, bytes: Vec::new(), chunk })
    }

    /// As [`Window::bytes`], of bytes that were asked for before: reads nothing.
    pub(super) fn held(&self, at: u64, length: usize) -> &[u8] {
        let begin = (at.saturating_sub(self.base) as usize).min(self.bytes.len());
        &self.bytes[begin..(begin + length).min(self.bytes.len())]
    }

    /// Forgets what was read, so that it is read again.
    pub(super) fn forget(&mut self, at: u64) {
        self.base = at;
        self.bytes.clear();
        if let Source::Sealed { sealed, next, .. } = &mut self.source {
            *next = sealed.block_at(at);
            self.base = sealed.begin_of(*next).min(at);
        }
    }

    fn read_until(&mut self, end: u64) -> Result<(), JournalError> {
        match &mut self.source {
            Source::Plain { file, path } => {
                let from = self.base + self.bytes.len() as u64;
                // What is asked for may be the length that a damaged record claims: no more is held than there is.
                let there = file.metadata().map_err(|e| JournalError::io("read", path, e))?.len().saturating_sub(from);
                let wanted = (end - from).max(self.chunk as u64).min(there) as usize;
                let begin = self.bytes.len();
                self.bytes.resize(begin + wanted, 0);
                let read = read_fully(file, &mut self.bytes[begin..], from);
                self.bytes.truncate(begin + *read.as_ref().unwrap_or(&0));
                read.map(drop).map_err(|e| JournalError::io("read", path, e))
            }
            Source::Sealed { sealed, next, unpacking } => {
                while *next < sealed.blocks() && self.base + (self.bytes.len() as u64) < end {
                    unpacking.unpack(sealed, *next, &mut self.bytes)?;
                    *next += 1;
                }
                Ok(())
            }
        }
    }
}

impl Bytes for Window {
    fn bytes(&mut self, at: u64, length: usize) -> Result<&[u8], JournalError> {
        let end = at + length as u64;
        if at < self.base || at > self.base + self.bytes.len() as u64 {
            self.forget(at);
        }
        if end > self.base + self.bytes.len() as u64 {
            let behind = ((at - self.base) as usize).min(self.bytes.len());
            self.bytes.drain(..behind);
            self.base += behind as u64;
            self.read_until(end)?;
        }
        Ok(self.held(at, length))
    }
}

/// Reads until the buffer is full or the file ends.
fn read_fully(file: &File, buffer: &mut [u8], mut at: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], at) {
            Ok(0) => break,
            Ok(bytes) => (read, at) = (read + bytes, at + bytes as u64),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}
