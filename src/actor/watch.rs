//! Looks on at what cells do: nothing in an engine. A simulation has another file in the place of this one, which holds the
//! invariants of the protocol against every step.

use super::cell::{Cell, Status};

/// A cell enters the registry, owned by whoever made it.
#[inline(always)]
pub(super) fn begun(_: &Cell) {}

/// A cell changed its status.
#[inline(always)]
pub(super) fn moved(_: &Cell, _: Status) {}

/// So many jobs wait in a cell now.
#[inline(always)]
pub(super) fn waiting(_: &Cell, _: usize) {}
