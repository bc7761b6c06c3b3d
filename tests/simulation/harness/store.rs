//! A store in memory whose puts are volatile until a checkpoint: of those after it, any prefix survives the power's end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::dice::Dice;
use super::machine::Machine;
use crate::domain::{CustomerId, Timestamp};
use crate::journal::{Checkpoint, Expiry, JournalError, StateStore, StateWrite};
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
    /// What expires, by time and customer.
    expiries: BTreeSet<(Timestamp, CustomerId)>,
    checkpoint: Option<Checkpoint>,
}

#[derive(Clone, Debug)]
enum Put {
    States(Vec<StateWrite>),
    Strike(Vec<Expiry>),
    Checkpoint(Checkpoint),
}

impl Content {
    fn take(&mut self, put: Put) {
        match put {
            Put::States(states) => {
                for StateWrite { customer, bytes, expiry, expiry_before } in states {
                    if let Some(before) = expiry_before {
                        self.expiries.remove(&(before, customer.clone()));
                    }
                    self.expiries.extend(expiry.map(|at| (at, customer.clone())));
                    self.states.insert(customer.to_string(), bytes.to_vec());
                }
            }
            Put::Strike(expiries) => {
                for Expiry { at, customer } in expiries {
                    self.expiries.remove(&(at, customer));
                }
            }
            Put::Checkpoint(checkpoint) => self.checkpoint = Some(checkpoint),
        }
    }
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
        self.since.drain(..).for_each(|put| self.durable.take(put));
    }

    /// What is there, synced or not.
    fn present(&self) -> Content {
        let mut present = self.durable.clone();
        self.since.iter().for_each(|put| present.take(put.clone()));
        present
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
        Ok(self.0.shelves.lock().unwrap().present().states.remove(customer))
    }

    fn is_empty(&self) -> Result<bool, JournalError> {
        self.balk()?;
        Ok(self.0.shelves.lock().unwrap().present().states.is_empty())
    }

    fn put(&self, states: &[StateWrite]) -> Result<(), JournalError> {
        self.balk()?;
        self.put_down(Put::States(states.to_vec()));
        Ok(())
    }

    fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<Expiry>, JournalError> {
        self.balk()?;
        let expiries = self.0.shelves.lock().unwrap().present().expiries;
        let expired = expiries.into_iter().filter(|(at, _)| *at <= now).take(limit);
        Ok(expired.map(|(at, customer)| Expiry { at, customer }).collect())
    }

    fn strike(&self, expiries: &[Expiry]) -> Result<(), JournalError> {
        self.balk()?;
        self.put_down(Put::Strike(expiries.to_vec()));
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
