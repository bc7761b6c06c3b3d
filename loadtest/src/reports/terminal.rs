//! The report at the end of a run, in Markdown that can be pasted into a document.

use std::fmt::Arguments;

use super::figure::typical;
use super::tables::{self, Column, Table};
use super::units;
use super::verdict::{Verdict, promises};
use crate::outcome::{Machine, Outcome};

/// The report of all runs: medians over them, with the range where they differ.
pub(crate) fn terminal(outcome: &Outcome) -> String {
    let mut text = String::new();
    head(&mut text, outcome);
    if outcome.runs.is_empty() {
        return text;
    }
    markdown(&mut text, &tables::calls(outcome));
    markdown(&mut text, &tables::ladder(outcome));
    if let Some((nth, run)) = typical(outcome)
        && let Some(phases) = tables::phases(run)
    {
        if outcome.runs.len() > 1 {
            push(&mut text, format_args!("\nPhases of run {}:", nth + 1));
        }
        markdown(&mut text, &phases);
    }
    tables::reasons(outcome).iter().for_each(|table| markdown(&mut text, table));
    tables::engine(outcome).iter().for_each(|table| markdown(&mut text, table));
    markdown(&mut text, &tables::driver(outcome));
    tables::happened(outcome.runs.iter().enumerate()).iter().for_each(|table| markdown(&mut text, table));
    match tables::checks(outcome) {
        Some(table) => markdown(&mut text, &table),
        None => push(&mut text, format_args!("\nNothing was checked.")),
    }
    for (title, case) in tables::first_cases(outcome) {
        push(&mut text, format_args!("\n{title}:\n\n```json\n{case}\n```"));
    }
    text
}

fn head(text: &mut String, outcome: &Outcome) {
    let verdict = Verdict::of(outcome);
    push(text, format_args!("**{}** {}\n", outcome.scenario, verdict.line));
    for reason in &verdict.reasons {
        push(text, format_args!("- {}", cut(reason)));
    }
    for doubt in &verdict.doubts {
        push(text, format_args!("- warning: {doubt}"));
    }
    if !verdict.reasons.is_empty() || !verdict.doubts.is_empty() {
        push(text, format_args!(""));
    }
    if !outcome.description.is_empty() {
        push(text, format_args!("{}\n", outcome.description));
    }
    let promised = promises(outcome);
    let promised = if promised.is_empty() { "nothing".to_owned() } else { promised.join(", ") };
    push(
        text,
        format_args!("Promised: {promised}. Began {}. {}.", units::instant(&outcome.began), machine(&outcome.machine)),
    );
    if outcome.runs.len() > 1 {
        let runs = outcome.runs.len();
        push(text, format_args!("Figures are medians over {runs} runs, with the range in brackets where they differ."));
    }
}

/// Where it ran, in a line.
pub(super) fn machine(machine: &Machine) -> String {
    let whose = if machine.is_drivers { "Of the driver only, for the engine ran already: " } else { "" };
    format!(
        "{whose}{} x {}, {}, {}, forthwith {} ({})",
        machine.processors,
        machine.model,
        units::bytes(machine.memory_bytes as f64),
        machine.system,
        machine.version,
        if machine.is_optimized { "release" } else { "not optimized" },
    )
}

/// A table after an empty line.
pub(super) fn markdown(text: &mut String, table: &Table) {
    let names: Vec<&str> = table.columns.iter().map(Column::name).collect();
    let rules = table.columns.iter().map(|column| match column {
        Column::Words(_) => "---|",
        Column::Number(_) => "--:|",
    });
    push(text, format_args!("\n| {} |\n|{}", names.join(" | "), rules.collect::<String>()));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
        push(text, format_args!("| {} |", cells.join(" | ")));
    }
    if let Some(note) = &table.note {
        push(text, format_args!("\n{}", note.replacen('*', "\\*", 1)));
    }
}

/// Characters of a cell, or of a line that is not a first case: what an engine says may be of any length.
const CHARACTERS_MAX: usize = 500;

/// Without what would end a cell.
fn plain(cell: &str) -> String {
    cut(cell).replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// The beginning of a text that somebody else may have written.
fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Adds lines. What would move the cursor or change colours is written out: engines say what they like, and a terminal obeys.
pub(super) fn push(text: &mut String, line: Arguments<'_>) {
    for character in line.to_string().chars() {
        match character {
            '\n' | '\t' => text.push(character),
            control if control.is_control() => text.extend(control.escape_default()),
            other => text.push(other),
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::sample;

    #[test]
    fn the_report_of_several_runs_has_medians_and_ranges() {
        insta::assert_snapshot!(terminal(&sample::outcome(3)));
    }

    #[test]
    fn the_report_of_a_run_that_failed_says_so_first_and_shows_the_case() {
        let mut outcome = sample::outcome(1);
        assert!(!terminal(&outcome).contains("Of the driver only"));
        outcome.machine.is_drivers = true;
        assert!(terminal(&outcome).contains("Of the driver only, for the engine ran already: "));
        sample::violate(&mut outcome);
        let text = terminal(&outcome);
        assert!(
            text.starts_with("**ticket_routing** failed: violated 1 check\n\n- check `in_time` was violated 2 times"),
            "{text}"
        );
        assert!(text.contains("First violation of `in_time`, run 1:\n\n```json\n{\n  \"deadline_ms\": 50,"), "{text}");
    }

    #[test]
    fn nothing_breaks_a_table_and_no_runs_are_no_report() {
        let mut outcome = sample::outcome(1);
        outcome.runs[0].shed = [("a|b\nc".to_owned(), 1)].into();
        assert!(terminal(&outcome).contains("| a\\|b c | 1 |"));
        // Nor does what an engine says reach the terminal as more than text.
        outcome.runs[0].shed = [("\u{1b}]0;owned\u{7}".to_owned(), 1)].into();
        outcome.runs[0].missed = vec![format!("the first call that failed: \u{9b}31m{}", "x".repeat(1 << 20))];
        let text = terminal(&outcome);
        assert!(text.contains("\\u{1b}]0;owned\\u{7}") && text.contains("\\u{9b}31mxxx"), "{text}");
        assert!(text.len() < 10_000 && !text.contains(['\u{1b}', '\u{9b}', '\u{7}']));
        outcome.runs.clear();
        assert!(terminal(&outcome).starts_with("**ticket_routing** failed: nothing was run\n"));
    }

    #[test]
    fn phases_are_told_apart_where_several_count() {
        let mut outcome = sample::outcome(1);
        assert!(!terminal(&outcome).contains("| phase |"));
        let run = &mut outcome.runs[0];
        let mut burst = run.phases[1].clone();
        (burst.name, burst.from_s, run.phases[1].to_s) = ("burst".to_owned(), 20.0, 20.0);
        run.phases.push(burst);
        let text = terminal(&outcome);
        let rows: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("| phase |")).take(5).collect();
        assert!(
            rows[2].starts_with("| warm-up (not counted) | 0 s | 5 s | 2,000/s | 2,000/s | 0/s | 0/s | 0/s | "),
            "{rows:?}"
        );
        assert!(
            rows[4].starts_with("| burst | 20 s | 35 s | 2,000/s | 1,997/s | 0.20/s | 2.67/s | 0.07/s | "),
            "{rows:?}"
        );
    }
}
