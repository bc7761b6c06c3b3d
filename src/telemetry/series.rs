//! Counters, gauges and histograms.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{CounterVec, GaugeVec, HistogramVec, IntCounter, IntCounterVec, IntGauge};

use super::exemplar::{Buckets, Exemplar, Traces};

/// Upper bounds of the buckets of latency histograms, in seconds: from a microsecond, where an inline turn lies, to ten
/// seconds, where a human would have given up; three to a decade, so a quantile is off by at most a factor of about 2.5.
pub const LATENCY_SECONDS: [f64; 22] = [
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0,
    5.0, 10.0,
];

/// Counts up. One relaxed atomic addition.
#[derive(Clone, Debug)]
pub struct Counter(pub(super) IntCounter);

/// Counters that differ by label values.
#[derive(Clone, Debug)]
pub struct CounterFamily(pub(super) IntCounterVec);

/// A number that goes up and down.
#[derive(Clone, Debug)]
pub struct Gauge(pub(super) IntGauge);

/// Numbers that differ by label values.
#[derive(Clone, Debug)]
pub struct GaugeFamily {
    pub(super) gauges: GaugeVec,
    /// The label values that there are.
    pub(super) labels: Arc<Mutex<BTreeSet<Vec<String>>>>,
}

/// A number of a family that is set by itself.
#[derive(Clone, Debug)]
pub struct Level(pub(super) prometheus::Gauge);

/// Adds up amounts that are no whole numbers, such as money.
#[derive(Clone, Debug)]
pub struct Sum(pub(super) prometheus::Counter);

/// Sums that differ by label values.
#[derive(Clone, Debug)]
pub struct SumFamily(pub(super) CounterVec);

/// The distribution of a quantity. Four atomic additions per observation; one with a trace also writes 40 bytes, under a lock that is
/// never waited for.
#[derive(Clone, Debug)]
pub struct Histogram {
    pub(super) counts: prometheus::Histogram,
    pub(super) traces: Arc<Buckets>,
}

/// Histograms that differ by label values.
#[derive(Clone, Debug)]
pub struct HistogramFamily {
    pub(super) counts: HistogramVec,
    pub(super) bounds: Arc<[f64]>,
    pub(super) traces: Traces,
}

impl Counter {
    /// One more.
    #[inline]
    pub fn inc(&self) {
        self.0.inc();
    }

    /// So many more.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.inc_by(n);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

impl CounterFamily {
    /// The counter of these label values. Takes a lock: resolve it at load, not per event.
    pub fn with(&self, values: &[&str]) -> Counter {
        Counter(self.0.with_label_values(values))
    }
}

impl Gauge {
    /// Sets the number.
    #[inline]
    pub fn set(&self, value: i64) {
        self.0.set(value);
    }

    /// Adds to the number; negative to subtract.
    #[inline]
    pub fn add(&self, delta: i64) {
        self.0.add(delta);
    }

    /// The number now.
    pub fn get(&self) -> i64 {
        self.0.get()
    }
}

impl GaugeFamily {
    /// Sets the numbers of these label values; those of others are gone.
    pub fn set_all<'a, const N: usize>(&self, numbers: impl Iterator<Item = ([&'a str; N], f64)>) {
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = std::mem::take(&mut *labels);
        for (values, number) in numbers {
            self.gauges.with_label_values(&values).set(number);
            let values = values.map(str::to_owned).to_vec();
            gone.remove(&values);
            labels.insert(values);
        }
        for values in gone {
            // It may have gone with the bundle that it was of.
            let _ = self.gauges.remove_label_values(&values);
        }
    }

    /// The number of these label values, to be set by itself. Takes a lock: resolve it at load, not per event.
    pub fn with(&self, values: &[&str]) -> Level {
        Level(self.gauges.with_label_values(values))
    }
}

impl Level {
    /// Sets the number.
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }
}

impl SumFamily {
    /// The sum of these label values. Takes a lock: resolve it at load, not per event.
    pub fn with(&self, values: &[&str]) -> Sum {
        Sum(self.0.with_label_values(values))
    }
}

impl Sum {
    /// So much more; nothing that is below zero.
    #[inline]
    pub fn add(&self, amount: f64) {
        self.0.inc_by(amount.max(0.0));
    }

    /// The sum so far.
    pub fn get(&self) -> f64 {
        self.0.get()
    }
}

impl Histogram {
    /// Counts one observation.
    #[inline]
    pub fn observe(&self, value: f64) {
        self.counts.observe(value);
    }

    /// Counts one length of time, in seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.counts.observe(duration.as_secs_f64());
    }

    /// Counts one length of time, in seconds, and keeps the trace that it belongs to, if it belongs to one.
    #[inline]
    pub fn observe_traced(&self, duration: Duration, exemplar: Option<Exemplar>) {
        let seconds = duration.as_secs_f64();
        self.counts.observe(seconds);
        if let Some(exemplar) = exemplar {
            self.traces.note(seconds, exemplar);
        }
    }
}

impl HistogramFamily {
    /// The histogram of these label values. Takes a lock: resolve it at load, not per event.
    pub fn with(&self, values: &[&str]) -> Histogram {
        Histogram { counts: self.counts.with_label_values(values), traces: self.traces.with(values, &self.bounds) }
    }
}
