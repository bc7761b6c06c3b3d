//! Proofs of trees of any size: what is right verifies, what is not does not.

use std::convert::Infallible;

use proptest::prelude::*;

use super::super::*;

/// Leaves in memory.
struct Leaves(Vec<Hash>);

impl Leaves {
    fn of(count: u64) -> Self {
        Self((0..count).map(|n| leaf_hash(&n.to_le_bytes())).collect())
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }
}

impl Subtrees for Leaves {
    type Error = Infallible;

    fn hash(&mut self, subtree: Subtree) -> Result<Hash, Infallible> {
        let mut level: Vec<Hash> = self.0[subtree.first_leaf() as usize..][..1 << subtree.level].to_vec();
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
        }
        Ok(level[0])
    }
}

/// The root as RFC 6962, section 2.1, defines it.
fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Frontier::default().root(),
        [leaf] => *leaf,
        _ => {
            let middle = leaves.len().next_power_of_two() / 2;
            node_hash(&defined_root(&leaves[..middle]), &defined_root(&leaves[middle..]))
        }
    }
}

fn right<T>(result: Result<T, Infallible>) -> T {
    result.unwrap_or_else(|never| match never {})
}

#[test]
fn every_leaf_of_every_small_tree_is_proved() {
    for size in 0..70 {
        let mut leaves = Leaves::of(size);
        let root = right(root_at(&mut leaves, size));
        assert_eq!(root, defined_root(&leaves.0), "size {size}");
        let mut grown = Frontier::default();
        leaves.0.iter().for_each(|leaf| grown.push(*leaf));
        assert_eq!(grown.root(), root);
        assert_eq!(right(Frontier::at(size, |subtree| leaves.hash(subtree))), grown);
        for index in 0..size {
            let proof = right(inclusion_proof(&mut leaves, index, size));
            assert_eq!(
                verify_inclusion(index, size, &leaves.0[index as usize], &proof, &root),
                Ok(()),
                "{index} of {size}"
            );
        }
        for from in 1..=size {
            let older = right(root_at(&mut leaves, from));
            let proof = right(consistency_proof(&mut leaves, from, size));
            assert_eq!(verify_consistency((from, &older), (size, &root), &proof), Ok(()), "{from} to {size}");
        }
    }
}

#[test]
fn what_is_not_there_is_not_proved() {
    let mut leaves = Leaves::of(9);
    assert!(right(inclusion_proof(&mut leaves, 9, 9)).is_empty());
    assert_eq!(verify_inclusion(9, 9, &[0; 32], &[], &[0; 32]), Err(ProofError::NoLeaf { index: 9, size: 9 }));
    assert_eq!(verify_consistency((0, &[0; 32]), (9, &[0; 32]), &[]), Err(ProofError::Sizes { from: 0, to: 9 }));
    let huge = u64::MAX;
    assert!(verify_inclusion(huge - 1, huge, &[0; 32], &[[0; 32]; 64], &[0; 32]).is_err());
    assert!(verify_consistency((huge - 1, &[0; 32]), (huge, &[0; 32]), &[[0; 32]; 64]).is_err());
}

proptest! {
    #[test]
    fn nothing_but_the_leaf_in_its_place_verifies(
        size in 1u64..400,
        index in any::<prop::sample::Index>(),
        flip in any::<(prop::sample::Index, u8)>(),
        other in 0u64..500,
    ) {
        let mut leaves = Leaves::of(size);
        let (index, leaf) = (index.index(size as usize) as u64, leaves.0[index.index(size as usize)]);
        let root = right(root_at(&mut leaves, size));
        let proof = right(inclusion_proof(&mut leaves, index, size));
        prop_assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()));
        if other != index {
            prop_assert!(verify_inclusion(other, size, &leaf, &proof, &root).is_err(), "another index");
        }
        // Hashes bind the shape of the way up, not the size behind it: a head binds the size.
        let bytes = proof.len() * 32 + 64;
        let (at, bit) = (flip.0.index(bytes), 1 << (flip.1 % 8));
        let (mut leaf, mut root, mut proof) = (leaf, root, proof);
        match at {
            0..32 => leaf[at] ^= bit,
            32..64 => root[at - 32] ^= bit,
            _ => proof[(at - 64) / 32][at % 32] ^= bit,
        }
        prop_assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Err(ProofError::Root));
    }

    #[test]
    fn no_tree_verifies_but_the_one_that_goes_on(
        sizes in (1u64..300, 1u64..300),
        flip in any::<(prop::sample::Index, u8)>(),
        cut in any::<bool>(),
    ) {
        let (from, to) = (sizes.0, sizes.0 + sizes.1);
        let mut leaves = Leaves::of(to);
        let (older, newer) = (right(root_at(&mut leaves, from)), right(root_at(&mut leaves, to)));
        let proof = right(consistency_proof(&mut leaves, from, to));
        prop_assert_eq!(verify_consistency((from, &older), (to, &newer), &proof), Ok(()));
        prop_assert!(verify_consistency((to, &newer), (from, &older), &proof).is_err(), "the wrong way round");
        let mut longer = proof.clone();
        longer.push(newer);
        prop_assert!(verify_consistency((from, &older), (to, &newer), &longer).is_err(), "one hash too many");
        if cut {
            let shorter = &proof[..proof.len() - 1];
            prop_assert!(verify_consistency((from, &older), (to, &newer), shorter).is_err(), "one hash too few");
        }
        let (at, bit) = (flip.0.index(proof.len() * 32 + 64), 1 << (flip.1 % 8));
        let (mut older, mut newer, mut proof) = (older, newer, proof);
        match at {
            0..32 => older[at] ^= bit,
            32..64 => newer[at - 32] ^= bit,
            _ => proof[(at - 64) / 32][at % 32] ^= bit,
        }
        prop_assert_eq!(verify_consistency((from, &older), (to, &newer), &proof), Err(ProofError::Root));
        // A history in which one leaf was changed.
        let mut changed = Leaves::of(to);
        let nth = flip.0.index(from as usize);
        changed.0[nth] = leaf_hash(b"changed");
        let forged = right(root_at(&mut changed, to));
        let proof = right(consistency_proof(&mut changed, from, to));
        let older = right(root_at(&mut leaves, from));
        prop_assert!(verify_consistency((from, &older), (to, &forged), &proof).is_err());
        prop_assert_eq!(leaves.size(), changed.size());
    }
}
