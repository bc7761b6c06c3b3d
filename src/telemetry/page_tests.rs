//! The page as a strict reader reads it.

use std::time::Duration;

use proptest::prelude::*;

use super::exposition::{Dialect, Page};
use super::{Exemplar, Format, LATENCY_SECONDS, Registry};

const BOTH: [(Format, Dialect); 2] = [(Format::Text, Dialect::Text), (Format::OpenMetrics, Dialect::OpenMetrics)];

#[test]
fn renders_what_was_counted_in_both_formats() {
    let registry = Registry::default();
    registry.counters("forthwith_x_total", "Things.", &["kind"]).with(&["a"]).add(2);
    registry.gauge("forthwith_y", "Level.").set(-1);
    let seconds = registry.histogram("forthwith_z_seconds", "Time.", &[0.1, 1.0]);
    seconds.observe_duration(Duration::from_millis(50));
    let exemplar = Exemplar { trace: 0xab_u128.to_be_bytes(), at_us: 1_700_000_000_000_001 };
    seconds.observe_traced(Duration::from_millis(500), Some(exemplar));
    insta::assert_snapshot!(registry.render(), @r#"
    # HELP forthwith_x_total Things.
    # TYPE forthwith_x_total counter
    forthwith_x_total{kind="a"} 2
    # HELP forthwith_y Level.
    # TYPE forthwith_y gauge
    forthwith_y -1
    # HELP forthwith_z_seconds Time.
    # TYPE forthwith_z_seconds histogram
    forthwith_z_seconds_bucket{le="0.1"} 1
    forthwith_z_seconds_bucket{le="1.0"} 2
    forthwith_z_seconds_bucket{le="+Inf"} 2
    forthwith_z_seconds_sum 0.55
    forthwith_z_seconds_count 2
    "#);
    insta::assert_snapshot!(registry.page(Format::OpenMetrics), @r##"
    # HELP forthwith_x Things.
    # TYPE forthwith_x counter
    forthwith_x_total{kind="a"} 2
    # HELP forthwith_y Level.
    # TYPE forthwith_y gauge
    forthwith_y -1
    # HELP forthwith_z_seconds Time.
    # TYPE forthwith_z_seconds histogram
    # UNIT forthwith_z_seconds seconds
    forthwith_z_seconds_bucket{le="0.1"} 1
    forthwith_z_seconds_bucket{le="1.0"} 2 # {trace_id="000000000000000000000000000000ab"} 0.5 1700000000.000001
    forthwith_z_seconds_bucket{le="+Inf"} 2
    forthwith_z_seconds_sum 0.55
    forthwith_z_seconds_count 2
    # EOF
    "##);
}

#[test]
fn a_bucket_tells_the_latest_trace_of_its_own() {
    let registry = Registry::default();
    let seconds = registry.histograms("forthwith_z_seconds", "Time.", &["of"], &LATENCY_SECONDS);
    let mark = |trace: u128| Some(Exemplar { trace: trace.to_be_bytes(), at_us: 1_000_000 });
    let observe = |micros, exemplar| seconds.with(&["a"]).observe_traced(Duration::from_micros(micros), exemplar);
    observe(3, mark(1));
    observe(4, mark(2));
    observe(4, None);
    observe(20, mark(3));
    observe(60_000_000, mark(4));
    seconds.with(&["b"]).observe(1.0);
    let page = Page::read(&registry.page(Format::OpenMetrics), Dialect::OpenMetrics).unwrap();
    let traced = page.samples().filter_map(|sample| {
        let exemplar = sample.exemplar.as_ref()?;
        let trace = u128::from_str_radix(&exemplar.labels["trace_id"], 16).unwrap();
        Some((sample.labels["of"].as_str(), sample.labels["le"].as_str(), trace, exemplar.value, exemplar.seconds))
    });
    // What is as long as a bucket's bound belongs to it.
    let expected = [("a", "5e-06", 2, 4e-6, 1.0), ("a", "2e-05", 3, 2e-5, 1.0), ("a", "+Inf", 4, 60.0, 1.0)];
    assert_eq!(traced.collect::<Vec<_>>(), expected);
    assert!(!registry.render().contains("trace_id"), "the text format has no exemplars");
}

#[test]
fn the_reader_is_strict() {
    let good = "# HELP a_total A.\n# TYPE a_total counter\na_total{b=\"c\"} 1\n";
    Page::read(good, Dialect::Text).unwrap();
    let histogram =
        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
    Page::read(histogram, Dialect::Text).unwrap();
    let spoilt = [
        (good, "a_total{b=\"c\"} 1", "a_total{b=\"c\"} -1"),
        (good, "a_total{b=\"c\"} 1", "a_total{b=\"c\"} inf"),
        (good, "a_total{b=\"c\"} 1", "a_total{b=\"c\"} 1 1700000000"),
        (good, "a_total{b=\"c\"} 1\n", "a_total{b=\"c\"} 1"),
        (good, "a_total{b=\"c\"} 1\n", "a_total{b=\"c\"} 1\na_total{b=\"c\"} 1\n"),
        (good, "a_total{b=\"c\"} 1\n", "a_total{b=\"c\"} 1\na_total{d=\"c\"} 1\n"),
        (good, "a_total{b=\"c\"} 1\n", "\na_total{b=\"c\"} 1\n"),
        (good, "b=\"c\"", "b=\"c\",b=\"d\""),
        (good, "b=\"c\"", "b=\"c\","),
        (good, "b=\"c\"", "b=\"\\c\""),
        (good, "b=\"c\"", "1b=\"c\""),
        (good, "b=\"c\"", "__b=\"c\""),
        (good, "# TYPE a_total counter", "# TYPE a_total summary"),
        (good, "# TYPE a_total counter\n", ""),
        (good, "# TYPE a_total counter\n", "# TYPE a_total counter\n# UNIT a_total seconds\n"),
        (good, "# HELP a_total A.\n", ""),
        (good, "a_total", "a"),
        (histogram, "h_bucket{le=\"1.0\"} 1", "h_bucket{le=\"1\"} 1"),
        (histogram, "h_bucket{le=\"1.0\"} 1", "h_bucket{le=\"1.0\"} 3"),
        (histogram, "h_bucket{le=\"1.0\"} 1", "h_bucket{le=\"1.0\"} 1 # {trace_id=\"a\"} 0.5 1"),
        (histogram, "h_bucket{le=\"+Inf\"} 2\n", ""),
        (histogram, "h_bucket{le=\"+Inf\"} 2\n", "h_bucket{le=\"+Inf\"} 1\n"),
        (histogram, "h_sum 3\n", ""),
        (histogram, "h_count 2\n", ""),
        (histogram, "# HELP h H.\n", "# HELP h_count H.\n# TYPE h_count gauge\nh_count 1\n# HELP h H.\n"),
    ];
    for (page, what, by) in spoilt {
        let page = page.replacen(what, by, if what == "a_total" { usize::MAX } else { 1 });
        assert!(Page::read(&page, Dialect::Text).is_err(), "taken as good:\n{page}");
    }
    let strict = "# HELP a A.\n# TYPE a counter\na_total 1\n# EOF\n";
    Page::read(strict, Dialect::OpenMetrics).unwrap();
    for (what, by) in [("a_total", "a"), ("# EOF\n", ""), ("# EOF\n", "# EOF\n# EOF\n"), ("A.", "A\"."), ("\n", "\r\n")]
    {
        assert!(Page::read(&strict.replace(what, by), Dialect::OpenMetrics).is_err(), "taken as good: {what} → {by}");
    }
}

proptest! {
    /// Whatever stands in a label or a help text, a reader has it back.
    #[test]
    fn every_text_is_read_back(values in prop::collection::btree_set(any::<String>(), 1..5), help in "[^\u{0}]{1,40}") {
        let registry = Registry::default();
        let things = registry.counters("forthwith_x_total", help.as_str(), &["kind", "of"]);
        let seconds = registry.histograms("forthwith_z_seconds", "Time.", &["of"], &[1.0]);
        for (nth, value) in values.iter().enumerate() {
            things.with(&["k", value]).add(nth as u64);
            let exemplar = Exemplar { trace: [9; 16], at_us: 5 };
            seconds.with(&[value]).observe_traced(Duration::from_secs(2), Some(exemplar));
        }
        for (format, dialect) in BOTH {
            let text = registry.page(format);
            let page = Page::read(&text, dialect);
            prop_assert!(page.is_ok(), "{:?}\n{}", page, text);
            let page = page.unwrap();
            prop_assert_eq!(&page.families[0].help, &help);
            for (nth, value) in values.iter().enumerate() {
                let labels = [("of", value.as_str())];
                prop_assert_eq!(page.sum("forthwith_x_total", &labels), nth as f64);
                prop_assert_eq!(page.sum("forthwith_z_seconds_count", &labels), 1.0);
            }
            prop_assert_eq!(page.families[0].samples.len(), values.len());
            let exemplars = page.samples().filter(|sample| sample.exemplar.is_some()).count();
            prop_assert_eq!(exemplars, if format == Format::OpenMetrics { values.len() } else { 0 });
        }
    }
}
