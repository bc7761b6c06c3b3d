//! A kameo actor for each customer, with kameo's own mailbox of 64, on two workers of tokio; callers are tasks on the same
//! workers.

use std::convert::Infallible;
use std::sync::{Arc, mpsc};

use dashmap::DashMap;
use foldhash::fast::RandomState;
use forthwith::context::CustomerState;
use forthwith::domain::CustomerId;
use forthwith::turn::{Input, Readings, Taken};
use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::message::{Context, Message};

use super::ground::{Ground, customer_id};
use super::load::{Taker, Threads};

/// The addresses of all customers.
#[derive(Clone)]
pub(crate) struct KameoActors(Arc<DashMap<CustomerId, ActorRef<Customer>, RandomState>>);

struct Customer {
    ground: &'static Ground,
    state: CustomerState,
}

#[derive(Debug)]
struct Turn(Input, Readings);

impl Actor for Customer {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(customer: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(customer)
    }
}

impl Message<Turn> for Customer {
    type Reply = Result<Taken, Infallible>;

    async fn handle(&mut self, Turn(input, readings): Turn, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        Ok(self.ground.turn(&mut self.state, &input, &readings))
    }
}

impl KameoActors {
    /// Starts an actor for each customer.
    pub(crate) fn new(ground: &'static Ground, customers: u64, threads: &Threads) -> Self {
        let addresses = Arc::new(DashMap::with_hasher(RandomState::default()));
        let (done, is_done) = mpsc::channel();
        let started = Arc::clone(&addresses);
        threads.spawn(0, async move {
            for customer in 0..customers {
                let address = Customer::spawn(Customer { ground, state: ground.state(customer) });
                address.wait_for_startup().await;
                started.insert(customer_id(customer), address);
            }
            let _ = done.send(());
        });
        is_done.recv().expect("the actors start");
        Self(addresses)
    }
}

impl Taker for KameoActors {
    async fn take(&self, input: Input, readings: Readings) -> Option<Taken> {
        let address = self.0.get(input.customer()).map(|address| address.clone()).expect("every customer has an actor");
        Some(address.ask(Turn(input, readings)).await.expect("the actor answers"))
    }
}
