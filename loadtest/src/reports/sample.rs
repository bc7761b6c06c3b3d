//! Outcomes that look like those of real runs, for tests: the same seed gives the same outcome.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::SeedableRng;
use rand_distr::{Distribution, LogNormal, Normal};
use rand_pcg::Pcg64Mcg;
use serde_json::json;

use crate::outcome::{Check, Curve, FORM, Happened, Machine, Outcome, Phase, Run, Second, Slo, Usage};

/// How runs are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// Length, the first five of which are not counted.
    pub(super) seconds: u32,
    /// Calls a second.
    pub(super) rate: u64,
    /// How much longer everything takes.
    pub(super) slower: f64,
    /// How far the runs of one engine lie apart, as a share.
    pub(super) run_noise: f64,
    /// How far the seconds of one run lie apart, as a share, and how much of it a second keeps of the one before.
    pub(super) second_noise: f64,
    pub(super) memory: f64,
}

impl Plan {
    pub(super) const USUAL: Self =
        Self { seed: 1, seconds: 35, rate: 2_000, slower: 1.0, run_noise: 0.05, second_noise: 0.08, memory: 0.6 };

    pub(super) fn runs(self, number: u64) -> Outcome {
        let mut outcome = frame();
        outcome.runs = (0..number).map(|nth| self.run(nth)).collect();
        outcome
    }

    fn run(self, nth: u64) -> Run {
        let mut random = Pcg64Mcg::seed_from_u64(self.seed.wrapping_mul(1_000_003).wrapping_add(nth));
        let normal = Normal::new(0.0, 1.0).unwrap();
        let of_run = (self.run_noise * normal.sample(&mut random)).exp();
        let mut of_second = 0.0_f64;
        let mut run = Run { phases: phases(self), happened: happened(self), ..Run::default() };
        let mut open = 220_000_000.0_f64;
        for s in 0..self.seconds {
            let fresh: f64 = normal.sample(&mut random);
            of_second = self.memory * of_second + (1.0 - self.memory * self.memory).sqrt() * self.second_noise * fresh;
            let scale = self.slower * of_run * of_second.exp();
            let is_counted = s >= 5;
            let mut own = Curve::new();
            let latencies = LogNormal::new((180.0 * scale).ln(), 0.55).unwrap();
            let stall = if s == 20 { 60.0 } else { 1.0 };
            let mut late = 0;
            for call in 0..self.rate {
                let us = latencies.sample(&mut random) * if call % 997 == 0 { 6.0 * stall } else { 1.0 };
                let latency = Duration::from_nanos((us * 1_000.0) as u64);
                own.record(latency);
                if is_counted {
                    run.latency.record(latency);
                    run.service.record(latency.mul_f64(if call % 997 == 0 { 0.3 } else { 0.9 }));
                    run.driver.lag.record(Duration::from_nanos(2_000 + call % 977 * 40));
                    late += u64::from(us > 50_000.0);
                }
            }
            let shed = if s == 20 { self.rate / 50 } else { 0 };
            let failed = u64::from(s == 21);
            let answered = self.rate - shed - failed;
            let tiers = BTreeMap::from([
                ("rules".to_owned(), answered * 7 / 10),
                ("small_model".to_owned(), answered / 4),
                ("large_model".to_owned(), answered - answered * 7 / 10 - answered / 4),
            ]);
            let fallbacks = BTreeMap::from([
                ("timeout".to_owned(), answered / 100 + u64::from(s == 20) * 40),
                ("low_confidence".to_owned(), answered / 40),
            ]);
            let processors = 0.9 * scale.sqrt();
            open += 40_000.0;
            run.usage.push(Usage {
                at_s: f64::from(s) + 1.0,
                processors,
                resident_bytes: open as u64,
                open_files: 42 + u64::from(s / 10),
                threads: 9,
            });
            if is_counted {
                let totals = &mut run.totals;
                totals.seconds += 1.0;
                totals.offered += self.rate;
                totals.answered += answered;
                totals.late += late;
                totals.shed += shed;
                totals.failed += failed;
                add(&mut run.tiers, &tiers);
                add(&mut run.fallbacks, &fallbacks);
                if shed > 0 {
                    *run.shed.entry("queue_full".to_owned()).or_default() += shed;
                }
                if failed > 0 {
                    *run.failed.entry("connection reset".to_owned()).or_default() += failed;
                }
            }
            run.seconds.push(Second {
                at_s: f64::from(s),
                offered: self.rate,
                answered,
                late,
                shed,
                failed,
                in_flight: 3 + u64::from(s % 4),
                p50_us: own.quantile_us(0.5),
                p99_us: own.quantile_us(0.99),
                p999_us: own.quantile_us(0.999),
                max_us: own.quantile_us(1.0),
                tiers,
                fallbacks,
            });
        }
        run.totals.goodput = (run.totals.answered - run.totals.late) as f64 / run.totals.seconds;
        run.driver.threads = 1;
        run.driver.processors = 0.4;
        run.checks = checks(run.totals.answered);
        run
    }
}

