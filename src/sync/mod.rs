//! The synchronisation types of everything that takes part in the actors' and the journal's protocols.
//!
//! Those of the standard library; under `cfg(simulation)`, which only the package `tests/simulation` sets, those of shuttle
//! with the same names: then a scheduler of ours decides at every lock, wait, atomic and channel which thread goes on, and the
//! very same sources are checked over the orders of events. `Arc` is the standard library's in both.

#[cfg(simulation)]
mod simulated;

/// What no step of a protocol hangs on, such as what a sweep glances at. The machine's in both: a place more at which
/// another thread may go on multiplies the orders that there are, and would put nothing more to the test.
pub(crate) mod quiet {
    pub(crate) use std::sync::Mutex;
    pub(crate) use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32};
}

#[cfg(simulation)]
pub(crate) use simulated::*;

#[cfg(not(simulation))]
mod real {
    use std::time::Duration;

    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock, atomic, mpsc};
    pub(crate) use std::thread;
    pub(crate) use std::thread_local;

    /// How many threads can run side by side.
    pub(crate) fn cores() -> usize {
        thread::available_parallelism().map_or(2, usize::from)
    }

    /// Waits while `condition` holds, at most so long.
    pub(crate) fn wait_while_at_most<'a, T>(
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        limit: Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        condvar.wait_timeout_while(guard, limit, condition).map_or_else(|e| e.into_inner().0, |(guard, _)| guard)
    }

    /// A place where a simulation may go on with another thread, for steps that it does not see otherwise.
    #[inline(always)]
    pub(crate) fn point() {}
}

#[cfg(not(simulation))]
pub(crate) use real::*;
