//! The file of a text model: read without trust, written byte for byte the same for the same model.
//!
//! All numbers are little-endian: 8 bytes of name and version, then as 32 bits the number of labels, that of rows and the bytes
//! of a text that are read; a bit for each of 65,536 buckets; a scale and a bias for each label as `f32`; the rows, and one
//! for buckets that have none. A row is a byte for each label, weight + 128, then filling of the same, then the idf in 1/256
//! as 16 bits, and takes a multiple of 16 bytes.

use thiserror::Error;

use super::grams::BUCKETS;
use super::model::{TextModel, Worth};
use super::weights::{NOTHING, Weights, stride};

/// The first bytes.
const NAME: [u8; 7] = *b"FWTEXT\x00";

/// The version of format and features, which follows.
const VERSION: u8 = 1;

/// Labels that a model may tell apart.
pub const TEXT_LABELS_MAX: usize = 4_096;

/// The most bytes of a text that a model may ask to be read.
pub(super) const TEXT_BYTES_LIMIT: u32 = 65_536;

/// What no scale and no bias is beyond: logits stay finite.
const NUMBER_MAX: f32 = 1e6;

/// Why bytes are not a text model.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum TextModelFault {
    /// They begin with something else.
    #[error("not a text model of `forthwith train`: it begins otherwise")]
    Name,
    /// They are of a version that is not read.
    #[error("the text model is of version {0}; version {VERSION} is read")]
    Version(u8),
    /// They end too early, or something follows.
    #[error("the text model has {found} bytes, but {expected} by its own account")]
    Length {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A number at the beginning is beyond what a model may have.
    #[error("the text model's number of {what} is {found}, which is not between {min} and {max}")]
    Number {
        /// Of what.
        what: &'static str,
        /// The number.
        found: u32,
        /// The least that would do.
        min: u32,
        /// The most that would do.
        max: u32,
    },
    /// As many rows as buckets that have one are not there.
    #[error("the text model has {rows} rows for {buckets} buckets")]
    Rows {
        /// How many rows there are.
        rows: u32,
        /// How many buckets say that they have one.
        buckets: u32,
    },
    /// A label's scale or bias is no number, or beyond any that training gives.
    #[error("the text model's {what} of label {label} is {found}")]
    Scale {
        /// `scale` or `bias`.
        what: &'static str,
        /// The position of the label.
        label: usize,
        /// What stands there.
        found: f32,
    },
}

impl TextModel {
    /// Reads a model from the bytes of its file. Any bytes may be given: what is not a model is refused, and no more memory is
    /// taken than the bytes themselves have.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TextModelFault> {
        let head = Head::read(bytes)?;
        let (labels, rest) = (head.labels as usize, &bytes[Head::BYTES..]);
        let (known, rest) = rest.split_at(BUCKETS / 8);
        let mut bits = Box::new([0; BUCKETS / 64]);
        for (bits, bytes) in bits.iter_mut().zip(known.as_chunks::<8>().0) {
            *bits = u64::from_le_bytes(*bytes);
        }
        let buckets: u32 = bits.iter().map(|bits| bits.count_ones()).sum();
        if buckets != head.rows {
            return Err(TextModelFault::Rows { rows: head.rows, buckets });
        }
        let (scales, rest) = rest.split_at(4 * labels);
        let (biases, rows) = rest.split_at(4 * labels);
        Ok(Self {
            weights: Weights::new(bits, labels, rows.to_vec()),
            scales: numbers("scale", scales)?,
            biases: numbers("bias", biases)?,
            text_bytes_max: head.text_bytes_max,
            worth: Worth::default(),
        })
    }

    /// The bytes of its file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let head =
            Head { labels: self.labels() as u32, rows: self.buckets() as u32, text_bytes_max: self.text_bytes_max };
        let mut bytes = Vec::with_capacity(head.length());
        bytes.extend(NAME);
        bytes.push(VERSION);
        for number in [head.labels, head.rows, head.text_bytes_max] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.weights.known.iter().flat_map(|bits| bits.to_le_bytes()));
        bytes.extend(self.scales.iter().chain(&self.biases).flat_map(|number| number.to_le_bytes()));
        bytes.extend(&self.weights.rows);
        bytes
    }
}

/// What the file says of itself.
struct Head {
    labels: u32,
    rows: u32,
    text_bytes_max: u32,
}

impl Head {
    const BYTES: usize = NAME.len() + 1 + 3 * 4;

