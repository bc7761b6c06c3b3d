//! Tests of models in bundles, and the small models that the tests of other rooms decide with.

use std::collections::BTreeMap;

use super::*;
use crate::inference::{Calibration, CalibrationRow, Ranked, TextCounter, TextModel, TextWeights};

pub(crate) const CONTEXT: &str = r#"
[events."ticket.created"]
subject = { type = "string", optional = true }
body    = { type = "string", optional = true }
channel = ["email", "chat"]
amount  = { type = "decimal", optional = true }

[facts]
plan = { one_of = ["free", "pro"], fresh = "30d" }

[lists]
"#;

/// A playbook that asks a model where no rule is final; `MODELS` stands for its models.
pub(crate) const PLAYBOOK: &str = r#"
playbook = "routing"
on       = ["ticket.created"]
ack      = "memory"

[outcome]
queue    = ["general", "cards", "billing", "incident"]
priority = { type = "int", min = 1, max = 4 }

[guardrail]
permit = { queue = ["general", "cards", "billing"] }

[[rules]]
id     = "free-plan"
when   = 'customer.plan == "free"'
then   = { priority = 4 }
permit = { queue = ["billing"] }

[[rules]]
id    = "urgent"
when  = 'event.?subject.orValue("").contains("urgent")'
then  = { queue = "general", priority = 1 }
final = true

[default]
then   = { queue = "general", priority = 3 }
permit = { queue = "any" }

MODELS
"#;

pub(crate) const MODEL: &str = r#"
[[models]]
use    = "intent@1"
reads  = ["event.subject", "event.body"]
sets   = { queue = "label" }
accept = { above = 0.8 }
"#;

/// What each label of the small model is told by.
pub(crate) const WORDS: [(&str, &[&str]); 3] =
    [("cards", &["card"]), ("billing", &["invoice"]), ("incident", &["outage"])];

/// A model that tells labels by words.
pub(crate) fn words_model(words: &[(&str, &[&str])]) -> TextModel {
    let mut weights: BTreeMap<u16, Vec<f32>> = BTreeMap::new();
    for (label, (_, words)) in words.iter().enumerate() {
        for word in *words {
            let filled = TextCounter::default().count(std::iter::once(*word), 1_000);
            let weight = 40.0 / filled.len() as f32;
            for filled in filled {
                weights.entry(filled.bucket).or_insert_with(|| vec![0.0; self::WORDS.len().max(3)])[label] += weight;
            }
        }
    }
    let buckets: Vec<u16> = weights.keys().copied().collect();
    let idf = vec![256; buckets.len() + 1];
    let weights: Vec<f32> = weights.into_values().flatten().collect();
    let biases = vec![0.0; words.len()];
    let trained =
        TextWeights { buckets: &buckets, idf: &idf, weights: &weights, biases: &biases, text_bytes_max: 1_000 };
    TextModel::from_weights(&trained)
}

/// The manifest of a text model with these bytes.
pub(crate) fn manifest(bytes: &[u8], more: &str) -> String {
    let labels: Vec<String> = WORDS.iter().map(|(label, _)| format!("{label:?}")).collect();
    format!(
        r#"
id            = "intent"
version       = 1
kind          = "text"
file          = "model.bin"
sha256        = "{}"
owner         = "support"
created       = "2026-11-23T10:00:00Z"
consent_scope = []
labels        = [{}]
{more}
[training]
data_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
rows        = 300
from        = "2026-01-01"
until       = "unknown"
[metrics]
accuracy = 0.9
"#,
        ContentHash::of(bytes),
        labels.join(", ")
    )
}

/// Files with a playbook that uses these models, and the model `intent@1`.
pub(crate) fn files(models: &str) -> (Sources, Artifacts) {
    let bytes = words_model(&WORDS).to_bytes();
    let (mut sources, mut artifacts) = (Sources::default(), Artifacts::default());
    sources.insert(CONTEXT_FILE, CONTEXT);
    sources.insert("playbooks/routing.toml", PLAYBOOK.replace("MODELS", models));
    sources.insert("models/intent-1/manifest.toml", manifest(&bytes, ""));
    artifacts.insert("models/intent-1/model.bin", bytes);
    (sources, artifacts)
}

/// Puts a calibration set beside the model `intent@1`, and its seal into the manifest.
pub(crate) fn calibrate(sources: &mut Sources, text: &str) {
    let manifest = sources.get("models/intent-1/manifest.toml").unwrap();
    let sealed =
        manifest.replacen('\n', &format!("\ncalibration_sha256 = \"{}\"\n", ContentHash::of(text.as_bytes())), 1);
    sources.insert("models/intent-1/manifest.toml", sealed);
    sources.insert("models/intent-1/calibration.csv", text);
}

