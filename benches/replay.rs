//! A full replay of a million ticket turns, beside the same turns taken live, and nothing else.
//!
//! ```sh
//! cargo bench --bench replay
//! cargo bench --bench replay -- --turns 200000 --customers 20000 --rounds 5 --folder /var/tmp
//! cargo test --bench replay                            # small: does it run?
//! ```
//!
//! The floor is [`forthwith::turn::take`] on the same inputs in the same order, typed and in memory, on the same states: no
//! journal is read, no record decoded, written or compared. Floor and replay take turns, a round each.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a bench has a clock, prints its figures and stops where it cannot go on"
)]

mod tickets;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use forthwith::bundle::Bundle;
use forthwith::context::CustomerState;
use forthwith::domain::{CustomerId, EventKey, Partition, TenantId};
use forthwith::journal::{self, Entry, Journal, Kind};
use forthwith::replay::{Limits, Range, Report, replay_journal};
use forthwith::telemetry::Registry;
use forthwith::time::Clock;
use forthwith::turn::Workspace;
use forthwith::turn::{
    EventInput, Input, Readings, RecordBuffer, Run, Surroundings, Taken, Turn, Written, encode_bundle, take,
};
use forthwith::{TimeDelta, Timestamp};

/// The allocator of the `forthwith` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is to be run.
struct Args {
    turns: usize,
    customers: usize,
    rounds: usize,
    folder: Option<PathBuf>,
}

fn main() {
    let args = Args::read();
    let bundle = tickets::bundle();
    let inputs = inputs(&bundle, &args);
    let folder = args.folder();
    let bytes = write(folder.path(), &bundle, &inputs);
    eprintln!("{} turns of {} customers are journaled, {bytes} bytes a record", args.turns, args.customers);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!(
        "| threads | live turns/s | processor | replayed turns/s | processor | of the live turns/s | of the processor |\n\
         |--:|--:|--:|--:|--:|--:|--:|"
    );
    let mut counts: Vec<usize> = vec![1, cores];
    counts.dedup();
    for threads in counts {
        let mut rounds: Vec<(Took, Took)> = Vec::new();
        for _ in 0..args.rounds {
            rounds.push((live(&bundle, &inputs, threads), replayed(folder.path(), threads, args.turns)));
        }
        row(threads, &rounds);
    }
}

/// How long a turn took: by the clock, all threads together, and of a processor.
#[derive(Clone, Copy)]
struct Took {
    wall: f64,
    processor: f64,
}

/// Times so many turns.
fn timed<T>(turns: usize, run: impl FnOnce() -> T) -> (T, Took) {
    let (start, before) = (Instant::now(), processor_seconds());
    let result = run();
    let (wall, processor) = (start.elapsed().as_secs_f64(), processor_seconds() - before);
    (result, Took { wall: wall / turns as f64, processor: processor / turns as f64 })
}

/// What all threads of the program have had of processors, in the system's ticks of 10 ms; it says what a turn costs also
/// where the machine has other work.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program stands in brackets and may hold anything.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn row(threads: usize, rounds: &[(Took, Took)]) {
    let middle = |figure: &dyn Fn(&(Took, Took)) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    println!(
        "| {threads} | {:.0} | {:.2} µs | {:.0} | {:.2} µs | {:.0} % | {:.1}x |",
        middle(&|(live, _)| 1.0 / live.wall),
        middle(&|(live, _)| 1e6 * live.processor),
        middle(&|(_, again)| 1.0 / again.wall),
        middle(&|(_, again)| 1e6 * again.processor),
        middle(&|(live, again)| 100.0 * live.wall / again.wall),
        middle(&|(live, again)| again.processor / live.processor),
    );
}

/// When a turn is taken: a hundred a second.
fn arrival(nth: usize) -> Timestamp {
    let begin: Timestamp = "2026-11-22T10:00:00Z".parse().expect("a time");
    begin.saturating_add(TimeDelta::from_micros(nth as i64 * 10_000))
}

/// The sample tickets under new ids, each of the next customer.
fn inputs(bundle: &Bundle, args: &Args) -> Vec<Input> {
    let samples = tickets::typed(bundle);
    let customers: Vec<CustomerId> =
        (0..args.customers).map(|nth| CustomerId::new(&format!("customer-{nth}")).expect("an id")).collect();
    let input = |nth: usize| {
        let mut event = samples[nth % samples.len()].clone();
        event.customer = customers[nth % customers.len()].clone();
        event.key = EventKey::new("helpdesk", &format!("t-{nth}")).expect("an id");
        event.time = None;
        Input::Event(EventInput { event, run: Run::Playbook(0), trace: None })
    };
    (0..args.turns).map(input).collect()
}

type States = HashMap<CustomerId, CustomerState>;

fn turn(states: &mut States, input: &Input, nth: usize, around: Surroundings<'_>, scratch: &mut Workspace) -> Turn {
    let customer = input.customer();
    if !states.contains_key(customer) {
        states.insert(customer.clone(), CustomerState::new(Arc::clone(around.bundle.layout())));
    }
    let state = states.get_mut(customer).expect("it was just put there");
    match take(state, input, &Readings::at(arrival(nth)), around, scratch) {
        Ok(Taken::Turn(turn)) => turn,
        other => unreachable!("a new event makes a turn, not {other:?}"),
    }
}

