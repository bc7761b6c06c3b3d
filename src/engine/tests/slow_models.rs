//! Decisions that wait for a slow model, on the engine as a library's user has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::patient;
use crate::bundle::model_tests::{MODEL, files, manifest};
use crate::bundle::{Artifacts, Bundle, Manifest, Sources};
use crate::domain::{Event, FallbackReason, Tier};
use crate::engine::{Budget, Config, Engine, Options};
use crate::inference::SlowFiles;
use crate::serving::{ModelFault, Scores, SlowModel};

/// Tells `cards` by the word, after a while.
struct Slow {
    takes: Duration,
    batches: Arc<AtomicUsize>,
}

impl SlowModel for Slow {
    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, ModelFault> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.takes);
        let scores = |text: &&str| {
            let probabilities = if text.contains("card") { [0.98, 0.01, 0.01] } else { [0.34, 0.33, 0.33] };
            Scores { probabilities: probabilities.into(), scope: 1.0 }
        };
        if texts.iter().any(|text| text.contains("break")) {
            return Err(ModelFault::of_batch("told to"));
        }
        Ok(texts.iter().map(scores).collect())
    }
}

fn slow_bundle() -> Bundle {
    let (mut sources, mut artifacts) = (Sources::default(), Artifacts::default());
    let (given, _) = files(MODEL);
    given.iter().for_each(|(path, text)| sources.insert(path, text));
    sources.insert("models/intent-1/manifest.toml", manifest(b"slow", "").replace("\"text\"", "\"neural\""));
    let playbook =
        sources.get("playbooks/routing.toml").unwrap().replace("ack      =", "budget   = \"10s\"\nack      =");
    sources.insert("playbooks/routing.toml", playbook);
    artifacts.insert("models/intent-1/model.bin", *b"slow");
    Bundle::compile_with(sources, &artifacts).unwrap_or_else(|faults| panic!("{faults}"))
}

fn engine(takes: Duration) -> (Engine, Arc<AtomicUsize>) {
    let batches = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&batches);
    let mut config = Config::new(slow_bundle());
    config.journal.segment_bytes = 1 << 20;
    config.slow_models = Arc::new(move |_: &Manifest, _: &SlowFiles| {
        let model: Box<dyn SlowModel> = Box::new(Slow { takes, batches: Arc::clone(&counted) });
        Ok(model)
    });
    (Engine::start(config).unwrap(), batches)
}

fn ticket(id: &str, customer: &str, subject: &str) -> Event {
    Event::new(id, "helpdesk", "ticket.created", customer).with("channel", "chat").with("subject", subject)
}

#[tokio::test]
async fn a_slow_model_decides_and_its_word_is_found_again() {
    let (engine, _) = engine(Duration::from_millis(2));
    let decision = engine.decide("routing", ticket("1", "c-1", "my card")).await.unwrap().into_result().unwrap();
    assert_eq!((decision.outcome().text("queue"), decision.tier), (Some("cards"), Tier::SmallModel));
    assert_eq!(decision.model.as_deref(), Some("intent@1"));
    let again = engine.decide("routing", ticket("1", "c-1", "my card")).await.unwrap().into_result().unwrap();
    assert!(again.is_duplicate, "the model is not asked again for what is decided");
    assert_eq!(again.id, decision.id);
    let explained = engine.explain(decision.id).unwrap().unwrap();
    assert_eq!((explained.models[0].word, explained.models[0].decided), ("accepted", true));
    engine.shutdown().unwrap();
}

#[tokio::test]
async fn a_model_that_fails_or_is_late_leaves_the_rules_answer() {
    let (engine, _) = engine(Duration::from_millis(50));
    let broken = engine.decide("routing", ticket("1", "c-1", "break")).await.unwrap().into_result().unwrap();
    assert_eq!((broken.tier, broken.fallback), (Tier::Rules, Some(FallbackReason::ModelFailed)));
    let options = Options { budget: Budget::AtMost(Duration::from_millis(20)), ..patient() };
    let late = engine.decide_with("routing", ticket("2", "c-1", "my card"), &options).await.unwrap();
    let late = late.into_result().unwrap();
    assert_eq!(late.outcome().text("queue"), Some("general"));
    assert!(matches!(late.fallback, Some(FallbackReason::ModelLate | FallbackReason::Late)), "{:?}", late.fallback);
    engine.shutdown().unwrap();
}

#[tokio::test]
async fn a_batch_of_events_is_a_few_batches_of_the_model() {
    let (engine, batches) = engine(Duration::from_millis(20));
    let events = (0..24).map(|n| ticket(&n.to_string(), &format!("c-{n}"), "my card")).collect();
    for answer in engine.decide_batch("routing", events, &patient()).await {
        assert_eq!(answer.unwrap().into_result().unwrap().tier, Tier::SmallModel);
    }
    let batches = batches.load(Ordering::Relaxed);
    assert!(batches <= 4, "{batches} batches of 24 texts");
    engine.shutdown().unwrap();
}

#[tokio::test]
async fn other_events_of_the_customer_are_decided_meanwhile() {
    let (engine, _) = engine(Duration::from_millis(200));
    let asking = tokio::spawn({
        let engine = engine.clone();
        async move { engine.decide("routing", ticket("1", "c-1", "my card")).await }
    });
    tokio::task::yield_now().await;
    let urgent = engine.decide("routing", ticket("2", "c-1", "urgent")).await.unwrap().into_result().unwrap();
    assert_eq!(urgent.rule.as_deref(), Some("urgent"));
    assert!(!asking.is_finished(), "the model takes its time");
    assert_eq!(asking.await.unwrap().unwrap().into_result().unwrap().tier, Tier::SmallModel);
    engine.shutdown().unwrap();
}

#[test]
fn a_build_that_does_not_know_a_model_refuses_its_bundle() {
    let refused = Engine::start(Config::new(slow_bundle())).unwrap_err().to_string();
    assert!(refused.starts_with("the model intent@1 cannot be used: "), "{refused}");
}