/// A bundle with a playbook that uses these models.
pub(crate) fn with_models(models: &str) -> Bundle {
    let (sources, artifacts) = files(models);
    Bundle::compile_with(sources, &artifacts).unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(models: &str, change: impl FnOnce(&mut Sources, &mut Artifacts)) -> String {
    let (mut sources, mut artifacts) = files(models);
    change(&mut sources, &mut artifacts);
    Bundle::compile_with(sources, &artifacts).map_or_else(|faults| faults.to_string(), |_| "no fault".to_owned())
}

/// A calibration set in which the model is right about so many rows and wrong about so many, always equally sure.
fn calibration(right: usize, wrong: usize) -> String {
    let row = |label: u16| CalibrationRow { label: Some(label), scope: 1.0, scores: Ranked::of(&[0.95, 0.04, 0.01]) };
    let rows = std::iter::repeat_n(row(0), right).chain(std::iter::repeat_n(row(1), wrong)).collect();
    Calibration { rows }.write(&["cards", "billing", "incident"])
}

#[test]
fn a_bundle_with_a_model_compiles_and_its_name_depends_on_the_models_hash() {
    let bundle = with_models(MODEL);
    let playbook = &bundle.playbooks()[0];
    let model = &playbook.models[0];
    assert_eq!((&*model.name, model.proposals.len()), ("intent@1", 3));
    assert_eq!(playbook.rules.rules()[0].permit, Some(0), "the first permit");
    assert_eq!(playbook.rules.rules()[1].permit, None, "what is final permits nothing");
    assert_eq!(model.permitted[0].as_deref(), Some(&[false, true, false][..]), "billing only");
    assert_eq!(model.permitted[1].as_deref(), Some(&[true, true, false][..]), "the guardrail lets no incident out");
    let other = {
        let (mut sources, _) = files(MODEL);
        sources.insert("models/intent-1/manifest.toml", manifest(b"another", ""));
        sources.id()
    };
    assert_ne!(bundle.id(), other);
}

#[test]
fn a_model_that_is_not_what_its_manifest_says_is_refused() {
    let another = faults(MODEL, |_, artifacts| artifacts.insert("models/intent-1/model.bin", *b"another"));
    let found = ContentHash::of(b"another");
    assert!(
        another.contains(&format!("`models/intent-1/model.bin` has the SHA-256 {found}, the manifest says ")),
        "{another}"
    );
    insta::assert_snapshot!(faults(MODEL, |_, artifacts| *artifacts = Artifacts::default()), @"
    1 fault in the configuration:
      models/intent-1/manifest.toml: `file`: the file `models/intent-1/model.bin` is not there
    ");
    let nonsense = |sources: &mut Sources, artifacts: &mut Artifacts| {
        sources.insert("models/intent-1/manifest.toml", manifest(b"nonsense", ""));
        artifacts.insert("models/intent-1/model.bin", *b"nonsense");
    };
    insta::assert_snapshot!(faults(MODEL, nonsense));
}

#[test]
fn a_calibration_set_that_is_not_the_models_is_refused() {
    let models = MODEL.replace("{ above = 0.8 }", "{ target_precision = 0.9 }");
    let sealed = |sources: &mut Sources| calibrate(sources, &calibration(400, 10));
    assert_eq!(faults(&models, |sources, _| sealed(sources)), "no fault");
    insta::assert_snapshot!(faults(&models, |sources, _| {
        sealed(sources);
        sources.insert("models/intent-1/calibration.csv", calibration(400, 0));
    }));
    insta::assert_snapshot!(faults(MODEL, |sources, _| {
        let named = format!("calibration_sha256 = \"{}\"", ContentHash::of(b""));
        let manifest = sources.get("models/intent-1/manifest.toml").unwrap();
        sources.insert("models/intent-1/manifest.toml", format!("{named}\n{manifest}"));
    }));
    insta::assert_snapshot!(faults(MODEL, |sources, _| {
        let manifest = sources.get("models/intent-1/manifest.toml").unwrap();
        sources.insert("models/intent-1/manifest.toml", format!("calibration_sha256 = \"a seal\"\n{manifest}"));
    }));
}

#[test]
fn a_manifest_that_lacks_a_field_is_refused() {
    let (sources, _) = files(MODEL);
    let whole = sources.get("models/intent-1/manifest.toml").unwrap().to_owned();
    let required = whole.lines().filter_map(|line| line.split(" = ").next()).map(str::trim);
    let required: Vec<&str> = required.filter(|key| !key.is_empty() && !key.starts_with('[')).collect();
    assert_eq!(required.len(), 14, "{required:?}");
    for key in required.iter().filter(|key| !["labels", "accuracy"].contains(key)) {
        let without: Vec<&str> =
            whole.lines().filter(|line| line.split(" = ").next().unwrap().trim() != *key).collect();
        let found = faults(MODEL, |sources, _| sources.insert("models/intent-1/manifest.toml", without.join("\n")));
        assert!(found.contains(&format!("the key `{key}` is missing")), "{key}: {found}");
    }
}

#[test]
fn every_fault_of_a_playbooks_models_is_named() {
    let models = r#"
[[models]]
use    = "intnet@1"
reads  = ["event.subject"]
sets   = { queue = "label" }
accept = { above = 0.8 }

[[models]]
use    = "intent@1"
reads  = ["event.subjekt", "event.amount"]
sets   = { queue = "label" }
accept = { above = 1.5 }

[[models]]
use    = "intent@1"
reads  = ["event.subject"]
sets   = { priority = "label" }
accept = { above = 0.5 }

[[models]]
use    = "intent@1"
reads  = ["event.subject"]
sets   = { queue = "table:intents" }
accept = { above = 0.5, of = "margn" }

[[models]]
use    = "intent@1"
reads  = ["event.subject"]
sets   = { queue = "label" }
accept = { target_precision = 0.97 }
candidates = 0.95

[[models]]
use    = "intent@1"
reads  = ["event.subject"]
sets   = { que = "label" }
acept  = { above = 0.5 }
"#;
    insta::assert_snapshot!(faults(models, |_, _| ()));
    let table = "label,queue\ncards,cards\nbiling,billing\nbilling,bill\ncards,general\n";
    let by_table = MODEL.replace("\"label\"", "\"table:intents\"");
    insta::assert_snapshot!(faults(&by_table, |sources, _| sources.insert("tables/intents.csv", table)));
    let unopened = |sources: &mut Sources, _: &mut Artifacts| {
        let playbook = sources.get("playbooks/routing.toml").unwrap().replace("permit = { queue = [\"billing\"] }", "");
        sources.insert(
            "playbooks/routing.toml",
            playbook.replace("permit   = { queue = \"any\" }", "").replace("permit = { queue = \"any\" }", ""),
        );
    };
    insta::assert_snapshot!(faults(MODEL, unopened));
}

#[test]
fn a_threshold_is_certified_or_the_refusal_says_how_many_labels_would_do() {
    let models = MODEL.replace("{ above = 0.8 }", "{ target_precision = 0.9, confidence = 0.95 }");
    let with = |right, wrong| {
        move |sources: &mut Sources, _: &mut Artifacts| {
            calibrate(sources, &calibration(right, wrong));
        }
    };
    assert_eq!(faults(&models, with(400, 10)), "no fault");
    insta::assert_snapshot!(faults(&models, with(20, 0)));
    insta::assert_snapshot!(faults(&models, with(80, 40)));
}

#[test]
fn data_of_another_consent_may_not_serve_a_purpose() {
    let purposed = |sources: &mut Sources, _: &mut Artifacts| {
        sources.insert(CONTEXT_FILE, format!("{CONTEXT}\n[purposes]\nservice = {{ needs_consent = false }}\n"));
        let playbook =
            sources.get("playbooks/routing.toml").unwrap().replace("ack      =", "purpose  = \"service\"\nack      =");
        sources.insert("playbooks/routing.toml", playbook);
    };
    let found = faults(MODEL, purposed);
    assert!(found.contains("the model's `consent_scope` does not name `service`"), "{found}");
}

#[test]
fn a_model_that_gives_a_number_is_tabular_and_sets_one_field() {
    let manifest_without_labels = |kind: &str| {
        let whole = manifest(b"slow", "");
        let lines = whole.lines().filter(|line| !line.starts_with("labels"));
        lines.collect::<Vec<_>>().join("\n").replace("\"text\"", kind)
    };
    let neural = faults(MODEL, |sources, artifacts| {
        sources.insert("models/intent-1/manifest.toml", manifest_without_labels("\"neural\""));
        artifacts.insert("models/intent-1/model.bin", *b"slow");
    });
    assert!(neural.contains("a model of texts names its `labels`"), "{neural}");

    let models = "[[models]]\nuse = \"intent@1\"\nreads = { amount = \"event.amount\" }\n\
                  sets = { priority = \"value\", queue = \"value\" }\n";
    let several = faults(models, |sources, _| {
        let feature = "\n[[features]]\nname = \"amount\"\ntype = \"number\"\n";
        sources.insert("models/intent-1/manifest.toml", manifest_without_labels("\"tabular\"") + feature);
    });
    assert!(several.contains("this model gives one number, for one field"), "{several}");
}
