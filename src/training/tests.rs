//! Training as a whole, on tickets small enough for a test.

use super::*;
use crate::inference::{TEXT_BYTES_MAX, TextScratch};

const DEMANDS: Demands =
    Demands { rows_min: 5, drops_rare_labels: false, drops_empty_texts: false, text_bytes_max: TEXT_BYTES_MAX };

/// Tickets of three labels, made of a few phrases each; `label_of` may get the label wrong.
fn tickets(label_of: impl Fn(usize, usize) -> usize) -> LabelledTexts {
    const PHRASES: [[&str; 4]; 3] = [
        ["my card is lost", "the card was stolen", "please block the card", "a new card is needed"],
        ["where is my transfer", "the transfer is late", "a payment has not arrived", "money is still pending"],
        ["change my address", "I have moved house", "update the phone number", "my name is spelt wrongly"],
    ];
    const OPENINGS: [&str; 6] = ["hello,", "hi there", "good morning:", "dear team", "urgent!", "question:"];
    let mut texts = Vec::new();
    for (kind, phrases) in PHRASES.iter().enumerate() {
        for (at, phrase) in phrases.iter().enumerate() {
            for (nth, opening) in OPENINGS.iter().enumerate() {
                let label = ["cards", "transfers", "details"][label_of(kind, at + nth)].to_owned();
                texts.push(LabelledText {
                    parts: vec![format!("{opening} {phrase}")],
                    label,
                    line: texts.len() as u64 + 2,
                });
            }
        }
    }
    LabelledTexts::of(texts, &DEMANDS).unwrap()
}

fn train(texts: &LabelledTexts, training: TextTraining) -> Result<TrainedText, TrainingError> {
    training.run(texts, &[], &mut |_| {})
}

#[test]
fn learns_what_tickets_are_about() {
    let texts = tickets(|kind, _| kind);
    let mut seen = Vec::new();
    let trained = TextTraining::default().run(&texts, &[], &mut |progress| seen.push(progress.fit)).unwrap();
    assert!(trained.quality.accuracy > 0.9, "{:?}", trained.quality);
    assert_eq!(trained.held_out.len(), texts.len());
    assert_eq!(seen.last(), Some(&13), "every fit is told of");
    let mut scratch = TextScratch::default();
    let told = trained.model.score(["Someone took my credit card"].into_iter(), trained.temperature, &mut scratch);
    assert_eq!(texts.labels()[told.best], "cards");
}

#[test]
fn the_same_texts_and_seed_give_the_same_bytes() {
    let texts = tickets(|kind, _| kind);
    let bytes = |seed| {
        let trained = train(&texts, TextTraining { seed, ..TextTraining::default() }).unwrap();
        let calibration = trained.held_out.calibration(trained.temperature, seed).write(texts.labels());
        (trained.model.to_bytes(), calibration)
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1).1, bytes(2).1, "another seed holds out other rows");
}

#[test]
fn what_cannot_be_told_apart_makes_no_model() {
    // The label has nothing to do with the text.
    let texts = tickets(|_, nth| nth % 3);
    let error = train(&texts, TextTraining::default()).unwrap_err();
    let TrainingError::Inaccurate { accuracy, accuracy_min, ref majority, .. } = error else { panic!("{error}") };
    assert!(accuracy < accuracy_min && accuracy_min > 0.34, "{accuracy} of {accuracy_min}");
    assert_eq!(majority, "cards");
    let error = error.to_string();
    assert!(error.contains("always saying `cards` would reach 33.3 %"), "{error}");
}

#[test]
fn a_floor_of_ones_own_is_kept() {
    let texts = tickets(|kind, nth| if nth == 2 { (kind + 1) % 3 } else { kind });
    let floor =
        |accuracy_min| train(&texts, TextTraining { accuracy_min: Some(accuracy_min), ..TextTraining::default() });
    assert!(floor(0.5).is_ok());
    assert!(matches!(floor(0.99), Err(TrainingError::Inaccurate { accuracy_min: 0.99, .. })));
    assert!(matches!(floor(f64::NAN), Err(TrainingError::Inaccurate { .. })), "what is no number is no floor");
}

#[test]
fn strangers_are_told_but_nothing_is_learnt_from_them() {
    let texts = tickets(|kind, _| kind);
    let strangers: Vec<Vec<String>> = (0..60).map(|nth| vec![format!("recipe number {nth} for apple cake")]).collect();
    let alone = train(&texts, TextTraining::default()).unwrap();
    let among = TextTraining::default().run(&texts, &strangers, &mut |_| {}).unwrap();
    assert_eq!(among.model.to_bytes(), alone.model.to_bytes());
    assert_eq!(among.quality, alone.quality);
    let rows = among.held_out.calibration(1.0, 0).rows;
    let mean = |of: &dyn Fn(&Option<u16>) -> bool| {
        let scopes: Vec<f32> = rows.iter().filter(|row| of(&row.label)).map(|row| row.scope).collect();
        scopes.iter().sum::<f32>() / scopes.len() as f32
    };
    assert!(mean(&Option::is_some) > mean(&Option::is_none) + 1.0, "what is unlike all labels scores low");
}

#[test]
fn rows_that_read_the_same_are_held_out_together() {
    let text = |nth: usize, label: &str| LabelledText {
        parts: vec![format!("ticket {}", nth / 2)],
        label: label.to_owned(),
        line: nth as u64,
    };
    let rows = (0..40).map(|nth| text(nth, if nth % 4 < 2 { "a" } else { "b" })).collect();
    let texts = LabelledTexts::of(rows, &DEMANDS).unwrap();
    let parts = split::split(&texts, 5, 3);
    assert!(parts.chunks(2).all(|pair| pair[0] == pair[1]));
    for part in 0..5 {
        assert_eq!(parts.iter().filter(|of| **of == part).count(), 8, "evenly");
    }
}

/// A ticket that was exported many times has one label, and not many.
#[test]
fn copies_of_a_row_are_one_row_of_the_calibration_set() {
    let once = tickets(|kind, _| kind);
    let copied = once.rows.iter().take(40).flat_map(|row| {
        let label = once.labels()[usize::from(row.label)].clone();
        std::iter::repeat_n(LabelledText { parts: row.parts.clone(), label, line: 0 }, 5)
    });
    let rows = once.rows.iter().map(|row| LabelledText {
        parts: row.parts.clone(),
        label: once.labels()[usize::from(row.label)].clone(),
        line: 0,
    });
    let texts = LabelledTexts::of(rows.chain(copied).collect(), &DEMANDS).unwrap();
    assert_eq!(texts.findings.duplicates - once.findings.duplicates, 200);
    let strangers = [vec!["apple cake".to_owned()], vec!["apple cake".to_owned()]];
    let trained = TextTraining::default().run(&texts, &strangers, &mut |_| {}).unwrap();
    assert_eq!(trained.held_out.len(), texts.len() + 2, "what is told of accuracy is told of every row");
    let rows = trained.held_out.calibration(trained.temperature, 0).rows;
    assert_eq!(rows.len(), once.len() - once.findings.duplicates + 2);
}