/// As many usual runs.
pub(super) fn outcome(runs: u64) -> Outcome {
    Plan::USUAL.runs(runs)
}

/// A usual run.
pub(super) fn run(seed: u64) -> Run {
    Plan { seed, ..Plan::USUAL }.run(0)
}

fn add(to: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (name, number) in from {
        *to.entry(name.clone()).or_default() += number;
    }
}

fn phases(plan: Plan) -> Vec<Phase> {
    let phase = |name: &str, from_s: f64, to_s: f64, is_counted| Phase {
        name: name.to_owned(),
        from_s,
        to_s,
        offered_per_second: Some(plan.rate as f64),
        is_counted,
    };
    vec![phase("warm-up", 0.0, 5.0, false), phase("steady", 5.0, f64::from(plan.seconds), true)]
}

fn happened(plan: Plan) -> Vec<Happened> {
    if plan.seconds < 21 {
        return Vec::new();
    }
    vec![Happened {
        at_s: 20.2,
        what: "reload".to_owned(),
        took_s: 0.31,
        said: "bundle sha256:4f is in force".to_owned(),
    }]
}

fn checks(answered: u64) -> Vec<Check> {
    let check = |name: &str, asks: &str| Check {
        name: name.to_owned(),
        asks: asks.to_owned(),
        checked: answered,
        violations: 0,
        first: None,
    };
    vec![
        check("in_time", "Every answer comes inside its deadline."),
        check("unique", "No two decisions have the same id."),
        check("repeats", "A repetition gets the answer of the first call."),
    ]
}

/// The first check, violated.
pub(super) fn violate(outcome: &mut Outcome) {
    let check = &mut outcome.runs[0].checks[0];
    check.violations = 2;
    check.first = Some(json!({"event": "t-17", "deadline_ms": 50, "took_ms": 61.5, "note": "<b>&\"quoted\"</b>"}));
}

pub(super) fn frame() -> Outcome {
    Outcome {
        form: FORM,
        scenario: "ticket_routing".to_owned(),
        description: "Tickets of a help desk, in an open loop with Poisson arrivals.".to_owned(),
        began: "2026-11-23T10:00:00Z".to_owned(),
        command: ["forthwith-load", "run", "ticket_routing", "--rate", "2000", "--note", "it's <mine>"]
            .map(str::to_owned)
            .into(),
        machine: Machine {
            is_drivers: false,
            processors: 2,
            model: "A processor of 2.4 GHz".to_owned(),
            memory_bytes: 8 << 30,
            system: "Linux 6.1".to_owned(),
            version: "0.1.0".to_owned(),
            is_optimized: true,
        },
        settings: [("arrivals", "poisson"), ("rate", "2000/s"), ("customers", "100000"), ("transport", "http-json")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        slo: Some(Slo { p99_us: Some(5_000.0), late_share: Some(0.001), lost_share: None }),
        runs: Vec::new(),
    }
}
