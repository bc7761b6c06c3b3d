//! The actors' own runtime: an actix `System` on a thread of its own.
//!
//! Arbiters cannot be made from a worker of someone else's tokio runtime, so the engine brings its own and works inside any
//! runtime, or none.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use actix::prelude::*;

use super::archive::Archive;
use super::archivist::Archivist;
use super::house::House;
use super::keeper::{Keeper, Share};
use super::keeper_actor::KeeperActor;

/// The running system.
#[derive(Debug)]
pub(super) struct Runtime {
    system: System,
    thread: Option<JoinHandle<()>>,
    arbiters: Vec<Arbiter>,
    pub(super) archivist: Addr<Archivist>,
}

impl Runtime {
    /// Starts the system, its arbiters and the actors on them.
    pub(super) fn start(house: &Arc<House>, checkpoint_seq: u64) -> std::io::Result<Self> {
        let (ready, started) = mpsc::channel();
        let for_thread = Arc::clone(house);
        let thread = std::thread::Builder::new().name("forthwith-system".to_owned()).spawn(move || {
            let runner = System::new();
            let actors = runner.block_on(start_actors(&for_thread, checkpoint_seq));
            drop(for_thread);
            let is_started = actors.is_ok();
            // A starter that is gone has no use for the system.
            let is_wanted = ready.send(actors.map(|actors| (System::current(), actors))).is_ok();
            if is_started
                && is_wanted
                && let Err(error) = runner.run()
            {
                tracing::error!(%error, "the actors' system failed");
            }
        })?;
        let gone = || std::io::Error::other("the actors' system did not start");
        let (system, (archivist, arbiters)) = started.recv().map_err(|_| gone())??;
        Ok(Self { system, thread: Some(thread), arbiters, archivist })
    }

    /// Stops the system and waits until its threads have let go of everything.
    pub(super) fn stop(&mut self) {
        for arbiter in self.arbiters.drain(..) {
            arbiter.stop();
            // A panic was logged where it happened.
            let _ = arbiter.join();
        }
        self.system.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks an actor whether it has started: only then its mailbox has the size that it is given, not actix's default.
#[derive(Debug)]
pub(super) struct Awake;

impl Message for Awake {
    type Result = ();
}

async fn start_actors(house: &Arc<House>, checkpoint_seq: u64) -> std::io::Result<(Addr<Archivist>, Vec<Arbiter>)> {
    let mut arbiters = vec![Arbiter::try_new()?];
    let archive = Archive::new(Arc::clone(house), checkpoint_seq);
    let archivist = Supervisor::start_in_arbiter(&arbiters[0].handle(), |_| Archivist::new(archive));
    let shares = house.config.keepers;
    let (mut keepers, mut addresses) = (Vec::with_capacity(shares), Vec::with_capacity(shares));
    for nth in 0..shares {
        let arbiter = Arbiter::try_new()?;
        let intake = Arc::default();
        let keeper = Keeper::new(Arc::clone(house), Arc::clone(&intake), nth, shares);
        let actor = KeeperActor::new(keeper, archivist.clone());
        let address = Supervisor::start_in_arbiter(&arbiter.handle(), |_| actor);
        keepers.push(Share { door: Box::new(address.clone()), intake });
        addresses.push(address);
        arbiters.push(arbiter);
    }
    let asleep = |error: MailboxError| std::io::Error::other(format!("an actor did not start: {error}"));
    archivist.send(Awake).await.map_err(asleep)?;
    for keeper in &addresses {
        keeper.send(Awake).await.map_err(asleep)?;
    }
    house.keepers.introduce(keepers);
    Ok((archivist, arbiters))
}
