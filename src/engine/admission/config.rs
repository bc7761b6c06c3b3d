//! The bounds of what is taken on.

use std::time::Duration;

/// How requests are admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether requests are shed when they wait too long. The bounds hold in any case.
    pub is_on: bool,
    /// The delay that is aimed at under overload; `None`: half of the smallest budget of the playbooks in force, and no less
    /// than 5 ms and no more than 100 ms.
    pub delay_target: Option<Duration>,
    /// Requests that may be under way at a time: over HTTP all, in process decisions and events.
    pub under_way_max: usize,
    /// Bytes of bodies that may be under way at a time, over HTTP.
    pub bodies_bytes_max: usize,
    /// How long requests of normal priority must have been shed before the engine says that it is not ready.
    pub unready_after: Duration,
}

impl Default for Config {
    /// A request under way takes some two kilobytes besides its body, so that 65,536 are some 128 MB; five seconds are longer
    /// than any burst that is over before a balancer has noticed it.
    fn default() -> Self {
        Self {
            is_on: true,
            delay_target: None,
            under_way_max: 65_536,
            bodies_bytes_max: 256 << 20,
            unready_after: Duration::from_secs(5),
        }
    }
}
