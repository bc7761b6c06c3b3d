//! Where calls are made.

use std::future::Future;
use std::time::Instant;

use crate::answers::Came;
use crate::population::{Outgoing, Stream};

/// Where calls are made, by one thread.
pub(crate) trait Door {
    /// What carries one call at a time: a connection.
    type Line;
    /// An answer as it came.
    type Heard;

    /// Something free to carry a call.
    fn line(&mut self) -> Option<Self::Line>;

    /// It is free again.
    fn give_back(&mut self, line: Self::Line);

    /// Makes a call. The future has all it needs.
    fn call(
        &mut self,
        line: Self::Line,
        stream: &Stream,
        outgoing: &Outgoing,
    ) -> impl Future<Output = Returned<Self::Line, Self::Heard>> + use<Self>;

    /// What an answer says.
    fn read<T>(&mut self, heard: &Self::Heard, then: impl FnOnce(Came<'_>) -> T) -> T;

    /// Connections that had to be opened again.
    fn reconnects(&self) -> u64 {
        0
    }
}

/// A call that has come to something.
pub(crate) struct Returned<L, H> {
    pub(crate) line: L,
    /// When the answer was there.
    pub(crate) ended: Instant,
    pub(crate) heard: H,
}

/// Where the engine is.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// In this process.
    Here(forthwith::Engine),
    /// At an address, with what callers present.
    There(Address),
}

/// Where an engine listens.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// Host and port.
    pub(crate) authority: String,
    pub(crate) token: Option<String>,
}
