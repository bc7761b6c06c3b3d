//! One input for one customer: dedup, fold, decide, guard, record.
//!
//! Read [`take`] top to bottom and you have read what the engine does. The room knows no runtime, no clock and no disk: the
//! same state, input, readings and bundle give the same turn, live and in a replay.
//!
//! Sketch of an event's cost: its data typed once at the door (an allocation per text), one walk over the rules, one look
//! at each value they use, some 400 bytes written into reused memory; no lock, no hop.
//!
//! | file | noun |
//! |---|---|
//! | `input` | what a turn is taken on |
//! | `take` | the turn |
//! | `flow` | an event in a playbook's flow control |
//! | `input_form` | an input by itself, as bytes |
//! | `late` | what is answered when there is no time for one |
//! | `cap_change` | what it changes in the accounts of global caps |
//! | `lender` | those accounts where no others are kept |
//! | `circumstances` | what consents, flow and caps leave a decision |
//! | `record`, `record_write`, `record_read`, `asked_read`, `consulted_read` | what the journal stores of it |
//! | `bundle_record` | what it stores of a bundle |
//! | `terms` | what records are searched by |
//! | `replay` | records applied, decisions remade |

#[cfg(test)]
mod agent_tests;
mod asked_read;
mod bundle_record;
mod cap_change;
#[cfg(test)]
mod cap_tests;
mod circumstances;
mod consulted_read;
mod flow;
#[cfg(test)]
mod flow_tests;
mod input;
mod input_form;
mod late;
mod lender;
#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod model_tests;
mod record;
mod record_read;
mod record_write;
mod replay;
#[cfg(test)]
mod state_tests;
mod take;
mod terms;
#[cfg(test)]
mod tests;

pub use crate::decider::Workspace;
pub use bundle_record::{decode_bundle, encode_bundle};
pub use cap_change::{CapChange, cap_changes};
pub use circumstances::own_room;
pub use input::{
    ConsentsInput, EventInput, FactsInput, FeedbackInput, Input, LateAnswerInput, Lease, ModelReadings, Readings,
    RecordedModels, Run, Served, SettlementInput, TraceId, Wanted,
};
pub use input_form::{decode_input, encode_input};
pub use late::late;
pub use lender::Lender;
pub use record::{RECORD_VERSION, Record, RecordError, RecordedDecision, SEMANTICS_VERSION};
pub use record_write::{RecordBuffer, Written};
pub use replay::{Unaccounted, apply};
pub use take::{Entered, Made, Surroundings, Taken, Turn, apply_input, apply_outcome, decide, playbooks_of, take};
pub use terms::{TERMS_VERSION, Termed, searchable, terms_of};
