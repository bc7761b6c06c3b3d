//! The transparency log: what makes it evident if a record of the book was changed, removed or slipped in.
//!
//! Records are the leaves of a Merkle tree as [RFC 6962](https://www.rfc-editor.org/rfc/rfc6962#section-2.1) and
//! [RFC 9162](https://www.rfc-editor.org/rfc/rfc9162#section-2.1) have it; its head is signed in the form of
//! [C2SP](https://c2sp.org/tlog-checkpoint), which calls a signed tree head a checkpoint. The room is pure: it knows hashes,
//! proofs and signatures, no files, no records, no clock.
//!
//! | file | noun |
//! |---|---|
//! | `hash` | hashes of leaves and nodes, and as text |
//! | `subtree` | complete subtrees, and what ranges of leaves are made of |
//! | `frontier` | a tree that grows |
//! | `proof` | proofs of inclusion and consistency: made and verified |
//! | `key` | keys that sign, keys that verify |
//! | `note` | signed notes |
//! | `head` | heads of the tree |
//! | `entry_proof` | a leaf's proof with the signed head, as one text |

mod entry_proof;
mod frontier;
mod hash;
mod head;
mod key;
mod note;
mod proof;
mod subtree;
#[cfg(test)]
mod tests;

pub use entry_proof::{EntryProof, EntryProofError};
pub use frontier::Frontier;
pub use hash::{Base64Error, Hash, base64, leaf_hash, node_hash, parse_base64, parse_hash};
pub use head::{HeadError, SignedHead, TreeHead};
pub use key::{KeyError, SEED_BYTES, SigningKey, VerifierKey};
pub use note::{NOTE_BYTES_MAX, Note, NoteError, NoteSignature, SIGNATURES_MAX};
pub use proof::{ProofError, consistency_proof, inclusion_proof, root_at, verify_consistency, verify_inclusion};
pub use subtree::{Subtree, Subtrees};
