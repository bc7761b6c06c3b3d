//! The loop: whatever is due is made, whatever has come is heard, then it sleeps until there is more.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::mpsc::Sender;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::alarm::Alarm;
use super::course::{Course, Due};
use super::door::{Door, Returned};
use super::effort::{Effort, processor_time};
use super::tally::{Part, Tally};
use crate::answers::{Answer, Came, Checker};
use crate::clock::now;
use crate::population::{Outgoing, Stream};

/// Calls that are made in one go before answers are heard again, when the driver is behind.
const BURST_MAX: usize = 32;
/// How long the last answers are waited for, above the time that each has.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a driver thread works with.
pub(super) struct Desk<D: Door, C> {
    pub(super) door: D,
    pub(super) course: Course,
    pub(super) stream: Stream,
    pub(super) checker: C,
    pub(super) tally: Tally,
    pub(super) terms: Terms,
    pub(super) parts: Sender<Part>,
    /// Up to when what is due was taken.
    pub(super) taken: Duration,
    /// Of each phase, the calls that were made and not yet heard of.
    pub(super) under_way: Vec<u64>,
    pub(super) effort: Effort,
}

/// What all threads have in common.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// When the run begins.
    pub(super) begin: Instant,
    pub(super) thread: usize,
    pub(super) threads: usize,
    /// Of each phase, whether it counts.
    pub(super) counted: Vec<bool>,
    /// How long a call waits for a connection.
    pub(super) give_up: Duration,
    /// How long an answer is waited for.
    pub(super) timeout: Duration,
    /// How much later than its deadline an answer may be heard before it is late.
    pub(super) grace: Duration,
    /// Whether a decision that is only in memory may be lost: then it is not repeated.
    pub(super) only_disk_is_safe: bool,
}

/// A call that is due and has no line yet.
struct Ready {
    due: Due,
    sequence: u64,
    outgoing: Outgoing,
    /// When the driver was ready to make it.
    since: Duration,
}

/// A call that was made.
struct Made {
    ready: Ready,
    started: Duration,
}

