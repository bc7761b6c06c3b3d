//! Where a key is kept that does not belong in a configuration file.

use std::path::PathBuf;

use super::environment::Environment;
use crate::document::{FaultSink, Node, Place};
use crate::domain::Secret;

/// A secret by the place where it is kept, and where that is said.
#[derive(Clone, Debug)]
pub(super) struct SecretSource {
    kept: Kept,
    place: Place,
    key: String,
}

#[derive(Clone, Debug)]
enum Kept {
    /// It came with the setting itself.
    Given(Secret),
    /// In an environment variable.
    Variable(String),
    /// In a file.
    File(PathBuf),
}

impl SecretSource {
    /// A secret that stands in the setting itself.
    pub(super) fn given(node: &Node<'_>) -> Option<Self> {
        Some(Self::of(node, Kept::Given(Secret::new(node.text()?))))
    }

    /// A setting that names an environment variable.
    pub(super) fn variable(node: &Node<'_>) -> Option<Self> {
        Some(Self::of(node, Kept::Variable(node.text()?.to_owned())))
    }

    /// A setting that names a file; `path` is where that is.
    pub(super) fn file(node: &Node<'_>, path: PathBuf) -> Self {
        Self::of(node, Kept::File(path))
    }

    fn of(node: &Node<'_>, kept: Kept) -> Self {
        Self { kept, place: node.place(), key: node.key().to_owned() }
    }

    /// The secret, if it is there and a header can carry it; otherwise what is wrong is noted.
    pub(super) fn resolve(&self, environment: &Environment, sink: &FaultSink) -> Option<Secret> {
        let fault = |message: String| {
            sink.add(self.place.clone(), &self.key, message);
            None
        };
        let secret = match &self.kept {
            Kept::Given(secret) => secret.clone(),
            Kept::Variable(name) => match environment.get(name) {
                Some(value) => Secret::new(value.trim()),
                None => return fault(format!("the environment variable `{name}` is not set")),
            },
            Kept::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Secret::new(text.trim()),
                Err(e) => return fault(format!("cannot read `{}`: {e}", path.display())),
            },
        };
        let what = if matches!(self.kept, Kept::Given(_)) { "the value" } else { "what it names" };
        match secret.expose() {
            "" => fault(format!("{what} is empty")),
            text if text.bytes().all(|b| matches!(b, b' '..=b'~')) => Some(secret),
            _ => fault(format!("{what} has characters that a header cannot carry: expected one line of ASCII")),
        }
    }
}
