//! Decisions that ask a large model, on the engine as a library's user has it, before a provider that does as it is told.

use std::time::Duration;

use faulty_provider::{Behaviour, Conduct, Content, Latency, Manner, Provider, Says, Usage};

use super::patient;
use crate::bundle::agent_tests::{AGENT, USE, files};
use crate::bundle::{Bundle, Sources};
use crate::domain::{Event, FallbackReason, Money, Raw, Tier};
use crate::engine::{Budget, Config, Decision, Engine, Explanation, Facts, Options};
use crate::gateway;

fn says(text: &str) -> Conduct {
    let says = Says::Completion { content: Content::Texts(vec![text.to_owned()]), usage: Usage::default() };
    Conduct { says, ..Conduct::default() }
}

fn after(wait: Duration, text: &str) -> Conduct {
    Conduct { latency: Latency::Constant(wait), ..says(text) }
}

/// Files whose playbook has ten seconds.
fn unhurried(agents: &str) -> Sources {
    let mut sources = files(agents);
    let playbook = sources.get("playbooks/routing.toml").unwrap().replace("ack ", "budget       = \"10s\"\nack ");
    sources.insert("playbooks/routing.toml", playbook);
    sources
}

/// An engine whose provider is told what to do.
struct Asking {
    engine: Engine,
    provider: Provider,
}

impl Asking {
    fn new(behaviour: impl Into<Behaviour>) -> Self {
        Self::of(unhurried(USE), behaviour)
    }

    fn of(sources: Sources, behaviour: impl Into<Behaviour>) -> Self {
        let provider = Provider::start(behaviour).unwrap();
        let mut config = Config::new(Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}")));
        config.journal.segment_bytes = 1 << 20;
        let price = Money::from_nanos(1_000_000_000);
        let model = gateway::ProviderModel {
            name: "small".to_owned(),
            model: "small-2026".to_owned(),
            input_price: price,
            output_price: price,
            ..gateway::ProviderModel::default()
        };
        config.gateway.providers.push(gateway::Provider {
            name: "openai".to_owned(),
            base_url: provider.base_url(),
            models: vec![model],
            ..gateway::Provider::default()
        });
        Self { engine: Engine::start(config).unwrap(), provider }
    }

    async fn decide(&self, id: &str, options: &Options) -> Decision {
        self.engine.decide_with("routing", ticket(id), options).await.unwrap().into_result().unwrap()
    }

    /// The explanation of a decision, once it is on disk.
    fn explained(&self, decision: &Decision) -> Explanation {
        let journal = &self.engine.0.journal;
        journal.wait_synced_blocking(journal.last_seq()).unwrap();
        self.engine.explain(decision.id).unwrap().unwrap()
    }
}

fn ticket(id: &str) -> Event {
    let subject = format!("My card number {id} is gone");
    Event::new(id, "helpdesk", "ticket.created", "c-1").with("channel", "chat").with("subject", subject)
}

fn at_most(budget: Duration) -> Options {
    Options { budget: Budget::AtMost(budget), ..patient() }
}

