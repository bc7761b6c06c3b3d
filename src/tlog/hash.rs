//! Hashes of the tree: SHA-256, leaves and nodes told apart by their first byte (RFC 6962, section 2.1); and as text, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

/// The root of a tree without leaves: the hash of nothing.
pub(super) fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// A text is not what it should be in base64 (RFC 4648, section 4, with its padding).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not base64 of the expected length")]
pub struct Base64Error;

/// Bytes as base64, with padding.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from base64; only the one text that [`base64()`] writes is read.
pub fn parse_base64(text: &str) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(|_| Base64Error)
}

/// A hash from base64.
pub fn parse_hash(text: &str) -> Result<Hash, Base64Error> {
    parse_base64(text)?.try_into().map_err(|_| Base64Error)
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
        assert_eq!(hex(empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
        assert_ne!(node_hash(&left, &right), leaf_hash(&[left, right].concat()));
    }

    #[test]
    fn a_hash_has_one_text() {
        let hash = leaf_hash(b"a");
        let text = base64(&hash);
        assert_eq!(parse_hash(&text), Ok(hash));
        assert_eq!(parse_hash(text.trim_end_matches('=')), Err(Base64Error), "without its padding");
        assert_eq!(parse_hash(&format!("{text}\n")), Err(Base64Error));
        assert_eq!(parse_hash(&base64(&hash[1..])), Err(Base64Error));
        // The last character before the padding has two bits that say nothing; they must be zero.
        let same_bytes = format!("{}{}=", &text[..42], (text.as_bytes()[42] + 1) as char);
        assert_eq!(parse_hash(&same_bytes), Err(Base64Error), "{same_bytes}");
    }
}
