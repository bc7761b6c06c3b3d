//! The transparency log: what makes it evident if a record of the book was changed, removed or slipped in.
//!
//! Records are the leaves of a Merkle tree as [RFC 6962](https://www.rfc-editor.org/rfc/rfc6962#section-2.1) and
//! [RFC 9162](https://www.rfc-editor.org/rfc/rfc9162#section-2.1) have it. The room is pure: it knows hashes, proofs and
//! signatures, no files, no records, no clock.
//!
//! | file | noun |
//! |---|---|
//! | `hash` | hashes of leaves and nodes |

mod hash;

pub use hash::{Hash, leaf_hash, node_hash};
