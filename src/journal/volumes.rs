//! Looking at single records: a stretch of a segment is read for each, not the segment. Of segments that were looked into
//! lately, indexes, tables and blocks are kept.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::batch::{BatchHeader, Frame, HEADER_BYTES, Kind, u32_at};
use super::index::{SegmentIndex, scan_entries};
use super::names::{is_there, sealed_path, segment_numbers, segment_path};
use super::reader::segment_of;
use super::sealed::Sealed;
use super::segment::{PAGE_BYTES, Page};
use super::window::{Bytes, LOOK_BYTES, Window};
use super::{Gap, JournalError};
use crate::sync::Mutex;

/// A record that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its sequence.
    pub seq: u64,
    /// What it holds.
    pub kind: Kind,
    /// The record itself.
    pub payload: Vec<u8>,
}

/// Indexes of full segments that are kept in memory: a little more than a mebibyte each, for segments of 64 MiB.
const INDEXES_MAX: usize = 32;

/// Sealed segments that are kept open, each with its table: some 10 KiB and a file.
const SEALED_MAX: usize = 64;

/// Blocks that are kept unpacked, some 128 KiB each: what is looked at together mostly stands together.
const BLOCKS_MAX: usize = 32;

/// What is kept under names, the one that goes next first.
type Kept<K, V> = Mutex<VecDeque<(K, Arc<V>)>>;

/// The segments of a folder, and what is kept of those that were looked into.
#[derive(Debug)]
pub(super) struct Volumes {
    folder: PathBuf,
    pages: Mutex<HashMap<u64, Page>>,
    indexes: Kept<u64, SegmentIndex>,
    sealed: Kept<u64, Sealed>,
    blocks: Kept<(u64, usize), Vec<u8>>,
}

/// A record that is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Its segment.
    pub(super) number: u64,
    /// Its sequence, less the segment's first.
    pub(super) nth: u32,
    /// A key that it must have to be the one.
    pub(super) key: Option<u128>,
}

/// A place in a segment that is not sealed from which a record can be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) offset: u64,
    /// The place of the record that begins there.
    pub(super) nth: u32,
}

impl Start {
    pub(super) const BEGINNING: Self = Self { offset: PAGE_BYTES as u64, nth: 0 };
}

