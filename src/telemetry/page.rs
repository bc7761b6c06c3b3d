//! The page that is scraped: Prometheus' text format 0.0.4, or OpenMetrics 1.0, which has units and exemplars besides.
//!
//! The library writes the former alone, without exemplars. Ours writes both, and the same series in both: bounds of buckets are
//! spelled as OpenMetrics wants them (`1.0`, `1e-06`), so that a series is the same one whichever format a scraper has asked for.
//! `_created` is left out: it is optional, Prometheus would keep each as one more series, and `process_start_time_seconds` tells
//! when counting began.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prometheus::proto::{Histogram, LabelPair, Metric, MetricFamily};

use super::declared::{Declared, Kind, LabelValues, unit_of};
use super::exemplar::{Buckets, Traced};

/// A format of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    #[default]
    Text,
    /// OpenMetrics 1.0: with units and exemplars.
    OpenMetrics,
}

impl Format {
    /// The media type that goes with the page.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A page that is being written.
struct Page {
    format: Format,
    text: String,
}

/// The page of what was gathered. Families that were not declared have no place on it.
pub(super) fn written(families: &[MetricFamily], declared: &BTreeMap<String, Declared>, format: Format) -> String {
    let mut page = Page { format, text: String::with_capacity(1 << 16) };
    for family in families {
        if let Some(of) = declared.get(family.name()) {
            page.family(family, of);
        }
    }
    if format == Format::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

impl Page {
    fn family(&mut self, family: &MetricFamily, of: &Declared) {
        let name = family.name();
        // In OpenMetrics the family of a counter has no `_total`, its series have.
        let heading = match (self.format, of.kind) {
            (Format::OpenMetrics, Kind::Counter) => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        self.put(format_args!("# HELP {heading} "));
        let is_strict = self.format == Format::OpenMetrics;
        self.escaped(family.help(), is_strict);
        self.put(format_args!("\n# TYPE {heading} {}\n", of.kind.as_str()));
        if let (Format::OpenMetrics, Some(unit)) = (self.format, unit_of(name)) {
            self.put(format_args!("# UNIT {heading} {unit}\n"));
        }
        for series in family.get_metric() {
            let labels = series.get_label();
            match of.kind {
                Kind::Histogram => self.histogram(name, labels, series.get_histogram(), of.buckets(series).as_deref()),
                Kind::Counter => self.sample(name, "", labels, series.get_counter().get_value()),
                Kind::Gauge => self.sample(name, "", labels, series.get_gauge().get_value()),
            }
        }
    }

    fn histogram(&mut self, name: &str, labels: &[LabelPair], of: &Histogram, traces: Option<&Buckets>) {
        let bounds = of.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
        let all = bounds.chain([(f64::INFINITY, of.get_sample_count())]);
        for (place, (bound, count)) in all.enumerate() {
            self.put(format_args!("{name}_bucket{{"));
            self.labels(labels);
            if !labels.is_empty() {
                self.text.push(',');
            }
            self.put(format_args!("le=\"{}\"}} {count}", spelled(bound)));
            if let (Format::OpenMetrics, Some(traced)) = (self.format, traces.and_then(|of| of.latest(place))) {
                self.exemplar(&traced);
            }
            self.text.push('\n');
        }
        self.sample(name, "_sum", labels, of.get_sample_sum());
        self.sample(name, "_count", labels, of.get_sample_count() as f64);
    }

    fn exemplar(&mut self, Traced { value, exemplar }: &Traced) {
        let trace = u128::from_be_bytes(exemplar.trace);
        let (seconds, micros) = (exemplar.at_us.div_euclid(1_000_000), exemplar.at_us.rem_euclid(1_000_000));
        self.put(format_args!(" # {{trace_id=\"{trace:032x}\"}} {} {seconds}.{micros:06}", number(*value)));
    }

    fn sample(&mut self, name: &str, ending: &str, labels: &[LabelPair], value: f64) {
        self.put(format_args!("{name}{ending}"));
        if !labels.is_empty() {
            self.text.push('{');
            self.labels(labels);
            self.text.push('}');
        }
        self.put(format_args!(" {}\n", number(value)));
    }

    fn labels(&mut self, labels: &[LabelPair]) {
        for (nth, label) in labels.iter().enumerate() {
            self.put(format_args!("{}{}=\"", if nth == 0 { "" } else { "," }, label.name()));
            self.escaped(label.value(), true);
            self.text.push('"');
        }
    }

    fn escaped(&mut self, text: &str, with_quotes: bool) {
        for c in text.chars() {
            match c {
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '"' if with_quotes => self.text.push_str("\\\""),
                c => self.text.push(c),
            }
        }
    }

    fn put(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing into memory does not fail.
        let _ = self.text.write_fmt(what);
    }
}

impl Declared {
    /// The latest traces of one series of a histogram.
    fn buckets(&self, series: &Metric) -> Option<std::sync::Arc<Buckets>> {
        let values = LabelValues(series.get_label());
        let value = |name: &String| values.get(name).unwrap_or_default().to_owned();
        self.traces.get(&self.labels.iter().map(|label| value(&label.name)).collect::<Vec<_>>())
    }
}

/// A value. Whole numbers have no point, as is usual for counts.
fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        _ if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        _ => value.to_string(),
    }
}

/// A bound of a bucket, as OpenMetrics spells it: with a point, and with an exponent of two digits for what is small or large.
fn spelled(bound: f64) -> String {
    if !bound.is_finite() {
        return number(bound);
    }
    if bound == 0.0 || (1e-4..1e6).contains(&bound.abs()) {
        return format!("{bound:?}");
    }
    let text = format!("{bound:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_spelled_as_openmetrics_has_them() {
        let bounds =
            [0.0, 1e-6, 2.5e-5, 1e-4, 5e-4, 0.25, 1.0, 10.0, 50_000.0, 1e6, 2.5e7, 1e100, -1e-9, f64::INFINITY];
        let spelled: Vec<String> = bounds.into_iter().map(spelled).collect();
        assert_eq!(
            spelled.join(" "),
            "0.0 1e-06 2.5e-05 0.0001 0.0005 0.25 1.0 10.0 50000.0 1e+06 2.5e+07 1e+100 -1e-09 +Inf"
        );
    }

    #[test]
    fn values_are_numbers_that_every_reader_takes() {
        let values = [0.0, 3.0, 0.1, -2.5, 1e-9, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        assert_eq!(values.map(number).join(" "), "0 3 0.1 -2.5 0.000000001 NaN +Inf -Inf");
    }
}
