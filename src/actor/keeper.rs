//! Keepers: those who do what takes time for their share of the customers.
//!
//! Callers take the sub-microsecond turns; a keeper reads states from disk, goes on with a busy customer's turns where a
//! caller has done its share, rebuilds what broke, and sweeps over its cells to find who may rest. What reaches a keeper is an
//! [`Errand`], handed in at its [`Door`]: in an engine the mailbox of an actix actor on a thread of its own, in a simulation a
//! queue.

use std::sync::{Arc, OnceLock, PoisonError};

use super::cell::{Cell, Owner};
use super::house::House;
use super::sweep::{Intake, Look, Sweep};
use super::{Failure, Refusal, Shed};

/// Turns that a keeper takes for one customer before it turns to the next.
pub(super) const KEEPER_DRAIN: usize = 256;

/// What a keeper is asked to do.
#[derive(Debug)]
pub(super) enum Errand {
    /// Load a state into a cell, then do what waits.
    Load {
        owner: Owner,
        /// From the journal too: the state in memory broke before it was stored.
        rebuild: bool,
    },
    /// Do what waits in a busy cell.
    Drive(Owner),
    /// Look for cells that may rest, before the time for it.
    Sweep,
}

/// An errand that a keeper does not take.
#[derive(Debug)]
pub(super) enum Undelivered {
    /// Too many wait.
    Full(Errand),
    /// The keeper is gone.
    Closed(Errand),
}

/// Where errands of one keeper are handed in. Never waits.
pub(super) trait Door: Send + Sync + std::fmt::Debug {
    fn hand_in(&self, errand: Errand) -> Result<(), Undelivered>;
}

/// The doors of the keepers, once they have started.
#[derive(Debug, Default)]
pub(super) struct Keepers(OnceLock<Vec<Share>>);

/// One keeper's door and the cells that wait to be swept by it.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) door: Box<dyn Door>,
    pub(super) intake: Intake,
}

impl Keepers {
    /// Makes the keepers known. Once.
    pub(super) fn introduce(&self, shares: Vec<Share>) {
        let introduced = self.0.set(shares);
        debug_assert!(introduced.is_ok(), "keepers are introduced once");
    }

    fn of(&self, cell: &Cell) -> Option<&Share> {
        let shares = self.0.get()?;
        shares.get(usize::from(cell.partition.number()) % shares.len().max(1))
    }

    pub(super) fn load(&self, house: &Arc<House>, owner: Owner, rebuild: bool) {
        let Some(share) = self.of(owner.cell()) else {
            return house.turn_away(owner, rebuild, &Refusal::Failed(Failure::StateUnreadable));
        };
        let (errand, shed) = match share.door.hand_in(Errand::Load { owner, rebuild }) {
            Ok(()) => return,
            Err(Undelivered::Full(errand)) => (errand, Shed::LoadingFull),
            Err(Undelivered::Closed(errand)) => (errand, Shed::Stopping),
        };
        if let Errand::Load { owner, rebuild } = errand {
            house.turn_away(owner, rebuild, &Refusal::Shed(shed));
        }
    }

    pub(super) fn drive(&self, house: &Arc<House>, owner: Owner) {
        let sent = match self.of(owner.cell()) {
            Some(share) => share.door.hand_in(Errand::Drive(owner)),
            None => Err(Undelivered::Closed(Errand::Drive(owner))),
        };
        // A keeper that cannot take it leaves it to the caller: nothing that waits is forgotten.
        if let Err(Undelivered::Full(Errand::Drive(owner)) | Undelivered::Closed(Errand::Drive(owner))) = sent {
            house.drive(owner, usize::MAX);
        }
    }

    /// Puts a cell under its keeper's care.
    pub(super) fn adopt(&self, cell: &Arc<Cell>) {
        if let Some(share) = self.of(cell) {
            share.intake.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(cell));
        }
    }

    /// Asks for a sweep before its time.
    pub(super) fn sweep(&self) {
        for share in self.0.get().into_iter().flatten() {
            // One that is under way, or a full mailbox, is as good.
            let _ = share.door.hand_in(Errand::Sweep);
        }
    }
}

/// One keeper.
#[derive(Debug)]
pub(super) struct Keeper {
    house: Arc<House>,
    sweep: Sweep,
    /// Whether this keeper moves the house's clock.
    is_first: bool,
    swept_at: u32,
}

impl Keeper {
    /// The keeper `nth` of so many.
    pub(super) fn new(house: Arc<House>, intake: Intake, nth: usize, shares: usize) -> Self {
        Self { house, sweep: Sweep::new(intake, shares), is_first: nth == 0, swept_at: 0 }
    }

    /// Does an errand; returns the cells that it found may rest, for the archive.
    pub(super) fn run(&mut self, errand: Errand) -> Vec<Arc<Cell>> {
        match errand {
            Errand::Load { owner, rebuild } => self.house.load_blocking(owner, rebuild),
            Errand::Drive(owner) => self.house.drive(owner, KEEPER_DRAIN),
            Errand::Sweep if self.swept_at != self.house.tick() => return self.sweep(),
            Errand::Sweep => {}
        }
        Vec::new()
    }

    /// Another second has passed; returns the cells that may rest.
    pub(super) fn tick(&mut self) -> Vec<Arc<Cell>> {
        if self.is_first {
            self.house.advance_tick();
        }
        self.sweep()
    }

    fn sweep(&mut self) -> Vec<Arc<Cell>> {
        let config = &self.house.config;
        let look = Look {
            now: self.house.tick(),
            idle_for: u32::try_from(config.passivate_after.as_secs()).unwrap_or(u32::MAX).max(1),
            hot: self.house.hot_customers(),
            hot_max: config.hot_customers_max,
        };
        self.swept_at = look.now;
        self.sweep.step(look)
    }
}
