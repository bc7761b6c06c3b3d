//! Reading a file of terms: a few small reads for a term, never the whole.

use std::cell::Cell;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::super::batch::u32_at;
use super::postings::{CHUNK_BYTES, Chunks, List, Unsound, checked, numbers, varint};
use super::stride::{STRIDE_BYTES, STRIDES_TOGETHER, Stride};
use super::table::{BITS, Belongs, FAR, HEADER_BYTES, Header, NEAR, ONE, short};
use crate::domain::Term;

/// Bytes of a group of strides with its checksum.
const STRIDES_BYTES: usize = STRIDES_TOGETHER * STRIDE_BYTES + 4;

/// A file of terms that is there and belongs to its segment.
#[derive(Debug)]
pub(super) struct TermsFile {
    path: PathBuf,
    pub(super) header: Header,
}

/// A file of terms, open.
#[derive(Debug)]
pub(super) struct OpenTerms {
    file: File,
    /// Chunks of posting lists that were read.
    pub(super) chunks: Cell<u32>,
    pub(super) header: Header,
}

pub(super) fn terms_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.terms"))
}

impl TermsFile {
    /// The terms of a segment, if their file is there, sound as far as one sees, and of this segment and version.
    pub(super) fn find(folder: &Path, belongs: Belongs) -> Option<Self> {
        let path = terms_path(folder, belongs.number);
        let file = File::open(&path).ok()?;
        let mut bytes = [0; HEADER_BYTES];
        file.read_exact_at(&mut bytes, 0).ok()?;
        let header = Header::decode(&bytes).filter(|header| header.belongs == belongs)?;
        let buckets = 8_u64 << header.buckets_log2;
        let length = file.metadata().ok()?.len();
        (length == u64::from(header.directory_at) + buckets).then_some(Self { path, header })
    }

    /// Opens it.
    pub(super) fn open(&self) -> Result<OpenTerms, Unsound> {
        let file = File::open(&self.path).map_err(|_| Unsound("it cannot be opened"))?;
        Ok(OpenTerms { file, chunks: Cell::new(0), header: self.header })
    }

    /// The short hashes of all terms. Reads the whole file.
    pub(super) fn shorts(&self) -> Result<Vec<u32>, Unsound> {
        let bytes = fs::read(&self.path).map_err(|_| Unsound("it cannot be read"))?;
        let mut shorts = Vec::with_capacity(self.header.terms as usize);
        for bucket in 0..1_u32 << self.header.buckets_log2 {
            let place = bytes.get(self.header.directory_at as usize + bucket as usize * 8..).and_then(|it| it.get(..8));
            let place = place.ok_or(Unsound("its directory is cut off"))?;
            let (at, length) = (u32_at(place, 0) as usize, u32_at(place, 4) as usize);
            let block = bytes.get(at..at.saturating_add(length)).ok_or(Unsound("a bucket is cut off"))?;
            let block = Bucket::of(block, bucket)?;
            block.each(&self.header, |entry| {
                shorts.push(entry.short);
                true
            })?;
        }
        Ok(shorts)
    }
}

