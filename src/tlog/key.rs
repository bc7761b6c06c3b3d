//! Keys of signed notes: Ed25519, named (C2SP signed-note).

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Signer as _;
use sha2::{Digest, Sha256};

use super::hash::{base64, parse_base64};

/// Bytes of the seed that a signing key is made from.
pub const SEED_BYTES: usize = 32;

/// The one type of signature there is here: Ed25519.
const ED25519: u8 = 1;

const SECRET_PREFIX: &str = "PRIVATE+KEY+";

/// A key that verifies: `name+id+base64`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: ed25519_dalek::VerifyingKey,
}

/// A key that signs. What it is made of is shown by nothing but [`SigningKey::to_secret_text`].
#[derive(Clone)]
pub struct SigningKey {
    name: String,
    key: ed25519_dalek::SigningKey,
}

/// Why a text is not a key. Never holds the text, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It has not the parts of a key.
    #[error("not a key: expected `{0}`")]
    Form(&'static str),
    /// It has no usable name.
    #[error("a key's name is not empty and has neither spaces nor `+`")]
    Name,
    /// It is for another kind of signature.
    #[error("the key is not for Ed25519 signatures")]
    Algorithm,
    /// What it holds is no key.
    #[error("the key's bytes are no Ed25519 key")]
    Bytes,
    /// Its id is another than its name and bytes have.
    #[error("the key's id does not fit its name and bytes: a character was lost or changed")]
    Id,
}

const VERIFIER_FORM: &str = "name+id+base64";
const SECRET_FORM: &str = "PRIVATE+KEY+name+id+base64";

impl VerifierKey {
    /// Whose key it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What tells it from other keys of that name. Short: no proof of anything.
    pub fn id(&self) -> [u8; 4] {
        let hash =
            Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519]).chain_update(self.key.as_bytes());
        let hash = hash.finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Whether this key made the signature of the text.
    pub fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let signature = ed25519_dalek::Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl SigningKey {
    /// The key that a seed makes. The seed must have been drawn at random and be known to nobody else.
    pub fn new(name: &str, seed: &[u8; SEED_BYTES]) -> Result<Self, KeyError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), key: ed25519_dalek::SigningKey::from_bytes(seed) })
    }

    /// Whose key it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that verifies what this one signs.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// Signs a text.
    pub fn sign(&self, text: &str) -> Vec<u8> {
        self.key.sign(text.as_bytes()).to_bytes().to_vec()
    }

    /// The key as the text that it is kept as, secret included.
    pub fn to_secret_text(&self) -> String {
        let id = hex(self.verifier().id());
        format!("{SECRET_PREFIX}{}+{id}+{}", self.name, base64(&tagged(&self.key.to_bytes())))
    }
}

fn tagged(key: &[u8; 32]) -> [u8; 33] {
    let mut bytes = [ED25519; 33];
    bytes[1..].copy_from_slice(key);
    bytes
}

fn hex(id: [u8; 4]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a key may have the name.
pub(super) fn check_name(name: &str) -> Result<(), KeyError> {
    let is_sound = !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control());
    if is_sound { Ok(()) } else { Err(KeyError::Name) }
}

/// The name, the id and the bytes of a key of this form.
fn parts(text: &str, form: &'static str) -> Result<(String, String, [u8; 32]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(bytes)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Form(form));
    };
    check_name(name)?;
    let is_id = id.len() == 8 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let bytes = parse_base64(bytes).ok().filter(|_| is_id).ok_or(KeyError::Form(form))?;
    match bytes.split_first() {
        Some((&ED25519, key)) => {
            let key = key.try_into().map_err(|_| KeyError::Bytes)?;
            Ok((name.to_owned(), id.to_owned(), key))
        }
        _ => Err(KeyError::Algorithm),
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, bytes) = parts(text, VERIFIER_FORM)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Bytes)?;
        let key = Self { name, key };
        if hex(key.id()) == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, hex(self.id()), base64(&tagged(self.key.as_bytes())))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix(SECRET_PREFIX).ok_or(KeyError::Form(SECRET_FORM))?;
        let (name, id, seed) = parts(rest, SECRET_FORM)?;
        let key = Self::new(&name, &seed)?;
        if hex(key.verifier().id()) == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("name", &self.name).finish_non_exhaustive()
    }
}
