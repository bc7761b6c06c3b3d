//! The purse, for many who draw on it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use tracing::error;

use super::kept_file::Keep;
use super::purse::{NoMoney, Purse, Reservation, UnreadablePurse};
use crate::agents::Budget;
use crate::domain::{Money, Timestamp};

/// The purse behind one lock that nobody waits for on a thread that others need: what has to wait for the disk does so elsewhere.
#[derive(Clone)]
pub(super) struct Till(Arc<Drawers>);

struct Drawers {
    purse: Mutex<Purse>,
    /// What calls have cost, until somebody who has the purse takes it down.
    settled: Mutex<Vec<(Reservation, Money)>>,
}

impl fmt::Debug for Till {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Till").finish_non_exhaustive()
    }
}

impl Till {
    /// Reads what was spent.
    pub(super) fn open(file: Box<dyn Keep>) -> Result<Self, UnreadablePurse> {
        let purse = Mutex::new(Purse::open(file)?);
        Ok(Self(Arc::new(Drawers { purse, settled: Mutex::default() })))
    }

    /// Sets aside so much of each budget, or nothing. To be awaited on a runtime of tokio's.
    pub(super) async fn reserve(
        &self,
        budgets: &Arc<[Budget]>,
        amount: Money,
        wall: Timestamp,
    ) -> Result<Reservation, NoMoney> {
        if let Some(reserved) = self.reserve_at_once(budgets, amount, wall) {
            return reserved;
        }
        let (drawers, budgets) = (Arc::clone(&self.0), Arc::clone(budgets));
        let waiting = tokio::task::spawn_blocking(move || drawers.purse().reserve(&budgets, amount, wall));
        // A thread that ended without a word has reserved nothing that can be relied on.
        waiting.await.unwrap_or(Err(NoMoney::Closed))
    }

    /// The same if nobody else has the purse and the disk need not be waited for.
    fn reserve_at_once(
        &self,
        budgets: &[Budget],
        amount: Money,
        wall: Timestamp,
    ) -> Option<Result<Reservation, NoMoney>> {
        let mut purse = self.0.try_purse()?;
        (!purse.waits_for_disk(budgets, amount, wall)).then(|| purse.reserve(budgets, amount, wall))
    }

    /// A call has cost so much.
    pub(super) fn settle(&self, reservation: Reservation, used: Money) {
        self.0.settled().push((reservation, used));
        // Whoever has the purse, or is next, takes it down.
        drop(self.0.try_purse());
    }

    /// Writes down the exact figure. Nothing can be reserved afterwards.
    pub(super) fn close(&self) {
        if let Err(e) = self.0.purse().close() {
            error!(reason = %e, "what was spent could not be written down exactly; more counts as spent than was");
        }
    }

    /// What was spent of a budget on the day of `wall`, with what is reserved.
    pub(super) fn gone(&self, name: &str, wall: Timestamp) -> Money {
        self.0.purse().gone(name, wall)
    }
}

impl Drawers {
    fn purse(&self) -> MutexGuard<'_, Purse> {
        self.caught_up(self.purse.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn try_purse(&self) -> Option<MutexGuard<'_, Purse>> {
        match self.purse.try_lock() {
            Ok(purse) => Some(self.caught_up(purse)),
            Err(TryLockError::Poisoned(e)) => Some(self.caught_up(e.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn caught_up<'a>(&self, mut purse: MutexGuard<'a, Purse>) -> MutexGuard<'a, Purse> {
        let settled = std::mem::take(&mut *self.settled());
        for (reservation, used) in settled {
            purse.settle(reservation, used);
        }
        purse
    }

    fn settled(&self) -> MutexGuard<'_, Vec<(Reservation, Money)>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
