//! A scenario as it is run, for people.

use std::collections::BTreeMap;

use crate::args::Overrides;
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
