//! The journal has what was acknowledged, and verifies.

use std::collections::HashSet;
use std::path::Path;

use forthwith::DecisionId;
use forthwith::engine::verify_journal;
use forthwith::journal::{Kind, Reader, journal_folder};
use serde_json::json;

use super::ids::{Acknowledged, Known};
use super::sample::key;
use super::tally::Tally;
use crate::outcome::{Check, not_judged};

/// What an engine says of a decision when it is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The outcome in the same form in which the answer had it; `None` where it comes in another.
    pub(crate) outcome: Option<String>,
}

const COMPLETE: &str = "Every decision that was acknowledged is in the journal.";
const SOUND: &str =
    "The journal verifies: checksums, the chain of batches, signed heads against the tree over all records.";

/// Asks a running engine for decisions that were acknowledged, at most so many, spread over the whole run.
pub(crate) async fn asked<F>(
    acknowledged: &Acknowledged,
    asked_max: usize,
    mut ask: impl FnMut(DecisionId) -> F,
) -> anyhow::Result<Check>
where
    F: Future<Output = anyhow::Result<Option<Kept>>>,
{
    let asks = "The engine, asked for them, has the decisions that it acknowledged, with their outcomes.";
    let mut tally = Tally::new("decisions_found", asks);
    let all = &acknowledged.decisions;
    let step = all.len().div_ceil(asked_max.max(1)).max(1);
    for known in all.iter().step_by(step) {
        let kept = ask(known.decision).await?;
        let is_same = kept
            .as_ref()
            .is_some_and(|kept| kept.outcome.as_ref().is_none_or(|outcome| key(outcome.as_str()) == known.outcome));
        let found = kept.map(|kept| kept.outcome);
        tally.look(known.sequence, is_same, || {
            case(known, &json!({ "is_found": found.is_some(), "outcome": found.flatten() }))
        });
    }
    let mut remark = acknowledged.remark.clone();
    if step > 1 {
        remark = format!("{remark} Asked for one of {step}.").trim_start().to_owned();
    }
    Ok(tally.check(&remark))
}

/// Reads the journal that a stopped engine has left: every decision that was acknowledged is there, and the journal verifies, that is
/// checksums, hash chain, and every signed head against the tree over the records.
pub(crate) fn in_directory(acknowledged: &Acknowledged, data: &Path) -> anyhow::Result<[Check; 2]> {
    let mut complete = Tally::new("journal_complete", COMPLETE);
    let found = found(acknowledged, data);
    let fault = found.as_ref().err().map(|error| format!("{error:#}"));
    let found = found.unwrap_or_default();
    for known in &acknowledged.decisions {
        let is_there = found.contains(&known.decision.to_u128());
        complete.look(known.sequence, is_there, || case(known, &json!({ "journal_unreadable": fault })));
    }
    let mut sound = Tally::new("journal_verified", SOUND);
    let verified = verify_journal(data, None, None, &mut |_| {});
    let faults: Vec<String> = verified.faults.iter().map(ToString::to_string).collect();
    let gaps = verified.gaps.len();
    sound.checked = verified.records;
    if !faults.is_empty() || gaps > 0 {
        sound.broken(0, || json!({ "faults": faults, "gaps": gaps }));
        sound.violations = (faults.len() + gaps) as u64;
    }
    let remark = format!("{} records, {} signed heads.", verified.records, verified.heads);
    Ok([complete.check(&acknowledged.remark), sound.check(&remark)])
}

/// The same checks where there is no journal to read.
pub(crate) fn not_in_directory(why: &str) -> [Check; 2] {
    [("journal_complete", COMPLETE), ("journal_verified", SOUND)]
        .map(|(name, asks)| Tally::new(name, asks).check(&not_judged(why)))
}

/// Those of the acknowledged decisions that are in the journal.
fn found(acknowledged: &Acknowledged, data: &Path) -> anyhow::Result<HashSet<u128>> {
    let sought: HashSet<u128> = acknowledged.decisions.iter().map(|known| known.decision.to_u128()).collect();
    let mut found = HashSet::with_capacity(sought.len());
    let mut reader = Reader::new(&journal_folder(data), 1)?;
    while reader.next_batch(|read| {
        if read.frame.kind == Kind::Turn {
            found.extend(read.frame.keys().filter(|id| sought.contains(id)));
        }
    })? {}
    Ok(found)
}

fn case(known: &Known, found: &serde_json::Value) -> serde_json::Value {
    json!({ "decision": known.decision, "call": known.sequence, "at": known.decision.time().to_string(), "found": found })
}
