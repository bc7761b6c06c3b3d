//! A provider of a large model that misbehaves on command.
//!
//! It speaks OpenAI's chat completions on a port of 127.0.0.1, answers what the request's own JSON Schema permits, and is as slow,
//! broken or wrong as it is told to be, down to the bytes of HTTP. It knows nothing of the engine and uses no random numbers: the
//! same requests in the same order are treated the same.
//!
//! ```
//! use faulty_provider::{Conduct, Manner, Provider};
//!
//! // The first request is reset, those after it are answered.
//! let provider = Provider::start([Conduct::of(Manner::ResetsBefore), Conduct::default()])?;
//! assert!(provider.base_url().ends_with("/v1"));
//! // From now on none is.
//! provider.set(Conduct::of(Manner::Hangs));
//! assert_eq!(provider.counts().requests, 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `behaviour` | which request is treated how |
//! | `latency` | how long an answer takes |
//! | `content` | what an answer says |
//! | `schema` | a value that a JSON Schema permits |
//! | `wire` | requests and bytes on a connection |
//! | `connection` | a connection, from its first request to its end |
//! | `ledger` | what was seen, counted and waited for |
//! | `provider` | the server, started and stopped |
//! | `span` | durations as text |

mod behaviour;
mod connection;
mod content;
mod latency;
mod ledger;
mod provider;
mod schema;
mod span;
mod wire;

pub use behaviour::{Behaviour, Conduct, KeepAlive, Manner, Part, Says};
pub use content::{Content, Usage};
pub use latency::Latency;
pub use ledger::{Counts, Seen};
pub use provider::Provider;
pub use wire::http_date;

/// A number for a number: as good as chance, and the same every time.
pub(crate) const fn mixed(seed: u64, number: u64) -> u64 {
    // The finisher of splitmix64.
    let mut x = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
