//! The text model: features and scores at several lengths and numbers of labels, beside what nobody can leave out.
//!
//! The floor reads the same text once, a byte at a time in lower case, and one byte of each cache line of the rows that the
//! text's grams have in a table of the same size. It knows beforehand which rows those are.

use std::hint::black_box;
use std::time::Instant;

use forthwith::inference::{BUCKETS, Filled, TEXT_BYTES_MAX, TextCounter, TextModel, TextScratch, TextWeights};
use hdrhistogram::Histogram;

#[path = "../figures/mod.rs"]
mod figures;

use figures::time;

const LABELS: [usize; 3] = [10, 77, 150];
const WORDS: [usize; 3] = [10, 50, 500];

/// Texts of a size: so many that their rows are not all in the fastest memory.
const TEXTS: usize = 1_000;

/// Texts that the model's vocabulary is taken from, as many words in all as Banking77 has.
const KNOWN_TEXTS: usize = 10_000;

/// Bytes that are fetched together.
const LINE: usize = 64;

/// Runs all sizes; as a test with few texts, once.
pub(crate) fn run(is_test: bool) {
    let (rounds, texts, known) = if is_test { (1, 20, 200) } else { (15, TEXTS, KNOWN_TEXTS) };
    println!("\n| labels | words | grams | p50 | p99 | floor p50 | floor p99 | p50 of the floor's |");
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    for labels in LABELS {
        let mut language = Language::new();
        let vocabulary = Vocabulary::of((0..known).map(|_| language.text(12)));
        let model = vocabulary.model(labels, &mut language.draw);
        for words in WORDS {
            let texts: Vec<String> = (0..texts).map(|_| language.text(words)).collect();
            contest(&model, &vocabulary, labels, words, &texts, rounds);
        }
    }
}

/// Model and floor take turns over all texts; each text is timed alone.
fn contest(model: &TextModel, vocabulary: &Vocabulary, labels: usize, words: usize, texts: &[String], rounds: usize) {
    let table = vec![1_u8; model.bytes()];
    let stride = (labels + 2).next_multiple_of(16);
    let places: Vec<Vec<usize>> = texts.iter().map(|text| vocabulary.places(text, stride)).collect();
    let mut scratch = TextScratch::default();
    let mut ours = Histogram::<u64>::new(3).unwrap();
    let mut floor = Histogram::<u64>::new(3).unwrap();
    for round in 0..=rounds {
        // The first round only fills the caches and the scratch memory.
        let (mut round_ours, mut round_floor) = (Vec::new(), Vec::new());
        for text in texts {
            round_ours.push(timed(|| model.score([text.as_str()].into_iter(), 0.7, &mut scratch).best));
        }
        for (text, places) in texts.iter().zip(&places) {
            round_floor.push(timed(|| read(text, places, &table, stride)));
        }
        if round > 0 {
            round_ours.into_iter().for_each(|nanos| ours.record(nanos).unwrap());
            round_floor.into_iter().for_each(|nanos| floor.record(nanos).unwrap());
        }
    }
    let grams = places.iter().map(Vec::len).sum::<usize>() / places.len();
    let at = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64;
    println!(
        "| {labels} | {words} | {grams} | {} | {} | {} | {} | {:.1}x |",
        time(at(&ours, 0.5)),
        time(at(&ours, 0.99)),
        time(at(&floor, 0.5)),
        time(at(&floor, 0.99)),
        at(&ours, 0.5) / at(&floor, 0.5).max(1.0),
    );
}

#[allow(clippy::disallowed_methods, reason = "a bench has a clock")]
fn timed<T>(work: impl FnOnce() -> T) -> u64 {
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_nanos() as u64
}

fn read(text: &str, places: &[usize], table: &[u8], stride: usize) -> u64 {
    let mut sum: u64 = text.bytes().take(TEXT_BYTES_MAX).map(|byte| u64::from(byte.to_ascii_lowercase())).sum();
    for place in places {
        for at in (0..stride).step_by(LINE) {
            sum += u64::from(table[place + at]);
        }
    }
    sum
}

/// Words of a made-up language: frequent ones are short, and some come far more often than others.
struct Language {
    draw: Draw,
    words: Vec<String>,
}

impl Language {
    fn new() -> Self {
        const SYLLABLES: [&str; 16] =
            ["ba", "ter", "li", "non", "ka", "pos", "ri", "men", "tu", "sol", "da", "ver", "ci", "pal", "ho", "ing"];
        let mut draw = Draw(11);
        let words = (0..5_000_usize).map(|nth| {
            let syllables = 1 + (nth + 1).ilog10() as usize / 2 + draw.below(2);
            (0..syllables).map(|_| SYLLABLES[draw.below(SYLLABLES.len())]).collect()
        });
        let words = words.collect();
        Self { draw, words }
    }

    fn text(&mut self, words: usize) -> String {
        let word = |_| {
            // The product of two even draws favours the first words, as languages do.
            let nth = self.draw.below(self.words.len()) * self.draw.below(self.words.len()) / self.words.len();
            self.words[nth].as_str()
        };
        (0..words).map(word).collect::<Vec<_>>().join(" ")
    }
}

/// The buckets that texts fill.
struct Vocabulary {
    buckets: Vec<u16>,
    rank: Vec<Option<usize>>,
}

impl Vocabulary {
    fn of(texts: impl Iterator<Item = String>) -> Self {
        let mut is_filled = vec![false; BUCKETS];
        let mut counter = TextCounter::default();
        for text in texts {
            for Filled { bucket, .. } in counter.count([text.as_str()].into_iter(), TEXT_BYTES_MAX) {
                is_filled[usize::from(bucket)] = true;
            }
        }
        let buckets: Vec<u16> = (0..=u16::MAX).filter(|bucket| is_filled[usize::from(*bucket)]).collect();
        let mut rank = vec![None; BUCKETS];
        buckets.iter().enumerate().for_each(|(nth, bucket)| rank[usize::from(*bucket)] = Some(nth));
        Self { buckets, rank }
    }

    fn model(&self, labels: usize, draw: &mut Draw) -> TextModel {
        let weights: Vec<f32> =
            (0..self.buckets.len() * labels).map(|_| draw.below(2_001) as f32 / 1_000.0 - 1.0).collect();
        TextModel::from_weights(&TextWeights {
            buckets: &self.buckets,
            idf: &vec![1_024; self.buckets.len() + 1],
            weights: &weights,
            biases: &vec![0.0; labels],
            text_bytes_max: TEXT_BYTES_MAX,
        })
    }

    /// Where the rows of a text's grams begin.
    fn places(&self, text: &str, stride: usize) -> Vec<usize> {
        let filled = TextCounter::default().count([text].into_iter(), TEXT_BYTES_MAX);
        filled.iter().filter_map(|filled| Some(self.rank[usize::from(filled.bucket)]? * stride)).collect()
    }
}

/// Numbers without a pattern.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize * bound) >> 31
    }
}
