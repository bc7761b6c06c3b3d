//! What is shown of a frame, section by section.

use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};

use super::rates::{Frame, Part, PlaybookFrame, ProviderFrame, Rates, Spread};
use super::units;
use super::view::View;

/// Rows that a list of reasons has at most.
const REASONS_MAX: usize = 5;

/// Rows that the list of playbooks has at most.
const PLAYBOOKS_MAX: usize = 8;

/// Customers that are shown.
const BUSIEST_MAX: usize = 6;

/// How wide a number is, with its unit and the space before it.
const NUMBER: usize = 8;

/// What decisions are: how many, how quick, by playbook; and whose.
pub(super) fn left(view: &View, frame: &Frame, width: usize) -> Vec<Line<'static>> {
    let mut lines = rates(view, frame, width);
    // Decisions that waited for nothing have no such stage.
    let is_gone_through = |of: &&Spread| of.per_second > 0.0 || of.name == "decision";
    lines.extend(spreads("stage", frame.stages.iter().filter(is_gone_through), width));
    lines.extend(playbooks(view, frame, width));
    lines.extend(busiest(frame, width));
    lines
}

/// How they came about, and what that takes.
pub(super) fn right(frame: &Frame, width: usize) -> Vec<Line<'static>> {
    let mut lines = parts("tiers", &frame.tiers, width);
    lines.extend(parts("fallbacks", &frame.fallbacks, width));
    if !frame.shed.is_empty() {
        lines.extend(parts("shed", &frame.shed, width));
    }
    if !frame.refused.is_empty() {
        lines.extend(parts("refused", &frame.refused, width));
    }
    lines.extend(journal(frame, width));
    lines.extend(memory(frame, width));
    lines.extend(providers(frame, width));
    lines.extend(self_check(frame, width));
    lines
}

/// A heading, with the names of the columns at the right.
fn heading(title: &str, columns: &[&str], width: usize) -> Line<'static> {
    let columns: String = columns.iter().map(|column| format!("{column:>NUMBER$}")).collect();
    let room = width.saturating_sub(columns.len());
    Line::from(format!("{:room$}{columns}", cut(title, room)))
        .style(Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD))
}

/// A row of numbers under such a heading.
fn row(name: &str, numbers: &[String], width: usize) -> Line<'static> {
    marked(&format!(" {name}"), numbers, width)
}

/// The same, with a name that brings its mark.
fn marked(name: &str, numbers: &[String], width: usize) -> Line<'static> {
    let numbers: String = numbers.iter().map(|number| format!("{number:>NUMBER$}")).collect();
    let room = width.saturating_sub(numbers.chars().count());
    Line::from(format!("{:room$}{numbers}", cut(name, room)))
}

/// A text that has at most so many characters.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain((room > 0).then_some('…')).collect()
}

fn rates(view: &View, frame: &Frame, width: usize) -> Vec<Line<'static>> {
    const NAME: usize = 10;
    const RATE: usize = 12;
    let rates = &frame.rates;
    type Of = fn(&Rates) -> f64;
    let all: [(&str, f64, Of, Color); 5] = [
        ("decisions", rates.decisions, |rates| rates.decisions, Color::Green),
        ("events", rates.events, |rates| rates.events, Color::Reset),
        ("turns", rates.turns, |rates| rates.turns, Color::Reset),
        ("shed", rates.shed, |rates| rates.shed, Color::Red),
        ("refused", rates.refused, |rates| rates.refused, Color::Yellow),
    ];
    let line = |(name, now, of, colour): (&str, f64, Of, Color)| {
        let bars = view.past.bars(width.saturating_sub(NAME + RATE + 3), of);
        let number = Span::from(format!("{:>RATE$}  ", units::rate(now)));
        let number = if now > 0.0 { number.fg(colour) } else { number };
        Line::from(vec![Span::from(format!(" {name:NAME$}")), number, Span::from(bars).fg(colour)])
    };
    [heading("rates", &[], width)].into_iter().chain(all.map(line)).collect()
}

