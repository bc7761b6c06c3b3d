//! The floor: a state behind a lock that nobody else holds, found in a dashmap. No mailbox, no record, no passivation, no
//! guard.

use std::sync::{Arc, Mutex};

use dashmap::DashMap;
use foldhash::fast::RandomState;
use forthwith::context::CustomerState;
use forthwith::domain::CustomerId;
use forthwith::turn::{Input, Readings, Taken};

use super::ground::{Ground, customer_id};
use super::load::Taker;

/// The cells of all customers.
#[derive(Clone, Debug)]
pub(crate) struct BareCells {
    ground: &'static Ground,
    cells: Arc<DashMap<CustomerId, Arc<Mutex<CustomerState>>, RandomState>>,
}

impl BareCells {
    pub(crate) fn new(ground: &'static Ground, customers: u64) -> Self {
        let cells = DashMap::with_hasher(RandomState::default());
        for customer in 0..customers {
            cells.insert(customer_id(customer), Arc::new(Mutex::new(ground.state(customer))));
        }
        Self { ground, cells: Arc::new(cells) }
    }
}

impl Taker for BareCells {
    async fn take(&self, input: Input, readings: Readings) -> Option<Taken> {
        let cell = self.cells.get(input.customer()).map(|cell| Arc::clone(&cell)).expect("every customer has a cell");
        let mut state = cell.lock().expect("nobody panics");
        Some(self.ground.turn(&mut state, &input, &readings))
    }
}
