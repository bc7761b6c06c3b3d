//! The sweep: a clock hand over the cells under one keeper's care that finds those who may rest.
//!
//! The cells stand in a queue; the hand takes them from the front, and who stays goes to the back. So who was just brought in is
//! looked at last. Under pressure a customer has as many passes of the hand as there were turns since, up to a few: one who came
//! for a single event goes at the first, and a crowd of such does not push out those who come again and again.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use super::cell::Cell;
use super::occupancy::Excess;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Cells that a sweep puts to rest at most: the rest waits for the next, so that turns are not held up.
const RETIRE_MAX: usize = 20_000;

/// How often the hand comes round while a customer stays unseen for as long as may be: an idle customer rests at most an
/// eighth of that time late, and a second's sweep looks at a small part of all.
const ROUNDS: u32 = 8;

/// How customers are chosen to rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resting {
    /// Those who were idle for long; and when memory runs short, ahead of need, those who come least often.
    #[default]
    ByUse,
    /// Those who were idle for long, and nobody else until memory is full; then everybody who is not busy. What is often
    /// built; here to be measured against.
    ByIdleTime,
}

/// Where cells wait to be put under a keeper's care.
pub(super) type Intake = Arc<Basket>;

/// What is laid down for one keeper's sweep.
#[derive(Debug, Default)]
pub(super) struct Basket {
    cells: Mutex<Vec<Arc<Cell>>>,
    /// Whether a sweep was asked for that has not begun.
    is_asked: AtomicBool,
}

/// One keeper's cells and the hand that goes round them.
#[derive(Debug)]
pub(super) struct Sweep {
    intake: Intake,
    /// Cells under this keeper's care, the next to be looked at in front.
    ring: VecDeque<Arc<Cell>>,
}

/// What a sweep goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// The sweep's clock, in seconds.
    pub(super) now: u32,
    /// After how long unseen a customer rests in any case.
    pub(super) idle_for: u32,
    /// What this keeper is to take out of memory beyond that.
    pub(super) excess: Excess,
    /// How it chooses.
    pub(super) resting: Resting,
}

/// What a sweep sees of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glance {
    /// The clock at its last turn.
    pub(super) touched: u32,
    /// Passes of the hand that its turns have earned it, and one.
    pub(super) uses: u8,
    /// Whether a turn is being taken.
    pub(super) is_busy: bool,
}

/// What a sweep makes of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Rests,
    Stays,
    /// Stays, for one pass less to come.
    Spared,
}

impl Look {
    /// Whether a cell may rest.
    pub(super) fn judge(self, glance: Glance) -> Verdict {
        if self.now.saturating_sub(glance.touched) >= self.idle_for {
            return Verdict::Rests;
        }
        if self.excess.is_none() || glance.is_busy {
            return Verdict::Stays;
        }
        if glance.uses > 1 && self.resting == Resting::ByUse { Verdict::Spared } else { Verdict::Rests }
    }
}

impl Sweep {
    pub(super) fn new(intake: Intake) -> Self {
        Self { intake, ring: VecDeque::new() }
    }

    /// Finds cells that may rest; they are no longer under this keeper's care.
    pub(super) fn step(&mut self, mut look: Look) -> Vec<Arc<Cell>> {
        self.ring.extend(self.intake.take());
        // For those who are idle the hand need not go faster than this; for an excess, no further than need be, or once round.
        let unhurried = self.ring.len().div_ceil((look.idle_for / ROUNDS).max(1) as usize);
        let looks = if look.excess.is_none() { unhurried } else { 0 };
        let limit = if look.resting == Resting::ByUse { RETIRE_MAX } else { usize::MAX };
        let mut resting = Vec::new();
        for passed in 0..self.ring.len() {
            if resting.len() >= limit || (look.excess.is_none() && passed >= looks) {
                break;
            }
            let Some(cell) = self.ring.pop_front() else { break };
            if cell.is_gone() {
                continue;
            }
            match look.judge(cell.glance()) {
                Verdict::Rests => {
                    look.excess = look.excess.without(cell.bytes());
                    resting.push(cell);
                    continue;
                }
                Verdict::Spared => cell.spare(),
                Verdict::Stays => {}
            }
            self.ring.push_back(cell);
        }
        resting
    }
}

