//! A store in memory whose puts are volatile until a checkpoint: of those after it, any prefix survives the power's end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dice::Dice;
use super::machine::Machine;
use crate::journal::{Checkpoint, JournalError, StateStore, StateWrite};
use crate::sync::point;

/// The store of a machine.
#[derive(Debug)]
pub(super) struct SimulatedStore(pub(super) Arc<Machine>);

/// What is in a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelves {
    durable: Content,
    /// What was put since, in order.
    since: Vec<Put>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    states: BTreeMap<String, Vec<u8>>,
    checkpoint: Option<Checkpoint>,
}

#[derive(Clone, Debug)]
enum Put {
    States(Vec<(String, Vec<u8>)>),
    Checkpoint(Checkpoint),
}

impl Shelves {
    /// What is found after the power went.
    pub(super) fn freeze(&self, dice: &mut Dice) -> Self {
        let survived = dice.between(0, self.since.len() as u64) as usize;
        let mut frozen = Self { durable: self.durable.clone(), since: self.since[..survived].to_vec() };
        frozen.sync();
        frozen
    }

    fn sync(&mut self) {
        for put in self.since.drain(..) {
            match put {
                Put::States(states) => self.durable.states.extend(states),
                Put::Checkpoint(checkpoint) => self.durable.checkpoint = Some(checkpoint),
            }
        }
    }

    fn get(&self, customer: &str) -> Option<Vec<u8>> {
        let volatile = self.since.iter().rev().find_map(|put| match put {
            Put::States(states) => states.iter().rev().find(|(known, _)| known == customer),
            Put::Checkpoint(_) => None,
        });
        volatile.map(|(_, bytes)| bytes).or_else(|| self.durable.states.get(customer)).cloned()
    }
}

impl SimulatedStore {
    fn balk(&self) -> Result<(), JournalError> {
        point();
        if self.0.befalls(|weather| weather.balking) {
            return Err(JournalError::Store("the simulated store does not answer".to_owned()));
        }
        Ok(())
    }

    fn put_down(&self, put: Put) {
        self.0.shelves.lock().unwrap().since.push(put);
        point();
    }

    fn sync(&self) {
        self.0.shelves.lock().unwrap().sync();
        point();
    }
}

impl StateStore for SimulatedStore {
    fn get(&self, customer: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.balk()?;
        Ok(self.0.shelves.lock().unwrap().get(customer))
    }

    fn put(&self, states: &[StateWrite]) -> Result<(), JournalError> {
        self.balk()?;
        let state = |write: &StateWrite| (write.customer.to_string(), write.bytes.to_vec());
        self.put_down(Put::States(states.iter().map(state).collect()));
        Ok(())
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), JournalError> {
        self.balk()?;
        self.sync();
        self.put_down(Put::Checkpoint(checkpoint.clone()));
        self.balk()?;
        self.sync();
        Ok(())
    }

    fn last_checkpoint(&self) -> Result<Option<Checkpoint>, JournalError> {
        point();
        Ok(self.0.shelves.lock().unwrap().durable.checkpoint.clone())
    }
}
