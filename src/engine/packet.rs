//! Packets: one decision with everything that proves it to a third party.
//!
//! The record of the turn and the record of the bundle go along as the tree over the journal hashes them, each with its proof of
//! inclusion and the signed head. From the two the decision and its explanation are made again.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::explain::{read_record, remade};
use super::{Engine, Error, Explanation};
use crate::actor::bundle_of;
use crate::domain::DecisionId;
use crate::journal::{
    Found, Kind, Notary, NotaryError, entry_proof_in, found_in_leaf, journal_folder, newest_head, record_leaf,
    record_with_key,
};
use crate::tlog::{EntryProof, SignedHead, VerifierKey, base64, leaf_hash, parse_base64};
use crate::turn::Record;

/// What packets say they are.
pub const PACKET_FORMAT: &str = "forthwith packet 1";

/// One decision with everything that proves it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Packet {
    /// `forthwith packet 1`.
    pub format: String,
    /// The decision, as callers got it.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub decision: Value,
    /// Its explanation.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub explanation: Value,
    /// The record of its turn.
    pub record: ProvedRecord,
    /// The record of the bundle that it was decided under.
    pub bundle: ProvedRecord,
}

/// A record with the proof that the journal holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProvedRecord {
    /// Its sequence in the journal, from 1.
    pub record: u64,
    /// What the tree hashes of it, in base64.
    pub leaf_base64: String,
    /// The proof of inclusion and the signed head (C2SP tlog-proof).
    pub proof: String,
}

/// What a packet was found to prove.
#[derive(Clone, Debug)]
pub struct PacketVerified {
    /// The decision.
    pub decision: DecisionId,
    /// The sequence of its record.
    pub record: u64,
    /// The sequence of its bundle's record.
    pub bundle: u64,
    /// The head that both lead to.
    pub head: SignedHead,
    /// The key that has signed it.
    pub key: VerifierKey,
}

impl Engine {
    /// A decision as a packet, if it is on disk. Signs a tree head if the last one does not cover it. Reads the journal: not for the
    /// way of an event.
    pub fn packet(&self, id: DecisionId) -> Result<Option<Packet>, Error> {
        let notary = self.notary()?;
        let Some(found) = self.turn_record(id)? else { return Ok(None) };
        let head = notary.head_over(found.seq)?;
        let prove = |record| notary.entry_proof_under(record, head.clone());
        packed(&self.0.directory.journal(), &found, id, prove).map(Some)
    }

    pub(super) fn notary(&self) -> Result<&Notary, Error> {
        self.0.notary.as_ref().ok_or(Error::NoTreeHeads)
    }
}

/// A decision as a packet from a data directory, which another process may have open: nothing is locked, nothing is written or
/// signed. Its record must be under a head that was signed.
pub fn packet_from(data: &Path, id: DecisionId) -> Result<Option<Packet>, Error> {
    let folder = journal_folder(data);
    let head = newest_head(&folder)?;
    let Some(found) = record_with_key(&folder, id.to_u128())?.filter(|found| found.kind == Kind::Turn) else {
        return Ok(None);
    };
    match head.filter(|head| head.head().size >= found.seq) {
        Some(head) => packed(&folder, &found, id, |record| entry_proof_in(&folder, record, head.clone())).map(Some),
        None => Err(NotaryError::NotSigned(found.seq).into()),
    }
}

fn packed(
    folder: &Path,
    found: &Found,
    id: DecisionId,
    prove: impl Fn(u64) -> Result<EntryProof, NotaryError>,
) -> Result<Packet, Error> {
    let mut bundle_seq = 0;
    let mut bundle_leaf = Vec::new();
    let (record, bundle) = read_record(found, |seq| {
        let leaf = record_leaf(folder, seq).map_err(|e| e.to_string())?;
        (bundle_seq, bundle_leaf) = (seq, leaf.ok_or_else(|| format!("the journal has no record {seq}"))?);
        bundle_in(seq, &bundle_leaf)
    })?;
    let (.., decision) = remade(&record, &bundle, id)?;
    let explanation = Explanation::of(&record, &bundle, found.seq, id)?;
    let leaf = record_leaf(folder, found.seq)?.unwrap_or_default();
    let proved = |record: u64, leaf: &[u8]| {
        let proof = prove(record)?;
        Ok::<_, Error>(ProvedRecord { record, leaf_base64: base64(leaf), proof: proof.to_string() })
    };
    Ok(Packet {
        format: PACKET_FORMAT.to_owned(),
        decision: shown(&decision)?,
        explanation: shown(&explanation)?,
        record: proved(found.seq, &leaf)?,
        bundle: proved(bundle_seq, &bundle_leaf)?,
    })
}

