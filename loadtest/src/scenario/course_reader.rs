//! What happens in a scenario, and what must hold: phases, events, the promise.

use std::time::Duration;

use forthwith::document::{Node, Section};

use super::engine_reader::behaviour;
use super::reader::{one_of, span};
use super::{Arrivals, Event, Phase, Promise, Rate, What};

/// The longest phase: a week.
const PHASE_MAX: f64 = 604_800.0;
/// More calls a second than any machine makes.
const RATE_MAX: f64 = 100_000_000.0;

pub(super) fn phases(node: &Node<'_>) -> Option<Vec<Phase>> {
    let list = node.list()?;
    let read: Vec<Option<Phase>> = list.iter().map(|node| phase(&node.section()?)).collect();
    if list.is_empty() {
        node.fault("expected one phase at least");
        return None;
    }
    let phases: Vec<Phase> = read.into_iter().collect::<Option<_>>()?;
    let is_peak = |phase: &Phase| matches!(phase.arrivals, Arrivals::Closed { is_peak: true, .. });
    for (position, phase) in phases.iter().enumerate() {
        let asks = matches!(phase.arrivals, Arrivals::Open { rate: Rate::OfPeak(_), .. });
        if asks && !phases[..position].iter().any(is_peak) {
            list[position].fault("`of_peak` needs a phase before it with `arrivals = \"closed\"` and `peak = true`");
            return None;
        }
    }
    if !phases.iter().any(|phase| phase.is_counted) {
        node.fault("no phase is counted: expected one at least without `counted = false`");
        return None;
    }
    Some(phases)
}

fn phase(section: &Section<'_>) -> Option<Phase> {
    let name =
        section.require("name", "a short name such as \"burst\"").and_then(|node| node.text().map(str::to_owned));
    let seconds = section.require("seconds", "how long it is").and_then(|node| node.number(0.001, PHASE_MAX));
    let arrivals = section.require("arrivals", "\"constant\", \"poisson\", \"closed\" or \"recorded\"");
    let arrivals = arrivals.and_then(|node| match node.text()? {
        "constant" => rate(section).map(|rate| Arrivals::Open { rate, is_poisson: false }),
        "poisson" => rate(section).map(|rate| Arrivals::Open { rate, is_poisson: true }),
        "closed" => {
            let callers = section.require("callers", "how many call at a time").and_then(|node| node.int(1, 1_000_000));
            let is_peak = section.get("peak").and_then(|node| node.bool()).unwrap_or(false);
            Some(Arrivals::Closed { callers: callers? as usize, is_peak })
        }
        "recorded" => Some(Arrivals::Recorded),
        other => one_of(&node, other, &["constant", "poisson", "closed", "recorded"]),
    });
    let is_counted = section.get("counted").map_or(Some(true), |node| node.bool());
    section.refuse_unknown();
    Some(Phase { name: name?, seconds: seconds?, arrivals: arrivals?, is_counted: is_counted? })
}

fn rate(section: &Section<'_>) -> Option<Rate> {
    match (section.get("rate"), section.get("of_peak")) {
        (Some(rate), None) => rate.number(0.001, RATE_MAX).map(Rate::PerSecond),
        (None, Some(times)) => times.number(0.001, 1_000.0).map(Rate::OfPeak),
        (Some(_), Some(both)) => {
            both.fault("`rate` stands beside it: expected one of the two");
            None
        }
        (None, None) => {
            section.fault("expected `rate`, in calls a second, or `of_peak`, in times of the peak");
            None
        }
    }
}

pub(super) fn events(node: &Node<'_>) -> Option<Vec<Event>> {
    let read: Vec<Option<Event>> = node.list()?.iter().map(|node| event(&node.section()?)).collect();
    read.into_iter().collect()
}

fn event(section: &Section<'_>) -> Option<Event> {
    const WORDS: [&str; 6] = ["reload", "kill_and_restart", "stop_and_restart", "fill_disk", "free_disk", "provider"];
    let at =
        section.require("at", "when, such as \"5s\", since the first call").and_then(|node| span(&node, "0s", "7d"));
    let every = section.get("every").map(|node| span(&node, "10ms", "1d"));
    let what = section.require("do", &format!("one of {}", WORDS.join(", "))).and_then(|node| match node.text()? {
        "reload" => Some(What::Reload),
        "kill_and_restart" => Some(What::KillAndRestart),
        "stop_and_restart" => Some(What::StopAndRestart),
        "fill_disk" => Some(What::FillDisk),
        "free_disk" => Some(What::FreeDisk),
        "provider" => behaviour(section).map(What::Provider),
        other => one_of(&node, other, &WORDS),
    });
    section.refuse_unknown();
    let every: Option<Duration> = match every {
        Some(read) => Some(read?),
        None => None,
    };
    Some(Event { at: at?, every, what: what? })
}

pub(super) fn promise(section: &Section<'_>) -> Promise {
    let number = |key, max| section.get(key).and_then(|node: Node<'_>| node.number(0.0, max));
    let size = |node: Node<'_>| node.bytes(0, 1 << 40);
    let promise = Promise {
        p99_us: section.get("p99").and_then(|node| span(&node, "1us", "1h")).map(|p99| p99.as_nanos() as f64 / 1_000.0),
        late_share: number("late", 1.0),
        lost_share: number("lost", 1.0),
        failed_share: number("failed", 1.0),
        grace: section.get("grace").and_then(|node| span(&node, "0s", "1h")),
        goodput_of_peak: number("goodput_of_peak", 10.0),
        fairness: number("fairness", 1.0),
        memory_drift_per_hour: section.get("memory_drift_per_hour").and_then(size).map(|bytes| bytes as f64),
        file_drift_per_hour: number("file_drift_per_hour", 1_000_000.0),
        verify: section.get("verify").and_then(|node| node.bool()).unwrap_or(false),
    };
    section.refuse_unknown();
    promise
}
