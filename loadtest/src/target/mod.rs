//! The engine that is driven: in this process, in a process of its own, or one that runs already.
//!
//! An engine of one's own runs on a copy of a configuration folder, changed as the scenario says, with its data in a folder that is
//! removed afterwards. In a process of its own it is this very binary, called with a hidden command: so what it takes of the machine is
//! read apart from what the driver takes, and a kill is a kill.
//!
//! | file | noun |
//! |---|---|
//! | `target` | the engine, started, warmed, changed, stopped |
//! | `folder` | the configuration folder it runs on |
//! | `shipped` | the configuration that the binary brings |
//! | `process` | an engine in a process of its own |
//! | `serve` | what that process does |
//! | `server` | an HTTP server on a thread of its own |
//! | `client` | calls that are not measured |
//! | `meter` | what the engine takes of the machine |
//! | `small_disk` | a disk that can be filled |

mod client;
mod folder;
mod meter;
mod process;
mod serve;
mod server;
mod shipped;
mod small_disk;
#[expect(clippy::module_inception, reason = "the room has one noun above all")]
mod target;

pub(crate) use meter::Meter;
pub(crate) use serve::serve;
pub(crate) use server::Server;
pub(crate) use target::{Hands, Stopped, Target};

/// This machine cannot run a scenario: nothing is wrong with it.
#[derive(Debug)]
pub(crate) struct CannotRun(pub(crate) String);

impl std::fmt::Display for CannotRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this machine cannot run it: {}", self.0)
    }
}

impl std::error::Error for CannotRun {}
