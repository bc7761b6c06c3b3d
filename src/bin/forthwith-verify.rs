//! `forthwith-verify`: verifies a packet with nothing but hashes and signatures.
//!
//! A program for a third party: it uses the room `tlog` and a reader of JSON, and no other code of Forthwith. It needs no data, no
//! configuration and no network.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use forthwith::tlog::{
    EntryProof, Hash, SignedHead, VerifierKey, leaf_hash, parse_base64, parse_hash, verify_consistency,
};
use serde_json::Value;

const USAGE: &str = "\
Verifies a packet: that the records it carries are in the log whose head was signed.

Usage: forthwith-verify PACKET --key KEY [--head OLD_HEAD [--consistency FILE]]

  PACKET              a packet, as `forthwith packet` or /v1/decisions/ID/packet gives it
  --key KEY           the key of the log, as you were handed it: name+id+base64
  --head OLD_HEAD     a signed tree head that you have held, from before the packet's
  --consistency FILE  the proof that the log of the packet begins with that of OLD_HEAD, from /v1/log/consistency

Exit codes: 0 everything holds, 1 something does not, 64 the command line is wrong";

/// The first byte of the leaf of a turn, and of a bundle.
const TURN: u8 = 1;
const BUNDLE: u8 = 2;

/// What was asked for.
struct Args {
    packet: String,
    key: VerifierKey,
    head: Option<String>,
    consistency: Option<String>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        return said(&mut io::stdout(), USAGE, 0);
    }
    let args = match parse(words) {
        Ok(args) => args,
        Err(error) => return said(&mut io::stderr(), &format!("error: {error}\n\n{USAGE}"), 64),
    };
    match verify(&args) {
        Ok(report) => said(&mut io::stdout(), &report, 0),
        Err(error) => said(&mut io::stderr(), &format!("error: {error}"), 1),
    }
}

/// Whoever closed the stream does not want to read.
fn said(stream: &mut impl Write, text: &str, code: u8) -> ExitCode {
    let _ = writeln!(stream, "{text}");
    ExitCode::from(code)
}

fn parse(words: Vec<String>) -> Result<Args, String> {
    let (mut packet, mut key, mut head, mut consistency) = (None, None, None, None);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let place = match word.as_str() {
            "--key" => &mut key,
            "--head" => &mut head,
            "--consistency" => &mut consistency,
            option if option.starts_with('-') => return Err(format!("there is no option `{option}`")),
            _ if packet.is_none() => {
                packet = Some(word);
                continue;
            }
            _ => return Err(format!("`{word}` is one file too many")),
        };
        *place = Some(words.next().ok_or_else(|| format!("`{word}` needs a value"))?);
    }
    if consistency.is_some() && head.is_none() {
        return Err("`--consistency` needs the `--head` that it goes from".to_owned());
    }
    let packet = packet.ok_or("name a packet")?;
    let key = key.ok_or("name the key with `--key`")?.trim().parse().map_err(|e| format!("`--key`: {e}"))?;
    Ok(Args { packet, key, head, consistency })
}

fn verify(args: &Args) -> Result<String, String> {
    let packet: Value = read_json(&args.packet)?;
    if text(&packet, "/format")? != "forthwith packet 1" {
        return Err(format!("`{}` is no packet of format 1", args.packet));
    }
    let (leaf, proof) = proved(&packet, "/record", &args.key)?;
    let (bundle_leaf, bundle) = proved(&packet, "/bundle", &args.key)?;
    for (at, leaf, kind, is) in [("/record", &leaf, TURN, "turn"), ("/bundle", &bundle_leaf, BUNDLE, "bundle")] {
        if leaf.first() != Some(&kind) {
            return Err(format!("`{at}` of the packet is a record of the log, but not of a {is}"));
        }
    }
    if proof.head != bundle.head {
        return Err("the two records are proved by different tree heads".to_owned());
    }
    let decision = text(&packet, "/decision/decision_id")?;
    if !keys_of(&leaf).ok_or("the leaf is no record")?.contains(&id_of(decision)?) {
        return Err(format!("the record does not name decision `{decision}` among its keys"));
    }
    let head = proof.head.head();
    let mut report = format!(
        "decision {decision}\n  \
         record {} (a turn) and record {} (a bundle) are in the log `{}`,\n  \
         by the tree head over {} records, signed with {}\n  \
         the record names the decision among its keys",
        proof.index + 1,
        bundle.index + 1,
        head.origin,
        head.size,
        args.key
    );
    if let Some(old) = &args.head {
        let held = continued(old, args, &proof.head)?;
        report += &format!("\n  the log begins with the {held} records that the head in `{old}` was signed over");
    }
    report += "\nnot checked here\n  \
         that the turn was decided on this bundle, and that decision and explanation follow from the two records:\n    \
         `forthwith verify --packet FILE` makes them again\n  \
         that what was recorded is true";
    if args.head.is_none() {
        report += "\n  that others are shown the same log: compare with a head that someone else has held, by `--head`";
    }
    Ok(report)
}

