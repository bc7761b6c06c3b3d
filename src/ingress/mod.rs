//! HTTP doors: bodies become events, answers become bodies, errors become problem details.
//!
//! Turns of idle customers run inline on the worker that took the request. The room decides nothing; it translates. It is
//! the only place, with `admin`, that knows of status codes.
//!
//! | file | noun |
//! |---|---|
//! | `cloud_event`, `media`, `fault` | what comes over a wire |
//! | `body` | reading and answering within limits |
//! | `standing` | where a request stands in a trace, and its span |
//! | `auth` | the bearer token |
//! | `turnstile` | admission, before a body is read |
//! | `problem` | problem details |
//! | `decide`, `events`, `lookup`, `customers`, `consents`, `feedback` | the handlers |
//! | `proofs` | tree heads and proofs |
//! | `openapi` | their description |

mod auth;
mod body;
mod cloud_event;
mod consents;
mod customers;
mod decide;
mod events;
mod fault;
mod feedback;
mod lookup;
mod media;
mod openapi;
mod problem;
mod proofs;
mod routes;
mod search;
mod standing;
mod turnstile;

pub(crate) use auth::{Gate, authorize};
pub(crate) use body::{Body, Object, answer, answer_format};
#[cfg(feature = "cli")]
pub(crate) use cloud_event::CloudEvent;
pub(crate) use fault::Fault;
pub(crate) use openapi::Description;
pub(crate) use problem::Problem;
pub(crate) use routes::{Limits, not_found, resource, routes};
pub(crate) use standing::traced;
pub(crate) use turnstile::{Turnstile, admit};
