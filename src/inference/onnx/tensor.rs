//! Constants of the graph.

use super::fault::OnnxFault;
use super::wire::Fields;

/// A constant: an initializer or an attribute.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tensor {
    pub(super) dims: Vec<usize>,
    pub(super) values: Values,
}

/// The values of a constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Integers(Vec<i64>),
    Texts(Vec<String>),
}

/// What the format calls its types of elements, as far as they are read.
pub(super) mod element {
    pub(in super::super) const FLOAT: i64 = 1;
    pub(in super::super) const INT32: i64 = 6;
    pub(in super::super) const INT64: i64 = 7;
    pub(in super::super) const STRING: i64 = 8;
    pub(in super::super) const BOOL: i64 = 9;
    pub(in super::super) const DOUBLE: i64 = 11;
}

/// A `TensorProto` before its type is known.
#[derive(Default)]
struct Raw<'a> {
    dims: Vec<i64>,
    element: i64,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    integers: Vec<i64>,
    texts: Vec<String>,
    raw: Option<&'a [u8]>,
    is_elsewhere: bool,
}

impl Tensor {
    /// Reads a `TensorProto`; gives its name, too.
    pub(super) fn read(message: &[u8]) -> Result<(&str, Self), OnnxFault> {
        let mut name = "";
        let mut raw = Raw::default();
        let mut fields = Fields::of(message);
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => wire.integers_into(&mut raw.dims)?,
                2 => raw.element = wire.integer()?,
                4 => wire.floats_into(&mut raw.floats)?,
                5 | 7 => wire.integers_into(&mut raw.integers)?,
                6 => raw.texts.push(wire.text()?.to_owned()),
                8 => name = wire.text()?,
                9 => raw.raw = Some(wire.bytes()?),
                10 => wire.doubles_into(&mut raw.doubles)?,
                13 => raw.is_elsewhere = true,
                14 => raw.is_elsewhere |= wire.integer()? != 0,
                _ => {}
            }
        }
        let tensor = raw.typed().map_err(|what| OnnxFault::graph(format!("constant `{name}`: {what}")))?;
        Ok((name, tensor))
    }

    /// A list of floats.
    pub(super) fn floats(values: Vec<f32>) -> Self {
        Self { dims: vec![values.len()], values: Values::Floats(values) }
    }

    /// Its numbers as 32-bit floats; none if it holds texts.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "models compute with 32-bit floats"
    )]
    pub(super) fn numbers(&self) -> Option<Vec<f32>> {
        match &self.values {
            Values::Floats(values) => Some(values.clone()),
            Values::Doubles(values) => Some(values.iter().map(|value| *value as f32).collect()),
            Values::Integers(values) => Some(values.iter().map(|value| *value as f32).collect()),
            Values::Texts(_) => None,
        }
    }

    /// Its integers; none if it holds something else.
    pub(super) fn integers(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Integers(values) => Some(values),
            _ => None,
        }
    }
}

impl Default for Values {
    fn default() -> Self {
        Self::Floats(Vec::new())
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Doubles(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }
}

impl Raw<'_> {
    fn typed(self) -> Result<Tensor, String> {
        if self.is_elsewhere {
            return Err("its values are in another file; save the model with its weights inside".to_owned());
        }
        let dims: Option<Vec<usize>> = self.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
        let dims = dims.ok_or("a dimension is negative")?;
        let size = dims.iter().try_fold(1usize, |size, dim| size.checked_mul(*dim)).ok_or("its dimensions overflow")?;
        let values = match (self.element, self.raw) {
            (element::FLOAT, None) => Values::Floats(self.floats),
            (element::FLOAT, Some(raw)) => Values::Floats(chunks(raw, f32::from_le_bytes)?),
            (element::DOUBLE, None) => Values::Doubles(self.doubles),
            (element::DOUBLE, Some(raw)) => Values::Doubles(chunks(raw, f64::from_le_bytes)?),
            (element::INT64 | element::INT32 | element::BOOL, None) => Values::Integers(self.integers),
            (element::INT64, Some(raw)) => Values::Integers(chunks(raw, i64::from_le_bytes)?),
            (element::INT32, Some(raw)) => Values::Integers(chunks(raw, |bytes| i32::from_le_bytes(bytes).into())?),
            (element::BOOL, Some(raw)) => Values::Integers(raw.iter().map(|byte| i64::from(*byte)).collect()),
            (element::STRING, None) => Values::Texts(self.texts),
            (other, _) => return Err(format!("elements of the type {other} are not supported")),
        };
        if values.len() != size {
            return Err(format!("its dimensions say {size} values, it has {}", values.len()));
        }
        Ok(Tensor { dims, values })
    }
}

fn chunks<T, const N: usize>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Result<Vec<T>, String> {
    let (whole, rest) = raw.as_chunks::<N>();
    if rest.is_empty() {
        Ok(whole.iter().map(|bytes| read(*bytes)).collect())
    } else {
        Err("its values are cut off".to_owned())
    }
}
