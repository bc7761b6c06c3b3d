//! Protocol Buffers on the wire: fields of a message, one after the other, straight from the bytes.
//!
//! Nothing is copied and nothing is allocated, so a damaged length or a million empty messages cost nothing.

use super::fault::OnnxFault;

/// The fields of one message that have not been read yet.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// A field's value as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wire<'a> {
    /// An integer, an enumeration or a boolean.
    Varint(u64),
    /// Eight bytes: a 64-bit float, say.
    Fixed64(u64),
    /// A text, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// Four bytes: a 32-bit float, say.
    Fixed32(u32),
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field's number and value; none at the end of the message.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>, OnnxFault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = varint(&mut self.rest)?;
        let value = match key & 7 {
            0 => Wire::Varint(varint(&mut self.rest)?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).unwrap_or(usize::MAX);
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            kind => return Err(OnnxFault::damaged(format!("a field of the unknown kind {kind}"))),
        };
        Ok(Some((key >> 3, value)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], OnnxFault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| {
            OnnxFault::damaged(format!("a field says it has {length} bytes where {} are left", self.rest.len()))
        })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], OnnxFault> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| OnnxFault::damaged("a number is cut off"))
    }
}

impl<'a> Wire<'a> {
    /// The bytes of a text, a message or packed numbers.
    pub(super) fn bytes(self) -> Result<&'a [u8], OnnxFault> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            other => Err(OnnxFault::damaged(format!("{other:?} where bytes belong"))),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, OnnxFault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| OnnxFault::damaged("a text that is not UTF-8"))
    }

    #[expect(clippy::cast_possible_wrap, reason = "the wire has negative numbers as their two's complement")]
    pub(super) fn integer(self) -> Result<i64, OnnxFault> {
        match self {
            Self::Varint(value) => Ok(value as i64),
            other => Err(OnnxFault::damaged(format!("{other:?} where an integer belongs"))),
        }
    }

    pub(super) fn float(self) -> Result<f32, OnnxFault> {
        match self {
            Self::Fixed32(bits) => Ok(f32::from_bits(bits)),
            other => Err(OnnxFault::damaged(format!("{other:?} where a 32-bit float belongs"))),
        }
    }

    /// Adds the integers of a repeated field, whether they are packed or not.
    pub(super) fn integers_into(self, into: &mut Vec<i64>) -> Result<(), OnnxFault> {
        let Self::Bytes(mut packed) = self else {
            into.push(self.integer()?);
            return Ok(());
        };
        while !packed.is_empty() {
            into.push(Wire::Varint(varint(&mut packed)?).integer()?);
        }
        Ok(())
    }

    /// Adds the 32-bit floats of a repeated field, whether they are packed or not.
    pub(super) fn floats_into(self, into: &mut Vec<f32>) -> Result<(), OnnxFault> {
        let Self::Bytes(packed) = self else {
            into.push(self.float()?);
            return Ok(());
        };
        let (floats, rest) = packed.as_chunks::<4>();
        into.extend(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        if rest.is_empty() { Ok(()) } else { Err(OnnxFault::damaged("packed floats that are cut off")) }
    }

    /// Adds the 64-bit floats of a repeated field, whether they are packed or not.
    pub(super) fn doubles_into(self, into: &mut Vec<f64>) -> Result<(), OnnxFault> {
        match self {
            Self::Fixed64(bits) => into.push(f64::from_bits(bits)),
            Self::Bytes(packed) => {
                let (doubles, rest) = packed.as_chunks::<8>();
                into.extend(doubles.iter().map(|bytes| f64::from_le_bytes(*bytes)));
                if !rest.is_empty() {
                    return Err(OnnxFault::damaged("packed doubles that are cut off"));
                }
            }
            other => return Err(OnnxFault::damaged(format!("{other:?} where a 64-bit float belongs"))),
        }
        Ok(())
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, OnnxFault> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or_else(|| OnnxFault::damaged("an integer is cut off"))?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(OnnxFault::damaged("an integer of more than ten bytes"))
}
