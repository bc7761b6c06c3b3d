//! The text model as a whole: what it says, and what its file may hold.

use proptest::prelude::*;

use super::*;

/// Two labels: one is told by what the first text says, the other by the second.
fn model(first: &str, second: &str) -> TextModel {
    let mut counter = TextCounter::default();
    let texts = [first, second].map(|text| counter.count([text].into_iter(), TEXT_BYTES_MAX));
    let mut buckets: Vec<u16> = texts.iter().flatten().map(|filled| filled.bucket).collect();
    buckets.sort_unstable();
    buckets.dedup();
    let says = |text: &[Filled], bucket| if text.iter().any(|f| f.bucket == bucket) { 1.0 } else { 0.0 };
    let weights: Vec<f32> = buckets.iter().flat_map(|bucket| [0, 1].map(|nth| says(&texts[nth], *bucket))).collect();
    let mut idf = vec![512; buckets.len()];
    idf.push(768);
    TextModel::from_weights(&TextWeights {
        buckets: &buckets,
        idf: &idf,
        weights: &weights,
        biases: &[0.25, 0.0],
        text_bytes_max: TEXT_BYTES_MAX,
    })
}

fn logits(model: &TextModel, parts: &[&str]) -> Vec<f32> {
    model.score(parts.iter().copied(), 1.0, &mut TextScratch::default()).logits.to_vec()
}

/// What the kernel says, by the book: floating point throughout, one feature after the other.
fn by_the_book(first: &str, second: &str, text: &str) -> [f32; 2] {
    let mut counter = TextCounter::default();
    let mut count = |text: &str| counter.count([text].into_iter(), TEXT_BYTES_MAX);
    let (first, second, text) = (count(first), count(second), count(text));
    let holds = |of: &[Filled], bucket| of.iter().any(|f| f.bucket == bucket);
    let idf = |bucket| if holds(&first, bucket) || holds(&second, bucket) { 2.0 } else { 3.0 };
    let value = |f: &Filled| f64::from(f.value()) * idf(f.bucket);
    let length = text.iter().map(|f| value(f) * value(f)).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let sum = |of: &[Filled]| text.iter().filter(|f| holds(of, f.bucket)).map(value).sum::<f64>() / length;
    [(sum(&first) + 0.25) as f32, sum(&second) as f32]
}

#[test]
fn tells_what_its_weights_tell() {
    let model = model("my card was stolen", "where is my transfer");
    let mut scratch = TextScratch::default();
    let scored = model.score(["Card stolen!"].into_iter(), 1.0, &mut scratch);
    assert_eq!(scored.best, 0);
    assert!(scored.probabilities[0] > 0.9);
    let scored = model.score(["the transfer: where?"].into_iter(), 1.0, &mut scratch);
    assert_eq!(scored.best, 1);
}

#[test]
fn a_text_without_a_word_leaves_what_is_said_before_reading() {
    let model = model("my card was stolen", "where is my transfer");
    for parts in [&[][..], &[""], &["", "?!"]] {
        assert_eq!(logits(&model, parts), [0.25, 0.0], "{parts:?}");
    }
}

#[test]
fn what_is_beyond_the_stated_length_is_not_read() {
    let model = model("my card was stolen", "where is my transfer");
    let long = "card ".repeat(TEXT_BYTES_MAX / 5 + 1);
    let longer = format!("{long} transfer transfer transfer");
    assert_eq!(logits(&model, &[&long]), logits(&model, &[&longer]));
    assert_eq!(logits(&model, &["card", &long]), logits(&model, &["card", &longer]));
    assert_ne!(logits(&model, &["card"]), logits(&model, &["card transfer"]));
}

#[test]
fn a_file_reads_back_as_the_same_model() {
    let model = model("my card was stolen", "where is my transfer");
    let bytes = model.to_bytes();
    assert_eq!(TextModel::from_bytes(&bytes), Ok(model));
}

#[test]
fn a_file_that_is_no_model_is_refused_with_the_reason() {
    let sound = model("my card was stolen", "where is my transfer").to_bytes();
    let refusal = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sound.clone();
        change(&mut bytes);
        TextModel::from_bytes(&bytes).unwrap_err().to_string()
    };
    insta::assert_snapshot!(
        [
            refusal(&|bytes| bytes.clear()),
            refusal(&|bytes| bytes[7] = 2),
            refusal(&|bytes| bytes.truncate(15)),
            refusal(&|bytes| bytes.truncate(1_000)),
            refusal(&|bytes| bytes.push(0)),
            refusal(&|bytes| bytes[8] = 1),
            refusal(&|bytes| bytes[14] = 2),
            refusal(&|bytes| bytes[18] = 2),
            refusal(&|bytes| bytes[20] ^= 1),
            refusal(&|bytes| bytes[20 + 8_192..][..4].copy_from_slice(&f32::NAN.to_le_bytes())),
            refusal(&|bytes| bytes[20 + 8_192 + 8..][..4].copy_from_slice(&1e7_f32.to_le_bytes())),
        ]
        .join("\n")
    );
}

proptest! {
    #[test]
    fn says_what_the_textbook_says(text in "(card|stolen|my|transfer|lost| |é|漢字|!){0,60}") {
        let (first, second) = ("my card was stolen", "where is my transfer 漢字");
        let found = logits(&model(first, second), &[&text]);
        for (found, expected) in found.iter().zip(by_the_book(first, second, &text)) {
            prop_assert!((found - expected).abs() < 2e-3 * expected.abs().max(1.0), "{found} for {expected}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        changes in prop::collection::vec((0_usize..9_000, any::<u8>()), 0..20),
        cut in prop::option::of(0_usize..9_000),
    ) {
        let mut bytes = model("my card was stolen", "where is my transfer").to_bytes();
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(cut.unwrap_or(usize::MAX));
        if let Ok(model) = TextModel::from_bytes(&bytes) {
            let found = logits(&model, &["my card and the transfer, where is it?"]);
            prop_assert!(found.iter().all(|logit| logit.is_finite()));
            prop_assert_eq!(model.to_bytes(), bytes);
        }
    }
}
