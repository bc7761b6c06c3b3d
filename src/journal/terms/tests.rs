//! Searching beside a plain scan of the journal: both find the same, whatever became of the derived files.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::{Config, Entry, Found, Frame, Journal, JournalError, Kind, Metrics, Reader};
use super::*;
use crate::domain::{Term, Timestamp};
use crate::telemetry::Registry;
use crate::time::Clock;

/// Records here are an arrival and words; each word is a term.
#[derive(Debug)]
pub(super) struct Words;

impl Terms for Words {
    fn version(&self) -> u32 {
        1
    }

    fn describe(&self, _: u64, frame: &Frame<'_>, each: &mut dyn FnMut(Term)) -> Result<Described, JournalError> {
        if frame.kind == Kind::Bundle {
            each(word("bundle"));
            return Ok(Described::Timeless);
        }
        let Some((arrival, words)) = parsed(frame.payload) else { return Ok(Described::Unreadable) };
        words.iter().for_each(|of| each(word(of)));
        Ok(Described::Arrived(arrival))
    }
}

pub(super) fn word(word: &str) -> Term {
    Term::of(&["word", word])
}

fn parsed(payload: &[u8]) -> Option<(Timestamp, Vec<&str>)> {
    let mut words = std::str::from_utf8(payload).ok()?.split(' ');
    let arrival = words.next()?.parse().ok()?;
    Some((Timestamp::from_micros(arrival), words.filter(|word| !word.starts_with('_')).collect()))
}

/// A journal of small segments in a folder of its own.
struct World {
    folder: TempDir,
    segment_bytes: u64,
}

impl World {
    fn new(segment_bytes: u64) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), segment_bytes }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn open(&self) -> Journal {
        let config = Config {
            segment_bytes: self.segment_bytes,
            queue_bytes: 1 << 20,
            linger: Duration::from_micros(100),
            ..Config::default()
        };
        let metrics = Metrics::new(&Registry::default());
        let (journal, _) = Journal::open(self.path(), &config, Clock::system(), metrics).unwrap();
        journal.describe_with(Arc::new(Words)).unwrap();
        journal
    }

    fn beside(&self) -> TermIndex {
        TermIndex::beside(self.path(), Arc::new(Words)).unwrap().unwrap()
    }

    /// Everything there is, as a plain scan finds it.
    fn scanned(&self) -> Scanned {
        let mut records = Vec::new();
        let mut reader = Reader::new(self.path(), 1).unwrap();
        while reader.next_batch(|read| records.push((read.seq, read.frame.payload.to_vec()))).unwrap() {}
        Scanned(records)
    }

    fn files(&self, ending: &str) -> Vec<std::path::PathBuf> {
        let all = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.extension().is_some_and(|of| of == ending)).collect()
    }
}

/// Records by their sequence.
struct Scanned(Vec<(u64, Vec<u8>)>);

impl Scanned {
    /// What is sought, newest first.
    fn sought(&self, sought: Sought<'_>) -> Vec<u64> {
        let is_sought = |(seq, payload): &&(u64, Vec<u8>)| *seq < sought.before && is_meant(payload, sought);
        self.0.iter().rev().filter(is_sought).map(|(seq, _)| *seq).collect()
    }
}

fn is_meant(payload: &[u8], sought: Sought<'_>) -> bool {
    let Some((arrival, words)) = parsed(payload) else { return false };
    let has: BTreeSet<Term> = words.into_iter().map(word).collect();
    (sought.arrived.0..=sought.arrived.1).contains(&arrival) && sought.terms.iter().all(|term| has.contains(term))
}

fn append(journal: &Journal, arrival: i64, words: &str) -> u64 {
    let payload = format!("{arrival} {words}");
    let seq =
        journal.append(&Entry { kind: Kind::Turn, partition: 0, keys: &[], payload: payload.as_bytes() }).unwrap();
    while journal.is_full() {
        journal.wait_synced_blocking(seq).unwrap();
    }
    seq
}

fn all_of(terms: &[Term]) -> Sought<'_> {
    Sought { terms, arrived: search::ALL_TIME, before: u64::MAX }
}

type Searching<'a> = dyn Fn(Sought<'_>, Bounds, Hear<'_>) -> Result<Searched, JournalError> + 'a;

