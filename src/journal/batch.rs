//! Batches and frames: the bytes of the journal (formats 1 and 2, little-endian).
//!
//! ```text
//! batch  = header (96 bytes), frames
//! header = magic "FWB1", crc32c of the rest of the header, length of the frames u32, number of frames u32,
//!          batch u64, first sequence u64, epoch u64, written at i64 (microseconds UTC),
//!          hash of the previous batch (32 bytes), flags u32, reserved u32, log u64
//! frame  = length u32, crc32c u32, kind u8, partition u8, number of keys u8, reserved u8, keys (16 bytes each,
//!          big-endian), payload
//! ```
//!
//! The hash of a batch is, in a segment of format 1, the SHA-256 of its bytes; in one of format 2 the SHA-256 of its header and
//! of the leaf hashes of its records ([`tlog`](crate::tlog)), so that every record is hashed once for both the chain and the tree.
//! A record's leaf is its frame without length and checksum.
//!
//! A batch is written with one write and made durable by one sync, and the next is written only after that. So a batch that
//! is damaged with nothing valid of a *later* batch behind it is the torn end of an interrupted write; with something valid
//! behind it, it is corruption. The log's number is part of what the header's checksum covers, so that no payload can pose as
//! a header without knowing it.

use sha2::{Digest, Sha256};

use crate::tlog::{self, leaf_hash};

/// Bytes of a batch's header.
pub const HEADER_BYTES: usize = 96;

/// Bytes of a frame before its keys.
const FRAME_BYTES: usize = 12;

const MAGIC: [u8; 4] = *b"FWB1";

/// The flag of a batch that ends the log for now: nothing behind it was ever acknowledged, nothing before it may be cut.
const FLAG_SEAL: u32 = 1;

/// The flag of a batch that stands in the place of lost ones.
const FLAG_GAP: u32 = 2;

/// A hash of a batch: it binds header and records.
pub type BatchHash = [u8; 32];

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A turn of one customer.
    Turn,
    /// The files of a bundle.
    Bundle,
    /// An input that is set aside, or released again.
    SetAside,
}

/// The header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Bytes of the frames.
    pub length: u32,
    /// How many frames.
    pub count: u32,
    /// The batch's number, counted from 1.
    pub batch: u64,
    /// The sequence of its first record.
    pub first_seq: u64,
    /// The opening of the log under which it was written.
    pub epoch: u64,
    /// When it was written, in microseconds UTC.
    pub written_at: i64,
    /// The hash of the batch before it.
    pub previous: BatchHash,
    /// Whether the log was ended here in good order.
    pub is_seal: bool,
    /// Whether it accounts for lost batches: it holds a [`Gap`](super::Gap) instead of frames.
    pub is_gap: bool,
    /// The number of the log.
    pub log: u64,
}

/// A record within a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it holds.
    pub kind: Kind,
    /// The partition of the customer it is about; 0 where there is none.
    pub partition: u8,
    keys: &'a [u8],
    /// The record itself.
    pub payload: &'a [u8],
    /// What is hashed as the record's leaf of the tree: kind, partition, keys and payload as they stand in the journal.
    pub leaf: &'a [u8],
}

/// Keys that one record may be found by.
pub const KEYS_MAX: usize = 255;

/// A record to be appended.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What it holds.
    pub kind: Kind,
    /// The partition of the customer it is about; 0 where there is none.
    pub partition: u8,
    /// What it can be found by: at most [`KEYS_MAX`].
    pub keys: &'a [u128],
    /// The record itself.
    pub payload: &'a [u8],
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Turn => 1,
            Self::Bundle => 2,
            Self::SetAside => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Turn),
            2 => Some(Self::Bundle),
            3 => Some(Self::SetAside),
            _ => None,
        }
    }
}

