//! Everything on the page that is not a chart.

use std::fmt::Write;

use super::markup::Escaped;
use crate::outcome::{Outcome, Run};
use crate::reports::figure::{FIGURES, Figure, Range};
use crate::reports::tables::{self, Column, Table};
use crate::reports::terminal::machine;
use crate::reports::units;
use crate::reports::verdict::{Verdict, promises};

/// What is told in large figures at the top.
const CARDS: [&str; 10] = [
    "goodput",
    "latency p50",
    "latency p99",
    "latency p99.9",
    "latency max",
    "late",
    "shed",
    "failed",
    "CPU a decision",
    "memory, most",
];

/// The title and the verdict.
pub(super) fn head(page: &mut String, outcome: &Outcome) {
    let verdict = Verdict::of(outcome);
    let (class, word) = if verdict.has_passed { ("passed", "Passed") } else { ("failed", "Failed") };
    let why = verdict.line.split_once(": ").map_or(verdict.line.as_str(), |(_, why)| why);
    let _ = write!(
        page,
        "<header>\n<p class=\"kind\">Load report</p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n<p class=\"meta\">{} · {}</p>\n</header>\n\
         <section class=\"verdict {class}\" aria-label=\"Verdict\">\n<p><strong>{word}</strong> <span>{}</span></p>\n",
        Escaped(&outcome.scenario),
        Escaped(&outcome.description),
        Escaped(&units::instant(&outcome.began)),
        Escaped(&machine(&outcome.machine)),
        Escaped(&upper_first(why)),
    );
    list(page, "reasons", &verdict.reasons);
    list(page, "doubts", &verdict.doubts);
    page.push_str("</section>\n");
}

fn list(page: &mut String, class: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(page, "<ul class=\"{class}\">");
    for line in lines {
        let _ = writeln!(page, "<li>{}</li>", Escaped(&upper_first(line)));
    }
    page.push_str("</ul>\n");
}

fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The figures that are looked for first.
pub(super) fn cards(page: &mut String, outcome: &Outcome) {
    page.push_str("<section class=\"cards\" aria-label=\"Figures\">\n");
    for name in CARDS {
        let Some(figure) = FIGURES.iter().find(|figure| figure.name == name) else { continue };
        let Some(range) = Range::over(outcome, figure.of) else { continue };
        let (low, high) = (figure.unit.write(range.low), figure.unit.write(range.high));
        let under = match promised(outcome, figure) {
            _ if low != high => format!("{low} to {high}"),
            Some(promise) => promise,
            None => String::new(),
        };
        let median = figure.unit.write(range.median);
        let (number, unit) = median.split_once([' ', '/']).unwrap_or((&median, ""));
        let slash = if median.contains('/') { "/" } else { "" };
        let _ = writeln!(
            page,
            "<div class=\"card\"><p class=\"what\">{}</p><p class=\"much\">{} <small>{slash}{}</small></p><p class=\"under\">{}</p></div>",
            Escaped(&upper_first(figure.name)),
            Escaped(number),
            Escaped(unit),
            Escaped(&under),
        );
    }
    page.push_str("</section>\n");
}

fn promised(outcome: &Outcome, figure: &Figure) -> Option<String> {
    let slo = outcome.slo?;
    match figure.name {
        "latency p99" => slo.p99_us.map(|us| format!("promised ≤ {}", units::micros(us))),
        "late" => slo.late_share.map(|share| format!("promised ≤ {}", units::share(share))),
        _ => None,
    }
}

/// Whose charts follow.
pub(super) fn which_run(page: &mut String, outcome: &Outcome, nth: usize) {
    let runs = outcome.runs.len();
    if runs < 2 {
        return;
    }
    let why = if outcome.has_passed() { "whose p99 is the middle one" } else { "the first that failed" };
    let _ = writeln!(
        page,
        "<p class=\"which\">Figures are medians over {runs} runs, with the range below. Charts over time are of run {}, {why}.</p>",
        nth + 1
    );
}

/// What came of each phase of the run that is drawn.
pub(super) fn phases(page: &mut String, run: &Run) {
    let Some(phases) = tables::phases(run) else { return };
    page.push_str("<section>\n<h2>Phases</h2>\n");
    table(page, &phases);
    page.push_str("</section>\n");
}

/// What was done to the engine in the run that is drawn, with the numbers of the marks.
pub(super) fn happened(page: &mut String, run: &Run) {
    if run.happened.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>What happened</h2>\n<ol class=\"happened\">\n");
    for happened in &run.happened {
        let _ = writeln!(
            page,
            "<li><strong>{}</strong> at {:.1} s, took {}: {}</li>",
            Escaped(&happened.what),
            happened.at_s,
            units::seconds(happened.took_s),
            Escaped(&happened.said)
        );
    }
    page.push_str("</ol>\n</section>\n");
}

