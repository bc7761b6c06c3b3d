//! Tests of the room: the judge over small rule sets, and the findings as people read them.

mod judge;
mod large;
mod nearest;
mod reading;
mod small;
mod withheld;
