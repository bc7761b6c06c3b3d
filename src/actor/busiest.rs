//! Who is busiest: the customers who took the most turns of about the last minute.
//!
//! The algorithm is Space-Saving (A. Metwally, D. Agrawal, A. El Abbadi, *Efficient Computation of Frequent and Top-k Elements in Data
//! Streams*, ICDT 2005): so many counters, and a customer who has none takes over the lowest one, with what it counted as the
//! possible error. Whoever took more than one in that many of the turns looked at is certain to have a counter.
//!
//! One turn in sixty-four is looked at, on the thread that takes it, and not even that one if another thread looks at its own just then: the
//! others cost one addition and one comparison in memory of the thread's own. The gaps between turns that are looked at come from a
//! hash of their number, so that customers who come in turn are not met by the same one again and again. What is kept does not
//! grow: counters of a few slices of time.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::PoisonError;

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::CustomerId;
use crate::sync::quiet::Mutex;

/// Counters of a slice: who took more than a sixty-fourth of its turns is certain to be found.
const COUNTERS: usize = 64;

/// Seconds of a slice.
const SLICE_SECONDS: u32 = 10;

/// Slices that are kept; the first of them is not over yet.
const SLICES: usize = 6;

/// One turn in so many is looked at, on average; a look costs about as much as a tenth of a turn.
const EVERY: u32 = 64;

/// Times that a customer must have been met to be busy rather than met by chance.
const MET_MIN: u64 = 3;

crate::sync::thread_local! {
    static GAP: Cell<Gap> = Cell::default();
}

/// How many turns of this thread go by before the next is looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Gap {
    left: u32,
    /// Gaps begun so far.
    number: u64,
}

/// A customer who is busy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusyCustomer {
    /// Who.
    pub customer: CustomerId,
    /// Turns, at least about so many.
    pub turns: u64,
}

/// The busiest customers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Busiest {
    /// How many seconds the counts are of.
    pub seconds: u32,
    /// Turns of everybody, about.
    pub turns: u64,
    /// The busiest first.
    pub customers: Vec<BusyCustomer>,
}

/// What is known of who is busy.
#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<Slices>);

#[derive(Debug, Default)]
struct Slices {
    /// The latest first.
    slices: Vec<Slice>,
}

/// The counters of a few seconds.
#[derive(Debug)]
struct Slice {
    /// Which it is, from the engine's start.
    number: u32,
    /// When the first turn was looked at, in seconds from the engine's start.
    began: u32,
    seen: u64,
    /// Hashes of the customers, by the counter's place. What is searched lies close together.
    hashes: Vec<u64>,
    /// What was counted of each.
    counts: Vec<u32>,
    holders: Vec<Holder>,
}

/// Whom a counter counts.
#[derive(Clone, Debug)]
struct Holder {
    customer: CustomerId,
    /// What of the count may have been others.
    error: u32,
}

impl Gap {
    /// Whether this turn is looked at; the gap to the next is begun.
    fn step(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        // A thread's first turn begins a gap: it is no more telling than others.
        let is_looked_at = self.number > 0;
        self.number += 1;
        let hash = xxh3_64(&self.number.to_le_bytes()) as u32;
        // A gap of n turns means that one in n + 1 is looked at.
        self.left = hash % (2 * EVERY - 1);
        is_looked_at
    }
}

impl Crowd {
    /// A customer has taken a turn, so many seconds after the engine's start. Never waits; synthetic ones are not counted.
    #[inline]
    pub(super) fn note(&self, customer: &CustomerId, second: u32) {
        let is_looked_at = GAP.with(|cell| {
            let mut gap = cell.get();
            let is_looked_at = gap.step();
            cell.set(gap);
            is_looked_at
        });
        if is_looked_at
            && !customer.is_synthetic()
            && let Ok(mut slices) = self.0.try_lock()
        {
            slices.note(customer, second);
        }
    }

    /// The busiest of about the last minute, so many seconds after the engine's start.
    pub(super) fn busiest(&self, limit: usize, second: u32) -> Busiest {
        let slices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slices.busiest(limit, second)
    }
}

impl Slices {
    fn note(&mut self, customer: &CustomerId, second: u32) {
        let number = second / SLICE_SECONDS;
        if self.slices.first().is_none_or(|slice| slice.number != number) {
            self.slices.truncate(SLICES - 1);
            self.slices.insert(0, Slice::new(number, second));
        }
        if let Some(slice) = self.slices.first_mut() {
            slice.note(customer);
        }
    }

    fn busiest(&self, limit: usize, second: u32) -> Busiest {
        let now = second / SLICE_SECONDS;
        let recent = || self.slices.iter().filter(|slice| slice.number + SLICES as u32 > now);
        // By those of them alone that are certain: what a counter took over is left out.
        let mut certain: BTreeMap<&CustomerId, u64> = BTreeMap::new();
        for (holder, count) in recent().flat_map(|slice| slice.holders.iter().zip(&slice.counts)) {
            *certain.entry(&holder.customer).or_default() += u64::from(count - holder.error);
        }
        let mut met: Vec<(&CustomerId, u64)> = certain.into_iter().filter(|(_, met)| *met >= MET_MIN).collect();
        met.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let began = recent().map(|slice| slice.began).min().unwrap_or(second);
        let turns = |met: u64| met * u64::from(EVERY);
        let busy = |(customer, met): (&CustomerId, u64)| BusyCustomer { customer: customer.clone(), turns: turns(met) };
        Busiest {
            seconds: (second - began.min(second)).max(1),
            turns: turns(recent().map(|slice| slice.seen).sum()),
            customers: met.into_iter().take(limit).map(busy).collect(),
        }
    }
}

