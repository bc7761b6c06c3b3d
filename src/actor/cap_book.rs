//! The book of global caps: what all customers together took, and what is lent out to be taken.
//!
//! Each partition has a *lease* of each global cap, a small portion of what is left of it. A turn takes from the lease of its
//! customer's partition, which costs one lock that only the same partition's turns want; when the lease is too small, it is
//! filled up from what is left. What is lent is never lent twice, so the cap is never exceeded. What lies unused in leases is
//! bounded: all of them together hold at most the cap's `unused_max`, and when nothing else is left they are called in.
//!
//! INVARIANT: a partition's lease is locked from before a turn is taken until what it took is entered with the record's
//! sequence. Whoever has read the last synced sequence and then locked every lease once knows of everything up to it.
//!
//! Locks are taken in the order lease, accounts; leases are called in with `try_lock`.

use std::collections::HashMap;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::bundle::{Cap, CapScope, Measure, Playbook};
use crate::context::{CapAccount, CapKey, StoredCapAccount, Take};
use crate::domain::{Partition, TimeDelta, Timestamp};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::turn::{CapChange, Lease};

/// Partitions there are; each has leases of its own.
const PARTITIONS: usize = Partition::COUNT as usize;

/// What all customers together took of global caps.
#[derive(Debug)]
pub(super) struct CapBook {
    leases: Box<[Mutex<Leases>]>,
    accounts: Mutex<Accounts>,
    /// Whether everything that was taken before the start is in the accounts.
    is_known: AtomicBool,
    /// A turn that had borrowed beyond its portion gave back what it did not need.
    returned: Condvar,
}

/// One partition's leases.
#[derive(Debug, Default)]
struct Leases {
    each: Vec<Unused>,
    /// What was taken from them since the accounts were last told, by record.
    taken: Vec<(u64, Take)>,
}

/// What lies unused in a lease.
#[derive(Debug)]
struct Unused {
    key: CapKey,
    /// The cap's limit when it was lent: under another one it is given back.
    limit: i64,
    unused: i64,
}

#[derive(Debug, Default)]
struct Accounts {
    live: HashMap<CapKey, Live>,
    /// The accounts as of the last checkpoint.
    base: HashMap<CapKey, CapAccount>,
    /// What came since, by record.
    since: Vec<(u64, CapChange)>,
    /// Turns under way that borrowed beyond their portion.
    borrowing: usize,
}

/// An account as it is now.
#[derive(Debug, Default)]
struct Live {
    account: CapAccount,
    /// What is lent out, or was taken from a lease and is not in the account yet.
    lent: i64,
}

/// What a turn may take, locked until it has.
#[derive(Debug)]
pub(super) struct Drawing<'a> {
    book: &'a CapBook,
    leases: MutexGuard<'a, Leases>,
    caps: SmallVec<[Need; 2]>,
    is_borrowing: bool,
}

/// What a turn's decisions may need of a cap.
#[derive(Clone, Copy, Debug)]
struct Need {
    key: CapKey,
    over: Option<TimeDelta>,
    limit: i64,
    /// What a partition may keep unused.
    kept: i64,
    /// What all decisions of the turn take at most.
    amount: i64,
}

/// How often a turn waits for what others borrow before it makes do with what there is.
const WAITS_MAX: usize = 32;

/// The stored form: cap and account.
#[derive(Default, Serialize, Deserialize)]
struct Stored(Vec<(CapKey, StoredCapAccount)>);

impl CapBook {
    /// The book as it was stored; empty for none.
    pub(super) fn restore(stored: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        let stored = if stored.is_empty() { Stored::default() } else { rmp_serde::from_slice(stored)? };
        let base = stored.0.into_iter().map(|(key, account)| (key, CapAccount::restore(account))).collect();
        let accounts = Accounts { base, ..Accounts::default() };
        let leases = (0..PARTITIONS).map(|_| Mutex::new(Leases::default())).collect();
        let (accounts, is_known) = (Mutex::new(accounts), AtomicBool::new(false));
        Ok(Self { leases, accounts, is_known, returned: Condvar::new() })
    }

    /// Enters what a record says that came after the book was stored.
    pub(super) fn recover(&self, changes: impl Iterator<Item = CapChange>) {
        let mut accounts = self.accounts();
        changes.for_each(|change| apply(change, &mut accounts.base));
    }

    /// Makes what was recovered the present. Until then nothing may be drawn for playbooks with global caps; what is settled
    /// meanwhile is kept, and settled here.
    pub(super) fn open(&self) {
        let mut accounts = self.accounts();
        let mut present = accounts.base.clone();
        accounts.since.iter().for_each(|(_, change)| apply(*change, &mut present));
        accounts.live = present.into_iter().map(|(key, account)| (key, Live { account, lent: 0 })).collect();
        self.is_known.store(true, Ordering::Release);
    }