impl BatchHeader {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.count.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.batch.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first_seq.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.written_at.to_le_bytes());
        bytes[48..80].copy_from_slice(&self.previous);
        let flags = if self.is_seal { FLAG_SEAL } else { 0 } | if self.is_gap { FLAG_GAP } else { 0 };
        bytes[80..84].copy_from_slice(&flags.to_le_bytes());
        bytes[88..96].copy_from_slice(&self.log.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header of the log; `None` for anything else.
    pub fn decode(bytes: &[u8], log: u64) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        if bytes[..4] != MAGIC || u32_at(bytes, 4) != crc32c::crc32c(&bytes[8..]) || u64_at(bytes, 88) != log {
            return None;
        }
        let mut previous = [0; 32];
        previous.copy_from_slice(&bytes[48..80]);
        Some(Self {
            length: u32_at(bytes, 8),
            count: u32_at(bytes, 12),
            batch: u64_at(bytes, 16),
            first_seq: u64_at(bytes, 24),
            epoch: u64_at(bytes, 32),
            written_at: u64_at(bytes, 40) as i64,
            previous,
            is_seal: u32_at(bytes, 80) & FLAG_SEAL != 0,
            is_gap: u32_at(bytes, 80) & FLAG_GAP != 0,
            log,
        })
    }

    /// The log that a sound header names, whichever that is.
    pub(super) fn log_of(bytes: &[u8]) -> Option<u64> {
        let log = u64_at(bytes.get(..HEADER_BYTES)?, 88);
        Self::decode(bytes, log).map(|_| log)
    }
}

/// Checks frames, every checksum, and appends the leaf hash of each. The error says what is wrong.
pub(super) fn check_frames(mut frames: &[u8], leaves: &mut Vec<tlog::Hash>) -> Result<(), &'static str> {
    while !frames.is_empty() {
        let (frame, length) = Frame::decode(frames)?;
        leaves.push(leaf_hash(frame.leaf));
        frames = &frames[length..];
    }
    Ok(())
}

/// The hash of a batch whose frames are sound, as segments of the format have it.
pub(super) fn hash_batch(format: u32, batch: &[u8], leaves: &[tlog::Hash]) -> BatchHash {
    if format == 1 {
        return Sha256::digest(batch).into();
    }
    Sha256::new().chain_update(&batch[..HEADER_BYTES]).chain_update(leaves.as_flattened()).finalize().into()
}

/// The leaf hashes of sound frames.
pub(super) fn leaf_hashes(mut frames: &[u8]) -> Vec<tlog::Hash> {
    let mut hashes = Vec::new();
    while !frames.is_empty() {
        let end = 8 + u32_at(frames, 0) as usize;
        hashes.push(leaf_hash(&frames[8..end]));
        frames = &frames[end..];
    }
    hashes
}

/// How many of the frames, and how many bytes, fit into `limit` bytes; at least one.
pub(super) fn frames_within(frames: &[u8], count: u32, limit: usize) -> (u32, usize) {
    if frames.len() <= limit {
        return (count, frames.len());
    }
    let (mut fitting, mut bytes) = (0, 0);
    while fitting < count {
        let end = bytes + 8 + u32_at(frames, bytes) as usize;
        if end > limit && fitting > 0 {
            break;
        }
        (fitting, bytes) = (fitting + 1, end);
    }
    (fitting, bytes)
}

impl Entry<'_> {
    /// Bytes of the frame.
    pub fn frame_bytes(&self) -> usize {
        FRAME_BYTES + self.keys.len() * 16 + self.payload.len()
    }

    /// The frame's checksum. Computed before any lock is taken.
    pub fn checksum(&self) -> u32 {
        let mut crc = crc32c::crc32c(&self.head());
        for key in self.keys {
            crc = crc32c::crc32c_append(crc, &key.to_be_bytes());
        }
        crc32c::crc32c_append(crc, self.payload)
    }

    /// Appends the frame's bytes.
    pub fn write(&self, checksum: u32, into: &mut Vec<u8>) {
        let length = 4 + self.keys.len() * 16 + self.payload.len();
        into.reserve(8 + length);
        into.extend_from_slice(&(length as u32).to_le_bytes());
        into.extend_from_slice(&checksum.to_le_bytes());
        into.extend_from_slice(&self.head());
        for key in self.keys {
            into.extend_from_slice(&key.to_be_bytes());
        }
        into.extend_from_slice(self.payload);
    }

    fn head(&self) -> [u8; 4] {
        debug_assert!(self.keys.len() <= KEYS_MAX, "a record has at most {KEYS_MAX} keys");
        [self.kind.code(), self.partition, self.keys.len() as u8, 0]
    }
}

