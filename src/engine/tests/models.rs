//! Models over the life of an engine: starts, reloads, feedback.

use std::path::Path;

use crate::bundle::Bundle;
use crate::bundle::model_tests::{MODEL, files, with_models};
use crate::domain::{Event, Tier};
use crate::engine::{Config, Engine};

fn ticket(id: &str) -> Event {
    Event::new(id, "helpdesk", "ticket.created", "c-1").with("channel", "chat").with("subject", "my card")
}

fn start(data: &Path) -> Engine {
    let mut config = Config::new(with_models(MODEL)).data(data);
    config.journal.segment_bytes = 1 << 20;
    Engine::start(config).unwrap()
}

async fn tier(engine: &Engine, id: &str) -> Tier {
    engine.decide("routing", ticket(id)).await.unwrap().into_result().unwrap().tier
}

#[tokio::test]
async fn a_model_is_asked_after_a_start_as_before() {
    let data = tempfile::tempdir().unwrap();
    for id in ["1", "2", "3"] {
        let engine = start(data.path());
        assert_eq!(tier(&engine, id).await, Tier::SmallModel, "start {id}");
        engine.shutdown().unwrap();
    }
}

#[tokio::test]
async fn a_model_is_asked_after_the_same_and_after_another_bundle_was_put_in_force() {
    let data = tempfile::tempdir().unwrap();
    let engine = start(data.path());
    let first = engine.decide("routing", ticket("1")).await.unwrap().into_result().unwrap();
    engine.change_bundle(with_models(MODEL)).unwrap();
    assert_eq!(tier(&engine, "2").await, Tier::SmallModel);
    let (mut sources, artifacts) = files(MODEL);
    let changed = sources.get("playbooks/routing.toml").unwrap().replace("above = 0.8", "above = 0.7");
    sources.insert("playbooks/routing.toml", changed);
    engine.change_bundle(Bundle::compile_with(sources, &artifacts).unwrap()).unwrap();
    assert_eq!(tier(&engine, "3").await, Tier::SmallModel);
    let explained = engine.explain(first.id).unwrap().unwrap();
    assert_eq!((explained.decision.tier, explained.models[0].word), (Tier::SmallModel, "accepted"));
    engine.change_bundle(with_models(MODEL)).unwrap();
    assert_eq!(tier(&engine, "4").await, Tier::SmallModel, "back to the first");
    engine.shutdown().unwrap();
}