impl Volumes {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            pages: Mutex::default(),
            indexes: Mutex::default(),
            sealed: Mutex::default(),
            blocks: Mutex::default(),
        }
    }

    /// The page of a segment.
    pub(super) fn page(&self, number: u64) -> Result<Page, JournalError> {
        if let Some(page) = self.pages.lock().unwrap_or_else(PoisonError::into_inner).get(&number) {
            return Ok(*page);
        }
        let page = Page::read(&self.folder, number)?;
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(number, page);
        Ok(page)
    }

    /// The index of a full segment.
    pub(super) fn index(&self, number: u64) -> Result<Arc<SegmentIndex>, JournalError> {
        if let Some(index) = kept(&self.indexes, &number) {
            return Ok(index);
        }
        let index = Arc::new(SegmentIndex::open(&self.folder, number)?);
        Ok(keep(&self.indexes, number, index, INDEXES_MAX))
    }

    /// The first record of a full segment with a key.
    pub(super) fn find(&self, number: u64, key: u128) -> Result<Option<Found>, JournalError> {
        let index = self.index(number)?;
        for nth in index.find(key) {
            let found = self.record(Wanted { number, nth, key: Some(key) }, || start_of(&index, nth))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// A record of a full segment by its place.
    pub(super) fn nth(&self, number: u64, nth: u32) -> Result<Option<Found>, JournalError> {
        let start = || self.index(number).map_or(Start::BEGINNING, |index| start_of(&index, nth));
        self.record(Wanted { number, nth, key: None }, start)
    }

    /// A record; `start` says where to begin reading if its segment is not sealed.
    pub(super) fn record(&self, wanted: Wanted, start: impl FnOnce() -> Start) -> Result<Option<Found>, JournalError> {
        let page = self.page(wanted.number)?;
        let seq = page.first_seq + u64::from(wanted.nth);
        let Some(sealed) = self.sealed(wanted.number)? else {
            let path = segment_path(&self.folder, wanted.number);
            let start = start();
            return match Window::of_file(path.clone(), LOOK_BYTES) {
                Ok(mut window) => {
                    let ends_before = self.begin_of(wanted.number + 1)?;
                    let seq_of_start = page.first_seq + u64::from(start.nth);
                    let walk = Walk { page, at: start.offset, seq: seq_of_start, ends_before };
                    walk.find(&mut window, seq, wanted.key, |at, reason| {
                        JournalError::damaged(&path, at, reason).at_record(Some(seq))
                    })
                }
                // It was sealed between one look and the next.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => match self.sealed(wanted.number)? {
                    Some(sealed) => self.in_block(&sealed, wanted),
                    None => Err(super::names::missing_segment(&self.folder, wanted.number)),
                },
                Err(e) => Err(JournalError::io("open", &path, e)),
            };
        };
        self.in_block(&sealed, wanted)
    }

    /// Where a segment begins, if it is there.
    fn begin_of(&self, number: u64) -> Result<Option<u64>, JournalError> {
        if !is_there(&self.folder, number) {
            return Ok(None);
        }
        self.page(number).map(|page| Some(page.first_seq))
    }

    fn in_block(&self, sealed: &Arc<Sealed>, wanted: Wanted) -> Result<Option<Found>, JournalError> {
        if sealed.blocks() == 0 {
            return Ok(None);
        }
        let seq = sealed.page.first_seq + u64::from(wanted.nth);
        let number = sealed.block_of(wanted.nth);
        let bytes = match kept(&self.blocks, &(wanted.number, number)) {
            Some(bytes) => bytes,
            None => {
                let mut bytes = Vec::new();
                sealed.unpack(number, &mut bytes)?;
                keep(&self.blocks, (wanted.number, number), Arc::new(bytes), BLOCKS_MAX)
            }
        };
        let at = sealed.begin_of(number);
        let walk = Walk { page: sealed.page, at, seq: sealed.seq_of(number), ends_before: None };
        walk.find(&mut Unpacked { at, bytes: &bytes }, seq, wanted.key, |at, reason| {
            JournalError::damaged(&sealed.path, sealed.offset_of(at), reason).at_record(Some(seq))
        })
    }

    /// A segment if it is sealed. While it is there as it was written, that is the one that counts.
    fn sealed(&self, number: u64) -> Result<Option<Arc<Sealed>>, JournalError> {
        if let Some(sealed) = kept(&self.sealed, &number) {
            return Ok(Some(sealed));
        }
        if segment_path(&self.folder, number).exists() {
            return Ok(None);
        }
        let sealed = Sealed::open(&sealed_path(&self.folder, number))?;
        Ok(sealed.map(|sealed| keep(&self.sealed, number, Arc::new(sealed), SEALED_MAX)))
    }
}

pub(super) fn start_of(index: &SegmentIndex, nth: u32) -> Start {
    index.mark(nth).map_or(Start::BEGINNING, |(offset, nth)| Start { offset: offset.into(), nth })
}

/// What is kept under a name, now the last to go.
fn kept<K: PartialEq, V>(list: &Kept<K, V>, name: &K) -> Option<Arc<V>> {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    let at = list.iter().position(|(known, _)| known == name)?;
    let entry = list.remove(at)?;
    let value = Arc::clone(&entry.1);
    list.push_back(entry);
    Some(value)
}

fn keep<K, V>(list: &Kept<K, V>, name: K, value: Arc<V>, most: usize) -> Arc<V> {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    list.push_back((name, Arc::clone(&value)));
    if list.len() > most {
        list.pop_front();
    }
    value
}

/// A block of a sealed segment.
pub(super) struct Unpacked<'a> {
    pub(super) at: u64,
    pub(super) bytes: &'a [u8],
}

impl Bytes for Unpacked<'_> {
    fn bytes(&mut self, at: u64, length: usize) -> Result<&[u8], JournalError> {
        let begin = (at.saturating_sub(self.at) as usize).min(self.bytes.len());
        Ok(&self.bytes[begin..(begin + length).min(self.bytes.len())])
    }
}

/// A way through a segment from a batch or a record on.
pub(super) struct Walk {
    pub(super) page: Page,
    pub(super) at: u64,
    /// The sequence of the next record.
    pub(super) seq: u64,
    /// The first record of the next segment, if it is known and there is one.
    pub(super) ends_before: Option<u64>,
}

