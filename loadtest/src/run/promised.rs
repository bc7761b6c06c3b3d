//! What was promised, and whether it was held.

use serde_json::{Value, json};

use super::drift::{POINTS_MIN, drift_per_hour};
use crate::driving::{CLASSES, Tally};
use crate::outcome::{Check, Run, Usage, not_judged};
use crate::scenario::{Arrivals, Rate, Scenario, What};

/// Calls that a class of customers must have made before its share is judged.
const CLASS_MIN: u64 = 200;

/// Notes what was missed, and adds the checks of the whole.
pub(super) fn judge(scenario: &Scenario, tally: &Tally, run: &mut Run) {
    let checks = [goodput(scenario, tally), fairness(scenario, tally), reloads(scenario, run)];
    run.checks.extend(checks.into_iter().flatten());
    let drifts = drifts(scenario, run);
    run.checks.extend(drifts);
    run.missed = missed(scenario, run);
    if let Some(first) = tally.first_failure.as_ref().filter(|_| run.totals.failed > 0 && !run.missed.is_empty()) {
        run.missed.push(format!("the first call that failed: {first}"));
    }
}

fn missed(scenario: &Scenario, run: &Run) -> Vec<String> {
    let (promise, totals, mut missed) = (&scenario.promise, &run.totals, Vec::new());
    if totals.answered == 0 {
        missed.push("no call was answered".to_owned());
    }
    let p99 = run.latency.quantile_us(0.99);
    if let Some(limit) = promise.p99_us.filter(|limit| p99 > *limit) {
        missed.push(format!("p99 is {p99:.0} us, at most {limit:.0} us were promised"));
    }
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let mut limited = |what: &str, found: f64, limit: Option<f64>| {
        if let Some(limit) = limit.filter(|limit| found > *limit) {
            let (found, limit) = (found * 100.0, limit * 100.0);
            missed.push(format!("{found:.4} % of the {what}, at most {limit:.4} % were promised"));
        }
    };
    limited("answers were late", share(totals.late, totals.answered), promise.late_share);
    limited("calls were lost", share(totals.shed + totals.failed, totals.offered), promise.lost_share);
    // Of a call that had no connection the engine knows nothing; the report tells how many there were.
    let unseen = run.failed.get("no_connection").copied().unwrap_or_default();
    let failed = share(totals.failed.saturating_sub(unseen), totals.offered);
    limited("calls failed without being shed in words", failed, promise.failed_share);
    missed
}

/// A check that has looked at so many cases and found these broken.
fn check(name: &str, asks: String, checked: u64, broken: Vec<Value>) -> Check {
    let violations = broken.len() as u64;
    Check { name: name.to_owned(), asks, checked, violations, first: broken.into_iter().next() }
}

/// Of the phases that offer times of the peak: what is answered in time is still near it.
fn goodput(scenario: &Scenario, tally: &Tally) -> Option<Check> {
    let promised = scenario.promise.goodput_of_peak?;
    let asks = "While more is offered than can be done, what is answered in time stays near the peak";
    let asks = format!("{asks}: at least {:.0} % of it.", promised * 100.0);
    let (mut checked, mut broken) = (0, Vec::new());
    for (phase, count) in scenario.phases.iter().zip(&tally.phases) {
        let Arrivals::Open { rate: Rate::OfPeak(times), .. } = phase.arrivals else { continue };
        checked += 1;
        let in_time = count.in_time as f64 / phase.seconds;
        if in_time < promised * tally.peak * times.min(1.0) || tally.peak <= 0.0 {
            let of_peak = in_time / tally.peak.max(f64::MIN_POSITIVE);
            broken.push(json!({ "phase": phase.name, "peak_per_second": tally.peak, "in_time_per_second": in_time,
                                "of_peak": of_peak, "promised": promised }));
        }
    }
    Some(check("goodput", asks, checked, broken))
}

