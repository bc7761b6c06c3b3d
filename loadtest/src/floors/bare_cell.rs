//! The floor of deciding in process: a cell per customer in a dashmap, taken by a lock that nobody else holds, and a turn
//! of 300 ns on a context of 328 bytes. Nothing is decided, checked, recorded or kept.

use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use foldhash::fast::RandomState;

use crate::clock::timed;
use crate::floors::closed_loop::{Answered, Caller};
use crate::floors::workload::{Stream, Workload};

/// Words of a context.
const WORDS: usize = 41;

/// What a turn is to take.
const TURN_NANOS: f64 = 300.0;

type Context = [u64; WORDS];

/// The cells of all customers.
#[derive(Debug)]
pub(crate) struct BareCells {
    cells: DashMap<Box<str>, Arc<Mutex<Context>>, RandomState>,
    /// Steps that take 300 ns on this machine, on a context that is at hand.
    steps: u32,
}

impl BareCells {
    pub(crate) fn new(workload: &Workload) -> Arc<Self> {
        let cells = DashMap::with_hasher(RandomState::default());
        for customer in 0..workload.customers() {
            let event = workload.first(customer);
            cells.insert(event.customer.into_boxed_str(), Arc::new(Mutex::new([1; WORDS])));
        }
        Arc::new(Self { cells, steps: calibrate() })
    }

    fn turn(&self, customer: &str) -> bool {
        let Some(cell) = self.cells.get(customer).map(|cell| Arc::clone(&cell)) else { return false };
        let mut context = cell.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut context, self.steps);
        true
    }
}

/// A turn: every word of the context is read and written, each from the one before.
fn work(context: &mut Context, steps: u32) {
    let mut last = context[0];
    for step in 0..steps as usize {
        let word = &mut context[step % WORDS];
        last = (*word ^ last).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        *word = last;
    }
}

fn calibrate() -> u32 {
    const TURNS: u32 = 20_000;
    const STEPS: u32 = 200;
    let mut context = [1; WORDS];
    let mut best = f64::MAX;
    for _ in 0..7 {
        let took = timed(|| (0..TURNS).for_each(|_| work(std::hint::black_box(&mut context), STEPS)));
        best = best.min(took.as_nanos() as f64 / f64::from(TURNS));
    }
    (TURN_NANOS / best * f64::from(STEPS)) as u32
}

/// Someone who has turns taken.
#[derive(Debug)]
pub(crate) struct BareCaller {
    pub(crate) cells: Arc<BareCells>,
    pub(crate) stream: Stream,
}

impl Caller for BareCaller {
    type Item = String;

    fn prepare(&mut self) -> String {
        self.stream.customer()
    }

    async fn call(&mut self, customer: String) -> anyhow::Result<Answered> {
        anyhow::ensure!(self.cells.turn(&customer), "there is no cell of {customer}");
        Ok(Answered::Given)
    }
}