    /// Whether everything that was taken before the start is in the accounts.
    pub(super) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
    }

    /// Locks a partition's leases of these playbooks' global caps, filled up so that all their decisions may take what they
    /// need, or all there is left.
    pub(super) fn draw<'a, 'p>(
        &'a self,
        partition: Partition,
        playbooks: impl Iterator<Item = &'p Playbook>,
        now: Timestamp,
    ) -> Drawing<'a> {
        let mut caps = SmallVec::new();
        playbooks.for_each(|playbook| need(playbook, &mut caps));
        let leases = lock(&self.leases[usize::from(partition.number())]);
        let mut drawing = Drawing { book: self, leases, caps, is_borrowing: false };
        if !drawing.is_served() {
            drawing.fill(now);
        }
        drawing
    }

    /// The accounts as of a record, in their stored form. Everything up to the record must be synced, so that what is stored
    /// is never ahead of the journal. What has left its window by now is forgotten.
    pub(super) fn checkpoint(&self, seq: u64, now: Timestamp) -> Vec<u8> {
        for leases in &self.leases {
            let mut leases = lock(leases);
            if !leases.taken.is_empty() {
                self.accounts().tell(&mut leases);
            }
        }
        let mut accounts = self.accounts();
        let Accounts { base, since, .. } = &mut *accounts;
        since.sort_by_key(|(at, _)| *at);
        let until = since.partition_point(|(at, _)| *at <= seq);
        since.drain(..until).for_each(|(_, change)| apply(change, base));
        base.retain(|_, account| {
            account.forget(now);
            !account.is_empty()
        });
        let mut stored: Vec<_> = base.iter().map(|(key, account)| (*key, account.store())).collect();
        stored.sort_by_key(|(key, _)| *key);
        // Writing numbers into memory cannot fail.
        if stored.is_empty() { Vec::new() } else { rmp_serde::to_vec(&Stored(stored)).unwrap_or_default() }
    }

    /// What is taken of a cap, and what lies unused in leases. Locks every lease once: not for the way of an event.
    pub(super) fn standing(&self, cap: &Cap, now: Timestamp) -> (i64, i64) {
        let mut unused = 0;
        for leases in &self.leases {
            let mut leases = lock(leases);
            self.accounts().tell(&mut leases);
            unused += leases.of(cap.key).map_or(0, |lease| lease.unused);
        }
        let taken = self.accounts().live.get_mut(&cap.key).map_or(0, |live| live.account.taken(cap.over, now));
        (taken, unused)
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        lock(&self.accounts)
    }

    /// Calls in what lies unused in the leases that no turn is taking from.
    fn call_in(&self, accounts: &mut Accounts) {
        for leases in &self.leases {
            let Ok(mut leases) = leases.try_lock() else { continue };
            accounts.tell(&mut leases);
            for lease in &mut leases.each {
                accounts.live(lease.key).lent -= std::mem::take(&mut lease.unused);
            }
        }
    }
}

