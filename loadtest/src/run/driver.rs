//! The driver's own standing: how late it was itself, and whether it set the figures.

use crate::driving::Tally;
use crate::outcome::{Cause, Driver};
use crate::scenario::{Scenario, Transport};

/// A driver that is late by more than this share of what it measures measures itself.
const LAG_SHARE: f64 = 0.2;
/// Lateness below this is no more than reading the clock and making the call take.
const LAG_MIN_US: f64 = 20.0;
/// A thread that is busy for more than this share of a second has no reserve in it.
const BUSY_SHARE: f64 = 0.9;

/// What is said of the driver.
pub(super) fn standing(scenario: &Scenario, tally: &Tally, threads: usize) -> Driver {
    let is_apart = scenario.transport != Transport::InProcess;
    let processors = tally.busy.as_secs_f64() / tally.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    let (cause, bottleneck) = bottleneck(scenario, tally).unzip();
    Driver {
        lag: tally.lag.clone(),
        waited: tally.waited.clone(),
        threads,
        processors: if is_apart { processors } else { 0.0 },
        reconnects: tally.reconnects,
        bottleneck,
        cause,
    }
}

fn bottleneck(scenario: &Scenario, tally: &Tally) -> Option<(Cause, String)> {
    let share = |us: f64| us / tally.latency.quantile_us(0.99).max(f64::MIN_POSITIVE);
    let is_much = |us: f64| us > LAG_MIN_US && share(us) > LAG_SHARE;
    let is_apart = scenario.transport != Transport::InProcess;
    // In process the driver's threads do the engine's work: that they are busy says nothing.
    if is_apart && tally.busiest > BUSY_SHARE {
        let why = format!(
            "a thread of the driver was busy for {:.0} % of a second: give it more with --threads, or a machine of its own",
            tally.busiest * 100.0
        );
        return Some((Cause::Busy, why));
    }
    let lag = tally.lag.quantile_us(0.99);
    if is_much(lag) {
        let (cause, why) = if is_apart {
            (Cause::Lag, "")
        } else {
            (Cause::LagInProcess, "; in process that is also what turns on the driver's own threads hold up")
        };
        let share = share(lag) * 100.0;
        let why = format!("calls were made {lag:.0} us late at p99, {share:.0} % of the p99 of latencies{why}");
        return Some((cause, why));
    }
    let waited = tally.waited.quantile_us(0.99);
    is_much(waited).then(|| {
        let why = format!(
            "calls waited {waited:.0} us for a connection at p99, {:.0} % of the p99 of latencies: there are fewer connections ({}) than \
             calls under way, or the engine answers more slowly than calls come",
            share(waited) * 100.0,
            scenario.connections
        );
        (Cause::Waited, why)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn scenario(transport: &str) -> Scenario {
        let text = format!(
            "name = \"t\"\ndescription = \"t\"\ntransport = \"{transport}\"\n[population]\nkind = \"uniform\"\n\
             customers = 10\nstart = \"new\"\n[[phases]]\nname = \"p\"\nseconds = 1\narrivals = \"constant\"\nrate = 10"
        );
        crate::scenario::read("t.toml", &text, None).unwrap()
    }

    /// Why the driver may have set the figures of calls that took so long, were made so late, and waited so long for a connection.
    fn cause(transport: &str, latency_us: u64, lag_us: u64, waited_us: u64) -> Option<Cause> {
        let mut tally = Tally::default();
        tally.elapsed = Duration::from_secs(1);
        tally.latency.record(Duration::from_micros(latency_us));
        tally.lag.record(Duration::from_micros(lag_us));
        tally.waited.record(Duration::from_micros(waited_us));
        let standing = standing(&scenario(transport), &tally, 2);
        assert_eq!(standing.bottleneck.is_some(), standing.cause.is_some());
        standing.cause
    }

    #[test]
    fn why_it_may_have_set_the_figures_is_told_apart() {
        assert_eq!(cause("json", 50_000, 10, 43_000), Some(Cause::Waited));
        assert_eq!(cause("json", 50_000, 43_000, 10), Some(Cause::Lag));
        assert_eq!(cause("in-process", 50_000, 43_000, 0), Some(Cause::LagInProcess));
        assert_eq!(cause("json", 50_000, 5_000, 5_000), None);
    }

    #[test]
    fn one_full_second_is_enough_over_http() {
        let busiest = |transport| {
            let mut tally = Tally::default();
            (tally.busiest, tally.busy, tally.elapsed) = (0.97, Duration::from_secs(3), Duration::from_secs(25));
            standing(&scenario(transport), &tally, 2).cause
        };
        assert_eq!((busiest("json"), busiest("in-process")), (Some(Cause::Busy), None));
    }

    #[test]
    fn lag_that_is_most_of_a_short_call_is_told() {
        assert_eq!(cause("json", 150, 120, 0), Some(Cause::Lag));
        assert_eq!(cause("in-process", 30, 10, 0), None, "that is what making a call takes");
    }
}
