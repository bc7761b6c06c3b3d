//! `forthwith adopt`: a model folder from a tabular model that was trained elsewhere.
//!
//! | file | noun |
//! |---|---|
//! | `args` | options |
//! | `table` | rows of a file as features |
//! | `course` | loading, judging, writing |
//! | `manifest` | what the folder says of the model |
//! | `report` | what people and programs read of it |

mod args;
mod course;
mod manifest;
mod report;
mod table;
#[cfg(test)]
mod tests;

pub(super) use args::{Adopt, EXAMPLES};

use super::exit::Exit;
use super::train::finish;

pub(super) fn run(args: &Adopt) -> Exit {
    finish(course::run(args), args.target.json)
}
