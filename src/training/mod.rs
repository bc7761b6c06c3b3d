//! Training: labelled texts go in, a model, its calibration set and what it is worth come out.
//!
//! Pure and deterministic: the same rows and seed give the same bytes. Files and progress bars belong to the command.
//!
//! | file | noun |
//! |---|---|
//! | `rows` | sparse and dense rows of features |
//! | `linear` | a linear model |
//! | `logistic`, `share` | multinomial logistic regression |
//! | `vocabulary` | the buckets that texts fill, and their idf |
//! | `chance` | orders of chance, from a seed |

mod chance;
mod linear;
mod logistic;
mod rows;
mod share;
mod vocabulary;

pub use chance::Chance;
pub use linear::Linear;
pub use logistic::{Fit, FitConfig, FitError, FitProgress};
pub use rows::{DenseRows, Rows, SparseRows};
pub use vocabulary::Vocabulary;
