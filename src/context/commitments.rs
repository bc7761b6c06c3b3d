//! Commitments: what decisions took of caps, and decisions that wait to be settled.
//!
//! A decision of a playbook with `settle_within` is *pending* until someone says that it was carried out (commit) or was
//! not (release), or its time is over, which releases it. What it took of caps is *reserved* from its turn on; a
//! reservation that is released counts no more, one that is committed counts until it leaves the cap's window.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use super::{FlowKey, PlaybookKey};
use crate::domain::{DecisionId, Settlement, TimeDelta, Timestamp};

/// A cap's name in a ledger. Two caps of one bundle never share one; the bundle refuses that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CapKey(u64);

/// What a customer's decisions took of caps, and those that are pending. Nothing on the heap for a customer without any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commitments(Option<Box<Content>>);

#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    /// Oldest first.
    reservations: Vec<Reservation>,
    /// Oldest first.
    pending: Vec<Pending>,
}

/// What one decision took of one cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The cap.
    pub cap: CapKey,
    /// The decision. Of several that were merged, the latest.
    pub decision: DecisionId,
    /// How much.
    pub amount: i64,
    /// When: the arrival of the event.
    pub at: Timestamp,
    /// Until when it counts if nobody commits it; `None` once it is committed.
    pub held_until: Option<Timestamp>,
}

/// A decision that waits to be settled, or was settled a short while ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The decision.
    pub decision: DecisionId,
    /// Its playbook.
    pub playbook: PlaybookKey,
    /// What the playbook's flow control tells apart.
    pub key: FlowKey,
    /// When it was made.
    pub at: Timestamp,
    /// When it is released by itself.
    pub until: Timestamp,
    /// What became of it.
    pub settled: Option<Settlement>,
}

/// What a settlement comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It took effect.
    Now,
    /// The decision had been settled like this before.
    Before,
    /// The decision had been settled otherwise.
    Otherwise,
    /// Its time was over: it has been released.
    Expired,
    /// No such decision is pending, or it was settled long ago.
    Unknown,
}

/// Decisions of one customer that may be pending, settled ones that are remembered included.
pub const PENDING_MAX: usize = 256;

/// Reservations that one customer's ledger keeps for one cap. Beyond it the oldest committed ones are merged, and leave the
/// window with the younger of the two: later than they might, never sooner.
pub const RESERVATIONS_MAX: usize = 1_000;

/// Later than anything.
const FOR_EVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// Cap, decision, amount, at, held until.
type StoredReservation = (CapKey, [u8; 16], i64, i64, Option<i64>);

/// Decision, playbook, key, at, until, settlement.
type StoredPending = ([u8; 16], PlaybookKey, FlowKey, i64, i64, Option<u8>);

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct StoredCommitments {
    reservations: Vec<StoredReservation>,
    pending: Vec<StoredPending>,
}

impl CapKey {
    /// The key of a cap's id.
    pub fn of(id: &str) -> Self {
        Self(xxh3_64(id.as_bytes()))
    }
}

impl Reservation {
    /// Whether it counts at a time.
    #[inline]
    pub fn counts(&self, now: Timestamp) -> bool {
        self.held_until.is_none_or(|until| until > now)
    }
}

impl Pending {
    /// Whether it is pending at a time.
    #[inline]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.settled.is_none() && self.until > now
    }
}

impl Commitments {
    /// How much of a cap is taken at a time by decisions made after `since`.
    pub fn taken(&self, cap: CapKey, since: Timestamp, now: Timestamp) -> i64 {
        let within = |r: &&Reservation| r.cap == cap && r.at > since && r.counts(now);
        self.reservations().filter(within).fold(0_i64, |sum, r| sum.saturating_add(r.amount))
    }

    /// When a cap leaves more than at a time, if nothing else is reserved or settled until then; `None` if all that is taken
    /// stays so for ever, or nothing is taken.
    pub fn more_room_at(&self, cap: CapKey, over: Option<TimeDelta>, max: i64, now: Timestamp) -> Option<Timestamp> {
        let leaves = |r: &Reservation| {
            let of_window = over.map(|over| r.at.saturating_add(over));
            let at = [of_window, r.held_until].into_iter().flatten().min();
            (at.unwrap_or(FOR_EVER), r.amount)
        };
        let taken = self.reservations().filter(|r| r.cap == cap).map(leaves).filter(|(until, _)| *until > now);
        let mut leaving: SmallVec<[(Timestamp, i64); 4]> = taken.collect();
        leaving.sort_unstable();
        let mut left = leaving.iter().fold(max, |left, (_, amount)| left.saturating_sub(*amount));
        let now_left = left.max(0);
        for (at, amount) in leaving {
            left = left.saturating_add(amount);
            if left > now_left {
                return (at != FOR_EVER).then_some(at);
            }
        }
        None
    }

    /// How many decisions of a playbook are pending for a key at a time.
    pub fn pending_of(&self, playbook: PlaybookKey, key: FlowKey, now: Timestamp) -> usize {
        let is_of = |pending: &&Pending| pending.playbook == playbook && pending.key == key && pending.is_open(now);
        self.pending().filter(is_of).count()
    }

    /// Whether a decision was released, as far as it is remembered.
    pub fn is_released(&self, decision: DecisionId) -> bool {
        self.pending().any(|p| p.decision == decision && p.settled == Some(Settlement::Release))
    }

