//! How one call differs from the usual.

use std::time::Duration;

use crate::domain::TraceContext;

/// How one call differs from the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How long the caller waits at most.
    pub budget: Budget,
    /// Where the caller stands in a trace: its name is kept in the record, and the spans of the call are below the caller's span, if
    /// the caller keeps any ([`Config::spans`](super::Config::spans)).
    pub trace: Option<TraceContext>,
    /// What counts as the event's arrival.
    pub timing: Timing,
    /// What the call is worth under overload, from 0 to 9, if that is less than its playbook says; of calls in bulk, the same as
    /// its playbook says at most. `None`: what its playbook says, and three less in bulk.
    pub priority: Option<u8>,
    /// How long the call has waited already before it was made, in a queue of the caller's: its budget counts from then. Callers
    /// who tell this let the engine see an overload that it cannot see by itself; `None` tells nothing.
    pub waited: Option<Duration>,
}

/// How long a caller waits at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Budget {
    /// As long as the playbook says.
    #[default]
    Playbook,
    /// As long as this, or as the playbook says if that is shorter.
    AtMost(Duration),
    /// As long as it takes: for work in bulk, where nobody waits for the single decision.
    Unlimited,
}

/// What counts as an event's arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timing {
    /// Now.
    #[default]
    Arrival,
    /// The event's own time, so that history is decided as it was.
    EventTime,
}