fn bundle_in(seq: u64, leaf: &[u8]) -> Result<Arc<crate::bundle::Bundle>, String> {
    let found = found_in_leaf(seq, leaf).ok_or_else(|| format!("the leaf of record {seq} is no record"))?;
    bundle_of(&found).map(Arc::new).map_err(|e| e.to_string())
}

/// A value as JSON has it, through its text: so that what was read and what was made can be compared.
fn shown(value: &impl Serialize) -> Result<Value, Error> {
    let text = serde_json::to_string(value);
    text.and_then(|text| serde_json::from_str(&text)).map_err(|e| Error::Record(e.to_string()))
}

impl Packet {
    /// Reads a packet.
    pub fn parse(text: &str) -> Result<Self, String> {
        let packet: Self = serde_json::from_str(text).map_err(|e| format!("it is no packet: {e}"))?;
        if packet.format != PACKET_FORMAT {
            return Err(format!("its format is `{}`, this release reads `{PACKET_FORMAT}`", packet.format));
        }
        Ok(packet)
    }

    /// Verifies everything a packet can prove by itself: that both records are in the journal whose head a key has signed, and that
    /// they make this decision and this explanation. The error says what does not hold.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<PacketVerified, String> {
        let (record_leaf, proof, key) = self.record.verify(keys).map_err(|e| format!("the record: {e}"))?;
        let (bundle_leaf, bundle_proof, _) =
            self.bundle.verify(keys).map_err(|e| format!("the bundle's record: {e}"))?;
        if proof.head != bundle_proof.head {
            return Err("its two records are proved by different tree heads".to_owned());
        }
        let id = self.decision.get("decision_id").and_then(Value::as_str).and_then(|id| id.parse::<DecisionId>().ok());
        let id = id.ok_or("its decision has no `decision_id`")?;
        let found = found_in_leaf(self.record.record, &record_leaf).ok_or("its leaf is no record")?;
        let read = Record::decode(&found.payload, |seq| {
            (seq == self.bundle.record).then(|| bundle_in(seq, &bundle_leaf).ok()).flatten()
        });
        let (record, bundle) = read.map_err(|e| format!("its record cannot be read with its bundle: {e}"))?;
        let failed = |e: Error| e.to_string();
        let (.., decision) = remade(&record, &bundle, id).map_err(failed)?;
        let explanation = Explanation::of(&record, &bundle, found.seq, id).map_err(failed)?;
        self.compare("decision", &self.decision, &shown(&decision).map_err(failed)?)?;
        self.compare("explanation", &self.explanation, &shown(&explanation).map_err(failed)?)?;
        let (record, bundle, key) = (self.record.record, self.bundle.record, key.clone());
        Ok(PacketVerified { decision: id, record, bundle, head: proof.head, key })
    }

    fn compare(&self, what: &str, said: &Value, made: &Value) -> Result<(), String> {
        let Some(at) = difference(said, made, String::new()) else { return Ok(()) };
        Err(format!("its {what} is not the one that its records make: they differ at `{at}`"))
    }
}

impl ProvedRecord {
    fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<(Vec<u8>, EntryProof, &'k VerifierKey), String> {
        let leaf = parse_base64(&self.leaf_base64).map_err(|e| format!("its leaf is {e}"))?;
        let proof: EntryProof = self.proof.parse().map_err(|e| format!("{e}"))?;
        if proof.index.checked_add(1) != Some(self.record) {
            return Err(format!("its proof is of record {}, not of {}", proof.index.saturating_add(1), self.record));
        }
        let key = proof.verify(&leaf_hash(&leaf), keys).map_err(|e| e.to_string())?;
        Ok((leaf, proof, key))
    }
}

/// Where two values differ first, as a JSON pointer; `None` if they are the same.
fn difference(one: &Value, other: &Value, at: String) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            let mut keys = keys.map(|key| (key, one.get(key), other.get(key)));
            keys.find_map(|(key, one, other)| match (one, other) {
                (Some(one), Some(other)) => difference(one, other, format!("{at}/{key}")),
                _ => Some(format!("{at}/{key}")),
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(nth, (one, other))| difference(one, other, format!("{at}/{nth}")))
        }
        _ => (one != other).then_some(if at.is_empty() { "/".to_owned() } else { at }),
    }
}
