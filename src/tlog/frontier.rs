//! A tree that grows: the complete subtrees at its right edge, which is all that its root and its growth need.

use super::hash::{Hash, empty_root, node_hash};
use super::subtree::{Subtree, fold};

/// A growing tree. Keeps one hash for each bit of its size: some 1.3 KiB for any number of leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The complete subtrees that the leaves so far are made of, the largest first.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// A tree of `size` leaves, from the hashes of the complete subtrees it is made of.
    pub fn at<E>(size: u64, mut hash: impl FnMut(Subtree) -> Result<Hash, E>) -> Result<Self, E> {
        let subtrees: Result<Vec<Hash>, E> = Subtree::of_range(0..size).map(&mut hash).collect();
        Ok(Self { size, subtrees: subtrees? })
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        if self.subtrees.is_empty() { empty_root() } else { fold(&self.subtrees) }
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(0, leaf, |_, _| {});
    }

    /// Appends a complete subtree and hands every subtree that is complete now to `completed`, itself first.
    ///
    /// # Panics
    ///
    /// If the size is no multiple of the subtree's leaves: then it does not belong there.
    pub fn push_subtree(&mut self, level: u8, hash: Hash, mut completed: impl FnMut(Subtree, &Hash)) {
        assert_eq!(
            self.size.trailing_zeros().min(u32::from(level)),
            u32::from(level),
            "a subtree begins at its multiple"
        );
        let mut subtree = Subtree { level, index: self.size >> level };
        self.size += 1 << level;
        let mut hash = hash;
        completed(subtree, &hash);
        while subtree.index % 2 == 1
            && let Some(left) = self.subtrees.pop()
        {
            hash = node_hash(&left, &hash);
            subtree = Subtree { level: subtree.level + 1, index: subtree.index / 2 };
            completed(subtree, &hash);
        }
        self.subtrees.push(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::super::leaf_hash;
    use super::*;

    #[test]
    fn subtrees_and_their_leaves_make_the_same_tree() {
        let leaves: Vec<Hash> = (0..45u8).map(|n| leaf_hash(&[n])).collect();
        let mut by_leaf = Frontier::default();
        leaves.iter().for_each(|leaf| by_leaf.push(*leaf));
        let mut by_group = Frontier::default();
        let mut completed = Vec::new();
        for group in leaves.chunks(8) {
            if group.len() == 8 {
                let mut tree = Frontier::default();
                group.iter().for_each(|leaf| tree.push(*leaf));
                by_group.push_subtree(3, tree.root(), |subtree, _| completed.push((subtree.level, subtree.index)));
            } else {
                group.iter().for_each(|leaf| by_group.push(*leaf));
            }
        }
        assert_eq!(by_leaf, by_group);
        assert_eq!(completed, [(3, 0), (3, 1), (4, 0), (3, 2), (3, 3), (4, 1), (5, 0), (3, 4)]);
    }

    #[test]
    #[should_panic(expected = "a subtree begins at its multiple")]
    fn a_subtree_in_the_wrong_place_is_a_mistake_of_the_program() {
        let mut tree = Frontier::default();
        tree.push([0; 32]);
        tree.push_subtree(1, [0; 32], |_, _| {});
    }
}
