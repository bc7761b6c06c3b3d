//! What there is to be seen: the last seconds and the run so far.

use std::collections::{BTreeMap, VecDeque};

use super::Watched;
use crate::outcome::{Curve, Happened, Phase, Second, Usage};
use crate::reports::units;

/// How many seconds are drawn as a sparkline.
const KEPT_MAX: usize = 120;

/// Latencies of the whole run so far, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Whole {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    pub(super) max_us: f64,
}

impl Whole {
    pub(super) fn of(curve: &Curve) -> Self {
        Self {
            p50_us: curve.quantile_us(0.5),
            p99_us: curve.quantile_us(0.99),
            p999_us: curve.quantile_us(0.999),
            max_us: curve.histogram().max() as f64 / 1_000.0,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) watched: Watched,
    pub(super) last: Second,
    pub(super) usage: Usage,
    pub(super) whole: Whole,
    pub(super) total: Total,
    /// By the second, the newest last.
    pub(super) rates: VecDeque<u64>,
    pub(super) p99s_us: VecDeque<u64>,
    pub(super) busy: VecDeque<u64>,
    /// The last thing that was done to the engine.
    pub(super) happened: Option<String>,
    seconds: u64,
}

/// All seconds so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    pub(super) answered: u64,
    pub(super) late: u64,
    pub(super) shed: u64,
    pub(super) failed: u64,
    pub(super) tiers: BTreeMap<String, u64>,
    pub(super) fallbacks: BTreeMap<String, u64>,
}

impl View {
    pub(super) fn new(watched: Watched) -> Self {
        Self { watched, ..Self::default() }
    }

    pub(super) fn second(&mut self, second: &Second, usage: Usage, whole: Whole) {
        self.seconds += 1;
        let total = &mut self.total;
        total.answered += second.answered;
        total.late += second.late;
        total.shed += second.shed;
        total.failed += second.failed;
        for (all, some) in [(&mut total.tiers, &second.tiers), (&mut total.fallbacks, &second.fallbacks)] {
            for (name, number) in some {
                *all.entry(name.clone()).or_default() += number;
            }
        }
        keep(&mut self.rates, second.answered);
        keep(&mut self.p99s_us, second.p99_us as u64);
        keep(&mut self.busy, (usage.processors * 1_000.0) as u64);
        (self.last, self.usage, self.whole) = (second.clone(), usage, whole);
    }

    pub(super) fn happened(&mut self, happened: &Happened) {
        self.happened = Some(told(happened));
    }

    /// How many seconds were shown.
    pub(super) fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Until when the run has come, in its own time.
    pub(super) fn now_s(&self) -> f64 {
        if self.seconds == 0 { 0.0 } else { self.last.at_s + 1.0 }
    }

    pub(super) fn end_s(&self) -> f64 {
        self.watched.phases.iter().map(|phase| phase.to_s).fold(0.0, f64::max)
    }

    pub(super) fn left_s(&self) -> f64 {
        (self.end_s() - self.now_s()).max(0.0)
    }

    /// The phase of the last second.
    pub(super) fn phase(&self) -> Option<&Phase> {
        let middle = self.last.at_s + 0.5;
        self.watched.phases.iter().find(|phase| phase.from_s <= middle && middle < phase.to_s)
    }

    pub(super) fn is_above_promise(&self, p99_us: f64) -> bool {
        self.watched.p99_us_max.is_some_and(|most| p99_us > most)
    }

    /// The view in a line.
    pub(super) fn line(&self) -> String {
        let Second { offered, answered, in_flight, p50_us, p99_us, p999_us, .. } = &self.last;
        let phase = self.phase().map_or(String::new(), |phase| format!("{}, ", phase.name));
        format!(
            "{}: {phase}{} of {}: offered {}/s, answered {}/s, in flight {}, p50 {}, p99 {}, p99.9 {}; so far late {}, shed {}, failed {}; \
             engine {:.2} processors, {}",
            self.watched.scenario,
            units::seconds(self.now_s()),
            units::seconds(self.end_s()),
            units::count(*offered as f64),
            units::count(*answered as f64),
            units::count(*in_flight as f64),
            units::micros(*p50_us),
            units::micros(*p99_us),
            units::micros(*p999_us),
            units::count(self.total.late as f64),
            units::count(self.total.shed as f64),
            units::count(self.total.failed as f64),
            self.usage.processors,
            units::bytes(self.usage.resident_bytes as f64),
        )
    }
}

/// An event in a line.
pub(super) fn told(happened: &Happened) -> String {
    let Happened { at_s, what, took_s, said } = happened;
    format!("{what} at {at_s:.1} s took {}: {said}", units::seconds(*took_s))
}

fn keep(values: &mut VecDeque<u64>, value: u64) {
    if values.len() == KEPT_MAX {
        values.pop_front();
    }
    values.push_back(value);
}
