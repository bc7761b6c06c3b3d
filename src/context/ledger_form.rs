//! The ledger on disk: what an entry shares with the one before it, or with its decision, is not written twice.

use super::StateError;
use super::ledger::{Entry, Ledger, PlaybookKey, Tally};
use super::packed::{Packer, TORN, Unpacker};
use crate::domain::{DecisionId, Timestamp};

/// The entry's event and content are those of the entry before it.
const SAME_EVENT: u64 = 1;
/// The decision's id begins with the milliseconds of the arrival, as ids do: they are left out.
const TIMED_ID: u64 = 2;
/// Above the marks stands the number of the playbook's tally, from 1; 0 for an entry without a decision.
const MARKS: u32 = 2;

/// Bits of an id below its time, but for the version and the variant, which all ids share.
const ID_HIGH: u128 = 0xFFF;
const ID_LOW: u128 = (1 << 62) - 1;
const ID_FIXED: u128 = 0x8 << 76 | 0b10 << 62;

/// Packs a ledger; times are relative to `near`.
pub(super) fn pack(ledger: &Ledger, near: Timestamp, into: &mut Packer) {
    if ledger.window.is_empty() && ledger.tallies.is_empty() {
        return;
    }
    into.number(ledger.tallies.len() as u64);
    for tally in &ledger.tallies {
        into.fixed(&tally.playbook.to_bytes());
        into.number(tally.decisions);
        into.since(tally.last.micros(), near.micros());
    }
    into.number(ledger.window.len() as u64);
    let mut before: Option<&Entry> = None;
    for entry in &ledger.window {
        let same = before.is_some_and(|before| (before.event, before.body) == (entry.event, entry.body));
        let tally = entry.decision.map_or(0, |(playbook, _)| number_of(playbook, &ledger.tallies));
        let timed = entry.decision.is_some_and(|(_, id)| untimed(id, entry.arrival).is_some());
        into.number((tally << MARKS) | (u64::from(timed) * TIMED_ID) | (u64::from(same) * SAME_EVENT));
        if !same {
            into.fixed(&entry.event.to_le_bytes());
            into.fixed(&entry.body.to_le_bytes());
        }
        into.since(entry.arrival.micros(), before.map_or(near, |before| before.arrival).micros());
        if let Some((playbook, id)) = entry.decision {
            if tally > ledger.tallies.len() as u64 {
                into.fixed(&playbook.to_bytes());
            }
            match untimed(id, entry.arrival) {
                Some(bytes) => into.fixed(&bytes),
                None => into.fixed(&id.to_u128().to_le_bytes()),
            }
        }
        before = Some(entry);
    }
}

/// The place of a playbook's tally, from 1; one beyond the last if it has none.
fn number_of(playbook: PlaybookKey, tallies: &[Tally]) -> u64 {
    let at = tallies.iter().position(|tally| tally.playbook == playbook);
    at.unwrap_or(tallies.len()) as u64 + 1
}

/// What is left of an id without its time; `None` if it is not made as ids are.
fn untimed(id: DecisionId, arrival: Timestamp) -> Option<[u8; 10]> {
    let id = id.to_u128();
    let (high, low) = (id >> 64 & ID_HIGH, id & ID_LOW);
    if timed(high, low, arrival) != id {
        return None;
    }
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&(high << 62 | low).to_le_bytes()[..10]);
    Some(bytes)
}

fn timed(high: u128, low: u128, arrival: Timestamp) -> u128 {
    let millis = arrival.micros().div_euclid(1_000).clamp(0, (1 << 48) - 1) as u128;
    millis << 80 | ID_FIXED | high << 64 | low
}

/// Reads a ledger.
pub(super) fn unpack(near: Timestamp, from: &mut Unpacker<'_>) -> Result<Ledger, StateError> {
    let mut ledger = Ledger::default();
    for _ in 0..from.count()? {
        ledger.tallies.push(Tally {
            playbook: PlaybookKey::from_bytes(from.fixed()?),
            decisions: from.number()?,
            last: Timestamp::from_micros(from.since(near.micros())?),
        });
    }
    let count = from.count()?;
    ledger.window.reserve_exact(count.min(10_000));
    for _ in 0..count {
        let head = from.number()?;
        let before = ledger.window.back();
        let (event, body) = match before.filter(|_| head & SAME_EVENT != 0) {
            Some(before) => (before.event, before.body),
            None => (u128::from_le_bytes(from.fixed()?), u64::from_le_bytes(from.fixed()?)),
        };
        let near = before.map_or(near, |before| before.arrival);
        let arrival = Timestamp::from_micros(from.since(near.micros())?);
        let decision = match usize::try_from(head >> MARKS).map_err(|_| TORN)? {
            0 => None,
            number => {
                let playbook = match ledger.tallies.get(number - 1) {
                    Some(tally) => tally.playbook,
                    None => PlaybookKey::from_bytes(from.fixed()?),
                };
                Some((playbook, unpack_id(head & TIMED_ID != 0, arrival, from)?))
            }
        };
        ledger.window.push_back(Entry { event, body, arrival, decision });
    }
    Ok(ledger)
}

fn unpack_id(is_timed: bool, arrival: Timestamp, from: &mut Unpacker<'_>) -> Result<DecisionId, StateError> {
    if !is_timed {
        return Ok(DecisionId::from_u128(u128::from_le_bytes(from.fixed()?)));
    }
    let mut bytes = [0; 16];
    bytes[..10].copy_from_slice(&from.fixed::<10>()?);
    let rest = u128::from_le_bytes(bytes);
    Ok(DecisionId::from_u128(timed(rest >> 62 & ID_HIGH, rest & ID_LOW, arrival)))
}
