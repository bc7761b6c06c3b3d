//! The gateway: calls to large models over HTTP, each under one deadline and within its budgets.
//!
//! A question is answered by its deadline, whatever a provider does: with what the model said, or with why it said nothing. One
//! thread of its own drives the requests; what decides whether there is one are plain machines without threads and clocks.
//!
//! The way of a question: switches, kept answers, a call under way for the same question; then, for each of its targets in turn, the
//! switches again, the breaker, the chance of an answer in what is left, the rates, the concurrency limit, the money. Where all
//! targets are passed over, the reply has the reason of the one that came furthest on this way: what it wanted for last is what would
//! have helped. Where a request was sent, the reply has what came of the last one.
//!
//! | file | noun |
//! |---|---|
//! | `config` | the providers, and how they are called |
//! | `gateway` | the face of the room |
//! | `pending` | a reply that is waited for |
//! | `flight` | a call under way, and all who wait for it |
//! | `course` | what a call does: one target after the other, a hedge, until somebody answers or the time is up |
//! | `second` | a second request of a call, beside one that is slow |
//! | `landing` | the end of a call |
//! | `attempt` | one request of a call |
//! | `span` | the span of a request, for traces |
//! | `permit` | the leave to send one request, and what is settled when it ends |
//! | `roster` | the providers and models, each with what is learned of it |
//! | `desk` | what questions and calls share |
//! | `till` | the purse, for many who draw on it |
//! | `kept` | answers that are kept |
//! | `request` | a question as the body of a request |
//! | `response` | what a response says |
//! | `verdict` | what the end of a request means |
//! | `wire` | what comes back over a connection |
//! | `client` | the HTTP client of one provider (feature `large-model`) |
//! | `client_absent` | in its place, where the crate is built without it |
//! | `metrics` | the series |
//! | `standing` | how the providers stand, for people |
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

mod attempt;
mod breaker;
mod bucket;
mod choosing;
#[cfg(feature = "large-model")]
mod client;
#[cfg(not(feature = "large-model"))]
mod client_absent;
mod config;
mod course;
mod desk;
mod flight;
#[expect(clippy::module_inception, reason = "the face of the room has its name")]
mod gateway;
mod hedging;
mod kept;
mod kept_file;
mod landing;
mod latency;
mod limit;
mod metrics;
mod pending;
mod permit;
mod probing;
mod purse;
mod rate;
mod rate_headers;
mod request;
mod response;
mod roster;
mod second;
mod span;
mod spending;
mod standing;
mod switches;
#[cfg(test)]
mod tests;
mod till;
mod verdict;
mod wire;

#[cfg(not(feature = "large-model"))]
use client_absent as client;

pub use breaker::BreakerConfig;
pub use config::{Config, Provider, ProviderModel, StructuredOutput, TokensField};
pub use gateway::{Gateway, StartError};
pub use hedging::HedgeConfig;
pub use latency::Chance;
pub use limit::LimitConfig;
pub use pending::{LateReply, Pending};
pub use probing::ProbingConfig;
pub use rate::RateConfig;
pub use standing::{ModelStanding, ProviderStanding};
pub use switches::{SwitchError, SwitchKind, SwitchedOff};