impl OpenTerms {
    /// The records that may have a term; `None` where there are none.
    pub(super) fn list(&self, term: Term) -> Result<Option<List<FileChunks<'_>>>, Unsound> {
        let short = short(term);
        let bucket = self.header.bucket(short);
        let mut place = [0; 8];
        self.read(&mut place, self.header.directory_at + bucket * 8)?;
        let length = u32_at(&place, 4) as usize;
        if length > self.header.directory_at as usize {
            return Err(Unsound("a bucket is longer than the file"));
        }
        let mut block = vec![0; length];
        self.read(&mut block, u32_at(&place, 0))?;
        let (mut found, bucket) = (None, Bucket::of(&block, bucket)?);
        bucket.each(&self.header, |entry| {
            if entry.short == short {
                found = Some((entry.form, entry.length, entry.far_at, entry.deltas.to_vec()));
            }
            found.is_none()
        })?;
        let Some((form, length, far_at, deltas)) = found else { return Ok(None) };
        let chunks = FileChunks { file: self, at: far_at, length };
        Ok(Some(match form {
            ONE => List::held(vec![length], chunks),
            NEAR => List::held(numbers(&deltas)?, chunks),
            FAR => List::far((length as usize).div_ceil(CHUNK_BYTES + 4) as u32, chunks),
            _ => List::bits(self.header.overview.records, chunks),
        }))
    }

    /// The strides that share a checksum with one, and the number of the first of them.
    pub(super) fn strides_around(&self, number: u32) -> Result<(u32, Vec<Stride>), Unsound> {
        let group = number as usize / STRIDES_TOGETHER;
        let at = self.header.strides_at as usize + group * STRIDES_BYTES;
        let length = (self.header.directory_at as usize).saturating_sub(at).min(STRIDES_BYTES);
        let mut bytes = vec![0; length];
        self.read(&mut bytes, at as u32)?;
        let strides = checked(&bytes)?.chunks_exact(STRIDE_BYTES).map(Stride::decode).collect();
        Ok(((group * STRIDES_TOGETHER) as u32, strides))
    }

    fn read(&self, into: &mut [u8], at: u32) -> Result<(), Unsound> {
        self.file.read_exact_at(into, u64::from(at)).map_err(|_| Unsound("it cannot be read"))
    }
}

/// The chunks of a list in the file.
#[derive(Debug)]
pub(super) struct FileChunks<'a> {
    file: &'a OpenTerms,
    at: u32,
    length: u32,
}

impl Chunks for FileChunks<'_> {
    fn chunk(&mut self, number: u32) -> Result<Vec<u8>, Unsound> {
        self.file.chunks.set(self.file.chunks.get() + 1);
        let from = number * (CHUNK_BYTES as u32 + 4);
        let length = self.length.checked_sub(from).ok_or(Unsound("a posting list is cut off"))?;
        let mut bytes = vec![0; (length as usize).min(CHUNK_BYTES + 4)];
        self.file.read(&mut bytes, self.at.saturating_add(from))?;
        checked(&bytes)?;
        bytes.truncate(bytes.len() - 4);
        Ok(bytes)
    }
}

/// A bucket whose checksum is right.
struct Bucket<'a> {
    far_at: u32,
    entries: &'a [u8],
    number: u32,
}

struct Entry<'a> {
    short: u32,
    form: u32,
    /// Bytes of the list; of a single record its number.
    length: u32,
    /// Where a far list begins.
    far_at: u32,
    deltas: &'a [u8],
}

impl<'a> Bucket<'a> {
    fn of(block: &'a [u8], number: u32) -> Result<Self, Unsound> {
        let data = checked(block)?;
        if data.len() < 8 || u32_at(data, 0) != number {
            return Err(Unsound("a bucket is not where it belongs"));
        }
        Ok(Self { far_at: u32_at(data, 4), entries: &data[8..], number })
    }

    /// Hands on the entries while `each` wants more.
    fn each(&self, header: &Header, mut each: impl FnMut(Entry<'a>) -> bool) -> Result<(), Unsound> {
        let cut_off = Unsound("an entry is cut off");
        let (mut at, mut far_at, width) = (0, self.far_at, header.hash_bytes());
        let upper = if header.buckets_log2 == 0 { 0 } else { self.number << (32 - header.buckets_log2) };
        while at < self.entries.len() {
            let mut short = [0; 4];
            let Some(bytes) = self.entries.get(at..at + width) else { return Err(cut_off) };
            short[..width].copy_from_slice(bytes);
            at += width;
            let Some(tag) = varint(self.entries, &mut at) else { return Err(cut_off) };
            let (form, length) = (tag & 3, tag >> 2);
            let near = if form == NEAR { length as usize } else { 0 };
            let Some(deltas) = self.entries.get(at..at + near) else { return Err(cut_off) };
            at += near;
            let short = u32::from_le_bytes(short) | upper;
            if !each(Entry { short, form, length, far_at, deltas }) {
                return Ok(());
            }
            if form == FAR || form == BITS {
                far_at = far_at.saturating_add(length);
            }
        }
        Ok(())
    }
}