    /// Whether another decision may become pending.
    pub fn has_room(&self, now: Timestamp) -> bool {
        self.pending().filter(|pending| pending.is_open(now)).count() < PENDING_MAX
    }

    /// Enters what a decision took of a cap; forgets what the cap's window, which begins after `since`, no longer covers.
    pub fn reserve(&mut self, reservation: Reservation, since: Timestamp) {
        let now = reservation.at;
        let reservations = &mut self.content().reservations;
        reservations.retain(|r| r.cap != reservation.cap || (r.at > since && r.counts(now)));
        if reservations.iter().filter(|r| r.cap == reservation.cap).count() >= RESERVATIONS_MAX {
            merge_oldest(reservations, reservation.cap);
        }
        reservations.push(reservation);
    }

    /// Enters a decision that waits to be settled; forgets those whose time is over.
    pub fn hold(&mut self, pending: Pending) {
        let content = self.content();
        content.pending.retain(|known| known.until > pending.at);
        if content.pending.len() >= PENDING_MAX {
            // Those that are settled are remembered only to recognise a repetition. There is one: decisions that find no
            // room for another open one are not made.
            if let Some(settled) = content.pending.iter().position(|known| known.settled.is_some()) {
                content.pending.remove(settled);
            }
        }
        content.pending.push(pending);
    }

    /// What settling a decision at a time would come to.
    pub fn outlook(&self, decision: DecisionId, settlement: Settlement, now: Timestamp) -> Settled {
        match self.pending().find(|pending| pending.decision == decision) {
            None => Settled::Unknown,
            Some(Pending { settled: Some(known), .. }) if *known == settlement => Settled::Before,
            Some(Pending { settled: Some(_), .. }) => Settled::Otherwise,
            Some(pending) if !pending.is_open(now) => Settled::Expired,
            Some(_) => Settled::Now,
        }
    }

    /// Settles a decision. Changes nothing unless the result is [`Settled::Now`].
    pub fn settle(&mut self, decision: DecisionId, settlement: Settlement, now: Timestamp) -> Settled {
        let outlook = self.outlook(decision, settlement, now);
        if outlook != Settled::Now {
            return outlook;
        }
        let content = self.content();
        for pending in content.pending.iter_mut().filter(|pending| pending.decision == decision) {
            pending.settled = Some(settlement);
        }
        match settlement {
            Settlement::Commit => {
                let of = content.reservations.iter_mut().filter(|r| r.decision == decision);
                of.for_each(|reservation| reservation.held_until = None);
            }
            Settlement::Release => content.reservations.retain(|r| r.decision != decision),
        }
        outlook
    }

    /// What was reserved, oldest first.
    pub fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.0.iter().flat_map(|content| &content.reservations)
    }

    /// Decisions that are pending or were settled a short while ago, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.0.iter().flat_map(|content| &content.pending)
    }

    /// Bytes held beyond its own size.
    pub fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |content| {
            size_of::<Content>()
                + content.reservations.capacity() * size_of::<Reservation>()
                + content.pending.capacity() * size_of::<Pending>()
        })
    }

    fn content(&mut self) -> &mut Content {
        self.0.get_or_insert_default()
    }

    /// The stored form; `None` if there is nothing.
    pub(super) fn store(&self) -> Option<StoredCommitments> {
        let content = self.0.as_deref()?;
        if content.reservations.is_empty() && content.pending.is_empty() {
            return None;
        }
        let bytes = |id: DecisionId| id.to_u128().to_be_bytes();
        let reservation =
            |r: &Reservation| (r.cap, bytes(r.decision), r.amount, r.at.micros(), r.held_until.map(Timestamp::micros));
        let pending = |p: &Pending| {
            (bytes(p.decision), p.playbook, p.key, p.at.micros(), p.until.micros(), p.settled.map(Settlement::code))
        };
        Some(StoredCommitments {
            reservations: content.reservations.iter().map(reservation).collect(),
            pending: content.pending.iter().map(pending).collect(),
        })
    }

    pub(super) fn restore(stored: StoredCommitments) -> Self {
        if stored.reservations.is_empty() && stored.pending.is_empty() {
            return Self::default();
        }
        let id = |bytes| DecisionId::from_u128(u128::from_be_bytes(bytes));
        let time = Timestamp::from_micros;
        let reservation = |(cap, decision, amount, at, until): StoredReservation| Reservation {
            cap,
            decision: id(decision),
            amount,
            at: time(at),
            held_until: until.map(time),
        };
        let pending = |(decision, playbook, key, at, until, settled): StoredPending| Pending {
            decision: id(decision),
            playbook,
            key,
            at: time(at),
            until: time(until),
            settled: settled.and_then(Settlement::from_code),
        };
        Self(Some(Box::new(Content {
            reservations: stored.reservations.into_iter().map(reservation).collect(),
            pending: stored.pending.into_iter().map(pending).collect(),
        })))
    }
}

/// Makes one of a cap's two oldest committed reservations.
fn merge_oldest(reservations: &mut Vec<Reservation>, cap: CapKey) {
    let mut committed =
        reservations.iter().enumerate().filter(|(_, r)| r.cap == cap && r.held_until.is_none()).map(|(at, _)| at);
    if let (Some(first), Some(second)) = (committed.next(), committed.next()) {
        let merged = reservations.remove(first);
        let into = &mut reservations[second - 1];
        into.amount = into.amount.saturating_add(merged.amount);
    }
}
