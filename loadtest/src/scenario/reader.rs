//! A scenario from its file: the whole, the population, the calls.

use std::path::Path;
use std::time::Duration;

use forthwith::document::{Document, FaultSink, Faults, Node, Section};
use forthwith::domain::TimeDelta;

use super::course_reader::{events, phases, promise};
use super::engine_reader::{engine, provider};
use super::{Arrivals, Call, Event, Population, Promise, Recorded, Scenario, Start, Transport, What};
use crate::population::Spread;
use crate::population::shipped_samples;

/// Reads a scenario; or every fault in it. Paths in it are relative to `folder`.
pub(crate) fn read(file: &str, text: &str, folder: Option<&Path>) -> Result<Scenario, Faults> {
    let sink = FaultSink::default();
    let document = Document::parse(file, text, &sink);
    let scenario = {
        let root = document.root();
        let scenario = whole(&root, folder);
        root.refuse_unknown();
        scenario
    };
    drop(document);
    match scenario {
        Some(scenario) if sink.is_empty() => Ok(scenario),
        _ => Err(sink.into_faults()),
    }
}

fn whole(root: &Section<'_>, folder: Option<&Path>) -> Option<Scenario> {
    let name = root.require("name", "a short name such as \"burst\"").and_then(|node| node.text().map(str::to_owned));
    let description = root.require("description", "what it shows, in a sentence");
    let description = description.and_then(|node| node.text().map(str::to_owned));
    let transport =
        root.require("transport", "\"in-process\", \"json\" or \"msgpack\"").and_then(|node| transport(&node));
    let threads = root.get("threads").and_then(|node| node.int(1, 256)).map(|threads| threads as usize);
    let connections = root.get("connections").and_then(|node| node.int(1, 100_000)).unwrap_or(64) as usize;
    let timeout = root.get("timeout").and_then(|node| span(&node, "1ms", "1h")).unwrap_or(Duration::from_secs(10));
    let give_up = root.get("give_up").and_then(|node| span(&node, "1ms", "1h")).unwrap_or(Duration::from_secs(1));
    let engine = root.get("engine").and_then(|node| node.section()).map(|of| engine(&of, folder)).unwrap_or_default();
    let provider = root.get("provider").and_then(|node| node.section()).and_then(|of| provider(&of));
    let population = root.require("population", "a table with `kind` and `customers`");
    let population = population.and_then(|node| population_of(&node.section()?, folder));
    let calls = match root.get("calls") {
        Some(node) => node.list().map(|list| list.iter().filter_map(|node| call(&node.section()?, folder)).collect()),
        None => Some(vec![Call::usual()]),
    };
    let phases = root.require("phases", "one `[[phases]]` at least").and_then(|node| phases(&node));
    let events = root.get("events").map_or(Some(Vec::new()), |node| events(&node));
    let promise = root.get("slo").and_then(|node| node.section()).map_or(Promise::default(), |of| promise(&of));
    let (population, phases) = (population?, phases?);
    let is_recorded = phases.iter().any(|phase| phase.arrivals == Arrivals::Recorded);
    if is_recorded && population.recorded.is_none() {
        root.fault(
            "a phase with `arrivals = \"recorded\"` needs `[population]` with `kind = \"replay\"` and a `speed`",
        );
    }
    let events = events?;
    let restarts = |event: &Event| matches!(event.what, What::KillAndRestart | What::StopAndRestart);
    if engine.disk_bytes.is_some() && (population.start == Start::Resting || events.iter().any(restarts)) {
        root.fault(
            "`engine.disk` is in memory and gone with the engine's process, so it goes with no restart: expected neither \
             `start = \"resting\"` nor `kill_and_restart` nor `stop_and_restart`",
        );
    }
    Some(Scenario {
        name: name?,
        description: description?,
        transport: transport?,
        threads,
        connections,
        timeout,
        give_up,
        engine,
        provider,
        population,
        calls: calls?,
        phases,
        events,
        promise,
    })
}

impl Call {
    /// The shipped tickets, decided by the shipped playbook.
    fn usual() -> Self {
        let samples = shipped_samples("tickets.jsonl").unwrap_or_default().to_owned();
        Self { playbook: "ticket_routing".to_owned(), samples, share: 1.0, budget: None }
    }
}

fn transport(node: &Node<'_>) -> Option<Transport> {
    let text = node.text()?;
    let all = [Transport::InProcess, Transport::Json, Transport::MessagePack];
    let found = all.into_iter().find(|transport| transport.as_str() == text);
    found.or_else(|| one_of(node, text, &all.map(Transport::as_str)))
}

