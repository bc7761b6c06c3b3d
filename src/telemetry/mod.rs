//! The only registry of metrics, and what joins spans to their traces. Other rooms declare their series in their own `metrics.rs` and know nothing of the
//! library behind these types.
//!
//! Labels are words from closed lists (tiers, reasons, playbook names from the bundle), never a customer's id, so the
//! number of series is bounded by the configuration.

mod placing;
mod registry;
mod sampling;

#[cfg(feature = "otel")]
pub use placing::root_trace;
pub use placing::{context_of, place};
pub use registry::{
    Counter, CounterFamily, Gauge, GaugeFamily, Histogram, HistogramFamily, LATENCY_SECONDS, Level, Registry, Sum,
    SumFamily,
};
pub use sampling::{Obeys, Sampling};
