//! The schedule of the self-check.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::Engine;
use crate::time::{Clock, Instant};

/// How often the self-check goes its ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The whole real way of each playbook; `None` for never.
    pub every: Option<Duration>,
    /// The fallbacks of each playbook; `None` for never.
    pub fallbacks_every: Option<Duration>,
}

impl Default for Schedule {
    /// A decision a minute for each playbook is noticed by nobody and finds out before most callers do; the fallbacks hang on the bundle
    /// and on the release alone, so that an hour is often.
    fn default() -> Self {
        Self { every: Some(Duration::from_secs(60)), fallbacks_every: Some(Duration::from_secs(3_600)) }
    }
}

/// A thread that keeps to a schedule. It ends when this is dropped.
#[derive(Debug)]
pub struct Patrol {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// What is due next: one playbook after the other, so that they do not all come at once.
#[derive(Debug)]
struct Round {
    every: Option<Duration>,
    due: Instant,
    next: usize,
}

impl Round {
    fn new(every: Option<Duration>, now: Instant) -> Self {
        Self { every, due: now, next: 0 }
    }

    /// The playbook whose time has come, of so many.
    fn due(&mut self, now: Instant, playbooks: usize) -> Option<usize> {
        let every = self.every.filter(|_| now >= self.due)?;
        if playbooks == 0 {
            self.due = now.after(every);
            return None;
        }
        let number = self.next % playbooks;
        self.next = number + 1;
        // Evenly over the period. One that took longer than its share does not make the next ones hurry.
        self.due = now.after(every / u32::try_from(playbooks).unwrap_or(u32::MAX));
        Some(number)
    }

    fn wait(&self, now: Instant) -> Option<Duration> {
        self.every.map(|_| self.due.since(now))
    }
}

impl Patrol {
    /// Starts the thread; with nothing on the schedule there is none.
    pub fn start(engine: Engine, schedule: Schedule) -> std::io::Result<Self> {
        engine.0.board.schedule(schedule.every.is_some());
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        if schedule.every.is_none() && schedule.fallbacks_every.is_none() {
            return Ok(Self { stop, thread: None });
        }
        let of_thread = Arc::clone(&stop);
        let walk = move || walk(&engine, schedule, &of_thread);
        let thread = std::thread::Builder::new().name("forthwith-selfcheck".to_owned()).spawn(walk)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends it, after what it is about.
    pub fn stop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic was logged where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Patrol {
    fn drop(&mut self) {
        self.stop();
    }
}

fn walk(engine: &Engine, schedule: Schedule, (stop, wake): &(Mutex<bool>, Condvar)) {
    let clock = Clock::system();
    let now = clock.instant();
    let (mut ways, mut fallbacks) = (Round::new(schedule.every, now), Round::new(schedule.fallbacks_every, now));
    // The fallbacks of all playbooks are gone once at the start: what is deployed should be known to hold at once.
    let playbooks = |engine: &Engine| engine.bundle().playbooks().len();
    if schedule.fallbacks_every.is_some() {
        (0..playbooks(engine)).for_each(|number| drop(engine.check_fallbacks(number)));
        fallbacks.due = now.after(schedule.fallbacks_every.unwrap_or_default());
    }
    loop {
        let (now, count) = (clock.instant(), playbooks(engine));
        if let Some(number) = ways.due(now, count) {
            drop(engine.check_way(number));
        }
        if let Some(number) = fallbacks.due(now, count) {
            drop(engine.check_fallbacks(number));
        }
        let now = clock.instant();
        let wait = [ways.wait(now), fallbacks.wait(now)].into_iter().flatten().min().unwrap_or_default();
        let held = stop.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = wake.wait_timeout_while(held, wait, |is_stopped| !*is_stopped);
        if *waited.unwrap_or_else(PoisonError::into_inner).0 || engine.0.customers.is_stopping() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playbooks_are_spread_over_the_period() {
        let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
        let start = clock.instant();
        let at = |seconds: u64| start.after(Duration::from_secs(seconds));
        let mut round = Round::new(Some(Duration::from_secs(60)), start);
        let due: Vec<(u64, usize)> = (0..120).filter_map(|second| Some((second, round.due(at(second), 3)?))).collect();
        assert_eq!(due, [(0, 0), (20, 1), (40, 2), (60, 0), (80, 1), (100, 2)]);
        assert_eq!(round.wait(at(119)), Some(Duration::from_secs(1)));
        let mut never = Round::new(None, start);
        assert_eq!((never.due(at(5), 3), never.wait(at(5))), (None, None));
        let mut nobody = Round::new(Some(Duration::from_secs(60)), start);
        assert_eq!(nobody.due(at(5), 0), None, "a bundle without playbooks has nothing to check");
    }
}