/// Percentiles: as many as there is room for.
fn spreads<'f>(title: &str, spreads: impl Iterator<Item = &'f Spread>, width: usize) -> Vec<Line<'static>> {
    let is_wide = width >= 55;
    let columns: &[&str] = if is_wide { &["rate", "p50", "p90", "p99", "p99.9"] } else { &["p50", "p99", "p99.9"] };
    let line = |of: &Spread| row(&of.name, &numbers(of, is_wide), width);
    [heading(title, columns, width)].into_iter().chain(spreads.map(line)).collect()
}

fn numbers(of: &Spread, is_wide: bool) -> Vec<String> {
    let rate = units::short_rate(of.per_second);
    let [p50, p90, p99, p999] = [of.p50, of.p90, of.p99, of.p999].map(units::time);
    if is_wide { vec![rate, p50, p90, p99, p999] } else { vec![p50, p99, p999] }
}

/// Latency by playbook, and how the one that is looked at came to its decisions.
fn playbooks(view: &View, frame: &Frame, width: usize) -> Vec<Line<'static>> {
    let is_wide = width >= 55;
    let columns: &[&str] = if is_wide { &["rate", "p50", "p90", "p99", "budget"] } else { &["rate", "p99", "budget"] };
    let mut lines = vec![heading("playbook", columns, width)];
    let looked_at = view.playbook.min(frame.playbooks.len().saturating_sub(1));
    let first = looked_at.saturating_sub(PLAYBOOKS_MAX - 1);
    for (number, of) in frame.playbooks.iter().enumerate().skip(first).take(PLAYBOOKS_MAX) {
        let (latency, budget) = (&of.latency, units::time(of.budget_seconds));
        let rate = units::short_rate(latency.per_second);
        let [p50, p90, p99] = [latency.p50, latency.p90, latency.p99].map(units::time);
        let numbers = if is_wide { vec![rate, p50, p90, p99, budget] } else { vec![rate, p99, budget] };
        let is_looked_at = number == looked_at;
        let name = if is_looked_at { format!("▸{}", of.name) } else { format!(" {}", of.name) };
        let mut line = marked(&name, &numbers, width);
        let is_slow = latency.p99.zip(of.budget_seconds).is_some_and(|(p99, budget)| p99 > budget);
        if is_slow {
            line = line.fg(Color::Red);
        }
        lines.push(if is_looked_at { line.bold() } else { line });
    }
    if let Some(of) = frame.playbooks.get(looked_at) {
        lines.extend(playbook(of, width));
    }
    lines
}

fn playbook(of: &PlaybookFrame, width: usize) -> Vec<Line<'static>> {
    let told = |name: &str, parts: &[Part]| {
        let parts: Vec<String> =
            parts.iter().map(|part| format!("{} {}", part.name, units::share(part.share))).collect();
        let parts = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
        Line::from(cut(&format!("   {name}: {parts}"), width))
    };
    let mut lines = vec![told("tiers", &of.tiers), told("fallbacks", &of.fallbacks)];
    if of.duplicates_per_second > 0.0 {
        let duplicates = units::rate(of.duplicates_per_second);
        lines.push(Line::from(cut(&format!("   given again: {duplicates}"), width)));
    }
    lines
}

/// Shares with bars, the largest first.
fn parts(title: &str, parts: &[Part], width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![heading(title, &["rate", "share"], width)];
    if parts.is_empty() {
        lines.push(Line::from(" none").dim());
    }
    for part in parts.iter().take(REASONS_MAX) {
        lines.push(row(&part.name, &[units::short_rate(part.per_second), units::share(part.share)], width));
    }
    if let Some(more) = parts.len().checked_sub(REASONS_MAX).filter(|more| *more > 0) {
        lines.push(Line::from(format!(" … {more} more")).dim());
    }
    lines
}

fn journal(frame: &Frame, width: usize) -> Vec<Line<'static>> {
    let journal = &frame.journal;
    let commit = &journal.commit;
    let mut lines = vec![heading("journal", &["commits", "p50", "p99"], width)];
    lines.push(row(
        "commit",
        &[units::short_rate(commit.per_second), units::time(commit.p50), units::time(commit.p99)],
        width,
    ));
    let queue = match journal.queue_bytes_max {
        Some(max) => format!("{} of {}", units::bytes(journal.queue_bytes), units::bytes(max)),
        None => units::bytes(journal.queue_bytes),
    };
    let written = format!("{}, {}/s", units::rate(journal.records_per_second), units::bytes(journal.bytes_per_second));
    lines.push(pair("records synced", &written, width));
    lines.push(pair("yet to be synced", &queue, width));
    if let Some(behind) = journal.behind_checkpoint {
        lines.push(pair("records behind checkpoint", &units::count(behind), width));
    }
    if journal.disk_full {
        lines.push(Line::from(" THE DISK IS FULL").fg(Color::Red).bold());
    }
    if journal.stopped {
        lines.push(Line::from(" THE JOURNAL HAS STOPPED").fg(Color::Red).bold());
    }
    lines
}