/// Everything that a search finds, page by page.
fn found(search: &Searching<'_>, sought: Sought<'_>, page: usize, bounds: Bounds) -> Vec<u64> {
    let (mut seqs, mut before) = (Vec::new(), sought.before);
    loop {
        let mut on_page = 0;
        let mut stopped = None;
        let searched = search(Sought { before, ..sought }, bounds, &mut |found: Found| {
            if on_page == page {
                stopped = Some(found.seq + 1);
                return ControlFlow::Break(());
            }
            if is_meant(&found.payload, sought) {
                seqs.push(found.seq);
                on_page += 1;
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        match stopped.or(searched.before) {
            Some(next) => {
                assert!(next < before || before == u64::MAX, "a search that goes on comes further");
                before = next;
            }
            None => return seqs,
        }
    }
}

fn agree(world: &World, scanned: &Scanned, journal: &Journal, sought: Sought<'_>) {
    let expected = scanned.sought(sought);
    let live = |sought: Sought<'_>, bounds: Bounds, hear: Hear<'_>| journal.search(sought, bounds, hear);
    assert_eq!(found(&live, sought, usize::MAX, Bounds::default()), expected, "{sought:?}");
    assert_eq!(
        found(&live, sought, 3, Bounds { records: 7, segments: 2, chunks: 2, gathered: 1 }),
        expected,
        "{sought:?}"
    );
    let beside = world.beside();
    let read = |sought: Sought<'_>, bounds: Bounds, hear: Hear<'_>| beside.search(sought, bounds, hear);
    assert_eq!(found(&read, sought, 5, Bounds::default()), expected, "{sought:?}");
    let mut oldest_first = Vec::new();
    let hear = &mut |found: Found| {
        if sought.terms.chunks(1).any(|term| is_meant(&found.payload, all_of(term))) {
            oldest_first.push(found.seq);
        }
        ControlFlow::Continue(())
    };
    journal.records_with(sought.terms, 10, hear).unwrap();
    let any: BTreeSet<u64> = sought.terms.chunks(1).flat_map(|term| scanned.sought(all_of(term))).collect();
    assert_eq!(oldest_first, any.into_iter().filter(|seq| *seq >= 10).collect::<Vec<u64>>());
}

/// Words of a record: a rare one, some that many have, one that all have, and one that says nothing but takes room.
fn words(nth: u64) -> String {
    let filler = "_".repeat(60 + (nth % 17) as usize * 20);
    format!("id{} half{} tenth{} all {filler}", nth % 331, nth % 2, nth * nth % 10)
}

fn queries() -> Vec<Vec<Term>> {
    [
        "id7",
        "id330",
        "all",
        "half1",
        "absent",
        "half0 tenth4",
        "tenth5 half1 id5",
        "all id3",
        "tenth6 absent",
        "half0 half1",
    ]
    .iter()
    .map(|words| words.split(' ').map(word).collect())
    .collect()
}

/// More than one complete group of segments, and some beyond it.
#[test]
fn a_search_finds_what_a_scan_finds_over_groups_of_segments() {
    let world = World::new(16_384);
    let journal = world.open();
    let mut last = 0;
    for nth in 0..5_200 {
        last = append(&journal, nth as i64 * 1_000 - (nth % 5) as i64 * 700, &words(nth));
    }
    journal.wait_synced_blocking(last).unwrap();
    let segments = journal.segments().unwrap().len();
    assert!(segments > 66, "there are {segments} segments");
    let scanned = world.scanned();
    for terms in queries() {
        agree(&world, &scanned, &journal, all_of(&terms));
        let arrived = (Timestamp::from_micros(1_000_300), Timestamp::from_micros(2_345_678));
        agree(&world, &scanned, &journal, Sought { arrived, ..all_of(&terms) });
        agree(&world, &scanned, &journal, Sought { before: 1_234, ..all_of(&terms) });
    }
    drop(journal);
    // Another start makes what is not there yet, and then the filter answers.
    let journal = world.open();
    while world.files("filter").is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    for terms in queries() {
        agree(&world, &scanned, &journal, all_of(&terms));
    }
    let group = group::GroupFilter::find(world.path(), belongs(&world, 1)).unwrap();
    assert_eq!(group.may_have(&[word("absent")]).unwrap(), 0, "what is absent is looked for nowhere");
    assert_eq!(group.may_have(&[word("all")]).unwrap(), u64::MAX);
    a_damaged_filter_only_costs_time(&world, &scanned);
    let overviews: Vec<u64> = group.segments.iter().map(|of| of.first_seq).collect();
    assert!(overviews.is_sorted() && overviews[0] == 1);
}

fn a_damaged_filter_only_costs_time(world: &World, scanned: &Scanned) {
    let path = group::GroupFilter::path_in(world.path(), 1);
    let sound = fs::read(&path).unwrap();
    for at in [3, 20, 70, 5_000, sound.len() / 2, sound.len() - 2] {
        let mut damaged = sound.clone();
        damaged[at] ^= 0xFF;
        fs::write(&path, damaged).unwrap();
        let beside = world.beside();
        let read = |sought: Sought<'_>, bounds: Bounds, hear: Hear<'_>| beside.search(sought, bounds, hear);
        for terms in queries() {
            let found = found(&read, all_of(&terms), 50, Bounds::default());
            assert_eq!(found, scanned.sought(all_of(&terms)), "byte {at}");
        }
    }
    fs::write(&path, sound).unwrap();
}

fn belongs(world: &World, number: u64) -> table::Belongs {
    let log = super::super::segment::Page::read(world.path(), number).unwrap().log;
    table::Belongs { version: 1, log, number }
}

/// What became of a derived file.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Deleted,
    Flipped(usize),
    CutOff(usize),
    Grown,
    OfAnother,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Deleted),
        any::<usize>().prop_map(Fate::Flipped),
        any::<usize>().prop_map(Fate::CutOff),
        Just(Fate::Grown),
        Just(Fate::OfAnother),
    ]
}

