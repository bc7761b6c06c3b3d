//! Sealed segments: the same records, found as before, whatever interrupts the sealing.

use std::path::Path;

use super::*;

/// Segments of several blocks.
const SEGMENT: u64 = 128 << 10;

fn wide(compress: bool) -> Config {
    Config {
        segment_bytes: SEGMENT,
        queue_bytes: 32 << 10,
        linger: Duration::from_millis(1),
        compress,
        ..Config::default()
    }
}

pub(super) fn open_wide(folder: &Path, compress: bool) -> Journal {
    Journal::open(folder, &wide(compress), Clock::system(), Metrics::new(&Registry::default())).unwrap().0
}

/// A record's payload: of any length, none like another.
fn payload(key: u128) -> Vec<u8> {
    let length = 200 + (key as usize * 37) % 900;
    format!("record {key} ").bytes().cycle().take(length).collect()
}

/// Writes records into a few segments: one with a key, one without, in batches of one record and of many, a large one among them.
pub(super) fn write(folder: &Path, compress: bool, records: u128) {
    let journal = open_wide(folder, compress);
    for key in 0..records {
        while journal.is_full() {
            journal.wait_synced_blocking(journal.last_seq()).unwrap();
        }
        let keys = [key];
        let (keys, payload) = match key {
            500 => (&keys[..], vec![5; 40_000]),
            _ => (if key % 3 == 0 { &[][..] } else { &keys[..] }, payload(key)),
        };
        let seq = journal.append(&Entry { kind: Kind::Turn, partition: 0, keys, payload: &payload }).unwrap();
        if key % 10 < 3 {
            journal.wait_synced_blocking(seq).unwrap();
        }
    }
    wait_sealed(&journal);
    journal.close().unwrap();
}

pub(super) fn wait_sealed(journal: &Journal) {
    journal.wait_synced_blocking(journal.last_seq()).unwrap();
    while journal.unsealed() > 0 {
        std::thread::yield_now();
    }
}

pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn ending(folder: &Path, ending: &str) -> usize {
    names(folder).iter().filter(|name| name.ends_with(ending)).count()
}

pub(super) fn read(reader: &mut Reader) -> Vec<(u64, Vec<u8>)> {
    let mut records = Vec::new();
    while reader.next_batch(|read| records.push((read.seq, read.frame.payload.to_vec()))).unwrap() {}
    records
}

/// Everything there is, by every way to it.
fn check(folder: &Path, records: u128) {
    let all = read(&mut Reader::new(folder, 1).unwrap());
    assert_eq!(all.len(), records as usize);
    let segments = segments(folder).unwrap();
    assert!(segments.len() > 2);
    let apart: Vec<_> = segments.iter().flat_map(|span| read(&mut Reader::of_segment(folder, span.number))).collect();
    assert_eq!(apart, all);
    let tail = read(&mut Reader::new(folder, all.len() as u64 / 2).unwrap());
    assert_eq!(tail, all[all.len() / 2 - 1..]);
    let journal = open_wide(folder, ending(folder, ".sealed") > 0);
    for (nth, (seq, payload)) in all.iter().enumerate().filter(|(nth, _)| nth % 19 == 0 || *nth == 500) {
        let found = journal.record_at(*seq).unwrap().unwrap();
        assert_eq!((found.seq, &found.payload), (*seq, payload));
        assert_eq!(record_at(folder, *seq).unwrap().unwrap(), found);
        if nth % 3 != 0 {
            assert_eq!(journal.find(nth as u128, Timestamp::from_micros(0)).unwrap().unwrap(), found);
            assert_eq!(record_with_key(folder, nth as u128).unwrap().unwrap(), found);
        }
    }
    assert_eq!(journal.find(records, Timestamp::from_micros(0)).unwrap(), None);
    assert_eq!(journal.record_at(records as u64 + 1).unwrap(), None);
    journal.close().unwrap();
}

#[test]
fn full_segments_are_sealed_and_hold_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), true, 700);
    assert_eq!(ending(folder.path(), ".seg"), 1, "{:?}", names(folder.path()));
    assert_eq!(ending(folder.path(), ".tmp"), 0);
    assert_eq!(ending(folder.path(), ".idx"), ending(folder.path(), ".sealed"));
    check(folder.path(), 700);
}

