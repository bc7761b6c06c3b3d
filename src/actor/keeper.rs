//! Keepers: those who do what takes time for their share of the customers.
//!
//! Callers take the sub-microsecond turns; a keeper reads states from disk, goes on with a busy customer's turns where a
//! caller has done its share, rebuilds what broke, and sweeps over its cells to find who may rest. What reaches a keeper is an
//! [`Errand`], handed in at its [`Door`]: in an engine the mailbox of an actix actor on a thread of its own, in a simulation a
//! queue.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use super::cell::{Cell, Owner};
use super::house::House;
use super::leaving::Leaving;
use super::occupancy::Excess;
use super::sweep::{Intake, Look, Resting, Sweep};
use super::{Failure, Refusal, Shed};
use crate::time::Pulse;

/// Turns that a keeper takes for one customer before it turns to the next.
pub(super) const KEEPER_DRAIN: usize = 256;

/// Customers whom a keeper holds off at a time while memory is full; who comes then is shed.
const HELD_MAX: usize = 4_096;

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
    /// Room was made: let in who was held off.
    LetIn,
    /// A test's: do nothing until told to go on; say when that begins.
    #[cfg(test)]
    Hold(crate::sync::mpsc::Sender<()>, crate::sync::mpsc::Receiver<()>),
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

    /// Has a keeper go on with a busy customer; one that cannot take it gives it back.
    pub(super) fn drive(&self, owner: Owner) -> Result<(), Owner> {
        let Some(share) = self.of(owner.cell()) else { return Err(owner) };
        match share.door.hand_in(Errand::Drive(owner)) {
            Err(Undelivered::Full(Errand::Drive(owner)) | Undelivered::Closed(Errand::Drive(owner))) => Err(owner),
            _ => Ok(()),
        }
    }

    /// Puts a cell under its keeper's care.
    pub(super) fn adopt(&self, cell: &Arc<Cell>) {
        if let Some(share) = self.of(cell) {
            share.intake.put(Arc::clone(cell));
        }
    }

    /// Asks for a sweep before its time.
    pub(super) fn sweep(&self) {
        for share in self.0.get().into_iter().flatten() {
            // A keeper with a full mailbox sweeps when it next brings someone in.
            if share.intake.ask() && share.door.hand_in(Errand::Sweep).is_err() {
                share.intake.unask();
            }
        }
    }

    /// A test door: an errand for the numbered keeper.
    #[cfg(test)]
    pub(super) fn hand_in(&self, nth: usize, errand: Errand) {
        let share = &self.0.get().unwrap()[nth];
        assert!(share.door.hand_in(errand).is_ok(), "a keeper with nothing to do takes an errand");
    }

    /// Says that room was made.
    pub(super) fn let_in(&self) {
        for share in self.0.get().into_iter().flatten() {
            // A keeper with a full mailbox looks after every errand.
            let _ = share.door.hand_in(Errand::LetIn);
        }
    }
}

/// One keeper.
#[derive(Debug)]
pub(super) struct Keeper {
    house: Arc<House>,
    sweep: Sweep,
    /// Among how many keepers the cells are shared out.
    shares: usize,
    /// Its number; the first moves the house's clock.
    nth: usize,
    /// Cells whose states are not brought in until there is room.
    held: VecDeque<Owner>,
}

impl Keeper {
    /// The keeper `nth` of so many.
    pub(super) fn new(house: Arc<House>, intake: Intake, nth: usize, shares: usize) -> Self {
        Self { house, sweep: Sweep::new(intake), shares, nth, held: VecDeque::new() }
    }

    /// Does an errand; returns the customers who may rest, for the archive.
    pub(super) fn run(&mut self, errand: Errand) -> Option<Leaving> {
        let mut leaving = None;
        let house = Arc::clone(&self.house);
        let pulse = house.pulses.keeper(self.nth);
        match errand {
            Errand::Load { owner, rebuild } => {
                let _disk = pulse.map(Pulse::at_disk);
                if rebuild { self.house.load_blocking(owner, true) } else { leaving = self.bring_in(owner) }
            }
            Errand::Drive(owner) => self.house.drive(owner, KEEPER_DRAIN),
            Errand::Sweep => leaving = self.sweep(),
            Errand::LetIn => {}
            #[cfg(test)]
            Errand::Hold(begun, until) => {
                let _ = begun.send(());
                let _ = until.recv();
            }
        }
        self.let_in();
        pulse.into_iter().for_each(Pulse::beat);
        leaving
    }

    /// Another second has passed; returns the customers who may rest.
    pub(super) fn tick(&mut self) -> Option<Leaving> {
        if self.nth == 0 {
            self.house.advance_tick();
        }
        self.house.pulses.keeper(self.nth).into_iter().for_each(Pulse::beat);
        self.house.metrics.hot_bytes.set(self.house.occupancy.bytes() as i64);
        let leaving = self.sweep();
        self.let_in();
        leaving
    }

    /// Loads a customer's state, or holds it off while memory is full and others are leaving: who was just brought in must not
    /// be pushed out by the next.
    fn bring_in(&mut self, owner: Owner) -> Option<Leaving> {
        if !self.house.is_full() {
            self.house.load_here(owner);
            return None;
        }
        let leaving = if self.house.occupancy.excess().is_none() { None } else { self.sweep() };
        if self.held.len() >= HELD_MAX {
            self.house.turn_away(owner, false, &Refusal::Shed(Shed::LoadingFull));
        } else {
            self.house.metrics.held.inc();
            self.house.occupancy.hold();
            self.held.push_back(owner);
        }
        leaving
    }

    /// Lets in who was held off, as long as there is room, or none to wait for.
    fn let_in(&mut self) {
        let house = Arc::clone(&self.house);
        while !(house.is_full() && house.occupancy.is_anyone_leaving())
            && let Some(owner) = self.held.pop_front()
        {
            let _disk = house.pulses.keeper(self.nth).map(Pulse::at_disk);
            self.house.occupancy.let_in();
            self.house.load_here(owner);
        }
    }

    fn sweep(&mut self) -> Option<Leaving> {
        let config = &self.house.config;
        let look = Look {
            now: self.house.tick(),
            idle_for: u32::try_from(config.passivate_after.as_secs()).unwrap_or(u32::MAX).max(1),
            excess: self.excess(),
            resting: config.resting,
        };
        Leaving::of(&self.house, self.sweep.step(look))
    }

    fn excess(&self) -> Excess {
        let occupancy = &self.house.occupancy;
        match self.house.config.resting {
            Resting::ByUse => occupancy.excess().shared_by(self.shares),
            Resting::ByIdleTime if occupancy.is_full() => Excess { cells: u64::MAX, bytes: u64::MAX },
            Resting::ByIdleTime => Excess::default(),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        for owner in self.held.drain(..) {
            self.house.occupancy.let_in();
            self.house.turn_away(owner, false, &Refusal::Shed(Shed::Stopping));
        }
    }
}