fn befall(path: &Path, others: &[std::path::PathBuf], fate: Fate) {
    let mut bytes = fs::read(path).unwrap();
    let length = bytes.len();
    match fate {
        Fate::Deleted => return fs::remove_file(path).unwrap(),
        Fate::Flipped(at) => bytes[at % length] ^= 0x21,
        Fate::CutOff(at) => bytes.truncate(at % length),
        Fate::Grown => bytes.push(0),
        Fate::OfAnother => bytes = fs::read(&others[0]).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_search_finds_what_a_scan_finds_whatever_became_of_its_files(
        records in proptest::collection::vec((0..400_i64, 0..6_u8, 0..40_u8, 0..80_usize), 1..400),
        fates in proptest::collection::vec((any::<prop::sample::Index>(), fates()), 0..6),
        sought in proptest::collection::vec((0..6_u8, 0..40_u8, 0..3_u8), 3),
        span in (0..400_i64, 0..400_i64),
        is_ended in any::<bool>(),
    ) {
        let world = World::new(8_192);
        let mut journal = world.open();
        let mut last = 0;
        for (arrival, few, many, filler) in &records {
            last = append(&journal, *arrival, &format!("few{few} many{many} {}", "_".repeat(*filler)));
        }
        journal.wait_synced_blocking(last).unwrap();
        if is_ended {
            journal.close().unwrap();
            drop(journal);
            let mut files = world.files("terms");
            files.sort();
            for (which, fate) in fates.iter().filter(|_| !files.is_empty()) {
                let path = &files[which.index(files.len())];
                if path.exists() && files[0].exists() {
                    befall(path, &files, *fate);
                }
            }
            journal = world.open();
        }
        let scanned = world.scanned();
        for (few, many, form) in &sought {
            let terms = match form {
                0 => vec![word(&format!("few{few}"))],
                1 => vec![word(&format!("many{many}"))],
                _ => vec![word(&format!("few{few}")), word(&format!("many{many}"))],
            };
            let (from, until) = (span.0.min(span.1), span.0.max(span.1));
            let arrived = (Timestamp::from_micros(from), Timestamp::from_micros(until));
            agree(&world, &scanned, &journal, Sought { arrived, ..all_of(&terms) });
            agree(&world, &scanned, &journal, all_of(&terms));
        }
    }
}

#[test]
fn what_is_synced_is_found_at_once_while_others_write() {
    let world = World::new(32_768);
    let journal = world.open();
    std::thread::scope(|scope| {
        for writer in 0..3_u64 {
            let journal = journal.clone();
            scope.spawn(move || {
                for nth in 0..150 {
                    let mine = format!("w{writer}n{nth}");
                    let seq = append(&journal, nth, &format!("{mine} {}", "_".repeat(100)));
                    journal.wait_synced_blocking(seq).unwrap();
                    let terms = [word(&mine)];
                    let live =
                        |sought: Sought<'_>, bounds: Bounds, hear: Hear<'_>| journal.search(sought, bounds, hear);
                    assert_eq!(found(&live, all_of(&terms), 1, Bounds::default()), [seq]);
                }
            });
        }
    });
}

#[test]
fn whoever_reads_beside_a_writer_writes_nothing() {
    let world = World::new(8_192);
    let journal = world.open();
    let mut last = 0;
    for nth in 0..300 {
        last = append(&journal, nth as i64, &words(nth));
    }
    journal.wait_synced_blocking(last).unwrap();
    journal.close().unwrap();
    drop(journal);
    world.files("terms").iter().for_each(|path| fs::remove_file(path).unwrap());
    let (terms, scanned) = ([word("half1")], world.scanned());
    let beside = world.beside();
    let read = |sought: Sought<'_>, bounds: Bounds, hear: Hear<'_>| beside.search(sought, bounds, hear);
    assert_eq!(found(&read, all_of(&terms), 9, Bounds::default()), scanned.sought(all_of(&terms)));
    assert_eq!(world.files("terms"), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_journal_that_nobody_described_says_so() {
    let world = World::new(8_192);
    let config = Config { segment_bytes: 8_192, queue_bytes: 1 << 20, linger: Duration::ZERO, ..Config::default() };
    let (journal, _) =
        Journal::open(world.path(), &config, Clock::system(), Metrics::new(&Registry::default())).unwrap();
    let refused = journal.search(all_of(&[word("a")]), Bounds::default(), &mut |_| ControlFlow::Break(()));
    assert!(matches!(refused, Err(JournalError::Undescribed)));
}
