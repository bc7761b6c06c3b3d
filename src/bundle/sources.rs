//! The files of a bundle and the hash that names it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The texts of a bundle by path, relative to the configuration folder with `/` between its parts.
///
/// This is what the journal stores of a bundle: everything that decisions depend on besides state, input and readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sources(BTreeMap<String, String>);

/// The name of a bundle: SHA-256 over its files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId([u8; 32]);

impl Sources {
    /// Adds a file.
    pub fn insert(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.0.insert(path.into(), text.into());
    }

    /// The text of a file.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// All files by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The bundle's name: SHA-256 over, for each file in the order of paths, the lengths of path and text as 8 bytes
    /// little-endian and then path and text.
    pub fn id(&self) -> BundleId {
        let mut hash = Sha256::new();
        for (path, text) in &self.0 {
            hash.update((path.len() as u64).to_le_bytes());
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(path.as_bytes());
            hash.update(text.as_bytes());
        }
        BundleId(hash.finalize().into())
    }
}

impl BundleId {
    /// The hash itself.
    pub const fn bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for BundleId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_depends_on_every_byte_and_on_nothing_else() {
        let sources = |files: &[(&str, &str)]| {
            let mut sources = Sources::default();
            files.iter().for_each(|(path, text)| sources.insert(*path, *text));
            sources.id()
        };
        let id = sources(&[("a", "1"), ("b", "2")]);
        assert_eq!(id, sources(&[("b", "2"), ("a", "1")]));
        for other in [&[("a", "1"), ("b", "3")][..], &[("a", "1b"), ("", "2")], &[("a", "1")], &[("ab", "12")]] {
            assert_ne!(id, sources(other));
        }
        assert_eq!(
            Sources::default().id().to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
