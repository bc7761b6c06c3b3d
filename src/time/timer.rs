//! A thread that wakes waiters at an instant.
//!
//! An async runtime's own sleep was measured to be late by a millisecond in the median and eight at worst, and a caller's
//! runtime may have no timer at all. One thread of our own that does nothing else is late by the scheduler's own lateness.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::{Clock, Instant};

/// A handle to the timer thread; the thread ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Timer(Arc<Running>);

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Alarms {
    heap: BinaryHeap<Reverse<Entry>>,
    /// Heap length at which alarms that nobody waits for any more are swept out.
    sweep_at: usize,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    wake: oneshot::Sender<()>,
}

/// Resolves at its instant. Dropping it cancels it.
#[derive(Debug)]
pub struct Alarm(oneshot::Receiver<()>);

/// The smallest heap that is worth sweeping.
const SWEEP_MIN: usize = 1_024;

impl Timer {
    /// Starts the thread.
    pub fn start(clock: Clock) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("forthwith-timer".to_owned()).spawn(move || run(&for_thread, &clock))?;
        Ok(Self(Arc::new(Running { shared, thread: Some(thread) })))
    }

    /// An alarm that resolves at `instant`. Costs one lock and one small allocation.
    pub fn at(&self, instant: Instant) -> Alarm {
        let (wake, alarm) = oneshot::channel();
        let shared = &self.0.shared;
        let mut alarms = shared.lock();
        let is_first = alarms.heap.peek().is_none_or(|Reverse(first)| instant < first.at);
        alarms.heap.push(Reverse(Entry { at: instant, wake }));
        if alarms.heap.len() >= alarms.sweep_at.max(SWEEP_MIN) {
            alarms.heap.retain(|Reverse(entry)| !entry.wake.is_closed());
            alarms.sweep_at = alarms.heap.len() * 2;
        }
        drop(alarms);
        if is_first {
            shared.changed.notify_one();
        }
        Alarm(alarm)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(shared: &Shared, clock: &Clock) {
    let mut alarms = shared.lock();
    while !alarms.closed {
        let now = clock.instant();
        while alarms.heap.peek().is_some_and(|Reverse(first)| first.at <= now) {
            if let Some(Reverse(due)) = alarms.heap.pop() {
                // A closed receiver means that nobody waits any more.
                let _ = due.wake.send(());
            }
        }
        let wait = alarms.heap.peek().map(|Reverse(first)| first.at.since(now));
        alarms = match wait {
            Some(wait) => {
                shared.changed.wait_timeout(alarms, wait).map_or_else(|e| e.into_inner().0, |(guard, _)| guard)
            }
            None => shared.changed.wait(alarms).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Alarm {
    /// Whether it has rung: for someone who looks in again, and does not wait. Not to be asked again once it has.
    pub fn has_rung(&mut self) -> bool {
        !matches!(self.0.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // A timer that is gone cannot ring: an error counts as the alarm, so that nobody waits for ever.
        Pin::new(&mut self.0).poll(context).map(|_| ())
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rings_in_order_and_never_early() {
        let clock = Clock::system();
        let timer = Timer::start(clock.clone()).unwrap();
        let start = clock.instant();
        let [late, early] = [20, 5].map(|ms| start.after(Duration::from_millis(ms)));
        let (late_alarm, early_alarm) = (timer.at(late), timer.at(early));
        early_alarm.0.blocking_recv().unwrap();
        assert!(clock.instant() >= early);
        late_alarm.0.blocking_recv().unwrap();
        assert!(clock.instant() >= late);
    }

    #[test]
    fn forgets_alarms_that_nobody_waits_for() {
        let timer = Timer::start(Clock::system()).unwrap();
        let far = Clock::system().instant().after(Duration::from_secs(3_600));
        for _ in 0..10 * SWEEP_MIN {
            drop(timer.at(far));
        }
        assert!(timer.0.shared.lock().heap.len() <= 2 * SWEEP_MIN);
    }
}
