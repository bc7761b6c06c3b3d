//! Grams: the pieces of a text that a classifier weighs, each as one of 65,536 buckets.

use super::fold::{BREAK, fold_into, is_unspaced};

/// How many buckets there are: one half for words and pairs of words, the other for runs of characters.
pub const BUCKETS: usize = 1 << 16;

/// What is below is a bucket of words and pairs of words.
pub const WORD_BUCKETS: u16 = 1 << 15;

/// Bytes of a text, all its parts together, that are read unless a model says otherwise.
///
/// A ticket says what it is about in its first paragraphs; 4 KiB are some 600 words, and bound what a text can cost.
pub const TEXT_BYTES_MAX: usize = 4_096;

/// The grams of texts, one text after the other, in memory that is used again.
///
/// A word gives itself, itself with the word before it, and the runs of 3 to 5 characters of the word with a break at both
/// ends. In scripts without spaces each character is a word to the first two, and runs are those of the whole stretch.
#[derive(Debug, Default)]
pub(super) struct Grams {
    folded: Vec<u32>,
    buckets: Vec<u16>,
}

impl Grams {
    /// Reads a text of several parts; no gram crosses from one to the next. One bucket for each gram, in the text's order.
    pub(super) fn read<'t>(&mut self, parts: impl Iterator<Item = &'t str>, bytes_max: usize) -> &[u16] {
        self.buckets.clear();
        let mut left = bytes_max;
        for part in parts {
            self.folded.clear();
            left -= fold_into(part, left, &mut self.folded);
            gram_into(&self.folded, &mut self.buckets);
        }
        &self.buckets
    }
}

/// Words are between breaks; a word of a script without spaces ends where another script begins.
fn gram_into(folded: &[u32], buckets: &mut Vec<u16>) {
    // A character gives at most five: as a word, with the word before it, and three runs that begin with it.
    buckets.reserve(5 * folded.len());
    let mut before = None;
    let mut start = 0;
    while start + 1 < folded.len() {
        let length = folded[start + 1..].iter().position(|read| *read == BREAK).unwrap_or(0);
        let end = start + 1 + length;
        let framed = &folded[start..=end.min(folded.len() - 1)];
        runs_into(framed, buckets);
        words_into(&framed[1..=length], &mut before, buckets);
        start = end;
    }
}

fn words_into(stretch: &[u32], before: &mut Option<u64>, buckets: &mut Vec<u16>) {
    for word in stretch.chunk_by(|a, b| !is_unspaced(*a) && !is_unspaced(*b)) {
        let key = word.iter().fold(WORD, |key, read| (key ^ u64::from(*read)).wrapping_mul(ODD[0]).rotate_left(29));
        buckets.push(word_bucket(key));
        if let Some(before) = *before {
            buckets.push(word_bucket(before.wrapping_mul(ODD[1]).wrapping_add(key).wrapping_add(PAIR)));
        }
        *before = Some(key);
    }
}

/// The runs of three, four and five characters.
fn runs_into(framed: &[u32], buckets: &mut Vec<u16>) {
    let mut rest = framed;
    while let [a, b, c, ..] = *rest {
        // Three characters are 63 bits: exactly themselves.
        let three = u64::from(a) | u64::from(b) << 21 | u64::from(c) << 42;
        let key = three.wrapping_mul(ODD[0]);
        buckets.push(run_bucket(key));
        if let [_, _, _, d, ..] = *rest {
            let key = key.wrapping_add((u64::from(d) + FOURTH).wrapping_mul(ODD[1]));
            buckets.push(run_bucket(key));
            if let [_, _, _, _, e, ..] = *rest {
                buckets.push(run_bucket(key.wrapping_add((u64::from(e) + FIFTH).wrapping_mul(ODD[2]))));
            }
        }
        rest = &rest[1..];
    }
}

/// Odd numbers without a pattern, by which keys are spread. They are part of the format of models: never to be changed.
const ODD: [u64; 4] = [0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03, 0xAEF1_7502_108E_F2D9, 0xDB4F_0B91_75AE_2165];
/// What keeps words, pairs of words, and runs of different lengths apart.
const WORD: u64 = 0x5851_F42D_4C95_7F2D;
const PAIR: u64 = 0x1405_7B7E_F767_814F;
const FOURTH: u64 = 1 << 32;
const FIFTH: u64 = 1 << 33;