impl Drawing<'_> {
    /// What the turn may take.
    pub(super) fn leases(&self) -> Vec<Lease> {
        let room = |need: &Need| self.leases.of(need.key).map_or(0, |lease| lease.unused);
        self.caps.iter().map(|need| Lease { cap: need.key, room: room(need) }).collect()
    }

    /// Enters what the turn took, under its record.
    pub(super) fn enter(&mut self, seq: u64, changes: impl Iterator<Item = CapChange>) {
        for change in changes {
            match change {
                CapChange::Took(take) => {
                    self.leases.of_mut(take.cap).unused -= take.amount;
                    self.leases.taken.push((seq, take));
                }
                CapChange::Settled(decision, settlement) => {
                    let mut accounts = self.book.accounts();
                    // What the decision took may have been told to nobody yet.
                    accounts.tell(&mut self.leases);
                    for live in accounts.live.values_mut() {
                        live.account.settle(decision, settlement);
                    }
                    accounts.since.push((seq, change));
                }
            }
        }
    }

    /// Whether the leases hold what is needed, under the limits that are in force.
    fn is_served(&self) -> bool {
        let serves = |need: &Need| {
            self.leases.of(need.key).is_some_and(|lease| lease.limit == need.limit && lease.unused >= need.amount)
        };
        self.caps.iter().all(serves)
    }

    /// Fills the leases up from what is left. What others borrow at this moment may come back: it is waited for, no longer than
    /// their turns take, with nothing in hand that somebody else may wait for.
    fn fill(&mut self, now: Timestamp) {
        let mut accounts = self.book.accounts();
        accounts.tell(&mut self.leases);
        self.renew(&mut accounts);
        let mut has_called_in = false;
        for _ in 0..WAITS_MAX {
            self.borrow(&mut accounts, now);
            if self.is_served() {
                break;
            }
            if !has_called_in {
                has_called_in = true;
                self.book.call_in(&mut accounts);
            } else if accounts.borrowing > 0 {
                self.give_back(&mut accounts);
                accounts = self.book.returned.wait(accounts).unwrap_or_else(PoisonError::into_inner);
            } else {
                break;
            }
        }
        self.borrow(&mut accounts, now);
        self.is_borrowing = true;
        accounts.borrowing += 1;
    }

    /// Gives back what was lent under a limit that is in force no more.
    fn renew(&mut self, accounts: &mut Accounts) {
        for need in &self.caps {
            let lease = self.leases.of_mut(need.key);
            if lease.limit != need.limit {
                accounts.live(need.key).lent -= std::mem::take(&mut lease.unused);
                lease.limit = need.limit;
            }
        }
    }

    /// Takes what is needed, or what there is of it.
    fn borrow(&mut self, accounts: &mut Accounts, now: Timestamp) {
        for need in &self.caps {
            let (live, lease) = (accounts.live(need.key), self.leases.of_mut(need.key));
            let taken = live.account.taken(need.over, now);
            let left = need.limit.saturating_sub(taken).saturating_sub(live.lent);
            let wanted = need.amount.max(need.kept) - lease.unused;
            let lent = wanted.min(left).max(0);
            live.lent += lent;
            lease.unused += lent;
        }
    }

    /// Gives back what goes beyond the portions.
    fn give_back(&mut self, accounts: &mut Accounts) {
        for need in &self.caps {
            let lease = self.leases.of_mut(need.key);
            let beyond = (lease.unused - need.kept).max(0);
            lease.unused -= beyond;
            accounts.live(need.key).lent -= beyond;
        }
    }
}

impl Drop for Drawing<'_> {
    fn drop(&mut self) {
        if !self.is_borrowing {
            return;
        }
        let mut accounts = self.book.accounts();
        self.give_back(&mut accounts);
        accounts.borrowing -= 1;
        drop(accounts);
        self.book.returned.notify_all();
    }
}

/// Adds what a playbook's decision may take to what is needed of each cap. Of several entries of one cap an outcome counts
/// against one; decisions of several playbooks add up.
fn need(playbook: &Playbook, needs: &mut SmallVec<[Need; 2]>) {
    let global = || playbook.caps.iter().filter(|cap| cap.scope == CapScope::Global);
    let most = |cap: &Cap| match cap.measure {
        Measure::Count => 1,
        Measure::Amount(field) => playbook.outcome.fields()[field].limits.max.clamp(0, cap.max),
    };
    for (nth, cap) in global().enumerate() {
        if global().take(nth).any(|earlier| earlier.key == cap.key) {
            continue;
        }
        let amount = global().filter(|of| of.key == cap.key).map(most).max().unwrap_or(0);
        match needs.iter_mut().find(|need| need.key == cap.key) {
            Some(need) => need.amount = need.amount.saturating_add(amount).min(cap.max),
            None => {
                let kept = cap.unused_max.of(cap.max) / PARTITIONS as i64;
                needs.push(Need { key: cap.key, over: cap.over, limit: cap.max, kept, amount });
            }
        }
    }
}

impl Leases {
    fn of(&self, cap: CapKey) -> Option<&Unused> {
        self.each.iter().find(|lease| lease.key == cap)
    }

    fn of_mut(&mut self, cap: CapKey) -> &mut Unused {
        let at = self.each.iter().position(|lease| lease.key == cap).unwrap_or_else(|| {
            self.each.push(Unused { key: cap, limit: 0, unused: 0 });
            self.each.len() - 1
        });
        &mut self.each[at]
    }
}

impl Accounts {
    fn live(&mut self, cap: CapKey) -> &mut Live {
        self.live.entry(cap).or_default()
    }

    /// Takes over what was taken from a partition's leases.
    fn tell(&mut self, leases: &mut Leases) {
        for (seq, take) in leases.taken.drain(..) {
            let live = self.live(take.cap);
            live.lent -= take.amount;
            live.account.enter(take);
            self.since.push((seq, CapChange::Took(take)));
        }
    }
}

fn apply(change: CapChange, accounts: &mut HashMap<CapKey, CapAccount>) {
    match change {
        CapChange::Took(take) => accounts.entry(take.cap).or_default().enter(take),
        CapChange::Settled(decision, settlement) => {
            for account in accounts.values_mut() {
                account.settle(decision, settlement);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
