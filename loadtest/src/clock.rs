//! The driver's own clock.

use std::time::{Duration, Instant};

/// The time.
#[expect(clippy::disallowed_methods, reason = "the driver has its own clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How long something takes.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let started = now();
    work();
    now() - started
}
