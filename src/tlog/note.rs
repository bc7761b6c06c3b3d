//! Signed notes: a text and signatures under it (C2SP signed-note).
//!
//! ```text
//! a text of lines
//!
//! — name base64(id of the key ‖ signature)
//! ```

use std::fmt::{self, Write};
use std::str::FromStr;

use super::hash::{base64, parse_base64};
use super::key::{SigningKey, VerifierKey, check_name};

/// Signatures that a note may have.
pub const SIGNATURES_MAX: usize = 64;

/// Bytes that a note may have: room for its signatures in the largest scheme that notes know.
pub const NOTE_BYTES_MAX: usize = 1 << 20;

/// A note as it is written: nothing is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature under a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key that is said to have made it.
    pub name: String,
    /// The id of that key.
    pub id: [u8; 4],
    /// The signature itself.
    pub bytes: Vec<u8>,
}

/// Why a note is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is no note.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// No key that is known has signed it.
    #[error("the note is not signed by {}", .0.join(" or "))]
    Unsigned(Vec<String>),
    /// A signature of a known key is wrong.
    #[error("the signature of `{0}` is wrong: the note was changed after it was signed, or the key has not signed it")]
    WrongSignature(String),
}

impl Note {
    /// Signs a text, which ends with a newline.
    pub fn sign(text: &str, key: &SigningKey) -> Result<Self, NoteError> {
        check_text(text)?;
        let signature = NoteSignature { name: key.name().to_owned(), id: key.verifier().id(), bytes: key.sign(text) };
        Ok(Self { text: text.to_owned(), signatures: vec![signature] })
    }

    /// The text. Believe it only after [`Note::verify`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Verifies the signatures of the keys that are given, one of which must have signed. Signatures of other keys say nothing.
    /// Returns the key that has signed first.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<&'k VerifierKey, NoteError> {
        let mut signed = None;
        for signature in &self.signatures {
            let known = keys.iter().filter(|key| key.name() == signature.name && key.id() == signature.id);
            let mut known = known.peekable();
            if known.peek().is_none() {
                continue;
            }
            let verified = known.find(|key| key.verifies(&self.text, &signature.bytes));
            let key = verified.ok_or_else(|| NoteError::WrongSignature(signature.name.clone()))?;
            signed = signed.or(Some(key));
        }
        signed.ok_or_else(|| NoteError::Unsigned(keys.iter().map(|key| format!("`{key}`")).collect()))
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::Form("its text does not end with a newline"));
    }
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Form("it has control characters"));
    }
    Ok(())
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        check_name(name).ok()?;
        let bytes = parse_base64(signature).ok()?;
        let (id, bytes) = bytes.split_first_chunk::<4>()?;
        (!bytes.is_empty()).then(|| Self { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Form("it is too long"));
        }
        check_text(note)?;
        // The text may have empty lines; the last one of all stands before the signatures.
        let at = note.rfind("\n\n").ok_or(NoteError::Form("it has no empty line before its signatures"))?;
        let (text, lines) = (&note[..=at], &note[at + 2..]);
        let mut signatures = Vec::new();
        for line in lines.split_terminator('\n') {
            if signatures.len() == SIGNATURES_MAX {
                return Err(NoteError::Form("it has too many signatures"));
            }
            signatures.push(NoteSignature::parse(line).ok_or(NoteError::Form("a line is not a signature"))?);
        }
        if signatures.is_empty() {
            return Err(NoteError::Form("it has no signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_char('\n')?;
        for NoteSignature { name, id, bytes } in &self.signatures {
            writeln!(f, "— {name} {}", base64(&[id.as_slice(), bytes].concat()))?;
        }
        Ok(())
    }
}
