//! A run from beginning to end: the engine started, customers made known, the load driven, things done to the engine meanwhile,
//! everything checked, added up and told.
//!
//! | file | noun |
//! |---|---|
//! | `command` | the command `run`, from scenarios to files |
//! | `settings` | a scenario as it is run, for people |
//! | `once` | one run |
//! | `happening` | what is done to the engine meanwhile |
//! | `watching` | the seconds of a run as they pass |
//! | `summing` | what all driver threads have seen |
//! | `promised` | what was promised, and whether it was held |
//! | `drift` | what grows while nothing else changes |
//! | `driver` | the driver's own standing |
//! | `machine` | where it runs |

mod command;
mod drift;
mod driver;
mod happening;
mod machine;
mod once;
mod promised;
mod settings;
mod summing;
mod watching;

pub(crate) use command::{Ended, list, run};
pub(crate) use once::{Once, once};
