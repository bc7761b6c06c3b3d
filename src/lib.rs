//! **Forthwith** is a real-time decisioning engine: an event about a customer goes in, a governed decision comes out inside
//! its latency budget, recorded, explainable and replayable.
//!
//! ```text
//! event ─▶ Engine ─▶ the customer's actor ─▶ turn { context · rules ─▶ guardrail ─▶ record } ─▶ decision
//!                                                                          │
//!                                                                          ▼
//!                                                                       journal
//! ```
//!
//! One front door, one turn, one book. Everything enters as an input to one customer's actor; the actor takes one turn; what
//! was decided is written once in the journal.
//!
//! It is not a workflow server, not a feature store and not a model server: it decides, and remembers why.
//!
//! # Deciding in process
//!
//! ```
//! use forthwith::{Config, Engine, Event};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! let engine = Engine::start(Config::load("config")?.engine)?;
//! let event = Event::new("t-1", "helpdesk", "ticket.created", "customer-42")
//!     .with("subject", "Card declined")
//!     .with("body", "My card was declined at the till this morning.")
//!     .with("channel", "email");
//! # runtime.block_on(async {
//! let decision = engine.decide("ticket_routing", event).await?.into_result()?;
//! assert_eq!(decision.outcome().text("queue"), Some("cards"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! engine.shutdown()?;
//! # Ok(())
//! # }
//! ```
//!
//! The engine brings its own threads and works inside any async runtime. [`Engine`] has the other calls: `decide_batch`,
//! `observe`, `put_facts`, `explain`, `why_not`, `customer`. The tour is in [`docs/TOUR.md`](tour).
//!
//! # Cargo features
//!
//! | feature | brings |
//! |---|---|
//! | `cli` (default) | the `forthwith` command, with everything below |
//! | `http` | the HTTP doors, for a server of one's own: `Doors` |
//! | `neural` | neural ONNX models, run by onnxruntime's shared library, which is found when one is loaded |
//! | none | the engine alone, for use in process |
//!
//! # The rooms
//!
//! The names at the crate's root are its face, and what changes there is in the changelog. The modules are the rooms of the
//! house, public so that they can be read, tested and measured; `docs/ARCHITECTURE.md` is their map.

pub mod actor;
#[cfg(feature = "http")]
mod admin;
pub mod agents;
pub mod analysis;
#[cfg(feature = "http")]
mod app;
pub mod bundle;
pub mod cases;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod config;
pub mod context;
pub mod decider;
pub mod document;
pub mod domain;
pub mod drills;
pub mod engine;
pub mod gateway;
pub mod guardrail;
pub mod inference;
#[cfg(feature = "http")]
mod ingress;
#[cfg(feature = "cli")]
pub mod interchange;
pub mod journal;
pub mod replay;
pub mod rules;
pub mod serving;
mod sync;
pub mod telemetry;
pub mod time;
pub mod tlog;
pub mod training;
pub mod turn;

pub use actor::Shed;
#[cfg(feature = "http")]
pub use app::Doors;
pub use config::Config;
pub use document::{Fault, Faults};
pub use domain::{
    Decimal, DecisionId, Durability, Event, FallbackReason, Raw, Tier, TimeDelta, Timestamp, TraceContext,
};
pub use engine::{
    Answer, Budget, CustomerView, Data, Decision, Engine, Error, Explanation, Facts, FactsTaken, Observed, Options,
    Reason, StartError, Timing, WhyNot,
};
pub use telemetry::Sampling;

/// The tour: every public call, in the order in which a newcomer meets it.
#[doc = include_str!("../docs/TOUR.md")]
pub mod tour {}
