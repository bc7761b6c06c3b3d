//! The bytes of a stored state: numbers as short as they are, without names and types, which the layout gives back.

use super::StateError;

/// Writes numbers and texts one after the other.
#[derive(Debug, Default)]
pub(super) struct Packer(Vec<u8>);

/// Reads what a [`Packer`] wrote. Never reads beyond the bytes it was given, whatever they say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unpacker<'a>(&'a [u8]);

/// The bytes end before what they announce, or say what cannot be.
pub(super) const TORN: StateError = StateError::Torn;

impl Packer {
    /// One that does not grow before so many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// One byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// A number in seven bits a byte, least significant first; all but the last byte have the eighth bit set.
    #[inline]
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A number with its sign in the lowest bit, so that small ones are short on both sides of zero.
    #[inline]
    pub(super) fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63) as u64);
    }

    /// A number relative to another one that the reader knows.
    #[inline]
    pub(super) fn since(&mut self, number: i64, known: i64) {
        self.signed(number.wrapping_sub(known));
    }

    /// Bytes whose number the reader knows.
    #[inline]
    pub(super) fn fixed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A text and its length.
    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.fixed(text.as_bytes());
    }

    /// A part: its number, its length, its bytes. A part without bytes is not there.
    pub(super) fn part(&mut self, part: u8, write: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.byte(part);
        self.block(write);
        if self.0.len() == start + 2 {
            self.0.truncate(start);
        }
    }

    /// A length and bytes.
    pub(super) fn block(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.byte(0);
        write(self);
        let length = self.0.len() - start - 1;
        if length < 0x80 {
            self.0[start] = length as u8;
        } else {
            // Longer than one byte of length tells: the bytes make room for the rest of it.
            let mut head = Self::default();
            head.number(length as u64);
            self.0.splice(start..=start, head.0);
        }
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> Unpacker<'a> {
    /// Reads these bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, StateError> {
        let (byte, rest) = self.0.split_first().ok_or(TORN)?;
        self.0 = rest;
        Ok(*byte)
    }

    /// See [`Packer::number`].
    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, StateError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                return Err(TORN);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(TORN)
    }

    /// See [`Packer::signed`].
    #[inline]
    pub(super) fn signed(&mut self) -> Result<i64, StateError> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// See [`Packer::since`].
    #[inline]
    pub(super) fn since(&mut self, known: i64) -> Result<i64, StateError> {
        Ok(self.signed()?.wrapping_add(known))
    }

    /// How many items of at least one byte follow: never more than there are bytes, so that nothing is allocated for
    /// items that are not there.
    pub(super) fn count(&mut self) -> Result<usize, StateError> {
        match usize::try_from(self.number()?) {
            Ok(count) if count <= self.0.len() => Ok(count),
            _ => Err(TORN),
        }
    }

    /// Bytes of a known number.
    #[inline]
    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(TORN)?;
        self.0 = rest;
        Ok(*bytes)
    }

    /// See [`Packer::text`].
    pub(super) fn text(&mut self) -> Result<&'a str, StateError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| TORN)
    }

    /// The next part and what is in it.
    pub(super) fn part(&mut self) -> Result<(u8, Self), StateError> {
        let part = self.byte()?;
        Ok((part, self.block()?))
    }

    /// See [`Packer::block`].
    pub(super) fn block(&mut self) -> Result<Self, StateError> {
        Ok(Self(self.bytes()?))
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn bytes(&mut self) -> Result<&'a [u8], StateError> {
        let length = self.count()?;
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(number: u64, signed: i64, known: i64, text: String, long in 0_usize..300) {
            let mut packer = Packer::default();
            packer.part(7, |p| {
                p.number(number);
                p.signed(signed);
                p.since(signed, known);
                p.text(&text);
                p.fixed(&vec![1; long]);
            });
            packer.part(8, |_| {});
            packer.part(9, |p| p.byte(5));
            let bytes = packer.into_bytes();
            let mut unpacker = Unpacker::new(&bytes);
            let (part, mut inner) = unpacker.part().unwrap();
            prop_assert_eq!((part, inner.number().unwrap(), inner.signed().unwrap()), (7, number, signed));
            prop_assert_eq!((inner.since(known).unwrap(), inner.text().unwrap()), (signed, text.as_str()));
            prop_assert_eq!(inner.0.len(), long);
            let (part, mut inner) = unpacker.part().unwrap();
            prop_assert_eq!((part, inner.byte().unwrap(), inner.is_empty(), unpacker.is_empty()), (9, 5, true, true));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(Unpacker::new(&[0xFF; 10]).number().is_err(), "more than 64 bits");
        assert!(Unpacker::new(&[0x80]).number().is_err(), "torn");
        assert!(Unpacker::new(&[5, 1]).text().is_err(), "shorter than it says");
        assert!(Unpacker::new(&[1, 0xFF]).text().is_err(), "no UTF-8");
        assert!(Unpacker::new(&[0xFF, 0xFF, 0xFF, 0x7F, 1]).count().is_err(), "more items than bytes");
    }
}
