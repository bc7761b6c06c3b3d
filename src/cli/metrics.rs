//! `forthwith metrics`: every series that a server has.

use super::exit::Exit;
use super::output::say;
use crate::engine::metrics_reference;

pub(super) fn run() -> Exit {
    say(metrics_reference().trim_end());
    Exit::Done
}
