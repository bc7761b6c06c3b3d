//! The head of a tree: its size and root, under the name of its log (C2SP tlog-checkpoint).

use std::fmt;
use std::str::FromStr;

use super::hash::{Hash, base64, parse_hash};
use super::key::{SigningKey, VerifierKey};
use super::note::{Note, NoteError};

/// The head of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Which log it is of.
    pub origin: String,
    /// How many leaves the tree has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// Further lines that are signed too. Nothing here gives them a meaning.
    pub extensions: Vec<String>,
}

/// A tree head with its signatures, as they are written: believe it after [`SignedHead::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    head: TreeHead,
    note: Note,
}

/// Why a text is not a signed tree head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The head itself.
    #[error("not a tree head: {0}")]
    Form(&'static str),
    /// It is of another log.
    #[error("the tree head is of the log `{found}`, not of `{expected}`")]
    Origin {
        /// The log that the key is of.
        expected: String,
        /// The log it says it is of.
        found: String,
    },
}

impl TreeHead {
    /// Signs the head.
    pub fn sign(self, key: &SigningKey) -> Result<SignedHead, HeadError> {
        let text = self.to_string();
        // A line break in one of its parts would make another head of it.
        if text.parse().as_ref() != Ok(&self) {
            return Err(HeadError::Form("a part of it is not one line"));
        }
        let note = Note::sign(&text, key)?;
        Ok(SignedHead { head: self, note })
    }
}

impl SignedHead {
    /// The head. Believe it only after [`SignedHead::verify`].
    pub fn head(&self) -> &TreeHead {
        &self.head
    }

    /// Verifies the signatures and that the log named is the one whose key has signed. Returns that key.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<&'k VerifierKey, HeadError> {
        let key = self.note.verify(keys)?;
        if key.name() == self.head.origin {
            return Ok(key);
        }
        Err(HeadError::Origin { expected: key.name().to_owned(), found: self.head.origin.clone() })
    }
}

/// A decimal number without leading zeros.
pub(super) fn parse_number(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

impl FromStr for TreeHead {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let text = text.strip_suffix('\n').ok_or(HeadError::Form("it does not end with a newline"))?;
        let mut lines = text.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(HeadError::Form("it has no origin"))?;
        let size = lines.next().and_then(parse_number).ok_or(HeadError::Form("its second line is not a size"))?;
        let root = lines.next().and_then(|line| parse_hash(line).ok());
        let root = root.ok_or(HeadError::Form("its third line is not a root"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(HeadError::Form("it has an empty line"));
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }
}

impl fmt::Display for TreeHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, base64(&self.root))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for SignedHead {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let note: Note = text.parse()?;
        Ok(Self { head: note.text().parse()?, note })
    }
}

impl fmt::Display for SignedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}
