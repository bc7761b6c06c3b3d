//! The text model: what a text's grams say of each label.

use super::grams::{Grams, TEXT_BYTES_MAX};
use super::tally::Tally;
use super::weights::{NOTHING, Weights};
use crate::inference::softmax_into;

/// What a gram that comes once counts; one that comes more often counts 1 + ln(how often) times that.
pub(super) const ONCE: u32 = 32;

/// A linear classifier of texts over hashed grams, with weights of one byte.
#[derive(Clone, Debug, PartialEq)]
pub struct TextModel {
    pub(super) weights: Weights,
    /// What one step of a weight is worth, for each label.
    pub(super) scales: Vec<f32>,
    /// What is said of each label before a text is read.
    pub(super) biases: Vec<f32>,
    /// Bytes of a text that are read.
    pub(super) text_bytes_max: u32,
    pub(super) worth: Worth,
}

/// The memory that scoring a text takes, to be used again: once it has grown, a score allocates nothing.
#[derive(Debug, Default)]
pub struct TextScratch {
    grams: Grams,
    tally: Tally,
    places: Vec<u32>,
    repeated: Vec<(u32, u32)>,
    sums: Vec<u32>,
    logits: Vec<f32>,
    probabilities: Vec<f32>,
}

/// What a model says of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored<'s> {
    /// The logit of each label, before any temperature, in the model's order.
    pub logits: &'s [f32],
    /// The probability of each label, in the model's order.
    pub probabilities: &'s [f32],
    /// The position of the most probable label, the first of equals.
    pub best: usize,
    /// How much the text is like what the model knows: higher is more.
    pub scope: f32,
}

impl TextModel {
    /// How many labels it tells apart.
    pub fn labels(&self) -> usize {
        self.biases.len()
    }

    /// Bytes that it holds in memory.
    pub fn bytes(&self) -> usize {
        self.weights.bytes() + 8 * self.biases.len()
    }

    /// How many buckets it has weights for.
    pub fn buckets(&self) -> usize {
        self.weights.count()
    }

    /// Bytes of a text, all its parts together, that it reads; the rest is passed over.
    pub fn text_bytes_max(&self) -> usize {
        self.text_bytes_max as usize
    }

    /// Scores a text of several parts; no gram crosses from one to the next. `temperature` is that of the model's manifest.
    ///
    /// Allocates nothing once the scratch memory has grown; takes microseconds.
    pub fn score<'s, 't>(
        &self,
        parts: impl Iterator<Item = &'t str>,
        temperature: f32,
        scratch: &'s mut TextScratch,
    ) -> Scored<'s> {
        self.weigh(parts, scratch);
        let TextScratch { logits, probabilities, .. } = scratch;
        probabilities.resize(logits.len(), 0.0);
        softmax_into(logits, temperature, probabilities);
        let best = first_greatest(logits);
        Scored { logits, probabilities, best, scope: logits[best] }
    }

    fn weigh<'t>(&self, parts: impl Iterator<Item = &'t str>, scratch: &mut TextScratch) {
        let TextScratch { grams, tally, places, repeated, sums, logits, .. } = scratch;
        let buckets = grams.read(parts, self.text_bytes_max());
        places.clear();
        places.resize(buckets.len(), 0);
        repeated.clear();
        let (mut count, mut squares, mut worth) = (0, 0_u64, 0_u32);
        let sight = |bucket, is_first: bool| {
            let place = self.weights.place(bucket);
            places[count] = place;
            count += usize::from(is_first);
            // Reading the row's end for its idf also fetches the row, long before it is summed.
            let idf = u64::from(self.weights.idf(place));
            squares += if is_first { idf * idf } else { 0 };
        };
        let mut more = 0_u64;
        let repetition = |bucket, times: u8| {
            let place = self.weights.place(bucket);
            let counts = self.worth.of(times);
            let idf = u64::from(self.weights.idf(place));
            more += idf * idf * u64::from(counts * counts - ONCE * ONCE);
            worth += counts - ONCE;
            repeated.push((place, counts - ONCE));
        };
        tally.count(buckets, sight, repetition);
        let squares = squares * u64::from(ONCE * ONCE) + more;
        self.weights.sum_into(&places[..count], ONCE, repeated, sums);
        let nothing = u64::from(NOTHING) * (u64::from(ONCE) * count as u64 + u64::from(worth));
        self.logits_into(sums, nothing, squares, logits);
    }

    /// Sums become logits: less what was added to keep them without a sign, divided by the text's length, in the label's scale.
    fn logits_into(&self, sums: &[u32], nothing: u64, squares: u64, logits: &mut Vec<f32>) {
        let length = libm::sqrt(squares as f64);
        let unit = if length > 0.0 { (256.0 / length) as f32 } else { 0.0 };
        logits.clear();
        logits.extend(sums.iter().zip(&self.scales).zip(&self.biases).map(|((sum, scale), bias)| {
            let sum = i64::from(*sum).wrapping_sub(nothing as i64) as f32;
            sum * (scale * unit) + bias
        }));
    }
}

fn first_greatest(logits: &[f32]) -> usize {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    logits.iter().position(|logit| *logit == greatest).unwrap_or(0)
}

/// What a gram counts by how often it comes: 1 + ln(times), in 1/32.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Worth([u8; 256]);

impl Default for Worth {
    fn default() -> Self {
        let worth = |times: usize| {
            let worth = 1.0 + libm::log(times.max(1) as f64);
            libm::round(f64::from(ONCE) * worth) as u8
        };
        Self(std::array::from_fn(worth))
    }
}

impl Worth {
    #[inline]
    pub(super) fn of(&self, times: u8) -> u32 {
        u32::from(self.0[usize::from(times)])
    }
}

// The default length must be one that a file may state.
const _: () = assert!(TEXT_BYTES_MAX <= super::file::TEXT_BYTES_LIMIT as usize);