impl<'a> Frame<'a> {
    /// Reads the frame at the beginning of `bytes`; returns it with its length. The error says what is wrong.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, usize), &'static str> {
        let (frame, length) = Self::parse(bytes)?;
        if u32_at(bytes, 4) != crc32c::crc32c(frame.leaf) {
            return Err("a record's checksum is wrong");
        }
        Ok((frame, length))
    }

    /// As [`Frame::decode`], of bytes whose checksum was looked at before.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<(Self, usize), &'static str> {
        let Some(head) = bytes.get(..FRAME_BYTES) else { return Err("a record's head is cut off") };
        let length = u32_at(head, 0) as usize;
        let Some(body) = bytes.get(8..8 + length) else { return Err("a record is cut off") };
        if length < 4 {
            return Err("a record is shorter than its head");
        }
        let Some(kind) = Kind::from_code(body[0]) else { return Err("a record is of an unknown kind") };
        let keys_end = 4 + usize::from(body[2]) * 16;
        let Some(keys) = body.get(4..keys_end) else { return Err("a record's keys are cut off") };
        Ok((Self { kind, partition: body[1], keys, payload: &body[keys_end..], leaf: body }, 8 + length))
    }

    /// What the record can be found by.
    pub fn keys(&self) -> impl Iterator<Item = u128> + use<'a> {
        self.keys.chunks_exact(16).map(|key| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(key);
            u128::from_be_bytes(bytes)
        })
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> BatchHeader {
        BatchHeader {
            length: 9,
            count: 2,
            batch: 3,
            first_seq: 4,
            epoch: 5,
            written_at: -6,
            previous: [7; 32],
            is_seal: true,
            is_gap: false,
            log: 8,
        }
    }

    #[test]
    fn a_header_is_read_only_whole_and_in_its_own_log() {
        let bytes = header().encode();
        assert_eq!(BatchHeader::decode(&bytes, 8), Some(header()));
        assert_eq!(BatchHeader::decode(&bytes, 9), None, "a header of another log");
        assert_eq!(BatchHeader::decode(&bytes[..95], 8), None);
        for at in 0..HEADER_BYTES {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert_eq!(BatchHeader::decode(&damaged, 8), None, "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn a_frame_survives_its_bytes_and_no_flipped_bit(
            keys in proptest::collection::vec(any::<u128>(), 0..3),
            payload in proptest::collection::vec(any::<u8>(), 0..60),
            flip in any::<prop::sample::Index>(),
        ) {
            let entry = Entry { kind: Kind::Turn, partition: 63, keys: &keys, payload: &payload };
            let mut bytes = Vec::new();
            entry.write(entry.checksum(), &mut bytes);
            let (frame, length) = Frame::decode(&bytes).unwrap();
            prop_assert_eq!(length, bytes.len());
            prop_assert_eq!((frame.kind, frame.partition, frame.payload), (Kind::Turn, 63, payload.as_slice()));
            prop_assert_eq!(frame.keys().collect::<Vec<_>>(), keys);
            let at = flip.index(bytes.len());
            bytes[at] ^= 0x10;
            let damaged = Frame::decode(&bytes).map(|(frame, _)| frame.payload.to_vec());
            prop_assert!(damaged.is_err(), "byte {at}");
        }
    }
}
