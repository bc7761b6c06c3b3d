//! Open loop, closed loop and wrk on a server that stalls.

use std::fs;
use std::time::Duration;

use anyhow::Context;

use super::Seen;
use super::floor::{self, Stall};
use super::ours::{self, Loop};
use super::wrk::{self, Wrk};
use crate::args::CrossCheck;
use crate::outcome::Curve;
use crate::population::read_samples;
use crate::report::{markdown, object, thousands};

/// Calls a second in the open loop: few enough that nobody is busy.
const RATE: f64 = 200.0;
const LENGTH: Duration = Duration::from_secs(1);

/// Measures and prints the worked example of the documentation.
pub(super) fn run(run: &CrossCheck, wrk: &Wrk) -> anyhow::Result<()> {
    let load = run.load();
    let lines = fs::read_to_string(&load.samples)
        .with_context(|| format!("cannot use the samples {}", load.samples.display()))?;
    let samples = read_samples(&lines).with_context(|| format!("cannot use the samples {}", load.samples.display()))?;
    let stall = Stall { at_call: 100, length: LENGTH };
    let mut seen = Vec::new();
    for (name, loops) in [("our open loop", Loop::Open(RATE)), ("our closed loop", Loop::Closed)] {
        let server = floor::start(1, Some(stall))?;
        let job = ours::Job {
            address: server.address,
            playbook: &load.playbook,
            samples: &lines,
            customers: load.customers,
            connections: run.connections,
            threads: 1,
            seconds: run.seconds,
            loops,
            run: "stalled",
        };
        let (latency, failed) = ours::drive(&job)?;
        let plain = Seen::of(&latency, run.seconds as f64, failed);
        seen.push((name, plain, Some(over(&latency, LENGTH / 10))));
        if loops == Loop::Closed {
            let filled_in = plain.filled_in(&latency, run.seconds as f64, run.connections);
            seen.push(("our closed loop, filled in as wrk does it", filled_in, None));
        }
        server.stop()?;
    }
    let server = floor::start(1, Some(stall))?;
    let job = wrk::Job {
        address: server.address,
        path: &format!("/v1/decide/{}", load.playbook),
        samples: &samples,
        customers: load.customers,
        connections: run.connections,
        threads: 1,
        seconds: run.seconds,
        run: "stalled",
    };
    seen.push(("wrk", wrk.measure(job)?, None));
    server.stop()?;
    if run.json {
        return object(&serde_json::json!({ "stall_s": LENGTH.as_secs_f64(), "open_rate": RATE, "seen":
            seen.iter().map(|(name, seen, slow)| serde_json::json!({ "by": name, "seen": seen, "over_100_ms": slow }))
                .collect::<Vec<_>>() }));
    }
    let row = |(name, seen, slow): (&str, Seen, Option<u64>)| {
        let micros = |us: f64| thousands(us as u64);
        let slow = slow.map_or("not told".to_owned(), thousands);
        let Seen { calls_per_second, p50_us, p99_us, max_us, .. } = seen;
        vec![name.to_owned(), micros(calls_per_second), micros(p50_us), micros(p99_us), micros(max_us), slow]
    };
    let title = format!(
        "A server that stalls once for {LENGTH:?}, seen for {} s over {} connections; the open loop at {RATE}/s",
        run.seconds, run.connections
    );
    markdown(&title, &["", "calls/s", "p50 us", "p99 us", "max us", "calls over 100 ms"], seen.into_iter().map(row))
}

/// How many latencies are longer.
fn over(latency: &Curve, than: Duration) -> u64 {
    let histogram = latency.histogram();
    histogram.len() - histogram.count_between(0, than.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both loops for three seconds on a server that stalls for one: how many calls took half a second or longer.
    fn slow(loops: Loop, connections: usize) -> u64 {
        let lines = r#"{"specversion":"1.0","id":"1","source":"s","type":"ticket.created","subject":"c","data":{"subject":"x","body":"y"}}"#;
        let server = floor::start(1, Some(Stall { at_call: 20, length: LENGTH })).unwrap();
        let job = ours::Job {
            address: server.address,
            playbook: "any",
            samples: lines,
            customers: 10,
            connections,
            threads: 1,
            seconds: 3,
            loops,
            run: "test",
        };
        let (latency, failed) = ours::drive(&job).unwrap();
        assert_eq!(failed, 0);
        server.stop().unwrap();
        over(&latency, LENGTH / 2)
    }

    #[test]
    fn the_open_loop_sees_a_stall_and_the_closed_one_hides_it() {
        // Nothing is answered for a second: whatever was due in its first half took half a second or more, on any machine. At 200 calls
        // a second that is a hundred, but for those that were under way.
        let open = slow(Loop::Open(200.0), 2);
        assert!(open >= 90, "{open}");
        // Two callers who wait cannot see more than two such calls in half a second, on any machine.
        let closed = slow(Loop::Closed, 2);
        assert!((1..=16).contains(&closed), "{closed}");
    }
}
