//! Texts for training: which buckets each fills, by the very code that scores them.

use super::grams::Grams;
use super::model::{ONCE, Worth};
use super::tally::Tally;

/// A bucket that a text fills, and what its gram counts there: 1 + ln(how often it comes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filled {
    /// The bucket.
    pub bucket: u16,
    /// What it counts, in 1/32.
    pub worth: u8,
}

impl Filled {
    /// What it counts.
    pub fn value(self) -> f32 {
        f32::from(self.worth) / ONCE as f32
    }
}

/// Counts the grams of texts.
#[derive(Debug, Default)]
pub struct TextCounter {
    grams: Grams,
    tally: Tally,
    worth: Worth,
}

impl TextCounter {
    /// The buckets that a text of several parts fills, ascending.
    pub fn count<'t>(&mut self, parts: impl Iterator<Item = &'t str>, text_bytes_max: usize) -> Vec<Filled> {
        let buckets = self.grams.read(parts, text_bytes_max);
        let (mut filled, mut repeated) = (Vec::new(), Vec::new());
        let sight = |bucket, is_first| {
            if is_first {
                filled.push(Filled { bucket, worth: ONCE as u8 });
            }
        };
        self.tally.count(buckets, sight, |bucket, times| repeated.push((bucket, self.worth.of(times) as u8)));
        filled.sort_unstable_by_key(|filled| filled.bucket);
        for (bucket, worth) in repeated {
            if let Ok(at) = filled.binary_search_by_key(&bucket, |filled| filled.bucket) {
                filled[at].worth = worth;
            }
        }
        filled
    }
}
