//! What the engine is and how it stands, looked up when the metrics are read: nothing here costs an event anything.

use crate::actor;
use crate::bundle::Bundle;
use crate::domain::Timestamp;
use crate::journal;
use crate::telemetry::{Counter, Footprint, Gauge, GaugeFamily, Label, Level, Registry};

/// What the engine is and how it stands.
#[derive(Clone, Debug)]
pub(super) struct Census {
    footprint: Footprint,
    turns_waiting: Gauge,
    journal_seq: Gauge,
    journal_queue_max: Gauge,
    hot_bytes_max: Gauge,
    hot_customers_max: Gauge,
    warm_bytes_max: Gauge,
    bundle: GaugeFamily,
    bundle_since: Level,
    playbook_version: GaugeFamily,
    pub(super) bundles_refused: Counter,
}

impl Census {
    /// Declares the series of an engine that starts `now`.
    pub(super) fn new(registry: &Registry, now: Timestamp) -> Self {
        let version = Label::named("version", "the version of this program: one series");
        let build = registry.gauges(
            "forthwith_build_info",
            ("1, with the version of the program.", "Look when engines behave differently: are they the same?"),
            &[version],
        );
        build.with(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        let started = registry.level(
            "forthwith_start_time_seconds",
            (
                "When the engine was started, in seconds since 1970.",
                "`time() - forthwith_start_time_seconds` is how long it has been up.",
            ),
        );
        started.set(seconds(now));
        Self {
            footprint: Footprint::new(registry),
            turns_waiting: registry.gauge(
                "forthwith_turns_waiting",
                (
                    "Turns that wait now for customers who are busy or not yet in memory.",
                    "Look when decisions are late: it grows when keepers, the store or one customer cannot follow.",
                ),
            ),
            journal_seq: registry.gauge(
                "forthwith_journal_seq",
                ("The last record that is synced.", "Look when replicas or backups are compared with it."),
            ),
            journal_queue_max: registry.gauge(
                "forthwith_journal_queue_max_bytes",
                "Bytes that may wait for the disk before no further turn begins (`queue_bytes` of `[journal]`).",
            ),
            hot_bytes_max: registry.gauge(
                "forthwith_hot_max_bytes",
                "Bytes that the customers in memory may take (`hot_bytes` of `[engine]`).",
            ),
            hot_customers_max: registry
                .gauge("forthwith_hot_max_customers", "Customers who may be in memory (`hot_customers_max` of `[engine]`)."),
            warm_bytes_max: registry
                .gauge("forthwith_warm_max_bytes", "Bytes that the warm cache may take (`warm_bytes` of `[engine]`)."),
            bundle: registry.gauges(
                "forthwith_bundle_info",
                (
                    "1, with the bundle that is in force.",
                    "Look when engines that should decide alike do not: do they have the same bundle?",
                ),
                &[Label::named("bundle", "the bundle in force, by the hash of its files: one series")],
            ),
            bundle_since: registry.level(
                "forthwith_bundle_time_seconds",
                (
                    "When the bundle in force was put in force on this engine, or the engine was started with it, in seconds since 1970.",
                    "Draw it as a mark on dashboards: what changed with a bundle?",
                ),
            ),
            playbook_version: registry.gauges(
                "forthwith_playbook_version",
                "The version of a playbook in force, as its author counts.",
                &[Label::playbook()],
            ),
            bundles_refused: registry.counter(
                "forthwith_bundle_refusals_total",
                (
                    "Bundles that were to be put in force and were not, for faults in them or for want of room on the disk.",
                    "Look at once: somebody believes that a change is in force, and it is not.",
                ),
            ),
        }
    }

    /// Notes what bounds queues and caches.
    pub(super) fn bounded_by(&self, journal: &journal::Config, customers: &actor::Config) {
        self.journal_queue_max.set(whole(journal.queue_bytes as u64));
        self.hot_bytes_max.set(whole(customers.hot_bytes));
        self.hot_customers_max.set(whole(customers.hot_customers_max as u64));
        self.warm_bytes_max.set(whole(customers.warm_bytes));
    }

    /// Notes the bundle that is in force from `now` on.
    pub(super) fn put_in_force(&self, bundle: &Bundle, now: Timestamp) {
        self.bundle.set_all([([&*bundle.id().to_string()], 1.0)].into_iter());
        let versions = bundle.playbooks().iter().map(|of| ([&*of.name], f64::from(of.version)));
        self.playbook_version.set_all(versions);
        self.bundle_since.set(seconds(now));
    }

    /// Notes how things stand.
    pub(super) fn read(&self, turns_waiting: usize, journal_seq: u64) {
        self.footprint.read();
        self.turns_waiting.set(whole(turns_waiting as u64));
        self.journal_seq.set(whole(journal_seq));
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.micros() as f64 / 1e6
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
