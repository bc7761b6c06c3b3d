//! Chooses which simulated thread goes on, by a seed: runs of steps of one thread, long or short, and sometimes a thread that
//! is hardly ever let on. Counts the steps of the machine.

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
    /// A thread that is passed over mostly.
    slow: usize,
}

impl SeededScheduler {
    /// The scheduler of a seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let persistence = dice.one_of(&[0, 0, 50, 80, 95]);
        let slow = if dice.percent(50) { dice.between(1, 12) as usize } else { usize::MAX };
        Self { seed, dice, has_run: false, persistence, slow }
    }
}

impl Scheduler for SeededScheduler {
    fn new_execution(&mut self) -> Option<Schedule> {
        let is_first = !std::mem::replace(&mut self.has_run, true);
        is_first.then(|| Schedule::new(self.seed))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        let goes_on = current.filter(|current| runnable.iter().any(|task| task.id() == *current));
        // A thread that unwinds does so in one step: the machine's own count of panics knows no simulated threads.
        if let (Some(current), true) = (goes_on, std::thread::panicking()) {
            return Some(current);
        }
        machine::step();
        if let (Some(current), false) = (goes_on, is_yielding)
            && self.dice.percent(self.persistence)
        {
            return Some(current);
        }
        let mut chosen = runnable[self.dice.below(runnable.len() as u64) as usize].id();
        if usize::from(chosen) == self.slow && self.dice.percent(90) {
            chosen = runnable[self.dice.below(runnable.len() as u64) as usize].id();
        }
        Some(chosen)
    }

    fn next_u64(&mut self) -> u64 {
        self.dice.next()
    }
}
