//! The questions that wait for one model: who may wait, when the batch closes, and who is in it. Knows the time only as what
//! it is told, so that its choices can be tested instant by instant.
//!
//! A batch closes at once when it is full, and when the model was idle when its first question came: waiting would only cost.
//! What gathered while the model was busy waits for more until nobody came for `quiet`, until the earliest deadline leaves no
//! more than the time the batch takes, or for as long as the batch takes: beyond that, waiting costs more than it can save.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::answer::Answer;
use super::config::Config;
use super::service_time::ServiceTime;
use crate::time::{Deadline, Instant};

/// A question that waits.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) text: Arc<str>,
    pub(super) asked: Instant,
    pub(super) deadline: Deadline,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// What closed a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClosedBy {
    Full,
    Idle,
    Quiet,
    Deadline,
}

/// Why a question may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    Late,
    Shed,
}

/// The questions to one model, by their deadlines.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: BTreeMap<(Deadline, u64), Question>,
    next_key: u64,
    /// When the first came of those that wait.
    first_asked: Instant,
    last_asked: Instant,
    /// Since when the model has nothing to do; none while it is busy.
    free_since: Option<Instant>,
    times: ServiceTime,
    batch_max: usize,
    queue_max: usize,
    quiet: Duration,
}

/// What a wait for an instant may be late by, on top of what the model takes: the scheduler's own lateness.
const SLACK: Duration = Duration::from_micros(200);

impl ClosedBy {
    pub(super) const ALL: [Self; 4] = [Self::Full, Self::Idle, Self::Quiet, Self::Deadline];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Idle => "idle",
            Self::Quiet => "quiet",
            Self::Deadline => "deadline",
        }
    }
}

impl Queue {
    /// The queue of a model that has nothing to do since `now`.
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        Self {
            waiting: BTreeMap::new(),
            next_key: 0,
            first_asked: now,
            last_asked: now,
            free_since: Some(now),
            times: ServiceTime::default(),
            batch_max: config.batch_max.max(1),
            queue_max: config.queue_max,
            quiet: config.quiet,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.free_since.is_none()
    }

    /// The earliest deadline of those that wait.
    pub(super) fn earliest(&self) -> Option<Deadline> {
        self.waiting.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Lets a question wait, or says why not. Those before it that have become hopeless are taken out first: `hopeless`.
    pub(super) fn push(&mut self, question: Question, hopeless: &mut Vec<Question>) -> Result<(), (Turned, Question)> {
        let now = question.asked;
        self.take_hopeless(now, hopeless);
        if self.is_hopeless(question.deadline, now) {
            return Err((Turned::Late, question));
        }
        if self.waiting.len() >= self.queue_max {
            return Err((Turned::Shed, question));
        }
        if self.waiting.is_empty() {
            self.first_asked = now;
        }
        self.last_asked = now;
        self.waiting.insert((question.deadline, self.next_key), question);
        self.next_key += 1;
        Ok(())
    }

    /// When the batch closes as things stand, and what closes it; none while the model is busy or nobody waits.
    pub(super) fn closes(&self, now: Instant) -> Option<(Instant, ClosedBy)> {
        let free_since = self.free_since?;
        let earliest = self.earliest()?;
        let size = self.waiting.len().min(self.batch_max);
        if size == self.batch_max {
            return Some((now, ClosedBy::Full));
        }
        if self.first_asked >= free_since {
            return Some((now, ClosedBy::Idle));
        }
        let takes = self.times.estimate(size, now);
        let quiet = self.last_asked.after(self.quiet).min(free_since.after(takes));
        let deadline = earliest.instant().before(takes + SLACK);
        Some(if deadline <= quiet { (deadline, ClosedBy::Deadline) } else { (quiet, ClosedBy::Quiet) })
    }

    /// Takes the batch that closes now, the earliest deadlines first; the model is busy from here on. As many as the time of
    /// the earliest allows: a batch of more would take longer. Empty if all were hopeless.
    pub(super) fn take(&mut self, now: Instant, hopeless: &mut Vec<Question>) -> Vec<Question> {
        self.take_hopeless(now, hopeless);
        let Some(earliest) = self.earliest() else { return Vec::new() };
        let left = earliest.left(now);
        let mut size = self.waiting.len().min(self.batch_max);
        while size > 1 && self.times.estimate(size, now) > left {
            size = size.next_power_of_two() / 2;
        }
        let mut batch = Vec::with_capacity(size);
        while batch.len() < size
            && let Some((_, question)) = self.waiting.pop_first()
        {
            let list = if question.answer.is_closed() { &mut *hopeless } else { &mut batch };
            list.push(question);
        }
        self.free_since = None;
        batch
    }

    /// The model has nothing to do again. What a batch took counts, but for one that failed sooner than it could be scored.
    pub(super) fn done(&mut self, size: usize, took: Duration, is_scored: bool, now: Instant) {
        if is_scored || took > self.times.estimate(size, now) {
            self.times.observe(size, took, now);
        }
        self.free_since = Some(now);
    }

    /// Takes everything that waits.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Question> + use<> {
        std::mem::take(&mut self.waiting).into_values()
    }

