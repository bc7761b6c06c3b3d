//! Both in turns, and whether they agree.

use std::fs;

use anyhow::Context;
use forthwith::Doors;
use serde::Serialize;

use super::ours::Loop;
use super::wrk::{self, Wrk};
use super::{Seen, floor, ours};
use crate::args::CrossCheck;
use crate::floors::subject::Subject;
use crate::population::read_samples;
use crate::report::{markdown, object, say, thousands};
use crate::target::Server;

/// A difference that does not matter, however sure it is: figures of 2 % one way or the other are the machine's own.
const CLOSE: f64 = 0.02;

/// Student's quantiles of 97.5 %, by degrees of freedom from 1; beyond that the normal one is near enough.
const STUDENT: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/// One of our figures beside wrk's, over all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Ratio {
    /// Ours by wrk's, the geometric mean.
    pub(super) middle: f64,
    /// Where it lies with 95 % probability; nothing is said by a single round.
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Both generators against one server.
#[derive(Clone, Debug, Serialize)]
struct Beside {
    server: &'static str,
    rounds: Vec<Pair>,
    calls_per_second: Ratio,
    p50: Ratio,
    p99: Ratio,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Pair {
    ours: Seen,
    /// With latencies filled in as wrk does it.
    filled_in: Seen,
    wrk: Seen,
}

impl Ratio {
    pub(super) fn of(pairs: &[(f64, f64)]) -> Self {
        let logs: Vec<f64> = pairs.iter().map(|(ours, wrk)| (ours.max(1e-9) / wrk.max(1e-9)).ln()).collect();
        let n = logs.len().max(1) as f64;
        let mean = logs.iter().sum::<f64>() / n;
        let Some(quantile) = logs.len().checked_sub(2).map(|at| STUDENT.get(at).copied().unwrap_or(1.96)) else {
            return Self { middle: mean.exp(), low: 0.0, high: f64::MAX };
        };
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let reach = quantile * (variance / n).sqrt();
        Self { middle: mean.exp(), low: (mean - reach).exp(), high: (mean + reach).exp() }
    }

    /// Whether the two are the same as far as can be told, or so close that it does not matter.
    pub(super) fn agrees(&self) -> bool {
        self.low <= 1.0 + CLOSE && self.high >= 1.0 / (1.0 + CLOSE)
    }

    fn told(&self) -> String {
        let Self { middle, low, high } = self;
        if *high == f64::MAX {
            return format!("{middle:.2} (of one round, which says nothing of the noise)");
        }
        format!("{middle:.2} ({low:.2} to {high:.2})")
    }
}

/// Measures and prints both; whether their calls a second agree on each server.
pub(super) fn run(run: &CrossCheck, wrk: &Wrk) -> anyhow::Result<bool> {
    let load = run.load();
    let lines = fs::read_to_string(&load.samples)
        .with_context(|| format!("cannot use the samples {}", load.samples.display()))?;
    let samples = read_samples(&lines).with_context(|| format!("cannot use the samples {}", load.samples.display()))?;
    let subject = Subject::start(&load)?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let doors = Doors::new(subject.engine.clone(), &subject.settings);
    let engine = Server::start(0, &Server::settings(workers), move |app| doors.configure(app))?;
    let floor = floor::start(workers, None)?;
    let mut pairs = [("floor: decode and answer", &floor, Vec::new()), ("engine", &engine, Vec::new())];
    let path = format!("/v1/decide/{}", load.playbook);
    for round in 0..run.rounds {
        say(run.quiet, &format!("round {} of {}", round + 1, run.rounds));
        for (at, (_, server, seen)) in pairs.iter_mut().enumerate() {
            let name = |who: &str| format!("{who}-{round}-{at}");
            let ours = || {
                ours::measure(&ours::Job {
                    address: server.address,
                    playbook: &load.playbook,
                    samples: &lines,
                    customers: load.customers,
                    connections: run.connections,
                    threads: subject.threads,
                    seconds: run.seconds,
                    loops: Loop::Closed,
                    run: &name("ours"),
                })
            };
            let wrks = || {
                wrk.measure(wrk::Job {
                    address: server.address,
                    path: &path,
                    samples: &samples,
                    customers: load.customers,
                    connections: run.connections,
                    threads: subject.threads,
                    seconds: run.seconds,
                    run: &name("wrk"),
                })
            };
            // Who goes first changes, so that a server that gets slower favours nobody.
            let ((ours, filled_in), wrk) = if round % 2 == 0 {
                let ours = ours()?;
                (ours, wrks()?)
            } else {
                let wrk = wrks()?;
                (ours()?, wrk)
            };
            seen.push(Pair { ours, filled_in, wrk });
        }
    }
    let beside: Vec<Beside> = pairs.into_iter().map(|(name, _, rounds)| Beside::new(name, rounds)).collect();
    floor.stop()?;
    engine.stop()?;
    subject.stop(run.quiet)?;
    let agrees = beside.iter().all(|beside| beside.calls_per_second.agrees());
    if run.json {
        object(&serde_json::json!({ "wrk": wrk.version, "connections": run.connections, "seconds": run.seconds,
            "servers": beside, "agrees": agrees }))?;
    } else {
        print(run, wrk, &beside)?;
    }
    Ok(agrees)
}

impl Beside {
    fn new(server: &'static str, rounds: Vec<Pair>) -> Self {
        let ratio = |of: fn(&Seen) -> f64| {
            let pairs: Vec<(f64, f64)> =
                rounds.iter().map(|Pair { filled_in, wrk, .. }| (of(filled_in), of(wrk))).collect();
            Ratio::of(&pairs)
        };
        let (calls_per_second, p50, p99) =
            (ratio(|seen| seen.calls_per_second), ratio(|seen| seen.p50_us), ratio(|seen| seen.p99_us));
        Self { server, rounds, calls_per_second, p50, p99 }
    }

