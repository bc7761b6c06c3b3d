//! Money: budgets of a day, reserved before each call and settled after it, never exceeded.
//!
//! A call reserves the most that it could cost, of every budget that it draws on or of none; what it did not cost goes back. One
//! lock of the caller's around the purse makes that safe against races. Against crashes, money is written down as spent *before*
//! any of it is reserved, in blocks, so that not every call waits for a disk: after a crash the whole block counts as spent. That is
//! the price: a crash may lose up to a 64th of each day's budget, or one call's worth where a call may cost more; never the budget.
//! A clean stop writes down the exact figure.
//!
//! Days are the wall clock's, in UTC. A clock that goes back finds what was spent on that day, not a new budget; what it cannot
//! remember it refuses. A reservation belongs to the day on which it was made.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::kept_file::Keep;
use super::spending::{Day, Spending};
use crate::agents::Budget;
use crate::domain::{Money, Timestamp};

/// The budgets of all days that matter. The caller locks it; [`Purse::reserve`] may write to the disk, so it belongs on a thread that
/// may wait.
pub(super) struct Purse {
    file: Box<dyn Keep>,
    days: BTreeMap<Day, BTreeMap<Arc<str>, Account>>,
    /// Of days before this one it is not known what was spent.
    earliest: Day,
    /// More was spent than is written down, and it could not be written.
    is_behind: bool,
    is_closed: bool,
}

/// One budget on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    /// Spent, as far as the file is concerned.
    written: Money,
    spent: Money,
    reserved: Money,
}

/// Money that is set aside for a call. Dropped, it counts as spent in full.
#[derive(Debug)]
#[must_use = "what is not settled counts as spent"]
pub(super) struct Reservation {
    day: Day,
    names: SmallVec<[Arc<str>; 2]>,
    amount: Money,
}

/// Why nothing was reserved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoMoney {
    /// A budget has too little left.
    #[error("the budget `{name}` has {left} left of its day's {per_day}, the call could cost {amount}")]
    OverBudget {
        /// The budget.
        name: Arc<str>,
        /// What it has left.
        left: Money,
        /// What it has a day.
        per_day: Money,
        /// What was to be reserved.
        amount: Money,
    },
    /// What is spent cannot be written down, so nothing is spent.
    #[error("failed to write `{file}`: {reason}; nothing is spent that could be forgotten")]
    Unwritten {
        /// The file.
        file: String,
        /// What the system says.
        reason: String,
    },
    /// The clock shows a day of which is no longer known what was spent.
    #[error("the clock shows {day}, and what was spent before {earliest} is no longer known")]
    Forgotten {
        /// The day.
        day: String,
        /// The earliest that is known.
        earliest: String,
    },
    /// More budgets than anybody has.
    #[error("there are {BUDGETS_MAX} budgets already; `{name}` would be one more")]
    TooMany {
        /// The one.
        name: Arc<str>,
    },
    /// It has been closed.
    #[error("the purse is closed")]
    Closed,
}

/// Why the purse cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to read what was spent from `{file}`: {reason}; if it is beyond repair, remove it: then today's budgets are whole"
)]
pub(super) struct UnreadablePurse {
    file: String,
    reason: String,
}

/// Parts of a day's budget that are written down at a time: each costs a write to the disk, and a crash may lose one.
const BLOCKS: i64 = 64;

/// Days of which the spending is known: today's, and some in case the clock is set back, or was ahead.
const DAYS_MAX: usize = 8;

/// Budgets that a day may have. Each agent and playbook has one.
const BUDGETS_MAX: usize = 4_096;

impl Purse {
    /// Reads what was spent. What cannot be read is no licence to spend it again.
    pub(super) fn open(file: Box<dyn Keep>) -> Result<Self, UnreadablePurse> {
        let unreadable = |reason: String| UnreadablePurse { file: file.name(), reason };
        let spending = match file.read().map_err(|e| unreadable(e.to_string()))? {
            Some(bytes) => Spending::read(&bytes).map_err(unreadable)?,
            None => Spending { earliest: Day::FIRST, days: BTreeMap::new() },
        };
        let account = |money: Money| Account { written: money, spent: money, reserved: Money::ZERO };
        let accounts =
            |spent: BTreeMap<Arc<str>, Money>| spent.into_iter().map(|(name, money)| (name, account(money))).collect();
        let days = spending.days.into_iter().map(|(day, spent)| (day, accounts(spent))).collect();
        Ok(Self { file, days, earliest: spending.earliest, is_behind: false, is_closed: false })
    }

    /// Sets aside so much of each budget, or nothing. Writes to the disk where a block is used up.
    pub(super) fn reserve(
        &mut self,
        budgets: &[Budget],
        amount: Money,
        wall: Timestamp,
    ) -> Result<Reservation, NoMoney> {
        let day = Day::of(wall);
        if self.is_closed {
            return Err(NoMoney::Closed);
        }
        let earliest = self.earliest_for(day);
        if day < earliest {
            return Err(NoMoney::Forgotten { day: day.to_string(), earliest: earliest.to_string() });
        }
        let amount = amount.max(Money::ZERO);
        let mut blocks: SmallVec<[(Arc<str>, Money); 2]> = SmallVec::new();
        for budget in budgets {
            if let Some(block) = self.block_for(budget, amount, day)? {
                blocks.push((Arc::clone(&budget.name), block));
            }
        }
        if !blocks.is_empty() || self.is_behind {
            self.write_ahead(day, &blocks)?;
        }
        let mut names: SmallVec<[Arc<str>; 2]> = SmallVec::new();
        // INVARIANT: of each account no more is spent and reserved than is written down, and that is no more than its day's budget.
        for budget in budgets.iter().filter(|_| amount > Money::ZERO) {
            // A budget that is named twice is drawn on once.
            if !names.contains(&budget.name) {
                let account = self.account(day, &budget.name);
                account.reserved = account.reserved.plus(amount);
                names.push(Arc::clone(&budget.name));
            }
        }
        Ok(Reservation { day, names, amount })
    }

