//! `forthwith verify`: the whole journal, one decision, or a packet.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::args::Place;
use super::exit::Exit;
use super::output::{counted, grouped, say, tell};
use crate::domain::DecisionId;
use crate::engine::{Packet, keys_in, records_signed, verify_decision, verify_journal};
use crate::tlog::{SignedHead, VerifierKey, base64};

/// Options of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// Verify the record of this decision only
    #[arg(value_name = "DECISION_ID", conflicts_with_all = ["packet", "head"])]
    decision_id: Option<String>,

    /// Verify a packet instead of a data directory
    #[arg(long, value_name = "FILE", conflicts_with = "head")]
    packet: Option<PathBuf>,

    /// The key that the newest tree head must be signed with, as you were handed it: `name+id+base64`
    #[arg(long, value_name = "KEY")]
    key: Option<VerifierKey>,

    /// A signed tree head that was held outside: the journal must still begin with what it was signed over
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  forthwith verify --key \"$(cat forthwith.key.pub)\" --head head-of-may.txt
  forthwith verify 019aab01-9900-8401-9607-964e9ed70c8a
  forthwith verify --packet packet.json --key \"$(cat forthwith.key.pub)\"

Without --key the keys are believed that the data directory names itself. docs/PROOFS.md says what each proves.";

pub(super) fn run(place: &Place, args: &Verify) -> Exit {
    let data = place.data_directory();
    match &args.packet {
        Some(packet) => failed_or(of_packet(&data, packet, args.key.as_ref())),
        None if !data.is_dir() => {
            tell(format!("error: there is no data directory `{}`; name one with `--data DIR`", data.display()));
            Exit::Failed
        }
        None => failed_or(match &args.decision_id {
            Some(id) => of_decision(&data, id, args.key.as_ref()),
            None => whole(&data, args),
        }),
    }
}

fn failed_or(done: Result<Exit, String>) -> Exit {
    done.unwrap_or_else(|error| {
        tell(format!("error: {error}"));
        Exit::Failed
    })
}

fn whole(data: &Path, args: &Verify) -> Result<Exit, String> {
    let held = args.head.as_deref().map(read_head).transpose()?;
    let bar = bar(records_signed(data));
    let verified = verify_journal(data, args.key.as_ref(), held.as_ref(), &mut |read| {
        if bar.length().is_some_and(|length| length < read) {
            bar.set_length(read);
        }
        bar.set_position(read);
    });
    bar.finish_and_clear();
    for fault in &verified.faults {
        tell(format!("error: {fault}"));
    }
    let (segments, records) =
        (counted(verified.segments as usize, "segment"), counted(verified.records as usize, "record"));
    if !verified.faults.is_empty() {
        let found = counted(verified.faults.len(), "fault");
        tell(format!("`{}`: {found} in {segments}; {records} could be followed from the first on", data.display()));
        return Ok(Exit::Failed);
    }
    say(format!("`{}`: {segments}, {records}; every checksum and the chain hold", data.display()));
    for gap in &verified.gaps {
        let (first, last) = (grouped(gap.first_seq), grouped(gap.last_seq()));
        say(format!("lost to damage, and accounted for by a repair at {}: records {first} to {last}", gap.repaired_at));
    }
    if verified.unchecked > 0 {
        say(format!("kept tree heads that cannot be checked because of that: {}", grouped(verified.unchecked)));
    }
    if let Some(root) = verified.root {
        say(format!("root of the tree: {}", base64(&root)));
    }
    match &verified.newest {
        Some(newest) => {
            say(heads_line(verified.heads, verified.unchecked, newest.size));
            let behind = verified.records.saturating_sub(newest.size);
            if behind > 0 {
                say(format!("not yet under a signed head: {}", counted(behind as usize, "record")));
            }
        }
        None => _ = say("no tree head was signed yet"),
    }
    if let (Some(held), Some(path)) = (&held, &args.head) {
        say(format!(
            "the journal begins with the {} that the head in `{}` was signed over",
            counted(held.head().size as usize, "record"),
            path.display()
        ));
    }
    note_own_keys(args.key.as_ref());
    Ok(Exit::Done)
}

/// What holds of the heads that are kept.
fn heads_line(kept: u64, unchecked: u64, newest: u64) -> String {
    let (heads, newest) = (counted(kept as usize, "signed tree head"), grouped(newest));
    match kept - unchecked {
        checked if checked == kept => {
            format!("{heads}, each over what the journal begins with; the newest over {newest}")
        }
        checked => {
            let checked = grouped(checked);
            format!(
                "{checked} of {heads} over what the journal begins with, the others unchecked; the newest of all over {newest}"
            )
        }
    }
}

fn of_decision(data: &Path, id: &str, key: Option<&VerifierKey>) -> Result<Exit, String> {
    let Ok(id) = id.parse::<DecisionId>() else {
        tell(format!("error: `{id}` is not a decision id"));
        return Ok(Exit::Usage);
    };
    let Some(verified) = verify_decision(data, id, key).map_err(|e| e.to_string())? else {
        tell(format!("there is no decision {id} in `{}`", data.display()));
        return Ok(Exit::NotFound);
    };
    let head = verified.head.head();
    let (record, size) = (grouped(verified.record), grouped(head.size));
    say(format!(
        "decision {id} is record {record} of the {size} that `{}` has signed for with {}",
        head.origin, verified.key
    ));
    note_own_keys(key);
    Ok(Exit::Done)
}

fn of_packet(data: &Path, path: &Path, key: Option<&VerifierKey>) -> Result<Exit, String> {
    let in_packet = |e: String| format!("`{}`: {e}", path.display());
    let text = fs::read_to_string(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
    let packet = Packet::parse(&text).map_err(in_packet)?;
    let keys = match key {
        Some(key) => vec![key.clone()],
        None if data.is_dir() => match keys_in(data).map_err(|e| e.to_string())? {
            keys if keys.is_empty() => {
                return Err(format!(
                    "`{}` names no key that tree heads are signed with; give yours: `--key KEY`",
                    data.display()
                ));
            }
            keys => keys,
        },
        None => return Err("name the key that tree heads are signed with: `--key KEY`".to_owned()),
    };
    let verified = packet.verify(&keys).map_err(in_packet)?;
    let (head, key_used) = (verified.head.head(), &verified.key);
    let (record, bundle, size) = (grouped(verified.record), grouped(verified.bundle), grouped(head.size));
    say(format!("decision {}: record {record}, on the bundle in record {bundle}", verified.decision));
    say(format!("both are among the {size} records that `{}` has signed for with {key_used}", head.origin));
    say("decision and explanation are those that the two records make");
    note_own_keys(key);
    Ok(Exit::Done)
}

fn note_own_keys(key: Option<&VerifierKey>) {
    if key.is_none() {
        tell(
            "note: the key was taken from the data directory itself; whoever wrote that could have put another there. Give yours with `--key`",
        );
    }
}

fn read_head(path: &Path) -> Result<SignedHead, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
    text.parse().map_err(|e| format!("`{}` is no signed tree head: {e}", path.display()))
}

fn bar(records: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(records);
    if let Ok(style) = ProgressStyle::with_template("verifying {bar:40} {pos}/{len} records, {eta} left") {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_that_were_not_checked_are_not_vouched_for() {
        insta::assert_snapshot!(heads_line(3, 0, 1_040), @"3 signed tree heads, each over what the journal begins with; the newest over 1,040");
        insta::assert_snapshot!(heads_line(1_400, 2, 6_120), @"1,398 of 1,400 signed tree heads over what the journal begins with, the others unchecked; the newest of all over 6,120");
    }
}
