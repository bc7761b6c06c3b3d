//! Whether a trial held what was promised.

use serde::{Deserialize, Serialize};

use crate::outcome::{Cause, Run, Slo};

/// What became of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// All that was promised was held.
    Held,
    /// Something was missed; a sentence each.
    Missed(Vec<String>),
    /// Something was missed, and it may be the driver that did it and nobody else: says nothing about the engine.
    DriverBound(String),
}

/// What was heard of a trial: the verdict and the figures it was made on.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Heard {
    pub(crate) verdict: Verdict,
    pub(crate) answered_per_second: f64,
    pub(crate) p99_us: f64,
    pub(crate) late: u64,
    /// Calls that were shed or failed.
    pub(crate) lost: u64,
}

impl Heard {
    /// Judges a run. A driver that was behind while everything was held does not matter: latencies are counted from when calls were due.
    /// Above what it can do an engine fills all connections, and in process the driver's threads: that is a miss, and the engine's.
    pub(crate) fn of(run: &Run, slo: &Slo) -> Self {
        let mut missed = missed(run, slo);
        let is_the_drivers = run.driver.cause.is_some_and(Cause::is_the_drivers);
        let verdict = match &run.driver.bottleneck {
            _ if missed.is_empty() => Verdict::Held,
            Some(why) if is_the_drivers => Verdict::DriverBound(why.clone()),
            why => {
                missed.extend(why.clone());
                Verdict::Missed(missed)
            }
        };
        let totals = &run.totals;
        Self {
            verdict,
            answered_per_second: totals.answered as f64 / totals.seconds.max(f64::MIN_POSITIVE),
            p99_us: run.latency.quantile_us(0.99),
            late: totals.late,
            lost: totals.shed + totals.failed,
        }
    }
}

/// What of a promise a run missed, a sentence each. A run without an answer misses everything that was promised.
fn missed(run: &Run, slo: &Slo) -> Vec<String> {
    let totals = &run.totals;
    let mut missed = Vec::new();
    if totals.answered == 0 {
        missed.push("no call was answered".to_owned());
        return missed;
    }
    let p99_us = run.latency.quantile_us(0.99);
    if let Some(limit) = slo.p99_us.filter(|limit| p99_us > *limit) {
        missed.push(format!("p99 is {p99_us:.0} us, at most {limit:.0} us were promised"));
    }
    let mut share = |what: &str, cases: u64, of: u64, limit: Option<f64>| {
        let share = cases as f64 / of.max(1) as f64;
        if let Some(limit) = limit.filter(|limit| share > *limit) {
            let (share, limit) = (100.0 * share, 100.0 * limit);
            missed.push(format!("{cases} of {of} {what} ({share:.3} %), at most {limit:.3} % were promised"));
        }
    };
    share("answers were late", totals.late, totals.answered, slo.late_share);
    share("calls came to nothing", totals.shed + totals.failed, totals.offered, slo.lost_share);
    missed
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SLO: Slo = Slo { p99_us: Some(5_000.0), late_share: Some(0.0), lost_share: Some(0.01) };

    fn run(latency_us: u64) -> Run {
        let mut run = Run::default();
        run.latency.record(Duration::from_micros(latency_us));
        run.totals.seconds = 2.0;
        (run.totals.offered, run.totals.answered) = (1_000, 1_000);
        run
    }

    #[test]
    fn everything_that_was_promised_is_looked_at() {
        assert_eq!(Heard::of(&run(4_000), &SLO).verdict, Verdict::Held);
        assert_eq!(Heard::of(&run(4_000), &SLO).answered_per_second, 500.0);
        let says = |run: Run, what: &str| match Heard::of(&run, &SLO).verdict {
            Verdict::Missed(missed) => assert!(missed.len() == 1 && missed[0].contains(what), "{missed:?}"),
            other => panic!("{other:?}"),
        };
        says(run(6_000), "p99 is 6");
        let mut late = run(4_000);
        late.totals.late = 1;
        says(late, "1 of 1000 answers were late");
        let mut lost = run(4_000);
        (lost.totals.shed, lost.totals.failed) = (6, 5);
        says(lost, "11 of 1000 calls came to nothing (1.100 %)");
        let mut nothing = Run::default();
        nothing.totals.offered = 10;
        says(nothing, "no call was answered");
    }

    #[test]
    fn a_driver_that_was_behind_is_blamed_only_where_something_was_missed() {
        let behind = |latency_us, cause| {
            let mut run = run(latency_us);
            run.driver.bottleneck = Some("its lag was 3 ms".to_owned());
            run.driver.cause = Some(cause);
            Heard::of(&run, &SLO).verdict
        };
        for cause in [Cause::Busy, Cause::Lag] {
            assert_eq!(behind(4_000, cause), Verdict::Held);
            assert_eq!(behind(6_000, cause), Verdict::DriverBound("its lag was 3 ms".to_owned()));
        }
        // An engine that is too slow fills all connections, and the threads that it shares with the driver.
        for cause in [Cause::Waited, Cause::LagInProcess] {
            assert_eq!(behind(4_000, cause), Verdict::Held);
            let Verdict::Missed(missed) = behind(6_000, cause) else { panic!("{cause:?} is no miss of the engine's") };
            assert!(missed.len() == 2 && missed[0].starts_with("p99 is 6") && missed[1].contains("3 ms"), "{missed:?}");
        }
    }
}