pub(super) fn ladder(page: &mut String, outcome: &Outcome) {
    page.push_str("<section class=\"half\">\n<h2>Percentiles</h2>\n");
    table(page, &tables::ladder(outcome));
    page.push_str("</section>\n");
}

/// Calls, and why they went as they did.
pub(super) fn calls(page: &mut String, outcome: &Outcome) {
    page.push_str("<section>\n<h2>Calls</h2>\n");
    table(page, &tables::calls(outcome));
    page.push_str("<div class=\"beside\">\n");
    tables::reasons(outcome).iter().for_each(|reasons| table(page, reasons));
    page.push_str("</div>\n</section>\n");
}

pub(super) fn checks(page: &mut String, outcome: &Outcome) {
    page.push_str("<section>\n<h2>Checks</h2>\n");
    match tables::checks(outcome) {
        None => page.push_str("<p>Nothing was checked.</p>\n"),
        Some(checks) => {
            table_with(page, &checks, |row| {
                if row.last().is_some_and(|violated| violated != "never") { " class=\"bad\"" } else { "" }
            });
        }
    }
    for (title, case) in tables::first_cases(outcome) {
        let _ = write!(
            page,
            "<div class=\"case\">\n<h3>{}</h3>\n<pre><code>{}</code></pre>\n</div>\n",
            Escaped(&title),
            Escaped(&case)
        );
    }
    page.push_str("</section>\n");
}

/// Every run in a row, and all that happened in any.
pub(super) fn runs(page: &mut String, outcome: &Outcome) {
    let Some(runs) = tables::runs(outcome) else { return };
    page.push_str("<section>\n<h2>Runs</h2>\n");
    table(page, &runs);
    tables::happened(outcome.runs.iter().enumerate()).iter().for_each(|happened| table(page, happened));
    page.push_str("</section>\n");
}

/// The engine and the driver on the machine.
pub(super) fn engine(page: &mut String, outcome: &Outcome) {
    page.push_str("<section>\n<h2>Engine and driver</h2>\n");
    tables::engine(outcome).iter().for_each(|engine| table(page, engine));
    table(page, &tables::driver(outcome));
    page.push_str("</section>\n");
}

/// What was run, where, and how to run it again.
pub(super) fn setting(page: &mut String, outcome: &Outcome) {
    page.push_str("<section class=\"setting\">\n<h2>Setting</h2>\n<div class=\"beside\">\n<dl>\n");
    for (name, value) in &outcome.settings {
        entry(page, name, value);
    }
    page.push_str("</dl>\n<dl>\n");
    let here = &outcome.machine;
    let promised = promises(outcome);
    entry(page, "promised", &if promised.is_empty() { "nothing".to_owned() } else { promised.join(", ") });
    let whose = if here.is_drivers { "driver's " } else { "" };
    entry(page, &format!("{whose}processor"), &format!("{} x {}", here.processors, here.model));
    entry(page, &format!("{whose}memory"), &units::bytes(here.memory_bytes as f64));
    entry(page, &format!("{whose}system"), &here.system);
    let build = if here.is_optimized { "release" } else { "not optimized" };
    let name = if here.is_drivers { "driver" } else { "engine" };
    entry(page, name, &format!("forthwith {} ({build})", here.version));
    entry(page, "began", &units::instant(&outcome.began));
    let _ = write!(
        page,
        "</dl>\n</div>\n<h3>To run it again</h3>\n<pre class=\"command\"><code>{}</code></pre>\n</section>\n",
        Escaped(&command(&outcome.command))
    );
}

fn entry(page: &mut String, name: &str, value: &str) {
    let _ = writeln!(page, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(name), Escaped(value));
}

/// A command line that a shell takes as it was.
fn command(words: &[String]) -> String {
    let is_plain =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c));
    let quoted =
        |word: &String| if is_plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// A table as on the terminal; what it is of is the head of its first column.
fn table(page: &mut String, table: &Table) {
    table_with(page, table, |_| "");
}

/// A table whose rows may have a class of their own.
fn table_with(page: &mut String, table: &Table, class_of: impl Fn(&[String]) -> &'static str) {
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for column in &table.columns {
        let class = class(column);
        let _ = write!(page, "<th scope=\"col\"{class}>{}</th>", Escaped(&upper_first(column.name())));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        let _ = write!(page, "<tr{}>", class_of(row));
        for (nth, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
            let class = class(column);
            let _ = match nth {
                0 => write!(page, "<th scope=\"row\">{}</th>", Escaped(cell)),
                _ => write!(page, "<td{class}>{}</td>", Escaped(cell)),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table></div>\n");
    if let Some(note) = &table.note {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", Escaped(note));
    }
}

fn class(column: &Column) -> &'static str {
    match column {
        Column::Words(_) => "",
        Column::Number(_) => " class=\"n\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_the_command_as_it_was() {
        let words = ["forthwith-load", "run", "--note", "it's <mine>", ""].map(str::to_owned);
        assert_eq!(command(&words), r"forthwith-load run --note 'it'\''s <mine>' ''");
    }
}
