//! The only registry of metrics, and what joins spans to their traces. Other rooms declare their series in their own `metrics.rs` and know nothing of the
//! library behind these types.
//!
//! Labels are words from closed lists (tiers, reasons) or from the configuration (playbook names of the bundle), never a
//! customer's id, so the number of series is bounded by the configuration. A declaration says which, and what the series is for;
//! `docs/METRICS.md` is made from that.
//!
//! What is counted on the way of an event costs atomic additions and no lock. What it costs all in all: `docs/BENCHMARKS.md`.
//!
//! | file | noun |
//! |---|---|
//! | `registry` | the registry: declaring series, dropping those that are out of force |
//! | `series` | counters, gauges, histograms |
//! | `declared` | what a series is declared with: its meaning, its labels |
//! | `exemplar` | the latest trace in each bucket of a histogram |
//! | `page` | the page that is scraped, in two formats |
//! | `reference` | all series as a document |
//! | `footprint` | what the program takes of the machine |
//! | `placing`, `sampling` | where spans stand in their traces, and which calls have some |

mod declared;
mod exemplar;
#[cfg(test)]
#[path = "../../tests/integration/exposition.rs"]
#[allow(dead_code, reason = "each test reads a part of it")]
pub(crate) mod exposition;
mod footprint;
mod page;
#[cfg(test)]
mod page_tests;
mod placing;
mod reference;
mod registry;
mod sampling;
mod series;

pub use declared::{Help, Label, LabelValues};
pub use exemplar::Exemplar;
pub use footprint::Footprint;
pub use page::Format;
#[cfg(feature = "otel")]
pub use placing::root_trace;
pub use placing::{context_of, place};
pub use reference::Section;
pub use registry::Registry;
pub use sampling::{Obeys, Sampling};
pub use series::{
    Counter, CounterFamily, Gauge, GaugeFamily, Histogram, HistogramFamily, LATENCY_SECONDS, Level, Sum, SumFamily,
};
