//! Decisions that wait for a slow model, on the engine as a library's user has it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use super::patient;
use crate::bundle::model_tests::{MODEL, files, manifest};
use crate::bundle::{Artifacts, Bundle, ContentHash, Manifest, Sources};
use crate::domain::{Event, FallbackReason, Tier};
use crate::engine::{Budget, Config, Engine, Options};
use crate::inference::SlowFiles;
use crate::journal::FaultyDisk;
use crate::serving::{ModelFault, Scores, SlowModel};
use crate::time::Clock;

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
    let (sources, artifacts) = slow_files(MODEL);
    compiled(sources, &artifacts)
}

pub(super) fn compiled(sources: Sources, artifacts: &Artifacts) -> Bundle {
    Bundle::compile_with(sources, artifacts).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Files of a playbook that has ten seconds and uses these models, and of the slow model `intent@1`.
pub(super) fn slow_files(models: &str) -> (Sources, Artifacts) {
    let (mut sources, mut artifacts) = (Sources::default(), Artifacts::default());
    let (given, _) = files(models);
    given.iter().for_each(|(path, text)| sources.insert(path, text));
    sources.insert("models/intent-1/manifest.toml", manifest(b"slow", "").replace("\"text\"", "\"neural\""));
    let playbook =
        sources.get("playbooks/routing.toml").unwrap().replace("ack      =", "budget   = \"10s\"\nack      =");
    sources.insert("playbooks/routing.toml", playbook);
    artifacts.insert("models/intent-1/model.bin", *b"slow");
    (sources, artifacts)
}

fn engine(takes: Duration) -> (Engine, Arc<AtomicUsize>) {
    let (config, batches) = config(slow_bundle(), move |_| takes);
    (Engine::start(config).unwrap(), batches)
}

/// An engine's configuration whose models take as long as is said of their manifests; and how many batches they are asked.
pub(super) fn config(
    bundle: Bundle,
    takes: impl Fn(&Manifest) -> Duration + Send + Sync + 'static,
) -> (Config, Arc<AtomicUsize>) {
    let batches = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&batches);
    let mut config = Config::new(bundle);
    config.journal.segment_bytes = 1 << 20;
    config.slow_models = Arc::new(move |manifest: &Manifest, _: &SlowFiles| {
        let model: Box<dyn SlowModel> = Box::new(Slow { takes: takes(manifest), batches: Arc::clone(&counted) });
        Ok(model)
    });
    (config, batches)
}

pub(super) fn ticket(id: &str, customer: &str, subject: &str) -> Event {
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
    let page = engine.metrics();
    assert!(page.contains("\nforthwith_turns_total 2\n"), "asking a model is no turn of its own: {page}");
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

#[tokio::test]
async fn a_model_that_would_be_late_does_not_keep_a_quicker_one_from_being_asked() {
    let takes = |manifest: &Manifest| Duration::from_millis(if manifest.name.version == 1 { 1_500 } else { 1 });
    let (config, _) = config(two_slow(b"its own"), takes);
    let engine = Engine::start(config).unwrap();
    // By this one it is known how long the first model takes.
    let first = engine.decide_with("routing", ticket("1", "c-1", "my card"), &patient()).await.unwrap();
    assert_eq!(first.into_result().unwrap().model.as_deref(), Some("intent@1"));
    let options = Options { budget: Budget::AtMost(Duration::from_millis(1_400)), ..patient() };
    let next = engine.decide_with("routing", ticket("2", "c-2", "my card"), &options).await.unwrap();
    let next = next.into_result().unwrap();
    assert_eq!((next.tier, next.model.as_deref()), (Tier::SmallModel, Some("intent@2")));
    engine.shutdown().unwrap();
}

#[tokio::test]
async fn events_of_a_batch_that_wait_for_a_slow_model_share_a_sync() {
    let (mut sources, artifacts) = slow_files(MODEL);
    let playbook = sources.get("playbooks/routing.toml").unwrap().replace("\"memory\"", "\"disk\"");
    sources.insert("playbooks/routing.toml", playbook);
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let (config, _) = config(compiled(sources, &artifacts), |_| Duration::from_millis(1));
    let engine = Engine::start_on(&disk, config.data(folder.path())).unwrap();
    let before = engine.0.journal.last_seq();
    disk.hold();
    let batch = tokio::spawn({
        let engine = engine.clone();
        let events = (0..8).map(|n| ticket(&n.to_string(), &format!("c-{n}"), "my card")).collect();
        async move { engine.decide_batch("routing", events, &patient()).await }
    });
    let (mut looks, mut taken) = (0, 0);
    while taken < 8 && looks < 500 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        (looks, taken) = (looks + 1, engine.0.journal.last_seq() - before);
    }
    disk.release();
    assert_eq!(taken, 8, "turns that are taken while the disk is silent");
    for answer in batch.await.unwrap() {
        assert_eq!(answer.unwrap().into_result().unwrap().tier, Tier::SmallModel);
    }
    engine.shutdown().unwrap();
}

/// Files of a playbook that asks `intent@1` and then `intent@2`, which is made of these bytes.
fn two_slow(second: &'static [u8]) -> Bundle {
    let (mut sources, mut artifacts) = slow_files(&format!("{MODEL}{}", MODEL.replace("intent@1", "intent@2")));
    let manifest = manifest(second, "").replace("\"text\"", "\"neural\"").replace("version       = 1", "version = 2");
    sources.insert("models/intent-2/manifest.toml", manifest);
    artifacts.insert("models/intent-2/model.bin", second);
    compiled(sources, &artifacts)
}

