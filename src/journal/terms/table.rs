//! The file of a full segment's terms. Derived from the segment; each part that is read by itself has a checksum of its own.
//!
//! ```text
//! N.terms   = header of 96 bytes, for each bucket its far posting lists and then the bucket, strides, directory
//! header    = magic "FWTERM01", crc32c of the rest, version of the terms u32, log u64, number u64, first sequence u64,
//!             earliest and latest arrival i64, records u32, unreadable records u32, terms u32, log2 of the number of
//!             buckets u32, offset of the strides u32, offset of the directory u32, when the segment was begun i64, reserved
//! bucket    = its number u32, offset of its far lists u32, entries, crc32c
//! entry     = short hash (its lower 24 bits, or all 32 where there are less than 256 buckets), varint (length << 2 | form),
//!             deltas where they are near; for a single record its number stands in place of the length
//! strides   = groups of up to 170 strides, each group with a crc32c
//! directory = for each bucket its offset u32, its length u32
//! ```
//!
//! The short hash is the upper half of the term's; its upper bits choose the bucket. Terms that share it share a list.

use super::super::batch::{u32_at, u64_at};
use super::gathered::{Gathered, Overview};
use super::postings::{Encoded, encode, push_checked, push_varint};
use super::stride::{STRIDE_BYTES, STRIDES_TOGETHER};
use crate::domain::Term;

pub(super) const MAGIC: [u8; 8] = *b"FWTERM01";
pub(super) const HEADER_BYTES: usize = 96;

/// The most buckets there can be, as a power of two: of a file of four gigabytes the directory alone would take more.
const BUCKETS_LOG2_MAX: u32 = 28;

/// Terms of a bucket, on average: some 400 bytes, which is read at once.
const BUCKET_TERMS: usize = 64;

/// The forms of an entry.
pub(super) const ONE: u32 = 0;
pub(super) const NEAR: u32 = 1;
pub(super) const FAR: u32 = 2;
pub(super) const BITS: u32 = 3;

/// What a file of terms belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Belongs {
    /// The version of the terms.
    pub(super) version: u32,
    pub(super) log: u64,
    /// The segment's number.
    pub(super) number: u64,
}

/// The header of a file of terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) belongs: Belongs,
    pub(super) overview: Overview,
    pub(super) terms: u32,
    pub(super) buckets_log2: u32,
    pub(super) strides_at: u32,
    pub(super) directory_at: u32,
    /// When the segment was begun, in microseconds: another segment of the same number was not begun at the same time.
    pub(super) begun_at: i64,
}

/// The upper half of a term's number.
pub(super) fn short(term: Term) -> u32 {
    (term.number() >> 32) as u32
}

impl Header {
    /// The bucket of a short hash.
    pub(super) fn bucket(&self, short: u32) -> u32 {
        if self.buckets_log2 == 0 { 0 } else { short >> (32 - self.buckets_log2) }
    }

    /// Bytes of a short hash in an entry.
    pub(super) fn hash_bytes(&self) -> usize {
        hash_bytes(self.buckets_log2)
    }

