//! What can still be read of a damaged segment: its bytes with holes, and the sound batches among them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use zstd::zstd_safe;

use super::batch::{BatchHash, BatchHeader, HEADER_BYTES, check_frames, hash_batch};
use super::directory::FORMAT;
use super::names::{sealed_path, segment_path};
use super::sealed::{HEAD_BYTES, Sealed, decode_head};
use super::segment::{PAGE_BYTES, Page};
use super::{Gap, JournalError};

/// What a zstd frame begins with.
const FRAME_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// A block is a few batches at most, and a batch fits into a segment.
const UNPACKED_MAX: u64 = 1 << 31;

/// The bytes of a segment as far as they can be read: zeros, or nothing, where they cannot.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) path: PathBuf,
    /// From the beginning of the segment, with room for its page.
    pub(super) bytes: Vec<u8>,
    pub(super) page: Option<Page>,
    /// What is wrong with the file of a sealed segment, and where.
    pub(super) fault: Option<(u64, String)>,
}

/// A batch that is sound in itself, wherever it stands.
#[derive(Clone, Debug)]
pub(super) struct Sound {
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) header: BatchHeader,
    pub(super) gap: Option<Gap>,
    leaves: Vec<crate::tlog::Hash>,
}

impl Image {
    /// Reads what can be read of a segment; `None` if it is missing.
    pub(super) fn load(folder: &Path, number: u64) -> Result<Option<Self>, JournalError> {
        let read = |path: PathBuf| match fs::read(&path) {
            Ok(bytes) => Ok(Some((path, bytes))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(JournalError::io("read", &path, e)),
        };
        if let Some((path, mut bytes)) = read(segment_path(folder, number))? {
            if let Some(image) = Self::of_copy(folder, number, &path)? {
                return Ok(Some(image));
            }
            let page = Page::decode(&bytes).ok().filter(|page| page.number == number);
            bytes.resize(bytes.len().max(PAGE_BYTES), 0);
            return Ok(Some(Self { path, bytes, page, fault: None }));
        }
        let Some((path, packed)) = read(sealed_path(folder, number))? else { return Ok(None) };
        let page = decode_head(&packed).ok().filter(|page| page.number == number);
        let mut fault = None;
        let mut note = |error| match error {
            JournalError::Damaged { offset, reason, .. } if fault.is_none() => fault = Some((offset, reason)),
            _ => {}
        };
        let bytes = match Sealed::open(&path) {
            Ok(Some(sealed)) => by_table(&sealed, note),
            Ok(None) => by_frames(&packed),
            Err(error) => {
                note(error);
                by_frames(&packed)
            }
        };
        let fault = fault.or_else(|| Some((0, "the sealed segment is not what its table says".to_owned())));
        Ok(Some(Self { path, bytes, page, fault }))
    }

    /// What a sealed copy holds that stands beside a damaged segment: a crash may come before the segment is removed. `None` if it is
    /// not whole itself.
    fn of_copy(folder: &Path, number: u64, path: &Path) -> Result<Option<Self>, JournalError> {
        let Ok(Some(sealed)) = Sealed::open(&sealed_path(folder, number)) else { return Ok(None) };
        let page = Some(sealed.page).filter(|page| page.number == number);
        let mut is_whole = page.is_some();
        let bytes = by_table(&sealed, |_| is_whole = false);
        if !is_whole {
            return Ok(None);
        }
        let fault = Some((0, "the segment is damaged; the sealed copy beside it is whole".to_owned()));
        Ok(Some(Self { path: path.to_owned(), bytes, page, fault }))
    }

    /// The next sound batch of a log from a place on that `is_wanted`.
    pub(super) fn next_sound(&self, from: usize, log: u64, is_wanted: impl Fn(&BatchHeader) -> bool) -> Option<Sound> {
        (from..self.bytes.len()).find_map(|at| {
            let header = BatchHeader::decode(self.bytes.get(at..)?, log)?;
            if is_wanted(&header) { self.sound_at(at, log) } else { None }
        })
    }

    /// The batch at a place, if it is sound.
    pub(super) fn sound_at(&self, begin: usize, log: u64) -> Option<Sound> {
        let header = BatchHeader::decode(self.bytes.get(begin..)?, log)?;
        let end = begin.checked_add(HEADER_BYTES)?.checked_add(header.length as usize)?;
        let frames = self.bytes.get(begin + HEADER_BYTES..end)?;
        let mut leaves = Vec::new();
        if header.is_gap {
            let gap = Some(Gap::decode(&header, frames)?);
            return Some(Sound { begin, end, header, gap, leaves });
        }
        check_frames(frames, &mut leaves).ok()?;
        (leaves.len() == header.count as usize).then_some(Sound { begin, end, header, gap: None, leaves })
    }

    /// The hash of a sound batch.
    pub(super) fn hash(&self, format: u32, sound: &Sound) -> BatchHash {
        hash_batch(format, &self.bytes[sound.begin..sound.end], &sound.leaves)
    }

    /// The format of the batches: the page's, or the one by which the first two sound batches that follow each other are a
    /// chain, or that of the segment before.
    pub(super) fn format(&self, log: u64, before: u32) -> u32 {
        if let Some(page) = &self.page {
            return page.format;
        }
        let mut at = PAGE_BYTES;
        while let Some(first) = self.next_sound(at, log, |_| true) {
            at = first.end;
            let Some(second) = self.sound_at(at, log) else { continue };
            let fits = |format: &u32| self.hash(*format, &first) == second.header.previous;
            if let Some(format) = (1..=FORMAT).find(fits) {
                return format;
            }
        }
        before
    }

    /// The log of whatever header there is.
    pub(super) fn log(&self) -> Option<u64> {
        let by_header = || (PAGE_BYTES..self.bytes.len()).find_map(|at| BatchHeader::log_of(&self.bytes[at..]));
        self.page.map(|page| page.log).or_else(by_header)
    }

    /// Whether anything but zeros stands from a place on.
    pub(super) fn is_written_from(&self, at: usize) -> bool {
        self.bytes[at.min(self.bytes.len())..].iter().any(|byte| *byte != 0)
    }
}

/// Every block that can be unpacked, and zeros in the place of every other.
fn by_table(sealed: &Sealed, mut note: impl FnMut(JournalError)) -> Vec<u8> {
    let mut bytes = vec![0; PAGE_BYTES];
    for block in 0..sealed.blocks() {
        if let Err(error) = sealed.unpack(block, &mut bytes) {
            note(error);
            bytes.resize(sealed.begin_of(block + 1) as usize, 0);
        }
    }
    bytes
}

/// Every zstd frame that can be found and unpacked, one behind the other.
fn by_frames(packed: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; PAGE_BYTES];
    let mut at = HEAD_BYTES;
    while let Some(found) = packed.get(at..).and_then(|rest| rest.windows(4).position(|four| four == FRAME_MAGIC)) {
        at += found;
        match unpacked(&packed[at..]) {
            Some((length, block)) => {
                bytes.extend_from_slice(&block);
                at += length;
            }
            None => at += 1,
        }
    }
    bytes
}

/// The frame at the beginning of the bytes: its length and what it holds.
fn unpacked(packed: &[u8]) -> Option<(usize, Vec<u8>)> {
    let length = zstd_safe::find_frame_compressed_size(packed).ok()?;
    let size = zstd_safe::get_frame_content_size(packed).ok()??;
    let frame = packed.get(..length)?;
    let block = (size < UNPACKED_MAX).then(|| zstd::bulk::decompress(frame, size as usize).ok())??;
    Some((length, block))
}
