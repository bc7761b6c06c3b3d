//! Sealed segments: the bytes of a full one in compressed blocks, with a table that says what is where.
//!
//! ```text
//! sealed = header, blocks, table, footer (all numbers little-endian)
//! header = magic "FWSEAL01", crc32c of the rest u32, the page of the segment from its format on (84 bytes)
//! block  = a zstd frame: bytes of the segment behind its page, from the beginning of a batch or of a record on
//! table  = for each block: where its bytes begin in the segment u32, where it begins in this file u32, sequence of the first
//!          record in it less the segment's first u32, crc32c of the frame u32
//! footer = magic "FWSEALND", crc32c of the rest of the footer and of the table u32, number of blocks u32,
//!          end of the last batch in the segment u64, last batch u64, last sequence u64, epoch u64, flags u32 (1: the log was
//!          ended with the last batch), reserved u32, hash of the last batch (32 bytes)
//! ```
//!
//! Page, blocks and nothing else make the segment again as it was, but for the zeros behind its last batch.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::batch::{u32_at, u64_at};
use super::scan::Tail;
use super::segment::{PAGE_BYTES, Page};

const MAGIC: [u8; 8] = *b"FWSEAL01";
const END_MAGIC: [u8; 8] = *b"FWSEALND";

/// Bytes of the header.
pub(super) const HEAD_BYTES: usize = 96;
const FOOT_BYTES: usize = 88;
const ENTRY_BYTES: usize = 16;
const FLAG_SEAL: u32 = 1;

/// Bytes of the segment that a block may unpack to: a batch is smaller than a segment, and that than 2 GiB.
const BLOCK_MAX: u64 = 1 << 31;

/// A block as the table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Where its bytes begin in the segment.
    pub(super) begin: u32,
    /// Where it begins in the file.
    pub(super) offset: u32,
    /// The sequence of the first record in it, less the segment's first.
    pub(super) nth: u32,
    pub(super) crc: u32,
}

/// A sealed segment that is open.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) path: PathBuf,
    file: File,
    pub(super) page: Page,
    table: Vec<Block>,
    /// Where the table begins.
    table_at: u64,
    /// The end of the last batch, in the segment.
    pub(super) end: u64,
    pub(super) tail: Tail,
}

impl Sealed {
    /// Opens a sealed segment and checks its header, table and footer; `None` if there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, JournalError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(JournalError::io("open", path, e)),
        };
        let page = read_head(&file, path)?;
        let length = file.metadata().map_err(|e| JournalError::io("read", path, e))?.len();
        let damaged = |at: u64, reason| JournalError::damaged(path, at, reason).at_record(Some(page.first_seq));
        let Some(foot_at) = length.checked_sub(FOOT_BYTES as u64).filter(|at| *at >= HEAD_BYTES as u64) else {
            return Err(damaged(length, "the sealed segment is cut off"));
        };
        let foot = read_exact(&file, path, foot_at, FOOT_BYTES)?;
        if foot[..8] != END_MAGIC {
            return Err(damaged(foot_at, "the sealed segment's end is not there"));
        }
        let table_at = foot_at.checked_sub(u64::from(u32_at(&foot, 12)) * ENTRY_BYTES as u64);
        let Some(table_at) = table_at.filter(|at| *at >= HEAD_BYTES as u64) else {
            return Err(damaged(foot_at, "the sealed segment's table is cut off"));
        };
        let table = read_exact(&file, path, table_at, (foot_at - table_at) as usize)?;
        if u32_at(&foot, 8) != crc32c::crc32c_append(crc32c::crc32c(&foot[12..]), &table) {
            return Err(damaged(table_at, "the checksum of the sealed segment's table is wrong"));
        }
        let table: Vec<Block> = table.chunks_exact(ENTRY_BYTES).map(Block::decode).collect();
        let (end, tail) = decode_foot(&foot);
        let sealed = Self { path: path.to_owned(), file, page, table, table_at, end, tail };
        if !sealed.is_ordered() {
            return Err(damaged(table_at, "the sealed segment's table does not fit its blocks"));
        }
        Ok(Some(sealed))
    }

    /// Whether the blocks fill the file and the segment from end to end.
    fn is_ordered(&self) -> bool {
        let first = self.table.first().map_or((self.end, self.table_at), |b| (b.begin.into(), b.offset.into()));
        let ascends = |pair: &[Block]| {
            pair[0].begin < pair[1].begin && pair[0].offset < pair[1].offset && pair[0].nth <= pair[1].nth
        };
        let last =
            self.table.last().is_none_or(|b| u64::from(b.begin) < self.end && u64::from(b.offset) < self.table_at);
        first == (PAGE_BYTES as u64, HEAD_BYTES as u64)
            && self.table.windows(2).all(ascends)
            && last
            && self.end < BLOCK_MAX * 2
    }

    pub(super) fn blocks(&self) -> usize {
        self.table.len()
    }

    /// The block that holds a place of the segment; the first for its page.
    pub(super) fn block_at(&self, at: u64) -> usize {
        if at >= self.end {
            return self.table.len();
        }
        self.table.partition_point(|block| u64::from(block.begin) <= at).saturating_sub(1)
    }

    /// The last block that begins with a record not after the nth, or before it.
    pub(super) fn block_of(&self, nth: u32) -> usize {
        self.table.partition_point(|block| block.nth <= nth).saturating_sub(1)
    }

    /// Where a block begins in the segment.
    pub(super) fn begin_of(&self, block: usize) -> u64 {
        self.table.get(block).map_or(self.end, |block| block.begin.into())
    }

    /// The sequence of the first record of a block.
    pub(super) fn seq_of(&self, block: usize) -> u64 {
        self.page.first_seq + self.table.get(block).map_or(0, |block| u64::from(block.nth))
    }

    /// Where in the file the block of a place begins.
    pub(super) fn offset_of(&self, at: u64) -> u64 {
        self.table.get(self.block_at(at)).map_or(self.table_at, |block| block.offset.into())
    }

    /// Unpacks a block behind what is in `into`.
    pub(super) fn unpack(&self, number: usize, into: &mut Vec<u8>) -> Result<(), JournalError> {
        Unpacking::new(&self.path)?.unpack(self, number, into)
    }

    fn packed(&self, number: usize) -> Result<Vec<u8>, JournalError> {
        let from = u64::from(self.table[number].offset);
        let until = self.table.get(number + 1).map_or(self.table_at, |next| next.offset.into());
        let packed = read_exact(&self.file, &self.path, from, (until - from) as usize)?;
        if crc32c::crc32c(&packed) != self.table[number].crc {
            return Err(self.damaged_block(number, "the checksum of a block is wrong"));
        }
        Ok(packed)
    }

    fn damaged_block(&self, number: usize, reason: &str) -> JournalError {
        let offset = u64::from(self.table[number].offset);
        JournalError::damaged(&self.path, offset, reason).at_record(Some(self.seq_of(number)))
    }
}

