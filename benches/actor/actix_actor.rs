//! An actix actor for each customer, half of them on each of two arbiters; callers are tasks on the same arbiters, as
//! handlers of a web server are.

use std::sync::{Arc, mpsc};

use actix::prelude::*;
use dashmap::DashMap;
use foldhash::fast::RandomState;
use forthwith::context::CustomerState;
use forthwith::domain::CustomerId;
use forthwith::turn::{Input, Readings, Taken};

use super::ground::{Ground, customer_id};
use super::load::{THREADS, Taker, Threads};

/// The addresses of all customers.
#[derive(Clone, Debug)]
pub(crate) struct ActixActors(Arc<DashMap<CustomerId, Addr<Customer>, RandomState>>);

#[derive(Debug)]
struct Customer {
    ground: &'static Ground,
    state: CustomerState,
}

#[derive(Debug)]
struct Turn(Input, Readings);

impl Message for Turn {
    type Result = Taken;
}

impl Actor for Customer {
    type Context = Context<Self>;
}

impl Handler<Turn> for Customer {
    type Result = MessageResult<Turn>;

    fn handle(&mut self, Turn(input, readings): Turn, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.ground.turn(&mut self.state, &input, &readings))
    }
}

impl ActixActors {
    /// Starts an actor for each customer.
    pub(crate) fn new(ground: &'static Ground, customers: u64, threads: &Threads) -> Self {
        let addresses = Arc::new(DashMap::with_hasher(RandomState::default()));
        let (done, is_done) = mpsc::channel();
        for nth in 0..THREADS {
            let (addresses, done) = (Arc::clone(&addresses), done.clone());
            threads.spawn(nth, async move {
                for customer in (nth as u64..customers).step_by(THREADS) {
                    let actor = Customer { ground, state: ground.state(customer) };
                    addresses.insert(customer_id(customer), actor.start());
                    if customer % 1_024 == nth as u64 {
                        // Actors begin when their task is first run.
                        tokio::task::yield_now().await;
                    }
                }
                let _ = done.send(());
            });
        }
        (0..THREADS).for_each(|_| is_done.recv().expect("the actors start"));
        Self(addresses)
    }
}

impl Taker for ActixActors {
    async fn take(&self, input: Input, readings: Readings) -> Option<Taken> {
        let address = self.0.get(input.customer()).map(|address| address.clone()).expect("every customer has an actor");
        Some(address.send(Turn(input, readings)).await.expect("the actor answers"))
    }
}
