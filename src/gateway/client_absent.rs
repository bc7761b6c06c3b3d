//! In place of the HTTP client, where the crate is built without it.

use super::config::Provider;
use super::wire::{Broken, Received};
use crate::time::Clock;

/// Why there is no client.
pub(super) const ABSENT: Option<&str> =
    Some("this build cannot call large models: it lacks the cargo feature `large-model`");

/// Nobody.
#[derive(Debug)]
pub(super) struct Client;

impl Client {
    pub(super) fn new(_: &Provider) -> Result<Self, String> {
        Err(ABSENT.unwrap_or_default().to_owned())
    }

    pub(super) fn host(&self) -> &str {
        ""
    }

    pub(super) async fn send(&self, _: &str, _: &Clock) -> Result<Received, Broken> {
        Err(Broken::Unconnected(ABSENT.unwrap_or_default().to_owned()))
    }
}
