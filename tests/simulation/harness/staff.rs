//! Those who do what takes time, as simulated threads: keepers with a queue for a door, and one who works in the archive.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use super::super::archive::Archive;
use super::super::house::House;
use super::super::keeper::{Door, Errand, Keeper, Share, Undelivered};
use super::super::leaving::Leaving;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex};

/// Errands that may wait at a keeper. Few, so that full doors are met.
const ERRANDS_MAX: usize = 4;

/// The staff of one house.
pub(super) struct Staff {
    keepers: Vec<Arc<Desk<Call>>>,
    archive: Arc<Desk<Order>>,
    threads: Vec<JoinHandle<()>>,
}

/// Where work is laid down for one thread.
#[derive(Debug)]
struct Desk<T> {
    pile: Mutex<Pile<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Pile<T> {
    waiting: VecDeque<T>,
    is_closed: bool,
}

/// Work for a keeper.
#[derive(Debug)]
enum Call {
    Errand(Errand),
    Tick,
}

/// Work for the archive.
#[derive(Debug)]
enum Order {
    Retire(Leaving),
    Checkpoint,
}

/// Work that is not taken, and why.
enum NotTaken<T> {
    Full(T),
    Closed(T),
}

impl Staff {
    /// Hires so many keepers and someone for the archive.
    pub(super) fn start(house: &Arc<House>, checkpoint_seq: u64) -> Self {
        let shares = house.config.keepers;
        let archive = Arc::new(Desk::default());
        let worker = Archive::new(Arc::clone(house), checkpoint_seq);
        let desk = Arc::clone(&archive);
        let mut threads = vec![thread::spawn(move || work_in(worker, &desk))];
        let (mut keepers, mut doors) = (Vec::new(), Vec::new());
        for nth in 0..shares {
            let (desk, intake) = (Arc::new(Desk::default()), Arc::default());
            let keeper = Keeper::new(Arc::clone(house), Arc::clone(&intake), nth, shares);
            let (own, resting) = (Arc::clone(&desk), Arc::clone(&archive));
            threads.push(thread::spawn(move || keep(keeper, &own, &resting)));
            doors.push(Share { door: Box::new(Arc::clone(&desk)), intake });
            keepers.push(desk);
        }
        house.keepers.introduce(doors);
        Self { keepers, archive, threads }
    }

    /// Another second has passed.
    pub(super) fn tick(&self) {
        for keeper in &self.keepers {
            let _ = keeper.lay_down(Call::Tick, ERRANDS_MAX);
        }
    }

    /// Orders a checkpoint.
    pub(super) fn order_checkpoint(&self) {
        let _ = self.archive.lay_down(Order::Checkpoint, ERRANDS_MAX);
    }

    /// Lets everyone finish what is on their desks, and go.
    pub(super) fn dismiss(self) {
        for keeper in &self.keepers {
            keeper.close();
        }
        self.archive.close();
        for thread in self.threads {
            assert!(thread.join().is_ok(), "nobody of the staff panics");
        }
    }
}

fn keep(mut keeper: Keeper, desk: &Desk<Call>, archive: &Desk<Order>) {
    while let Some(call) = desk.take() {
        let leaving = match call {
            Call::Errand(errand) => keeper.run(errand),
            Call::Tick => keeper.tick(),
        };
        if let Some(leaving) = leaving {
            let _ = archive.lay_down(Order::Retire(leaving), ERRANDS_MAX);
        }
    }
}

fn work_in(mut archive: Archive, desk: &Desk<Order>) {
    while let Some(order) = desk.take() {
        match order {
            Order::Retire(leaving) => archive.retire(leaving),
            // A checkpoint that fails leaves everything as it was: the checks after the crash say whether that is so.
            Order::Checkpoint => drop(archive.checkpoint_now()),
        }
    }
}

impl Door for Arc<Desk<Call>> {
    fn hand_in(&self, errand: Errand) -> Result<(), Undelivered> {
        match self.lay_down(Call::Errand(errand), ERRANDS_MAX) {
            Err(NotTaken::Full(Call::Errand(errand))) => Err(Undelivered::Full(errand)),
            Err(NotTaken::Closed(Call::Errand(errand))) => Err(Undelivered::Closed(errand)),
            _ => Ok(()),
        }
    }
}

impl<T> Default for Desk<T> {
    fn default() -> Self {
        Self { pile: Mutex::new(Pile { waiting: VecDeque::new(), is_closed: false }), changed: Condvar::new() }
    }
}

impl<T> Desk<T> {
    fn lay_down(&self, work: T, limit: usize) -> Result<(), NotTaken<T>> {
        let mut pile = self.pile.lock().unwrap_or_else(PoisonError::into_inner);
        if pile.is_closed {
            return Err(NotTaken::Closed(work));
        }
        if pile.waiting.len() >= limit {
            return Err(NotTaken::Full(work));
        }
        pile.waiting.push_back(work);
        drop(pile);
        self.changed.notify_one();
        Ok(())
    }

    /// The next piece of work; `None` when the desk is closed and empty.
    fn take(&self) -> Option<T> {
        let mut pile = self.pile.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(work) = pile.waiting.pop_front() {
                return Some(work);
            }
            if pile.is_closed {
                return None;
            }
            pile = self.changed.wait(pile).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        self.pile.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        self.changed.notify_all();
    }
}
