//! What people read.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

use std::time::Duration;

use hdrhistogram::Histogram;

use super::contest::{Entry, Subject};
use super::draw::Spread;
use crate::figures;

/// Says what is going on.
pub(crate) fn say(what: &str) {
    eprintln!("{what}");
}

/// The turn that everyone takes.
pub(crate) fn ground(state_bytes: usize, turn_nanos: f64) {
    println!("The turn alone takes {turn_nanos:.0} ns with everything at hand, on a state of {state_bytes} bytes.\n");
}

/// A table for each setting, and one of bytes.
pub(crate) fn contest(settings: &[(Spread, usize)], entries: &[Entry], state_bytes: usize) {
    for (nth, (spread, callers)) in settings.iter().enumerate() {
        println!("**{callers} callers, {}**\n", spread.name());
        println!(
            "| | customers | turns/s | of the floor's | p50 | p99 | p99.9 | processor | shed |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|"
        );
        entries.iter().for_each(|entry| row(entry, entries, nth));
        println!();
        warn(entries, nth);
    }
    println!("| | customers | bytes per customer | beyond the state |\n|---|--:|--:|--:|");
    for entry in entries.iter().filter(|entry| entry.subject != Subject::Nothing) {
        let (title, customers, bytes) = (entry.subject.title(), thousands(entry.customers), entry.bytes);
        println!("| {title} | {customers} | {bytes:.0} | {:.0} |", bytes - state_bytes as f64);
    }
    println!();
}

/// The floor never waits, so it has all processors of its callers unless somebody else has them.
const SHARE_MIN: f64 = 0.9;

/// Says so where the machine had other work: turns a second then tell who was let run, not who is quick.
fn warn(entries: &[Entry], nth: usize) {
    let busy = |entry: &&Entry| matches!(entry.subject, Subject::Nothing | Subject::Bare);
    let shares = entries.iter().filter(busy).flat_map(|entry| entry.rounds.iter().map(|round| round[nth].share()));
    let least = shares.fold(f64::MAX, f64::min);
    if least < SHARE_MIN {
        println!(
            "**Not to be used**: the machine had other work, the floor had {:.0} % of its processors. Turns/s, their ratios and \
             the tails say nothing here.\n",
            100.0 * least
        );
    }
}

fn row(entry: &Entry, entries: &[Entry], nth: usize) {
    let of =
        |subject| entries.iter().find(|other| other.subject == subject && other.rounds.len() == entry.rounds.len());
    let mut latencies = entry.rounds[0][nth].latencies.clone();
    entry.rounds[1..].iter().for_each(|round| latencies.add(&round[nth].latencies).expect("histograms of one kind"));
    let rates = |entry: &Entry| -> Vec<f64> { entry.rounds.iter().map(|round| round[nth].per_second()).collect() };
    let own = rates(entry);
    let ratio = of(Subject::Bare).filter(|_| entry.subject != Subject::Bare).map(|floor| {
        let ratios = own.iter().zip(rates(floor)).map(|(own, floor)| 100.0 * own / floor).collect();
        let (low, middle, high) = spread(ratios);
        format!("{middle:.0} % ({low:.0} to {high:.0})")
    });
    let processor =
        |entry: &Entry| -> Vec<f64> { entry.rounds.iter().map(|round| round[nth].processor_nanos()).collect() };
    let loops = of(Subject::Nothing)
        .filter(|_| entry.subject != Subject::Nothing)
        .map_or(0.0, |loops| spread(processor(loops)).1);
    let shed: u64 = entry.rounds.iter().map(|round| round[nth].shed).sum();
    println!(
        "| {} | {} | {} | {} | {} | {:.0} ns | {shed} |",
        entry.subject.title(),
        thousands(entry.customers),
        thousands(spread(own).1 as u64),
        ratio.unwrap_or_default(),
        quantiles(&latencies),
        spread(processor(entry)).1 - loops,
    );
}

/// Median and tails, as cells of a table.
pub(crate) fn quantiles(latencies: &Histogram<u64>) -> String {
    let quantile = |quantile| time(Duration::from_nanos(latencies.value_at_quantile(quantile)));
    format!("{} | {} | {}", quantile(0.5), quantile(0.99), quantile(0.999))
}

/// The smallest, the median and the largest.
pub(crate) fn spread(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[0], figures[figures.len() / 2], figures[figures.len() - 1])
}

/// A number with commas.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// A time with three figures and a unit.
pub(crate) fn time(time: Duration) -> String {
    figures::time(time.as_nanos() as f64)
}

/// A heading with a table's head.
pub(crate) fn table(title: &str, head: &[&str]) {
    println!("**{title}**\n\n| {} |\n|---|{}", head.join(" | "), "--:|".repeat(head.len() - 1));
}

/// A row of a table.
pub(crate) fn cells(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// The end of a table.
pub(crate) fn end() {
    println!();
}

/// Bytes that the program has in memory, as the system counts them.
pub(crate) fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()));
    pages.unwrap_or_default() * 4_096
}
