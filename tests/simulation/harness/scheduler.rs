//! Chooses which simulated thread goes on, by a seed: runs of steps of one thread, long or short, and now and then a thread
//! that is held up for long in the middle of what it does. Counts the steps of the machine.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

use super::dice::Dice;
use super::machine;

/// A scheduler for one run.
#[derive(Debug)]
pub(super) struct SeededScheduler {
    seed: u64,
    dice: Dice,
    has_run: bool,
    /// How likely the thread that ran goes on, in percent.
    persistence: u64,
    /// How likely it is held up, in percent.
    hold_ups: u64,
    /// A thread that is held up, and for how many steps yet.
    held_up: Option<(TaskId, u64)>,
}

impl SeededScheduler {
    /// The scheduler of a seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let (persistence, hold_ups) = (dice.one_of(&[0, 0, 50, 80, 95]), dice.one_of(&[0, 1, 3]));
        Self { seed, dice, has_run: false, persistence, hold_ups, held_up: None }
    }

    /// Holds the thread that ran up, perhaps, or lets one that was held up for long enough go on.
    fn hold_up(&mut self, current: Option<TaskId>) {
        match &mut self.held_up {
            Some((_, 0)) => self.held_up = None,
            Some((_, steps)) => *steps -= 1,
            None => {
                if let Some(current) = current
                    && self.dice.percent(self.hold_ups)
                {
                    self.held_up = Some((current, self.dice.between(10, 400)));
                }
            }
        }
    }
}

impl Scheduler for SeededScheduler {
    fn new_execution(&mut self) -> Option<Schedule> {
        let is_first = !std::mem::replace(&mut self.has_run, true);
        is_first.then(|| Schedule::new(self.seed))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        let current = current.filter(|current| runnable.iter().any(|task| task.id() == *current));
        // A thread that unwinds does so in one step: the real thread's count of panics knows no simulated ones.
        if let (Some(current), true) = (current, std::thread::panicking()) {
            return Some(current);
        }
        machine::step();
        self.hold_up(current);
        let held_up = self.held_up.map(|(thread, _)| thread).filter(|_| runnable.len() > 1);
        if let (Some(current), false) = (current, is_yielding)
            && held_up != Some(current)
            && self.dice.percent(self.persistence)
        {
            return Some(current);
        }
        let free: Vec<TaskId> = runnable.iter().map(|task| task.id()).filter(|id| held_up != Some(*id)).collect();
        free.get(self.dice.below(free.len() as u64) as usize).copied()
    }

    fn next_u64(&mut self) -> u64 {
        self.dice.next()
    }
}
