//! `forthwith repair`: what is damaged, what would be lost, and the repair.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::{Place, Repair as Args};
use super::exit::Exit;
use super::output::{counted, grouped, say, tell};
use super::replay::has_data;
use crate::engine::Repair;
use crate::time::Clock;

pub(super) fn run(place: &Place, args: &Args) -> Exit {
    let data = place.data_directory();
    if !has_data(&data) {
        return Exit::Failed;
    }
    let bar = progress_bar();
    let inspected = Repair::inspect(&data, &mut |segment, last| {
        bar.set_length(last);
        bar.set_position(segment - 1);
    });
    bar.finish_and_clear();
    let repair = match inspected {
        Ok(repair) => repair,
        Err(error) => {
            tell(format!("error: {error}"));
            return Exit::Failed;
        }
    };
    say(show(&repair, &data).trim_end());
    if !repair.found().is_damaged() {
        return Exit::Done;
    }
    if !args.yes && !is_wanted() {
        say("nothing was changed");
        return Exit::Damaged;
    }
    carry_out(repair)
}

fn carry_out(repair: Repair) -> Exit {
    let has_lost = !repair.found().losses.is_empty();
    match repair.carry_out(&Clock::system()) {
        Ok(repaired) => {
            for written in &repaired {
                match &written.kept {
                    Some(kept) => say(format!("written anew: {}; as it was: {}", name(&written.path), name(kept))),
                    None => say(format!("written anew: {}", name(&written.path))),
                };
            }
            say("repaired; the next start goes on from here");
            if has_lost {
                say(
                    "states in the store keep what the lost records did to them; states that are rebuilt from the journal do not",
                );
            }
            Exit::Done
        }
        Err(error) => {
            tell(format!("error: {error}"));
            Exit::Failed
        }
    }
}

/// Asks on a terminal. Nobody is asked in a pipe.
fn is_wanted() -> bool {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        tell("`--yes` repairs it without asking");
        return false;
    }
    tell("repair it? [y/N]");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// What was found, and what a repair would do about it.
fn show(repair: &Repair, data: &Path) -> String {
    let found = repair.found();
    let mut text = String::new();
    let segments = counted(found.segments as usize, "segment");
    let _ = writeln!(text, "{segments} of the journal in `{}`", data.display());
    for gap in &found.gaps {
        let (first, last) = (grouped(gap.first_seq), grouped(gap.last_seq()));
        let _ = writeln!(text, "  records {first} to {last} were lost before; repaired at {}", gap.repaired_at);
    }
    for damage in &found.damages {
        let (file, offset, record) = (name(&damage.path), grouped(damage.offset), grouped(damage.record));
        let _ = writeln!(text, "  damaged: {file} at byte {offset}, from record {record} on: {}", damage.reason);
    }
    for loss in &found.losses {
        let _ = writeln!(text, "  lost:    {}", lost(loss.first_seq, loss.records, loss.batches));
        let time = |time: Option<crate::domain::Timestamp>, none: &str| time.map_or(none.to_owned(), |t| t.to_string());
        let (after, before) = (time(loss.after, "the beginning"), time(loss.before, "the end"));
        let _ = writeln!(text, "           written between {after} and {before}");
    }
    let (kept, last) = (counted(found.kept as usize, "record"), grouped(found.last_seq));
    if found.is_damaged() {
        let _ = writeln!(text, "  stays:   {kept}, the last one {last}");
        if found.losses.is_empty() {
            let _ = writeln!(
                text,
                "no record is lost; a repair writes the damaged files anew and keeps them as they were under another name"
            );
        } else {
            let _ = writeln!(
                text,
                "a repair puts a gap in the place of what is lost, and keeps the damaged files under another name"
            );
        }
    } else {
        let _ = writeln!(text, "nothing is damaged: {kept}, the last one {last}");
    }
    text
}

fn lost(first: u64, records: u64, batches: u64) -> String {
    let batches = format!("{} {}", grouped(batches), if batches == 1 { "batch" } else { "batches" });
    match records {
        0 => format!("no record, and {batches} without one"),
        1 => format!("record {}, in {batches}", grouped(first)),
        _ => {
            format!("records {} to {}: {} in {batches}", grouped(first), grouped(first + records - 1), grouped(records))
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A bar over the segments; hidden where nobody watches.
fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("looking for damage {bar:40} {pos}/{len} segments, {eta} left") {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_told_in_words() {
        assert_eq!(lost(7, 0, 1), "no record, and 1 batch without one");
        assert_eq!(lost(1_828, 1, 1), "record 1,828, in 1 batch");
        assert_eq!(lost(1_829, 267, 1_200), "records 1,829 to 2,095: 267 in 1,200 batches");
    }
}
