//! The knee: the highest rate at which a promise holds, found by search.
//!
//! A trial is one run at one rate. On a machine that others use too, a trial may fail where the next one holds, so no single trial decides
//! anything: rates near the knee are tried again and again, in turns, and what comes of it is an estimate, an interval, and how sure it is.
//! The knee is the rate at which as many trials hold as fail. But for `command` this room drives nothing and reads no clock: it says which rate
//! comes next and hears what became of it.
//!
//! | file | noun |
//! |---|---|
//! | `ladder` | the rates that may be tried |
//! | `belief` | where the knee may be, after what was heard |
//! | `share` | how often something happens, with the interval of it |
//! | `verdict` | whether a trial held |
//! | `search` | which rate comes next |
//! | `command` | the command: trials of a scenario |
//! | `finding` | what the search comes to, in JSON and for people |

mod belief;
mod command;
mod finding;
mod ladder;
mod search;
mod share;
mod verdict;

#[cfg(test)]
mod simulated;

pub(crate) use command::run;

use finding::{Finding, Knee};
use search::{Config, Search};
use verdict::{Heard, Verdict};