#[tokio::test]
async fn a_large_model_decides_and_its_word_is_found_again() {
    let asking = Asking::new(says(r#"{"queue": "cards"}"#));
    let decision = asking.decide("1", &patient()).await;
    assert_eq!((decision.outcome().text("queue"), decision.tier), (Some("cards"), Tier::LargeModel));
    assert_eq!((decision.agent.as_deref(), decision.model.as_deref()), (Some("router@1"), None));
    assert_eq!((decision.confidence, decision.fallback), (None, None), "a large model does not know how sure it is");
    let cost = decision.cost.unwrap();
    assert!(cost > Money::ZERO && cost < "0.01".parse().unwrap(), "{cost}");

    let explained = asking.explained(&decision);
    let agent = &explained.agents[0];
    assert_eq!((agent.word, agent.decided, agent.call.requests), ("accepted", true, 1));
    assert_eq!((agent.call.model.as_deref(), &*agent.call.cost), (Some("openai/small"), &*cost.to_string()));
    assert!(asking.decide("1", &patient()).await.is_duplicate);
    assert_eq!(asking.provider.counts().requests, 1, "what is decided is not asked again");
}

#[tokio::test]
async fn a_model_that_hangs_costs_its_caller_no_more_than_the_budget() {
    let asking = Asking::new(Conduct::of(Manner::Hangs));
    let decision = asking.decide("1", &at_most(Duration::from_millis(60))).await;
    assert_eq!((decision.tier, decision.fallback), (Tier::Rules, Some(FallbackReason::ModelLate)));
    assert_eq!(decision.outcome().text("queue"), Some("general"));
    assert_eq!(asking.provider.counts().requests, 1);
    asking.engine.shutdown().unwrap();
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_recorded_and_changes_nothing() {
    let asking = Asking::new(after(Duration::from_millis(150), r#"{"queue": "billing"}"#));
    let decision = asking.decide("1", &at_most(Duration::from_millis(60))).await;
    assert_eq!(decision.fallback, Some(FallbackReason::ModelLate));
    let mut late = Vec::new();
    for _ in 0..2_000 {
        late = asking.explained(&decision).late_answers;
        if !late.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!((&*late[0].agent, late[0].silent), ("router@1", None));
    assert_eq!(late[0].proposed["queue"].to_string(), "\"billing\"");
    let again = asking.decide("1", &patient()).await;
    assert_eq!((again.is_duplicate, again.outcome().text("queue")), (true, Some("general")));
}

#[tokio::test]
async fn what_a_model_says_widens_nothing() {
    let asking = Asking::new(says(r#"{"queue": "incident"}"#));
    let decision = asking.decide("1", &patient()).await;
    assert_eq!(decision.fallback, Some(FallbackReason::AnswerUnusable), "the guardrail never lets that queue out");
    assert_eq!(decision.outcome().text("queue"), Some("general"));
    assert_eq!(asking.explained(&decision).agents[0].word, "answer_unusable");
}

#[tokio::test]
async fn the_permit_is_that_of_the_state_in_which_the_answer_finds_the_customer() {
    let asking = Asking::new(after(Duration::from_millis(100), r#"{"queue": "cards"}"#));
    let engine = asking.engine.clone();
    let first = tokio::spawn(async move { engine.decide_with("routing", ticket("1"), &patient()).await });
    for _ in 0..2_000 {
        if asking.provider.counts().requests > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let facts = Facts { values: vec![("plan".into(), Raw::Text("free".into()))], ..Facts::default() };
    asking.engine.put_facts("c-1", facts).await.unwrap().into_result().unwrap();
    let decision = first.await.unwrap().unwrap().into_result().unwrap();
    assert_eq!(decision.rule.as_deref(), Some("free-plan"), "by the rules of the state as it is now");
    assert_eq!(decision.fallback, Some(FallbackReason::NotPermitted), "which permits billing alone");
    assert!(decision.cost.unwrap() > Money::ZERO, "it is paid for all the same");
}

#[tokio::test]
async fn an_agent_that_may_only_advise_does_not_decide() {
    let mut sources = unhurried(USE);
    sources.insert("agents/router.toml", AGENT.replace("\"executor\"", "\"advisory\""));
    let asking = Asking::of(sources, says(r#"{"queue": "cards"}"#));
    let decision = asking.decide("1", &patient()).await;
    assert_eq!((decision.tier, decision.fallback), (Tier::Rules, Some(FallbackReason::AdviceOnly)));
    let explained = asking.explained(&decision);
    assert_eq!((explained.agents[0].word, explained.agents[0].decided), ("advised", false));
    assert_eq!(explained.agents[0].proposed["queue"].to_string(), "\"cards\"");
}

#[tokio::test]
async fn without_a_provider_nobody_is_asked_and_nothing_is_different() {
    let mut config = Config::new(Bundle::compile(unhurried(USE)).unwrap());
    config.journal.segment_bytes = 1 << 20;
    let engine = Engine::start(config).unwrap();
    let decision = engine.decide("routing", ticket("1")).await.unwrap().into_result().unwrap();
    assert_eq!((decision.tier, decision.fallback, decision.cost), (Tier::Rules, None, None));
}

#[tokio::test]
async fn in_strict_order_a_large_model_holds_its_customer() {
    let mut sources = unhurried(USE);
    let playbook = sources.get("playbooks/routing.toml").unwrap().replace("ack ", "ordering = \"strict\"\nack ");
    sources.insert("playbooks/routing.toml", playbook);
    let asking = Asking::of(sources, after(Duration::from_millis(60), r#"{"queue": "cards"}"#));
    let engine = asking.engine.clone();
    let first = tokio::spawn(async move { engine.decide_with("routing", ticket("1"), &patient()).await });
    for _ in 0..2_000 {
        if asking.provider.counts().requests > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let second = asking.engine.decide_with("routing", ticket("2"), &patient()).await.unwrap().into_result().unwrap();
    let first = first.await.unwrap().unwrap().into_result().unwrap();
    assert!(asking.explained(&first).record < asking.explained(&second).record);
}

#[tokio::test]
async fn nobody_waits_for_whom_another_event_of_the_batch_asks() {
    let hangs = Conduct::of(Manner::Hangs);
    let asking = Asking::new([hangs, after(Duration::from_millis(40), r#"{"queue": "cards"}"#)]);
    let other = |id: &str, customer: &str| Event { customer: customer.to_owned(), ..ticket(id) };
    let events = vec![other("1", "c-1"), other("2", "c-2")];
    let answers = asking.engine.decide_batch("routing", events, &at_most(Duration::from_millis(1_500))).await;
    let [first, second] = answers.try_into().unwrap_or_else(|_| panic!("two answers"));
    let (first, second) = (first.unwrap().into_result().unwrap(), second.unwrap().into_result().unwrap());
    // The provider takes them in any order: one of them hung.
    let (slow, quick) = if first.tier == Tier::Rules { (first, second) } else { (second, first) };
    assert_eq!((slow.fallback, quick.tier), (Some(FallbackReason::ModelLate), Tier::LargeModel));
    assert!(asking.explained(&quick).record < asking.explained(&slow).record, "it was decided when it was answered");
}

#[tokio::test]
async fn what_was_asked_before_a_decision_was_throttled_is_still_told_and_paid_for() {
    let mut sources = unhurried(USE);
    let flow = "\n[flow]\nthrottle = { max = 1, over = \"1h\" }\n";
    let playbook = sources.get("playbooks/routing.toml").unwrap().replace("[outcome]", &format!("{flow}\n[outcome]"));
    sources.insert("playbooks/routing.toml", playbook);
    let asking = Asking::of(sources, after(Duration::from_millis(80), r#"{"queue": "cards"}"#));
    let decided = ["1", "2"].map(|id| {
        let engine = asking.engine.clone();
        tokio::spawn(async move { engine.decide_with("routing", ticket(id), &patient()).await })
    });
    let mut costs = Vec::new();
    let mut fallbacks = Vec::new();
    for decided in decided {
        let decision = decided.await.unwrap().unwrap().into_result().unwrap();
        costs.push(decision.cost.unwrap_or_default() > Money::ZERO);
        fallbacks.push(decision.fallback);
    }
    assert!(fallbacks.contains(&Some(FallbackReason::Throttled)), "{fallbacks:?}");
    assert_eq!(costs, [true, true], "both were asked before either was decided");
}
