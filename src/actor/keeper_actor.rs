//! The keepers of an engine: actix actors, each on an arbiter, a thread, of its own.

use std::time::Duration;

use actix::prelude::*;

use super::archivist::{Archivist, Retire};
use super::keeper::{Door, Errand, Keeper, Undelivered};
use super::leaving::Leaving;
use super::runtime::Awake;

/// How often a keeper sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Errands that may wait at a keeper: one per customer that is loaded or handed over at a time.
const KEEPER_MAILBOX: usize = 1 << 16;

/// A keeper with a mailbox.
#[derive(Debug)]
pub(super) struct KeeperActor {
    keeper: Keeper,
    archivist: Addr<Archivist>,
}

impl KeeperActor {
    pub(super) fn new(keeper: Keeper, archivist: Addr<Archivist>) -> Self {
        Self { keeper, archivist }
    }

    fn rest(&self, leaving: Option<Leaving>) {
        if let Some(leaving) = leaving {
            // An archivist that is behind does not take them on: they stay, to be found again.
            let _ = self.archivist.try_send(Retire(leaving));
        }
    }
}

impl Door for Addr<KeeperActor> {
    fn hand_in(&self, errand: Errand) -> Result<(), Undelivered> {
        self.try_send(errand).map_err(|refused| match refused {
            SendError::Full(errand) => Undelivered::Full(errand),
            SendError::Closed(errand) => Undelivered::Closed(errand),
        })
    }
}

impl Message for Errand {
    type Result = ();
}

impl Actor for KeeperActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(KEEPER_MAILBOX);
        context.run_interval(SWEEP_EVERY, |actor, _| {
            let resting = actor.keeper.tick();
            actor.rest(resting);
        });
    }
}

impl Supervised for KeeperActor {
    fn restarting(&mut self, _: &mut Self::Context) {
        tracing::error!("a keeper stopped and is started again");
    }
}

impl Handler<Awake> for KeeperActor {
    type Result = ();

    fn handle(&mut self, _: Awake, _: &mut Self::Context) {}
}

impl Handler<Errand> for KeeperActor {
    type Result = ();

    fn handle(&mut self, errand: Errand, _: &mut Self::Context) {
        let resting = self.keeper.run(errand);
        self.rest(resting);
    }
}
