//! Progress, for who watches; nothing into a pipe.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

use crate::training::TrainingProgress;

/// A bar that shows what is under way.
#[derive(Debug)]
pub(in crate::cli) struct Watching {
    bar: ProgressBar,
}

impl Watching {
    /// A bar on a terminal, none elsewhere.
    pub(in crate::cli) fn new() -> Self {
        if io::stderr().is_terminal() { Self { bar: ProgressBar::new(0) } } else { Self::hidden() }
    }

    /// No bar.
    pub(super) fn hidden() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    fn style(&self, template: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
    }

    /// A file of so many bytes is read.
    pub(in crate::cli) fn reading(&self, size: Option<u64>) {
        self.style("reading   {bar:40} {percent:>3} %");
        self.bar.set_length(size.unwrap_or_default());
    }

    pub(in crate::cli) fn read(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// So many of all texts have gone through the encoder.
    #[cfg(feature = "neural")]
    pub(super) fn encoding(&self, done: usize, all: usize) {
        if done == 0 {
            self.style("encoding  {bar:40} {pos} of {len} texts, {elapsed}");
            self.bar.set_length(all as u64);
        }
        self.bar.set_position(done as u64);
    }

    pub(super) fn training(&self, TrainingProgress { fit, fits, strength, progress }: TrainingProgress) {
        if progress.pass == 1 {
            self.style("training  {bar:40} fit {msg}, {elapsed}");
            self.bar.set_length(fits as u64);
            self.bar.set_position(fit as u64 - 1);
        }
        let (pass, gap) = (progress.pass, progress.gap);
        self.bar.set_message(format!("{fit} of {fits}: strength {strength}, pass {pass}, {gap:.4} nats from its end"));
    }

    pub(in crate::cli) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
