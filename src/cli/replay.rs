//! `forthwith replay`: every recorded turn taken again, and its bytes compared.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::args::{Followed, Place, Replay};
use super::exit::Exit;
use super::output::{counted, grouped, say, tell};
use crate::domain::CustomerId;
use crate::replay::{self, Counts, Difference, DifferenceKind, Limits, Progress, Range, Report};
use crate::time::Clock;

pub(super) fn run(place: &Place, args: &Replay) -> Exit {
    let Some(range) = args.followed.range() else { return Exit::Usage };
    let data = place.data_directory();
    if !has_data(&data) {
        return Exit::Failed;
    }
    let (clock, bar) = (Clock::system(), progress_bar());
    let start = clock.instant();
    let replayed =
        replay::replay(&data, &range, &args.followed.limits(args.shown), &mut |progress| advance(&bar, progress));
    bar.finish_and_clear();
    let report = match replayed {
        Ok(report) => report,
        Err(error) => {
            tell(format!("error: {error}"));
            return Exit::Failed;
        }
    };
    let took = clock.instant().since(start);
    say(if args.json { as_json(&report, took) } else { show(&report, took).trim_end().to_owned() });
    exit(&report, args.accept_lost)
}

/// Nobody has shown that a turn behind lost records came out as it was recorded, so that fails too, unless it is accepted.
fn exit(report: &Report, accept_lost: bool) -> Exit {
    let is_well = if accept_lost { report.is_same_as_far_as_judged() } else { report.is_same() };
    if is_well { Exit::Done } else { Exit::Failed }
}

/// Whether there is a data directory; says so if there is none.
pub(super) fn has_data(data: &Path) -> bool {
    if !data.is_dir() {
        tell(format!("error: there is no data directory `{}`; name one with `--data DIR`", data.display()));
    }
    data.is_dir()
}

impl Followed {
    /// Which records are asked for; says what is wrong with it if that cannot be.
    pub(super) fn range(&self) -> Option<Range> {
        let customer = match self.customer.as_deref().map(CustomerId::recorded).transpose() {
            Ok(customer) => customer,
            Err(error) => {
                tell(format!("error: `--customer` {error}"));
                return None;
            }
        };
        Some(Range { from: self.from, to: self.to, customer })
    }

    pub(super) fn limits(&self, shown: u32) -> Limits {
        let default = Limits::default();
        Limits {
            threads: self.threads.map_or(default.threads, usize::from),
            state_bytes: self.memory as usize * (1 << 20),
            shown: shown as usize,
        }
    }
}

/// A bar over the records; hidden where nobody watches.
pub(super) fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg}{bar:40} {pos}/{len} records, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar
}

pub(super) fn advance(bar: &ProgressBar, Progress { pass, seq, last_seq }: Progress) {
    bar.set_length(last_seq);
    bar.set_position(seq);
    if pass > 1 {
        bar.set_message(format!("pass {pass} "));
    }
}

/// What programs read: the report, and how long it took.
#[derive(Serialize)]
struct ReportShown<'a> {
    is_same: bool,
    #[serde(flatten)]
    report: &'a Report,
    seconds: f64,
    turns_per_second: u64,
}

fn as_json(report: &Report, took: Duration) -> String {
    let shown = ReportShown {
        is_same: report.is_same(),
        report,
        seconds: took.as_secs_f64(),
        turns_per_second: per_second(report.counts.turns, took),
    };
    serde_json::to_string_pretty(&shown).unwrap_or_default()
}

pub(super) fn per_second(turns: u64, took: Duration) -> u64 {
    if took.is_zero() { 0 } else { (turns as f64 / took.as_secs_f64()) as u64 }
}

