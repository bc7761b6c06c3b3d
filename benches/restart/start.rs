//! One start, measured.

use std::time::{Duration, Instant};

use super::Args;
use super::premises::{Opened, Premises};
use crate::figures::time;

/// Decisions of different customers that are asked for while recovery goes on.
const ASKED: u64 = 20;

pub(crate) fn head() {
    println!(
        "| start after | open | first decision | the next {ASKED}, slowest | recovered | records | records/s | memory |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
}

/// Starts, asks for decisions, and waits until everything is recovered.
pub(crate) fn show(after: &str, premises: &Premises, args: &Args) -> Opened {
    let begun = Instant::now();
    let opened = premises.open();
    let open = begun.elapsed();
    let turn = |nth: u64| premises.turn(&opened, (nth * 7_919) % args.customers, (1 << 40) + salt() + nth);
    turn(0);
    let first = begun.elapsed();
    let slowest = (1..=ASKED).map(|nth| timed(|| drop(turn(nth)))).max().unwrap_or_default();
    while opened.customers.recovery().is_under_way() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let recovered = begun.elapsed();
    let progress = opened.customers.recovery();
    assert_eq!(progress.failure(), None);
    println!(
        "| {after} | {} | {} | {} | {} | {} | {:.0} | {} MB |",
        shown(open),
        shown(first),
        shown(slowest),
        shown(recovered),
        progress.records,
        progress.records as f64 / recovered.as_secs_f64(),
        resident_bytes() / 1_000_000,
    );
    opened
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// A number that is another at every start, so that no ticket comes twice.
fn salt() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_millis() as u64
}

fn shown(duration: Duration) -> String {
    time(duration.as_nanos() as f64)
}

/// What the process takes of the machine's memory.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1_024
}
