//! What models come to, and how far that has moved from what is expected of them.

use super::*;
use crate::bundle::model_tests::{MODEL, calibrate, files, manifest};
use crate::bundle::{Artifacts, Sources};
use crate::domain::FeedbackVerdict;
use crate::inference::{Calibration, CalibrationRow, Ranked, TextModel, TextWeights};

const LABELS: [&str; 3] = ["cards", "billing", "incident"];
const TEXTS: [&str; 3] = ["my card", "the invoice", "an outage"];

fn ticket(id: &str, body: &str) -> Event {
    Event::new(id, "helpdesk", "ticket.created", "c-1").with("body", body).with("channel", "chat")
}

/// A calibration set in which every label comes as often, and which is as sure as the model is.
fn balanced(rows: u16) -> String {
    let row = |nth: u16| {
        let mut scores = [0.0002, 0.0002, 0.0002];
        scores[usize::from(nth % 3)] = 0.9996;
        CalibrationRow { label: Some(nth % 3), scope: 1.0, scores: Ranked::of(&scores) }
    };
    Calibration { rows: (0..rows).map(row).collect() }.write(&LABELS)
}

fn with_calibration(models: &str) -> (Sources, Artifacts) {
    let (mut sources, artifacts) = files(models);
    calibrate(&mut sources, &balanced(300));
    (sources, artifacts)
}

fn compiled((sources, artifacts): (Sources, Artifacts)) -> Bundle {
    Bundle::compile_with(sources, &artifacts).unwrap_or_else(|faults| panic!("{faults}"))
}

fn patient() -> Options {
    Options { budget: Budget::Unlimited, ..Options::default() }
}

async fn decided(engine: &Engine, event: Event) -> Decision {
    engine.decide_with("routing", event, &patient()).await.unwrap().into_result().unwrap()
}

/// The lines of the metrics page that are about models, without the histogram's.
fn of_models(engine: &Engine) -> String {
    let page = engine.metrics();
    let is_told = |line: &&str| line.starts_with("forthwith_model_") && !line.contains("_bucket{");
    page.lines().filter(is_told).collect::<Vec<_>>().join("\n")
}

fn number(engine: &Engine, start: &str) -> f64 {
    let page = engine.metrics();
    let line = page.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start}\n{page}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_models_come_to_is_counted_beside_what_is_expected() {
    let engine = engine_of(compiled(with_calibration(MODEL)));
    for (nth, text) in TEXTS.iter().cycle().take(12).enumerate() {
        decided(&engine, ticket(&format!("t-{nth}"), text)).await;
    }
    decided(&engine, ticket("t-12", "hello")).await;
    decided(&engine, ticket("t-12", "hello")).await;
    decided(&engine, ticket("t-13", "x").with("subject", "urgent")).await;
    engine.observe(ticket("t-14", "my card")).await.unwrap().given().unwrap();
    insta::assert_snapshot!(of_models(&engine));
}

#[tokio::test]
async fn a_model_still_decides_after_a_restart_and_after_the_same_bundle_was_put_in_force_again() {
    let data = tempfile::tempdir().unwrap();
    for id in ["t-1", "t-2", "t-3"] {
        let engine = Engine::start(Config::new(compiled(with_calibration(MODEL))).data(data.path())).unwrap();
        let model = decided(&engine, ticket(id, "my card")).await.model;
        assert_eq!(model.as_deref(), Some("intent@1"), "{id}");
        engine.change_bundle(compiled(with_calibration(MODEL))).unwrap();
        let model = decided(&engine, ticket(&format!("{id}-again"), "my card")).await.model;
        assert_eq!(model.as_deref(), Some("intent@1"), "{id} again");
    }
}