/// Journals a turn on each input; returns the bytes of a record.
fn write(folder: &Path, bundle: &Bundle, inputs: &[Input]) -> u64 {
    let metrics = journal::Metrics::new(&Registry::default());
    let config = journal::Config { queue_bytes: 16 << 20, ..journal::Config::default() };
    let (journal, _) = Journal::open(folder, &config, Clock::system(), metrics).expect("a new journal");
    let entry = Entry { kind: Kind::Bundle, partition: 0, keys: &[], payload: &encode_bundle(bundle) };
    let bundle_seq = journal.append(&entry).expect("room");
    let tenant = TenantId::default();
    let around = Surroundings { bundle, tenant: &tenant };
    let (mut states, mut scratch, mut buffer) = (States::new(), Workspace::default(), RecordBuffer::default());
    let mut bytes = 0;
    for (nth, input) in inputs.iter().enumerate() {
        let turn = turn(&mut states, input, nth, around, &mut scratch);
        let payload = buffer.write(Written { tenant: &tenant, bundle_seq, input, turn: &turn });
        let keys: Vec<u128> = turn.decisions.iter().map(|made| made.id.to_u128()).collect();
        let partition = Partition::of(&tenant, input.customer().as_str()).number();
        let entry = Entry { kind: Kind::Turn, partition, keys: &keys, payload };
        bytes += entry.frame_bytes() as u64;
        let seq = journal.append(&entry).expect("room");
        if journal.is_full() {
            journal.wait_synced_blocking(seq).expect("a disk that works");
        }
    }
    journal.close().expect("a disk that works");
    bytes / inputs.len() as u64
}

/// Takes the turns live: each thread has the customers of its partitions, as in a replay.
fn live(bundle: &Bundle, inputs: &[Input], threads: usize) -> Took {
    let tenant = TenantId::default();
    let around = Surroundings { bundle, tenant: &tenant };
    let of = |input: &Input| usize::from(Partition::of(&tenant, input.customer().as_str()).number()) % threads;
    let mut shares: Vec<Vec<(usize, &Input)>> = vec![Vec::new(); threads];
    inputs.iter().enumerate().for_each(|(nth, input)| shares[of(input)].push((nth, input)));
    let take_all = || {
        std::thread::scope(|scope| {
            for share in shares {
                scope.spawn(move || {
                    let (mut states, mut scratch) = (States::new(), Workspace::default());
                    for (nth, input) in share {
                        std::hint::black_box(turn(&mut states, input, nth, around, &mut scratch));
                    }
                });
            }
        });
    };
    timed(inputs.len(), take_all).1
}

/// Replays them.
fn replayed(folder: &Path, threads: usize, turns: usize) -> Took {
    let limits = Limits { threads, ..Limits::default() };
    let replay = || replay_journal(folder, &Range::default(), &limits, &mut |_| {});
    let (report, took) = timed(turns, replay);
    let report: Report = report.expect("a journal that was just written");
    assert!(report.is_same() && report.counts.turns == turns as u64, "{report:?}");
    took
}

const USAGE: &str = "options: --turns 1000000  --customers 100000  --rounds 3  --folder DIR";

impl Args {
    fn read() -> Self {
        Self::parse(&std::env::args().skip(1).collect::<Vec<_>>()).unwrap_or_else(|message| {
            eprintln!("{message}\n{USAGE}");
            std::process::exit(2);
        })
    }

    fn parse(words: &[String]) -> Result<Self, String> {
        // Cargo adds this one by itself where figures are asked for.
        let is_bench = |word: &String| word == "--bench";
        let mut args = if words.iter().any(is_bench) {
            Self { turns: 1_000_000, customers: 100_000, rounds: 3, folder: None }
        } else {
            Self { turns: 1_000, customers: 100, rounds: 1, folder: None }
        };
        let mut words = words.iter().filter(|word| !is_bench(word));
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
            args.set(word, value)?;
        }
        Ok(args)
    }

    fn set(&mut self, word: &str, value: &str) -> Result<(), String> {
        let number = || {
            let number = value.replace('_', "").parse().ok().filter(|number| *number > 0);
            number.ok_or_else(|| format!("`{value}` is not a whole number above 0"))
        };
        match word {
            "--turns" => self.turns = number()?,
            "--customers" => self.customers = number()?,
            "--rounds" => self.rounds = number()?,
            "--folder" => self.folder = Some(value.into()),
            _ => return Err(format!("unknown option `{word}`")),
        }
        Ok(())
    }

    /// A folder for a journal that vanishes.
    fn folder(&self) -> tempfile::TempDir {
        let mut builder = tempfile::Builder::new();
        builder.prefix("forthwith-bench-");
        let made = self.folder.as_ref().map_or_else(|| builder.tempdir(), |parent| builder.tempdir_in(parent));
        made.expect("a folder for the journal")
    }
}
