//! What came of the self-check last, in numbers and for whoever asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::{CheckResult, Checked, Path};
use crate::bundle::Bundle;
use crate::domain::{FallbackReason, Timestamp};
use crate::drills;
use crate::telemetry::{CounterFamily, GaugeFamily, Label, Registry};

/// What is known of each way.
#[derive(Debug)]
pub(in crate::engine) struct Board {
    standings: Mutex<BTreeMap<(String, Path), Standing>>,
    /// Held by whoever has everything gone at once.
    checking: Mutex<()>,
    /// Whether whole decisions are gone on a schedule.
    is_scheduled: AtomicBool,
    runs: CounterFamily,
    last_success: GaugeFamily,
    exercised_age: GaugeFamily,
}

#[derive(Clone, Debug)]
struct Standing {
    /// When it was last gone well.
    passed_at: Option<Timestamp>,
    /// When it was last exercised; for one that never was, when it was first known of.
    exercised_at: Timestamp,
    fault: Option<String>,
}

impl Board {
    pub(in crate::engine) fn new(registry: &Registry) -> Self {
        let reasons = || FallbackReason::ALL.map(FallbackReason::as_str);
        let path = || Label::words("path", std::iter::once(Path::Decide.as_str()).chain(reasons()));
        Self {
            standings: Mutex::default(),
            checking: Mutex::default(),
            is_scheduled: AtomicBool::new(false),
            runs: registry.counters(
                "forthwith_selfcheck_runs_total",
                "Ways that the self-check went, by playbook, path (decide, or the fallback) and what came of it.",
                &[Label::playbook(), path(), Label::words("result", CheckResult::ALL.map(CheckResult::as_str))],
            ),
            last_success: registry.gauges(
                "forthwith_selfcheck_last_success_timestamp_seconds",
                "When the self-check last went a way well, in seconds since 1970, by playbook and path. `decide` is there while it is gone on \
                 a schedule; until it is gone well it says since when it should be.",
                &[Label::playbook(), path()],
            ),
            exercised_age: registry.gauges(
                "forthwith_fallback_exercised_age_seconds",
                "Time since a fallback was last exercised, by the self-check or in earnest, or since the engine started, by playbook \
                 and reason. Only fallbacks that the playbook's declarations make possible.",
                &[Label::playbook(), Label::words("reason", reasons())],
            ),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, Path), Standing>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears whether whole decisions are gone on a schedule: only then it is news that none was gone lately.
    pub(super) fn schedule(&self, is_scheduled: bool) {
        self.is_scheduled.store(is_scheduled, Ordering::Relaxed);
    }

    /// Begins to go everything at once; `None` while somebody else does.
    pub(super) fn begin(&self) -> Option<MutexGuard<'_, ()>> {
        match self.checking.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Knows the ways of a bundle's playbooks, and no others any more: labels come from the bundle in force.
    pub(in crate::engine) fn follow(&self, bundle: &Bundle, now: Timestamp) {
        let mut standings = self.lock();
        let mut known = std::mem::take(&mut *standings);
        for playbook in bundle.playbooks() {
            let mut reasons = drills::reasons(playbook);
            if !playbook.caps.is_empty() {
                reasons.push(FallbackReason::InDoubt);
            }
            for path in reasons.into_iter().map(Path::Fallback).chain([Path::Decide]) {
                let key = (playbook.name.to_string(), path);
                let standing = known.remove(&key);
                let fresh = || Standing { passed_at: None, exercised_at: now, fault: None };
                standings.insert(key, standing.unwrap_or_else(fresh));
                for result in CheckResult::ALL {
                    let _ = self.runs.with(&[&playbook.name, path.as_str(), result.as_str()]);
                }
            }
        }
    }

    /// Notes what came of one way.
    pub(super) fn note(&self, checked: &Checked, now: Timestamp) {
        let Checked { playbook, path, result, fault } = checked;
        let mut standings = self.lock();
        // A bundle that has gone meanwhile has no standing.
        let Some(standing) = standings.get_mut(&(playbook.clone(), *path)) else { return };
        standing.fault.clone_from(fault);
        if *result == CheckResult::Passed {
            standing.passed_at = Some(now);
            standing.exercised_at = now;
        }
        drop(standings);
        self.runs.with(&[playbook, path.as_str(), result.as_str()]).inc();
    }

    /// What failed when it was last gone.
    pub(super) fn failures(&self) -> Vec<String> {
        let standings = self.lock();
        let failed = standings.iter().filter_map(|((playbook, path), standing)| {
            let fault = standing.fault.as_ref()?;
            Some(format!("self-check of `{playbook}`, {path}: {fault}"))
        });
        failed.collect()
    }

    /// Notes how everything stands; `in_earnest` says when a playbook's fallback was last taken for somebody real.
    pub(in crate::engine) fn stand(
        &self,
        now: Timestamp,
        in_earnest: impl Fn(&str, FallbackReason) -> Option<Timestamp>,
    ) {
        let standings = self.lock();
        let seconds = |micros: i64| micros as f64 / 1e6;
        let is_scheduled = self.is_scheduled.load(Ordering::Relaxed);
        let passed = standings.iter().filter_map(|((playbook, path), standing)| {
            let at = match path {
                // What never passed since the start must not be silent.
                Path::Decide => is_scheduled.then_some(standing.exercised_at)?,
                Path::Fallback(_) => standing.passed_at?,
            };
            Some(([playbook.as_str(), path.as_str()], seconds(at.micros())))
        });
        self.last_success.set_all(passed);
        let ages = standings.iter().filter_map(|((playbook, path), standing)| {
            let Path::Fallback(reason) = *path else { return None };
            let last = in_earnest(playbook, reason).map_or(standing.exercised_at, |at| at.max(standing.exercised_at));
            Some(([playbook.as_str(), reason.as_str()], seconds(now.since(last).micros()).max(0.0)))
        });
        self.exercised_age.set_all(ages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::tests::bundle;

    #[test]
    fn a_decision_that_was_gone_once_by_hand_is_not_missed() {
        let registry = Registry::default();
        let board = Board::new(&registry);
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let series = "forthwith_selfcheck_last_success_timestamp_seconds{path=\"decide\",playbook=\"routing\"} ";
        let told = || {
            board.stand(at(5_000), |_, _| None);
            registry.render().lines().find_map(|line| line.strip_prefix(series).map(str::to_owned))
        };
        board.follow(&bundle(), at(1_000));
        let gone = |result| Checked { playbook: "routing".to_owned(), path: Path::Decide, result, fault: None };
        board.note(&gone(CheckResult::Passed), at(1_100));
        assert_eq!(told(), None, "once by hand is no promise of more");
        board.schedule(true);
        assert_eq!(told().as_deref(), Some("1100"));
    }

    #[test]
    fn a_decision_that_only_fails_has_a_time_to_be_warned_by() {
        let registry = Registry::default();
        let board = Board::new(&registry);
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        board.follow(&bundle(), at(1_000));
        board.schedule(true);
        let fault = Some("the journal has stopped".to_owned());
        let failed = Checked { playbook: "routing".to_owned(), path: Path::Decide, result: CheckResult::Failed, fault };
        board.note(&failed, at(4_000));
        board.stand(at(5_000), |_, _| None);
        let line = "forthwith_selfcheck_last_success_timestamp_seconds{path=\"decide\",playbook=\"routing\"} 1000";
        assert!(registry.render().lines().any(|of| of == line));
    }
}
