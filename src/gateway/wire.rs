//! What comes back over a connection.

use crate::time::Instant;

/// A response, whatever it says.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    /// Headers that say when to come again and what is left, their names in lower case.
    pub(super) hints: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// When the headers were there.
    pub(super) first_byte: Instant,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "large-model"), allow(dead_code, reason = "the client of that feature meets them all"))]
pub(super) enum Broken {
    /// There was no connection, and nothing was sent.
    Unconnected(String),
    /// The connection broke before the response was complete.
    Midway(String),
    /// The response was longer than it may be.
    Overlong,
}
