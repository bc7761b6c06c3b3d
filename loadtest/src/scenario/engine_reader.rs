//! The engine of a scenario: a configuration folder, what is different in it, and the provider that it asks.

use std::path::Path;
use std::time::Duration;

use forthwith::Raw;
use forthwith::document::{Node, Section};

use super::reader::{one_of, span};
use super::{Behaviour, EngineSource, ProviderSource};

pub(super) fn engine(section: &Section<'_>, folder: Option<&Path>) -> EngineSource {
    let mut source = EngineSource::default();
    if let Some(path) = section.get("config").and_then(|node| node.text()) {
        source.config = Some(folder.map_or_else(|| path.into(), |folder| folder.join(path)));
    }
    source.disk_bytes = section.get("disk").and_then(|node| node.bytes(16 << 20, 1 << 40));
    if let Some(settings) = section.get("settings").and_then(|node| node.section()) {
        variables(&settings, "FORTHWITH", &mut source.settings);
    }
    if let Some(playbooks) = section.get("playbooks").and_then(|node| node.section()) {
        for (name, node) in playbooks.entries() {
            let Some(keys) = node.section() else { continue };
            let lines = keys.entries().into_iter().filter_map(|(key, node)| Some((key, literal(&node)?)));
            source.playbooks.push((name, lines.collect()));
        }
    }
    if let Some(files) = section.get("files").and_then(|node| node.section()) {
        for (path, node) in files.entries() {
            if Path::new(&path).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
                node.fault(format!(
                    "`{path}` leads out of the folder: expected a path such as \"playbooks/offer.toml\""
                ));
                continue;
            }
            source.files.extend(node.text().map(|text| (path, text.to_owned())));
        }
    }
    section.refuse_unknown();
    source
}

/// Settings as the environment variables that override `forthwith.toml`.
fn variables(section: &Section<'_>, prefix: &str, into: &mut Vec<(String, String)>) {
    for (key, node) in section.entries() {
        let name = format!("{prefix}__{}", key.to_uppercase());
        if node.is_section() {
            node.section().iter().for_each(|section| variables(section, &name, into));
        } else if let Some(value) = plain(&node) {
            into.push((name, value));
        }
    }
}

fn plain(node: &Node<'_>) -> Option<String> {
    match node.raw()? {
        Raw::Text(text) => Some(text),
        Raw::Bool(value) => Some(value.to_string()),
        Raw::Int(value) => Some(value.to_string()),
        Raw::Decimal(value) => Some(value.to_string()),
        _ => {
            node.fault("expected a text, a number, true or false");
            None
        }
    }
}

/// A value as TOML has it.
fn literal(node: &Node<'_>) -> Option<String> {
    match node.raw()? {
        Raw::Text(text) => Some(serde_json::Value::String(text).to_string()),
        _ => plain(node),
    }
}

pub(super) fn provider(section: &Section<'_>) -> Option<ProviderSource> {
    let name = section.require("name", "its name under `[providers]`").and_then(|node| node.text().map(str::to_owned));
    let behaviour = behaviour(section);
    section.refuse_unknown();
    Some(ProviderSource { name: name?, behaviour: behaviour? })
}

/// How a provider behaves, from `behaves` and `after`.
pub(super) fn behaviour(section: &Section<'_>) -> Option<Behaviour> {
    const WORDS: [&str; 5] = ["healthy", "bimodal", "hanging", "flapping", "failing"];
    let after = section.get("after").map_or(Some(Duration::from_millis(100)), |node| span(&node, "0s", "1h"));
    let node = section.require("behaves", &format!("one of {}", WORDS.join(", ")))?;
    match node.text()? {
        "healthy" => after.map(Behaviour::Healthy),
        "bimodal" => Some(Behaviour::Bimodal),
        "hanging" => Some(Behaviour::Hanging),
        "flapping" => Some(Behaviour::Flapping),
        "failing" => Some(Behaviour::Failing),
        other => one_of(&node, other, &WORDS),
    }
}
