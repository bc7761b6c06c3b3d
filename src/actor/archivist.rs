//! The archivist: the actix actor that works in the archive.

use std::time::Duration;

use actix::prelude::*;

use super::archive::Archive;
use super::leaving::Leaving;
use super::runtime::Awake;
use crate::journal::JournalError;
use crate::sync::mpsc;

/// How often the archivist looks whether a checkpoint is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Messages that may wait: a sweep of each keeper, and a checkpoint.
const ARCHIVIST_MAILBOX: usize = 64;

/// Put these customers to rest, unless they are busy again.
#[derive(Debug)]
pub(super) struct Retire(pub(super) Leaving);

/// Store everything that has changed; answers with the record up to which all stored states are current.
///
/// The answer goes over a plain channel: who asks may be on any thread, within a runtime or not, and blocks.
#[derive(Debug)]
pub(super) struct CheckpointNow(pub(super) mpsc::Sender<Result<u64, JournalError>>);

/// Writes states.
#[derive(Debug)]
pub(super) struct Archivist(Archive);

impl Archivist {
    pub(super) fn new(archive: Archive) -> Self {
        Self(archive)
    }
}

impl Message for Retire {
    type Result = ();
}

impl Message for CheckpointNow {
    type Result = ();
}

impl Actor for Archivist {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(ARCHIVIST_MAILBOX);
        context.run_interval(LOOK_EVERY, |archivist, _| {
            archivist.0.beat();
            archivist.0.checkpoint_if_due();
        });
    }
}

impl Supervised for Archivist {
    fn restarting(&mut self, _: &mut Self::Context) {
        tracing::error!("the archivist stopped and is started again");
    }
}

impl Handler<Awake> for Archivist {
    type Result = ();

    fn handle(&mut self, _: Awake, _: &mut Self::Context) {}
}

impl Handler<Retire> for Archivist {
    type Result = ();

    fn handle(&mut self, Retire(leaving): Retire, _: &mut Self::Context) {
        self.0.beat();
        self.0.retire(leaving);
    }
}

impl Handler<CheckpointNow> for Archivist {
    type Result = ();

    fn handle(&mut self, CheckpointNow(reply): CheckpointNow, _: &mut Self::Context) {
        let _ = reply.send(self.0.checkpoint_now());
    }
}
