//! The registry: declaring series, and dropping those of names that are no longer in force.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts};

use super::declared::{Declared, Help, Kind, Label, LabelValues};
use super::exemplar::Traces;
use super::page::{self, Format};
use super::reference::{self, Section};
use super::series::{Counter, CounterFamily, Gauge, GaugeFamily, Histogram, HistogramFamily, Level, Sum, SumFamily};

/// Holds every series of one engine.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Inner>);

#[derive(Default)]
struct Inner {
    library: prometheus::Registry,
    /// By name.
    declared: Mutex<BTreeMap<String, Declared>>,
    /// Families with labels, by name.
    families: Mutex<BTreeMap<String, Box<dyn Family>>>,
}

/// Series that come and go with the values of their labels.
trait Family: Send {
    /// The values of the labels of those that are not kept, in the order of their declaration.
    fn drop_others(&self, is_kept: &dyn Fn(LabelValues<'_>) -> bool) -> Vec<Vec<String>>;
}

impl Registry {
    /// A counter without labels.
    pub fn counter(&self, name: &str, help: impl Into<Help>) -> Counter {
        let help = self.declare(name, Kind::Counter, help, &[]);
        Counter(self.add(IntCounter::new(name, help)))
    }

    /// Counters with labels.
    pub fn counters<L: Into<Label> + Clone>(&self, name: &str, help: impl Into<Help>, labels: &[L]) -> CounterFamily {
        let labels = named(labels);
        let help = self.declare(name, Kind::Counter, help, &labels);
        CounterFamily(self.add_family(name, IntCounterVec::new(Opts::new(name, help), &names(&labels))))
    }

    /// A gauge without labels.
    pub fn gauge(&self, name: &str, help: impl Into<Help>) -> Gauge {
        let help = self.declare(name, Kind::Gauge, help, &[]);
        Gauge(self.add(IntGauge::new(name, help)))
    }

    /// A gauge without labels whose number is not whole.
    pub fn level(&self, name: &str, help: impl Into<Help>) -> Level {
        let help = self.declare(name, Kind::Gauge, help, &[]);
        Level(self.add(prometheus::Gauge::new(name, help)))
    }

    /// Numbers with labels.
    pub fn gauges<L: Into<Label> + Clone>(&self, name: &str, help: impl Into<Help>, labels: &[L]) -> GaugeFamily {
        let labels = named(labels);
        let help = self.declare(name, Kind::Gauge, help, &labels);
        let gauges = self.add_family(name, GaugeVec::new(Opts::new(name, help), &names(&labels)));
        GaugeFamily { gauges, labels: Arc::default() }
    }

    /// A sum without labels.
    pub fn sum(&self, name: &str, help: impl Into<Help>) -> Sum {
        let help = self.declare(name, Kind::Counter, help, &[]);
        Sum(self.add(prometheus::Counter::new(name, help)))
    }

    /// Sums with labels.
    pub fn sums<L: Into<Label> + Clone>(&self, name: &str, help: impl Into<Help>, labels: &[L]) -> SumFamily {
        let labels = named(labels);
        let help = self.declare(name, Kind::Counter, help, &labels);
        SumFamily(self.add_family(name, CounterVec::new(Opts::new(name, help), &names(&labels))))
    }

    /// A histogram without labels; `buckets` are upper bounds, ascending.
    pub fn histogram(&self, name: &str, help: impl Into<Help>, buckets: &[f64]) -> Histogram {
        let help = self.declare(name, Kind::Histogram, help, &[]);
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let counts = self.add(prometheus::Histogram::with_opts(opts));
        Histogram { counts, traces: self.traces_of(name).with(&[], &buckets.into()) }
    }

    /// Histograms with labels; `buckets` are upper bounds, ascending.
    pub fn histograms<L: Into<Label> + Clone>(
        &self,
        name: &str,
        help: impl Into<Help>,
        labels: &[L],
        buckets: &[f64],
    ) -> HistogramFamily {
        let labels = named(labels);
        let help = self.declare(name, Kind::Histogram, help, &labels);
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let counts = self.add_family(name, HistogramVec::new(opts, &names(&labels)));
        HistogramFamily { counts, bounds: buckets.into(), traces: self.traces_of(name) }
    }

    /// Drops the series with labels that are not to be kept: their names are no longer in force. Whoever still has one in hand counts
    /// into nothing. Called when a bundle has changed, so that series do not add up from one to the next.
    pub fn keep(&self, is_kept: &dyn Fn(LabelValues<'_>) -> bool) {
        for (name, family) in &*lock(&self.0.families) {
            let gone = family.drop_others(is_kept);
            let traces = self.traces_of(name);
            gone.iter().for_each(|values| traces.remove(values));
        }
    }

    /// The page that is scraped.
    pub fn page(&self, format: Format) -> String {
        page::written(&self.0.library.gather(), &lock(&self.0.declared), format)
    }

    /// The page in Prometheus' text format 0.0.4.
    pub fn render(&self) -> String {
        self.page(Format::Text)
    }

    /// All series that are declared, as tables in Markdown: those whose names begin with one of a section's beginnings stand in
    /// it, the longest beginning first.
    pub fn reference(&self, sections: &[Section<'_>]) -> String {
        reference::written(&lock(&self.0.declared), sections)
    }

    /// A test door: what does not fit its declaration: labels that nobody said anything of, and values beyond a closed list.
    #[cfg(test)]
    pub(crate) fn strays(&self) -> Vec<String> {
        let declared = lock(&self.0.declared);
        let mut strays = reference::unsaid(&declared);
        for family in self.0.library.gather() {
            let labels = &declared[family.name()].labels;
            for pair in family.get_metric().iter().flat_map(prometheus::proto::Metric::get_label) {
                let label = labels.iter().find(|label| label.name == pair.name());
                if !label.is_some_and(|label| label.has(pair.value())) {
                    strays.push(format!("{}: {}={}", family.name(), pair.name(), pair.value()));
                }
            }
        }
        strays
    }

    fn declare(&self, name: &str, kind: Kind, help: impl Into<Help>, labels: &[Label]) -> String {
        let help = help.into();
        let meaning = help.meaning.clone();
        let declared = Declared { kind, help, labels: labels.to_vec(), traces: Traces::default() };
        lock(&self.0.declared).insert(name.to_owned(), declared);
        meaning
    }

    fn traces_of(&self, name: &str) -> Traces {
        lock(&self.0.declared).get(name).map(|declared| declared.traces.clone()).unwrap_or_default()
    }

    fn add_family<T>(&self, name: &str, made: prometheus::Result<MetricVec<T>>) -> MetricVec<T>
    where
        T: MetricVecBuilder + 'static,
    {
        let family = self.add(made);
        lock(&self.0.families).insert(name.to_owned(), Box::new(family.clone()));
        family
    }

    /// Series names are constants of the program: a clash or a malformed name is a wrong program and stops it at start.
    #[expect(
        clippy::expect_used,
        reason = "names are constants; a clash shows in the first test that starts an engine"
    )]
    fn add<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("the name, help and labels of a series are well formed");
        self.0.library.register(Box::new(collector.clone())).expect("a series is declared once");
        collector
    }
}

impl<T: MetricVecBuilder> Family for MetricVec<T> {
    fn drop_others(&self, is_kept: &dyn Fn(LabelValues<'_>) -> bool) -> Vec<Vec<String>> {
        let names: Vec<String> = self.desc().iter().flat_map(|desc| desc.variable_labels.clone()).collect();
        let mut dropped = Vec::new();
        for family in Collector::collect(self) {
            for series in family.get_metric() {
                let labels = LabelValues(series.get_label());
                if !is_kept(labels) {
                    let value = |name: &String| labels.get(name).unwrap_or_default().to_owned();
                    dropped.push(names.iter().map(value).collect::<Vec<String>>());
                }
            }
        }
        for values in &dropped {
            // Another thread may have been quicker.
            let _ = self.remove_label_values(values);
        }
        dropped
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("declared", &lock(&self.declared).keys()).finish_non_exhaustive()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn named<L: Into<Label> + Clone>(labels: &[L]) -> Vec<Label> {
    labels.iter().cloned().map(Into::into).collect()
}

fn names(labels: &[Label]) -> Vec<&str> {
    labels.iter().map(|label| label.name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::Exemplar;

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
    fn series_that_are_not_kept_are_gone_and_begin_anew_when_they_are_back() {
        let registry = Registry::default();
        let family = registry.counters("forthwith_x_total", "Things.", &["kind", "playbook"]);
        let times = registry.histograms("forthwith_z_seconds", "Time.", &["playbook"], &[1.0]);
        let plain = registry.counter("forthwith_plain_total", "Plain.");
        let (kept, gone) = (family.with(&["k", "a"]), family.with(&["k", "b"]));
        [&kept, &gone, &plain].into_iter().for_each(|counter| counter.add(5));
        times.with(&["b"]).observe_traced(Duration::from_millis(1), Some(Exemplar { trace: [7; 16], at_us: 1 }));
        registry.keep(&|of| of.get("playbook") == Some("a"));
        gone.inc();
        let series = |page: &str| page.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        assert_eq!(
            series(&registry.render()),
            "forthwith_plain_total 5\nforthwith_x_total{kind=\"k\",playbook=\"a\"} 5"
        );
        family.with(&["k", "b"]).inc();
        times.with(&["b"]);
        let page = registry.page(Format::OpenMetrics);
        assert!(page.contains("forthwith_x_total{kind=\"k\",playbook=\"b\"} 1\n"), "{page}");
        assert!(!page.contains("trace_id"), "a trace goes with its series: {page}");
    }
}
