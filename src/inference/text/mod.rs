//! Texts: hashed words and pieces of words, weighed for all labels at once.
//!
//! | file | noun |
//! |---|---|
//! | `fold` | characters as they are read: case and accents folded |
//! | `grams` | words, pairs of words and runs of characters, as buckets |
//! | `tally` | which buckets a text fills, and which more than once |
//! | `weights` | a row of weights for each bucket, and their sums |
//! | `model` | the model, and what it says of a text |
//! | `counter` | the same features, for training |
//! | `file` | its bytes |

mod counter;
mod file;
mod fold;
mod grams;
mod model;
mod tally;
mod weights;

pub use counter::{Filled, TextCounter};
pub use file::{TEXT_LABELS_MAX, TextModelFault, TextWeights};
pub use grams::{BUCKETS, TEXT_BYTES_MAX, WORD_BUCKETS};
pub use model::{Scored, TextModel, TextScratch};

#[cfg(test)]
mod tests;
