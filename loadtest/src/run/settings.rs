//! A scenario as it is run, for people.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::machine::file_system;
use super::once::threads;
use crate::args::Overrides;
use crate::outcome::FILE_SYSTEM;
use crate::report::thousands;
use crate::scenario::{Arrivals, Rate, Scenario, Transport};

/// Names and values of everything that may make a difference.
pub(super) fn settings(scenario: &Scenario, overrides: &Overrides) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: String| drop(settings.insert(name.to_owned(), value));
    set("transport", scenario.transport.as_str().to_owned());
    if scenario.transport != Transport::InProcess {
        set("connections", scenario.connections.to_string());
    }
    set("driver threads", threads(scenario).to_string());
    set("timeout", format!("{:?}", scenario.timeout));
    set("waits for a connection", format!("{:?} at most", scenario.give_up));
    set("grace", format!("{:?}", scenario.grace()));
    for (nth, event) in scenario.events.iter().enumerate() {
        let every = event.every.map_or_else(String::new, |every| format!(", every {every:?}"));
        set(&format!("event {}", nth + 1), format!("{} at {:?}{every}", event.what.as_str(), event.at));
    }
    for (path, text) in &scenario.engine.files {
        set(&format!("file {path}"), format!("{} bytes, {}", text.len(), fingerprint(text.as_bytes())));
    }
    for (nth, call) in scenario.calls.iter().enumerate() {
        let (lines, print) = (call.samples.lines().count(), fingerprint(call.samples.as_bytes()));
        let budget = call.budget.map_or_else(String::new, |budget| format!(", budget {budget:?}"));
        set(
            &format!("calls {}", nth + 1),
            format!("{} of {lines} samples ({print}), share {}{budget}", call.playbook, call.share),
        );
    }
    if let Some(recorded) = &scenario.population.recorded {
        let (lines, print) = (recorded.lines.lines().count(), fingerprint(recorded.lines.as_bytes()));
        let speed =
            recorded.speed.map_or_else(|| "as fast as it goes".to_owned(), |speed| format!("{speed} times as fast"));
        set("recorded events", format!("{lines} ({print}), {speed}"));
    }
    match (scenario.engine.disk_bytes, &overrides.url) {
        (_, Some(_)) => {}
        (Some(bytes), None) => set("data", format!("on a disk of {} in memory", thousands(bytes))),
        (None, None) => {
            let data = overrides.data.clone().unwrap_or_else(std::env::temp_dir);
            set(FILE_SYSTEM, file_system(&data).unwrap_or_else(|| "unknown".to_owned()));
            set("data", data.display().to_string());
        }
    }
    let population = &scenario.population;
    set("customers", thousands(population.customers));
    set("spread over customers", population.spread.shown());
    set("customers at the start", format!("{:?}", population.start).to_lowercase());
    set("repeated events", format!("{} %", population.repeats * 100.0));
    set("seed", population.seed.to_string());
    let playbooks: Vec<&str> = scenario.calls.iter().map(|call| call.playbook.as_str()).collect();
    set("playbooks", playbooks.join(", "));
    if let Some(provider) = &scenario.provider {
        set("large model", format!("{:?}", provider.behaviour).to_lowercase());
    }
    for (name, value) in &scenario.engine.settings {
        set(name, value.clone());
    }
    for (playbook, keys) in &scenario.engine.playbooks {
        keys.iter().for_each(|(key, value)| set(&format!("{playbook}.{key}"), value.clone()));
    }
    let engine = match (&overrides.url, &scenario.engine.config) {
        (Some(url), _) => url.clone(),
        (None, Some(folder)) => format!("its own, of {}", folder.display()),
        (None, None) => "its own, of the shipped configuration".to_owned(),
    };
    set("engine", engine);
    for phase in &scenario.phases {
        let arrivals = match phase.arrivals {
            Arrivals::Closed { callers, .. } => format!("{callers} callers in a closed loop"),
            Arrivals::Open { rate: Rate::PerSecond(rate), is_poisson } => format!("{rate}/s, {}", drawn(is_poisson)),
            Arrivals::Open { rate: Rate::OfPeak(times), is_poisson } => {
                format!("{times} times the peak, {}", drawn(is_poisson))
            }
            Arrivals::Recorded => "as recorded".to_owned(),
        };
        let counted = if phase.is_counted { "" } else { ", not counted" };
        set(&format!("phase {}", phase.name), format!("{} s, {arrivals}{counted}", phase.seconds));
    }
    settings
}

fn drawn(is_poisson: bool) -> &'static str {
    if is_poisson { "poisson arrivals" } else { "evenly apart" }
}

/// What tells contents apart, for people to compare.
fn fingerprint(bytes: &[u8]) -> String {
    format!("{:08x}", FixedState::default().hash_one(bytes) as u32)
}
