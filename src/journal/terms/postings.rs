//! Postings: the records that have a term, by their number within the segment, newest first.
//!
//! ```text
//! deltas = the newest record's number, then how much each is less than the one before it: LEB128 varints
//! far    = chunks of up to 4092 bytes of deltas, each beginning with a number of its own, a zero behind the last; crc32c
//! bits   = chunks of up to 4092 bytes, a bit for each record of the segment, crc32c
//! ```

/// Bytes of a chunk without its checksum.
pub(super) const CHUNK_BYTES: usize = 4_092;

/// Records that a chunk of bits is about.
const CHUNK_BITS: u32 = CHUNK_BYTES as u32 * 8;

/// Bytes of deltas that stand in the table itself.
const NEAR_BYTES_MAX: usize = 48;

/// A posting list as a table holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encoded {
    /// The only record.
    One(u32),
    /// Deltas beside the entry.
    Near(Vec<u8>),
    /// Chunks of deltas elsewhere.
    Far(Vec<u8>),
    /// Chunks of bits elsewhere.
    Bits(Vec<u8>),
}

/// Why a file that was derived is not used.
#[derive(Debug)]
pub(super) struct Unsound(pub(super) &'static str);

/// Records in descending order.
pub(super) trait Descending {
    /// The newest record that is no newer than `limit`. Limits go down from call to call.
    fn at_most(&mut self, limit: u32) -> Result<Option<u32>, Unsound>;

    /// How many there may be.
    fn weight(&self) -> usize;
}

/// The newest record in all lists, no newer than `limit`.
pub(super) fn common<L: Descending>(lists: &mut [L], limit: u32) -> Result<Option<u32>, Unsound> {
    let mut candidate = limit;
    let (mut agreed, mut at) = (0, 0);
    while agreed < lists.len() {
        let Some(found) = lists[at].at_most(candidate)? else { return Ok(None) };
        agreed = if found == candidate { agreed + 1 } else { 1 };
        candidate = found;
        at = (at + 1) % lists.len();
    }
    Ok(Some(candidate))
}

/// Encodes ascending numbers of records in a segment of so many.
pub(super) fn encode(nths: &[u32], records: u32) -> Encoded {
    if let [only] = nths {
        return Encoded::One(*only);
    }
    let bits = checked_bytes(records.div_ceil(8) as usize);
    // A delta takes at least a byte.
    if nths.len() < bits {
        if nths.len() < NEAR_BYTES_MAX {
            let near = deltas(nths);
            if near.len() <= NEAR_BYTES_MAX {
                return Encoded::Near(near);
            }
        }
        let far = far(nths);
        if far.len() < bits {
            return Encoded::Far(far);
        }
    }
    Encoded::Bits(bits_of(nths, records))
}

fn checked_bytes(bytes: usize) -> usize {
    bytes + bytes.div_ceil(CHUNK_BYTES) * 4
}

fn deltas(nths: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut before = None;
    for nth in nths.iter().rev() {
        push_varint(&mut bytes, before.map_or(*nth, |before: u32| before - nth));
        before = Some(*nth);
    }
    bytes
}

fn far(nths: &[u32]) -> Vec<u8> {
    let (mut bytes, mut chunk) = (Vec::new(), Vec::with_capacity(CHUNK_BYTES));
    let mut before = None;
    for nth in nths.iter().rev() {
        // The longest number takes five bytes, and a zero ends a chunk.
        if chunk.len() + 6 > CHUNK_BYTES {
            chunk.resize(CHUNK_BYTES, 0);
            push_checked(&mut bytes, &chunk);
            chunk.clear();
            before = None;
        }
        push_varint(&mut chunk, before.map_or(*nth, |before: u32| before - nth));
        before = Some(*nth);
    }
    push_checked(&mut bytes, &chunk);
    bytes
}

fn bits_of(nths: &[u32], records: u32) -> Vec<u8> {
    let mut bits = vec![0_u8; records.div_ceil(8) as usize];
    for nth in nths {
        bits[*nth as usize / 8] |= 1 << (nth % 8);
    }
    let mut bytes = Vec::with_capacity(checked_bytes(bits.len()));
    for chunk in bits.chunks(CHUNK_BYTES) {
        push_checked(&mut bytes, chunk);
    }
    bytes
}

/// Appends bytes and their checksum.
pub(super) fn push_checked(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend_from_slice(bytes);
    into.extend_from_slice(&crc32c::crc32c(bytes).to_le_bytes());
}

/// The bytes before a checksum, if it is theirs.
pub(super) fn checked(bytes: &[u8]) -> Result<&[u8], Unsound> {
    let (data, crc) = bytes.split_last_chunk::<4>().ok_or(Unsound("a part of it is cut off"))?;
    if crc32c::crc32c(data) == u32::from_le_bytes(*crc) { Ok(data) } else { Err(Unsound("a checksum is wrong")) }
}

pub(super) fn push_varint(into: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// Reads a varint at `at` and moves behind it.
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let (mut number, mut shift) = (0_u32, 0);
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u32::from(byte & 0x7F).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

/// The numbers that deltas stand for, descending, up to the end or a zero.
pub(super) fn numbers(bytes: &[u8]) -> Result<Vec<u32>, Unsound> {
    let unsound = Unsound("a posting list does not go down");
    let mut at = 0;
    let Some(first) = varint(bytes, &mut at) else { return Err(unsound) };
    let mut numbers = vec![first];
    let mut before = first;
    while at < bytes.len() {
        match varint(bytes, &mut at) {
            Some(0) => break,
            Some(less) => before = before.checked_sub(less).ok_or(Unsound("a posting list does not go down"))?,
            None => return Err(unsound),
        }
        numbers.push(before);
    }
    Ok(numbers)
}

/// Hands out the checked chunks of a list by number.
pub(super) trait Chunks {
    fn chunk(&mut self, number: u32) -> Result<Vec<u8>, Unsound>;
}

/// A list that is read as far as it is needed.
#[derive(Debug)]
pub(super) struct List<C> {
    chunks: C,
    form: Form,
    weight: usize,
}

#[derive(Debug)]
enum Form {
    /// Descending numbers of a chunk, the place in them, and the next chunk.
    Deltas { numbers: Vec<u32>, at: usize, next: u32, end: u32 },
    /// The chunk that was read last.
    Bits { chunk: Option<(u32, Vec<u8>)>, records: u32 },
}

impl<C: Chunks> List<C> {
    /// A list that stands in the table.
    pub(super) fn held(numbers: Vec<u32>, chunks: C) -> Self {
        let weight = numbers.len();
        Self { chunks, form: Form::Deltas { numbers, at: 0, next: 0, end: 0 }, weight }
    }

    /// A list of so many chunks of deltas.
    pub(super) fn far(end: u32, chunks: C) -> Self {
        let form = Form::Deltas { numbers: Vec::new(), at: 0, next: 0, end };
        Self { chunks, form, weight: end as usize * CHUNK_BYTES }
    }

    /// A list of a bit for each of so many records.
    pub(super) fn bits(records: u32, chunks: C) -> Self {
        Self { chunks, form: Form::Bits { chunk: None, records }, weight: records as usize }
    }
}

impl<C: Chunks> Descending for List<C> {
    fn at_most(&mut self, limit: u32) -> Result<Option<u32>, Unsound> {
        match &mut self.form {
            Form::Deltas { numbers, at, next, end } => loop {
                *at += numbers[*at..].partition_point(|number| *number > limit);
                if let Some(found) = numbers.get(*at) {
                    return Ok(Some(*found));
                }
                if next >= end {
                    return Ok(None);
                }
                *numbers = self::numbers(&self.chunks.chunk(*next)?)?;
                (*at, *next) = (0, *next + 1);
            },
            Form::Bits { chunk, records } => {
                let Some(last) = records.checked_sub(1) else { return Ok(None) };
                let mut limit = limit.min(last);
                loop {
                    let number = limit / CHUNK_BITS;
                    if chunk.as_ref().is_none_or(|(held, _)| *held != number) {
                        *chunk = Some((number, self.chunks.chunk(number)?));
                    }
                    let Some((_, bits)) = chunk else { return Ok(None) };
                    if let Some(bit) = highest(bits, limit % CHUNK_BITS) {
                        return Ok(Some(number * CHUNK_BITS + bit));
                    }
                    let Some(before) = (number * CHUNK_BITS).checked_sub(1) else { return Ok(None) };
                    limit = before;
                }
            }
        }
    }

    fn weight(&self) -> usize {
        self.weight
    }
}

/// The highest bit that is set, up to one.
fn highest(bits: &[u8], up_to: u32) -> Option<u32> {
    let at = up_to as usize / 8;
    let first = *bits.get(at)? & (0xFF >> (7 - up_to % 8));
    if first != 0 {
        return Some(at as u32 * 8 + first.ilog2());
    }
    let at = bits[..at].iter().rposition(|byte| *byte != 0)?;
    Some(at as u32 * 8 + bits[at].ilog2())
}

/// A list in memory, ascending.
#[derive(Debug)]
pub(super) struct Held<'a>(pub(super) &'a [u32]);

impl Descending for Held<'_> {
    fn at_most(&mut self, limit: u32) -> Result<Option<u32>, Unsound> {
        let end = self.0.partition_point(|number| *number <= limit);
        Ok(self.0[..end].last().copied())
    }

    fn weight(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    struct InMemory(Vec<u8>);

    impl Chunks for InMemory {
        fn chunk(&mut self, number: u32) -> Result<Vec<u8>, Unsound> {
            let chunk = self.0.chunks(CHUNK_BYTES + 4).nth(number as usize).ok_or(Unsound("no such chunk"))?;
            checked(chunk).map(<[u8]>::to_vec)
        }
    }

    fn opened(encoded: Encoded, records: u32) -> List<InMemory> {
        match encoded {
            Encoded::One(nth) => List::held(vec![nth], InMemory(vec![])),
            Encoded::Near(bytes) => List::held(numbers(&bytes).unwrap(), InMemory(vec![])),
            Encoded::Far(bytes) => List::far(bytes.len().div_ceil(CHUNK_BYTES + 4) as u32, InMemory(bytes)),
            Encoded::Bits(bytes) => List::bits(records, InMemory(bytes)),
        }
    }

    fn all(mut list: impl Descending) -> Vec<u32> {
        let (mut found, mut limit) = (Vec::new(), Some(u32::MAX));
        while let Some(nth) = limit.and_then(|limit| list.at_most(limit).unwrap()) {
            found.push(nth);
            limit = nth.checked_sub(1);
        }
        found.reverse();
        found
    }

    #[test]
    fn every_form_gives_back_what_it_was_made_of() {
        const RECORDS: u32 = 160_000;
        let every = |step: usize| (0..RECORDS).step_by(step).collect::<Vec<u32>>();
        let forms = [vec![77], vec![0, 3, RECORDS - 1], every(29), every(2), every(9_000), every(1)];
        let mut seen = BTreeSet::new();
        for nths in forms {
            let encoded = encode(&nths, RECORDS);
            seen.insert(match &encoded {
                Encoded::One(_) => 0,
                Encoded::Near(_) => 1,
                Encoded::Far(_) => 2,
                Encoded::Bits(_) => 3,
            });
            assert_eq!(all(opened(encoded, RECORDS)), nths);
        }
        assert_eq!(seen.len(), 4, "all forms were tried");
    }

    proptest! {
        #[test]
        fn what_lists_have_in_common_is_found_newest_first(
            sets in proptest::collection::vec(proptest::collection::btree_set(0_u32..70_000, 1..400), 1..4),
            dense in 1_usize..4,
            limit in 0_u32..80_000,
        ) {
            let mut sets = sets;
            let thick: BTreeSet<u32> = (0..70_000).step_by(dense).collect();
            sets.push(thick);
            let mut common_all: Vec<u32> = sets[0].iter().copied().filter(|nth| sets.iter().all(|set| set.contains(nth))).collect();
            common_all.retain(|nth| *nth <= limit);
            let lists = sets.iter().map(|set| set.iter().copied().collect::<Vec<u32>>());
            let mut lists: Vec<_> = lists.map(|nths| opened(encode(&nths, 70_000), 70_000)).collect();
            let (mut found, mut limit) = (Vec::new(), Some(limit));
            while let Some(nth) = limit.and_then(|limit| common(&mut lists, limit).unwrap()) {
                found.push(nth);
                limit = nth.checked_sub(1);
            }
            found.reverse();
            prop_assert_eq!(found, common_all);
        }
    }
}
