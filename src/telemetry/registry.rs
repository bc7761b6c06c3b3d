//! Counters, gauges and histograms, and the page on which Prometheus reads them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    CounterVec, Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, TextEncoder,
    core::Collector,
};
use std::time::Duration;

/// Upper bounds of the buckets of latency histograms, in seconds: from a microsecond, where an inline turn lies, to ten
/// seconds, where a human would have given up; three to a decade, so a quantile is off by at most a factor of about 2.5.
pub const LATENCY_SECONDS: [f64; 22] = [
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0,
    5.0, 10.0,
];

/// Holds every series of one engine.
#[derive(Clone, Debug, Default)]
pub struct Registry(prometheus::Registry);

/// Counts up. One relaxed atomic addition.
#[derive(Clone, Debug)]
pub struct Counter(IntCounter);

/// Counters that differ by label values.
#[derive(Clone, Debug)]
pub struct CounterFamily(IntCounterVec);

/// A number that goes up and down.
#[derive(Clone, Debug)]
pub struct Gauge(IntGauge);

/// Numbers that differ by label values.
#[derive(Clone, Debug)]
pub struct GaugeFamily {
    gauges: GaugeVec,
    /// The label values that there are.
    labels: Arc<Mutex<BTreeSet<Vec<String>>>>,
}

/// A number of a family that is set by itself.
#[derive(Clone, Debug)]
pub struct Level(prometheus::Gauge);

/// Adds up amounts that are no whole numbers, such as money.
#[derive(Clone, Debug)]
pub struct Sum(prometheus::Counter);

/// Sums that differ by label values.
#[derive(Clone, Debug)]
pub struct SumFamily(CounterVec);

/// The distribution of a quantity. Two relaxed atomic additions per observation.
#[derive(Clone, Debug)]
pub struct Histogram(prometheus::Histogram);

/// Histograms that differ by label values.
#[derive(Clone, Debug)]
pub struct HistogramFamily(HistogramVec);

impl Registry {
    /// A counter without labels.
    pub fn counter(&self, name: &str, help: &str) -> Counter {
        Counter(self.add(IntCounter::new(name, help)))
    }

    /// Counters with labels.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> CounterFamily {
        CounterFamily(self.add(IntCounterVec::new(Opts::new(name, help), labels)))
    }

    /// A gauge without labels.
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        Gauge(self.add(IntGauge::new(name, help)))
    }

    /// Numbers with labels.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeFamily {
        let gauges = self.add(GaugeVec::new(Opts::new(name, help), labels));
        GaugeFamily { gauges, labels: Arc::default() }
    }

    /// Sums with labels.
    pub fn sums(&self, name: &str, help: &str, labels: &[&str]) -> SumFamily {
        SumFamily(self.add(CounterVec::new(Opts::new(name, help), labels)))
    }

    /// A histogram without labels; `buckets` are upper bounds, ascending.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        Histogram(self.add(prometheus::Histogram::with_opts(opts)))
    }

    /// Histograms with labels; `buckets` are upper bounds, ascending.
    pub fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramFamily {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        HistogramFamily(self.add(HistogramVec::new(opts, labels)))
    }

    /// The page in Prometheus' text format 0.0.4.
    pub fn render(&self) -> String {
        let mut page = Vec::new();
        // Writing into memory fails only for a malformed family, which `add` has refused.
        let _ = TextEncoder::new().encode(&self.0.gather(), &mut page);
        String::from_utf8_lossy(&page).into_owned()
    }

    /// Series names are constants of the program: a clash or a malformed name is a wrong program and stops it at start.
    #[expect(
        clippy::expect_used,
        reason = "names are constants; a clash shows in the first test that starts an engine"
    )]
    fn add<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("the name, help and labels of a series are well formed");
        self.0.register(Box::new(collector.clone())).expect("a series is declared once");
        collector
    }
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
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            // It was set before, so it is there.
            let _ = self.gauges.remove_label_values(&values);
        }
    }
}

impl GaugeFamily {
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
}

impl Histogram {
    /// Counts one observation.
    #[inline]
    pub fn observe(&self, value: f64) {
        self.0.observe(value);
    }

    /// Counts one length of time, in seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.0.observe(duration.as_secs_f64());
    }
}

impl HistogramFamily {
    /// The histogram of these label values. Takes a lock: resolve it at load, not per event.
    pub fn with(&self, values: &[&str]) -> Histogram {
        Histogram(self.0.with_label_values(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_labels_that_are_no_longer_set_are_gone() {
        let registry = Registry::default();
        let family = registry.gauges("forthwith_y", "Level.", &["of"]);
        family.set_all([(["a"], 1.0), (["b"], 2.5)].into_iter());
        family.set_all([(["b"], 3.0)].into_iter());
        insta::assert_snapshot!(registry.render(), @r#"
        # HELP forthwith_y Level.
        # TYPE forthwith_y gauge
        forthwith_y{of="b"} 3
        "#);
    }

    #[test]
    fn renders_what_was_counted() {
        let registry = Registry::default();
        registry.counters("forthwith_x_total", "Things.", &["kind"]).with(&["a"]).add(2);
        registry.gauge("forthwith_y", "Level.").set(-1);
        registry.histogram("forthwith_z_seconds", "Time.", &[0.1, 1.0]).observe_duration(Duration::from_millis(500));
        insta::assert_snapshot!(registry.render(), @r#"
        # HELP forthwith_x_total Things.
        # TYPE forthwith_x_total counter
        forthwith_x_total{kind="a"} 2
        # HELP forthwith_y Level.
        # TYPE forthwith_y gauge
        forthwith_y -1
        # HELP forthwith_z_seconds Time.
        # TYPE forthwith_z_seconds histogram
        forthwith_z_seconds_bucket{le="0.1"} 0
        forthwith_z_seconds_bucket{le="1"} 1
        forthwith_z_seconds_bucket{le="+Inf"} 1
        forthwith_z_seconds_sum 0.5
        forthwith_z_seconds_count 1
        "#);
    }
}