/// Unpacks blocks one after the other.
pub(super) struct Unpacking(zstd::bulk::Decompressor<'static>);

impl Unpacking {
    pub(super) fn new(path: &Path) -> Result<Self, JournalError> {
        let decompressor = zstd::bulk::Decompressor::new();
        decompressor.map(Self).map_err(|e| JournalError::io("unpack", path, e))
    }

    /// Unpacks a block behind what is in `into`.
    pub(super) fn unpack(&mut self, sealed: &Sealed, number: usize, into: &mut Vec<u8>) -> Result<(), JournalError> {
        let packed = sealed.packed(number)?;
        let length = (sealed.begin_of(number + 1) - sealed.begin_of(number)) as usize;
        let begin = into.len();
        into.resize(begin + length, 0);
        let unpacked = self.0.decompress_to_buffer(&packed, &mut into[begin..]);
        if !matches!(unpacked, Ok(bytes) if bytes == length) {
            into.truncate(begin);
            return Err(sealed.damaged_block(number, "a block does not unpack to what the table says"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Unpacking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpacking")
    }
}

impl Block {
    fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        for (place, number) in bytes.chunks_exact_mut(4).zip([self.begin, self.offset, self.nth, self.crc]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Self {
        Self { begin: u32_at(bytes, 0), offset: u32_at(bytes, 4), nth: u32_at(bytes, 8), crc: u32_at(bytes, 12) }
    }
}

/// The header of a sealed segment.
pub(super) fn head_of(page: &Page) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes.extend_from_slice(&page.encode()[12..HEAD_BYTES]);
    let crc = crc32c::crc32c(&bytes[12..]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The table and the footer of a sealed segment.
pub(super) fn foot_of(blocks: &[Block], end: u64, tail: &Tail) -> Vec<u8> {
    let mut bytes: Vec<u8> = blocks.iter().flat_map(Block::encode).collect();
    let table = bytes.len();
    bytes.extend_from_slice(&END_MAGIC);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
    for number in [end, tail.last_batch, tail.last_seq, tail.epoch] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let flags = if tail.is_sealed { FLAG_SEAL } else { 0 };
    bytes.extend_from_slice(&u64::from(flags).to_le_bytes());
    bytes.extend_from_slice(&tail.hash);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[table + 12..]), &bytes[..table]);
    bytes[table + 8..table + 12].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode_foot(foot: &[u8]) -> (u64, Tail) {
    let mut hash = [0; 32];
    hash.copy_from_slice(&foot[56..88]);
    let tail = Tail {
        last_batch: u64_at(foot, 24),
        last_seq: u64_at(foot, 32),
        epoch: u64_at(foot, 40),
        is_sealed: u32_at(foot, 48) & FLAG_SEAL != 0,
        hash,
    };
    (u64_at(foot, 16), tail)
}

/// The page of a sealed segment.
pub(super) fn read_head(file: &File, path: &Path) -> Result<Page, JournalError> {
    let bytes = read_exact(file, path, 0, HEAD_BYTES)?;
    let page = decode_head(&bytes).map_err(|reason| JournalError::damaged(path, 0, reason))?;
    Ok(page)
}

/// Reads the header's bytes.
pub(super) fn decode_head(bytes: &[u8]) -> Result<Page, &'static str> {
    let Some(bytes) = bytes.get(..HEAD_BYTES) else { return Err("the sealed segment is cut off") };
    if bytes[..8] != MAGIC {
        return Err("the file is not a sealed segment of a journal");
    }
    if u32_at(bytes, 8) != crc32c::crc32c(&bytes[12..]) {
        return Err("the checksum of the sealed segment's header is wrong");
    }
    Page::decode_fields(bytes)
}

fn read_exact(file: &File, path: &Path, at: u64, length: usize) -> Result<Vec<u8>, JournalError> {
    let mut bytes = vec![0; length];
    match file.read_exact_at(&mut bytes, at) {
        Ok(()) => Ok(bytes),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            Err(JournalError::damaged(path, at, "the sealed segment is cut off"))
        }
        Err(e) => Err(JournalError::io("read", path, e)),
    }
}
