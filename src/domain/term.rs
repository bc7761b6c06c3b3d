//! What records are searched by.

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

/// A field and a value that records are searched by, as a number of 64 bits. Different ones may share a number, so what is
/// found by a term is looked at before it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(u64);

impl Term {
    /// The term of a field and what it holds.
    ///
    /// ```
    /// use forthwith::domain::Term;
    ///
    /// assert_ne!(Term::of(&["customer", "ab"]), Term::of(&["customera", "b"]));
    /// ```
    pub fn of(parts: &[&str]) -> Self {
        let mut bytes = SmallVec::<[u8; 192]>::new();
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(xxh3_64(&bytes))
    }

    /// The number.
    #[inline]
    pub const fn number(self) -> u64 {
        self.0
    }
}
