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

use crate::bundle::{Cap, CapScope, Measure, Playbook};
use crate::context::{CapAccount, CapKey, StoredCapAccount, Take};
use crate::domain::{Partition, Timestamp};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::turn::{CapChange, Lease};

/// Partitions there are; each has leases of its own.
const PARTITIONS: usize = Partition::COUNT as usize;

/// What all customers together took of global caps.
#[derive(Debug)]
pub(super) struct CapBook {
    leases: Box<[Mutex<Leases>]>,
    accounts: Mutex<Accounts>,
    /// A turn that had borrowed beyond its portion gave back what it did not need.
    returned: Condvar,
}

/// One partition's leases.
#[derive(Debug, Default)]
struct Leases {
    unused: Vec<(CapKey, i64)>,
    /// What was taken from them since the accounts were last told, by record.
    taken: Vec<(u64, Take)>,
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
    caps: Vec<Portion>,
    is_borrowing: bool,
}

/// How a cap is lent out.
#[derive(Clone, Copy, Debug)]
struct Portion {
    key: CapKey,
    /// What a partition may keep unused.
    kept: i64,
    /// What one decision takes at most.
    need: i64,
}

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
        Ok(Self { leases, accounts: Mutex::new(accounts), returned: Condvar::new() })
    }

    /// Enters what a record says that came after the book was stored.
    pub(super) fn recover(&self, changes: impl Iterator<Item = CapChange>) {
        let mut accounts = self.accounts();
        changes.for_each(|change| apply(change, &mut accounts.base));
    }

    /// Makes what was recovered the present.
    pub(super) fn open(&self) {
        let mut accounts = self.accounts();
        let live = |(key, account): (&CapKey, &CapAccount)| (*key, Live { account: account.clone(), lent: 0 });
        accounts.live = accounts.base.iter().map(live).collect();
    }

    /// Locks a partition's leases of these playbooks' global caps, filled up so that a decision may take what it needs, or
    /// all there is left.
    pub(super) fn draw<'a, 'p>(
        &'a self,
        partition: Partition,
        playbooks: impl Iterator<Item = &'p Playbook>,
        now: Timestamp,
    ) -> Drawing<'a> {
        let leases = lock(&self.leases[usize::from(partition.number())]);
        let mut drawing = Drawing { book: self, leases, caps: Vec::new(), is_borrowing: false };
        for playbook in playbooks {
            for cap in playbook.caps.iter().filter(|cap| cap.scope == CapScope::Global) {
                let portion = Portion::of(cap, playbook);
                drawing.fill(cap, portion, now);
                drawing.caps.push(portion);
            }
        }
        drawing
    }

    /// The accounts as of a record, in their stored form. Everything up to the record must be synced, so that what is stored
    /// is never ahead of the journal.
    pub(super) fn checkpoint(&self, seq: u64) -> Vec<u8> {
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
        base.retain(|_, account| !account.is_empty());
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
            unused += leases.unused.iter().filter(|(key, _)| *key == cap.key).map(|(_, unused)| *unused).sum::<i64>();
        }
        let taken = self.accounts().live.get_mut(&cap.key).map_or(0, |live| live.account.taken(cap.over, now));
        (taken, unused)
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        lock(&self.accounts)
    }

    /// Calls in what lies unused in the leases that no turn is taking from.
    fn call_in(&self, accounts: &mut Accounts, cap: CapKey) {
        for leases in &self.leases {
            let Ok(mut leases) = leases.try_lock() else { continue };
            accounts.tell(&mut leases);
            for (_, unused) in leases.unused.iter_mut().filter(|(key, _)| *key == cap) {
                accounts.live.entry(cap).or_default().lent -= *unused;
                *unused = 0;
            }
        }
    }
}

impl Drawing<'_> {
    /// What the turn may take.
    pub(super) fn leases(&self) -> Vec<Lease> {
        self.caps.iter().map(|portion| Lease { cap: portion.key, room: self.leases.unused(portion.key) }).collect()
    }

    /// Enters what the turn took, under its record.
    pub(super) fn enter(&mut self, seq: u64, changes: impl Iterator<Item = CapChange>) {
        for change in changes {
            match change {
                CapChange::Took(take) => {
                    *self.leases.unused_mut(take.cap) -= take.amount;
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

    /// Fills a lease up, if it is too small, from what is left. What others borrow at this moment may come back: it is waited
    /// for, no longer than their turns take.
    fn fill(&mut self, cap: &Cap, portion: Portion, now: Timestamp) {
        if self.leases.unused(cap.key) >= portion.need {
            return;
        }
        let mut accounts = self.book.accounts();
        accounts.tell(&mut self.leases);
        let mut has_called_in = false;
        loop {
            let live = accounts.live.entry(cap.key).or_default();
            let left = cap.max.saturating_sub(live.account.taken(cap.over, now)).saturating_sub(live.lent);
            let wanted = portion.need.max(portion.kept) - self.leases.unused(cap.key);
            let lent = wanted.min(left).max(0);
            live.lent += lent;
            *self.leases.unused_mut(cap.key) += lent;
            if self.leases.unused(cap.key) >= portion.need {
                break;
            }
            if !has_called_in {
                has_called_in = true;
                self.book.call_in(&mut accounts, cap.key);
            } else if accounts.borrowing > 0 {
                accounts = self.book.returned.wait(accounts).unwrap_or_else(PoisonError::into_inner);
            } else {
                break;
            }
        }
        if !self.is_borrowing {
            self.is_borrowing = true;
            accounts.borrowing += 1;
        }
    }
}

impl Drop for Drawing<'_> {
    /// Gives back what goes beyond the portion.
    fn drop(&mut self) {
        if !self.is_borrowing {
            return;
        }
        let mut accounts = self.book.accounts();
        for portion in &self.caps {
            let unused = self.leases.unused_mut(portion.key);
            let beyond = (*unused - portion.kept).max(0);
            *unused -= beyond;
            accounts.live.entry(portion.key).or_default().lent -= beyond;
        }
        accounts.borrowing -= 1;
        drop(accounts);
        self.book.returned.notify_all();
    }
}

impl Portion {
    fn of(cap: &Cap, playbook: &Playbook) -> Self {
        let kept = cap.unused_max.of(cap.max) / PARTITIONS as i64;
        let need = match cap.measure {
            Measure::Count => 1,
            Measure::Amount(field) => playbook.outcome.fields()[field].limits.max.min(cap.max),
        };
        Self { key: cap.key, kept, need }
    }
}

impl Leases {
    fn unused(&self, cap: CapKey) -> i64 {
        self.unused.iter().find(|(key, _)| *key == cap).map_or(0, |(_, unused)| *unused)
    }

    fn unused_mut(&mut self, cap: CapKey) -> &mut i64 {
        let at = self.unused.iter().position(|(key, _)| *key == cap).unwrap_or_else(|| {
            self.unused.push((cap, 0));
            self.unused.len() - 1
        });
        &mut self.unused[at].1
    }
}

impl Accounts {
    /// Takes over what was taken from a partition's leases.
    fn tell(&mut self, leases: &mut Leases) {
        for (seq, take) in leases.taken.drain(..) {
            let live = self.live.entry(take.cap).or_default();
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
