//! A customer's context and ledger: declared shapes, typed events, facts, signals, and their stored form.
//!
//! Pure: the room knows no clock and no disk. Time comes with every question, so the same state asked the same question
//! gives the same answer in a live turn and in a replay.
//!
//! | file | noun |
//! |---|---|
//! | `layout` | what is declared: event types, facts, signals; typing an event |
//! | `tags` | purposes, retention, regulation, freshness |
//! | `signal` | windowed counts, sums, last values, distinct counts |
//! | `ledger` | events seen, decisions made |
//! | `commitments` | what decisions took of caps, decisions that are pending |
//! | `cap_account` | what all customers together took of a cap |
//! | `pace` | when a playbook with flow control last heard of a key |
//! | `consent` | what the customer allows |
//! | `state` | all of it, for one customer |
//! | `codec` | values on disk |

mod cap_account;
mod codec;
mod commitments;
mod consent;
mod layout;
mod ledger;
mod pace;
mod signal;
mod state;
mod tags;
#[cfg(test)]
mod tests;

pub use cap_account::{CapAccount, StoredCapAccount, Take};
pub use codec::{Compact, CompactSeed};
pub use commitments::{CapKey, Commitments, PENDING_MAX, Pending, RESERVATIONS_MAX, Reservation, Settled};
pub use consent::{Consent, Consents};
pub use layout::{Attributes, EventFault, EventType, FactDefinition, Layout, TypedEvent, Undeclared};
pub use ledger::{Entry, Known, Ledger, PlaybookKey, Tally, Window};
pub use pace::{FlowKey, KEYS_MAX, Memory, Pace, Paced, Step};
pub use signal::{BUCKETS_MAX, Signal, SignalDefinition, SignalKind};
pub use state::{CustomerState, Fact, StateError};
pub use tags::{Freshness, PURPOSES_MAX, Purpose, Purposes, Tags};