/// No class of customers is answered much less than another.
fn fairness(scenario: &Scenario, tally: &Tally) -> Option<Check> {
    let promised = scenario.promise.fairness?;
    let judged = tally.classes.iter().filter(|(calls, _)| *calls >= CLASS_MIN);
    let shares: Vec<f64> = judged.map(|(calls, answered)| *answered as f64 / *calls as f64).collect();
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let most = shares.iter().copied().fold(0.0, f64::max);
    let case = || json!({ "answered_in_time_by_class": shares, "promised": promised });
    let broken = if least < promised * most { vec![case()] } else { Vec::new() };
    let asks = format!(
        "Of {CLASSES} classes of customers, formed by their names, the least lucky one is answered at least {:.0} % as often as the luckiest.",
        promised * 100.0
    );
    Some(check("fairness", asks, shares.len() as u64, broken))
}

/// Every reload was taken.
fn reloads(scenario: &Scenario, run: &Run) -> Option<Check> {
    scenario.events.iter().find(|event| event.what == What::Reload)?;
    let all = run.happened.iter().filter(|happened| happened.what == What::Reload.as_str());
    let refused = all.clone().filter(|happened| !happened.said.ends_with("is in force"));
    let broken = refused.map(|happened| json!(happened)).collect();
    Some(check("reloads", "Every reload is taken.".to_owned(), all.count() as u64, broken))
}

/// What must not grow.
fn drifts(scenario: &Scenario, run: &Run) -> Vec<Check> {
    let promise = &scenario.promise;
    // While the load goes on, and after what is not counted.
    let counted = || run.phases.iter().filter(|phase| phase.is_counted);
    let from = counted().map(|phase| phase.from_s).fold(f64::INFINITY, f64::min);
    let to = counted().map(|phase| phase.to_s).fold(0.0, f64::max);
    let grows = |name: &str, what: &str, allowed: Option<f64>, of: fn(&Usage) -> f64| {
        let allowed = allowed?;
        let usage = run.usage.iter().filter(|usage| (from..=to).contains(&usage.at_s));
        let points: Vec<(f64, f64)> = usage.map(|usage| (usage.at_s, of(usage))).collect();
        let asks = format!("{what} by no more than {allowed:.0} an hour, beyond the error of the slope.");
        let Some(drift) = drift_per_hour(&points) else {
            let why = format!(
                "a slope needs {POINTS_MIN} counted seconds in which it was read, and there were {}",
                points.len()
            );
            return Some(check(name, format!("{asks} {}", not_judged(&why)), 0, Vec::new()));
        };
        let broken = Some(drift).filter(|drift| drift.surely_above(allowed));
        let broken = broken.map(|of| json!({ "per_hour": of.per_hour, "error": of.error, "allowed": allowed }));
        Some(check(name, asks, points.len() as u64, broken.into_iter().collect()))
    };
    let memory = "The engine's resident memory grows, in bytes,";
    let files = "The engine's open files grow in number";
    let memory = grows("memory_drift", memory, promise.memory_drift_per_hour, |usage| usage.resident_bytes as f64);
    let files = grows("file_drift", files, promise.file_drift_per_hour, |usage| usage.open_files as f64);
    [memory, files].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shed_in_words_is_missed_where_that_is_promised() {
        let said = |scenario: &str, how: &str| {
            let scenario = crate::scenario::find(scenario).unwrap();
            let mut run = Run::default();
            (run.totals.offered, run.totals.answered, run.totals.shed, run.totals.failed) = (100, 40, 30, 30);
            run.failed.insert(how.to_owned(), 30);
            missed(&scenario, &run)
        };
        for scenario in ["overload", "disk_full"] {
            assert_eq!(said(scenario, "no_connection"), Vec::<String>::new());
            let missed = said(scenario, "status_500");
            assert!(missed.len() == 1 && missed[0].contains("30.0000 % of the calls failed without"), "{missed:?}");
        }
    }

    #[test]
    fn a_slope_that_cannot_be_judged_did_not_hold() {
        let scenario = crate::scenario::find("soak").unwrap();
        let checks = drifts(&scenario, &Run::default());
        assert_eq!(checks.len(), 2);
        assert!(checks.iter().all(|check| !check.is_judged() && check.why_not_judged().is_some()), "{checks:?}");
    }
}
