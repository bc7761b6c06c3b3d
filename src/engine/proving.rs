//! What the engine proves of its journal: tree heads, proofs, and the journal verified as a whole.

use std::path::Path;

use serde::Serialize;

use super::{Engine, Error};
use crate::domain::DecisionId;
use crate::journal::{
    Consistency, Inclusion, Kind, NotaryError, Verified, Verify, entry_proof_in, journal_folder, known_keys,
    newest_head, record_leaf, record_with_key,
};
use crate::tlog::{Hash, SignedHead, VerifierKey, base64, leaf_hash};

/// A proof that a record is in the journal.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct InclusionShown {
    /// The record's sequence, from 1.
    pub record: u64,
    /// The index of its leaf: the sequence less one.
    pub index: u64,
    /// The hash of its leaf, in base64.
    pub leaf_hash: String,
    /// How many records the tree is over.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
    /// The hashes of the proof, in base64, the leaf's sibling first.
    pub hashes: Vec<String>,
    /// The signed head of that tree; `null` if a size was asked for that is not the newest head's.
    pub head: Option<String>,
}

/// A proof that the journal of one size is the beginning of the journal of another.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ConsistencyShown {
    /// The size of the older tree.
    pub from: u64,
    /// Its root, in base64.
    pub from_root: String,
    /// The size of the newer tree.
    pub to: u64,
    /// Its root, in base64.
    pub to_root: String,
    /// The hashes of the proof, in base64.
    pub hashes: Vec<String>,
}

/// Which record is to be proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    /// The one of a decision.
    Decision(DecisionId),
    /// The one with this sequence.
    Record(u64),
}

/// What was found of one decision in a data directory.
#[derive(Clone, Debug)]
pub struct DecisionVerified {
    /// The sequence of its record.
    pub record: u64,
    /// The signed head that it is under.
    pub head: SignedHead,
    /// The key that has signed that.
    pub key: VerifierKey,
}

impl Engine {
    /// The newest signed tree head: over everything that is on disk. Signs one if there is news; writes and syncs a file.
    pub fn tree_head(&self) -> Result<SignedHead, Error> {
        Ok(self.notary()?.head()?)
    }

    /// The key that verifies tree heads.
    pub fn verifier_key(&self) -> Result<VerifierKey, Error> {
        Ok(self.notary()?.key())
    }

    /// Proves that a record is in the journal: by the newest signed tree head, or in the tree of a size. `None` if there is no
    /// such decision. Reads the journal.
    pub fn inclusion(&self, proved: Proved, size: Option<u64>) -> Result<Option<InclusionShown>, Error> {
        let notary = self.notary()?;
        let record = match proved {
            Proved::Record(record) => record,
            Proved::Decision(id) => match self.turn_record(id)? {
                Some(found) => found.seq,
                None => return Ok(None),
            },
        };
        let head = notary.head_over(record)?;
        let is_newest = size.is_none_or(|size| size == head.head().size);
        let inclusion = notary.inclusion(record, size.unwrap_or(head.head().size))?;
        Ok(Some(InclusionShown::of(&inclusion, is_newest.then(|| head.to_string()))))
    }

    /// Proves that the journal of one size is the beginning of the journal of another; of the newest signed head, if none is
    /// named. Reads the journal.
    pub fn consistency(&self, from: u64, to: Option<u64>) -> Result<ConsistencyShown, Error> {
        let notary = self.notary()?;
        let to = match to {
            Some(to) => to,
            None => notary.head()?.head().size,
        };
        Ok(ConsistencyShown::of(&notary.consistency(from, to)?))
    }
}

impl InclusionShown {
    fn of(inclusion: &Inclusion, head: Option<String>) -> Self {
        let Inclusion { index, size, leaf, root, hashes } = inclusion;
        let (leaf_hash, root) = (base64(leaf), base64(root));
        Self { record: index + 1, index: *index, leaf_hash, size: *size, root, hashes: texts(hashes), head }
    }
}

impl ConsistencyShown {
    fn of(consistency: &Consistency) -> Self {
        let Consistency { from, to, hashes } = consistency;
        let (from_root, to_root) = (base64(&from.1), base64(&to.1));
        Self { from: from.0, from_root, to: to.0, to_root, hashes: texts(hashes) }
    }
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| base64(hash)).collect()
}

/// Verifies the whole journal of a data directory, which another process may have open: nothing is locked, nothing is written.
/// `progress` is told how many records were read.
pub fn verify_journal(
    data: &Path,
    key: Option<&VerifierKey>,
    held: Option<&SignedHead>,
    progress: &mut dyn FnMut(u64),
) -> Verified {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    Verify { journal: &journal_folder(data), key, held, workers }.run(progress)
}

/// The keys that have signed tree heads of a data directory, as it says itself.
pub fn keys_in(data: &Path) -> Result<Vec<VerifierKey>, Error> {
    Ok(known_keys(&journal_folder(data))?)
}

/// The records of a data directory that the newest signed head and the open segment know of: for a bar that shows how far
/// verifying is.
pub fn records_signed(data: &Path) -> u64 {
    newest_head(&journal_folder(data)).ok().flatten().map_or(0, |head| head.head().size)
}

/// Verifies that the record of a decision is in the journal that the newest signed head is over; `None` if there is no such
/// decision. Nothing is locked, nothing is written.
pub fn verify_decision(
    data: &Path,
    id: DecisionId,
    key: Option<&VerifierKey>,
) -> Result<Option<DecisionVerified>, Error> {
    let folder = journal_folder(data);
    let head = newest_head(&folder)?;
    let Some(found) = record_with_key(&folder, id.to_u128())?.filter(|found| found.kind == Kind::Turn) else {
        return Ok(None);
    };
    let head = head.filter(|head| head.head().size >= found.seq).ok_or(NotaryError::NotSigned(found.seq))?;
    let known = known_keys(&folder)?;
    let keys = key.map_or(known.as_slice(), std::slice::from_ref);
    let proof = entry_proof_in(&folder, found.seq, head)?;
    let leaf = record_leaf(&folder, found.seq)?.unwrap_or_default();
    let key = proof.verify(&leaf_hash(&leaf), keys).map_err(|error| Error::Unproved(error.to_string()))?.clone();
    Ok(Some(DecisionVerified { record: found.seq, head: proof.head, key }))
}
