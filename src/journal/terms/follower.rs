//! The follower: a thread that keeps the index of terms close behind the journal, out of the way of those who write it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::super::JournalError;
use super::index::{Now, TermIndex};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex, wait_while_at_most};

/// How long it rests: at 50,000 records a second a search finds 10,000 that are not taken up, which takes some 20 ms.
const PAUSE: Duration = Duration::from_millis(200);

/// The way to the thread. It ends soon after this is dropped.
#[derive(Debug)]
pub(in super::super) struct Follower {
    index: Arc<TermIndex>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

/// Rung when it is to stop.
#[derive(Debug, Default)]
struct Bell {
    is_rung: Mutex<bool>,
    rung: Condvar,
}

impl Follower {
    /// Starts the thread; `now` says how far the journal has come.
    pub(in super::super) fn start(
        index: &Arc<TermIndex>,
        now: impl Fn() -> Now + Send + 'static,
    ) -> Result<Self, JournalError> {
        let bell = Arc::new(Bell::default());
        let (of_thread, heard) = (Arc::clone(index), Arc::clone(&bell));
        let thread = thread::Builder::new()
            .name("forthwith-terms".to_owned())
            .spawn(move || follow(&of_thread, &heard, now))
            .map_err(|e| JournalError::io("start the follower of", index.folder(), e))?;
        Ok(Self { index: Arc::clone(index), bell, thread: Some(thread) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.index.stop();
        *self.bell.is_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.rung.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there was told when it happened.
            let _ = thread.join();
        }
    }
}

fn follow(index: &TermIndex, bell: &Bell, now: impl Fn() -> Now) {
    let mut seen = now();
    // Full segments to look at, the newest last, which is what is asked for first.
    let mut full: Vec<u64> = (index.first..seen.open).collect();
    let mut is_well = true;
    while !index.is_stopping() {
        let result = match full.pop() {
            Some(number) => index.keep(number, now()),
            None => index.follow(seen),
        };
        // Told once: a segment that cannot be read is damaged, and whoever reads it is told so.
        if let Err(error) = result
            && std::mem::take(&mut is_well)
        {
            tracing::warn!(%error, "the index of terms cannot follow the journal");
        }
        if full.is_empty() && !pause(bell) {
            return;
        }
        let later = now();
        full.extend(seen.open..later.open);
        seen = later;
    }
}

/// Rests; false when it is to stop.
fn pause(bell: &Bell) -> bool {
    let is_rung = bell.is_rung.lock().unwrap_or_else(PoisonError::into_inner);
    !*wait_while_at_most(&bell.rung, is_rung, PAUSE, |is_rung| !*is_rung)
}