#[tokio::test]
async fn what_has_moved_shows_and_what_has_not_does_not() {
    let engine = engine_of(compiled(with_calibration(MODEL)));
    let psi = |of: &str| number(&engine, &format!("forthwith_model_psi{{model=\"intent@1\",of=\"{of}\""));
    let chance = |of: &str| number(&engine, &format!("forthwith_model_psi_by_chance{{model=\"intent@1\",of=\"{of}\""));
    for nth in 0..90 {
        decided(&engine, ticket(&format!("t-{nth}"), TEXTS[nth % 3])).await;
    }
    for of in ["class", "confidence"] {
        assert!(psi(of) < 0.1 && psi(of) < 3.0 * chance(of), "{of}: {}", psi(of));
    }
    for nth in 90..300 {
        decided(&engine, ticket(&format!("t-{nth}"), TEXTS[0])).await;
    }
    assert!(psi("class") > 0.25 && psi("class") > 3.0 * chance("class"), "{}", psi("class"));
    // Another bundle with the same model goes on where the one before was; one with another threshold begins anew.
    let recent = || number(&engine, "forthwith_model_recent_answers");
    let (mut sources, artifacts) = with_calibration(MODEL);
    let described = format!("description = \"of tickets\"\n{}", sources.get("playbooks/routing.toml").unwrap());
    sources.insert("playbooks/routing.toml", described);
    engine.change_bundle(compiled((sources, artifacts))).unwrap();
    assert_eq!(recent(), 300.0);
    engine.change_bundle(compiled(with_calibration(&MODEL.replace("0.8", "0.99")))).unwrap();
    assert_eq!(recent(), 0.0);
}

#[tokio::test]
async fn feedback_tells_whether_what_models_proposed_was_right() {
    let engine = engine_of(compiled(with_calibration(MODEL)));
    let sure = decided(&engine, ticket("t-1", "my card")).await;
    let torn = decided(&engine, ticket("t-2", "my card the invoice an outage")).await;
    assert_eq!((sure.model.as_deref(), torn.model.as_deref()), (Some("intent@1"), None));
    let say = async |decision: &Decision, feedback: Feedback| {
        engine.feedback(decision.id, feedback).await.unwrap().given().unwrap();
    };
    let accepted = Feedback { verdict: Some(FeedbackVerdict::Accepted), ..Feedback::default() };
    say(&sure, accepted.clone()).await;
    say(&torn, accepted).await;
    let corrected = |queue: &str| Feedback { corrected: vec![("queue".into(), queue.into())], ..Feedback::default() };
    say(&sure, corrected("billing")).await;
    say(&torn, corrected("cards")).await;
    let labelled = |label: &str| Feedback { label: Some(label.into()), ..Feedback::default() };
    say(&sure, labelled("cards")).await;
    say(&sure, labelled("billing")).await;
    say(&sure, labelled("nobody knows it")).await;
    say(&sure, Feedback { verdict: Some(FeedbackVerdict::Rejected), ..Feedback::default() }).await;
    let page = engine.metrics();
    let is_told =
        |line: &&str| line.starts_with("forthwith_model_judged") || line.starts_with("forthwith_feedback_judged");
    insta::assert_snapshot!(page.lines().filter(is_told).collect::<Vec<_>>().join("\n"));
}

/// A model of seventy labels, each a queue of its own, sure of the last one.
#[tokio::test]
async fn classes_beyond_sixty_four_are_counted_as_others() {
    let names: Vec<String> = (0..70).map(|nth| format!("q{nth}")).collect();
    let mut biases = vec![0.0; 70];
    biases[69] = 9.0;
    let weights = TextWeights { buckets: &[], idf: &[256], weights: &[], biases: &biases, text_bytes_max: 1_000 };
    let bytes = TextModel::from_weights(&weights).to_bytes();
    let (mut sources, mut artifacts) = files(MODEL);
    let quoted = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let told = manifest(&bytes, "").replace("\"cards\", \"billing\", \"incident\"", &quoted);
    sources.insert("models/intent-1/manifest.toml", told);
    artifacts.insert("models/intent-1/model.bin", bytes);
    let playbook = sources.get("playbooks/routing.toml").unwrap();
    let queues = playbook.replace(
        "[\"general\", \"cards\", \"billing\", \"incident\"]",
        &format!("[\"general\", \"billing\", {quoted}]"),
    );
    let queues = queues.replace("permit = { queue = [\"general\", \"cards\", \"billing\"] }", "");
    sources.insert("playbooks/routing.toml", queues);
    let engine = engine_of(compiled((sources, artifacts)));
    let decision = decided(&engine, ticket("t-1", "anything")).await;
    assert_eq!(decision.outcome().text("queue"), Some("q69"));
    assert_eq!(number(&engine, "forthwith_model_classes_total{class=\"other\""), 1.0);
    let page = engine.metrics();
    assert_eq!(page.lines().filter(|line| line.starts_with("forthwith_model_classes_total{")).count(), 65);
    assert!(!page.contains("forthwith_model_psi{"), "without a calibration set there is nothing to compare with");
}
