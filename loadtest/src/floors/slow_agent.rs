//! Twenty thousand decisions a second of which a tenth ask a large model that is slow: are all answered in time, and do the others
//! notice?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use faulty_provider::{Behaviour, Conduct, Latency, Manner};
use forthwith::Tier;
use forthwith::domain::Money;
use forthwith::time::{Clock, Timer};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::args::floors::SlowAgentRun;
use crate::floors::asking::{Asked, Asking, Came, PLAIN};
use crate::floors::closed_loop::LATENCY_MAX;
use crate::floors::open_loop::{Ended, Schedule, drive};
use crate::report::{markdown, micros, object, say, thousands};

/// Of so many slots of the schedule one is a question, one an alarm of the bare timer, and the others ask nobody.
const SLOTS: u64 = 11;
const QUESTION: u64 = 0;
/// Half-way between two questions, so that an alarm and an answer that are due do not wake the driver at the same instant.
const ALARM: u64 = 5;

/// How long a provider that flaps stays as it is.
const FLAP: Duration = Duration::from_secs(5);

/// What a slot of the schedule came to.
enum Slot {
    Plain(Came),
    Question(Came),
    Alarm,
}

/// What was seen of a case in a round.
struct Seen {
    budget: Duration,
    /// The first slot that counts.
    first: u64,
    /// Of those that ask nobody, from the time at which they should have been made.
    plain: Histogram<u64>,
    /// Of those that ask, likewise.
    asked: Histogram<u64>,
    /// How long after their deadlines answers came; nothing for those in time.
    late: Histogram<u64>,
    /// How long after the same time alarms of a bare timer came.
    timer_late: Histogram<u64>,
    in_time: u64,
    by_model: u64,
    fell_back: BTreeMap<&'static str, u64>,
    shed: u64,
    cost_nanos: i64,
}

/// A case over all rounds, as it is printed.
#[derive(Debug, Serialize)]
struct Line {
    case: &'static str,
    questions: u64,
    /// Of the questions, from 0 to 1.
    answered_by_deadline: f64,
    late_us_p9999: f64,
    bare_timer_late_us_p9999: f64,
    /// What the engine is late beyond the timer.
    beyond_timer_us_p9999: f64,
    asked_us_p50: f64,
    asked_us_p99: f64,
    others_us_p50: f64,
    others_us_p99: f64,
    others_us_p999: f64,
    /// The p99 of the others over that without the large model: the middle of the rounds.
    others_p99_ratio: f64,
    /// Of the questions, from 0 to 1.
    by_large_model: f64,
    fell_back: BTreeMap<&'static str, f64>,
    shed: u64,
    requests: u64,
    cancelled: u64,
    hedges: u64,
    /// For a thousand questions, in units of the currency.
    cost_per_thousand: f64,
}

/// A case over its rounds.
struct Case {
    name: &'static str,
    rounds: Vec<Seen>,
    requests: u64,
    cancelled: u64,
    hedges: u64,
}

