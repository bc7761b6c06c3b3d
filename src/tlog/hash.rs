//! Hashes of the tree: SHA-256, leaves and nodes told apart by their first byte (RFC 6962, section 2.1).

use sha2::{Digest, Sha256};

/// A hash of a leaf, a node or a whole tree.
pub type Hash = [u8; 32];

const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];

/// The hash of a leaf: `SHA-256(0x00 ‖ leaf)`.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new().chain_update(LEAF).chain_update(leaf).finalize().into()
}

/// The hash of a node: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update(NODE).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(hash: Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn leaves_and_nodes_are_told_apart() {
        assert_eq!(hex(leaf_hash(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
        assert_ne!(node_hash(&left, &right), leaf_hash(&[left, right].concat()));
    }
}
