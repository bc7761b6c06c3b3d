//! The only registry of metrics. Other rooms declare their series in their own `metrics.rs` and know nothing of the
//! library behind these types.
//!
//! Labels are words from closed lists (tiers, reasons, playbook names from the bundle), never a customer's id, so the
//! number of series is bounded by the configuration.

mod registry;

pub use registry::{
    Counter, CounterFamily, Gauge, GaugeFamily, Histogram, HistogramFamily, LATENCY_SECONDS, Level, Registry, Sum,
    SumFamily,
};
