//! The only clock, and the only thread that wakes others at a time.
//!
//! Everyone else is handed a [`Clock`] or an instant. Two kinds of time are kept apart: the wall clock says when
//! something happened ([`Timestamp`](crate::domain::Timestamp)), the steady clock measures budgets and deadlines
//! ([`Instant`]) and never jumps.

mod clock;
mod pulse;
mod timer;

pub use clock::{Clock, Deadline, Instant};
pub use pulse::{Elsewhere, Place, Pulse};
pub use timer::{Alarm, Timer};
