//! The driver's own standing: how late it was itself, and whether it set the figures.

use crate::driving::Tally;
use crate::outcome::Driver;
use crate::scenario::{Scenario, Transport};

/// A driver that is late by more than this share of what it measures measures itself.
const LAG_SHARE: f64 = 0.2;
/// Lateness that is the machine's: what a timer is late on one that is shared.
const LAG_MIN_US: f64 = 200.0;
/// A thread that is busy for more than this share of the time has no reserve.
const BUSY_SHARE: f64 = 0.9;

/// What is said of the driver.
pub(super) fn standing(scenario: &Scenario, tally: &Tally, threads: usize) -> Driver {
    let is_apart = scenario.transport != Transport::InProcess;
    let processors = tally.busy.as_secs_f64() / tally.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    Driver {
        lag: tally.lag.clone(),
        waited: tally.waited.clone(),
        threads,
        processors: if is_apart { processors } else { 0.0 },
        reconnects: tally.reconnects,
        bottleneck: bottleneck(scenario, tally, processors / threads as f64),
    }
}

fn bottleneck(scenario: &Scenario, tally: &Tally, busy: f64) -> Option<String> {
    let share = |us: f64| us / tally.latency.quantile_us(0.99).max(f64::MIN_POSITIVE);
    let is_much = |us: f64| us > LAG_MIN_US && share(us) > LAG_SHARE;
    let is_apart = scenario.transport != Transport::InProcess;
    // In process the driver's threads do the engine's work: that they are busy says nothing.
    if is_apart && busy > BUSY_SHARE {
        return Some(format!(
            "the driver's threads were busy {:.0} % of the time: give it more with --threads, or a machine of its own",
            busy * 100.0
        ));
    }
    let lag = tally.lag.quantile_us(0.99);
    if is_much(lag) {
        let why =
            if is_apart { "" } else { "; in process that is also what turns on the driver's own threads hold up" };
        let share = share(lag) * 100.0;
        return Some(format!("calls were made {lag:.0} us late at p99, {share:.0} % of the p99 of latencies{why}"));
    }
    let waited = tally.waited.quantile_us(0.99);
    is_much(waited).then(|| {
        format!(
            "calls waited {waited:.0} us for a connection at p99, {:.0} % of the p99 of latencies: there are fewer connections ({}) than \
             calls under way, or the engine answers more slowly than calls come",
            share(waited) * 100.0,
            scenario.connections
        )
    })
}
