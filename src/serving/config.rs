//! The bounds of the inference pool.

use std::time::Duration;

/// How the inference pool works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Threads that ask models; each model is asked by one at a time, so more than there are slow models are of no use.
    pub threads: usize,
    /// Texts that a batch may have.
    pub batch_max: usize,
    /// Questions that may wait for one model; what is beyond is shed.
    pub queue_max: usize,
    /// A batch that gathered while the model was busy closes when nobody came for so long.
    pub quiet: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // A neural network takes a core for milliseconds; the others are for the turns.
            threads: 1,
            // A sentence encoder gains little beyond: 6.6 ms for one text, 3.5 ms each for 32 of them, measured.
            batch_max: 32,
            // At 3.5 ms each the last of so many waits for a second; who has less time is told at once.
            queue_max: 256,
            // A tenth of what a small encoder takes for one text.
            quiet: Duration::from_micros(500),
        }
    }
}