    /// Takes out those at the front that nobody waits for or that cannot be answered in time.
    fn take_hopeless(&mut self, now: Instant, hopeless: &mut Vec<Question>) {
        let is_hopeless = |queue: &Self| {
            let first = queue.waiting.values().next();
            first.is_some_and(|first| first.answer.is_closed() || queue.is_hopeless(first.deadline, now))
        };
        while is_hopeless(self) {
            hopeless.extend(self.waiting.pop_first().map(|(_, question)| question));
        }
    }

    /// Whether the model takes longer for one text than is left. A model that is not busy and was not tested of late gets the
    /// benefit of the doubt, unless the deadline is past.
    fn is_hopeless(&self, deadline: Deadline, now: Instant) -> bool {
        let may_test = !self.is_busy() && self.times.is_untested(now);
        deadline.is_past(now) || (!may_test && deadline.left(now) < self.times.estimate(1, now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Timestamp;
    use crate::time::Clock;

    const MS: Duration = Duration::from_millis(1);

    fn start() -> Instant {
        Clock::manual(Timestamp::from_micros(1_000_000)).instant()
    }

    fn config() -> Config {
        Config { threads: 1, batch_max: 4, queue_max: 8, quiet: 2 * MS }
    }

    /// A queue with its model, and the callers that wait.
    struct World {
        queue: Queue,
        now: Instant,
        callers: Vec<oneshot::Receiver<Answer>>,
        hopeless: Vec<Question>,
    }

    impl World {
        fn new() -> Self {
            let now = start();
            Self { queue: Queue::new(&config(), now), now, callers: Vec::new(), hopeless: Vec::new() }
        }

        /// One whose model is known to take so long for a text, and is busy.
        fn busy(takes: Duration) -> Self {
            let mut world = Self::new();
            for _ in 0..20 {
                world.push("x", 1_000 * MS).unwrap();
                world.batch();
                world.now = world.now.after(takes);
                world.queue.done(1, takes, true, world.now);
            }
            world.push("x", 1_000 * MS).unwrap();
            world.batch();
            world
        }

        fn push(&mut self, text: &str, budget: Duration) -> Result<(), Turned> {
            let (answer, caller) = oneshot::channel();
            self.callers.push(caller);
            let question =
                Question { text: text.into(), asked: self.now, deadline: Deadline::new(self.now, budget), answer };
            self.queue.push(question, &mut self.hopeless).map_err(|(why, _)| why)
        }

        fn closes(&self) -> Option<(Duration, ClosedBy)> {
            self.queue.closes(self.now).map(|(at, by)| (at.since(self.now), by))
        }

        fn batch(&mut self) -> Vec<String> {
            self.queue.take(self.now, &mut self.hopeless).iter().map(|question| question.text.to_string()).collect()
        }

        fn pass(&mut self, time: Duration) {
            self.now = self.now.after(time);
        }

        /// The batch that is with the model ends after `took`.
        fn done(&mut self, took: Duration) {
            self.pass(took);
            self.queue.done(1, took, true, self.now);
        }
    }

    #[test]
    fn an_idle_model_is_asked_at_once() {
        let mut world = World::new();
        world.pass(5 * MS);
        world.push("a", 50 * MS).unwrap();
        assert_eq!(world.closes(), Some((Duration::ZERO, ClosedBy::Idle)));
        assert_eq!(world.batch(), ["a"]);
        assert_eq!(world.closes(), None, "it is busy now, and nobody waits");
    }

    #[test]
    fn what_gathered_while_the_model_was_busy_goes_once_nobody_else_comes() {
        let mut world = World::busy(6 * MS);
        world.push("a", 100 * MS).unwrap();
        world.pass(5 * MS);
        world.push("b", 100 * MS).unwrap();
        assert_eq!(world.closes(), None);
        world.done(MS);
        assert_eq!(world.closes(), Some((MS, ClosedBy::Quiet)), "one of the two quiet milliseconds is over");
        world.pass(MS);
        world.push("c", 100 * MS).unwrap();
        assert_eq!(world.closes(), Some((2 * MS, ClosedBy::Quiet)), "who comes begins the quiet anew");
        world.pass(2 * MS);
        assert_eq!(world.batch(), ["a", "b", "c"]);
    }

    #[test]
    fn a_full_batch_goes_at_once_the_earliest_deadlines_first() {
        let mut world = World::busy(6 * MS);
        for (text, budget) in [("e", 90), ("b", 60), ("a", 50), ("d", 80), ("c", 70)] {
            world.push(text, budget * MS).unwrap();
        }
        world.done(6 * MS);
        assert_eq!(world.closes(), Some((Duration::ZERO, ClosedBy::Full)));
        assert_eq!(world.batch(), ["a", "b", "c", "d"]);
        world.done(6 * MS);
        assert_eq!(world.batch(), ["e"]);
    }

    #[test]
    fn a_batch_closes_when_its_earliest_deadline_leaves_only_what_the_model_takes() {
        let mut world = World::busy(6 * MS);
        world.push("a", 100 * MS).unwrap();
        world.done(6 * MS);
        world.push("b", 7 * MS).unwrap();
        // Two texts take up to 12 ms as far as is known: that deadline is the one that counts, and it cannot wait.
        assert_eq!(world.closes().map(|(_, by)| by), Some(ClosedBy::Deadline));
        assert_eq!(world.batch(), ["b"], "with another one it would be too late");
        world.done(6 * MS);
        assert_eq!(world.batch(), ["a"]);
    }

    #[test]
    fn the_deadline_closes_a_batch_before_the_quiet_does() {
        let mut world = World::busy(6 * MS);
        world.pass(5 * MS);
        world.push("a", 8 * MS).unwrap();
        world.done(MS);
        let slack = MS - SLACK;
        assert_eq!(world.closes(), Some((slack, ClosedBy::Deadline)), "7 ms are left, 6 ms of them are the model's");
    }

    #[test]
    fn nobody_waits_for_others_longer_than_the_batch_takes() {
        let mut world = World::busy(3 * MS);
        world.push("a", 500 * MS).unwrap();
        world.done(3 * MS);
        world.pass(Duration::from_micros(2_900));
        world.push("b", 500 * MS).unwrap();
        let (waits, by) = world.closes().unwrap();
        assert_eq!(by, ClosedBy::Quiet);
        assert!(waits < Duration::from_millis(6), "two take at most 6 ms, and the model was free for 2.9: {waits:?}");
    }

    #[test]
    fn who_has_less_time_than_the_model_takes_is_late_at_once() {
        let mut world = World::busy(6 * MS);
        assert_eq!(world.push("a", 5 * MS), Err(Turned::Late));
        assert_eq!(world.push("b", 6 * MS), Ok(()));
        world.done(MS);
        assert_eq!(world.push("c", Duration::ZERO), Err(Turned::Late));
        assert!(world.batch().is_empty(), "`b` has 5 ms left");
        assert_eq!(world.hopeless.len(), 1);
    }

    #[test]
    fn an_estimate_that_nobody_tested_is_tested_by_one_question() {
        let mut world = World::busy(60 * MS);
        world.done(60 * MS);
        assert_eq!(world.push("a", 20 * MS), Err(Turned::Late));
        world.pass(1_000 * MS);
        assert_eq!(world.push("b", 20 * MS), Ok(()));
        assert_eq!(world.push("c", 20 * MS), Ok(()));
        assert_eq!(world.batch(), ["b"], "one is enough for a test");
        assert_eq!(world.push("d", 20 * MS), Err(Turned::Late));
    }

    #[test]
    fn a_full_queue_sheds_but_keeps_no_room_for_those_who_are_gone() {
        let mut world = World::busy(MS);
        for _ in 0..config().queue_max {
            world.push("a", 50 * MS).unwrap();
        }
        assert_eq!(world.push("b", 90 * MS), Err(Turned::Shed));
        world.callers.pop();
        world.callers.pop();
        assert_eq!(world.push("b", 90 * MS), Err(Turned::Shed), "the ones in front are still there");
        world.callers.clear();
        world.push("c", 90 * MS).unwrap();
        assert_eq!(world.hopeless.len(), config().queue_max);
    }

    /// What may happen to a queue.
    #[derive(Clone, Debug)]
    enum Step {
        Ask { budget_us: u64 },
        GoAway { nth: usize },
        Pass { us: u64 },
        Take,
        Done { is_scored: bool },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0_u64..40_000).prop_map(|budget_us| Step::Ask { budget_us }),
            1 => (0_usize..50).prop_map(|nth| Step::GoAway { nth }),
            3 => (0_u64..5_000).prop_map(|us| Step::Pass { us }),
            3 => Just(Step::Take),
            2 => any::<bool>().prop_map(|is_scored| Step::Done { is_scored }),
        ]
    }

    proptest! {
        #[test]
        fn every_question_leaves_once_and_no_bound_is_passed(steps in prop::collection::vec(step(), 1..200)) {
            let mut world = World::new();
            let (mut asked, mut turned, mut batched) = (0, 0, Vec::new());
            let mut flying: Option<(usize, Instant)> = None;
            for step in steps {
                match step {
                    Step::Ask { budget_us } => {
                        let pushed = world.push(&asked.to_string(), Duration::from_micros(budget_us));
                        asked += 1;
                        turned += usize::from(pushed.is_err());
                    }
                    Step::GoAway { nth } => {
                        if let Some(caller) = world.callers.get_mut(nth) {
                            caller.close();
                        }
                    }
                    Step::Pass { us } => world.pass(Duration::from_micros(us)),
                    Step::Take => {
                        if world.closes().is_some_and(|(waits, _)| waits.is_zero()) {
                            prop_assert!(flying.is_none(), "a busy model is asked");
                            let batch = world.batch();
                            prop_assert!(batch.len() <= config().batch_max);
                            if !batch.is_empty() {
                                flying = Some((batch.len(), world.now));
                            }
                            batched.extend(batch);
                        }
                    }
                    Step::Done { is_scored } => {
                        if let Some((size, since)) = flying.take() {
                            world.queue.done(size, world.now.since(since), is_scored, world.now);
                        }
                    }
                }
                prop_assert!(world.queue.waiting.len() <= config().queue_max);
            }
            let mut left: Vec<String> = world.queue.drain().map(|question| question.text.to_string()).collect();
            left.extend(world.hopeless.iter().map(|question| question.text.to_string()));
            left.extend(batched);
            prop_assert_eq!(left.len() + turned, asked, "somebody was forgotten, or was there twice");
            left.sort();
            left.dedup();
            prop_assert_eq!(left.len() + turned, asked, "somebody was there twice");
        }
    }
}
