//! The table that people read.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

use super::Entry;
use crate::figures::time;
use crate::workload::Workload;

/// The entry that the others are set against.
const BASE: &str = "forthwith";

/// The head of the table.
pub(crate) fn head() {
    println!(
        "| family | rules | engine | decisions | mean | p50 | p99 | p99.9 | p50 is | p99 is | loaded in | holds |\n\
         |---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
}

/// What a workload is like, on a line of its own above its rows.
pub(crate) fn opening(workload: &Workload) {
    let shape = workload.shape();
    eprintln!(
        "{} of {} rules: {:.1} % of the events reach the default; {:.1} rules match an event; a first match reads {:.0}",
        workload.family.name(),
        workload.rules.len(),
        shape.unmatched * 100.0,
        shape.matching,
        shape.read,
    );
}

/// A row for each engine.
pub(super) fn rows(workload: &Workload, entries: &[Entry<'_>]) {
    let base = entries.iter().find(|entry| entry.name == BASE);
    for entry in entries {
        let latencies = &entry.latencies;
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|quantile| latencies.value_at_quantile(quantile) as f64);
        let times = |quantile| match base {
            Some(base) if base.name != entry.name => {
                let [own, of] =
                    [latencies, &base.latencies].map(|latencies| latencies.value_at_quantile(quantile) as f64);
                format!("{:.2}x", own / of)
            }
            _ => String::new(),
        };
        let load = entry.load;
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            workload.family.name(),
            workload.rules.len(),
            entry.name,
            latencies.len(),
            time(latencies.mean()),
            time(p50),
            time(p99),
            time(p999),
            times(0.5),
            times(0.99),
            load.map_or_else(String::new, |load| time(load.took.as_nanos() as f64)),
            load.map_or_else(String::new, |load| format!("{:.2} MiB", load.bytes as f64 / f64::from(1 << 20))),
        );
    }
}