/// What people read: differences first, numbers last.
fn show(report: &Report, took: Duration) -> String {
    let mut text = String::new();
    for difference in &report.differences {
        show_difference(&mut text, difference);
    }
    for unreadable in &report.unreadable {
        let _ = writeln!(text, "record {} cannot be taken again: {}", unreadable.record, unreadable.reason);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let counts = &report.counts;
    let _ = writeln!(
        text,
        "{} with {} of {} taken again, on {}: {} turns a second",
        counted(counts.turns as usize, "turn"),
        counted(counts.decisions as usize, "decision"),
        counted(counts.customers as usize, "customer"),
        counted(report.bundles as usize, "bundle"),
        grouped(per_second(counts.turns, took)),
    );
    show_notes(&mut text, report);
    show_verdict(&mut text, counts);
    text
}

fn show_difference(text: &mut String, difference: &Difference) {
    let Difference { kind, record, customer, arrival, decisions, changed } = difference;
    let why = match kind {
        DifferenceKind::Plain => "",
        DifferenceKind::AfterAnother => "; an earlier turn of the customer differs",
        DifferenceKind::AfterGap => "; not judged: records before it are lost",
    };
    let _ = writeln!(text, "record {record}, customer {customer}, {arrival}{why}");
    for decision in decisions {
        let _ = writeln!(text, "  decision {decision}");
    }
    for one in changed {
        let _ = writeln!(text, "  {}\n    recorded  {}\n    came out  {}", one.what, one.recorded, one.came_out);
    }
}

fn show_notes(text: &mut String, report: &Report) {
    let counts = &report.counts;
    let lost = report.gaps.iter().map(|gap| gap.last - gap.first + 1).sum();
    for (what, count) in [
        ("turns before the range, applied", counts.applied),
        ("turns of another version of meaning, applied and not compared", counts.other_semantics),
        ("records of inputs set aside or released, stepped over", report.set_aside),
        ("records lost to damage that was repaired", lost),
        ("further passes, for customers who did not fit into memory", report.passes.saturating_sub(1).into()),
    ] {
        if count > 0 {
            let _ = writeln!(text, "  {what:<64}{:>9}", grouped(count));
        }
    }
}

fn show_verdict(text: &mut String, counts: &Counts) {
    let Counts { different, different_after_another, different_after_gap, unreadable_records, .. } = *counts;
    let mut found = Vec::new();
    if different > 0 {
        found.push(format!("{} came out otherwise", counted(different as usize, "turn")));
    }
    if different_after_another > 0 {
        found.push(format!("{} of the same customers after that", counted(different_after_another as usize, "turn")));
    }
    if unreadable_records > 0 {
        found.push(format!("{} could not be taken again", counted(unreadable_records as usize, "record")));
    }
    if different_after_gap > 0 {
        let turns = counted(different_after_gap as usize, "turn");
        found.push(format!("{turns} behind lost records came out otherwise and cannot be judged"));
    }
    if different + different_after_another + unreadable_records == 0 {
        let every = if different_after_gap > 0 { "every other turn" } else { "every turn" };
        found.push(format!("{every} came out as it was recorded, byte for byte"));
    }
    let _ = writeln!(text, "{}", found.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Changed, Gap, Unreadable};

    fn difference(kind: DifferenceKind) -> Difference {
        let changed = |what: &str, recorded: &str, came_out: &str| Changed {
            what: what.to_owned(),
            recorded: recorded.to_owned(),
            came_out: came_out.to_owned(),
        };
        Difference {
            kind,
            record: 812,
            customer: "c-42".to_owned(),
            arrival: "2026-11-22T10:00:00Z".to_owned(),
            decisions: vec!["01a2055f-1403-87f3-b8d7-b79234ed2ba7".to_owned()],
            changed: vec![
                changed("ticket_routing.rule", "cards-declined", "(default)"),
                changed("ticket_routing.outcome.queue", "\"cards\"", "\"general\""),
            ],
        }
    }

    fn report() -> Report {
        let counts = Counts { turns: 61_190, decisions: 40_000, customers: 1_500, ..Counts::default() };
        Report { last_record: 61_195, counts, bundles: 3, set_aside: 2, passes: 1, ..Report::default() }
    }

    #[test]
    fn a_journal_that_replays_is_told_in_three_lines() {
        insta::assert_snapshot!(show(&report(), Duration::from_millis(200)));
    }

    #[test]
    fn what_differs_is_told_by_field_and_counted() {
        let mut report = report();
        report.counts = Counts {
            different: 1,
            different_after_another: 4,
            different_after_gap: 1,
            unreadable_records: 1,
            applied: 12,
            other_semantics: 7,
            ..report.counts
        };
        report.gaps = vec![Gap { first: 900, last: 915 }];
        report.passes = 2;
        report.differences = vec![
            difference(DifferenceKind::Plain),
            difference(DifferenceKind::AfterAnother),
            difference(DifferenceKind::AfterGap),
        ];
        report.unreadable = vec![Unreadable { record: 77, reason: "a record has version 9".to_owned() }];
        insta::assert_snapshot!(show(&report, Duration::from_millis(200)));
    }

    #[test]
    fn what_cannot_be_judged_is_told_and_fails_unless_it_is_accepted() {
        let mut report = report();
        report.gaps = vec![Gap { first: 900, last: 915 }];
        assert_eq!(exit(&report, false), Exit::Done, "that something is lost makes no difference by itself");
        report.counts.different_after_gap = 3_987;
        assert_eq!([exit(&report, false), exit(&report, true)], [Exit::Failed, Exit::Done]);
        insta::assert_snapshot!(show(&report, Duration::from_millis(200)), @"
        61,190 turns with 40,000 decisions of 1,500 customers taken again, on 3 bundles: 305,950 turns a second
          records of inputs set aside or released, stepped over                   2
          records lost to damage that was repaired                               16
        3,987 turns behind lost records came out otherwise and cannot be judged, every other turn came out as it was recorded, byte for byte
        ");
        report.counts.different = 1;
        assert_eq!(exit(&report, true), Exit::Failed);
    }
}
