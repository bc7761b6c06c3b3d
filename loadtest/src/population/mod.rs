//! What is sent: which event of which customer comes next, and how it is written.
//!
//! The same seed gives the same events to the same customers. Every driver thread has a [`Stream`] of its own.
//!
//! | file | noun |
//! |---|---|
//! | `spread` | which customer |
//! | `sample` | an event to be sent again under other names |
//! | `workload` | everything that may be sent |
//! | `stream` | what one driver thread sends |
//! | `known` | events that may be repeated |
//! | `writing` | an event in process, in JSON, in MessagePack |

mod known;
mod sample;
mod spread;
mod stream;
mod workload;
mod writing;

pub(crate) use sample::{Sample, read as read_samples, shipped_samples};
pub(crate) use spread::{Draw, Spread};
pub(crate) use stream::{Outgoing, Stream};
pub(crate) use workload::Workload;
