//! What people read of a run: while it goes on, at its end, as a page, and beside another one.
//!
//! This room measures nothing: it takes an [`Outcome`](crate::outcome::Outcome) and writes. The live view gets what each second came to
//! and draws it on a thread of its own.
//!
//! | file | noun |
//! |---|---|
//! | `figure` | a number of a run: what it is called, its unit, which way is better |
//! | `units` | numbers as people write them |
//! | `verdict` | passed or not, and why |
//! | `tables` | what is told in tables, on a terminal and on a page alike |
//! | `terminal` | the report at the end, in Markdown |
//! | `page/` | the report as one HTML file |
//! | `compare/` | two outcomes beside each other, and whether they differ beyond the noise |
//! | `command` | the commands `report` and `compare` |
//! | `live/` | the view while a run goes on |

mod command;
mod compare;
mod figure;
mod live;
mod page;
#[cfg(test)]
mod sample;
mod tables;
mod terminal;
mod units;
mod verdict;

pub(crate) use command::{CompareFiles, ReportFile, compare_files, report};
pub(crate) use compare::{Allowance, compare};
pub(crate) use live::{Live, Showing, Watched};
pub(crate) use page::html;
pub(crate) use terminal::terminal;
