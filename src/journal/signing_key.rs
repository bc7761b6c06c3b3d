//! The key that signs heads: read from its file, or made and kept there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::directory::sync_folder;
use super::{JournalError, NotaryError};
use crate::tlog::{SEED_BYTES, SigningKey};

/// The key in a file, which must be of this log; made, for its owner to read alone, if there is no file.
pub(super) fn signing_key(path: &Path, origin: &str) -> Result<SigningKey, NotaryError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return make(path, origin),
        Err(e) => return Err(JournalError::io("read the key", path, e).into()),
    };
    let key: SigningKey = text.trim().parse().map_err(|error| NotaryError::Key { path: path.to_owned(), error })?;
    if key.name() != origin {
        let (name, origin) = (key.name().to_owned(), origin.to_owned());
        return Err(NotaryError::KeyOfAnother { path: path.to_owned(), name, origin });
    }
    if fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "others than its owner may read the key that signs; set its mode to 0600");
    }
    Ok(key)
}

fn make(path: &Path, origin: &str) -> Result<SigningKey, NotaryError> {
    let failed = |e| NotaryError::from(JournalError::io("make the key", path, e));
    let mut seed = [0; SEED_BYTES];
    getrandom::fill(&mut seed).map_err(|e| failed(io::Error::other(e)))?;
    let key = SigningKey::new(origin, &seed).map_err(|error| NotaryError::Key { path: path.to_owned(), error })?;
    let next = path.with_extension("key.next");
    // What an interrupted start left is no key that anybody knows.
    let _ = fs::remove_file(&next);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next);
    let written = file.and_then(|mut file| writeln!(file, "{}", key.to_secret_text()).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&next, path)).map_err(failed)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        sync_folder(folder)?;
    }
    tracing::info!(path = %path.display(), key = %key.verifier(), "made a key that signs tree heads");
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        let made = signing_key(&path, "example.com/log").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(signing_key(&path, "example.com/log").unwrap().verifier(), made.verifier());
        let other = signing_key(&folder.path().join("other.key"), "example.com/log").unwrap();
        assert_ne!(other.verifier(), made.verifier(), "drawn at random");
        let refused = signing_key(&path, "example.com/other").unwrap_err().to_string();
        assert!(refused.contains("signs for `example.com/log`, and `origin` is `example.com/other`"), "{refused}");
        fs::write(&path, "PRIVATE+KEY+example.com/log+00000000+AAAA\n").unwrap();
        let refused = signing_key(&path, "example.com/log").unwrap_err().to_string();
        assert!(refused.contains("signing.key` does not hold a usable key") && !refused.contains("AAAA"), "{refused}");
    }

    #[test]
    fn a_name_that_no_key_can_have_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        assert!(signing_key(&path, "a log").is_err());
        assert!(!path.exists());
    }
}