    fn read(bytes: &[u8]) -> Result<Self, TextModelFault> {
        if !bytes.starts_with(&NAME) {
            return Err(TextModelFault::Name);
        }
        if let Some(version) = bytes.get(NAME.len()).filter(|version| **version != VERSION) {
            return Err(TextModelFault::Version(*version));
        }
        let Some(numbers) = bytes.get(NAME.len() + 1..Self::BYTES) else {
            return Err(TextModelFault::Length { found: bytes.len(), expected: Self::BYTES });
        };
        let number = |at: usize| numbers.as_chunks::<4>().0.get(at).map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let head = Self { labels: number(0), rows: number(1), text_bytes_max: number(2) };
        within("labels", head.labels, 2, TEXT_LABELS_MAX as u32)?;
        within("rows", head.rows, 0, BUCKETS as u32)?;
        within("bytes of a text", head.text_bytes_max, 1, TEXT_BYTES_LIMIT)?;
        if bytes.len() != head.length() {
            return Err(TextModelFault::Length { found: bytes.len(), expected: head.length() });
        }
        Ok(head)
    }

    /// Bytes of the whole file.
    fn length(&self) -> usize {
        let (labels, rows) = (self.labels as usize, self.rows as usize);
        Self::BYTES + BUCKETS / 8 + 8 * labels + (rows + 1) * stride(labels)
    }
}

fn within(what: &'static str, found: u32, min: u32, max: u32) -> Result<(), TextModelFault> {
    if (min..=max).contains(&found) { Ok(()) } else { Err(TextModelFault::Number { what, found, min, max }) }
}

fn numbers(what: &'static str, bytes: &[u8]) -> Result<Vec<f32>, TextModelFault> {
    let number = |(label, bytes): (usize, &[u8; 4])| {
        let found = f32::from_le_bytes(*bytes);
        let is_sound = found.is_finite() && found.abs() <= NUMBER_MAX;
        if is_sound { Ok(found) } else { Err(TextModelFault::Scale { what, label, found }) }
    };
    bytes.as_chunks::<4>().0.iter().enumerate().map(number).collect()
}

/// Weights before they are made into bytes.
#[derive(Debug)]
pub struct TextWeights<'w> {
    /// The buckets that have weights, ascending.
    pub buckets: &'w [u16],
    /// The idf of each of them in 1/256, and at the end that of any other bucket.
    pub idf: &'w [u16],
    /// For each bucket the weight of each label, which multiplies the gram's worth times its idf.
    pub weights: &'w [f32],
    /// What is said of each label before a text is read.
    pub biases: &'w [f32],
    /// Bytes of a text that are read.
    pub text_bytes_max: usize,
}

impl TextModel {
    /// Makes a model of trained weights: each becomes one of 255 steps, whose width is the label's own.
    pub fn from_weights(trained: &TextWeights<'_>) -> Self {
        let labels = trained.biases.len();
        let scales = scales(trained, labels);
        let mut known = Box::new([0_u64; BUCKETS / 64]);
        for bucket in trained.buckets {
            known[usize::from(bucket >> 6)] |= 1 << (bucket & 63);
        }
        let stride = stride(labels);
        let mut rows = vec![NOTHING; (trained.buckets.len() + 1) * stride];
        let mut weights = trained.weights.chunks_exact(labels);
        for (row, idf) in rows.chunks_exact_mut(stride).zip(trained.idf) {
            for (label, weight) in weights.next().unwrap_or_default().iter().enumerate() {
                let steps = libm::roundf(weight * f32::from(*idf) / 256.0 / scales[label]).clamp(-127.0, 127.0);
                row[label] = (steps as i16 + i16::from(NOTHING)) as u8;
            }
            row[stride - 2..].copy_from_slice(&idf.to_le_bytes());
        }
        Self {
            weights: Weights::new(known, labels, rows),
            scales,
            biases: trained.biases.to_vec(),
            text_bytes_max: trained.text_bytes_max.clamp(1, TEXT_BYTES_LIMIT as usize) as u32,
            worth: Worth::default(),
        }
    }
}

/// One 127th of each label's greatest weight.
fn scales(trained: &TextWeights<'_>, labels: usize) -> Vec<f32> {
    let mut scales = vec![f32::MIN_POSITIVE; labels];
    for (row, idf) in trained.weights.chunks_exact(labels).zip(trained.idf) {
        for (scale, weight) in scales.iter_mut().zip(row) {
            *scale = scale.max(weight.abs() * f32::from(*idf) / 256.0 / 127.0);
        }
    }
    scales
}
