//! Training: labelled texts go in, a model, its calibration set and what it is worth come out.
//!
//! Pure and deterministic: the same rows and seed give the same bytes. Files and progress bars belong to the command.
//!
//! | file | noun |
//! |---|---|
