//! `forthwith backtest`: journaled decisions decided again under another configuration.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::args::{Backtest, Place};
use super::exit::Exit;
use super::output::{counted, grouped, say, tell, tell_faults};
use super::replay::{advance, has_data, per_second, progress_bar};
use crate::bundle::Bundle;
use crate::config::Config;
use crate::replay::{self, BacktestReport, Counted, Move, PlaybookChanges, Question};
use crate::time::Clock;

/// Moves that are listed of each kind.
const MOVES_SHOWN: usize = 12;

pub(super) fn run(place: &Place, args: &Backtest) -> Exit {
    let Some(range) = args.followed.range() else { return Exit::Usage };
    let bundle = match Config::load_bundle(&place.config) {
        Ok(bundle) => bundle,
        Err(faults) => {
            tell_faults(&faults, args.json);
            return Exit::Failed;
        }
    };
    if let Some(name) = args.playbook.as_deref().filter(|name| bundle.playbook_number(name).is_none()) {
        tell_unknown(name, &bundle);
    }
    let data = place.data_directory();
    if !has_data(&data) {
        return Exit::Failed;
    }
    let question = Question { bundle: Arc::new(bundle), range, playbook: args.playbook.clone() };
    let (clock, bar) = (Clock::system(), progress_bar());
    let start = clock.instant();
    let tested = replay::backtest(&data, &question, &args.followed.limits(0), &mut |progress| advance(&bar, progress));
    bar.finish_and_clear();
    let report = match tested {
        Ok(report) => report,
        Err(error) => {
            tell(format!("error: {error}"));
            return Exit::Failed;
        }
    };
    let took = clock.instant().since(start);
    say(if args.json { as_json(&report, took) } else { show(&report, took).trim_end().to_owned() });
    if args.fail_on_change && !report.is_unchanged() { Exit::Failed } else { Exit::Done }
}

/// A playbook may be gone from the new configuration: then none of its decisions is decided again, which is an answer too.
fn tell_unknown(name: &str, bundle: &Bundle) {
    tell(format!("note: the configuration has no playbook `{name}`{}", bundle.suggest_playbook(name)));
}

/// What programs read: the report, and how long it took.
#[derive(Serialize)]
struct ReportShown<'a> {
    is_unchanged: bool,
    #[serde(flatten)]
    report: &'a BacktestReport,
    seconds: f64,
    turns_per_second: u64,
}

fn as_json(report: &BacktestReport, took: Duration) -> String {
    let shown = ReportShown {
        is_unchanged: report.is_unchanged(),
        report,
        seconds: took.as_secs_f64(),
        turns_per_second: per_second(report.turns, took),
    };
    serde_json::to_string_pretty(&shown).unwrap_or_default()
}

/// What people read: the sum first, then by playbook.
fn show(report: &BacktestReport, took: Duration) -> String {
    let mut text = String::new();
    let bundle = report.bundle.get(..23).unwrap_or(&report.bundle);
    let _ = writeln!(
        text,
        "{} on {} decided again under {bundle}…: {} a second",
        counted(report.recorded as usize, "decision"),
        counted(report.turns as usize, "turn"),
        grouped(per_second(report.turns, took)),
    );
    if report.is_unchanged() {
        let _ = writeln!(text, "every one comes out the same");
    } else {
        let _ = write!(
            text,
            "{} come out otherwise ({}), {} with another outcome ({})",
            grouped(report.changed),
            share(report.changed, report.decided),
            grouped(report.outcome_changed),
            share(report.outcome_changed, report.decided),
        );
        if report.unreadable_records > 0 {
            let _ = write!(text, ", {} could not be read", counted(report.unreadable_records as usize, "record"));
        }
        text.push('\n');
    }
    report.playbooks.iter().for_each(|playbook| show_playbook(&mut text, playbook));
    show_reasons(&mut text, "not decided again", &report.not_decided);
    show_reasons(&mut text, "records that could not be read, in the whole history", &report.unreadable);
    show_reasons(&mut text, "left behind, in the whole history", &report.left);
    if report.void_settlements > 0 {
        let _ = writeln!(text, "\n{} found nothing to settle", counted(report.void_settlements as usize, "settlement"));
    }
    let lost: u64 = report.gaps.iter().map(|gap| gap.last - gap.first + 1).sum();
    if lost > 0 {
        let _ = writeln!(text, "\n{} are lost to damage that was repaired", counted(lost as usize, "record"));
    }
    text
}

fn show_playbook(text: &mut String, changes: &PlaybookChanges) {
    let PlaybookChanges { playbook, decided, changed, added, .. } = changes;
    let _ = writeln!(
        text,
        "\n{playbook}: {} decided again, {} come out otherwise ({})",
        grouped(*decided),
        grouped(*changed),
        share(*changed, *decided),
    );
    show_moves(text, "rule", &changes.rules, *decided);
    for field in &changes.fields {
        show_moves(text, &format!("outcome.{}", field.field), &field.moves, *decided);
    }
    show_moves(text, "fallback", &changes.fallbacks, *decided);
    show_moves(text, "tier", &changes.tiers, *decided);
    if *added > 0 {
        let _ = writeln!(text, "  {} that were not made then", counted(*added as usize, "decision"));
    }
}

