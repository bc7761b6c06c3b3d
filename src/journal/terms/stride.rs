//! Strides: a segment's records in stretches of 128, when they arrived and where their bytes begin, so that one record is read
//! without the others and a time is found without reading any.
//!
//! ```text
//! stride = earliest arrival i64, latest arrival i64, number of its first record u32, offset of that record's frame u32
//! ```

use super::super::batch::{u32_at, u64_at};

/// Records of a stride.
pub(super) const STRIDE_RECORDS: u32 = 128;

/// Bytes of a stride in a file.
pub(super) const STRIDE_BYTES: usize = 24;

/// Strides that share a checksum.
pub(super) const STRIDES_TOGETHER: usize = 170;

/// A stretch of a segment's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stride {
    /// The earliest and the latest arrival, in microseconds; the wrong way round where nothing arrived.
    pub(super) arrived: (i64, i64),
    /// The number of its first record within the segment.
    pub(super) first: u32,
    /// Where that record's frame begins in the segment.
    pub(super) offset: u32,
}

impl Default for Stride {
    fn default() -> Self {
        Self { arrived: (i64::MAX, i64::MIN), first: 0, offset: 0 }
    }
}

impl Stride {
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.arrived.0.to_le_bytes());
        into.extend_from_slice(&self.arrived.1.to_le_bytes());
        into.extend_from_slice(&self.first.to_le_bytes());
        into.extend_from_slice(&self.offset.to_le_bytes());
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        Self {
            arrived: (u64_at(bytes, 0) as i64, u64_at(bytes, 8) as i64),
            first: u32_at(bytes, 16),
            offset: u32_at(bytes, 20),
        }
    }
}
