//! A record's leaf by itself: what a packet carries of it.

use super::Found;
use super::batch::Frame;

/// The record of a leaf; `None` if the bytes are no leaf.
pub fn found_in_leaf(seq: u64, leaf: &[u8]) -> Option<Found> {
    // A frame is a leaf behind its length and checksum.
    let length = u32::try_from(leaf.len()).ok()?;
    let frame = [length.to_le_bytes().as_slice(), &crc32c::crc32c(leaf).to_le_bytes(), leaf].concat();
    let (frame, _) = Frame::decode(&frame).ok()?;
    Some(Found { seq, kind: frame.kind, payload: frame.payload.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Kind};
    use super::*;

    #[test]
    fn a_leaf_is_a_record_without_length_and_checksum() {
        let entry = Entry { kind: Kind::Bundle, partition: 3, keys: &[7, 9], payload: b"files" };
        let mut frame = Vec::new();
        entry.write(entry.checksum(), &mut frame);
        let found = found_in_leaf(5, &frame[8..]).unwrap();
        assert_eq!(found, Found { seq: 5, kind: Kind::Bundle, payload: b"files".to_vec() });
        assert_eq!(found_in_leaf(5, b"\x01\x00"), None);
        assert_eq!(found_in_leaf(5, &[1, 0, 2, 0, 0]), None, "keys that are cut off");
    }
}