/// Drives to the end of the course, and gives the desk back.
pub(super) async fn drive<D: Door, C: Checker>(mut desk: Desk<D, C>, mut alarm: impl Alarm) -> Desk<D, C> {
    let mut under_way = FuturesUnordered::new();
    let mut ready: VecDeque<Ready> = VecDeque::new();
    let mut sequence = desk.terms.thread as u64;
    let mut last = Duration::ZERO;
    desk.effort.begin(desk.time(), processor_time());
    poll_fn(|context| {
        let is_behind = desk.take(&mut ready, under_way.len(), &mut sequence);
        while let Some((line, made)) = desk.begin(&mut ready) {
            last = made.started;
            let call = desk.door.call(line, &desk.stream, &made.ready.outgoing);
            under_way.push(async move { (made, call.await) });
        }
        let mut has_heard = false;
        while let Poll::Ready(Some((made, returned))) = under_way.poll_next_unpin(context) {
            desk.hear(made, returned);
            has_heard = true;
        }
        let waiting = ready.len() + under_way.len();
        let time = desk.time();
        desk.end_seconds(time, waiting);
        if desk.course.is_over() && waiting == 0 {
            return Poll::Ready(());
        }
        if desk.course.is_over() && ready.is_empty() && time > last + desk.terms.timeout + PATIENCE {
            return Poll::Ready(());
        }
        let wake = desk.wake(time, &ready);
        // Who was answered in a closed loop calls again, and a line that is free may be waited for.
        if is_behind || has_heard || alarm.poll_at(wake, context).is_ready() {
            // The connections' tasks have their turn first.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
    desk.give_up_the_rest();
    desk.end_seconds(Duration::MAX, 0);
    desk.tally.reconnects = desk.door.reconnects();
    desk.tally.unsent = desk.course.unsent();
    desk.tally.peak = desk.course.peak();
    desk
}

impl<D: Door, C: Checker> Desk<D, C> {
    fn time(&self) -> Duration {
        now().saturating_duration_since(self.terms.begin)
    }

    /// Takes what is due; whether there may be more.
    fn take(&mut self, ready: &mut VecDeque<Ready>, under_way: usize, sequence: &mut u64) -> bool {
        let begin = self.terms.begin;
        let time = now();
        if time < begin {
            return false;
        }
        let since = time - begin;
        self.taken = since;
        for _ in 0..BURST_MAX {
            let Some(due) = self.course.take(since, under_way + ready.len()) else { return false };
            if due.is_closed {
                self.course.made();
            } else if self.terms.counted[due.phase] {
                self.tally.lag.record(since.saturating_sub(due.at));
            }
            let outgoing = self.stream.next(due.recorded);
            self.tally.offered(due.phase, &outgoing.customer, self.terms.counted[due.phase]);
            ready.push_back(Ready { due, sequence: *sequence, outgoing, since });
            *sequence += self.terms.threads as u64;
        }
        true
    }

    /// The next call for which there is a line.
    fn begin(&mut self, ready: &mut VecDeque<Ready>) -> Option<(D::Line, Made)> {
        loop {
            let time = self.time();
            let waited = time.saturating_sub(ready.front()?.since);
            if waited > self.terms.give_up {
                let given_up = ready.pop_front()?;
                self.fail(&given_up, time, "no_connection");
                continue;
            }
            let line = self.door.line()?;
            let next = ready.pop_front()?;
            if self.terms.counted[next.due.phase] {
                self.tally.waited.record(waited);
            }
            self.under_way[next.due.phase] += 1;
            return Some((line, Made { ready: next, started: time }));
        }
    }

    fn hear(&mut self, made: Made, returned: Returned<D::Line, D::Heard>) {
        let Returned { line, ended, heard } = returned;
        self.door.give_back(line);
        let Made { ready, started } = made;
        let ended = ended.saturating_duration_since(self.terms.begin);
        let Self { door, checker, tally, stream, terms, course, under_way, .. } = self;
        let phase = ready.due.phase;
        under_way[phase] -= 1;
        let is_safe = door.read(&heard, |came| {
            let answer = answer(&ready, stream, terms, (started, ended), came);
            let is_late = answer.is_late(terms.grace);
            tally.heard(phase, &answer, is_late);
            checker.see(&answer);
            if matches!(came, Came::Decided(_)) && !is_late {
                course.heard(phase);
            }
            match came {
                Came::Decided(decided) => match decided.durability {
                    "disk" => true,
                    "memory" => !terms.only_disk_is_safe,
                    _ => false,
                },
                _ => false,
            }
        });
        if is_safe {
            self.stream.is_safe(&ready.outgoing);
        }
    }

    fn fail(&mut self, ready: &Ready, ended: Duration, how: &str) {
        let said = "the call was given up before there was a free connection";
        let times = (ended, ended);
        let answer = answer(ready, &self.stream, &self.terms, times, Came::Failed { how, said });
        self.tally.heard(ready.due.phase, &answer, false);
        self.checker.see(&answer);
    }

    /// Calls that nobody will hear of any more.
    fn give_up_the_rest(&mut self) {
        for (phase, calls) in self.under_way.drain(..).enumerate() {
            self.tally.unanswered(phase, calls, self.terms.counted[phase]);
        }
    }

    /// Tells of all seconds that have passed.
    fn end_seconds(&mut self, time: Duration, in_flight: usize) {
        let last = if time == Duration::MAX { self.tally.second() + 1 } else { time.as_secs() };
        if self.tally.second() < last
            && let Some(busy) = self.effort.since_last(self.time(), processor_time())
        {
            self.tally.was_busy(busy);
        }
        while self.tally.second() < last {
            // Nobody hears it any more if the run was broken off.
            let _ = self.parts.send(self.tally.end_second(in_flight));
        }
    }

    /// When there is something to do, whether or not an answer comes.
    fn wake(&self, time: Duration, ready: &VecDeque<Ready>) -> Instant {
        let second = Duration::from_secs(time.as_secs() + 1);
        // What was due and not taken waits for an answer, not for a time.
        let due = self.course.next().filter(|due| *due > self.taken || self.taken.is_zero()).unwrap_or(second);
        let given_up =
            ready.front().map_or(second, |ready| ready.since + self.terms.give_up + Duration::from_millis(1));
        self.terms.begin + due.min(second).min(given_up)
    }
}

fn answer<'a>(
    ready: &'a Ready,
    stream: &'a Stream,
    terms: &Terms,
    (started, ended): (Duration, Duration),
    came: Came<'a>,
) -> Answer<'a> {
    let kind = stream.kind(&ready.outgoing);
    Answer {
        sequence: ready.sequence,
        thread: terms.thread,
        is_counted: terms.counted[ready.due.phase],
        event: &ready.outgoing.id,
        source: &ready.outgoing.source,
        customer: &ready.outgoing.customer,
        playbook: &kind.playbook,
        is_repeat: ready.outgoing.is_repeat,
        // In a closed loop a call is due when it is made.
        intended: if ready.due.is_closed { started } else { ready.due.at },
        started,
        ended,
        budget: kind.budget,
        came,
    }
}