#[test]
fn what_is_not_compressed_is_read_alike_and_sealed_when_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), false, 700);
    assert_eq!(ending(folder.path(), ".sealed"), 0);
    check(folder.path(), 700);
    let before = read(&mut Reader::new(folder.path(), 1).unwrap());
    let journal = open_wide(folder.path(), true);
    wait_sealed(&journal);
    journal.close().unwrap();
    assert_eq!(ending(folder.path(), ".seg"), 1, "{:?}", names(folder.path()));
    check(folder.path(), 700);
    assert_eq!(read(&mut Reader::new(folder.path(), 1).unwrap()), before);
}

#[test]
fn a_sealing_that_was_interrupted_anywhere_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), false, 700);
    let plain = std::fs::read(folder.path().join("0000000001.seg")).unwrap();
    let second = std::fs::read(folder.path().join("0000000002.seg")).unwrap();
    let journal = open_wide(folder.path(), true);
    wait_sealed(&journal);
    journal.close().unwrap();
    // Half of one was written; another was finished and the segment not yet removed; the file of a third has no name yet.
    std::fs::write(folder.path().join("0000000001.seg"), plain).unwrap();
    let sealed = std::fs::read(folder.path().join("0000000001.sealed")).unwrap();
    std::fs::write(folder.path().join("0000000001.sealed"), &sealed[..sealed.len() / 2]).unwrap();
    std::fs::write(folder.path().join("0000000002.seg"), second).unwrap();
    std::fs::write(folder.path().join("0000000002.sealed.tmp"), b"half").unwrap();
    std::fs::remove_file(folder.path().join("0000000003.idx")).unwrap();
    check(folder.path(), 700);
    let journal = open_wide(folder.path(), true);
    wait_sealed(&journal);
    journal.close().unwrap();
    assert_eq!(ending(folder.path(), ".seg"), 1, "{:?}", names(folder.path()));
    assert_eq!(ending(folder.path(), ".tmp"), 0);
    assert_eq!(std::fs::read(folder.path().join("0000000001.sealed")).unwrap(), sealed, "the same bytes again");
    check(folder.path(), 700);
}

#[test]
fn a_segment_that_cannot_be_sealed_stays_and_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), false, 700);
    // A folder in the way of the file's name.
    std::fs::create_dir(folder.path().join("0000000001.sealed.tmp")).unwrap();
    let registry = Registry::default();
    let (journal, _) = Journal::open(folder.path(), &wide(true), Clock::system(), Metrics::new(&registry)).unwrap();
    while !registry.render().contains("forthwith_journal_sealing_failures_total 1") {
        std::thread::yield_now();
    }
    assert!(journal.unsealed() > 0);
    assert!(folder.path().join("0000000001.seg").exists());
    assert_eq!(journal.record_at(1).unwrap().unwrap().seq, 1);
    journal.close().unwrap();
}

/// A disk may lose what stood in a segment and give zeros for it, also where a batch begins: that is damage, not the segment's end.
#[test]
fn zeros_in_a_full_segment_are_damage_wherever_they_begin() {
    for is_cut in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), false, 700);
        let path = folder.path().join("0000000002.seg");
        let mut bytes = std::fs::read(&path).unwrap();
        let key = key_of_first_in(folder.path(), 2);
        if is_cut {
            bytes.truncate(4_096);
        } else {
            bytes[4_096..8_192].fill(0);
        }
        std::fs::write(&path, &bytes).unwrap();
        std::fs::remove_file(folder.path().join("0000000002.idx")).unwrap();
        let registry = Registry::default();
        let (journal, _) = Journal::open(folder.path(), &wide(true), Clock::system(), Metrics::new(&registry)).unwrap();
        while !registry.render().contains("forthwith_journal_sealing_failures_total 1") {
            std::thread::yield_now();
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "what is damaged is not replaced");
        let of_the_segment = |error: JournalError| error.to_string().contains("0000000002.seg");
        assert!(of_the_segment(journal.find(key, Timestamp::from_micros(0)).unwrap_err()), "cut: {is_cut}");
        assert!(of_the_segment(journal.record_at(segments(folder.path()).unwrap()[1].first_seq).unwrap_err()));
        assert!(of_the_segment(record_with_key(folder.path(), key).unwrap_err()), "cut: {is_cut}");
        assert!(
            !folder.path().join("0000000002.idx").exists(),
            "an index of half a segment would be believed for ever"
        );
        journal.close().unwrap();
    }
}

/// The first key in a segment: keys count from 0, and every third record has none.
fn key_of_first_in(folder: &Path, number: u64) -> u128 {
    let first = u128::from(segments(folder).unwrap()[number as usize - 1].first_seq - 1);
    if first % 3 == 0 { first + 1 } else { first }
}
