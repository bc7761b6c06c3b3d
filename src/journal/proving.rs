//! Proofs of what the journal holds. Each is verified before it is handed out: where records were lost, or changed behind the tree's
//! back, the records and the roots that are kept of them say different things, and what would be made of both proves nothing.

use std::path::Path;

use super::NotaryError;
use super::heads::read_heads;
use super::notary::Unfit;
use super::tree::TreeReader;
use crate::tlog::{
    EntryProof, Hash, SignedHead, TreeHead, consistency_proof, inclusion_proof, root_at, verify_consistency,
    verify_inclusion,
};

/// A proof that a record is in the tree of some size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The record's leaf: its sequence less one.
    pub index: u64,
    /// The size of the tree.
    pub size: u64,
    /// The hash of its leaf.
    pub leaf: Hash,
    /// The root of the tree.
    pub root: Hash,
    /// The proof.
    pub hashes: Vec<Hash>,
}

/// A proof that one tree begins with another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    /// The older tree's size and root.
    pub from: (u64, Hash),
    /// The newer tree's size and root.
    pub to: (u64, Hash),
    /// The proof.
    pub hashes: Vec<Hash>,
}

impl Inclusion {
    /// The proof with the head it leads to.
    pub(super) fn under(self, head: SignedHead) -> EntryProof {
        EntryProof { extra: None, index: self.index, hashes: self.hashes, head }
    }
}

/// Proves that a record is in the tree of a size. If `signed` is the head of that tree, the proof leads to its root.
pub(super) fn inclusion_in(
    reader: &mut TreeReader,
    seq: u64,
    size: u64,
    signed: Option<&TreeHead>,
) -> Result<Inclusion, NotaryError> {
    if seq == 0 || seq > size {
        return Err(NotaryError::NoSuch(format!(
            "the tree over {size} records has no record {seq}: they are numbered from 1"
        )));
    }
    let index = seq - 1;
    let leaf = reader.leaf(index)?;
    none_lost(reader)?;
    let root = root_of(reader, size, signed)?;
    let hashes = inclusion_proof(reader, index, size)?;
    if verify_inclusion(index, size, &leaf, &hashes, &root).is_err() {
        none_lost(reader)?;
        return Err(NotaryError::Disagree { size, root });
    }
    Ok(Inclusion { index, size, leaf, root, hashes })
}

/// Proves that the tree of one size begins with the tree of another.
pub(super) fn consistency_in(
    reader: &mut TreeReader,
    from: u64,
    to: u64,
    signed: Option<&TreeHead>,
) -> Result<Consistency, NotaryError> {
    if from == 0 || from > to {
        return Err(NotaryError::NoSuch(format!(
            "that the tree over {to} records begins with the tree over {from} cannot be proved: `from` is at least 1 and at most `to`"
        )));
    }
    let (older, newer) = (root_of(reader, from, signed)?, root_of(reader, to, signed)?);
    let hashes = consistency_proof(reader, from, to)?;
    if verify_consistency((from, &older), (to, &newer), &hashes).is_err() {
        none_lost(reader)?;
        return Err(NotaryError::Disagree { size: to, root: newer });
    }
    Ok(Consistency { from: (from, older), to: (to, newer), hashes })
}

/// The root of the first `size` records: the one that was signed, where a head is known.
fn root_of(reader: &mut TreeReader, size: u64, signed: Option<&TreeHead>) -> Result<Hash, NotaryError> {
    let root = root_at(reader, size)?;
    let lost = reader.take_lost();
    let mut signed = signed.filter(|head| head.size == size).map(|head| head.root);
    if signed.is_none() && lost.is_some() {
        // Only a head that was signed after the loss has a root that is made of what is left.
        let heads = read_heads(reader.journal())?;
        signed = heads.iter().rev().map(|(_, head)| head.head()).find(|head| head.size == size).map(|head| head.root);
    }
    match (signed, lost) {
        (Some(signed), _) if signed == root => Ok(root),
        (None, None) => Ok(root),
        (_, Some((first, last))) => Err(NotaryError::Lost { first, last }),
        (Some(_), None) => Err(NotaryError::Disagree { size, root }),
    }
}

fn none_lost(reader: &mut TreeReader) -> Result<(), NotaryError> {
    reader.take_lost().map_or(Ok(()), |(first, last)| Err(NotaryError::Lost { first, last }))
}

/// A record's proof with a head that covers it, from a folder that another process may be writing. It leads to the head's
/// root, or the journal is not the one that was signed. Reads the whole journal if the roots that are kept do not fit it.
pub fn entry_proof_in(journal: &Path, seq: u64, head: SignedHead) -> Result<EntryProof, NotaryError> {
    let signed = head.head();
    let mut found = None;
    // The roots that are kept may be what is damaged.
    for trusted in [signed.size, 0] {
        match inclusion_in(&mut TreeReader::new(journal, trusted), seq, signed.size, Some(signed)) {
            Ok(inclusion) => return Ok(inclusion.under(head)),
            Err(NotaryError::Disagree { root, .. }) => found = Some(root),
            Err(error) => return Err(error),
        }
    }
    Err(NotaryError::Unfit(Box::new(Unfit { signed: signed.clone(), records: signed.size, root: found })))
}
