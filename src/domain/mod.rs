//! The vocabulary: names, numbers, times, values and their types, without I/O and without a clock.
//!
//! Everything here can be built only in a valid form ("parse at the door, trust inside"), is cheap to compare and has one
//! text form. The room imports no other room.
//!
//! | file | noun |
//! |---|---|
//! | `decimal` | exact money and amounts |
//! | `money` | what calls cost |
//! | `timestamp` | points and lengths of time |
//! | `id` | customers, events, decisions, partitions |
//! | `raw` | values as they came from outside |
//! | `types` | types, values, enumerations |
//! | `datum` | a value to be looked at |
//! | `field` | a named, typed, bounded slot of a schema |
//! | `unavailable` | why a value cannot be used |
//! | `event` | an event as a caller hands it over |
//! | `secret` | texts that must not be shown |
//! | `verdict` | tiers, fallbacks, settlements, feedback, durability |
//! | `term` | what records are searched by |
//! | `suggest` | "did you mean" |
//! | `trace_context` | where a call stands in a trace |

mod datum;
mod decimal;
mod event;
mod field;
mod id;
mod money;
mod raw;
mod secret;
mod suggest;
mod term;
mod timestamp;
mod trace_context;
mod types;
mod unavailable;
mod verdict;

pub use datum::Datum;
pub use decimal::{Decimal, DecimalError, half_even};
pub use event::Event;
pub use field::{Field, FieldFault, Limits};
pub use id::{
    CustomerId, DecisionId, DecisionIdError, DecisionName, EventKey, ID_BYTES_MAX, IdError, Partition, TenantId,
};
pub use money::{Money, MoneyError};
pub use raw::{DEPTH_MAX, EVENT_BYTES_MAX, MEMBERS_MAX, Raw, RawMap, key_twice};
pub use secret::Secret;
pub use suggest::{did_you_mean, suggestion};
pub use term::Term;
pub use timestamp::{FUTURE_MAX, TimeDelta, TimeError, Timestamp};
pub use trace_context::TraceContext;
pub use types::{Enumeration, Type, TypeMismatch, Value};
pub use unavailable::Unavailable;
pub use verdict::{Durability, FallbackReason, FeedbackVerdict, Settlement, Tier};