fn behaviours() -> [(&'static str, Behaviour); 4] {
    let healthy = Conduct::after(Duration::from_millis(100));
    let (fast, slow) = (Duration::from_millis(50), Duration::from_secs(2));
    let bimodal = Latency::Bimodal { fast, slow, slow_milli: 100, seed: 7 };
    let hangs = Conduct::of(Manner::Hangs);
    let between = Box::new([healthy.clone(), hangs.clone()]);
    [
        ("healthy", healthy.into()),
        ("bimodal", Conduct::default().latency(bimodal).into()),
        ("hanging", hangs.into()),
        ("flapping", Behaviour::Flapping { every: FLAP, between }),
    ]
}

/// Measures and prints a line for each case.
pub(crate) fn run(run: &SlowAgentRun) -> anyhow::Result<()> {
    let load = &run.load;
    let asked = behaviours().map(|(name, behaviour)| Asked { name, behaviour });
    let asking = Asking::start(load, run.budget(), asked.into())?;
    for provider in &asking.providers {
        provider.keep(0);
    }
    let mut without = Case::new("without a large model");
    let mut cases: Vec<Case> = behaviours().map(|(name, _)| Case::new(name)).into();
    for round in 0..load.rounds {
        say(load.quiet, &format!("round {} of {}: without a large model", round + 1, load.rounds));
        without.rounds.push(measure(&asking, run, PLAIN, &format!("{round}-without"))?);
        for (number, (name, behaviour)) in behaviours().into_iter().enumerate() {
            say(load.quiet, &format!("round {} of {}: {name}", round + 1, load.rounds));
            let (provider, case) = (&asking.providers[number], &mut cases[number]);
            // Spells are counted from here.
            provider.set(behaviour);
            let hedges = || asking.metric("forthwith_gateway_hedges_total", name) as u64;
            let (counts, hedged) = (provider.counts(), hedges());
            case.rounds.push(measure(&asking, run, name, &format!("{round}-{name}"))?);
            case.requests += provider.counts().requests - counts.requests;
            case.cancelled += provider.counts().closed_early - counts.closed_early;
            case.hedges += hedges() - hedged;
        }
    }
    let lines = std::iter::once(&without).chain(&cases).map(|case| case.line(&without));
    let lines = lines.collect::<anyhow::Result<Vec<_>>>()?;
    print(run, &lines)?;
    asking.stop(load.quiet)
}

/// A run of one case, after a tenth of it that is not counted.
fn measure(asking: &Asking, run: &SlowAgentRun, playbook: &str, name: &str) -> anyhow::Result<Seen> {
    let clock = Clock::system();
    let timer = Timer::start(clock.clone())?;
    let (plain, asks, name): (Arc<str>, Arc<str>, Arc<str>) = (PLAIN.into(), playbook.into(), name.into());
    let budget = run.budget();
    let per_second = run.rate * SLOTS / (SLOTS - 1);
    let counted = per_second * run.load.seconds;
    let first = counted / 10;
    let schedule = Schedule { per_second, calls: first + counted };
    let mut seen = Seen::new(budget, first)?;
    let call = |nth: u64| {
        let (plain, asks, name, clock, timer) = (&plain, &asks, &name, &clock, &timer);
        async move {
            Ok(match nth % SLOTS {
                QUESTION => Slot::Question(asking.decide(asks, name, nth).await?),
                ALARM => {
                    timer.at(clock.instant().after(budget)).await;
                    Slot::Alarm
                }
                _ => Slot::Plain(asking.decide(plain, name, nth).await?),
            })
        }
    };
    drive(schedule, call, |ended| seen.hear(&ended))?;
    Ok(seen)
}

// === impl Seen ===

impl Seen {
    fn new(budget: Duration, first: u64) -> anyhow::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, LATENCY_MAX.as_nanos() as u64, 3);
        Ok(Self {
            budget,
            first,
            plain: histogram()?,
            asked: histogram()?,
            late: histogram()?,
            timer_late: histogram()?,
            in_time: 0,
            by_model: 0,
            fell_back: BTreeMap::new(),
            shed: 0,
            cost_nanos: 0,
        })
    }

    fn hear(&mut self, ended: &Ended<Slot>) {
        if ended.nth < self.first {
            return;
        }
        let latency = nanos(ended.ended, ended.intended);
        let late = nanos(ended.ended, ended.started + self.budget);
        match &ended.answer {
            Slot::Plain(came) => {
                self.plain.saturating_record(latency);
                self.shed += u64::from(matches!(came, Came::Shed));
            }
            Slot::Alarm => self.timer_late.saturating_record(late),
            Slot::Question(came) => {
                self.asked.saturating_record(latency);
                self.late.saturating_record(late);
                self.in_time += u64::from(late == 0);
                self.hear_answer(came);
            }
        }
    }

    fn hear_answer(&mut self, came: &Came) {
        let Came::Decided { tier, fallback, cost } = came else {
            self.shed += 1;
            return;
        };
        self.cost_nanos += cost.map_or(0, Money::nanos);
        if *tier == Tier::LargeModel {
            self.by_model += 1;
        } else {
            *self.fell_back.entry(fallback.map_or("none", |reason| reason.as_str())).or_default() += 1;
        }
    }

    fn others_p99(&self) -> f64 {
        self.plain.value_at_quantile(0.99) as f64
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.plain.add(&other.plain)?;
        self.asked.add(&other.asked)?;
        self.late.add(&other.late)?;
        self.timer_late.add(&other.timer_late)?;
        self.in_time += other.in_time;
        self.by_model += other.by_model;
        for (reason, count) in &other.fell_back {
            *self.fell_back.entry(reason).or_default() += count;
        }
        self.shed += other.shed;
        self.cost_nanos += other.cost_nanos;
        Ok(())
    }
}

