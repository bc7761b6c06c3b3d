//! Complete subtrees: 2^level leaves that begin at a multiple of that.

use std::ops::Range;

use super::hash::{Hash, node_hash};

/// A complete subtree: the leaves from `index << level` to `(index + 1) << level`. At level 0 it is a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subtree {
    /// How high it is.
    pub level: u8,
    /// How many of its level stand before it.
    pub index: u64,
}

/// Hands out the hashes of complete subtrees.
pub trait Subtrees {
    /// Why there is no hash.
    type Error;

    /// The hash of a complete subtree. It is asked for subtrees within the size that a proof is made for, and for no others.
    fn hash(&mut self, subtree: Subtree) -> Result<Hash, Self::Error>;
}

impl Subtree {
    /// Its first leaf.
    pub fn first_leaf(self) -> u64 {
        self.index << self.level
    }

    /// The complete subtrees that a range of leaves is made of, from left to right. The range begins at a multiple of the power
    /// of two that its length is at most.
    pub(super) fn of_range(range: Range<u64>) -> impl Iterator<Item = Self> {
        let mut at = range.start;
        std::iter::from_fn(move || {
            let left = range.end - at;
            let level = left.checked_ilog2()? as u8;
            let subtree = Self { level, index: at >> level };
            at += 1 << level;
            Some(subtree)
        })
    }
}

/// The hash of the tree over a range of leaves that a proof or a whole tree is made of; never of an empty one.
pub(super) fn range_hash<S: Subtrees>(subtrees: &mut S, range: Range<u64>) -> Result<Hash, S::Error> {
    debug_assert!(!range.is_empty(), "a range has leaves");
    let hashes: Result<Vec<Hash>, S::Error> = Subtree::of_range(range).map(|subtree| subtrees.hash(subtree)).collect();
    Ok(fold(&hashes?))
}

/// Joins subtrees, the largest first, to one hash; zeros for none.
pub(super) fn fold(hashes: &[Hash]) -> Hash {
    let joined = hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
    joined.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_made_of_complete_subtrees() {
        let of = |range| Subtree::of_range(range).map(|of| (of.level, of.index)).collect::<Vec<_>>();
        assert_eq!(of(0..7), [(2, 0), (1, 2), (0, 6)]);
        assert_eq!(of(8..13), [(2, 2), (0, 12)]);
        assert_eq!(of(5..6), [(0, 5)]);
        assert_eq!(of(0..1 << 40), [(40, 0)]);
    }
}
