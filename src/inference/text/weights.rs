//! The weights of a text model: a row of bytes for each bucket, summed up for all labels at once in whole numbers.
//!
//! Whole numbers have one sum, whatever the order and however wide the machine's registers are; and the compiler turns these
//! loops into vector instructions that every x86-64 and ARM machine has.

use super::grams::BUCKETS;

/// The byte that weighs nothing: weights are stored 128 too high, so that they are summed without a sign.
pub(super) const NOTHING: u8 = 128;

/// How many rows fit into a sum of 16 bits: 256 x 255 is less than 65,536.
const ROWS_AT_ONCE: usize = 256;

/// Rows of weights, and which buckets have one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    /// One bit for each bucket that has a row.
    pub(super) known: Box<[u64; BUCKETS / 64]>,
    /// How many rows lie before those of each 64 buckets.
    before: Box<[u16; BUCKETS / 64]>,
    /// How many buckets have a row. One more follows, for all that have none.
    count: usize,
    /// Bytes from one row to the next.
    stride: usize,
    /// Each row: a weight for each label, filling, and the bucket's idf in the last two bytes.
    pub(super) rows: Vec<u8>,
}

/// Bytes that a row of so many labels takes: weights and idf, to a multiple of what the loops below read at once.
pub(super) const fn stride(labels: usize) -> usize {
    (labels + 2).next_multiple_of(16)
}

impl Weights {
    /// Brings together what was checked to belong together: as many rows as there are bits in `known`, and one more.
    pub(super) fn new(known: Box<[u64; BUCKETS / 64]>, labels: usize, rows: Vec<u8>) -> Self {
        let mut before = Box::new([0; BUCKETS / 64]);
        let mut count = 0_usize;
        for (before, bits) in before.iter_mut().zip(known.iter()) {
            // Before the last 64 buckets there are at most 65,472 rows.
            *before = count as u16;
            count += bits.count_ones() as usize;
        }
        Self { known, before, count, stride: stride(labels), rows }
    }

    /// How many buckets have a row.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Where a bucket's row begins; that of the unknown if it has none.
    #[inline]
    pub(super) fn place(&self, bucket: u16) -> u32 {
        let at = usize::from(bucket >> 6);
        let (bits, bit) = (self.known[at], bucket & 63);
        let is_known = bits >> bit & 1 == 1;
        let rank = usize::from(self.before[at]) + (bits & ((1 << bit) - 1)).count_ones() as usize;
        let nth = if is_known { rank } else { self.count };
        // 65,537 rows of at most 4,112 bytes.
        (nth * self.stride) as u32
    }

    /// The idf of the row at a place, in 1/256.
    #[inline]
    pub(super) fn idf(&self, place: u32) -> u32 {
        let end = place as usize + self.stride;
        let [low, high] = [self.rows[end - 2], self.rows[end - 1]];
        u32::from(u16::from_le_bytes([low, high]))
    }

    /// Sums up the rows at the places, each `once` times its worth, and those of `repeated` as often as it says on top.
    pub(super) fn sum_into(&self, places: &[u32], once: u32, repeated: &[(u32, u32)], sums: &mut Vec<u32>) {
        sums.clear();
        sums.resize(self.stride, 0);
        let (blocks, rest) = sums.as_chunks_mut::<64>();
        let done = 64 * blocks.len();
        for (nth, block) in blocks.iter_mut().enumerate() {
            self.sum_block(64 * nth, places, once, repeated, block);
        }
        for (nth, block) in rest.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            self.sum_block(done + 16 * nth, places, once, repeated, block);
        }
    }

    /// A few columns of all rows: so few that their sums stay in registers.
    fn sum_block<const N: usize>(
        &self,
        at: usize,
        places: &[u32],
        once: u32,
        repeated: &[(u32, u32)],
        sums: &mut [u32; N],
    ) {
        let rows = &self.rows[at..];
        for places in places.chunks(ROWS_AT_ONCE) {
            let mut short = [0_u16; N];
            for place in places {
                if let Some(row) = rows[*place as usize..].first_chunk::<N>() {
                    for (sum, weight) in short.iter_mut().zip(row) {
                        *sum = sum.wrapping_add(u16::from(*weight));
                    }
                }
            }
            for (sum, short) in sums.iter_mut().zip(&short) {
                *sum = sum.wrapping_add(u32::from(*short).wrapping_mul(once));
            }
        }
        for (place, times) in repeated {
            if let Some(row) = rows[*place as usize..].first_chunk::<N>() {
                for (sum, weight) in sums.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(u32::from(*weight).wrapping_mul(*times));
                }
            }
        }
    }
}