/// Nanoseconds from the one to the other; none if it lies ahead.
fn nanos(to: Instant, from: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}

// === impl Case ===

impl Case {
    fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new(), requests: 0, cancelled: 0, hedges: 0 }
    }

    fn line(&self, without: &Self) -> anyhow::Result<Line> {
        let mut all = Seen::new(Duration::ZERO, 0)?;
        for round in &self.rounds {
            all.add(round)?;
        }
        let questions = all.asked.len();
        let share = |count: u64| count as f64 / questions.max(1) as f64;
        let us = |of: &Histogram<u64>, quantile| of.value_at_quantile(quantile) as f64 / 1_000.0;
        let (late, timer) = (us(&all.late, 0.9999), us(&all.timer_late, 0.9999));
        let rounds = self.rounds.iter().zip(&without.rounds);
        let mut ratios: Vec<f64> =
            rounds.map(|(with, without)| with.others_p99() / without.others_p99().max(1.0)).collect();
        ratios.sort_by(f64::total_cmp);
        Ok(Line {
            case: self.name,
            questions,
            answered_by_deadline: share(all.in_time),
            late_us_p9999: late,
            bare_timer_late_us_p9999: timer,
            beyond_timer_us_p9999: (late - timer).max(0.0),
            asked_us_p50: us(&all.asked, 0.5),
            asked_us_p99: us(&all.asked, 0.99),
            others_us_p50: us(&all.plain, 0.5),
            others_us_p99: us(&all.plain, 0.99),
            others_us_p999: us(&all.plain, 0.999),
            others_p99_ratio: ratios.get(ratios.len() / 2).copied().unwrap_or_default(),
            by_large_model: share(all.by_model),
            fell_back: all.fell_back.iter().map(|(reason, count)| (*reason, share(*count))).collect(),
            shed: all.shed,
            requests: self.requests,
            cancelled: self.cancelled,
            hedges: self.hedges,
            cost_per_thousand: all.cost_nanos as f64 / 1e9 * 1_000.0 / questions.max(1) as f64,
        })
    }
}

fn print(run: &SlowAgentRun, lines: &[Line]) -> anyhow::Result<()> {
    let load = &run.load;
    if load.json {
        return object(&serde_json::json!({
            "scenario": "slow_agent",
            "offered_per_second": run.rate,
            "asking_share": 1.0 / (SLOTS - 1) as f64,
            "budget_ms": run.budget_ms,
            "seconds": load.seconds,
            "rounds": load.rounds,
            "customers": load.customers,
            "cases": lines,
        }));
    }
    let title = format!(
        "Slow agents: {} decisions/s offered, one of {} asks a large model, {} ms of budget, {} customers, {} s by {} rounds",
        thousands(run.rate),
        SLOTS - 1,
        run.budget_ms,
        thousands(load.customers),
        load.seconds,
        load.rounds,
    );
    let columns = [
        "provider",
        "questions",
        "answered by the deadline",
        "p99.99 late us",
        "bare timer's",
        "questions' p50 us",
        "p99 us",
        "others' p50 us",
        "p99 us",
        "of that without",
        "by the model",
        "fell back",
        "shed",
        "requests (cancelled)",
        "hedges",
        "money a thousand",
    ];
    markdown(&title, &columns, lines.iter().map(Line::cells))
}

impl Line {
    fn cells(&self) -> Vec<String> {
        let us = |us: f64| micros((us * 1_000.0) as u64);
        let percent = |share: f64| format!("{:.2}%", share * 100.0);
        let fell_back: Vec<String> =
            self.fell_back.iter().map(|(reason, share)| format!("{reason} {}", percent(*share))).collect();
        vec![
            self.case.to_owned(),
            thousands(self.questions),
            format!("{:.4}%", self.answered_by_deadline * 100.0),
            us(self.late_us_p9999),
            us(self.bare_timer_late_us_p9999),
            us(self.asked_us_p50),
            us(self.asked_us_p99),
            us(self.others_us_p50),
            us(self.others_us_p99),
            format!("{:.2}x", self.others_p99_ratio),
            percent(self.by_large_model),
            fell_back.join(", "),
            thousands(self.shed),
            format!("{} ({})", thousands(self.requests), thousands(self.cancelled)),
            thousands(self.hedges),
            format!("{:.4}", self.cost_per_thousand),
        ]
    }
}
