//! Turns that wait for the disk: the journal and the floor take turns, a round each.
//!
//! | file | noun |
//! |---|---|
//! | `args` | what is to be run |
//! | `drive` | callers that append and wait, and their clock |
//! | `floor` | the bare group commit |
//! | `records` | what is written |

mod args;
mod drive;
mod floor;
mod records;

use forthwith::journal::{self, Entry, Journal, Kind};
use forthwith::telemetry::Registry;
use forthwith::time::Clock;

use crate::figures::time;
use drive::{Seen, Write, drive};
use floor::Floor;
use records::{Recorded, records};

pub(crate) use args::Args;

/// The journal's side of a round.
struct Ours {
    journal: Journal,
    records: &'static [Recorded],
    /// Which record comes next.
    next: usize,
}

impl Write for Ours {
    async fn write(&mut self) {
        let Recorded { key, payload } = &self.records[self.next % self.records.len()];
        self.next += 1;
        let keys = [*key];
        let entry = Entry { kind: Kind::Turn, partition: (self.next % 64) as u8, keys: &keys, payload };
        let seq = self.journal.append(&entry).expect("the journal takes records");
        if let Some(synced) = self.journal.wait_synced(seq) {
            synced.await.expect("the journal answers").expect("the disk works");
        }
    }
}

/// Asks how many, and prints the answers.
pub(crate) fn run(args: &Args) {
    let records: &'static [Recorded] = Box::leak(records().into_boxed_slice());
    let bytes: usize = records.iter().map(Recorded::frame_bytes).sum::<usize>() / records.len();
    println!(
        "\n**Records that wait for the disk: {bytes} bytes each, {} rounds of {} s**\n",
        args.rounds, args.seconds
    );
    println!("| waiting | | commits/s | p50 | p99 | p99.9 | records a sync | of the floor's commits/s | of its p99 |");
    println!("|--:|---|--:|--:|--:|--:|--:|--:|--:|");
    for waiting in &args.waiting {
        rounds(*waiting, records, args);
    }
}

fn rounds(waiting: usize, records: &'static [Recorded], args: &Args) {
    let folder = tempfile::tempdir_in(&args.folder).expect("a folder for the journal");
    let floor = Floor::start(folder.path());
    let registry = Registry::default();
    let metrics = journal::Metrics::new(&registry);
    let config = journal::Config { compress: args.is_sealing, ..journal::Config::default() };
    let (journal, _) =
        Journal::open(&folder.path().join("journal"), &config, Clock::system(), metrics).expect("a new journal");
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 0..args.rounds {
        let before = floor.syncs();
        let seen = drive(waiting, args.seconds, |nth| floor.writer(records, nth * 31 + round));
        bare.push(Round { syncs: floor.syncs() - before, seen });
        let before = commits(&registry);
        let writer = |nth: usize| Ours { journal: journal.clone(), records, next: nth * 31 + round };
        let seen = drive(waiting, args.seconds, writer);
        ours.push(Round { syncs: commits(&registry) - before, seen });
    }
    journal.close().expect("the disk works");
    let rate = ratios(&ours, &bare, |round| round.seen.per_second());
    let tail = ratios(&ours, &bare, |round| round.seen.percentile(99.0));
    print_row(waiting, "floor", &bare, "", "");
    print_row(waiting, "journal", &ours, &rate, &tail);
}

/// A round of one side.
struct Round {
    syncs: u64,
    seen: Seen,
}

fn commits(registry: &Registry) -> u64 {
    let page = registry.render();
    let line = page.lines().find_map(|line| line.strip_prefix("forthwith_journal_commits_total "));
    line.expect("the journal counts its commits").parse().expect("a count")
}

/// The median of the rounds' ratios, with the smallest and the largest.
fn ratios(ours: &[Round], bare: &[Round], of: impl Fn(&Round) -> f64) -> String {
    let mut ratios: Vec<f64> = ours.iter().zip(bare).map(|(ours, bare)| of(ours) / of(bare)).collect();
    ratios.sort_by(f64::total_cmp);
    format!("{:.2} ({:.2} .. {:.2})", ratios[ratios.len() / 2], ratios[0], ratios[ratios.len() - 1])
}

fn print_row(waiting: usize, name: &str, rounds: &[Round], rate: &str, tail: &str) {
    let syncs: u64 = rounds.iter().map(|round| round.syncs).sum();
    let all = Seen::merged(rounds.iter().map(|round| &round.seen));
    let [p50, p99, p999] = [50.0, 99.0, 99.9].map(|percent| time(all.percentile(percent)));
    let gathered = all.written as f64 / syncs.max(1) as f64;
    println!(
        "| {waiting} | {name} | {:.0} | {p50} | {p99} | {p999} | {gathered:.1} | {rate} | {tail} |",
        all.per_second()
    );
}
