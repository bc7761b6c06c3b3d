//! Waking at a time.
//!
//! In process the loop is polled by hand and the thread is parked. Over HTTP the sockets are tokio's, whose own timer counts in
//! milliseconds and rounds up: half a millisecond late on average, ten times what a call takes. A `timerfd` of the kernel's is read like
//! a socket and is late by the kernel's own lateness alone, some 50 us; it costs two system calls a wake. A loop that polls without
//! sleeping would be more exact still, and would take the processor from the engine.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::clock::now;

/// Wakes the loop at a time.
pub(super) trait Alarm {
    /// Ready if the time has come; otherwise the loop is woken then.
    fn poll_at(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()>;
}

/// The longest sleep: nothing is forgotten for longer, whatever goes wrong.
const SLEEP_MAX: Duration = Duration::from_millis(200);

// === A thread that is parked ===

/// The alarm of a thread that is parked between polls.
#[derive(Clone, Debug)]
pub(super) struct Parked(Rc<Cell<Option<Instant>>>);

struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Alarm for Parked {
    fn poll_at(&mut self, at: Instant, _: &mut Context<'_>) -> Poll<()> {
        self.0.set(Some(at));
        if at <= now() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Polls to the end, and parks the thread by the system's own timer where there is nothing to do.
pub(super) fn block_on<F: Future>(with: impl FnOnce(Parked) -> F) -> F::Output {
    let waker = Waker::from(Arc::new(Unparks(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let parked = Parked(Rc::new(Cell::new(None)));
    let mut future = pin!(with(parked.clone()));
    loop {
        parked.0.set(None);
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        let sleep = parked.0.get().map_or(SLEEP_MAX, |at| at.saturating_duration_since(now()).min(SLEEP_MAX));
        // A wake since the poll ends it at once.
        std::thread::park_timeout(sleep);
    }
}

// === A timer that is read ===

/// The alarm of a thread with tokio's sockets.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct TimerFd {
    timer: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
    /// What it is set to.
    set: Option<Instant>,
}

#[cfg(target_os = "linux")]
impl TimerFd {
    pub(super) fn new() -> std::io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "what is unsound with it is a descriptor that is closed too early; this one is owned"
        )]
        let timer = tokio::io::unix::AsyncFd::new(timer)?;
        Ok(Self { timer, set: None })
    }

    fn arm(&mut self, at: Instant) -> std::io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        // None at all would disarm it.
        let wait = at.saturating_duration_since(now()).min(SLEEP_MAX).max(Duration::from_nanos(1));
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) as _ };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: zero, it_value: value })?;
        self.set = Some(at);
        Ok(())
    }
}

#[cfg(target_os = "linux")]
impl Alarm for TimerFd {
    fn poll_at(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        if at <= now() {
            return Poll::Ready(());
        }
        if self.set != Some(at) && self.arm(at).is_err() {
            return Poll::Ready(());
        }
        while let Poll::Ready(Ok(mut ready)) = self.timer.poll_read_ready(context) {
            let mut count = [0; 8];
            match rustix::io::read(ready.get_inner(), &mut count) {
                Ok(_) => self.set = None,
                Err(_) => ready.clear_ready(),
            }
            if self.set.is_none() && self.rearm_or_ready(at) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

#[cfg(target_os = "linux")]
impl TimerFd {
    /// Whether the time has come; a sleep that was shorter is gone on with.
    fn rearm_or_ready(&mut self, at: Instant) -> bool {
        at <= now() || self.arm(at).is_err()
    }
}

/// Where there is no such timer: tokio's own.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) struct TimerFd(Option<std::pin::Pin<Box<tokio::time::Sleep>>>);

#[cfg(not(target_os = "linux"))]
impl TimerFd {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self(None))
    }
}

#[cfg(not(target_os = "linux"))]
impl Alarm for TimerFd {
    fn poll_at(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.insert(Box::pin(tokio::time::sleep_until(at.into())));
        sleep.as_mut().poll(context)
    }
}
