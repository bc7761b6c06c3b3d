//! The analysis of rules that are not run: what can never happen, what never decides, what contradicts, what is missing; and
//! the nearest change that would make a rule decide.
//!
//! A condition is a union of boxes over the values of its names and "unavailable"; what no set of values can say (phrases in
//! texts, comparisons of two names, arithmetic) is an atom, true, false or unavailable by itself. Every finding but those
//! that say "never" comes with an input that the engine itself was asked about. The room is pure; it knows no file and no
//! customer.
//!
//! | file | noun |
//! |---|---|
//! | `cells`, `region` | sets of values along one dimension, and boxes of them |
//! | `names` | what the names of a playbook can be |
//! | `model` | a rule set as boxes |
//! | `cover` | whether boxes cover a region |
//! | `witness` | inputs made to order |
//! | `search` | looking for an input, guided by the engine |
//! | `inspect`, `conflict`, `gap` | the findings |
//! | `meeting` | which rows of a large table overlap at all |
//! | `finding`, `words` | what is said of them |
//! | `nearest` | the nearest change that makes a rule decide |

mod cells;
mod conflict;
mod cover;
mod finding;
mod gap;
mod inspect;
mod meeting;
mod model;
mod names;
mod nearest;
mod region;
mod search;
#[cfg(test)]
mod tests;
mod witness;
mod words;

pub use finding::{Example, Finding, Kind, Severity};
pub use inspect::inspect;
pub use nearest::{NearestChange, NoChange, nearest_change};
pub use witness::Witness;
