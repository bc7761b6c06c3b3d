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
//! | `labelled` | labelled texts, looked through |
//! | `split`, `held_out` | rows that are held out, and what was said of them |
//! | `text` | how a text model is trained |
//! | `adoption` | models that were trained elsewhere, judged |
//! | `head` | how a linear head over sentence embeddings is trained |
//! | `chance` | orders of chance, from a seed |

mod adoption;
mod chance;
mod head;
mod held_out;
mod labelled;
mod linear;
mod logistic;
mod rows;
mod share;
mod split;
mod text;
mod vocabulary;

pub use adoption::{ADOPTION_ROWS_MIN, AdoptedClassifier, AdoptionError, FeatureRows, RegressorQuality};
pub use chance::Chance;
pub use head::{HeadTraining, TrainedHead};
pub use held_out::HeldOut;
pub use labelled::{Contradiction, Demands, Findings, LabelledText, LabelledTexts, Refusal};
pub use linear::Linear;
pub use logistic::{Fit, FitConfig, FitError, FitProgress};
pub use rows::{DenseRows, Rows, SparseRows};
pub use text::{Choice, TextTraining, TrainedText, TrainingError, TrainingProgress};
pub use vocabulary::Vocabulary;

#[cfg(test)]
mod tests;
