//! Looks on at what cells do, and holds the invariants of the protocol against every step of every cell.
//!
//! What stands here runs in the same step of the simulation as the change that it is told of: nobody can come in between.

use std::cell::RefCell;
use std::collections::HashMap;

use super::cell::{Cell, GONE, IDLE, RUN, Status};
use crate::domain::CustomerId;

/// What is known of one customer.
#[derive(Debug, Default)]
struct Known {
    /// Cells of the customer that are not gone.
    live: usize,
    /// Owners of any of the customer's cells.
    owners: usize,
    /// Cells there ever were.
    activations: usize,
}

#[derive(Debug, Default)]
struct Watch {
    customers: HashMap<CustomerId, Known>,
    /// Jobs that wait, by the cell's address.
    waiting: HashMap<usize, usize>,
}

thread_local! {
    /// One simulation at a time runs on a thread of the machine.
    static WATCH: RefCell<Watch> = RefCell::default();
}

/// A cell enters the registry, owned by whoever made it.
pub(super) fn begun(cell: &Cell) {
    WATCH.with_borrow_mut(|watch| {
        // Another cell may have lain at this address before.
        watch.waiting.insert(address(cell), 0);
        let known = watch.customers.entry(cell.customer.clone()).or_default();
        known.live += 1;
        known.owners += 1;
        known.activations += 1;
        assert_eq!(known.live, 1, "two live activations of customer `{}`", cell.customer.as_str());
        assert_eq!(known.owners, 1, "two owners of customer `{}`", cell.customer.as_str());
    });
}

/// A cell changed its status.
pub(super) fn moved(cell: &Cell, to: Status) {
    WATCH.with_borrow_mut(|watch| {
        let waiting = watch.waiting.get(&address(cell)).copied().unwrap_or(0);
        let Some(known) = watch.customers.get_mut(&cell.customer) else { return };
        match to {
            RUN => {
                known.owners += 1;
                assert_eq!(known.owners, 1, "two owners of customer `{}`", cell.customer.as_str());
                assert_eq!(waiting, 0, "a cell was idle with jobs in its queue");
            }
            IDLE => {
                known.owners -= 1;
                assert_eq!(waiting, 0, "a cell is left idle with jobs in its queue");
            }
            GONE => (known.owners, known.live) = (known.owners - 1, known.live - 1),
            _ => assert_eq!(known.owners, 1, "a cell without an owner has a queue"),
        }
    });
}

/// So many jobs wait in a cell now.
pub(super) fn waiting(cell: &Cell, jobs: usize) {
    WATCH.with_borrow_mut(|watch| watch.waiting.insert(address(cell), jobs));
}

/// Another simulation begins.
pub(super) fn begin() {
    WATCH.take();
}

/// Everyone has gone home: no cell may be owned, and nothing may wait. Returns how often a customer was activated.
pub(super) fn end() -> usize {
    let watch = WATCH.take();
    for (customer, known) in &watch.customers {
        assert_eq!(known.owners, 0, "the cell of customer `{}` was never left", customer.as_str());
    }
    assert_eq!(watch.waiting.values().sum::<usize>(), 0, "jobs were forgotten in a queue");
    watch.customers.values().map(|known| known.activations).sum()
}

fn address(cell: &Cell) -> usize {
    std::ptr::from_ref(cell).addr()
}
