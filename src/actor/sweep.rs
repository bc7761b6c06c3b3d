//! The sweep: a clock hand over the cells under one keeper's care that finds those who may rest.

use std::sync::{Arc, PoisonError};

use super::cell::Cell;
use crate::sync::Mutex;

/// Cells that a sweep puts to rest at most: the rest waits for the next, so that turns are not held up.
const RETIRE_MAX: usize = 20_000;

/// Cells that wait to be put under a keeper's care.
pub(super) type Intake = Arc<Mutex<Vec<Arc<Cell>>>>;

/// One keeper's cells and the hand that goes round them.
#[derive(Debug)]
pub(super) struct Sweep {
    intake: Intake,
    /// Cells under this keeper's care, in the order of the clock hand.
    ring: Vec<Arc<Cell>>,
    hand: usize,
    /// Among how many keepers the cells are shared out.
    shares: usize,
}

/// What a sweep goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// The sweep's clock.
    pub(super) now: u32,
    /// After how long unseen a customer rests in any case.
    pub(super) idle_for: u32,
    /// Customers in memory.
    pub(super) hot: usize,
    /// How many there should be.
    pub(super) hot_max: usize,
}

impl Sweep {
    pub(super) fn new(intake: Intake, shares: usize) -> Self {
        Self { intake, ring: Vec::new(), hand: 0, shares }
    }

    /// Finds cells that may rest: all that were idle for long, and if there are more customers in memory than there should
    /// be, those that were not touched since the hand last passed.
    pub(super) fn step(&mut self, look: Look) -> Vec<Arc<Cell>> {
        self.ring.append(&mut self.intake.lock().unwrap_or_else(PoisonError::into_inner));
        let over = look.hot.saturating_sub(look.hot_max);
        let mut excess = over.div_ceil(self.shares.max(1));
        let mut resting = Vec::new();
        let mut passed = 0;
        while passed < self.ring.len() && resting.len() < RETIRE_MAX {
            passed += 1;
            self.hand = if self.hand + 1 < self.ring.len() { self.hand + 1 } else { 0 };
            let cell = &self.ring[self.hand];
            if cell.is_gone() {
                self.ring.swap_remove(self.hand);
                continue;
            }
            let rested = look.now.saturating_sub(cell.touched());
            let is_unused = rested >= look.idle_for;
            let is_excess = excess > 0 && cell.is_idle() && (rested > 0 || over > look.hot_max / 8);
            if is_unused || is_excess {
                excess = excess.saturating_sub(1);
                resting.push(Arc::clone(cell));
            }
        }
        resting
    }
}
