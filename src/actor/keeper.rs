//! Keepers: actix actors that do what takes time for their share of the customers.
//!
//! Callers take the sub-microsecond turns; a keeper reads states from disk, goes on with a busy customer's turns where a
//! caller has done its share, rebuilds what broke, and sweeps over its cells to find who may rest. Each keeper lives on an
//! arbiter, a thread, of its own.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use actix::prelude::*;

use super::archivist::{Archivist, Retire};
use super::cell::{Cell, Owner};
use super::house::House;
use super::runtime::Awake;
use super::{Failure, Refusal, Shed};

/// How often a keeper sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Cells that a sweep puts to rest at most: the rest waits for the next, so that turns are not held up.
const RETIRE_MAX: usize = 20_000;

/// Messages that may wait at a keeper: one per customer that is loaded or handed over at a time.
pub(super) const KEEPER_MAILBOX: usize = 1 << 16;

/// Turns that a keeper takes for one customer before it turns to the next.
const KEEPER_DRAIN: usize = 256;

/// The addresses of the keepers, once they have started.
#[derive(Debug, Default)]
pub(super) struct Keepers(OnceLock<Vec<Share>>);

/// One keeper's address and the cells that wait to be swept by it.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) address: Addr<Keeper>,
    pub(super) intake: Arc<Mutex<Vec<Arc<Cell>>>>,
}

/// Load a state into a cell, then do what waits.
#[derive(Debug)]
struct Load {
    owner: Owner,
    /// From the journal too: the state in memory broke before it was stored.
    rebuild: bool,
}

/// Do what waits in a busy cell.
#[derive(Debug)]
struct Drive(Owner);

/// Look for cells that may rest.
#[derive(Debug)]
struct Sweep;

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
        match share.address.try_send(Load { owner, rebuild }) {
            Ok(()) => {}
            Err(SendError::Full(Load { owner, rebuild })) => {
                house.turn_away(owner, rebuild, &Refusal::Shed(Shed::LoadingFull));
            }
            Err(SendError::Closed(Load { owner, rebuild })) => {
                house.turn_away(owner, rebuild, &Refusal::Shed(Shed::Stopping));
            }
        }
    }

    pub(super) fn drive(&self, house: &Arc<House>, owner: Owner) {
        let sent = match self.of(owner.cell()) {
            Some(share) => share.address.try_send(Drive(owner)),
            None => Err(SendError::Closed(Drive(owner))),
        };
        // A keeper that cannot take it leaves it to the caller: nothing that waits is forgotten.
        if let Err(SendError::Full(Drive(owner)) | SendError::Closed(Drive(owner))) = sent {
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
            let _ = share.address.try_send(Sweep);
        }
    }
}

/// One keeper.
#[derive(Debug)]
pub(super) struct Keeper {
    house: Arc<House>,
    archivist: Addr<Archivist>,
    intake: Arc<Mutex<Vec<Arc<Cell>>>>,
    /// Cells under this keeper's care, in the order of the clock hand.
    ring: Vec<Arc<Cell>>,
    hand: usize,
    /// Whether this keeper moves the house's clock.
    is_first: bool,
    shares: usize,
    swept_at: u32,
}

impl Keeper {
    pub(super) fn new(
        house: Arc<House>,
        archivist: Addr<Archivist>,
        intake: Arc<Mutex<Vec<Arc<Cell>>>>,
        nth: usize,
        shares: usize,
    ) -> Self {
        Self { house, archivist, intake, ring: Vec::new(), hand: 0, is_first: nth == 0, shares, swept_at: 0 }
    }

    /// Finds cells that may rest: all that were idle for long, and if there are more customers in memory than there should
    /// be, those that were not touched since the hand last passed.
    fn sweep(&mut self) {
        self.ring.append(&mut self.intake.lock().unwrap_or_else(PoisonError::into_inner));
        let house = &self.house;
        let now = house.tick();
        let idle_for = u32::try_from(house.config.passivate_after.as_secs()).unwrap_or(u32::MAX).max(1);
        let over = house.hot_customers().saturating_sub(house.config.hot_customers_max);
        let mut excess = over.div_ceil(self.shares);
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
            let rested = now.saturating_sub(cell.touched());
            let is_unused = rested >= idle_for;
            let is_excess = excess > 0 && cell.is_idle() && (rested > 0 || over > house.config.hot_customers_max / 8);
            if is_unused || is_excess {
                excess = excess.saturating_sub(1);
                resting.push(Arc::clone(cell));
            }
        }
        self.swept_at = now;
        if !resting.is_empty() {
            // An archivist that is behind gets them at the next sweep.
            let _ = self.archivist.try_send(Retire(resting));
        }
    }
}

impl Message for Load {
    type Result = ();
}

impl Message for Drive {
    type Result = ();
}

impl Message for Sweep {
    type Result = ();
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(KEEPER_MAILBOX);
        context.run_interval(SWEEP_EVERY, |keeper, _| {
            if keeper.is_first {
                keeper.house.advance_tick();
            }
            keeper.sweep();
        });
    }
}

impl Supervised for Keeper {
    fn restarting(&mut self, _: &mut Self::Context) {
        tracing::error!("a keeper stopped and is started again");
    }
}

impl Handler<Awake> for Keeper {
    type Result = ();

    fn handle(&mut self, _: Awake, _: &mut Self::Context) {}
}

impl Handler<Load> for Keeper {
    type Result = ();

    fn handle(&mut self, load: Load, _: &mut Self::Context) {
        self.house.load_blocking(load.owner, load.rebuild);
    }
}

impl Handler<Drive> for Keeper {
    type Result = ();

    fn handle(&mut self, Drive(owner): Drive, _: &mut Self::Context) {
        self.house.drive(owner, KEEPER_DRAIN);
    }
}

impl Handler<Sweep> for Keeper {
    type Result = ();

    fn handle(&mut self, _: Sweep, _: &mut Self::Context) {
        if self.swept_at != self.house.tick() {
            self.sweep();
        }
    }
}
