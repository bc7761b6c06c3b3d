//! Purposes: what personal data is used for.

use std::sync::Arc;

/// What personal data is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// Its name.
    pub name: Arc<str>,
    /// Whether the customer must have consented to it.
    pub needs_consent: bool,
}
