//! Passed or not, and why.

use super::units;
use crate::outcome::{FILE_SYSTEM, Outcome, Run};

/// What a reader is to know first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) has_passed: bool,
    /// `passed` or `failed`, and why, in one line.
    pub(crate) line: String,
    /// Every check that was violated and every promise that was missed, a line each.
    pub(crate) reasons: Vec<String>,
    /// Why the figures may not be the engine's.
    pub(crate) doubts: Vec<String>,
}

impl Verdict {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let mut reasons = Vec::new();
        let (mut violated, mut missed) = (0, 0);
        for (nth, run) in outcome.runs.iter().enumerate() {
            let which = if outcome.runs.len() > 1 { format!("run {}: ", nth + 1) } else { String::new() };
            for check in run.checks.iter().filter(|check| check.violations > 0) {
                violated += 1;
                let (violations, checked) = (units::count(check.violations as f64), units::count(check.checked as f64));
                reasons.push(format!("{which}check `{}` was violated {violations} times in {checked}", check.name));
            }
            for sentence in &run.missed {
                missed += 1;
                reasons.push(format!("{which}promised and missed: {sentence}"));
            }
        }
        let has_passed = outcome.has_passed() && !outcome.runs.is_empty();
        let line = match (has_passed, violated, missed) {
            _ if outcome.runs.is_empty() => "failed: nothing was run".to_owned(),
            (true, ..) => format!("passed: {}", kept(outcome)),
            (false, 0, missed) => format!("failed: missed {}", number(missed, "promise", "promises")),
            (false, violated, 0) => format!("failed: violated {}", number(violated, "check", "checks")),
            (false, violated, missed) => format!(
                "failed: violated {}, missed {}",
                number(violated, "check", "checks"),
                number(missed, "promise", "promises")
            ),
        };
        Self { has_passed, line, reasons, doubts: doubts(outcome) }
    }
}

/// What has held.
fn kept(outcome: &Outcome) -> String {
    let judged = |run: &Run| run.checks.iter().filter(|check| check.is_judged()).count();
    let checks = outcome.runs.iter().map(judged).min().unwrap_or_default();
    let promises = promises(outcome);
    let runs = if outcome.runs.len() > 1 { format!(" in each of {} runs", outcome.runs.len()) } else { String::new() };
    match (checks, promises.is_empty()) {
        (0, true) => format!("nothing was promised and nothing was checked{runs}"),
        (0, false) => format!("{} held{runs}", promises.join(", ")),
        (_, true) => format!("{} held{runs}; nothing was promised", number(checks, "check", "checks")),
        (_, false) => format!("{} and {} held{runs}", number(checks, "check", "checks"), promises.join(", ")),
    }
}

/// What the scenario promises, a phrase each.
pub(super) fn promises(outcome: &Outcome) -> Vec<String> {
    let Some(slo) = &outcome.slo else { return Vec::new() };
    [
        slo.p99_us.map(|us| format!("p99 ≤ {}", units::micros(us))),
        slo.late_share.map(|share| format!("late ≤ {}", units::share(share))),
        slo.lost_share.map(|share| format!("shed or failed ≤ {}", units::share(share))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Why the figures may be those of something else.
fn doubts(outcome: &Outcome) -> Vec<String> {
    let mut doubts = Vec::new();
    if !outcome.machine.is_optimized {
        doubts.push("built without --release: the figures say nothing about the engine".to_owned());
    }
    if let Some(kind @ ("tmpfs" | "ramfs")) = outcome.settings.get(FILE_SYSTEM).map(String::as_str) {
        doubts.push(format!(
            "the data was in memory ({kind}): what waiting for a disk takes is not in the figures; choose a folder with --data"
        ));
    }
    for (nth, run) in outcome.runs.iter().enumerate() {
        if let Some(why) = &run.driver.bottleneck {
            doubts.push(format!("run {}: the driver may have set the figures: {why}", nth + 1));
        }
        for check in &run.checks {
            if let Some(why) = check.why_not_judged() {
                doubts.push(format!("run {}: check `{}` was not judged, because {why}", nth + 1, check.name));
            }
        }
        if run.totals.unsent > 0 {
            let unsent = units::count(run.totals.unsent as f64);
            doubts
                .push(format!("run {}: {unsent} recorded events were not sent: their phase was over before", nth + 1));
        }
        let unseen = run.failed.get("no_connection").copied().unwrap_or_default();
        if unseen * 100 > run.totals.offered {
            let (unseen, share) =
                (units::count(unseen as f64), units::share(unseen as f64 / run.totals.offered as f64));
            doubts.push(format!(
                "run {}: {unseen} calls ({share}) found no free connection, so the engine was not asked: it was offered less than the \
                 scenario says",
                nth + 1
            ));
        }
        if run.totals.answered == 0 {
            doubts.push(format!("run {}: nothing was answered", nth + 1));
        }
    }
    doubts
}

pub(super) fn number(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::sample;

    #[test]
    fn the_line_says_what_held() {
        let verdict = Verdict::of(&sample::outcome(1));
        assert_eq!(verdict.line, "passed: 3 checks and p99 ≤ 5.00 ms, late ≤ 0.10 % held");
        assert!(verdict.has_passed && verdict.reasons.is_empty() && verdict.doubts.is_empty(), "{verdict:?}");
        let mut lacking = sample::outcome(1);
        lacking.runs[0].checks[0].checked = 0;
        lacking.runs[0].checks[0].asks.push_str(&crate::outcome::not_judged("nobody looked"));
        lacking.runs[0].totals.unsent = 7;
        let half = lacking.runs[0].totals.offered / 2;
        lacking.runs[0].failed.insert("no_connection".to_owned(), half);
        let verdict = Verdict::of(&lacking);
        assert_eq!(verdict.line, "passed: 2 checks and p99 ≤ 5.00 ms, late ≤ 0.10 % held");
        assert_eq!(verdict.doubts[0], "run 1: check `in_time` was not judged, because nobody looked");
        assert!(verdict.doubts[1].contains("7 recorded events were not sent"), "{verdict:?}");
        assert!(verdict.doubts[2].contains("(50.0 %) found no free connection"), "{verdict:?}");
        lacking.settings.insert(FILE_SYSTEM.to_owned(), "tmpfs".to_owned());
        assert!(Verdict::of(&lacking).doubts[0].contains("was in memory (tmpfs)"));
        let mut bare = sample::outcome(2);
        bare.slo = None;
        bare.runs.iter_mut().for_each(|run| run.checks.clear());
        assert_eq!(Verdict::of(&bare).line, "passed: nothing was promised and nothing was checked in each of 2 runs");
        bare.runs.clear();
        assert!(!Verdict::of(&bare).has_passed);
    }

    #[test]
    fn the_line_says_what_was_violated_and_missed() {
        let mut outcome = sample::outcome(2);
        outcome.runs[1].checks[0].violations = 3;
        outcome.runs[0].missed.push("p99 was 7.10 ms, not at most 5.00 ms".to_owned());
        outcome.runs[0].driver.bottleneck = Some("it was 3 ms late at p99".to_owned());
        outcome.machine.is_optimized = false;
        let verdict = Verdict::of(&outcome);
        assert!(!verdict.has_passed);
        assert_eq!(verdict.line, "failed: violated 1 check, missed 1 promise");
        assert_eq!(verdict.reasons[0], "run 1: promised and missed: p99 was 7.10 ms, not at most 5.00 ms");
        assert!(verdict.reasons[1].starts_with("run 2: check `in_time` was violated 3 times in "), "{verdict:?}");
        assert_eq!(verdict.doubts.len(), 2);
    }
}