/// A name at the left and what it has at the right.
fn pair(name: &str, value: &str, width: usize) -> Line<'static> {
    let room = width.saturating_sub(value.chars().count() + 1);
    Line::from(format!("{:room$} {value}", cut(&format!(" {name}"), room)))
}

fn memory(frame: &Frame, width: usize) -> Vec<Line<'static>> {
    let memory = &frame.memory;
    let of = |now: String, max: Option<String>| max.map_or(now.clone(), |max| format!("{now} of {max}"));
    let mut lines = vec![heading("memory", &[], width)];
    let customers = of(units::count(memory.customers), memory.customers_max.map(units::count));
    lines.push(pair("customers", &customers, width));
    let bytes = of(units::bytes(memory.bytes), memory.bytes_max.map(units::bytes));
    lines.push(pair("bytes of them", &bytes, width));
    let activated =
        format!("{} ({} from disk)", units::rate(memory.activations_per_second), units::rate(memory.cold_per_second));
    lines.push(pair("brought in", &activated, width));
    lines.push(pair("put to rest", &units::rate(memory.passivations_per_second), width));
    if let Some(waiting) = memory.turns_waiting {
        lines.push(pair("turns that wait", &units::count(waiting), width));
    }
    if let (Some(bytes), Some(processors)) = (memory.process_bytes, memory.processors) {
        lines.push(pair("program", &format!("{}, {processors:.2} processors", units::bytes(bytes)), width));
    }
    lines
}

fn providers(frame: &Frame, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if !frame.providers.is_empty() {
        lines.push(heading("provider", &["flight", "p50", "p95"], width));
    }
    for of in &frame.providers {
        let flight = format!("{}/{}", of.in_flight, of.in_flight_max);
        let name = format!("{} {}", of.name, standing(of));
        let line = row(&name, &[flight, String::new(), String::new()], width);
        let is_well = of.breaker == "closed" && !of.off;
        lines.push(if is_well { line } else { line.fg(Color::Red) });
        for model in &of.models {
            let off = if model.off { " (off)" } else { "" };
            let numbers = [String::new(), units::time(model.p50), units::time(model.p95)];
            lines.push(row(&format!(" {}{off}", model.name), &numbers, width));
        }
    }
    for budget in &frame.budgets {
        let spent = format!("{} spent, {} left", budget.spent, budget.left);
        lines.push(pair(&budget.name, &spent, width));
    }
    lines
}

fn standing(of: &ProviderFrame) -> String {
    if of.off { "switched off".to_owned() } else { format!("breaker {}", of.breaker.replace('_', " ")) }
}

fn busiest(frame: &Frame, width: usize) -> Vec<Line<'static>> {
    let Some(busiest) = &frame.busiest else { return Vec::new() };
    let mut lines = vec![heading("busiest customers", &["turns", "share"], width)];
    if busiest.is_empty() {
        lines.push(Line::from(" nobody stands out").dim());
    }
    for of in busiest.iter().take(BUSIEST_MAX) {
        lines.push(row(&of.customer, &[units::short_rate(of.turns_per_second), units::share(of.share)], width));
    }
    lines
}

fn self_check(frame: &Frame, width: usize) -> Vec<Line<'static>> {
    let check = &frame.self_check;
    if check.ways == 0 && check.failures.is_empty() {
        return Vec::new();
    }
    let oldest =
        check.oldest_success_seconds.map_or_else(|| "never".to_owned(), |age| format!("{} ago", units::age(age)));
    let told = match check.failures.len() {
        0 => pair("all well; the oldest", &oldest, width),
        failures => Line::from(format!(" {failures} failing, see above")).fg(Color::Red),
    };
    vec![heading("self-check", &[], width), told]
}
