//! A cap's account: what all customers together took of a global cap.
//!
//! What is committed is kept in buckets, 64 to the cap's window, each by its end: an amount leaves the window when the whole
//! of its bucket has left it, later than it might by up to a sixty-fourth of the window, never sooner. What is held is kept
//! by decision until it is settled or its time, and a little more, is over.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::{CapKey, Settled};
use crate::domain::{DecisionId, Settlement, TimeDelta, Timestamp};

/// How long a hold outlives its time: a settlement that arrived in time may wait that long for its turn. No caller waits
/// longer for one.
const SETTLE_GRACE: TimeDelta = TimeDelta::from_micros(15 * TimeDelta::SECOND.micros());

/// Buckets of a window.
const BUCKETS: i64 = 64;

/// What all customers together took of one cap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CapAccount {
    /// The end of each bucket and what was committed in it, ascending.
    committed: Vec<(Timestamp, i64)>,
    holds: HashMap<DecisionId, Hold>,
    /// When each hold is given up, ascending.
    deadlines: BTreeSet<(Timestamp, DecisionId)>,
    /// The sum of the holds.
    held: i64,
    /// The cap's window, as of what was last entered.
    over: Option<TimeDelta>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hold {
    amount: i64,
    /// The end of the bucket that it is committed in.
    bucket: Timestamp,
    until: Timestamp,
}

/// What one decision takes of a global cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// The cap.
    pub cap: CapKey,
    /// The cap's window; `None` for ever.
    pub over: Option<TimeDelta>,
    /// The decision.
    pub decision: DecisionId,
    /// How much.
    pub amount: i64,
    /// When.
    pub at: Timestamp,
    /// Until when it is only held; `None` if it is committed at once.
    pub held_until: Option<Timestamp>,
}

/// The window, committed buckets, and holds: decision, amount, bucket, until.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StoredCapAccount {
    over: Option<i64>,
    committed: Vec<(i64, i64)>,
    holds: Vec<([u8; 16], i64, i64, i64)>,
}

impl CapAccount {
    /// Enters what a decision takes.
    pub fn enter(&mut self, take: Take) {
        let bucket = bucket_end(take.at, take.over);
        self.over = take.over;
        match take.held_until {
            None => self.commit(bucket, take.amount),
            Some(until) => {
                let hold = Hold { amount: take.amount, bucket, until };
                if let Some(known) = self.holds.insert(take.decision, hold) {
                    self.held = self.held.saturating_sub(known.amount);
                    self.deadlines.remove(&(known.until, take.decision));
                }
                self.held = self.held.saturating_add(take.amount);
                self.deadlines.insert((until, take.decision));
            }
        }
    }

    /// Settles what a decision took, if it is held.
    pub fn settle(&mut self, decision: DecisionId, settlement: Settlement) -> Settled {
        let Some(hold) = self.let_go(decision) else { return Settled::Unknown };
        if settlement == Settlement::Commit {
            self.commit(hold.bucket, hold.amount);
        }
        Settled::Now
    }

