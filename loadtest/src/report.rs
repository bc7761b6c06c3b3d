//! What people read: a table on standard output, progress and complaints on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::floors::closed_loop::Measured;

/// A subject over all rounds.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    rounds: Vec<Measured>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), rounds: Vec::new() }
    }

    pub(crate) fn push(&mut self, measured: Measured) {
        self.rounds.push(measured);
    }

    fn total(&self) -> anyhow::Result<Measured> {
        let mut total = Measured::none()?;
        for round in &self.rounds {
            total.add(round)?;
            total.elapsed += round.elapsed;
        }
        Ok(total)
    }
}

/// Prints a table; the first row is the floor that the others are compared with, round by round.
pub(crate) fn table(title: &str, rows: &[Row]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\n{title}\n")?;
    writeln!(
        out,
        "| | calls/s | p50 us | p99 us | p99.9 us | max us | of the floor's calls/s | of its p99 | shed or pending |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    for row in rows.iter().filter(|row| !row.rounds.is_empty()) {
        let total = row.total()?;
        let micros = |quantile| micros(total.latencies.value_at_quantile(quantile));
        let (rate, p99) = match rows.first() {
            Some(floor) if !std::ptr::eq(floor, row) => (
                ratio(row, floor, Measured::per_second, "%", 100.0),
                ratio(row, floor, |m| m.latencies.value_at_quantile(0.99) as f64, "x", 1.0),
            ),
            _ => ("".to_owned(), "".to_owned()),
        };
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {rate} | {p99} | {} |",
            row.name,
            thousands(total.per_second() as u64),
            micros(0.5),
            micros(0.99),
            micros(0.999),
            micros(1.0),
            thousands(total.short),
        )?;
    }
    Ok(())
}

/// The ratio of the totals, with the range over the rounds.
fn ratio(row: &Row, floor: &Row, of: impl Fn(&Measured) -> f64, unit: &str, scale: f64) -> String {
    let mut ratios: Vec<f64> = row
        .rounds
        .iter()
        .zip(&floor.rounds)
        .map(|(row, floor)| scale * of(row) / of(floor).max(f64::MIN_POSITIVE))
        .collect();
    ratios.sort_by(f64::total_cmp);
    let (Some(low), Some(high)) = (ratios.first(), ratios.last()) else { return String::new() };
    let middle = ratios[ratios.len() / 2];
    let digits = if unit == "%" { 0 } else { 1 };
    format!("{middle:.digits$}{unit} ({low:.digits$} to {high:.digits$})")
}

/// Prints a table of these columns; the first is a name, the others are numbers.
pub(crate) fn markdown(
    title: &str,
    columns: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\n{title}\n\n| {} |", columns.join(" | "))?;
    writeln!(out, "|---|{}", "--:|".repeat(columns.len().saturating_sub(1)))?;
    for row in rows {
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

/// Prints what was measured for programs: one JSON object.
pub(crate) fn object(measured: &serde_json::Value) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{measured:#}")?;
    Ok(())
}

/// Nanoseconds as microseconds.
pub(crate) fn micros(nanos: u64) -> String {
    let micros = nanos as f64 / 1_000.0;
    if micros < 100.0 { format!("{micros:.2}") } else { thousands(micros as u64) }
}

/// A number with commas.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A line of what is being done.
pub(crate) fn say(quiet: bool, line: &str) {
    if !quiet {
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// A bar of how far it has come; nothing unless a person is watching.
pub(crate) fn bar(quiet: bool, what: &str, length: u64) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Why the run ended.
pub(crate) fn failed(error: &anyhow::Error) {
    let _ = writeln!(io::stderr(), "error: {error:#}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!([0, 999, 1_000, 12_345, 1_234_567].map(thousands).join(" "), "0 999 1,000 12,345 1,234,567");
    }
}
