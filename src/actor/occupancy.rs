//! How much of the memory the customers take, and how much of it is to be given back.
//!
//! Two marks below each bound let sweeps work in batches, ahead of need: nothing is put to rest until the higher mark is
//! passed, then as many as bring it below the lower one. What is at the bound itself holds off those who want to come in
//! until those who are leaving have left.

use crate::sync::atomic::{AtomicU64, Ordering};

/// Below the bound, in sixteenths of it: from here on customers are put to rest. A state must be on disk before it may leave, and a
/// disk takes its time: what comes in meanwhile needs room.
const HIGH_MARK: u64 = 2;

/// Below the bound, in sixteenths of it: down to here.
const LOW_MARK: u64 = 3;

/// What the customers in memory may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) cells: u64,
    pub(super) bytes: u64,
}

/// What the customers in memory take. A count: threads may see it a few customers apart.
#[derive(Debug)]
pub(super) struct Occupancy {
    bounds: Bounds,
    cells: AtomicU64,
    bytes: AtomicU64,
    /// Customers who were handed to the archive to be put to rest, and are not yet.
    leaving: AtomicU64,
    /// Customers who are held off until there is room.
    held: AtomicU64,
}

/// What is to leave memory, one way of counting or the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Excess {
    pub(super) cells: u64,
    pub(super) bytes: u64,
}

impl Occupancy {
    pub(super) fn new(bounds: Bounds) -> Self {
        let none = AtomicU64::default;
        Self { bounds, cells: none(), bytes: none(), leaving: none(), held: none() }
    }

    /// A customer of so many bytes is in memory.
    pub(super) fn enter(&self, bytes: u32) {
        self.cells.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes.into(), Ordering::Relaxed);
    }

    /// A customer takes another number of bytes than before.
    pub(super) fn change(&self, before: u32, after: u32) {
        if after >= before {
            self.bytes.fetch_add((after - before).into(), Ordering::Relaxed);
        } else {
            self.bytes.fetch_sub((before - after).into(), Ordering::Relaxed);
        }
    }

    /// A customer of so many bytes has left memory.
    pub(super) fn exit(&self, bytes: u32) {
        self.cells.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes.into(), Ordering::Relaxed);
    }

    // INVARIANT: who is held off is counted before it looks whether anyone is leaving, and who has left is counted before it is
    // looked whether anyone is held off. In one order for all threads, so that nobody waits for a word that nobody gives.

    /// So many customers are about to leave.
    pub(super) fn begin_leaving(&self, cells: usize) {
        self.leaving.fetch_add(cells as u64, Ordering::SeqCst);
    }

    /// So many customers have left, or stay after all.
    pub(super) fn end_leaving(&self, cells: usize) {
        self.leaving.fetch_sub(cells as u64, Ordering::SeqCst);
    }

    pub(super) fn hold(&self) {
        self.held.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn let_in(&self) {
        self.held.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn is_anyone_held(&self) -> bool {
        self.held.load(Ordering::SeqCst) > 0
    }

    /// Customers in memory.
    pub(super) fn cells(&self) -> u64 {
        self.cells.load(Ordering::Relaxed)
    }

    /// Bytes of the customers in memory.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether there is no room for one more.
    pub(super) fn is_full(&self) -> bool {
        self.cells() >= self.bounds.cells || self.bytes() >= self.bounds.bytes
    }

    /// Whether room is being made.
    pub(super) fn is_anyone_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst) > 0
    }

    /// What is to leave memory, apart from those who are leaving. Nothing until the higher mark is passed.
    pub(super) fn excess(&self) -> Excess {
        let (cells, bytes) = (self.cells(), self.bytes());
        let leaving = self.leaving.load(Ordering::Acquire).min(cells);
        // What each of them takes is not known here; they take what others do.
        let leaving_bytes = bytes.checked_div(cells).unwrap_or(0) * leaving;
        Excess {
            cells: above(cells - leaving, self.bounds.cells),
            bytes: above(bytes.saturating_sub(leaving_bytes), self.bounds.bytes),
        }
    }
}

/// What brings `taken` down to the lower mark, if it is beyond the higher one.
fn above(taken: u64, bound: u64) -> u64 {
    let sixteenths = |parts: u64| bound - bound / 16 * parts;
    if taken > sixteenths(HIGH_MARK) { taken - sixteenths(LOW_MARK) } else { 0 }
}

impl Excess {
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// What one of so many keepers has to see to.
    pub(super) fn shared_by(self, keepers: usize) -> Self {
        let keepers = keepers.max(1) as u64;
        Self { cells: self.cells.div_ceil(keepers), bytes: self.bytes.div_ceil(keepers) }
    }

    /// What is left when a customer of so many bytes goes.
    pub(super) fn without(self, bytes: u32) -> Self {
        Self { cells: self.cells.saturating_sub(1), bytes: self.bytes.saturating_sub(bytes.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occupied(cells: u64, bytes: u32) -> Occupancy {
        let occupancy = Occupancy::new(Bounds { cells: 320, bytes: 32_000 });
        (0..cells).for_each(|_| occupancy.enter(bytes));
        occupancy
    }

    #[test]
    fn nothing_leaves_below_the_higher_mark_and_beyond_it_as_much_as_reaches_the_lower() {
        assert!(occupied(280, 1).excess().is_none(), "280 is 320 less two sixteenths");
        assert_eq!(occupied(281, 1).excess(), Excess { cells: 21, bytes: 0 }, "down to 260");
        assert_eq!(occupied(2, 15_000).excess(), Excess { cells: 0, bytes: 4_000 }, "bytes bind as customers do");
    }

    #[test]
    fn those_who_are_leaving_are_not_asked_for_again() {
        let occupancy = occupied(320, 100);
        assert_eq!(occupancy.excess(), Excess { cells: 60, bytes: 6_000 });
        occupancy.begin_leaving(60);
        assert!(occupancy.excess().is_none());
        assert!(occupancy.is_full() && occupancy.is_anyone_leaving(), "they have not left yet");
        (0..60).for_each(|_| occupancy.exit(100));
        occupancy.end_leaving(60);
        assert!(!occupancy.is_full() && occupancy.excess().is_none());
    }

    #[test]
    fn a_customer_who_grows_or_shrinks_is_counted_as_it_is_now() {
        let occupancy = occupied(3, 100);
        occupancy.change(100, 250);
        occupancy.change(100, 40);
        assert_eq!((occupancy.cells(), occupancy.bytes()), (3, 390));
    }
}
