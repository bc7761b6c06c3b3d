//! The spans of a turn: waiting for the customer, and the turn itself, below the span of the call that they are for.
//!
//! A call without a span, which nearly all are, pays one branch.

use tracing::{Span, info_span};

/// The span of a turn that waits for its customer: busy, or not in memory.
pub(super) fn queue(call: &Span) -> Span {
    if call.is_disabled() { Span::none() } else { info_span!(parent: call, "queue") }
}

/// The span of a turn that is taken.
pub(super) fn turn(call: &Span, is_late: bool) -> Span {
    if call.is_disabled() {
        return Span::none();
    }
    info_span!(parent: call, "turn", forthwith.late = is_late)
}
