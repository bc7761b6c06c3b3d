//! The journal's series.

use crate::telemetry::{Counter, Gauge, Histogram, LATENCY_SECONDS, Registry};

/// What operators see of the journal.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) commits: Counter,
    pub(super) records: Counter,
    pub(super) bytes: Counter,
    pub(super) commit_seconds: Histogram,
    pub(super) batch_records: Histogram,
    pub(super) queue_bytes: Gauge,
    pub(super) disk_full: Gauge,
    pub(super) stopped: Gauge,
    pub(super) unsealed_segments: Gauge,
    pub(super) sealed_segments: Counter,
    pub(super) sealed_bytes: Counter,
    pub(super) sealing_failures: Counter,
}

impl Metrics {
    /// Declares the series.
    pub fn new(registry: &Registry) -> Self {
        Self {
            commits: registry.counter(
                "forthwith_journal_commits_total",
                ("Batches written and synced.", "Records divided by commits is how many decisions share a sync."),
            ),
            records: registry.counter("forthwith_journal_records_total", "Records written and synced."),
            bytes: registry.counter(
                "forthwith_journal_bytes_total",
                ("Bytes written and synced.", "Look when the disk fills sooner than planned."),
            ),
            commit_seconds: registry.histogram(
                "forthwith_journal_commit_seconds",
                (
                    "Time to write and sync a batch, in seconds.",
                    "Look first when decisions with `ack = \"disk\"` are slow or pending: this is the disk's part of them.",
                ),
                &LATENCY_SECONDS,
            ),
            batch_records: registry.histogram(
                "forthwith_journal_batch_records",
                (
                    "Records in a batch.",
                    "Large batches say that the disk is slower than what comes in, and that sharing syncs makes up for it.",
                ),
                &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4],
            ),
            queue_bytes: registry.gauge(
                "forthwith_journal_queue_bytes",
                (
                    "Bytes that wait to be written.",
                    "At `forthwith_journal_queue_max_bytes` requests wait for room, and are shed as `journal_behind`.",
                ),
            ),
            disk_full: registry.gauge(
                "forthwith_journal_disk_full",
                (
                    "1 while the journal waits for room on the disk and acknowledges nothing.",
                    "Make room; the engine goes on by itself.",
                ),
            ),
            stopped: registry.gauge(
                "forthwith_journal_stopped",
                (
                    "1 after a failed write or sync: nothing is acknowledged until the engine is started again.",
                    "The log says what failed. Look at the disk before starting again.",
                ),
            ),
            unsealed_segments: registry.gauge(
                "forthwith_journal_unsealed_segments",
                (
                    "Full segments that the sealer has not yet seen to.",
                    "Look when it grows: sealing is slower than writing, or fails.",
                ),
            ),
            sealed_segments: registry.counter("forthwith_journal_sealed_segments_total", "Segments compressed."),
            sealed_bytes: registry
                .counter("forthwith_journal_sealed_bytes_total", "Bytes of compressed segments written."),
            sealing_failures: registry.counter(
                "forthwith_journal_sealing_failures_total",
                "Full segments that could not be seen to; each is tried again when the next one is full.",
            ),
        }
    }
}
