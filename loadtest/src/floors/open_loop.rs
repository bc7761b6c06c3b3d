//! Callers who arrive at their own pace: every call has its time, whether or not those before it have been answered.
//!
//! One thread makes all calls and hears all answers. Latencies are counted from the time at which a call should have been made, so
//! that a driver that falls behind hides nothing. It sleeps by the system's own timer; an async runtime's is too coarse.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use futures_util::stream::{FuturesUnordered, Stream};

use crate::clock::now;

/// Calls that are made in one go before answers are heard again, when the driver is behind.
const BURST_MAX: u64 = 32;
/// How long the last answers are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// From the beginning of a run to its first call.
const LEAD: Duration = Duration::from_millis(5);

/// When calls are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub(crate) per_second: u64,
    pub(crate) calls: u64,
}

/// A call that was answered.
#[derive(Debug)]
pub(crate) struct Ended<T> {
    /// Its number, from 0.
    pub(crate) nth: u64,
    /// When it should have been made.
    pub(crate) intended: Instant,
    /// When it was.
    pub(crate) started: Instant,
    /// When its answer was heard.
    pub(crate) ended: Instant,
    pub(crate) answer: T,
}

/// Wakes the driver.
struct Wakes(Thread);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Makes all calls at their times and hears all answers, in the order in which they come.
pub(crate) fn drive<T, F: Future<Output = anyhow::Result<T>>>(
    schedule: Schedule,
    mut call: impl FnMut(u64) -> F,
    mut hear: impl FnMut(Ended<T>),
) -> anyhow::Result<()> {
    let waker = Waker::from(Arc::new(Wakes(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let begin = now() + LEAD;
    let at = |nth: u64| begin + Duration::from_nanos(nth * 1_000_000_000 / schedule.per_second);
    let end = at(schedule.calls) + PATIENCE;
    let mut under_way = pin!(FuturesUnordered::new());
    let mut next = 0;
    loop {
        let (mut time, burst) = (now(), next + BURST_MAX);
        while next < schedule.calls.min(burst) && at(next) <= time {
            under_way.as_mut().push(timed(next, at(next), call(next)));
            next += 1;
        }
        while let Poll::Ready(Some(ended)) = under_way.as_mut().poll_next(&mut context) {
            hear(ended?);
        }
        if next == schedule.calls && under_way.is_empty() {
            return Ok(());
        }
        time = now();
        if time > end {
            bail!("{} calls have no answer {PATIENCE:?} after the last was made", under_way.len());
        }
        let until = if next < schedule.calls { at(next) } else { end };
        // A wake since the answers were heard ends it at once.
        std::thread::park_timeout(until.saturating_duration_since(time));
    }
}

async fn timed<T>(
    nth: u64,
    intended: Instant,
    call: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Ended<T>> {
    let started = now();
    let answer = call.await?;
    Ok(Ended { nth, intended, started, ended: now(), answer })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn every_call_is_made_at_its_time_or_later_and_heard_once() {
        let schedule = Schedule { per_second: 10_000, calls: 1_000 };
        let mut heard = Vec::new();
        drive(
            schedule,
            |nth| std::future::ready(Ok(nth)),
            |ended| {
                assert!(ended.intended <= ended.started && ended.started <= ended.ended);
                assert_eq!(ended.answer, ended.nth);
                heard.push((ended.nth, ended.intended));
            },
        )
        .unwrap();
        heard.sort();
        assert_eq!(heard.iter().map(|(nth, _)| *nth).collect::<Vec<_>>(), (0..1_000).collect::<Vec<_>>());
        assert_eq!(heard[999].1 - heard[0].1, Duration::from_nanos(99_900_000));
    }

    #[test]
    fn a_call_without_an_answer_holds_up_no_other() {
        // The first is answered by another thread when the last was heard: in a closed loop that would be never.
        let (tell, told) = mpsc::channel::<oneshot::Sender<u64>>();
        let (last, ended) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let first = told.recv().unwrap();
            ended.recv().unwrap();
            first.send(0).unwrap();
        });
        let order = RefCell::new(Vec::new());
        let call = |nth| {
            let (answer, waiting) = oneshot::channel();
            if nth == 0 {
                tell.send(answer).unwrap();
            } else {
                answer.send(nth).unwrap();
            }
            async { Ok(waiting.await?) }
        };
        drive(Schedule { per_second: 100_000, calls: 100 }, call, |ended| {
            order.borrow_mut().push(ended.answer);
            if order.borrow().len() == 99 {
                last.send(()).unwrap();
            }
        })
        .unwrap();
        thread.join().unwrap();
        assert_eq!(order.borrow().last(), Some(&0));
        assert_eq!(order.borrow().len(), 100);
    }

    #[test]
    fn a_call_that_fails_ends_the_run() {
        let call = |nth| async move { if nth == 3 { bail!("no") } else { Ok(()) } };
        assert!(drive(Schedule { per_second: 10_000, calls: 10 }, call, |_| ()).is_err());
    }
}
