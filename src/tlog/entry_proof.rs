//! A leaf's proof with the signed head that it leads to, as one text (C2SP tlog-proof).

use std::fmt;
use std::str::FromStr;

use super::hash::{Hash, base64, parse_base64, parse_hash};
use super::head::{HeadError, SignedHead, parse_number};
use super::key::VerifierKey;
use super::proof::{ProofError, verify_inclusion};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Hashes that a proof can have: one for each level of a tree.
const HASHES_MAX: usize = 64;

/// A proof that a leaf is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryProof {
    /// Bytes that go with it and that nothing vouches for.
    pub extra: Option<Vec<u8>>,
    /// The leaf's index, from 0.
    pub index: u64,
    /// The proof of inclusion.
    pub hashes: Vec<Hash>,
    /// The head that it leads to.
    pub head: SignedHead,
}

/// Why a text is no proof, or proves nothing of a leaf.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryProofError {
    /// It is not of this form.
    #[error("not a proof of an entry: {0}")]
    Form(&'static str),
    /// The head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The proof.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl EntryProof {
    /// Verifies the head's signature, and that a leaf with this hash is in the tree. Returns the key that has signed.
    pub fn verify<'k>(&self, leaf: &Hash, keys: &'k [VerifierKey]) -> Result<&'k VerifierKey, EntryProofError> {
        let key = self.head.verify(keys)?;
        let head = self.head.head();
        verify_inclusion(self.index, head.size, leaf, &self.hashes, &head.root)?;
        Ok(key)
    }
}

impl FromStr for EntryProof {
    type Err = EntryProofError;

    fn from_str(text: &str) -> Result<Self, EntryProofError> {
        let form = EntryProofError::Form;
        let (lines, head) = text.split_once("\n\n").ok_or(form("it has no empty line before the head"))?;
        let mut lines = lines.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(form("its first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(extra) => {
                lines.next();
                Some(parse_base64(extra).map_err(|_| form("its extra line is not base64"))?)
            }
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(parse_number);
        let index = index.ok_or(form("it has no index"))?;
        let hashes: Result<Vec<Hash>, _> = lines.take(HASHES_MAX + 1).map(parse_hash).collect();
        let hashes = hashes.map_err(|_| form("a line is not a hash"))?;
        if hashes.len() > HASHES_MAX {
            return Err(form("it has too many hashes"));
        }
        Ok(Self { extra, index, hashes, head: head.parse()? })
    }
}

impl fmt::Display for EntryProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", base64(hash)))?;
        write!(f, "\n{}", self.head)
    }
}