    fn sentence(&self) -> String {
        let Self { server, calls_per_second: ratio, .. } = self;
        match self.rounds.len() {
            0 | 1 => format!(
                "{server}: one round does not tell a difference from noise; ours by wrk's is {:.2}.",
                ratio.middle
            ),
            _ if ratio.agrees() => format!("{server}: calls a second agree within the noise."),
            _ => {
                let percent = 100.0 * (ratio.middle - 1.0);
                format!(
                    "{server}: calls a second differ beyond the noise, ours are {percent:+.0} % of wrk's. In a closed loop on shared \
                     processors the generator's own work takes from the server: see whether it is so with few connections, \
                     and whether the last column has all of them under way."
                )
            }
        }
    }
}

fn print(run: &CrossCheck, wrk: &Wrk, beside: &[Beside]) -> anyhow::Result<()> {
    let title = format!(
        "Our driver beside {}: closed loop over HTTP, {} connections, {} rounds of {} s in turns",
        wrk.version, run.connections, run.rounds, run.seconds
    );
    let columns = ["", "calls/s", "p50 us", "p99 us", "failed", "under way (calls/s x mean)"];
    let mut rows = Vec::new();
    for Beside { server, rounds, calls_per_second, p50, p99 } in beside {
        for (who, is_plain, of) in [
            ("ours", true, (|pair| pair.ours) as fn(&Pair) -> Seen),
            ("ours, filled in as wrk does it", false, |pair| pair.filled_in),
            ("wrk", false, |pair| pair.wrk),
        ] {
            let mean = |value: fn(&Seen) -> f64| {
                rounds.iter().map(|pair| value(&of(pair))).sum::<f64>() / rounds.len().max(1) as f64
            };
            let failed = rounds.iter().map(|pair| of(pair).failed).sum();
            rows.push(vec![
                format!("{server}, {who}"),
                thousands(mean(|seen| seen.calls_per_second) as u64),
                format!("{:.0}", mean(|seen| seen.p50_us)),
                format!("{:.0}", mean(|seen| seen.p99_us)),
                thousands(failed),
                if is_plain { format!("{:.1}", mean(Seen::under_way)) } else { String::new() },
            ]);
        }
        let ratios = [calls_per_second, p50, p99].map(Ratio::told);
        let [calls, p50, p99] = ratios;
        rows.push(vec![format!("{server}, ours by wrk's"), calls, p50, p99, String::new(), String::new()]);
    }
    markdown(&title, &columns, rows)?;
    for beside in beside {
        say(false, &beside.sentence());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_told_from_a_difference() {
        let noisy = Ratio::of(&[(90.0, 100.0), (110.0, 100.0), (102.0, 100.0), (96.0, 100.0)]);
        assert!(noisy.agrees() && noisy.low < 0.95 && noisy.high > 1.05, "{noisy:?}");
        let other = Ratio::of(&[(80.0, 100.0), (82.0, 100.0), (79.0, 100.0), (81.0, 100.0)]);
        assert!(!other.agrees() && (0.79..0.82).contains(&other.middle), "{other:?}");
        let close = Ratio::of(&[(101.0, 100.0), (101.1, 100.0), (100.9, 100.0)]);
        assert!(close.agrees(), "one per cent, however sure, is the machine's: {close:?}");
        let one = Ratio::of(&[(10.0, 100.0)]);
        assert!(one.told().contains("one round"), "{}", one.told());
    }
}
