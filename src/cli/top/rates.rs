//! What a frame shows, worked out from two scrapes. It is what `--json` prints.

use serde::Serialize;

use super::between::{Between, Gain};
use super::page::Page;
use super::scrape::{Budget, Scrape};

/// An engine at one time, and what it did since the scrape before.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Frame {
    pub(super) engine: EngineFrame,
    /// The time that rates and percentiles are of.
    pub(super) seconds: f64,
    pub(super) rates: Rates,
    pub(super) shed: Vec<Part>,
    pub(super) refused: Vec<Part>,
    pub(super) stages: Vec<Spread>,
    pub(super) tiers: Vec<Part>,
    pub(super) fallbacks: Vec<Part>,
    pub(super) playbooks: Vec<PlaybookFrame>,
    pub(super) providers: Vec<ProviderFrame>,
    pub(super) budgets: Vec<Budget>,
    /// `null` where the server cannot say.
    pub(super) busiest: Option<Vec<BusyFrame>>,
    pub(super) journal: JournalFrame,
    pub(super) memory: MemoryFrame,
    pub(super) self_check: SelfCheckFrame,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct EngineFrame {
    pub(super) url: String,
    pub(super) version: Option<String>,
    pub(super) bundle: Option<String>,
    pub(super) uptime_seconds: Option<f64>,
    pub(super) ready: bool,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) warnings: Vec<String>,
}

/// A second's worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Rates {
    pub(super) decisions: f64,
    /// Events, facts and consents that asked for no decision.
    pub(super) events: f64,
    pub(super) turns: f64,
    pub(super) shed: f64,
    pub(super) refused: f64,
}

/// One of several, with its rate and its share of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) per_second: f64,
    pub(super) share: f64,
}

