//! How one call differs from the usual.

use std::time::Duration;

use crate::turn::TraceId;

/// How one call differs from the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How long the caller waits at most.
    pub budget: Budget,
    /// The caller's trace, to be found again in the record.
    pub trace: Option<TraceId>,
    /// Whether the caller keeps the trace, as the flag in `traceparent` says: then the metrics point to it.
    pub is_sampled: bool,
    /// What counts as the event's arrival.
    pub timing: Timing,
}

impl Options {
    /// The trace, if the caller keeps it.
    pub(super) fn sampled(&self) -> Option<TraceId> {
        self.trace.filter(|_| self.is_sampled)
    }
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
