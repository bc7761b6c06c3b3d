//! The vocabulary of labelled texts: which buckets they fill, and how much each tells by being rare.

use super::linear::Linear;
use super::rows::SparseRows;
use crate::inference::{BUCKETS, Filled, TextModel, TextWeights, WORD_BUCKETS};

/// The buckets that training texts fill, with their idf: `1 + ln((1 + texts) / (1 + texts that fill it))`, in 1/256;
/// that of words and pairs of words times an emphasis.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// Ascending.
    buckets: Vec<u16>,
    /// For each bucket its position among those that are filled.
    columns: Box<[Option<u16>]>,
    /// For each of `buckets`, and at the end for any other.
    idf: Vec<u16>,
}

impl Vocabulary {
    /// Of the texts that a model is trained on.
    pub fn of<'t>(texts: impl Iterator<Item = &'t [Filled]>, emphasis: f64) -> Self {
        let mut filling = vec![0_u32; BUCKETS];
        let mut count = 0_u32;
        for text in texts {
            count += 1;
            text.iter().for_each(|filled| filling[usize::from(filled.bucket)] += 1);
        }
        let mut columns = vec![None; BUCKETS].into_boxed_slice();
        let (mut buckets, mut idf) = (Vec::new(), Vec::new());
        for (bucket, filling) in filling.iter().enumerate().filter(|(_, filling)| **filling > 0) {
            columns[bucket] = Some(buckets.len() as u16);
            buckets.push(bucket as u16);
            let emphasis = if bucket < usize::from(WORD_BUCKETS) { emphasis } else { 1.0 };
            idf.push(idf_of(count, *filling, emphasis));
        }
        idf.push(idf_of(count, 0, 1.0));
        Self { buckets, columns, idf }
    }

    /// How many buckets are filled.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether no text filled any.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Texts as rows of length one.
    pub fn rows<'t>(&self, texts: impl Iterator<Item = &'t [Filled]>) -> SparseRows {
        let mut rows = SparseRows::new(self.len());
        for text in texts {
            let length =
                libm::sqrtf(text.iter().map(|filled| self.weight(*filled)).map(|weight| weight * weight).sum());
            let unit = if length > 0.0 { 1.0 / length } else { 0.0 };
            let column = |filled: &Filled| {
                Some((u32::from(self.columns[usize::from(filled.bucket)]?), self.weight(*filled) * unit))
            };
            rows.push(text.iter().filter_map(column));
        }
        rows
    }

    fn weight(&self, filled: Filled) -> f32 {
        let column = self.columns[usize::from(filled.bucket)].map_or(self.len(), usize::from);
        filled.value() * f32::from(self.idf[column]) / 256.0
    }

    /// The model that scores texts with a linear model of their rows.
    pub fn model(&self, linear: &Linear, text_bytes_max: usize) -> TextModel {
        TextModel::from_weights(&TextWeights {
            buckets: &self.buckets,
            idf: &self.idf,
            weights: linear.weights(),
            biases: linear.biases(),
            text_bytes_max,
        })
    }
}

fn idf_of(texts: u32, filling: u32, emphasis: f64) -> u16 {
    let idf = 1.0 + libm::log((1.0 + f64::from(texts)) / (1.0 + f64::from(filling)));
    // At four billion texts it is 23.2: far from the end of 16 bits.
    libm::round(256.0 * emphasis * idf) as u16
}
