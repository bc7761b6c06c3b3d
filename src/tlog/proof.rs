//! Proofs: that a leaf is in a tree, and that a tree begins with an older one (RFC 9162, sections 2.1.3 and 2.1.4).

use std::ops::Range;

use super::hash::{Hash, empty_root, node_hash};
use super::subtree::{Subtrees, range_hash};

/// Why a proof does not prove what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such leaf in the tree.
    #[error("leaf {index} is not in a tree of {size}")]
    NoLeaf {
        /// The leaf's index, from 0.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// A tree cannot begin with a larger one, and that it begins with nothing proves nothing.
    #[error("no tree of {to} can be shown to begin with one of {from}")]
    Sizes {
        /// The older tree's size.
        from: u64,
        /// The newer tree's size.
        to: u64,
    },
    /// The proof has too many hashes or too few.
    #[error("the proof has {found} hashes, one for these sizes has another number")]
    Length {
        /// How many it has.
        found: usize,
    },
    /// The proof leads to another root.
    #[error("the proof does not lead to the root")]
    Root,
}

/// The root of the first `size` leaves.
pub fn root_at<S: Subtrees>(subtrees: &mut S, size: u64) -> Result<Hash, S::Error> {
    if size == 0 { Ok(empty_root()) } else { range_hash(subtrees, 0..size) }
}

/// The proof that the leaf `index` is in the tree of `size`, the leaf's sibling first. Empty if it is not in it.
pub fn inclusion_proof<S: Subtrees>(subtrees: &mut S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    let mut ranges = Vec::new();
    let mut within = 0..if index < size { size } else { 0 };
    while within.end - within.start > 1 {
        let middle = middle_of(&within);
        let (taken, sibling) = if index < middle {
            (within.start..middle, middle..within.end)
        } else {
            (middle..within.end, within.start..middle)
        };
        ranges.push(sibling);
        within = taken;
    }
    ranges.into_iter().rev().map(|range| range_hash(subtrees, range)).collect()
}

/// The proof that the tree of `to` begins with the tree of `from`. Empty if it cannot, or if they are the same.
pub fn consistency_proof<S: Subtrees>(subtrees: &mut S, from: u64, to: u64) -> Result<Vec<Hash>, S::Error> {
    let mut ranges = Vec::new();
    if from == 0 || from >= to {
        return Ok(Vec::new());
    }
    let mut within = 0..to;
    while from < within.end {
        let middle = middle_of(&within);
        if from <= middle {
            ranges.push(middle..within.end);
            within = within.start..middle;
        } else {
            ranges.push(within.start..middle);
            within = middle..within.end;
        }
    }
    // The older tree's own root is known to whoever checks.
    if within.start > 0 {
        ranges.push(within);
    }
    ranges.into_iter().rev().map(|range| range_hash(subtrees, range)).collect()
}

/// Where a tree over more than one leaf divides: behind the largest power of two that is less than its size.
fn middle_of(range: &Range<u64>) -> u64 {
    range.start + (1 << (range.end - range.start - 1).ilog2())
}

/// Verifies that the leaf `index` with this hash is in the tree of `size` with this root.
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::NoLeaf { index, size });
    }
    let mut path = Path { node: index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in proof {
        hash = match path.climb().ok_or(ProofError::Length { found: proof.len() })? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    path.end(proof.len())?;
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Verifies that the tree of `to` with root `to_root` begins with the tree of `from` with root `from_root`.
pub fn verify_consistency(
    (from, from_root): (u64, &Hash),
    (to, to_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    if from == 0 || from > to {
        return Err(ProofError::Sizes { from, to });
    }
    let wrong_length = ProofError::Length { found: proof.len() };
    if from == to {
        let is_same = from_root == to_root;
        return if !proof.is_empty() {
            Err(wrong_length)
        } else if is_same {
            Ok(())
        } else {
            Err(ProofError::Root)
        };
    }
    let mut path = Path { node: from - 1, last: to - 1 };
    path.skip_right_edges();
    // A tree of a power of two is a node of the newer tree itself, and the proof leaves it out.
    let (seed, rest) = match proof {
        _ if from.is_power_of_two() => (from_root, proof),
        [seed, rest @ ..] => (seed, rest),
        [] => return Err(wrong_length),
    };
    let (mut older, mut newer) = (*seed, *seed);
    for hash in rest {
        match path.climb().ok_or(wrong_length)? {
            Side::Left => (older, newer) = (node_hash(hash, &older), node_hash(hash, &newer)),
            Side::Right => newer = node_hash(&newer, hash),
        }
    }
    path.end(proof.len())?;
    if older == *from_root && newer == *to_root { Ok(()) } else { Err(ProofError::Root) }
}

/// A way from a node up to the root: the node, and the last one of its level.
struct Path {
    node: u64,
    last: u64,
}

/// Where a sibling stands.
enum Side {
    Left,
    Right,
}

impl Path {
    /// Goes up while the node is the right one of two.
    fn skip_right_edges(&mut self) {
        let levels = self.node.trailing_ones();
        self.node = self.node.checked_shr(levels).unwrap_or(0);
        self.last = self.last.checked_shr(levels).unwrap_or(0);
    }

    /// Says where the next sibling stands, and goes up past it; `None` at the root.
    fn climb(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node % 2 == 1 || self.node == self.last { Side::Left } else { Side::Right };
        if matches!(side, Side::Left) && self.node.is_multiple_of(2) {
            // The last node of a level without a sibling goes up as it is.
            let levels = self.node.trailing_zeros();
            self.node = self.node.checked_shr(levels).unwrap_or(0);
            self.last = self.last.checked_shr(levels).unwrap_or(0);
        }
        self.node /= 2;
        self.last /= 2;
        Some(side)
    }

    /// Whether this is the root, as it must be behind a proof's last hash.
    fn end(&self, found: usize) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::Length { found }) }
    }
}