impl Basket {
    /// Lays down a cell.
    pub(super) fn put(&self, cell: Arc<Cell>) {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).push(cell);
    }

    fn take(&self) -> Vec<Arc<Cell>> {
        self.is_asked.store(false, Ordering::Release);
        std::mem::take(&mut *self.cells.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for a sweep; true if nobody has since the last began.
    pub(super) fn ask(&self) -> bool {
        !self.is_asked.load(Ordering::Relaxed) && !self.is_asked.swap(true, Ordering::AcqRel)
    }

    /// Takes back what was asked: it did not get through.
    pub(super) fn unask(&self) {
        self.is_asked.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::cell::Owner;
    use crate::domain::{CustomerId, Partition, TenantId};

    const CALM: Look =
        Look { now: 1_000, idle_for: 600, excess: Excess { cells: 0, bytes: 0 }, resting: Resting::ByUse };
    const PRESSED: Look = Look { excess: Excess { cells: 1, bytes: 0 }, ..CALM };

    fn seen(seconds_ago: u32, uses: u8) -> Glance {
        Glance { touched: CALM.now - seconds_ago, uses, is_busy: false }
    }

    #[test]
    fn who_was_idle_for_long_rests_in_any_case() {
        assert_eq!(CALM.judge(seen(600, 4)), Verdict::Rests);
        assert_eq!(CALM.judge(seen(599, 0)), Verdict::Stays);
    }

    #[test]
    fn under_pressure_who_came_once_rests_and_who_comes_often_is_spared() {
        assert_eq!(PRESSED.judge(seen(0, 1)), Verdict::Rests);
        assert_eq!(PRESSED.judge(seen(500, 2)), Verdict::Spared);
        assert_eq!(PRESSED.judge(Glance { is_busy: true, ..seen(0, 1) }), Verdict::Stays);
    }

    fn cell(name: &str, turns: u32, bytes: u32) -> Arc<Cell> {
        let customer = CustomerId::new(name).unwrap();
        let partition = Partition::of(&TenantId::default(), name);
        let owner: Owner = Cell::loading(customer, partition);
        (0..turns).for_each(|_| owner.touch(CALM.now));
        owner.weigh(bytes);
        let cell = Arc::clone(owner.cell());
        let _ = owner.leave(1, |_, _| std::ops::ControlFlow::Continue(()));
        cell
    }

    fn names(cells: &[Arc<Cell>]) -> Vec<&str> {
        cells.iter().map(|cell| cell.customer.as_str()).collect()
    }

    #[test]
    fn a_crowd_that_comes_once_does_not_push_out_who_comes_again() {
        let intake = Intake::default();
        let mut sweep = Sweep::new(Arc::clone(&intake));
        let (regular, room, crowd) = (10, 100, 1_000);
        (0..regular).for_each(|nth| intake.put(cell(&format!("regular-{nth}"), 3, 100)));
        (0..room).for_each(|nth| intake.put(cell(&format!("once-{nth}"), 1, 100)));
        let mut rested = Vec::new();
        for nth in room..crowd {
            intake.put(cell(&format!("once-{nth}"), 1, 100));
            rested.extend(sweep.step(PRESSED));
            // The regulars come once while the hand goes round, or so.
            if nth % room == 0 {
                sweep.ring.iter().filter(|cell| cell.customer.as_str().starts_with("regular")).for_each(|cell| {
                    let owner = cell.try_own().unwrap();
                    owner.touch(CALM.now);
                    let _ = owner.leave(1, |_, _| std::ops::ControlFlow::Continue(()));
                });
            }
        }
        assert_eq!(rested.len(), crowd - room);
        let regulars: Vec<_> =
            names(&rested).into_iter().enumerate().filter(|(_, name)| name.starts_with("regular")).collect();
        assert!(regulars.is_empty(), "{regulars:?}");
    }

    #[test]
    fn as_many_rest_as_bring_the_bytes_down_and_who_came_last_is_looked_at_last() {
        let intake = Intake::default();
        let mut sweep = Sweep::new(Arc::clone(&intake));
        for (name, bytes) in [("a", 100), ("b", 300), ("c", 100), ("d", 100)] {
            intake.put(cell(name, 1, bytes));
        }
        let look = Look { excess: Excess { cells: 0, bytes: 350 }, ..CALM };
        assert_eq!(names(&sweep.step(look)), ["a", "b"]);
        intake.put(cell("e", 1, 100));
        assert_eq!(names(&sweep.step(look)), ["c", "d", "e"], "and no more than there are");
        assert!(sweep.step(look).is_empty());
    }

    #[test]
    fn an_unhurried_hand_looks_at_a_part_of_the_cells_each_second() {
        let intake = Intake::default();
        let mut sweep = Sweep::new(Arc::clone(&intake));
        (0..75).for_each(|nth| intake.put(cell(&format!("{nth}"), 1, 100)));
        let later = Look { now: CALM.now + 600, ..CALM };
        let rested: Vec<usize> = (0..80).map(|_| sweep.step(later).len()).collect();
        assert_eq!(rested.iter().sum::<usize>(), 75);
        assert!(rested.iter().all(|rested| *rested <= 1), "a second's share of 75 is one");
    }

    #[test]
    fn a_sweep_is_asked_for_once() {
        let intake = Intake::default();
        assert!(intake.ask() && !intake.ask());
        Sweep::new(Arc::clone(&intake)).step(CALM);
        assert!(intake.ask(), "it has begun: a further one may be asked for");
    }
}