fn word_bucket(key: u64) -> u16 {
    spread(key) >> 1
}

fn run_bucket(key: u64) -> u16 {
    spread(key) >> 1 | WORD_BUCKETS
}

/// Two rounds, so that every bit of the key counts.
fn spread(key: u64) -> u16 {
    let once = (key ^ (key >> 32)).wrapping_mul(ODD[3]);
    let twice = (once ^ (once >> 29)).wrapping_mul(ODD[2]);
    (twice >> 48) as u16
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn grams(parts: &[&str]) -> Vec<u16> {
        Grams::default().read(parts.iter().copied(), TEXT_BYTES_MAX).to_vec()
    }

    #[test]
    fn a_word_gives_itself_and_its_runs() {
        // |card|: |ca car ard rd|, |car card ard|, |card card|; and the word.
        assert_eq!(grams(&["card"]).len(), 4 + 3 + 2 + 1);
        // |a|: one run, and the word.
        assert_eq!(grams(&["a"]).len(), 2);
        // Two words more than their own: the pair.
        assert_eq!(grams(&["a b"]).len(), 2 + 2 + 1);
    }

    #[test]
    fn no_gram_crosses_from_one_part_to_the_next() {
        let together: HashSet<u16> = grams(&["lost card"]).into_iter().collect();
        let apart: HashSet<u16> = grams(&["lost", "card"]).into_iter().collect();
        assert!(apart.is_subset(&together));
        assert_eq!(together.len(), apart.len() + 1, "the pair of words");
    }

    #[test]
    fn each_character_of_a_script_without_spaces_is_a_word() {
        // |信用卡|: three runs of three, two of four, one of five; three words and two pairs.
        assert_eq!(grams(&["信用卡"]).len(), 3 + 2 + 1 + 3 + 2);
        let shared: HashSet<u16> = grams(&["信用"]).into_iter().collect();
        assert!(grams(&["我的信用卡"]).iter().any(|gram| shared.contains(gram)));
    }

    /// Models that were ever trained are read by these very buckets.
    #[test]
    fn the_buckets_of_known_texts_never_change() {
        insta::assert_debug_snapshot!((grams(&["Card lost"]), grams(&["é", "漢字"])));
    }

    #[test]
    fn buckets_are_filled_evenly() {
        let mut counts = vec![0_u32; BUCKETS];
        let mut keys = 0;
        for a in b'a'..=b'z' {
            for b in b'a'..=b'z' {
                for c in b'a'..=b'z' {
                    let word = [a, b, c];
                    for gram in grams(&[std::str::from_utf8(&word).unwrap()]) {
                        counts[usize::from(gram)] += 1;
                        keys += 1;
                    }
                }
            }
        }
        // Each of the 17,576 words is a bucket's of words. Of its runs the whole and the middle are its own, the others repeat 26
        // times each or come as |abc and abc|.
        assert_eq!(keys, 26 * 26 * 26 * 7);
        for (half, distinct) in
            [(&counts[..BUCKETS / 2], 26 * 26 * 26), (&counts[BUCKETS / 2..], 4 * 26 * 26 * 26 + 2 * 26 * 26)]
        {
            let room = half.len() as f64;
            let expected = room * (1.0 - (-f64::from(distinct) / room).exp());
            let filled = half.iter().filter(|count| **count > 0).count() as f64;
            assert!((filled / expected - 1.0).abs() < 0.01, "{filled} of {expected} expected");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_within_its_bound(texts in prop::collection::vec("\\PC{0,200}", 0..4), bytes_max in 0_usize..300) {
            let mut reader = Grams::default();
            let buckets = reader.read(texts.iter().map(String::as_str), bytes_max);
            // A byte of text is at most one character, but for compatibility forms, which spell out to at most 18.
            prop_assert!(buckets.len() <= 5 * 18 * (bytes_max + texts.len()));
        }
    }
}
