//! Our driver beside wrk, a generator that others trust: in the same minutes, against the same servers, in turns.
//!
//! wrk drives a closed loop, so ours does here too: so many connections, each with one call under way. Both send events of the same form with
//! ids of their own. If our driver lost calls, counted some twice or measured a part of the time only, the figures would not agree.
//! Beside the engine stands a floor, a server that decodes the event and answers with a decision that nobody made.
//!
//! A closed loop, wrk's like any other, hides what it is worst to hide: while a server stalls, it does not call. [`stalled`] shows it, on a
//! server that stalls once.
//!
//! wrk fills latencies in that it believes to have missed; so what is held against its latencies is ours with the same done to them
//! ([`Seen::filled_in`]).
//!
//! | file | noun |
//! |---|---|
//! | `wrk` | wrk, its script and what it says |
//! | `ours` | our driver |
//! | `floor` | the server beside the engine, which may stall |
//! | `rounds` | both in turns, and whether they agree |
//! | `stalled` | open loop, closed loop and wrk on a server that stalls |

mod floor;
mod ours;
mod rounds;
mod stalled;
mod wrk;

use crate::args::CrossCheck;
use crate::outcome::Curve;
use crate::report::say;

/// What a generator has seen of a server.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
struct Seen {
    calls_per_second: f64,
    mean_us: f64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
    /// Calls that were not answered with a decision.
    failed: u64,
}

impl Seen {
    fn of(curve: &Curve, seconds: f64, failed: u64) -> Self {
        Self {
            calls_per_second: curve.count() as f64 / seconds.max(f64::MIN_POSITIVE),
            mean_us: curve.mean_us(),
            p50_us: curve.quantile_us(0.5),
            p99_us: curve.quantile_us(0.99),
            max_us: curve.quantile_us(1.0),
            failed,
        }
    }

    /// The same with latencies filled in as wrk does it.
    ///
    /// wrk does not print what it has measured: it takes the mean time from one call of a connection to the next for the pace at which
    /// somebody wanted to call, and for every latency of twice that or more it adds the latencies of the calls that such a caller would have
    /// made meanwhile (`stats_correct` in its `stats.c`).
    fn filled_in(&self, curve: &Curve, seconds: f64, connections: usize) -> Self {
        let calls_of_each = curve.count() / connections.max(1) as u64;
        let pace = (seconds * 1e9 / calls_of_each.max(1) as f64) as u64;
        if calls_of_each == 0 || pace == 0 {
            return *self;
        }
        let mut filled = curve.histogram().clone();
        for step in curve.histogram().iter_recorded() {
            let (latency, count) = (step.value_iterated_to(), step.count_at_value());
            let mut missed = latency.saturating_sub(pace);
            while latency >= 2 * pace && missed > pace {
                filled.saturating_record_n(missed, count);
                missed -= pace;
            }
        }
        let micros = |quantile| filled.value_at_quantile(quantile) as f64 / 1e3;
        Self { mean_us: filled.mean() / 1e3, p50_us: micros(0.5), p99_us: micros(0.99), ..*self }
    }

    /// Calls that were under way on average, by Little's law: as many as there are connections, if a generator measures all of the time that
    /// its calls take and has its next call ready. Of latencies that were filled in it says nothing.
    fn under_way(&self) -> f64 {
        self.calls_per_second * self.mean_us / 1e6
    }
}

/// Measures and prints; `false` where it was demanded that our driver and wrk agree, and they do not.
pub(crate) fn run(run: &CrossCheck) -> anyhow::Result<bool> {
    let wrk = wrk::Wrk::find()?;
    if cfg!(debug_assertions) {
        say(run.quiet, "this build is not optimized: its figures say nothing. Build it with --release");
    }
    if run.stall {
        stalled::run(run, &wrk)?;
        return Ok(true);
    }
    Ok(rounds::run(run, &wrk)? || !run.strict)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn latencies_are_filled_in_as_wrk_does_it() {
        // One connection: 99 calls of 1 ms and one of 101 ms are 100 calls in 200 ms, one in 2 ms.
        let mut curve = Curve::new();
        (0..99).for_each(|_| curve.record(Duration::from_millis(1)));
        curve.record(Duration::from_millis(101));
        let seen = Seen::of(&curve, 0.2, 0);
        assert!((990.0..1_010.0).contains(&seen.p99_us) && (0.99..1.01).contains(&seen.under_way()), "{seen:?}");
        // 99, 97, … 3 ms are filled in: 49 calls more.
        let filled = seen.filled_in(&curve, 0.2, 1);
        assert!((96_000.0..100_000.0).contains(&filled.p99_us), "{filled:?}");
        let mean = (99.0 + 101.0 + 49.0 * 51.0) / 149.0 * 1_000.0;
        assert!((filled.mean_us / mean - 1.0).abs() < 0.01, "{filled:?}");
        assert_eq!((filled.calls_per_second, filled.max_us), (seen.calls_per_second, seen.max_us));
    }
}
