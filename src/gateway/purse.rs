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
    /// More was spent than is written down.
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

    /// A call has cost so much. What is known to be more than was reserved is counted as well: the budget is then the poorer for it,
    /// and the next reservation writes it down, if need be. Never waits for the disk.
    pub(super) fn settle(&mut self, reservation: Reservation, used: Money) {
        let Reservation { day, names, amount } = reservation;
        let used = used.max(Money::ZERO);
        for name in &names {
            let Some(account) = self.days.get_mut(&day).and_then(|accounts| accounts.get_mut(name)) else { continue };
            account.reserved = account.reserved.minus(amount);
            account.spent = account.spent.plus(used);
            self.is_behind |= account.gone() > account.written;
        }
    }

    /// Writes down the exact figure; what is still reserved counts in full. Nothing can be reserved afterwards.
    pub(super) fn close(&mut self) -> Result<(), NoMoney> {
        self.is_closed = true;
        let exact = self.spending(Account::gone);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::kept_file::KeptFile;
    use super::super::kept_file::faulty::{Disk, Fate};
    use super::*;
    use crate::domain::TimeDelta;

    fn noon() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn money(nanos: i64) -> Money {
        Money::from_nanos(nanos)
    }

    fn budget(name: &str, per_day: i64) -> Budget {
        Budget { name: name.into(), per_day: money(per_day) }
    }

    fn purse(disk: &Disk) -> Purse {
        Purse::open(disk.file()).unwrap()
    }

    #[test]
    fn reserves_of_all_budgets_or_of_none() {
        let mut purse = purse(&Disk::default());
        let (agent, playbook) = (budget("agent:a", 1_000), budget("playbook:p", 100));
        let first = purse.reserve(&[agent.clone(), playbook.clone()], money(80), noon()).unwrap();
        let refused = purse.reserve(&[agent.clone(), playbook.clone()], money(30), noon()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the budget `playbook:p` has 0.00000002 left of its day's 0.0000001, the call could cost 0.00000003"
        );
        assert_eq!(purse.gone("agent:a", noon()), money(80), "nothing was taken of the other");
        purse.settle(first, money(10));
        assert_eq!(purse.gone("playbook:p", noon()), money(10));
        let again = purse.reserve(&[agent, playbook], money(90), noon()).unwrap();
        drop(again);
        assert_eq!(purse.gone("agent:a", noon()), money(100), "what is not settled counts in full");
    }

    #[test]
    fn a_budget_that_is_named_twice_is_drawn_on_once() {
        let mut purse = purse(&Disk::default());
        let twice = [budget("a", 100), budget("a", 100)];
        let reservation = purse.reserve(&twice, money(100), noon()).unwrap();
        purse.settle(reservation, money(60));
        assert_eq!(purse.gone("a", noon()), money(60));
    }

    #[test]
    fn a_crash_loses_at_most_a_block_and_a_clean_stop_nothing() {
        let disk = Disk::default();
        let all = [budget("a", 6_400)];
        let mut first = purse(&disk);
        let reservation = first.reserve(&all, money(10), noon()).unwrap();
        first.settle(reservation, money(4));
        drop(first);
        let mut after_crash = purse(&disk);
        assert_eq!(after_crash.gone("a", noon()), money(100), "a 64th");
        let reservation = after_crash.reserve(&all, money(10), noon()).unwrap();
        after_crash.settle(reservation, money(7));
        after_crash.close().unwrap();
        assert_eq!(purse(&disk).gone("a", noon()), money(107));
        assert_eq!(after_crash.reserve(&all, money(1), noon()).unwrap_err(), NoMoney::Closed);
    }

    #[test]
    fn writes_once_a_block_and_not_for_each_call() {
        let disk = Disk::default();
        let mut purse = purse(&disk);
        let mut writes = 0;
        for _ in 0..6_400 {
            disk.set_bytes(b"");
            let reservation = purse.reserve(&[budget("a", 6_400)], money(1), noon()).unwrap();
            purse.settle(reservation, money(1));
            writes += u32::from(disk.bytes().is_some_and(|bytes| !bytes.is_empty()));
        }
        assert_eq!(writes, 64);
        assert!(purse.reserve(&[budget("a", 6_400)], money(1), noon()).is_err());
    }

    #[test]
    fn reserves_nothing_that_cannot_be_written_down() {
        let disk = Disk::default();
        let mut purse = purse(&disk);
        disk.set_fate(Fate::Lost);
        let refused = purse.reserve(&[budget("a", 6_400)], money(1), noon()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "failed to write `spending.json`: no space left on device; nothing is spent that could be forgotten"
        );
        assert_eq!(purse.gone("a", noon()), Money::ZERO);
        disk.set_fate(Fate::Kept);
        assert!(purse.reserve(&[budget("a", 6_400)], money(1), noon()).is_ok());
    }

    #[test]
    fn what_was_spent_beyond_is_written_down_before_anything_else_is_spent() {
        let disk = Disk::default();
        let mut first = purse(&disk);
        let reservation = first.reserve(&[budget("a", 6_400)], money(1), noon()).unwrap();
        first.settle(reservation, money(6_000));
        disk.set_fate(Fate::Lost);
        let other = first.reserve(&[budget("b", 6_400)], Money::ZERO, noon());
        assert!(matches!(other, Err(NoMoney::Unwritten { .. })), "{other:?}");
        disk.set_fate(Fate::Kept);
        let _counted = first.reserve(&[budget("b", 6_400)], Money::ZERO, noon()).unwrap();
        assert_eq!(purse(&disk).gone("a", noon()), money(6_000));
    }

    #[test]
    fn a_new_day_is_a_new_budget_and_an_old_one_is_none() {
        let disk = Disk::default();
        let mut purse = purse(&disk);
        let day = |nth: i64| noon().saturating_add(TimeDelta::from_micros(nth * TimeDelta::DAY.micros()));
        let mut all =
            |nth| purse.reserve(&[budget("a", 100)], money(100), day(nth)).map(drop).map_err(|e| e.to_string());
        let over = Err("the budget `a` has 0 left of its day's 0.0000001, the call could cost 0.0000001".to_owned());
        assert_eq!(all(0), Ok(()));
        assert_eq!(all(0), over);
        assert_eq!(all(1), Ok(()), "midnight has passed");
        assert_eq!(all(0), over, "the clock was set back");
        assert_eq!(all(36_500), Ok(()), "it went wild");
        assert_eq!(all(1), over, "and came back");
        (2..20).for_each(|nth| assert_eq!(all(nth), Ok(())));
        assert_eq!(all(36_500), over);
        let forgotten =
            "the clock shows 2026-11-24, and what was spent before 2026-12-05 is no longer known".to_owned();
        assert_eq!(all(2), Err(forgotten));
        assert_eq!(all(13), over, "that one is known");
    }

    #[test]
    fn a_day_that_was_forgotten_for_one_that_could_not_be_written_down_stays_forgotten() {
        let disk = Disk::default();
        let mut first = purse(&disk);
        let day = |nth: i64| noon().saturating_add(TimeDelta::from_micros(nth * TimeDelta::DAY.micros()));
        let all = [budget("a", 100)];
        (0..8).for_each(|nth| drop(first.reserve(&all, money(100), day(nth)).unwrap()));
        disk.set_fate(Fate::Lost);
        assert!(matches!(first.reserve(&all, money(100), day(8)), Err(NoMoney::Unwritten { .. })));
        disk.set_fate(Fate::Kept);
        assert!(matches!(first.reserve(&all, money(1), day(0)), Err(NoMoney::Forgotten { .. })));
        drop(first.reserve(&all, money(100), day(8)).unwrap());
        assert_eq!(purse(&disk).earliest, Day::of(day(1)), "nor is it known after a restart");
    }

    #[test]
    fn a_call_that_ends_after_midnight_belongs_to_the_day_on_which_it_began() {
        let mut purse = purse(&Disk::default());
        let all = [budget("a", 100)];
        let reservation = purse.reserve(&all, money(100), noon()).unwrap();
        let tomorrow = noon().saturating_add(TimeDelta::DAY);
        let _next = purse.reserve(&all, money(100), tomorrow).unwrap();
        purse.settle(reservation, money(30));
        assert_eq!((purse.gone("a", noon()), purse.gone("a", tomorrow)), (money(30), money(100)));
    }

    #[test]
    fn does_not_open_what_it_cannot_read() {
        for (bytes, reason) in [
            (&b"{"[..], "EOF while parsing"),
            (b"{\"form\":9,\"earliest\":\"\",\"days\":{}}", "`form` is 9, this version reads 1"),
            (b"{\"form\":1,\"earliest\":\"\",\"days\":{\"today\":{}}}", "`today` is not a day such as `2026-11-22`"),
            (
                b"{\"form\":1,\"earliest\":\"\",\"days\":{\"2026-11-22\":{\"a\":\"-1\"}}}",
                "`a` on 2026-11-22 is `-1`: expected an amount of money",
            ),
        ] {
            let disk = Disk::default();
            disk.set_bytes(bytes);
            let error = Purse::open(disk.file()).err().expect("it is unreadable").to_string();
            assert!(error.starts_with("failed to read what was spent from `spending.json`: "), "{error}");
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_file_on_a_disk_is_read_again_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Purse::open(Box::new(KeptFile::new(folder.path(), "spending.json"))).unwrap();
        let mut purse = open();
        let _counted = purse.reserve(&[budget("agent:a", 640), budget("b", 64_000)], money(5), noon()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("spending.json")).unwrap();
        let expected =
            "{\"form\":1,\"earliest\":\"\",\"days\":{\"2026-11-22\":{\"agent:a\":\"0.00000001\",\"b\":\"0.000001\"}}}";
        assert_eq!(text.replace([' ', '\n'], ""), expected);
        assert_eq!(open().gone("b", noon()), money(1_000));
    }

    /// What happens to a purse.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// A call on some of the budgets that could cost so much.
        Reserve { which: u8, amount: i64 },
        /// The nth of the calls under way ends, and has cost such a part of what it could in thousandths.
        Settle { nth: usize, part: i64 },
        /// The nth of the calls under way is lost sight of; it has cost what it could.
        Lose { nth: usize },
        /// What becomes of writes from now on.
        Fate(Fate),
        /// Power is lost; calls under way cost what they could. A new start finds what is on the disk.
        Crash,
        /// A clean stop, and a start.
        Restart,
        /// The clock is moved, by hours.
        Clock(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let fate = prop_oneof![3 => Just(Fate::Kept), 1 => Just(Fate::Lost), 1 => Just(Fate::KeptAndFailed)];
        let step = prop_oneof![
            12 => (1_u8..8, 0_i64..200).prop_map(|(which, amount)| Step::Reserve { which, amount }),
            8 => (any::<usize>(), 0_i64..=1_000).prop_map(|(nth, part)| Step::Settle { nth, part }),
            1 => any::<usize>().prop_map(|nth| Step::Lose { nth }),
            2 => fate.prop_map(Step::Fate),
            1 => Just(Step::Crash),
            1 => Just(Step::Restart),
            1 => (-40_i64..60).prop_map(Step::Clock),
        ];
        prop::collection::vec(step, 0..120)
    }

    /// What was really spent, by budget and day.
    #[derive(Default)]
    struct Truth {
        used: BTreeMap<(usize, Day), i64>,
        under_way: Vec<(Reservation, u8, Day)>,
    }

    impl Truth {
        fn spend(&mut self, which: u8, day: Day, amount: i64) {
            for nth in (0..3).filter(|nth| which & (1 << nth) != 0) {
                *self.used.entry((nth, day)).or_default() += amount;
            }
        }

        /// All calls under way cost what they could.
        fn all_end(&mut self) {
            for (reservation, which, day) in std::mem::take(&mut self.under_way) {
                self.spend(which, day, reservation.amount.nanos());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_day_sees_more_than_its_budget_whatever_happens(steps in steps()) {
            let budgets = [budget("agent:a", 1_000), budget("agent:b", 70), budget("playbook:p", 700)];
            let disk = Disk::default();
            let (mut purse, mut truth, mut wall) = (purse(&disk), Truth::default(), noon());
            let mut fate = Fate::Kept;
            for step in steps {
                match step {
                    Step::Reserve { which, amount } => {
                        let of: Vec<Budget> =
                            (0..3).filter(|nth| which & (1 << nth) != 0).map(|nth| budgets[nth].clone()).collect();
                        if let Ok(reservation) = purse.reserve(&of, money(amount), wall) {
                            truth.under_way.push((reservation, which, Day::of(wall)));
                        }
                    }
                    Step::Settle { nth, part } if !truth.under_way.is_empty() => {
                        let (reservation, which, day) = truth.under_way.swap_remove(nth % truth.under_way.len());
                        let used = reservation.amount.nanos() * part / 1_000;
                        truth.spend(which, day, used);
                        purse.settle(reservation, money(used));
                    }
                    Step::Lose { nth } if !truth.under_way.is_empty() => {
                        let (reservation, which, day) = truth.under_way.swap_remove(nth % truth.under_way.len());
                        truth.spend(which, day, reservation.amount.nanos());
                    }
                    Step::Settle { .. } | Step::Lose { .. } => {}
                    Step::Fate(next) => {
                        fate = next;
                        disk.set_fate(fate);
                    }
                    Step::Crash => {
                        truth.all_end();
                        purse = self::purse(&disk);
                    }
                    Step::Restart => {
                        truth.all_end();
                        let closed = purse.close();
                        prop_assert_eq!(closed.is_ok(), fate == Fate::Kept);
                        purse = self::purse(&disk);
                    }
                    Step::Clock(hours) => {
                        wall = wall.saturating_add(TimeDelta::from_micros(hours * TimeDelta::HOUR.micros()));
                    }
                }
                for ((nth, day), used) in &truth.used {
                    let under_way: i64 = truth
                        .under_way
                        .iter()
                        .filter(|(_, which, of)| which & (1 << nth) != 0 && of == day)
                        .map(|(reservation, ..)| reservation.amount.nanos())
                        .sum();
                    let per_day = budgets[*nth].per_day.nanos();
                    prop_assert!(used + under_way <= per_day, "{} of {}", used + under_way, per_day);
                    // What a crash now would leave is at least what was spent.
                    let left = self::purse(&disk);
                    let is_known = *day >= left.earliest;
                    let name = &budgets[*nth].name;
                    let written = left.days.get(day).and_then(|of| of.get(name)).map_or(0, |one| one.written.nanos());
                    prop_assert!(!is_known || written >= used + under_way);
                }
            }
        }

        #[test]
        fn without_crashes_no_money_is_lost(amounts in prop::collection::vec((0_i64..200, 0_i64..=1_000), 0..300)) {
            let mut purse = purse(&Disk::default());
            let mut spent = 0;
            for (amount, part) in amounts {
                let reserved = purse.reserve(&[budget("a", 5_000)], money(amount), noon());
                prop_assert_eq!(reserved.is_ok(), amount == 0 || spent + amount <= 5_000);
                if let Ok(reservation) = reserved {
                    purse.settle(reservation, money(amount * part / 1_000));
                    spent += amount * part / 1_000;
                }
                prop_assert_eq!(purse.gone("a", noon()), money(spent));
            }
        }
    }
}
