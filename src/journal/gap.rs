//! Gaps: batches that stand in the place of records that were lost to damage and accounted for as lost.
//!
//! ```text
//! batch of a gap = header with the flag of a gap and no records, whose length is that of
//! gap            = crc32c of the rest, lost records u64, lost batches u64, hash of the last batch that was lost (32 bytes),
//!                  name of the release that repaired it
//! ```
//!
//! Its header has the number of the first batch and the sequence of the first record that are missing, and the time of the
//! repair. The chain goes on from the hash that the next sound batch names.

use super::batch::{BatchHash, BatchHeader, u32_at, u64_at};
use super::levels::GROUP_LEVEL;
use crate::domain::Timestamp;

const FIXED_BYTES: usize = 52;

/// Records that were lost to damage and are accounted for as lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The sequence of the first record that is lost.
    pub first_seq: u64,
    /// How many are lost.
    pub records: u64,
    /// How many batches are lost.
    pub batches: u64,
    /// When the journal was repaired.
    pub repaired_at: Timestamp,
    /// The release that repaired it.
    pub release: String,
    /// The hash of the last batch that is lost, which the next one names.
    pub(super) resumes: BatchHash,
}

impl Gap {
    /// The sequence of the last record that is lost; the one before the first if none is.
    pub fn last_seq(&self) -> u64 {
        self.first_seq + self.records - 1
    }

    /// Whether a record of the group that a tree of some size ends within is lost: of that group no root is kept.
    pub(super) fn cuts_last_group(&self, size: u64) -> bool {
        self.first_seq <= size && self.last_seq() > size >> GROUP_LEVEL << GROUP_LEVEL
    }

    /// The gap as the bytes behind its header.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&self.records.to_le_bytes());
        bytes.extend_from_slice(&self.batches.to_le_bytes());
        bytes.extend_from_slice(&self.resumes);
        bytes.extend_from_slice(self.release.as_bytes());
        let crc = crc32c::crc32c(&bytes[4..]);
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(header: &BatchHeader, bytes: &[u8]) -> Option<Self> {
        if bytes.len() < FIXED_BYTES || u32_at(bytes, 0) != crc32c::crc32c(&bytes[4..]) {
            return None;
        }
        let mut resumes = [0; 32];
        resumes.copy_from_slice(&bytes[20..52]);
        let gap = Self {
            first_seq: header.first_seq,
            records: u64_at(bytes, 4),
            batches: u64_at(bytes, 12),
            repaired_at: Timestamp::from_micros(header.written_at),
            release: String::from_utf8(bytes[FIXED_BYTES..].to_vec()).ok()?,
            resumes,
        };
        // What follows is numbered from here.
        let ends = header.first_seq.checked_add(gap.records).and(header.batch.checked_add(gap.batches));
        (gap.batches > 0).then_some(ends)?.map(|_| gap)
    }
}
