//! The same names over shuttle: every operation is a place where another thread may go on.

use std::time::Duration;

pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, RwLock, atomic, mpsc};
pub(crate) use shuttle::thread;
pub(crate) use shuttle::thread_local;

/// How many threads can run side by side: so many on every machine, so that a seed tells the same story.
pub(crate) fn cores() -> usize {
    2
}

/// Waits while `condition` holds, at most so long. The time is always over at once: shuttle knows no time, and a wait that ends
/// at once is one of those that there may be.
pub(crate) fn wait_while_at_most<'a, T>(
    _: &Condvar,
    guard: MutexGuard<'a, T>,
    _: Duration,
    _: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    guard
}

/// A place where the simulation may go on with another thread, for steps that it does not see otherwise: a look into a map
/// whose locks are real.
pub(crate) fn point() {
    // Any operation on one of its atomics is such a place.
    atomic::AtomicBool::new(false).load(atomic::Ordering::SeqCst);
}
