//! Actors: one cell per customer, turns inline on the caller's thread, and actix for everything that takes time.
//!
//! A cell is a virtual actor whose mailbox is bypassed while it is empty: private state, one turn at a time, first come
//! first served, activated on demand, passivated when idle, rebuilt when it breaks. The registry of cells is a dashmap; the
//! encoded states of resting customers are in a moka cache, and behind it in the state store.
//!
//! Sketch of a turn's cost beyond the turn itself: one look into the registry (some 0.2 us at a million customers, most of it
//! cache misses), one compare-and-swap in, one out, one append to the journal's buffer; no hop, no wait, no lock that
//! another customer holds.
//!
//! | file | noun |
//! |---|---|
//! | `cell` | one customer in memory: the protocol |
//! | `request` | a turn as it is asked for |
//! | `job`, `mailbox` | what waits; what goes first when too much does |
//! | `taking` | whether turns are taken on |
//! | `lateness` | how long a turn has to wait |
//! | `busiest` | who took the most turns lately |
//! | `cap_book`, `lending` | global caps: what is taken, what is lent out, and to whom |
//! | `latest_feedback` | which record was the last feedback |
//! | `one_turn` | one turn, taken and recorded |
//! | `held` | a customer who is held while somebody is asked |
//! | `registry` | the cells, by customer |
//! | `house` | all of them: taking turns |
//! | `loading` | bringing states in, handing them out |
//! | `occupancy` | how much memory they take, how much is to be given back |
//! | `keeper`, `sweep` | what takes time; who may rest |
//! | `looks` | whether a caller may look into the store itself |
//! | `leaving` | those who are to be put to rest |
//! | `archive`, `expiring` | states to the store; what has expired out of it |
//! | `keeper_actor`, `archivist` | the actix actors that do it in an engine |
//! | `set_aside` | inputs on which no turn is taken any more |
//! | `runtime` | their system |
//! | `span` | the spans of a turn |
//! | `watch` | what a simulation sees of the cells |
//! | `warm` | states of resting customers |
//! | `shelf` | bundles by record |
//! | `recovery` | states brought up to date with the journal, behind those who are served |
//! | `backlog` | what they lack until then, and who was asked for meanwhile |
//! | `tail`, `rebuild` | the records they lack; the states in the making |
//! | `catch_up` | one customer's state brought up to date |
//! | `side_by_side` | work that several threads do |
//! | `record_terms` | what records are searched by |
//! | `history` | what the journal has of one customer |
//! | `pulses` | the signs of life of the actors' threads |
//! | `opening` | from what is on disk to where turns can be taken |
//! | `customers` | the face of the room |

mod archive;
mod archivist;
mod backlog;
mod busiest;
mod cap_book;
mod catch_up;
mod cell;
mod customers;
mod expiring;
mod held;
mod history;
mod house;
mod job;
mod keeper;
mod keeper_actor;
mod lateness;
mod latest_feedback;
mod leaving;
mod lending;
mod loading;
mod looks;
mod mailbox;
mod metrics;
mod occupancy;
mod one_turn;
mod opening;
mod outcome;
mod pulses;
mod rebuild;
mod record_terms;
mod recovery;
mod registry;
mod request;
mod runtime;
mod set_aside;
mod shelf;
mod side_by_side;
#[cfg(simulation)]
#[path = "../../tests/simulation/harness/mod.rs"]
pub mod simulation;
mod span;
mod sweep;
mod tail;
mod taking;
#[cfg(test)]
mod tests;
#[cfg_attr(simulation, path = "../../tests/simulation/harness/warm.rs")]
mod warm;
#[cfg_attr(simulation, path = "../../tests/simulation/harness/watch.rs")]
mod watch;

pub use backlog::{RecoveryProgress, RecoveryStage};
pub use busiest::{Busiest, BusyCustomer};
pub use customers::{Config, Customers, Expired, GlobalCap, Progress, Start};
pub use held::Held;
pub use history::{History, Recorded, RecordedWhat, Stretch};
pub use house::InForce;
pub use metrics::Metrics;
pub use outcome::{Failure, RecoveryError, Refusal, Shed};
pub use pulses::ActorPulses;
pub use record_terms::RecordTerms;
pub use recovery::Recovered;
pub use request::{Asked, Overdue, Request, TurnDone, Waiting};
pub use set_aside::{InputId, PANICS_MAX, SET_ASIDE_MAX, SetAside, SetAsideInput, set_aside_of};
pub use shelf::{ShelfError, bundle_of};
pub use sweep::Resting;
