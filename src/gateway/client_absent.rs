//! In place of the HTTP client, where the crate is built without it.

use super::config::Provider;
use super::wire::{Broken, Received};
use crate::telemetry::Counter;
use crate::time::{Clock, Instant};

const ABSENT: &str = "this build cannot call large models: it lacks the cargo feature `large-model`";

/// Nobody.
#[derive(Debug)]
pub(super) struct Client;

impl Client {
    pub(super) fn new(_: &Provider) -> Result<Self, String> {
        Err(ABSENT.to_owned())
    }

    pub(super) fn host(&self) -> &str {
        ""
    }

    pub(super) fn port(&self) -> u16 {
        0
    }

    pub(super) fn doubt(&self, _: Instant) {}

    pub(super) async fn send(&self, _: (&str, Option<&str>), _: &Clock, _: &Counter) -> Result<Received, Broken> {
        Err(Broken::Unconnected(ABSENT.to_owned()))
    }
}