fn show_moves(text: &mut String, title: &str, moves: &[Move], of: u64) {
    if moves.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {title}");
    for Move { from, to, count, examples } in moves.iter().take(MOVES_SHOWN) {
        let way = format!("{} -> {}", shortened(from), shortened(to));
        let example = examples.first().map_or_else(String::new, |example| format!("   {}", example.decision));
        let _ = writeln!(text, "    {way:<44} {:>9}  {:>7}{example}", grouped(*count), share(*count, of));
    }
    if let Some(rest) = moves.get(MOVES_SHOWN..).filter(|rest| !rest.is_empty()) {
        let count = rest.iter().map(|one| one.count).sum();
        let _ = writeln!(text, "    {:<44} {:>9}", format!("({} more)", rest.len()), grouped(count));
    }
}

fn show_reasons(text: &mut String, title: &str, reasons: &[Counted]) {
    if reasons.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for Counted { reason, count } in reasons.iter().take(MOVES_SHOWN) {
        let _ = writeln!(text, "  {:>9}  {reason}", grouped(*count));
    }
    if reasons.len() > MOVES_SHOWN {
        let _ = writeln!(text, "             and {} more reasons", reasons.len() - MOVES_SHOWN);
    }
}

fn share(count: u64, of: u64) -> String {
    format!("{:.1} %", count as f64 * 100.0 / of.max(1) as f64)
}

/// A value that fits into a line.
fn shortened(value: &str) -> String {
    const SHOWN: usize = 40;
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Example, FieldChanges};

    fn moved(from: &str, to: &str, count: u64) -> Move {
        let decision = "01a2055f-1403-87f3-b8d7-b79234ed2ba7".to_owned();
        let example = Example { record: 812, decision, customer: "c-42".to_owned() };
        Move { from: from.to_owned(), to: to.to_owned(), count, examples: vec![example] }
    }

    fn report() -> BacktestReport {
        BacktestReport {
            bundle: "sha256:ad89af70b77ef15dffffffffffffffff".to_owned(),
            last_record: 6_119,
            turns: 6_117,
            recorded: 6_036,
            decided: 6_036,
            changed: 0,
            outcome_changed: 0,
            added: 0,
            playbooks: Vec::new(),
            not_decided: Vec::new(),
            left: Vec::new(),
            unreadable_records: 0,
            unreadable: Vec::new(),
            void_settlements: 0,
            gaps: Vec::new(),
            passes: 1,
        }
    }

    #[test]
    fn a_configuration_that_changes_nothing_is_told_in_two_lines() {
        insta::assert_snapshot!(show(&report(), Duration::from_millis(50)), @"
        6,036 decisions on 6,117 turns decided again under sha256:ad89af70b77ef15d…: 122,340 a second
        every one comes out the same
        ");
    }

    #[test]
    fn what_would_change_is_told_by_rule_and_field() {
        let mut report = report();
        (report.decided, report.changed, report.outcome_changed, report.added) = (5_900, 132, 120, 4);
        let rest = (0..13).map(|nth| moved(&format!("old-{nth}"), &format!("new-{nth}"), 2));
        report.playbooks = vec![PlaybookChanges {
            playbook: "ticket_routing".to_owned(),
            decided: 5_900,
            changed: 132,
            outcome_changed: 120,
            added: 4,
            rules: [moved("cards-any", "cards-declined", 100)].into_iter().chain(rest).collect(),
            fallbacks: vec![moved("none", "cap_reached", 6)],
            tiers: Vec::new(),
            fields: vec![FieldChanges {
                field: "queue".to_owned(),
                moves: vec![moved("\"cards\"", "\"general\"", 120)],
            }],
        }];
        let reason = |reason: &str, count| Counted { reason: reason.to_owned(), count };
        report.not_decided = vec![reason("event type `order.placed` is not declared", 136)];
        report.left = vec![reason("fact `plan` is not declared", 12)];
        report.void_settlements = 1;
        insta::assert_snapshot!(show(&report, Duration::from_millis(50)));
    }

    #[test]
    fn records_that_could_not_be_read_are_no_decisions_that_come_out_the_same() {
        let mut report = report();
        (report.turns, report.recorded, report.decided, report.unreadable_records) = (0, 0, 0, 771);
        let reason = "its bundle, record 1, cannot be used: the journal has no such record".to_owned();
        report.unreadable = vec![Counted { reason, count: 771 }];
        assert!(!report.is_unchanged());
        insta::assert_snapshot!(show(&report, Duration::from_millis(50)), @"
        0 decisions on 0 turns decided again under sha256:ad89af70b77ef15d…: 0 a second
        0 come out otherwise (0.0 %), 0 with another outcome (0.0 %), 771 records could not be read

        records that could not be read, in the whole history
                771  its bundle, record 1, cannot be used: the journal has no such record
        ");
    }
}
