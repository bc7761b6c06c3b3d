//! Records on their way from the reader to whoever takes them again.

use crate::journal::Read;

/// Bytes of records that go together: some hundreds of them, so that handing over costs nothing beside them.
const BYTES: usize = 256 << 10;

/// Records of turns of some partitions, in the journal's order.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    places: Vec<At>,
}

#[derive(Clone, Copy, Debug)]
struct At {
    seq: u64,
    partition: u8,
    is_after_gap: bool,
    keys: usize,
    payload: usize,
    end: usize,
}

/// A record of a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// Its sequence.
    pub(super) seq: u64,
    /// The partition that the journal has it in.
    pub(super) partition: u8,
    /// Whether records before it are lost.
    pub(super) is_after_gap: bool,
    /// The record itself.
    pub(super) payload: &'a [u8],
    keys: &'a [u8],
}

impl Chunk {
    /// An empty chunk with room for what goes together.
    pub(super) fn with_room() -> Self {
        Self { bytes: Vec::with_capacity(BYTES + BYTES / 8), places: Vec::with_capacity(1_024) }
    }

    /// Adds a record.
    pub(super) fn push(&mut self, read: &Read<'_>, is_after_gap: bool) {
        let frame = &read.frame;
        // Kind, partition, number of keys and a reserved byte stand before the keys, and these before the record.
        let keys = self.bytes.len() + 4;
        self.bytes.extend_from_slice(frame.leaf);
        let end = self.bytes.len();
        let payload = end - frame.payload.len();
        self.places.push(At { seq: read.seq, partition: frame.partition, is_after_gap, keys, payload, end });
    }

    /// Whether it is time to hand it over.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Its records in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.places.iter().map(|at| Piece {
            seq: at.seq,
            partition: at.partition,
            is_after_gap: at.is_after_gap,
            keys: &self.bytes[at.keys..at.payload],
            payload: &self.bytes[at.payload..at.end],
        })
    }
}

impl<'a> Piece<'a> {
    /// What the journal finds it by.
    pub(super) fn keys(&self) -> impl Iterator<Item = u128> + use<'a> {
        self.keys.chunks_exact(16).map(|key| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(key);
            u128::from_be_bytes(bytes)
        })
    }
}
