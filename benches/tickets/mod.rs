//! The shipped configuration and its sample tickets, for all benches.

use std::path::Path;

use forthwith::bundle::{Bundle, Sources};
use forthwith::config::read_bundle;
use forthwith::context::TypedEvent;
use forthwith::{Event, Raw};

const PLAYBOOK: &str = "playbooks/ticket_routing.toml";

/// The shipped bundle, with the playbook that routes tickets and no other.
pub(crate) fn bundle() -> Bundle {
    bundle_with(str::to_owned)
}

/// The same with the playbook's text changed.
pub(crate) fn bundle_with(change: impl FnOnce(&str) -> String) -> Bundle {
    let (shipped, artifacts) = read_bundle(&folder()).expect("the shipped configuration is there");
    let mut sources = Sources::default();
    let is_other = |path: &str| path.starts_with("playbooks/");
    for (path, text) in shipped.iter().filter(|(path, _)| !is_other(path)) {
        sources.insert(path, text);
    }
    let playbook = shipped.get(PLAYBOOK).expect("the shipped playbook is there");
    sources.insert(PLAYBOOK, change(playbook));
    Bundle::compile_with(sources, &artifacts).expect("the shipped configuration is sound")
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

/// The shipped sample tickets.
pub(crate) fn tickets() -> Vec<Event> {
    sample("tickets.jsonl").lines().map(ticket).collect()
}

/// The text of a shipped file of samples.
pub(crate) fn sample(name: &str) -> String {
    std::fs::read_to_string(folder().join("samples").join(name)).expect("the samples are there")
}

fn ticket(line: &str) -> Event {
    let mut ticket: serde_json::Value = serde_json::from_str(line).expect("a sample is JSON");
    let text = |name: &str| ticket[name].as_str().expect("a text").to_owned();
    let mut event = Event::new(text("id"), text("source"), text("type"), text("subject"));
    event = event.at(text("time").parse().expect("a time"));
    let data: std::collections::BTreeMap<String, Raw> =
        serde_json::from_value(ticket["data"].take()).expect("the data are an object");
    event.data = data.into_iter().collect();
    event
}

/// The same tickets, typed.
pub(crate) fn typed(bundle: &Bundle) -> Vec<TypedEvent> {
    tickets().into_iter().map(|event| bundle.layout().accept(event).expect("a sample fits its schema")).collect()
}
