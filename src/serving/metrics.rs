//! The inference pool's series.

use crate::telemetry::{Counter, CounterFamily, Gauge, Histogram, HistogramFamily, LATENCY_SECONDS, Label, Registry};

use super::queue::ClosedBy;

/// What operators see of the inference pool.
#[derive(Clone, Debug)]
pub struct Metrics {
    answers: CounterFamily,
    batches: CounterFamily,
    batch_texts: HistogramFamily,
    wait_seconds: HistogramFamily,
    service_seconds: HistogramFamily,
    pub(super) waiting: Gauge,
}

/// What operators see of one model.
#[derive(Clone, Debug)]
pub(super) struct ModelMetrics {
    pub(super) scored: Counter,
    pub(super) overdue: Counter,
    pub(super) late: Counter,
    pub(super) shed: Counter,
    pub(super) failed: Counter,
    pub(super) stopped: Counter,
    pub(super) taken_back: Counter,
    pub(super) batch_texts: Histogram,
    pub(super) wait_seconds: Histogram,
    pub(super) service_seconds: Histogram,
    closed: [Counter; 4],
}

impl Metrics {
    /// Declares the series.
    pub fn new(registry: &Registry) -> Self {
        let model = || Label::named("model", "slow models of the bundle in force");
        let words = ["scored", "overdue", "late", "shed", "failed", "stopped", "taken_back"];
        Self {
            answers: registry.counters(
                "forthwith_inference_answers_total",
                (
                    "Questions to slow models by what came of them: scored; overdue (scored after the deadline, and dropped); \
                     late (not asked, there was no time); shed; failed; stopped; taken_back (nobody waited any more).",
                    "Look when fallbacks are `model_late` or `model_shed`: many `overdue` or `late` ones want a larger budget or \
                     more threads, `shed` ones a longer queue or fewer questions.",
                ),
                &[model(), Label::words("answer", words)],
            ),
            batches: registry.counters(
                "forthwith_inference_batches_total",
                (
                    "Batches put to slow models, by what closed them: full, idle (the model had nothing to do), quiet (nobody \
                     else came), deadline.",
                    "Many `full` ones say that the model is at its limit.",
                ),
                &[model(), Label::words("closed_by", ClosedBy::ALL.map(ClosedBy::name))],
            ),
            batch_texts: registry.histograms(
                "forthwith_inference_batch_texts",
                "Texts in a batch.",
                &[model()],
                &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0],
            ),
            wait_seconds: registry.histograms(
                "forthwith_inference_wait_seconds",
                ("Time from a question until its batch closed, in seconds.", "What the queue costs, beside the model itself."),
                &[model()],
                &LATENCY_SECONDS,
            ),
            service_seconds: registry.histograms(
                "forthwith_inference_service_seconds",
                "Time that a model took for a batch, in seconds.",
                &[model()],
                &LATENCY_SECONDS,
            ),
            waiting: registry.gauge(
                "forthwith_inference_waiting",
                (
                    "Questions that wait for a slow model.",
                    "Each model's queue has `queue_max` places (`[inference]`); what is beyond is shed.",
                ),
            ),
        }
    }

    /// The series of one model.
    pub(super) fn of(&self, model: &str) -> ModelMetrics {
        let answer = |answer| self.answers.with(&[model, answer]);
        ModelMetrics {
            scored: answer("scored"),
            overdue: answer("overdue"),
            late: answer("late"),
            shed: answer("shed"),
            failed: answer("failed"),
            stopped: answer("stopped"),
            taken_back: answer("taken_back"),
            batch_texts: self.batch_texts.with(&[model]),
            wait_seconds: self.wait_seconds.with(&[model]),
            service_seconds: self.service_seconds.with(&[model]),
            closed: ClosedBy::ALL.map(|by| self.batches.with(&[model, by.name()])),
        }
    }
}

impl ModelMetrics {
    /// Counts a batch by what closed it.
    pub(super) fn closed(&self, by: ClosedBy) {
        self.closed[by as usize].inc();
    }
}
