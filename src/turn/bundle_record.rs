//! A bundle as the journal stores it: its files, so that every decision made on it can be explained and taken again.

use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, Sources};

/// The version of the stored form.
const VERSION: u8 = 1;

/// The stored form of a bundle, version 1: a MessagePack array of version and files.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    sources: Sources,
}

/// The bytes of a bundle's record.
pub fn encode_bundle(bundle: &Bundle) -> Vec<u8> {
    let stored = Stored { version: VERSION, sources: bundle.sources().clone() };
    // Writing texts into memory cannot fail.
    rmp_serde::to_vec(&stored).unwrap_or_default()
}

/// Compiles the bundle that a record holds; or says why it cannot be used.
pub fn decode_bundle(payload: &[u8]) -> Result<Bundle, String> {
    let stored: Stored = rmp_serde::from_slice(payload).map_err(|e| e.to_string())?;
    if stored.version != VERSION {
        return Err(format!("it has version {}, this release reads version {VERSION}", stored.version));
    }
    Bundle::recall(stored.sources).map_err(|faults| faults.to_string())
}
