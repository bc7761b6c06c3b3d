//! The bench of actors, file by file.
//!
//! | file | noun |
//! |---|---|
//! | `args` | what is to be run |
//! | `ground` | the bundle, and inputs of its events |
//! | `draw` | which customer comes next |
//! | `load` | callers in a closed loop, and their clock |
//! | `bare_cell`, `actix_actor`, `kameo_actor`, `ours` | designs |
//! | `nothing` | callers who drop their inputs: what the loop itself costs |
//! | `contest` | designs one after the other, again and again |
//! | `memory`, `reactivation`, `cold`, `pressure` | further questions to ours |
//! | `report` | what people read |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a bench has a clock and stops where it cannot go on"
)]

mod actix_actor;
mod args;
mod bare_cell;
mod cold;
mod contest;
mod draw;
mod ground;
mod kameo_actor;
mod load;
mod memory;
mod nothing;
mod ours;
mod pressure;
mod reactivation;
mod report;

pub(crate) use args::Args;

use args::Mode;

/// Runs what is asked for.
pub(crate) fn run(args: &Args) {
    for mode in &args.modes {
        match mode {
            Mode::Contest => contest::run(args),
            Mode::Memory => memory::run(args),
            Mode::Reactivation => reactivation::run(args),
            Mode::Cold => cold::run(args),
            Mode::Pressure => pressure::run(args),
        }
    }
}