impl Slice {
    fn new(number: u32, began: u32) -> Self {
        Self {
            number,
            began,
            seen: 0,
            hashes: Vec::with_capacity(COUNTERS),
            counts: Vec::with_capacity(COUNTERS),
            holders: Vec::with_capacity(COUNTERS),
        }
    }

    fn note(&mut self, customer: &CustomerId) {
        self.seen += 1;
        let hash = xxh3_64(customer.as_str().as_bytes());
        let place = self.hashes.iter().position(|known| *known == hash);
        if let Some(count) = place.and_then(|place| self.counts.get_mut(place)) {
            // Two customers of one hash of 64 bits would be counted as one.
            *count = count.saturating_add(1);
            return;
        }
        if self.holders.len() < COUNTERS {
            self.hashes.push(hash);
            self.counts.push(1);
            self.holders.push(Holder { customer: customer.clone(), error: 0 });
            return;
        }
        let Some(lowest) = self.counts.iter().copied().min() else { return };
        if let Some(place) = self.counts.iter().position(|count| *count == lowest) {
            self.hashes[place] = hash;
            self.counts[place] = lowest.saturating_add(1);
            self.holders[place] = Holder { customer: customer.clone(), error: lowest };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn customer(number: usize) -> CustomerId {
        CustomerId::new(&format!("c{number}")).unwrap()
    }

    proptest! {
        /// What the paper promises: counts are never below the truth and never above it by more than the error, and whoever has more
        /// than one in so many turns is found.
        #[test]
        fn counters_keep_the_promises_of_the_paper(turns in prop::collection::vec(0_usize..400, 0..2_000), busy in 0..7_usize) {
            let mut slice = Slice::new(0, 0);
            let mut truth: BTreeMap<usize, u64> = BTreeMap::new();
            // Some come often.
            for (nth, turn) in turns.iter().enumerate() {
                let number = if nth % 3 == 0 { turn % (busy + 1) } else { *turn };
                *truth.entry(number).or_default() += 1;
                slice.note(&customer(number));
            }
            prop_assert!(slice.holders.len() <= COUNTERS && slice.counts.len() == slice.holders.len());
            prop_assert_eq!(slice.counts.iter().sum::<u32>() as usize, turns.len());
            for (number, true_count) in truth {
                let mut counters = slice.holders.iter().zip(&slice.counts);
                let counter = counters.find(|(holder, _)| holder.customer == customer(number));
                if true_count > turns.len() as u64 / COUNTERS as u64 {
                    prop_assert!(counter.is_some(), "c{} came {} times", number, true_count);
                }
                if let Some((holder, count)) = counter {
                    prop_assert!(u64::from(*count) >= true_count && u64::from(count - holder.error) <= true_count);
                }
            }
        }
    }

    /// On one thread of its own, so that the gaps begin where they always begin.
    #[test]
    fn one_in_sixty_four_is_looked_at_and_the_busy_are_found() {
        std::thread::spawn(|| {
            let crowd = Crowd::default();
            // Of customers who come in turn, one is not met much more often than others; another takes a quarter of all turns.
            for turn in 0..640_000 {
                crowd.note(&customer(if turn % 4 == 3 { 1_000 } else { turn % 16 }), turn as u32 / 40_000);
            }
            let busiest = crowd.busiest(3, 16);
            assert_eq!((busiest.seconds, busiest.customers.len()), (16, 3));
            assert!((600_000..680_000).contains(&busiest.turns), "{busiest:?}");
            let first = &busiest.customers[0];
            assert!(first.customer == customer(1_000) && (145_000..175_000).contains(&first.turns), "{busiest:?}");
            assert!((38_000..50_000).contains(&busiest.customers[1].turns), "{busiest:?}");
        })
        .join()
        .unwrap();
    }

    #[test]
    fn what_is_older_than_a_minute_is_forgotten_and_chance_is_nobody() {
        let mut slices = Slices::default();
        for second in 0..200 {
            (0..3).for_each(|_| slices.note(&customer(second as usize / 50), second));
            slices.note(&customer(1_000 + second as usize), second);
        }
        let found = slices.busiest(10, 199);
        let told: Vec<(&str, u64)> = found.customers.iter().map(|of| (of.customer.as_str(), of.turns)).collect();
        assert_eq!((found.seconds, found.turns), (59, 60 * 4 * 64));
        assert_eq!(told, [("c3", 50 * 3 * 64), ("c2", 10 * 3 * 64)]);
        assert_eq!(slices.slices.len(), SLICES);
        assert_eq!(slices.busiest(10, 600), Busiest { seconds: 1, ..Busiest::default() });
    }
}
