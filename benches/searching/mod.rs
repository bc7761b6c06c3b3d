//! A journal of decisions that are made up, and searches of it.
//!
//! | file | noun |
//! |---|---|
//! | `args` | what is to be run |
//! | `decisions` | what is decided, and its terms |
//! | `questions` | what is searched for |

mod args;
mod decisions;
mod questions;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forthwith::journal::{self, Bounds, Entry, Found, Journal, Kind, TermIndex};
use forthwith::telemetry::Registry;
use forthwith::time::Clock;

use crate::figures::time;
pub(crate) use args::Args;
use decisions::{Decided, MadeUp};
use questions::{QUESTIONS, Question};

/// Decisions of a page.
const PAGE: usize = 20;

/// Bytes that a segment takes for its records.
const RECORD_BYTES: u64 = 20;

/// Fills a journal, and asks.
pub(crate) fn run(args: &Args) {
    if let Some(asked) = &args.asked {
        return println!("{}", ask_beside(asked, args).as_nanos());
    }
    let folder = tempfile::tempdir_in(&args.folder).expect("a temporary folder");
    let begun = Instant::now();
    fill(folder.path(), args);
    eprintln!("{} decisions written and indexed in {:.0?}", args.decisions, begun.elapsed());
    let journal = open(folder.path(), args);
    sizes(folder.path(), args.decisions);
    println!("\n| searched for | found | warm p50 | p99 | worst | a fresh process, nothing cached |");
    println!("|---|--:|--:|--:|--:|--:|");
    for question in QUESTIONS {
        let (mut took, mut found) = (Vec::new(), 0);
        for round in 0..args.rounds {
            let (pages, time) =
                ask(|sought, hear| journal.search(sought, Bounds::default(), hear), question, round, args);
            found = found.max(pages);
            took.push(time);
        }
        took.sort_unstable();
        let at = |share: f64| time(took[((took.len() - 1) as f64 * share) as usize].as_nanos() as f64);
        let cold = (0..args.cold).map(|round| ask_cold(folder.path(), question, round, args)).max();
        let cold = cold.map_or_else(|| "-".to_owned(), |cold| time(cold.as_nanos() as f64));
        println!("| {} | {found} | {} | {} | {} | {cold} |", question.name, at(0.5), at(0.99), at(1.0));
    }
}

fn open(folder: &Path, args: &Args) -> Journal {
    let pages = (args.segment_records * (RECORD_BYTES + 1)).div_ceil(4_096) + 1;
    let config = journal::Config { segment_bytes: pages * 4_096, ..journal::Config::default() };
    let metrics = journal::Metrics::new(&Registry::default());
    let (journal, _) = Journal::open(folder, &config, Clock::system(), metrics).expect("the journal opens");
    journal.describe_with(Arc::new(MadeUp { decisions: args.decisions })).expect("the journal is described");
    journal
}

/// Writes the decisions and waits until the index has them.
fn fill(folder: &Path, args: &Args) {
    let journal = open(folder, args);
    let mut last = 0;
    for number in 0..args.decisions {
        let payload = number.to_le_bytes();
        let entry = Entry { kind: Kind::Turn, partition: (number % 64) as u8, keys: &[], payload: &payload };
        last = journal.append(&entry).expect("the journal takes records");
        if journal.is_full() {
            journal.wait_synced_blocking(last).expect("the disk works");
        }
    }
    journal.wait_synced_blocking(last).expect("the disk works");
    journal.close().expect("the journal ends");
    drop(journal);
    // What is not there yet is made at a start.
    let journal = open(folder, args);
    let full = journal.segments().expect("the segments are there").len() - 1;
    while count(folder, "terms") < full || count(folder, "filter") < full / 64 {
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn count(folder: &Path, ending: &str) -> usize {
    files(folder, ending).count()
}

fn files(folder: &Path, ending: &str) -> impl Iterator<Item = std::path::PathBuf> {
    let all = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    all.filter(move |path| path.extension().is_some_and(|of| of.to_string_lossy() == ending))
}

fn sizes(folder: &Path, decisions: u64) {
    let of = |ending| files(folder, ending).map(|path| fs::metadata(path).expect("a file").len()).sum::<u64>();
    let (terms, filters) = (of("terms"), of("filter"));
    let each = |bytes: u64| bytes as f64 / decisions as f64;
    println!(
        "\n{decisions} decisions of 8 terms in {} segments: {:.1} bytes of terms and {:.2} bytes of filters each",
        count(folder, "terms") + 1,
        each(terms),
        each(filters)
    );
}

/// Asks for a page; how many decisions are on it, and how long it took.
fn ask(
    search: impl Fn(journal::Sought<'_>, journal::Hear<'_>) -> Result<journal::Searched, journal::JournalError>,
    question: &Question,
    round: u64,
    args: &Args,
) -> (usize, Duration) {
    let asked = (question.ask)(round, args.decisions);
    let terms: Vec<_> = asked.terms.iter().map(|what| what.term()).collect();
    let sought = journal::Sought { terms: &terms, arrived: asked.arrived, before: u64::MAX };
    let mut found = 0;
    let begun = Instant::now();
    let searched = search(sought, &mut |record: Found| {
        let decided = Decided::of(&record.payload, args.decisions);
        let is_meant = asked.terms.iter().all(|what| decided.whats().contains(what));
        if is_meant && found == PAGE {
            return ControlFlow::Break(());
        }
        found += usize::from(is_meant);
        ControlFlow::Continue(())
    });
    let took = begun.elapsed();
    let searched = searched.expect("the journal is searched");
    assert!(searched.before.is_none() || found == PAGE, "one call looks through everything");
    (found, took)
}

/// As [`ask`], in this process, which has been started for nothing else.
fn ask_beside(folder: &str, args: &Args) -> Duration {
    let begun = Instant::now();
    let describer = Arc::new(MadeUp { decisions: args.decisions });
    let index = TermIndex::beside(Path::new(folder), describer).expect("the index opens").expect("there are segments");
    let search = |sought: journal::Sought<'_>, hear: journal::Hear<'_>| index.search(sought, Bounds::default(), hear);
    ask(search, &QUESTIONS[args.question], args.round, args);
    begun.elapsed()
}

/// As [`ask`], in a fresh process, with nothing of the journal in the system's cache.
fn ask_cold(folder: &Path, question: &Question, round: u64, args: &Args) -> Duration {
    for ending in ["terms", "filter", "seg", "sealed"] {
        files(folder, ending).for_each(|path| forget(&path));
    }
    let nth = QUESTIONS.iter().position(|of| of.name == question.name).unwrap_or_default();
    let this = std::env::current_exe().expect("this program has a path");
    let asked = Command::new(this)
        .args(["--asked", &folder.to_string_lossy(), "--question", &nth.to_string(), "--round", &round.to_string()])
        .args(["--decisions", &args.decisions.to_string()])
        .output()
        .expect("this program starts");
    let nanos = String::from_utf8_lossy(&asked.stdout).trim().parse().expect("it says how long it took");
    Duration::from_nanos(nanos)
}

/// Has the system forget what it has cached of a file.
fn forget(path: &Path) {
    let of = format!("of={}", path.display());
    let dd =
        Command::new("dd").args([&of, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none"]).status();
    assert!(dd.is_ok_and(|status| status.success()), "dd forgets a file");
}