    fn encode(&self) -> [u8; HEADER_BYTES] {
        let Overview { first_seq, records, unreadable, arrived } = self.overview;
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[12..16].copy_from_slice(&self.belongs.version.to_le_bytes());
        for (nth, number) in
            [self.belongs.log, self.belongs.number, first_seq, arrived.0 as u64, arrived.1 as u64].iter().enumerate()
        {
            bytes[16 + nth * 8..][..8].copy_from_slice(&number.to_le_bytes());
        }
        let numbers = [records, unreadable, self.terms, self.buckets_log2, self.strides_at, self.directory_at];
        for (nth, number) in numbers.iter().enumerate() {
            bytes[56 + nth * 4..][..4].copy_from_slice(&number.to_le_bytes());
        }
        bytes[80..88].copy_from_slice(&self.begun_at.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` for anything else.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        if bytes[..8] != MAGIC || u32_at(bytes, 8) != crc32c::crc32c(&bytes[12..]) {
            return None;
        }
        if u32_at(bytes, 68) > BUCKETS_LOG2_MAX {
            return None;
        }
        let arrived = (u64_at(bytes, 40) as i64, u64_at(bytes, 48) as i64);
        let overview = Overview {
            first_seq: u64_at(bytes, 32),
            records: u32_at(bytes, 56),
            unreadable: u32_at(bytes, 60),
            arrived,
        };
        Some(Self {
            belongs: Belongs { version: u32_at(bytes, 12), log: u64_at(bytes, 16), number: u64_at(bytes, 24) },
            overview,
            terms: u32_at(bytes, 64),
            buckets_log2: u32_at(bytes, 68),
            strides_at: u32_at(bytes, 72),
            directory_at: u32_at(bytes, 76),
            begun_at: u64_at(bytes, 80) as i64,
        })
    }
}

fn hash_bytes(buckets_log2: u32) -> usize {
    if buckets_log2 >= 8 { 3 } else { 4 }
}

/// The bytes of a file of terms; `None` if they would be more than four gigabytes.
pub(super) fn encode_file(gathered: &Gathered, belongs: Belongs, begun_at: i64) -> Option<Vec<u8>> {
    let lists = by_short(gathered);
    let buckets_log2 = (lists.len() / BUCKET_TERMS).max(1).ilog2();
    let mut header = Header {
        belongs,
        overview: gathered.overview,
        terms: lists.len() as u32,
        buckets_log2,
        strides_at: 0,
        directory_at: 0,
        begun_at,
    };
    let mut bytes = vec![0; HEADER_BYTES];
    let mut directory = Vec::new();
    let mut lists = lists.into_iter().peekable();
    for bucket in 0..1 << buckets_log2 {
        let mut mine = Vec::new();
        while let Some(list) = lists.next_if(|(short, _)| header.bucket(*short) == bucket) {
            mine.push(list);
        }
        let entries = entries(&mine, &header, &mut bytes);
        let mut block = Vec::with_capacity(entries.bytes.len() + 12);
        block.extend_from_slice(&bucket.to_le_bytes());
        block.extend_from_slice(&entries.far_at.to_le_bytes());
        block.extend_from_slice(&entries.bytes);
        directory.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        directory.extend_from_slice(&(block.len() as u32 + 4).to_le_bytes());
        push_checked(&mut bytes, &block);
    }
    header.strides_at = bytes.len() as u32;
    for group in gathered.strides.chunks(STRIDES_TOGETHER) {
        let mut together = Vec::with_capacity(group.len() * STRIDE_BYTES);
        group.iter().for_each(|stride| stride.encode(&mut together));
        push_checked(&mut bytes, &together);
    }
    header.directory_at = bytes.len() as u32;
    bytes.extend_from_slice(&directory);
    bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
    u32::try_from(bytes.len()).is_ok().then_some(bytes)
}

struct Entries {
    far_at: u32,
    bytes: Vec<u8>,
}

/// The entries of a bucket; puts its far lists behind what there is.
fn entries(lists: &[(u32, Vec<u32>)], header: &Header, file: &mut Vec<u8>) -> Entries {
    let mut entries = Entries { far_at: file.len() as u32, bytes: Vec::new() };
    let into = &mut entries.bytes;
    for (short, nths) in lists {
        into.extend_from_slice(&short.to_le_bytes()[..header.hash_bytes()]);
        match encode(nths, header.overview.records) {
            Encoded::One(nth) => push_varint(into, nth << 2 | ONE),
            Encoded::Near(deltas) => {
                push_varint(into, (deltas.len() as u32) << 2 | NEAR);
                into.extend_from_slice(&deltas);
            }
            Encoded::Far(chunks) => {
                push_varint(into, (chunks.len() as u32) << 2 | FAR);
                file.extend_from_slice(&chunks);
            }
            Encoded::Bits(chunks) => {
                push_varint(into, (chunks.len() as u32) << 2 | BITS);
                file.extend_from_slice(&chunks);
            }
        }
    }
    entries
}

/// The records of every short hash, both ascending.
fn by_short(gathered: &Gathered) -> Vec<(u32, Vec<u32>)> {
    let mut lists: Vec<(u32, Vec<u32>)> = gathered.all().map(|(term, nths)| (short(term), nths.to_vec())).collect();
    lists.sort_unstable_by_key(|(short, _)| *short);
    lists.dedup_by(|(short, nths), (kept, into)| {
        let is_same = short == kept;
        if is_same {
            into.append(nths);
            into.sort_unstable();
            into.dedup();
        }
        is_same
    });
    lists
}