/// Says always the same. Tells that it is asked and waits for a word, if there are such.
struct Gated {
    says: [f32; 3],
    gate: Option<(Sender<()>, Receiver<()>)>,
}

impl SlowModel for Gated {
    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, ModelFault> {
        if let Some((asked, go)) = &self.gate {
            asked.send(()).unwrap();
            go.recv().unwrap();
        }
        Ok(texts.iter().map(|_| Scores { probabilities: self.says.into(), scope: 1.0 }).collect())
    }
}

#[tokio::test]
async fn a_decision_under_way_is_made_by_the_models_of_its_own_bundle() {
    let (mut config, _) = config(two_slow(b"its own"), |_| Duration::ZERO);
    let ((asked, is_asked), (go, may_go)) = (channel(), channel());
    let gate = Mutex::new(Some((asked, may_go)));
    config.slow_models = Arc::new(move |manifest: &Manifest, _: &SlowFiles| {
        let says = match manifest.files[0].sha256 {
            hash if hash == ContentHash::of(b"its own") => [0.98, 0.01, 0.01],
            hash if hash == ContentHash::of(b"another") => [0.01, 0.98, 0.01],
            _ => return Ok(Box::new(Gated { says: [0.34, 0.33, 0.33], gate: gate.lock().unwrap().take() })),
        };
        Ok(Box::new(Gated { says, gate: None }) as Box<dyn SlowModel>)
    });
    let engine = Engine::start(config).unwrap();
    let asking = tokio::spawn({
        let engine = engine.clone();
        async move { engine.decide_with("routing", ticket("1", "c-1", "my card"), &patient()).await }
    });
    while is_asked.try_recv().is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    engine.change_bundle(two_slow(b"another")).unwrap();
    go.send(()).unwrap();
    let decision = asking.await.unwrap().unwrap().into_result().unwrap();
    assert_eq!(decision.model.as_deref(), Some("intent@2"));
    assert_eq!(decision.outcome().text("queue"), Some("cards"), "not what the other model of that name says");
    engine.shutdown().unwrap();
}

/// The journal fills up while a model is asked: what is waited for it is told as such, and not as the turn's own time.
#[tokio::test]
async fn room_in_the_journal_that_is_waited_for_after_a_model_is_no_part_of_the_turn() {
    let (mut sources, artifacts) = slow_files(MODEL);
    let playbook =
        sources.get("playbooks/routing.toml").unwrap().replace("ack      = \"disk\"", "ack      = \"memory\"");
    sources.insert("playbooks/routing.toml", playbook);
    let (mut config, _) = config(compiled(sources, &artifacts), |_| Duration::ZERO);
    let ((asked, is_asked), (go, may_go)) = (channel(), channel());
    let gate = Mutex::new(Some((asked, may_go)));
    config.slow_models = Arc::new(move |_: &Manifest, _: &SlowFiles| {
        Ok(Box::new(Gated { says: [0.98, 0.01, 0.01], gate: gate.lock().unwrap().take() }) as Box<dyn SlowModel>)
    });
    let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
    config.clock = clock.clone();
    config.journal.segment_bytes = 256 << 10;
    config.journal.queue_bytes = 16 << 10;
    let disk = Arc::new(FaultyDisk::default());
    let engine = Engine::start_on(&disk, config).unwrap();
    disk.hold();
    let options = patient();
    let mut deciding = pin!(engine.decide_with("routing", ticket("1", "c-1", "my card"), &options));
    let mut is_pending = async || {
        let is_pending = poll_fn(|context| Poll::Ready(deciding.as_mut().poll(context).is_pending())).await;
        assert!(is_pending, "the model is asked, and then the disk is held");
        tokio::task::yield_now().await;
    };
    while is_asked.try_recv().is_err() {
        is_pending().await;
    }
    let urgent =
        |nth: usize| ticket(&format!("f-{nth}"), &format!("f-{nth}"), &format!("urgent {}", "x".repeat(1_000)));
    engine.decide("routing", urgent(0)).await.unwrap().given().unwrap();
    // What the disk has not taken by now it does not take before it is released.
    disk.wait_until_held();
    let filling = tokio::spawn({
        let engine = engine.clone();
        async move {
            for nth in 1..200 {
                engine.decide("routing", urgent(nth)).await.unwrap().given().unwrap();
            }
        }
    });
    while engine.0.journal.waiting_for_room() < 1 {
        assert!(!filling.is_finished(), "the queue has no bound");
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    while engine.0.journal.waiting_for_room() < 2 {
        is_pending().await;
    }
    clock.advance("30ms".parse().unwrap());
    disk.release();
    let decision = deciding.await.unwrap().given().unwrap();
    assert_eq!((decision.model.as_deref(), decision.elapsed.as_micros()), (Some("intent@1"), 30_000));
    filling.await.unwrap();
    let page = engine.metrics();
    // Two have waited: this one, and the one that had found the queue full.
    for sum in ["admission\"} 0.06", "turn\"} 0", "models\"} 0"] {
        let line = format!("forthwith_decision_stage_seconds_sum{{stage=\"{sum}");
        assert!(page.lines().any(|of| of == line), "{line} is missing of {page}");
    }
    engine.shutdown().unwrap();
}
