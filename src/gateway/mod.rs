//! The gateway: calls to large models over HTTP, each under one deadline and within its budgets.
//!
//! A question is answered by its deadline, whatever a provider does: with what the model said, or with why it said nothing.
//!
//! | file | noun |
//! |---|---|
//! | `choosing` | the order in which a question's targets are asked |
//! | `latency` | how long a model takes, learnt |
//! | `probing` | which questions go through to a model that looks hopeless |
//! | `hedging` | a second request beside one that is slow |
//! | `breaker` | whether a provider is called at all |
//! | `limit` | how many requests may be under way at a provider |
//! | `rate` | requests and tokens a minute |
//! | `bucket` | fills evenly; is taken from ahead, and given back to |
//! | `rate_headers` | what a provider says about its limits |
//! | `purse` | budgets of a day: reserved, settled, never exceeded |
//! | `spending` | the book of what was spent, as it is kept |
//! | `switches` | what somebody has switched off |
//! | `kept_file` | a small file that is there whole, old or new |

#[allow(dead_code, reason = "the gateway takes it up")]
mod breaker;
#[allow(dead_code, reason = "the gateway takes it up")]
mod bucket;
#[allow(dead_code, reason = "the gateway takes it up")]
mod choosing;
mod gateway;
#[allow(dead_code, reason = "the gateway takes it up")]
mod hedging;
#[allow(dead_code, reason = "the gateway takes it up")]
mod kept_file;
#[allow(dead_code, reason = "the gateway takes it up")]
mod latency;
#[allow(dead_code, reason = "the gateway takes it up")]
mod limit;
#[allow(dead_code, reason = "the gateway takes it up")]
mod probing;
#[allow(dead_code, reason = "the gateway takes it up")]
mod purse;
#[allow(dead_code, reason = "the gateway takes it up")]
mod rate;
#[allow(dead_code, reason = "the gateway takes it up")]
mod rate_headers;
#[allow(dead_code, reason = "the gateway takes it up")]
mod spending;
#[allow(dead_code, reason = "the gateway takes it up")]
mod switches;

pub use gateway::{Config, Gateway, LateReply, Pending, StartError};
pub use switches::{SwitchError, SwitchKind, SwitchedOff};
