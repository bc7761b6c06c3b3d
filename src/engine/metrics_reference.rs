//! All series of an engine as a document: `docs/METRICS.md`.

use super::admission::{self, Admission};
use super::census::Census;
use super::metrics::Metrics;
use super::selfcheck::Board;
use crate::actor;
use crate::domain::Timestamp;
use crate::gateway::Gateway;
use crate::journal;
use crate::serving;
use crate::telemetry::{Registry, Section};

/// What stands before the tables.
const PREFACE: &str = "\
# Metrics

<!-- Made by `forthwith metrics`: change what the code says, not this file. -->

Every series that `GET /metrics` has: what it counts, in which unit, with which labels, and when to look at it. The page comes in
Prometheus' text format 0.0.4, and in OpenMetrics 1.0 for whoever asks for it (`Accept: application/openmetrics-text`, as Prometheus does); both
have the same series under the same names.

- **Names** begin with `forthwith_`; `process_` ones are those that every program with Prometheus' libraries has, and are there on Linux
  only. Units are base units and stand at the end: `_seconds`, `_bytes`, `_ratio` (0 to 1). What ends in `_total` only grows, and begins at
  zero with the program; look at its `rate`.
- **Histograms** of times have three bounds to a decade, from a microsecond to ten seconds: a quantile is right within a factor of about
  2.5. Those of other things say their bounds on the page.
- **Labels** have values from closed lists, or names from the configuration; never anything that a request brings. An unknown playbook or provider
  makes no series, and a customer never has one. When another bundle is put in force, the series of names that are no longer in it go. A decision of
  the former bundle that is counted a moment later can bring a few back; they go with the next change. So there are never more than those of the bundle in
  force and of the one before it.
- **Exemplars**: in OpenMetrics a bucket of `forthwith_decision_seconds` and `forthwith_decision_stage_seconds` names the latest trace that fell into it (`trace_id`), if its
  spans are kept. Start Prometheus with `--enable-feature=exemplar-storage`, and a dashboard leads from a slow bucket to a slow decision.
- **`_created`** is left out: Prometheus would keep each as one more series. `process_start_time_seconds` says when counting began.
- What is not built has no series: outbox, reviews.

What counting costs is in [BENCHMARKS.md](BENCHMARKS.md#metrics).
";

/// The sections, with the beginnings of the names of their series.
const SECTIONS: [Section<'static>; 10] = [
    Section {
        title: "Decisions",
        introduction: "What the engine is for: how many, how quickly, how they came about. Look here first.",
        beginnings: &[
            "forthwith_decision",
            "forthwith_fallback",
            "forthwith_events_",
            "forthwith_facts_",
            "forthwith_consents_",
            "forthwith_settlements_",
            "forthwith_refused_",
            "forthwith_slow_",
        ],
    },
    Section {
        title: "Load",
        introduction: "What is not taken on, and what waits. Look here when callers are shed or answered late.",
        beginnings: &[
            "forthwith_shed_",
            "forthwith_failed_",
            "forthwith_turn",
            "forthwith_handovers_",
            "forthwith_inputs_",
            "forthwith_admission_",
        ],
    },
    Section {
        title: "Limits and caps",
        introduction: "What the guardrail did to proposals.",
        beginnings: &["forthwith_limits_", "forthwith_cap"],
    },
    Section {
        title: "Small models",
        introduction: "What models in process come to, and how far that has moved: see [Watching models](API.md#watching-models).",
        beginnings: &["forthwith_model_", "forthwith_inference_"],
    },
    Section {
        title: "Large models and agents",
        introduction: "What is asked of providers, how it ends and what it costs.",
        beginnings: &["forthwith_gateway_", "forthwith_agent_", "forthwith_budget_", "forthwith_late_answers_"],
    },
    Section {
        title: "Feedback",
        introduction: "What people say of decisions. Each of these series is there once something was said.",
        beginnings: &["forthwith_feedback_", "forthwith_model_judged_"],
    },
    Section {
        title: "Customers",
        introduction: "Who is in memory, who is brought there, and how states are stored.",
        beginnings: &[
            "forthwith_activations_",
            "forthwith_hot_",
            "forthwith_warm_",
            "forthwith_passivations_",
            "forthwith_states_",
            "forthwith_store_",
            "forthwith_checkpoint_",
            "forthwith_recover",
        ],
    },
    Section {
        title: "Journal",
        introduction: "The disk's part. Look here when decisions with `ack = \"disk\"` are slow or pending.",
        beginnings: &["forthwith_journal_"],
    },
    Section {
        title: "Health",
        introduction: "Whether the engine is sound, as it finds itself.",
        beginnings: &["forthwith_selfcheck_", "forthwith_fallback_exercised_", "forthwith_thread_"],
    },
    Section {
        title: "Bundle and program",
        introduction: "What is in force, since when, and what the program takes of the machine.",
        beginnings: &["forthwith_bundle_", "forthwith_playbook_", "forthwith_build_", "forthwith_start_", "process_"],
    },
];

/// A document of all series that an engine has. `docs/METRICS.md` is this.
pub fn metrics_reference() -> String {
    let registry = Registry::default();
    declare_all(&registry);
    format!("{PREFACE}{}", registry.reference(&SECTIONS))
}

/// Declares what an engine declares when it starts.
pub(super) fn declare_all(registry: &Registry) {
    let _ = Census::new(registry, Timestamp::from_micros(0));
    let _ = serving::Metrics::new(registry);
    Gateway::declare(registry);
    let _ = journal::Metrics::new(registry);
    let _ = actor::Metrics::new(registry);
    let _ = Metrics::new(registry);
    let _ = Board::new(registry);
    let _ = Admission::new(admission::Config::default(), registry);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_document_is_up_to_date() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/METRICS.md");
        let found = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            found.trim_end() == metrics_reference().trim_end(),
            "docs/METRICS.md is out of date: make it anew with `cargo run -- metrics > docs/METRICS.md`"
        );
    }

    #[test]
    fn every_series_has_its_section_and_a_help_that_is_a_sentence() {
        let reference = metrics_reference();
        assert!(!reference.contains("## Others"), "a series stands in no section of `SECTIONS`");
        assert!(!reference.contains("nobody said"), "a label is declared without its values: see `telemetry::Label`");
        for line in reference.lines().filter(|line| line.starts_with("*counter") || line.starts_with("*gauge")) {
            assert!(line.ends_with('.') || line.ends_with(['?', '!']), "no sentence: {line}");
        }
    }

    /// Base units, and the endings that scrapers expect.
    #[test]
    fn names_are_as_prometheus_wants_them() {
        let reference = metrics_reference();
        let series = reference.split("\n### `").skip(1);
        let mut count = 0;
        for (name, rest) in series.map(|of| of.split_once('`').unwrap()) {
            count += 1;
            let is_counter = rest.trim_start().starts_with("*counter");
            assert!(name.starts_with("forthwith_") || name.starts_with("process_"), "{name}");
            assert_eq!(
                name.ends_with("_total"),
                is_counter,
                "{name}: what ends in `_total` is a counter, and the other way round"
            );
            let other_units =
                ["_ms", "milli", "micro", "nano", "minute", "hour", "kilo", "mega", "percent", "_us", "_sec"];
            assert!(!other_units.iter().any(|unit| name.replace("_seconds", "").contains(unit)), "{name}: base units");
            for ending in ["_bucket", "_sum", "_count", "_created"] {
                assert!(!name.ends_with(ending), "{name}: the ending is taken for a part of a histogram");
            }
        }
        assert!(count > 80, "{count}");
    }
}
