//! The index over the conditions of a ranked set of rules: which of many may hold, without asking each.
//!
//! Aggregated bit vectors, known from packet classification (T. V. Lakshman and D. Stiliadis, "High-speed policy-based
//! packet forwarding using efficient multi-dimensional range matching", SIGCOMM 1998; F. Baboescu and G. Varghese, "Scalable
//! packet classification", SIGCOMM 2001): rows stand in the order of their ranks; for every name and every class of its
//! values a bitmap says which rows that class does not rule out. The bitmaps of the classes that an event falls in are
//! joined by `&`, and what is left is asked, best rank first. Above some thousand rows the set is first split by a name
//! that most rows want to be equal to something, so that an event meets only the rows that name its value, and those that
//! do not name one.
//!
//! The bitmaps only rule out. A row that they keep is checked: its constraints where the bitmaps do not tell them exactly,
//! and the rule's own condition where that asks more or a value is missing. So a class may stand for many values, a bitmap
//! may be too full, and a part that no set of values can say is simply not in it. What the bitmaps must never do is to rule
//! out a rule that matches or cannot be told; a property holds the index against asking every rule.
//!
//! | file | noun |
//! |---|---|
//! | `attribute` | names and the numbers of their values |
//! | `row` | what the index knows of a rule |
//! | `bits`, `classes` | bit vectors, one for each class of values |
//! | `phrases` | rows by the phrases they look for |
//! | `checks` | what bitmaps cannot tell of a row |
//! | `tree` | splitting by a selective name |
//! | `search` | the questions |

mod attribute;
mod bits;
mod checks;
mod classes;
mod phrases;
mod row;
mod search;
mod tree;

pub(super) use search::{IndexScratch, Search};
pub(super) use tree::{Index, Tuning};
