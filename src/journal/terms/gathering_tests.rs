//! Gathering terms while things go wrong: what could not be told, what is not sound, what is sealed meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::super::names::{sealed_path, segment_path};
use super::super::{Config, Entry, Frame, Journal, JournalError, Kind, Metrics};
use super::file::terms_path;
use super::gathering::Gathering;
use super::index::Source;
use super::table::HEADER_BYTES;
use super::tests::{Words, word};
use super::*;
use crate::domain::Term;
use crate::telemetry::Registry;
use crate::time::Clock;

/// Fails once, at one record.
#[derive(Debug)]
struct FailsOnceAt(AtomicU64);

impl Terms for FailsOnceAt {
    fn version(&self) -> u32 {
        1
    }

    fn describe(&self, seq: u64, frame: &Frame<'_>, each: &mut dyn FnMut(Term)) -> Result<Described, JournalError> {
        if self.0.compare_exchange(seq, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Err(JournalError::Stopped("too many open files".into()));
        }
        Words.describe(seq, frame, each)
    }
}

/// A journal in batches of ten records, that has stopped: its first segment is full.
fn journal(compress: bool) -> (TempDir, u64) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        segment_bytes: 16_384,
        queue_bytes: 1 << 16,
        // Longer than a test: a batch is written when it is waited for.
        linger: Duration::from_secs(3_600),
        compress,
        ..Config::default()
    };
    let metrics = Metrics::new(&Registry::default());
    let (journal, _) = Journal::open(folder.path(), &config, Clock::system(), metrics).unwrap();
    let mut last = 0;
    while journal.segments().unwrap().len() < 2 {
        for nth in 0..10 {
            let payload = format!("{} id{} third{} {}", last + nth, last % 7, nth % 3, "_".repeat(90));
            let entry = Entry { kind: Kind::Turn, partition: 0, keys: &[], payload: payload.as_bytes() };
            last = journal.append(&entry).unwrap();
        }
        journal.wait_synced_blocking(last).unwrap();
    }
    while compress && !sealed_path(folder.path(), 1).exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    journal.close().unwrap();
    (folder, last)
}

/// What was gathered of a segment.
fn gathered(gathering: &Gathering) -> (BTreeMap<Term, Vec<u32>>, String) {
    let postings = gathering.gathered.all().map(|(term, nths)| (term, nths.to_vec())).collect();
    (postings, format!("{:?} {:?}", gathering.gathered.overview, gathering.gathered.strides))
}

fn whole(folder: &Path) -> (BTreeMap<Term, Vec<u32>>, String) {
    gathered(&Gathering::whole(folder, 1, &Words, &|| false).unwrap().unwrap())
}

#[test]
fn a_record_that_could_not_be_told_is_told_the_next_time_with_all_behind_it() {
    let (folder, last) = journal(false);
    let expected = whole(folder.path());
    for fails_at in [1, 2, 10, 11, 15, 20, 47] {
        let describer = FailsOnceAt(AtomicU64::new(fails_at));
        let mut gathering = Gathering::begin(folder.path(), 1).unwrap().unwrap();
        gathering.catch_up(&describer, last).unwrap_err();
        gathering.catch_up(&describer, last).unwrap();
        assert_eq!(gathered(&gathering), expected, "record {fails_at}");
    }
}

/// Changes a byte in the middle of a segment.
fn damage(path: &Path) -> impl FnOnce() + use<> {
    let sound = fs::read(path).unwrap();
    let mut damaged = sound.clone();
    damaged[10_000] ^= 1;
    fs::write(path, damaged).unwrap();
    let path = path.to_owned();
    move || fs::write(path, sound).unwrap()
}

#[test]
fn no_file_is_made_of_a_full_segment_with_a_batch_that_is_not_sound() {
    let (folder, last) = journal(false);
    let index = TermIndex::of_journal(folder.path(), Arc::new(Words)).unwrap().unwrap();
    index.follow(Now { synced: 20, open: 1 }).unwrap();
    let mend = damage(&segment_path(folder.path(), 1));
    let now = Now { synced: last, open: 2 };
    let error = index.source(1, now).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    assert!(!terms_path(folder.path(), 1).exists());
    mend();
    let mut heard = Vec::new();
    let hear = &mut |found: super::super::Found| {
        heard.push(found.seq);
        ControlFlow::Continue(())
    };
    index.records_with(now, &[0, 1, 2].map(|nth| word(&format!("third{nth}"))), 1, hear).unwrap();
    assert_eq!(heard, (1..=last).collect::<Vec<u64>>());
    assert!(matches!(index.source(1, now).unwrap(), Some(Source::File(_))));
}

/// Whoever searches has asked first how far the journal has come; until it looks, the segment may be sealed.
#[test]
fn a_segment_that_is_sealed_meanwhile_is_gathered_from_its_sealed_form() {
    let (folder, last) = journal(true);
    assert!(!segment_path(folder.path(), 1).exists());
    let index = TermIndex::of_journal(folder.path(), Arc::new(Words)).unwrap().unwrap();
    let meanwhile = Now { synced: 20, open: 1 };
    let any = [0, 1, 2].map(|nth| word(&format!("third{nth}")));
    let heard = |now| {
        let mut heard = Vec::new();
        let hear = &mut |found: super::super::Found| {
            heard.push(found.seq);
            ControlFlow::Continue(())
        };
        index.records_with(now, &any, 1, hear).unwrap();
        heard
    };
    assert_eq!(heard(meanwhile), (1..=20).collect::<Vec<u64>>());
    assert_eq!(heard(Now { synced: last, open: 2 }), (1..=last).collect::<Vec<u64>>());
    assert!(terms_path(folder.path(), 1).exists());
}

#[test]
fn terms_that_could_not_be_gathered_are_not_at_hand() {
    let (folder, last) = journal(false);
    let index = TermIndex::of_journal(folder.path(), Arc::new(Words)).unwrap().unwrap();
    let path = segment_path(folder.path(), 1);
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    let now = Now { synced: last, open: 2 };
    for now in [now, Now { synced: 20, open: 1 }] {
        index.source(1, now).unwrap_err();
        assert!(!index.is_at_hand(1));
    }
    fs::rename(&elsewhere, &path).unwrap();
    index.source(1, now).unwrap().unwrap();
    assert!(index.is_at_hand(1));
}

/// A checksum keeps accidents away, not whoever writes one.
#[test]
fn a_file_with_more_buckets_than_there_can_be_is_made_again() {
    let (folder, last) = journal(false);
    let path = terms_path(folder.path(), 1);
    let now = Now { synced: last, open: 2 };
    let source = || TermIndex::of_journal(folder.path(), Arc::new(Words)).unwrap().unwrap().source(1, now).unwrap();
    source();
    let sound = fs::read(&path).unwrap();
    for buckets_log2 in [29_u32, 32, 63, 64, u32::MAX] {
        let mut forged = sound.clone();
        forged[68..72].copy_from_slice(&buckets_log2.to_le_bytes());
        let crc = crc32c::crc32c(&forged[12..HEADER_BYTES]);
        forged[8..12].copy_from_slice(&crc.to_le_bytes());
        fs::write(&path, forged).unwrap();
        assert!(matches!(source(), Some(Source::Memory(_))), "{buckets_log2}");
        assert_eq!(fs::read(&path).unwrap(), sound);
    }
}
