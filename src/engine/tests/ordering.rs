//! What becomes of a customer's later events while a decision waits for a slow model: they overtake it, or they wait their turn.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::patient;
use super::slow_models::{compiled, slow_files, ticket};
use crate::bundle::model_tests::MODEL;
use crate::bundle::{Bundle, Manifest};
use crate::domain::{FallbackReason, Raw, Tier};
use crate::engine::{Answer, Budget, Config, Decision, Engine, Error, Facts, Options};
use crate::inference::SlowFiles;
use crate::serving::{ModelFault, Scores, SlowModel};

/// Sure of everything, once it is let.
struct Gated(Sender<()>, Receiver<()>);

impl SlowModel for Gated {
    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, ModelFault> {
        // Whoever stands at the gate may have gone.
        let _ = self.0.send(());
        let _ = self.1.recv();
        Ok(texts.iter().map(|_| Scores { probabilities: [0.98, 0.01, 0.01].into(), scope: 1.0 }).collect())
    }
}

/// An engine whose slow model waits at a gate.
struct Gate {
    engine: Engine,
    asked: Receiver<()>,
    go: Sender<()>,
}

impl Gate {
    fn new(ordering: &str) -> Self {
        Self::of(ordered(ordering))
    }

    fn of(bundle: Bundle) -> Self {
        let ((asked, is_asked), (go, may_go)) = (channel(), channel());
        let gate = Mutex::new(Some((asked, may_go)));
        let mut config = Config::new(bundle);
        config.journal.segment_bytes = 1 << 20;
        config.slow_models = Arc::new(move |_: &Manifest, _: &SlowFiles| {
            let (asked, go) = gate.lock().unwrap().take().ok_or("there is one gate")?;
            Ok(Box::new(Gated(asked, go)) as Box<dyn SlowModel>)
        });
        Self { engine: Engine::start(config).unwrap(), asked: is_asked, go }
    }

    /// Begins to decide; the future goes on by itself.
    fn begin(
        &self,
        id: &str,
        subject: &str,
        options: Options,
    ) -> tokio::task::JoinHandle<Result<Answer<Decision>, Error>> {
        let (engine, event) = (self.engine.clone(), ticket(id, "c-1", subject));
        tokio::spawn(async move { engine.decide_with("routing", event, &options).await })
    }

    async fn is_asked(&self) {
        until(|| self.asked.try_recv().is_ok()).await;
    }

    /// Returns when so many wait for the customer.
    async fn waits(&self, turns: usize) {
        until(|| self.engine.waiting_for("c-1") >= turns).await;
    }

    /// Returns when everything is on disk.
    fn is_kept(&self) {
        let journal = &self.engine.0.journal;
        journal.wait_synced_blocking(journal.last_seq()).unwrap();
    }

    /// The record of a decision, by which it is told what came first.
    fn record_of(&self, decision: &Decision) -> u64 {
        self.engine.explain(decision.id).unwrap().unwrap().record
    }
}

/// Looks again and again, but not for ever.
async fn until(comes: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if comes() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("what is waited for does not come");
}

/// A playbook that asks a slow model and orders so.
fn ordered(ordering: &str) -> Bundle {
    let (mut sources, artifacts) = slow_files(MODEL);
    let playbook = sources.get("playbooks/routing.toml").unwrap();
    let playbook = playbook.replace("ack      =", &format!("ordering = \"{ordering}\"\nack      ="));
    sources.insert("playbooks/routing.toml", playbook);
    compiled(sources, &artifacts)
}

fn given(answer: Result<Result<Answer<Decision>, Error>, tokio::task::JoinError>) -> Decision {
    answer.unwrap().unwrap().into_result().unwrap()
}

#[tokio::test]
async fn a_later_event_overtakes_one_that_waits() {
    let gate = Gate::new("overtaking");
    let first = gate.begin("1", "my card", patient());
    gate.is_asked().await;
    let second = given(gate.begin("2", "urgent", patient()).await);
    gate.go.send(()).unwrap();
    let first = given(first.await);
    assert_eq!((first.tier, second.rule.as_deref()), (Tier::SmallModel, Some("urgent")));
    gate.is_kept();
    assert!(gate.record_of(&second) < gate.record_of(&first));
}

#[tokio::test]
async fn in_strict_order_a_later_event_waits_its_turn() {
    let gate = Gate::new("strict");
    let first = gate.begin("1", "my card", patient());
    gate.is_asked().await;
    let second = gate.begin("2", "urgent", patient());
    gate.waits(1).await;
    assert!(!second.is_finished());
    gate.go.send(()).unwrap();
    let (first, second) = (given(first.await), given(second.await));
    assert_eq!((first.tier, second.rule.as_deref()), (Tier::SmallModel, Some("urgent")));
    gate.is_kept();
    assert!(gate.record_of(&first) < gate.record_of(&second));
}