    /// Whether [`Purse::reserve`] would have to wait for the disk.
    pub(super) fn waits_for_disk(&self, budgets: &[Budget], amount: Money, wall: Timestamp) -> bool {
        let (amount, day) = (amount.max(Money::ZERO), Day::of(wall));
        self.is_behind || budgets.iter().any(|budget| matches!(self.block_for(budget, amount, day), Ok(Some(_))))
    }

    /// A call has cost so much. What is known to be more than was reserved is counted as well: the budget is then the poorer for it.
    pub(super) fn settle(&mut self, reservation: Reservation, used: Money) {
        let Reservation { day, names, amount } = reservation;
        let used = used.max(Money::ZERO);
        let mut is_behind = false;
        for name in &names {
            let Some(account) = self.days.get_mut(&day).and_then(|accounts| accounts.get_mut(name)) else { continue };
            account.reserved = account.reserved.minus(amount);
            account.spent = account.spent.plus(used);
            is_behind |= account.gone() > account.written;
        }
        if is_behind && !self.is_closed {
            self.is_behind = true;
            // Where that fails, nothing more is reserved until it succeeds.
            let _ = self.write_ahead(day, &[]);
        }
    }

    /// Writes down the exact figure; what is still reserved counts in full. Nothing can be reserved afterwards.
    pub(super) fn close(&mut self) -> Result<(), NoMoney> {
        self.is_closed = true;
        let exact = self.spending(|account| account.gone());
        self.write(&exact)
    }

    /// What was spent of a budget on the day of `wall`, with what is reserved.
    pub(super) fn gone(&self, name: &str, wall: Timestamp) -> Money {
        let account = self.days.get(&Day::of(wall)).and_then(|accounts| accounts.get(name));
        account.map_or(Money::ZERO, Account::gone)
    }

    /// Up to where an account has to be written down before so much can be reserved; `None` if it is.
    fn block_for(&self, budget: &Budget, amount: Money, day: Day) -> Result<Option<Money>, NoMoney> {
        let accounts = self.days.get(&day);
        let known = accounts.and_then(|accounts| accounts.get(&budget.name));
        if known.is_none() && accounts.is_some_and(|accounts| accounts.len() >= BUDGETS_MAX) {
            return Err(NoMoney::TooMany { name: Arc::clone(&budget.name) });
        }
        let account = known.copied().unwrap_or_default();
        let wanted = account.gone().plus(amount);
        let per_day = budget.per_day;
        if wanted > per_day && amount > Money::ZERO {
            let (name, left) = (Arc::clone(&budget.name), per_day.minus(account.gone()).max(Money::ZERO));
            return Err(NoMoney::OverBudget { name, left, per_day, amount });
        }
        if wanted <= account.written {
            return Ok(None);
        }
        let block = Money::from_nanos(per_day.nanos() / BLOCKS);
        Ok(Some(account.gone().plus(block).max(wanted).min(per_day.max(wanted))))
    }

    /// Writes down that blocks are spent, and only then counts them as written.
    fn write_ahead(&mut self, day: Day, blocks: &[(Arc<str>, Money)]) -> Result<(), NoMoney> {
        self.forget_days_but(day);
        let mut ahead = self.spending(|account| account.written.max(account.gone()));
        ahead.earliest = self.earliest;
        let accounts = ahead.days.entry(day).or_default();
        for (name, block) in blocks {
            let written = accounts.entry(Arc::clone(name)).or_default();
            *written = (*written).max(*block);
        }
        self.write(&ahead)?;
        for (day, accounts) in ahead.days {
            for (name, written) in accounts {
                self.account(day, &name).written = written;
            }
        }
        self.is_behind = false;
        Ok(())
    }

    /// The earliest day that may be spent on. One for which a later one would have to be forgotten may not.
    fn earliest_for(&self, day: Day) -> Day {
        match self.days.first_key_value() {
            Some((first, _)) if self.days.len() >= DAYS_MAX && !self.days.contains_key(&day) => {
                self.earliest.max(*first)
            }
            _ => self.earliest,
        }
    }

    /// Makes room for a day. The earliest days go; none before one that went is spent on again.
    fn forget_days_but(&mut self, day: Day) {
        while self.days.len() >= DAYS_MAX && !self.days.contains_key(&day) {
            let Some((gone, _)) = self.days.pop_first() else { return };
            self.earliest = self.earliest.max(gone.next());
        }
    }

    fn spending(&self, figure: impl Fn(&Account) -> Money) -> Spending {
        let of_day = |accounts: &BTreeMap<Arc<str>, Account>| {
            accounts.iter().map(|(name, account)| (Arc::clone(name), figure(account))).collect()
        };
        let days = self.days.iter().map(|(day, accounts)| (*day, of_day(accounts))).collect();
        Spending { earliest: self.earliest, days }
    }

    fn write(&mut self, spending: &Spending) -> Result<(), NoMoney> {
        let written = spending.write().and_then(|bytes| self.file.write(&bytes).map_err(|e| e.to_string()));
        written.map_err(|reason| NoMoney::Unwritten { file: self.file.name(), reason })
    }

    fn account(&mut self, day: Day, name: &Arc<str>) -> &mut Account {
        self.days.entry(day).or_default().entry(Arc::clone(name)).or_default()
    }
}

impl Account {
    /// What is not left.
    fn gone(&self) -> Money {
        self.spent.plus(self.reserved)
    }
}