    /// How much is taken at a time; forgets what has left the window and holds whose time, and a little more, is over.
    pub fn taken(&mut self, over: Option<TimeDelta>, now: Timestamp) -> i64 {
        while let Some((until, decision)) = self.deadlines.first().copied() {
            if until.saturating_add(SETTLE_GRACE) > now {
                break;
            }
            self.let_go(decision);
        }
        if let Some(over) = over {
            let gone = self.committed.partition_point(|(end, _)| end.saturating_add(over) <= now);
            self.committed.drain(..gone);
        }
        self.committed.iter().fold(self.held, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// Forgets what has left the window, and holds whose time is over.
    pub fn forget(&mut self, now: Timestamp) {
        self.taken(self.over, now);
    }

    /// Whether nothing is taken.
    pub fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.holds.is_empty()
    }

    /// The stored form.
    pub fn store(&self) -> StoredCapAccount {
        let hold = |(_, decision): &(Timestamp, DecisionId)| {
            let hold = self.holds.get(decision)?;
            let id = decision.to_u128().to_be_bytes();
            Some((id, hold.amount, hold.bucket.micros(), hold.until.micros()))
        };
        StoredCapAccount {
            over: self.over.map(TimeDelta::micros),
            committed: self.committed.iter().map(|(end, amount)| (end.micros(), *amount)).collect(),
            holds: self.deadlines.iter().filter_map(hold).collect(),
        }
    }

    /// The account of a stored form.
    pub fn restore(stored: StoredCapAccount) -> Self {
        let time = Timestamp::from_micros;
        let committed = stored.committed.into_iter().map(|(end, amount)| (time(end), amount)).collect();
        let over = stored.over.map(TimeDelta::from_micros);
        let mut account = Self { committed, over, ..Self::default() };
        for (id, amount, bucket, until) in stored.holds {
            let decision = DecisionId::from_u128(u128::from_be_bytes(id));
            account.holds.insert(decision, Hold { amount, bucket: time(bucket), until: time(until) });
            account.deadlines.insert((time(until), decision));
            account.held = account.held.saturating_add(amount);
        }
        account
    }

    fn let_go(&mut self, decision: DecisionId) -> Option<Hold> {
        let hold = self.holds.remove(&decision)?;
        self.deadlines.remove(&(hold.until, decision));
        self.held = self.held.saturating_sub(hold.amount);
        Some(hold)
    }

    fn commit(&mut self, bucket: Timestamp, amount: i64) {
        match self.committed.binary_search_by_key(&bucket, |(end, _)| *end) {
            Ok(at) => self.committed[at].1 = self.committed[at].1.saturating_add(amount),
            Err(at) => self.committed.insert(at, (bucket, amount)),
        }
    }
}

/// The end of the bucket that a time falls into; what is taken for ever falls into one.
fn bucket_end(at: Timestamp, over: Option<TimeDelta>) -> Timestamp {
    let Some(over) = over else { return Timestamp::from_micros(i64::MAX) };
    let width = (over.micros() / BUCKETS).max(1);
    let end = at.micros().div_euclid(width).saturating_add(1).saturating_mul(width);
    Timestamp::from_micros(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OVER: TimeDelta = TimeDelta::from_micros(64_000);

    fn take(nth: u128, amount: i64, at: i64, held_until: Option<i64>) -> Take {
        Take {
            cap: CapKey::of("campaign"),
            over: Some(OVER),
            decision: DecisionId::from_u128(nth),
            amount,
            at: Timestamp::from_micros(at),
            held_until: held_until.map(Timestamp::from_micros),
        }
    }

    #[test]
    fn a_hold_counts_until_it_is_released_and_for_the_window_once_it_is_committed() {
        let mut account = CapAccount::default();
        let at = Timestamp::from_micros;
        account.enter(take(1, 5, 0, Some(100)));
        account.enter(take(2, 7, 0, Some(100)));
        assert_eq!(account.taken(Some(OVER), at(1)), 12);
        assert_eq!(account.settle(DecisionId::from_u128(1), Settlement::Release), Settled::Now);
        assert_eq!(account.settle(DecisionId::from_u128(1), Settlement::Release), Settled::Unknown);
        assert_eq!(account.settle(DecisionId::from_u128(2), Settlement::Commit), Settled::Now);
        assert_eq!(account.taken(Some(OVER), at(64_999)), 7);
        assert_eq!(account.taken(Some(OVER), at(65_000)), 0, "a bucket of 1,000 has left the window as a whole");
        assert!(account.is_empty());
    }

    #[test]
    fn a_hold_that_nobody_settles_is_given_up_after_its_grace() {
        let mut account = CapAccount::default();
        account.enter(take(1, 5, 0, Some(100)));
        let given_up = Timestamp::from_micros(100).saturating_add(SETTLE_GRACE);
        assert_eq!(account.taken(None, given_up.saturating_sub(TimeDelta::from_micros(1))), 5);
        assert_eq!(account.taken(None, given_up), 0);
    }

    proptest! {
        /// Whatever is entered and settled: the account never says less than what an exact window holds, and survives its
        /// stored form.
        #[test]
        fn never_less_than_an_exact_window(
            steps in proptest::collection::vec((0_i64..30_000, 1_i64..10, 0..4_u8), 1..60),
        ) {
            let (mut account, mut exact, mut now) = (CapAccount::default(), Vec::new(), 0);
            for (nth, (wait, amount, kind)) in (0_u128..).zip(steps) {
                now += wait;
                match kind {
                    0 | 1 => {
                        account.enter(take(nth, amount, now, None));
                        exact.push((nth, now, amount));
                    }
                    2 => {
                        account.enter(take(nth, amount, now, Some(now + 1_000_000_000)));
                        exact.push((nth, now, amount));
                    }
                    _ => if let Some((of, ..)) = exact.first().copied() {
                        let is_held = account.settle(DecisionId::from_u128(of), Settlement::Release) == Settled::Now;
                        exact.retain(|(nth, ..)| !is_held || *nth != of);
                    }
                }
                let within: i64 =
                    exact.iter().filter(|(_, at, _)| at + OVER.micros() > now).map(|(.., amount)| amount).sum();
                let restored = CapAccount::restore(account.store());
                prop_assert_eq!(&restored, &account);
                prop_assert!(account.taken(Some(OVER), Timestamp::from_micros(now)) >= within);
            }
        }
    }
}