/// How long something took, in seconds; `null` where nothing was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) name: String,
    pub(super) per_second: f64,
    pub(super) mean: Option<f64>,
    pub(super) p50: Option<f64>,
    pub(super) p90: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) p999: Option<f64>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct PlaybookFrame {
    pub(super) name: String,
    pub(super) budget_seconds: Option<f64>,
    pub(super) latency: Spread,
    pub(super) tiers: Vec<Part>,
    pub(super) fallbacks: Vec<Part>,
    pub(super) duplicates_per_second: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ProviderFrame {
    pub(super) name: String,
    pub(super) off: bool,
    pub(super) breaker: String,
    pub(super) in_flight: u32,
    pub(super) in_flight_max: u32,
    pub(super) requests_per_second: f64,
    pub(super) cost_per_second: f64,
    pub(super) models: Vec<ModelFrame>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ModelFrame {
    pub(super) name: String,
    pub(super) off: bool,
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct BusyFrame {
    pub(super) customer: String,
    pub(super) turns_per_second: f64,
    pub(super) share: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct JournalFrame {
    pub(super) commit: Spread,
    pub(super) records_per_second: f64,
    pub(super) bytes_per_second: f64,
    /// Bytes that wait to be written and synced.
    pub(super) queue_bytes: f64,
    pub(super) queue_bytes_max: Option<f64>,
    /// Records behind the last checkpoint: what a start would read.
    pub(super) behind_checkpoint: Option<f64>,
    pub(super) unsealed_segments: f64,
    pub(super) disk_full: bool,
    pub(super) stopped: bool,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct MemoryFrame {
    pub(super) customers: f64,
    pub(super) customers_max: Option<f64>,
    pub(super) bytes: f64,
    pub(super) bytes_max: Option<f64>,
    pub(super) warm_bytes: f64,
    pub(super) activations_per_second: f64,
    /// Of those, where the state came from the store.
    pub(super) cold_per_second: f64,
    pub(super) passivations_per_second: f64,
    pub(super) turns_waiting: Option<f64>,
    pub(super) process_bytes: Option<f64>,
    pub(super) processors: Option<f64>,
}

/// What the self-check says; all zero where there is none.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct SelfCheckFrame {
    pub(super) ways: usize,
    pub(super) passed_per_second: f64,
    pub(super) failed: f64,
    pub(super) failures: Vec<String>,
    /// How long ago the way that waits longest was last gone well.
    pub(super) oldest_success_seconds: Option<f64>,
}

impl Frame {
    /// What happened from one scrape to the next.
    pub(super) fn of(url: &str, before: &Scrape, now: &Scrape) -> Self {
        let seconds = now.at.since(before.at).as_secs_f64();
        let between = Between { before: &before.page, now: &now.page, seconds };
        let rate = |name: &str| between.rate(name, &[]);
        let decided = not_duplicate(&between, &[]);
        Self {
            engine: EngineFrame::of(url, now),
            seconds,
            rates: Rates {
                decisions: rate("forthwith_decisions_total"),
                events: rate("forthwith_events_observed_total")
                    + rate("forthwith_facts_total")
                    + rate("forthwith_consents_total"),
                turns: rate("forthwith_turns_total"),
                shed: rate("forthwith_shed_total"),
                refused: rate("forthwith_refused_total"),
            },
            shed: parts(&between, ("forthwith_shed_total", "reason"), &[], None),
            refused: parts(&between, ("forthwith_refused_total", "reason"), &[], None),
            stages: stages(&between),
            tiers: tiers(&between, &[]),
            fallbacks: parts(&between, ("forthwith_fallbacks_total", "reason"), &[], Some(decided)),
            playbooks: playbooks(&between, now),
            providers: providers(&between, now),
            budgets: now.providers.as_ref().map(|of| of.budgets.clone()).unwrap_or_default(),
            busiest: busiest(now),
            journal: JournalFrame::of(&between),
            memory: MemoryFrame::of(&between),
            self_check: SelfCheckFrame::of(&between, now),
        }
    }
}

impl EngineFrame {
    fn of(url: &str, now: &Scrape) -> Self {
        let told = |name: &str, label: &str| {
            let sample = now.page.all(name).iter().find(|sample| sample.value != 0.0)?;
            Some(sample.label(label).to_owned()).filter(|text| !text.is_empty())
        };
        let began = now.page.total("forthwith_start_time_seconds").or(now.page.total("process_start_time_seconds"));
        let health = now.health.clone().unwrap_or_default();
        Self {
            url: url.to_owned(),
            version: told("forthwith_build_info", "version"),
            bundle: now.bundle.as_ref().map(|bundle| bundle.bundle.clone()),
            uptime_seconds: began.map(|began| (now.wall.micros() as f64 / 1e6 - began).max(0.0)),
            ready: health.is_ready,
            status: health.status,
            reason: health.reason,
            warnings: health.warnings,
        }
    }
}

impl Spread {
    fn of(name: &str, gain: &Gain, seconds: f64) -> Self {
        Self {
            name: name.to_owned(),
            per_second: if seconds > 0.0 { gain.count() / seconds } else { 0.0 },
            mean: gain.mean(),
            p50: gain.quantile(0.5),
            p90: gain.quantile(0.9),
            p99: gain.quantile(0.99),
            p999: gain.quantile(0.999),
        }
    }
}

/// The growth of a counter by a label; shares are of `all`, or of their sum.
fn parts(between: &Between<'_>, (name, label): (&str, &str), labels: &[(&str, &str)], all: Option<f64>) -> Vec<Part> {
    let by = between.growth_by(name, label, labels);
    let all = all.unwrap_or_else(|| by.iter().map(|(_, growth)| growth).sum());
    let part = |(name, growth): (&str, f64)| Part {
        name: name.to_owned(),
        per_second: per(growth, between.seconds),
        // Counters of one scrape are not read at one instant: a share may come out a little over one.
        share: per(growth, all).min(1.0),
    };
    by.into_iter().map(part).collect()
}

fn per(growth: f64, of: f64) -> f64 {
    if of > 0.0 { growth / of } else { 0.0 }
}

/// Decisions that were made, not given again.
fn not_duplicate(between: &Between<'_>, labels: &[(&str, &str)]) -> f64 {
    let with = |outcome: &str| between.growth("forthwith_decisions_total", &[labels, &[("outcome", outcome)]].concat());
    with("decided") + with("fallback")
}

/// Who proposed what was decided; what fell back is a part of its own.
fn tiers(between: &Between<'_>, labels: &[(&str, &str)]) -> Vec<Part> {
    let name = "forthwith_decisions_total";
    let all = not_duplicate(between, labels);
    let mut tiers = parts(between, (name, "tier"), &[labels, &[("outcome", "decided")]].concat(), Some(all));
    let fallen = between.growth(name, &[labels, &[("outcome", "fallback")]].concat());
    if fallen > 0.0 {
        let (per_second, share) = (per(fallen, between.seconds), per(fallen, all).min(1.0));
        tiers.push(Part { name: "fallback".to_owned(), per_second, share });
    }
    tiers
}

fn stages(between: &Between<'_>) -> Vec<Spread> {
    const STAGES: &str = "forthwith_decision_stage_seconds";
    let decision = Spread::of("decision", &between.gain("forthwith_decision_seconds", &[]), between.seconds);
    let count = format!("{STAGES}_count");
    let stage = |stage: &str| Spread::of(stage, &between.gain(STAGES, &[("stage", stage)]), between.seconds);
    // In the order in which a decision goes through them; those of other versions behind.
    let order = ["admission", "queue", "turn", "models", "disk"];
    let mut names = between.now.values(&count, "stage");
    names.sort_by_key(|name| order.iter().position(|known| known == name).unwrap_or(order.len()));
    names.into_iter().map(stage).chain([decision]).collect()
}

fn playbooks(between: &Between<'_>, now: &Scrape) -> Vec<PlaybookFrame> {
    let in_force = now.bundle.iter().flat_map(|bundle| &bundle.playbooks);
    let budgets: Vec<(&str, u64)> = in_force.map(|of| (of.playbook.as_str(), of.budget_ms)).collect();
    let mut names: Vec<&str> = budgets.iter().map(|(name, _)| *name).collect();
    for name in now.page.values("forthwith_decisions_total", "playbook") {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let frame = |name: &str| {
        let of = [("playbook", name)];
        let budget = budgets.iter().find(|(known, _)| *known == name);
        let all = not_duplicate(between, &of);
        PlaybookFrame {
            name: name.to_owned(),
            budget_seconds: budget.map(|(_, ms)| *ms as f64 / 1e3),
            latency: Spread::of(name, &between.gain("forthwith_decision_seconds", &of), between.seconds),
            tiers: tiers(between, &of),
            fallbacks: parts(between, ("forthwith_fallbacks_total", "reason"), &of, Some(all)),
            duplicates_per_second: between
                .rate("forthwith_decisions_total", &[("playbook", name), ("outcome", "duplicate")]),
        }
    };
    names.into_iter().map(frame).collect()
}

fn providers(between: &Between<'_>, now: &Scrape) -> Vec<ProviderFrame> {
    let providers = now.providers.iter().flat_map(|of| &of.providers);
    let seconds = |us: Option<u64>| us.map(|us| us as f64 / 1e6);
    let frame = |of: &super::scrape::Provider| ProviderFrame {
        name: of.name.clone(),
        off: of.off,
        breaker: of.breaker.clone(),
        in_flight: of.in_flight,
        in_flight_max: of.in_flight_max,
        requests_per_second: between.rate("forthwith_gateway_requests_total", &[("provider", &of.name)]),
        cost_per_second: between.rate("forthwith_gateway_cost_total", &[("provider", &of.name)]),
        models: of
            .models
            .iter()
            .map(|model| ModelFrame {
                name: model.name.clone(),
                off: model.off,
                p50: seconds(model.p50_us),
                p95: seconds(model.p95_us),
            })
            .collect(),
    };
    providers.map(frame).collect()
}

fn busiest(now: &Scrape) -> Option<Vec<BusyFrame>> {
    let busiest = now.busiest.as_ref()?;
    let frame = |busy: &super::scrape::Busy| BusyFrame {
        customer: busy.customer.clone(),
        turns_per_second: per(busy.turns as f64, busiest.seconds),
        share: per(busy.turns as f64, busiest.turns as f64).min(1.0),
    };
    Some(busiest.customers.iter().map(frame).collect())
}

impl JournalFrame {
    fn of(between: &Between<'_>) -> Self {
        let number = |name: &str| between.now.total(name);
        let last = number("forthwith_journal_seq");
        let behind = last.zip(number("forthwith_checkpoint_seq")).map(|(last, stored)| (last - stored).max(0.0));
        Self {
            commit: Spread::of("commit", &between.gain("forthwith_journal_commit_seconds", &[]), between.seconds),
            records_per_second: between.rate("forthwith_journal_records_total", &[]),
            bytes_per_second: between.rate("forthwith_journal_bytes_total", &[]),
            queue_bytes: number("forthwith_journal_queue_bytes").unwrap_or_default(),
            queue_bytes_max: number("forthwith_journal_queue_max_bytes"),
            behind_checkpoint: behind,
            unsealed_segments: number("forthwith_journal_unsealed_segments").unwrap_or_default(),
            disk_full: number("forthwith_journal_disk_full").is_some_and(|full| full > 0.0),
            stopped: number("forthwith_journal_stopped").is_some_and(|stopped| stopped > 0.0),
        }
    }
}

impl MemoryFrame {
    fn of(between: &Between<'_>) -> Self {
        let number = |name: &str| between.now.total(name);
        let has = |page: &Page| page.total("process_cpu_seconds_total").is_some();
        let measured = has(between.before) && has(between.now);
        Self {
            customers: number("forthwith_hot_customers").unwrap_or_default(),
            customers_max: number("forthwith_hot_max_customers"),
            bytes: number("forthwith_hot_bytes").unwrap_or_default(),
            bytes_max: number("forthwith_hot_max_bytes"),
            warm_bytes: number("forthwith_warm_bytes").unwrap_or_default(),
            activations_per_second: between.rate("forthwith_activations_total", &[]),
            cold_per_second: between.rate("forthwith_activations_total", &[("from", "cold")]),
            passivations_per_second: between.rate("forthwith_passivations_total", &[]),
            turns_waiting: number("forthwith_turns_waiting"),
            process_bytes: number("process_resident_memory_bytes"),
            processors: measured.then(|| between.rate("process_cpu_seconds_total", &[])),
        }
    }
}

impl SelfCheckFrame {
    fn of(between: &Between<'_>, now: &Scrape) -> Self {
        const RUNS: &str = "forthwith_selfcheck_runs_total";
        let successes = now.page.all("forthwith_selfcheck_last_success_timestamp_seconds");
        let oldest = successes.iter().map(|sample| sample.value).min_by(f64::total_cmp);
        let failures = now.health.iter().flat_map(|health| &health.warnings).cloned();
        Self {
            ways: successes.len(),
            passed_per_second: between.rate(RUNS, &[("result", "passed")]),
            failed: between.growth(RUNS, &[("result", "failed")]),
            failures: failures.collect(),
            oldest_success_seconds: oldest.map(|at| (now.wall.micros() as f64 / 1e6 - at).max(0.0)),
        }
    }
}