impl Walk {
    /// The record with a sequence, if it has the key. A record that a gap has lost is not found.
    fn find(
        mut self,
        bytes: &mut impl Bytes,
        seq: u64,
        key: Option<u128>,
        damaged: impl Fn(u64, &'static str) -> JournalError,
    ) -> Result<Option<Found>, JournalError> {
        while self.seq <= seq {
            match self.next(bytes, &damaged)? {
                Some((at, frame)) if at == seq => {
                    let is_it = key.is_none_or(|key| frame.keys().any(|has| has == key));
                    return Ok(is_it.then(|| Found { seq, kind: frame.kind, payload: frame.payload.to_vec() }));
                }
                Some(_) => {}
                None => break,
            }
        }
        Ok(None)
    }

    /// The next record and its sequence, everything on the way to it checked; `None` at the end of what is written.
    pub(super) fn next<'b>(
        &mut self,
        bytes: &'b mut impl Bytes,
        damaged: &impl Fn(u64, &'static str) -> JournalError,
    ) -> Result<Option<(u64, Frame<'b>)>, JournalError> {
        let length = loop {
            let head = bytes.bytes(self.at, HEADER_BYTES)?;
            if head.iter().all(|byte| *byte == 0) {
                return match self.ends_before {
                    Some(next) if self.seq < next => {
                        Err(damaged(self.at, "nothing is written here, and records follow"))
                    }
                    _ => Ok(None),
                };
            }
            // A frame cannot pose as a header: it would have to be larger than a segment.
            let Some(header) = BatchHeader::decode(head, self.page.log) else {
                let length = head.get(..4).map(|head| 8 + u32_at(head, 0) as usize);
                break length.ok_or_else(|| damaged(self.at, "a record's head is cut off"))?;
            };
            self.enter(&header, bytes, damaged)?;
        };
        let (frame, _) = Frame::decode(bytes.bytes(self.at, length)?).map_err(|reason| damaged(self.at, reason))?;
        self.at += length as u64;
        self.seq += 1;
        Ok(Some((self.seq - 1, frame)))
    }

    /// Goes into a batch, or over a gap.
    fn enter(
        &mut self,
        header: &BatchHeader,
        bytes: &mut impl Bytes,
        damaged: impl Fn(u64, &'static str) -> JournalError,
    ) -> Result<(), JournalError> {
        if header.first_seq != self.seq {
            return Err(damaged(self.at, "a batch does not follow the one before it"));
        }
        let frames = self.at + HEADER_BYTES as u64;
        self.at = frames;
        if header.is_gap {
            let gap = Gap::decode(header, bytes.bytes(frames, header.length as usize)?);
            let gap = gap.ok_or_else(|| damaged(frames, "a gap is not readable"))?;
            self.at += u64::from(header.length);
            self.seq += gap.records;
        }
        Ok(())
    }
}

/// The record with a sequence, read from a folder that another process may be writing. Reads a block of a sealed segment; of
/// one that is not, what is before the record unless there is an index.
pub fn record_at(folder: &Path, seq: u64) -> Result<Option<Found>, JournalError> {
    let last = segment_numbers(folder)?.len() as u64;
    if last == 0 || seq == 0 {
        return Ok(None);
    }
    let number = segment_of(folder, last, seq)?;
    let page = Page::read(folder, number)?;
    let Ok(nth) = u32::try_from(seq - page.first_seq) else { return Ok(None) };
    let start = || SegmentIndex::read(folder, &page).map_or(Start::BEGINNING, |index| start_of(&index, nth));
    Volumes::new(folder).record(Wanted { number, nth, key: None }, start)
}

/// The record with a key, read from a folder that another process may be writing: with the indexes that there are, and without
/// writing one.
pub fn record_with_key(folder: &Path, key: u128) -> Result<Option<Found>, JournalError> {
    let volumes = Volumes::new(folder);
    for number in segment_numbers(folder)?.into_iter().rev() {
        let page = volumes.page(number)?;
        let index = match SegmentIndex::read(folder, &page) {
            Some(index) => index,
            None => SegmentIndex::of(&page, &scan_entries(folder, number)?),
        };
        for nth in index.find(key) {
            let found = volumes.record(Wanted { number, nth, key: Some(key) }, || start_of(&index, nth))?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}