/// Decides on the same events, in strict order, and asks nobody.
const STRICT: &str = r#"
playbook = "strict"
on       = ["ticket.created"]
ack      = "memory"
ordering = "strict"
outcome  = { known = "bool" }
default  = { then = { known = false } }
"#;

#[tokio::test]
async fn one_strict_playbook_is_enough_whoever_asks() {
    let (mut sources, artifacts) = slow_files(MODEL);
    sources.insert("playbooks/strict.toml", STRICT);
    let gate = Gate::of(compiled(sources, &artifacts));
    let observe = |id: &str, subject: &str| {
        let (engine, event) = (gate.engine.clone(), ticket(id, "c-1", subject));
        tokio::spawn(async move { engine.observe_with(event, &patient()).await })
    };
    let first = observe("1", "my card");
    gate.is_asked().await;
    let second = observe("2", "urgent");
    gate.waits(1).await;
    gate.go.send(()).unwrap();
    let [first, second] = [first, second].map(|begun| async { begun.await.unwrap().unwrap().into_result().unwrap() });
    let (first, second) = (first.await, second.await);
    gate.is_kept();
    assert!(gate.record_of(&first.decisions[0]) < gate.record_of(&second.decisions[0]));
}

#[tokio::test]
async fn what_is_told_meanwhile_waits_too_and_other_customers_do_not() {
    let gate = Gate::new("strict");
    let first = gate.begin("1", "my card", patient());
    gate.is_asked().await;
    let engine = gate.engine.clone();
    let told = tokio::spawn(async move {
        let facts =
            Facts { source: "crm".into(), values: vec![("plan".into(), Raw::Text("pro".into()))], ..Facts::default() };
        engine.put_facts("c-1", facts).await
    });
    gate.waits(1).await;
    let other = gate.engine.decide_with("routing", ticket("9", "c-2", "urgent"), &patient()).await.unwrap();
    assert_eq!(other.into_result().unwrap().rule.as_deref(), Some("urgent"));
    assert!(!told.is_finished() && !first.is_finished());
    gate.go.send(()).unwrap();
    given(first.await);
    told.await.unwrap().unwrap().into_result().unwrap();
}

#[tokio::test]
async fn whoever_gives_up_lets_the_next_be_served() {
    let gate = Gate::new("strict");
    let first = gate.begin("1", "my card", patient());
    gate.is_asked().await;
    let second = gate.begin("2", "urgent", patient());
    gate.waits(1).await;
    first.abort();
    let second = given(second.await);
    assert_eq!(second.rule.as_deref(), Some("urgent"), "nobody holds the customer any more");
    gate.go.send(()).unwrap();
}

#[tokio::test]
async fn whoever_waits_longer_than_its_budget_gets_the_default() {
    let gate = Gate::new("strict");
    let first = gate.begin("1", "my card", patient());
    gate.is_asked().await;
    let options = Options { budget: Budget::AtMost(Duration::from_millis(30)), ..patient() };
    let second = given(gate.begin("2", "urgent", options).await);
    assert_eq!(second.fallback, Some(FallbackReason::Late));
    gate.go.send(()).unwrap();
    let first = given(first.await);
    gate.is_kept();
    assert!(gate.record_of(&first) < gate.record_of(&second), "it was answered before, and recorded in its turn");
}

#[test]
fn whatever_comes_is_recorded_in_the_order_in_which_it_came() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cases = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    let script = prop::collection::vec(prop::sample::select(vec!["my card", "urgent"]), 1..9);
    TestRunner::new(cases)
        .run(&(script, any::<bool>()), |(subjects, as_batch)| {
            runtime.block_on(async {
                let gate = Gate::new("strict");
                // Everybody is let through, as often as it asks.
                (0..subjects.len()).for_each(|_| gate.go.send(()).unwrap());
                let mut decisions = Vec::new();
                if as_batch {
                    let event = |(id, subject): (usize, &&str)| ticket(&id.to_string(), "c-1", subject);
                    let events = subjects.iter().enumerate().map(event).collect();
                    for answer in gate.engine.decide_batch("routing", events, &patient()).await {
                        decisions.push(answer.unwrap().into_result().unwrap());
                    }
                } else {
                    let mut begun = Vec::new();
                    for (id, subject) in subjects.iter().enumerate() {
                        begun.push(gate.begin(&id.to_string(), subject, patient()));
                        // It is begun before the next is.
                        tokio::task::yield_now().await;
                    }
                    for begun in begun {
                        decisions.push(given(begun.await));
                    }
                }
                gate.is_kept();
                let records: Vec<u64> = decisions.iter().map(|decision| gate.record_of(decision)).collect();
                assert!(records.is_sorted(), "{subjects:?}: {records:?}");
                for (decision, subject) in decisions.iter().zip(&subjects) {
                    assert_eq!(decision.tier == Tier::SmallModel, *subject == "my card");
                }
            });
            Ok(())
        })
        .unwrap();
}
