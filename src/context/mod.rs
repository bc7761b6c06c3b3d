//! A customer's context and ledger: declared shapes, typed events, facts, signals, and their stored form.
//!
//! Pure: the room knows no clock and no disk. Time comes with every question, so the same state asked the same question
//! gives the same answer in a live turn and in a replay.
//!
//! | file | noun |
//! |---|---|
//! | `layout` | what is declared: event types, facts, signals; typing an event |
//! | `tags` | purposes, retention, regulation, freshness |
//! | `signal_definition`, `decay` | what a signal keeps |
//! | `signal`, `content`, `latest`, `distinct`, `groups` | windowed counts, sums, extremes, means, last values, distinct counts |
//! | `recent` | the latest events |
//! | `ledger` | events seen, decisions made |
//! | `commitments` | what decisions took of caps, decisions that are pending |
//! | `cap_account` | what all customers together took of a cap |
//! | `pace` | when a playbook with flow control last heard of a key |
//! | `consent` | what the customer allows |
//! | `state` | all of it, for one customer |
//! | `parked`, `signal_parts` | what it holds, for someone who looks |
//! | `state_form`, `signal_form`, `ledger_form`, `kept`, `packed` | a state on disk |
//! | `state_v1` | a state on disk as it was once |
//! | `codec` | values in records |

mod cap_account;
mod codec;
mod commitments;
mod consent;
mod content;
mod decay;
mod distinct;
mod groups;
mod kept;
mod latest;
mod layout;
mod ledger;
mod ledger_form;
mod pace;
mod packed;
mod parked;
mod recent;
mod signal;
mod signal_definition;
mod signal_form;
mod signal_parts;
#[cfg(test)]
mod signal_tests;
mod state;
mod state_form;
mod state_v1;
mod tags;
#[cfg(test)]
mod tests;

pub use cap_account::{CapAccount, StoredCapAccount, Take};
pub use codec::{Compact, CompactSeed};
pub use commitments::{CapKey, Commitments, PENDING_MAX, Pending, RESERVATIONS_MAX, Reservation, Settled};
pub use consent::{Consent, Consents};
pub use decay::Decay;
pub use layout::{Attributes, EventFault, EventType, FactDefinition, Layout, TypedEvent, Undeclared};
pub use ledger::{Entry, Known, Ledger, PlaybookKey, Tally, Window};
pub use pace::{FlowKey, KEYS_MAX, Memory, Pace, Paced, Step};
pub use parked::ParkedFact;
pub use recent::{RECENT_DEFAULT, RECENT_MAX, RecentDefinition, RecentEvent};
pub use signal::Signal;
pub use signal_definition::{
    BUCKETS_MAX, GROUPS_DEFAULT, GROUPS_MAX, Grouping, LAST_N_MAX, SignalDefinition, SignalKind,
};
pub use signal_parts::{GroupLabel, GroupStanding, PartHeld, SignalPart};
pub use state::{CustomerState, Fact, StateError};
pub use tags::{Freshness, PURPOSES_MAX, Purpose, Purposes, Tags};