/// The leaf of a record of the packet, and its proof, verified.
fn proved(packet: &Value, at: &str, key: &VerifierKey) -> Result<(Vec<u8>, EntryProof), String> {
    let failed = |e: String| format!("`{at}` of the packet: {e}");
    let leaf = parse_base64(text(packet, &format!("{at}/leaf_base64"))?).map_err(|e| failed(e.to_string()))?;
    let proof: EntryProof = text(packet, &format!("{at}/proof"))?.parse().map_err(|e| failed(format!("{e}")))?;
    proof.verify(&leaf_hash(&leaf), std::slice::from_ref(key)).map_err(|e| failed(e.to_string()))?;
    let record = packet.pointer(&format!("{at}/record")).and_then(Value::as_u64);
    if record != proof.index.checked_add(1) {
        return Err(failed(format!("its proof is of record {}", proof.index.saturating_add(1))));
    }
    Ok((leaf, proof))
}

/// Whether a log begins with what an older head was signed over; returns how many records that is.
fn continued(old: &str, args: &Args, newer: &SignedHead) -> Result<u64, String> {
    let old_text = fs::read_to_string(old).map_err(|e| format!("cannot read `{old}`: {e}"))?;
    let held: SignedHead = old_text.parse().map_err(|e| format!("`{old}` is no signed tree head: {e}"))?;
    held.verify(std::slice::from_ref(&args.key)).map_err(|e| format!("`{old}`: {e}"))?;
    let (from, to) = (held.head(), newer.head());
    let hashes = match &args.consistency {
        Some(file) => consistency(file, from.size, to.size)?,
        None if from.size == to.size => Vec::new(),
        None => {
            let (from, to) = (from.size, to.size);
            return Err(format!("name the proof with `--consistency`: GET /v1/log/consistency?from={from}&to={to}"));
        }
    };
    verify_consistency((from.size, &from.root), (to.size, &to.root), &hashes)
        .map_err(|e| format!("the log is not the one that the head in `{old}` was signed over: {e}"))?;
    Ok(from.size)
}

fn consistency(file: &str, from: u64, to: u64) -> Result<Vec<Hash>, String> {
    let proof = read_json(file)?;
    let size = |name: &str| proof.get(name).and_then(Value::as_u64);
    if (size("from"), size("to")) != (Some(from), Some(to)) {
        return Err(format!("`{file}` is no proof from {from} to {to} records"));
    }
    let hashes = proof.get("hashes").and_then(Value::as_array).ok_or_else(|| format!("`{file}` has no hashes"))?;
    let hash = |text: &Value| text.as_str().and_then(|text| parse_hash(text).ok());
    hashes.iter().map(hash).collect::<Option<_>>().ok_or_else(|| format!("`{file}` has a hash that is none"))
}

fn read_json(file: &str) -> Result<Value, String> {
    let text = fs::read_to_string(file).map_err(|e| format!("cannot read `{file}`: {e}"))?;
    serde_json::from_str(&text).map_err(|e| format!("`{file}` is not JSON: {e}"))
}

fn text<'v>(packet: &'v Value, pointer: &str) -> Result<&'v str, String> {
    packet.pointer(pointer).and_then(Value::as_str).ok_or_else(|| format!("the packet has no text `{pointer}`"))
}

/// The keys of a record's leaf: kind, partition, number of keys, a zero, then 16 bytes each, big-endian.
fn keys_of(leaf: &[u8]) -> Option<Vec<u128>> {
    let keys = leaf.get(4..4 + usize::from(*leaf.get(2)?) * 16)?;
    Some(keys.as_chunks().0.iter().map(|key| u128::from_be_bytes(*key)).collect())
}

/// The number that a decision's id writes.
fn id_of(decision: &str) -> Result<u128, String> {
    let digits: String = decision.split('-').collect();
    let number = (digits.len() == 32).then(|| u128::from_str_radix(&digits, 16).ok()).flatten();
    number.ok_or_else(|| format!("`{decision}` is not a decision id"))
}