fn population_of(section: &Section<'_>, folder: Option<&Path>) -> Option<Population> {
    const KINDS: [&str; 4] = ["uniform", "zipf", "hot", "replay"];
    let kind = section.require("kind", "\"uniform\", \"zipf\", \"hot\" or \"replay\"");
    let mut recorded = None;
    let spread = kind.and_then(|node| match node.text()? {
        "uniform" => Some(Spread::Uniform),
        "zipf" => Some(Spread::Zipf),
        "hot" => {
            let share = section.require("share", "the share of calls that one customer makes, from 0 to 1");
            share.and_then(|node| node.number(0.0, 1.0)).map(Spread::hot)
        }
        "replay" => {
            recorded = Some(recording(section, folder));
            Some(Spread::Uniform)
        }
        other => one_of(&node, other, &KINDS),
    });
    let customers = match recorded {
        Some(_) => Some(1),
        None => section.require("customers", "how many there are").and_then(|node| node.int(1, 100_000_000)),
    };
    let start = section.get("start").map_or(Some(Start::Warm), |node| match node.text()? {
        "new" => Some(Start::New),
        "warm" => Some(Start::Warm),
        "resting" => Some(Start::Resting),
        other => one_of(&node, other, &["new", "warm", "resting"]),
    });
    let repeats = section.get("repeats").and_then(|node| node.number(0.0, 0.9)).unwrap_or(0.0);
    let seed = section.get("seed").and_then(|node| node.int(0, i64::MAX)).unwrap_or(1) as u64;
    section.refuse_unknown();
    let recorded = match recorded {
        Some(read) => Some(read?),
        None => None,
    };
    // Who is recorded is not known before.
    let start = if recorded.is_some() { Start::New } else { start? };
    Some(Population { spread: spread?, customers: customers? as u64, start, repeats, seed, recorded })
}

fn recording(section: &Section<'_>, folder: Option<&Path>) -> Option<Recorded> {
    let lines = section.require("file", "CloudEvents, one a line").and_then(|node| lines_of(&node, folder));
    let speed = section.get("speed").map_or(Some(Some(1.0)), |node| match node.text_or_number()? {
        Ok("max") => Some(None),
        Ok(other) => one_of(&node, other, &["max"]),
        Err(speed) => Some(Some(speed)),
    });
    Some(Recorded { lines: lines?, speed: speed? })
}

fn call(section: &Section<'_>, folder: Option<&Path>) -> Option<Call> {
    let playbook =
        section.require("playbook", "the name of a playbook").and_then(|node| node.text().map(str::to_owned));
    let samples = match section.get("samples") {
        Some(node) => lines_of(&node, folder),
        None => Some(Call::usual().samples),
    };
    let share = section.get("share").map_or(Some(1.0), |node| node.number(0.000_001, 1_000_000.0));
    let budget = section.get("budget").and_then(|node| span(&node, "1ms", "1h"));
    section.refuse_unknown();
    Some(Call { playbook: playbook?, samples: samples?, share: share?, budget })
}

/// The lines of a file that is shipped or lies beside the scenario; or the lines themselves.
fn lines_of(node: &Node<'_>, folder: Option<&Path>) -> Option<String> {
    let text = node.text()?;
    if text.trim_start().starts_with('{') {
        return Some(text.to_owned());
    }
    if let Some(samples) = shipped_samples(text) {
        return Some(samples.to_owned());
    }
    match folder.map(|folder| std::fs::read_to_string(folder.join(text))) {
        Some(Ok(lines)) => Some(lines),
        Some(Err(error)) => {
            node.fault(format!(
                "cannot read `{text}`: {error}; expected a file beside the scenario, or `tickets.jsonl`"
            ));
            None
        }
        None => {
            node.fault(format!("there is no `{text}` in the binary; expected `tickets.jsonl`"));
            None
        }
    }
}

/// A duration within bounds.
pub(super) fn span(node: &Node<'_>, min: &str, max: &str) -> Option<Duration> {
    let bound = |text: &str| text.parse::<TimeDelta>().unwrap_or_default();
    node.duration(bound(min), bound(max)).map(TimeDelta::to_std)
}

/// Notes that a word is none of these.
pub(super) fn one_of<T>(node: &Node<'_>, found: &str, words: &[&str]) -> Option<T> {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    node.fault(format!("expected {}, found \"{found}\"", quoted.join(", ")));
    None
}

/// Nodes that may be a text or a number.
trait TextOrNumber<'d> {
    fn text_or_number(&self) -> Option<Result<&'d str, f64>>;
}

impl<'d> TextOrNumber<'d> for Node<'d> {
    fn text_or_number(&self) -> Option<Result<&'d str, f64>> {
        if self.is_text() { self.text().map(Ok) } else { self.number(0.001, 1_000_000.0).map(Err) }
    }
}
