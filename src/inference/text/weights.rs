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
    /// Which row is a bucket's: that of the unknown if it has none. A table, although the bits of `known` could be counted: baseline
    /// processors have no instruction for that, and a text has hundreds of buckets.
    nth: Box<[u16]>,
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
        let count: usize = known.iter().map(|bits| bits.count_ones() as usize).sum();
        let is_known = |bucket: usize| known[bucket >> 6] >> (bucket & 63) & 1 == 1;
        let mut next = 0;
        let nth = (0..BUCKETS).map(|bucket| {
            let nth = if is_known(bucket) { next } else { count };
            next += usize::from(is_known(bucket));
            // At most 65,535: with a row for each bucket none is unknown.
            nth as u16
        });
        let nth = nth.collect();
        Self { known, nth, count, stride: stride(labels), rows }
    }

    /// How many buckets have a row.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.rows.as_slice()) + size_of_val(&*self.nth) + size_of_val(&*self.known)
    }

    /// Where a bucket's row begins; that of the unknown if it has none.
    #[inline]
    pub(super) fn place(&self, bucket: u16) -> u32 {
        let nth = usize::from(self.nth[usize::from(bucket)]);
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
