//! The actors' series.

use crate::telemetry::{Counter, CounterFamily, Gauge, Histogram, LATENCY_SECONDS, Label, Registry};

/// What operators see of the actors.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(super) turns: Counter,
    pub(super) queued: Counter,
    pub(super) late: Counter,
    pub(super) handovers: Counter,
    pub(super) panics: Counter,
    pub(super) set_aside: Gauge,
    pub(super) hot: Gauge,
    pub(super) hot_bytes: Gauge,
    pub(super) held: Counter,
    pub(super) purged: Counter,
    pub(super) back_soon: Counter,
    pub(super) warm_bytes: Gauge,
    pub(super) passivations: Counter,
    pub(super) activated: Activations,
    pub(super) checkpoint_seconds: Histogram,
    pub(super) checkpoint_seq: Gauge,
    pub(super) saved: Counter,
    pub(super) store_failing: Gauge,
    pub(super) recovered: Counter,
    pub(super) recovery_left: Gauge,
    pub(super) recovery_failed: Gauge,
}

/// Activations by where the state came from.
#[derive(Clone, Debug)]
pub(super) struct Activations {
    pub(super) warm: Counter,
    pub(super) cold: Counter,
    pub(super) new: Counter,
}

impl Metrics {
    /// Declares the series.
    pub fn new(registry: &Registry) -> Self {
        let activations: CounterFamily = registry.counters(
            "forthwith_activations_total",
            (
                "Customers brought into memory, by where their state came from.",
                "`cold` ones cost a read of the store: many of them, and a larger `hot_bytes` or `warm_bytes` helps.",
            ),
            &[Label::words("from", ["warm", "cold", "new"])],
        );
        Self {
            turns: registry.counter("forthwith_turns_total", "Turns taken."),
            queued: registry.counter(
                "forthwith_turns_queued_total",
                (
                    "Turns that waited because the customer was busy.",
                    "Look when one customer gets much of the traffic, beside the stage of waiting.",
                ),
            ),
            late: registry.counter(
                "forthwith_turns_late_total",
                (
                    "Turns that were taken too late for anything but the default, so that the event is kept.",
                    "Look when fallbacks are `late`: the budget is too small, or a customer or the machine too busy.",
                ),
            ),
            handovers: registry.counter(
                "forthwith_handovers_total",
                "Times a caller had taken its share of a busy customer's turns and a keeper went on.",
            ),
            panics: registry.counter(
                "forthwith_turn_panics_total",
                (
                    "Turns that panicked; the state was rebuilt.",
                    "Any is a fault of the engine: the log has it, and it is worth a report.",
                ),
            ),
            set_aside: registry.gauge(
                "forthwith_inputs_set_aside",
                (
                    "Inputs on which no turn is taken, because three have panicked.",
                    "`GET /v1/set-aside` lists them, and they can be released there.",
                ),
            ),
            hot: registry.gauge(
                "forthwith_hot_customers",
                ("Customers in memory.", "At `forthwith_hot_max_customers` those who come least often are put to rest."),
            ),
            hot_bytes: registry.gauge(
                "forthwith_hot_bytes",
                (
                    "Bytes that the customers in memory take.",
                    "At `forthwith_hot_max_bytes` those who come least often are put to rest.",
                ),
            ),
            held: registry.counter(
                "forthwith_activations_held_total",
                (
                    "Customers who were held off until memory had room for them.",
                    "Look when it grows steadily: memory is too small for those who are active at once.",
                ),
            ),
            back_soon: registry.counter(
                "forthwith_activations_soon_total",
                "Customers brought into memory within a second of being put to rest: many say that memory is too small.",
            ),
            purged: registry.counter(
                "forthwith_states_purged_total",
                "States in the store that what had expired was dropped from.",
            ),
            warm_bytes: registry.gauge("forthwith_warm_bytes", "Bytes of encoded states in the warm cache."),
            passivations: registry.counter("forthwith_passivations_total", "Customers put to rest."),
            activated: Activations {
                warm: activations.with(&["warm"]),
                cold: activations.with(&["cold"]),
                new: activations.with(&["new"]),
            },
            checkpoint_seconds: registry.histogram(
                "forthwith_checkpoint_seconds",
                "Time to store all changed states, in seconds.",
                &LATENCY_SECONDS,
            ),
            checkpoint_seq: registry.gauge(
                "forthwith_checkpoint_seq",
                (
                    "The record up to which every stored state is current; recovery reads the journal from here.",
                    "`forthwith_journal_seq - forthwith_checkpoint_seq` is what a start would have to read.",
                ),
            ),
            store_failing: registry.gauge(
                "forthwith_store_failing",
                (
                    "1 while states cannot be stored: nothing is lost, but customers stay in memory and the next start takes longer.",
                    "The log says why; often the disk is full.",
                ),
            ),
            saved: registry.counter("forthwith_states_saved_total", "States written to the store."),
            recovered: registry.counter(
                "forthwith_recovered_records_total",
                "Records of the journal that were applied to stored states since the start.",
            ),
            recovery_left: registry.gauge(
                "forthwith_recovery_records_left",
                (
                    "Records of the journal that are yet to be read until the stored states are up to date.",
                    "Decisions are given meanwhile; a customer's first one may wait.",
                ),
            ),
            recovery_failed: registry.gauge(
                "forthwith_recovery_failed",
                (
                    "1 if the states could not be brought up to date with the journal: nothing is decided any more.",
                    "`/readyz` and the log say why.",
                ),
            ),
        }
    }
}
