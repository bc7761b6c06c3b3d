//! Damage: whatever byte of whatever file is another one, records are read exactly as they were written, or the file is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const RECORDS: u64 = 60;

/// A small journal with segments in every form: sealed, full, and the one that is written.
pub(super) static SMALL: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    for compress in [true, false] {
        let config =
            Config { segment_bytes: 8_192, queue_bytes: 2_048, linger: Duration::ZERO, compress, ..Config::default() };
        let journal = Journal::open(folder.path(), &config, Clock::system(), Metrics::new(&Registry::default()));
        let journal = journal.unwrap().0;
        for _ in 0..RECORDS / 2 {
            let key = u128::from(journal.last_seq() + 1);
            let seq = append(&journal, key, &payload(key as u64));
            // Batches of one record, and of two.
            if !seq.is_multiple_of(3) {
                journal.wait_synced_blocking(seq).unwrap();
            }
        }
        super::sealed::wait_sealed(&journal);
        journal.close().unwrap();
    }
    folder
});

fn payload(seq: u64) -> Vec<u8> {
    format!("record {seq} ").bytes().cycle().take(150 + (seq as usize * 53) % 400).collect()
}

/// A copy of the small journal.
pub(super) fn copied() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(SMALL.path()).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    super::sealed::names(folder).into_iter().map(|name| folder.join(name)).collect()
}

/// Opens the journal and reads everything in every way.
pub(super) fn read_everything(folder: &Path) -> Result<Vec<(u64, Vec<u8>)>, JournalError> {
    let config = Config {
        segment_bytes: 8_192,
        queue_bytes: 2_048,
        linger: Duration::ZERO,
        compress: false,
        ..Config::default()
    };
    let (journal, opening) = Journal::open(folder, &config, Clock::system(), Metrics::new(&Registry::default()))?;
    let mut records = Vec::new();
    let mut reader = Reader::new(folder, 1)?;
    while reader.next_batch(|read| records.push((read.seq, read.frame.payload.to_vec())))? {}
    assert_eq!(reader.gaps(), opening.gaps);
    let mut apart = Vec::new();
    for span in segments(folder)? {
        let mut reader = Reader::of_segment(folder, span.number);
        while reader.next_batch(|read| apart.push((read.seq, read.frame.payload.to_vec())))? {}
    }
    assert_eq!(apart, records);
    for seq in 1..=RECORDS {
        let expected = records.iter().find(|(read, _)| *read == seq).map(|(_, payload)| payload);
        let by_key = journal.find(u128::from(seq), Timestamp::from_micros(0))?;
        assert_eq!(by_key.as_ref().map(|found| &found.payload), expected, "record {seq} by key");
        assert_eq!(journal.record_at(seq)?, by_key, "record {seq}");
        if seq.is_multiple_of(9) {
            assert_eq!(record_with_key(folder, u128::from(seq))?, by_key, "record {seq} beside it");
        }
    }
    journal.close()?;
    Ok(records)
}

fn originals() -> Vec<(u64, Vec<u8>)> {
    (1..=RECORDS).map(|seq| (seq, payload(seq))).collect()
}

/// Flips bits of one byte of a file; returns the file.
fn flip(folder: &Path, file: prop::sample::Index, place: prop::sample::Index, mask: u8) -> PathBuf {
    let files = files(folder);
    let path = file.get(&files).clone();
    let mut bytes = fs::read(&path).unwrap();
    let at = place.index(bytes.len());
    bytes[at] ^= mask;
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn the_small_journal_has_every_form_and_is_read_whole() {
    let names = super::sealed::names(SMALL.path());
    let count = |ending: &str| names.iter().filter(|name| name.ends_with(ending)).count();
    assert!(count(".sealed") > 1 && count(".seg") > 2 && count(".idx") > 4, "{names:?}");
    assert_eq!(read_everything(copied().path()).unwrap(), originals());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Also: what a repair leaves is what was written, less what it says is lost, and that stood in the damaged file.
    #[test]
    fn any_flipped_byte_is_harmless_or_named_and_repaired(
        file in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        mask in 1..=255_u8,
    ) {
        let folder = copied();
        let path = flip(folder.path(), file, place, mask);
        match read_everything(folder.path()) {
            Ok(records) => prop_assert_eq!(records, originals()),
            Err(JournalError::Damaged { path: named, record, .. }) => {
                prop_assert_eq!(&named, &path);
                prop_assert!(!path.ends_with(".idx"));
                prop_assert!(record.is_some_and(|record| (1..=RECORDS + 1).contains(&record)), "{record:?}");
                let inspection = Inspection::of(folder.path(), &|| Ok(RECORDS), &mut |_, _| {}).unwrap();
                prop_assert!(inspection.is_damaged());
                prop_assert_eq!(inspection.damages.iter().map(|damage| &damage.path).collect::<Vec<_>>(), [&path]);
                prop_assert_eq!(inspection.damages[0].record, record.unwrap());
                inspection.repair(Timestamp::from_micros(7), "0.0.0").unwrap();
                let is_lost = |seq: u64| {
                    inspection.losses.iter().any(|loss| (loss.first_seq..loss.first_seq + loss.records).contains(&seq))
                };
                let left: Vec<_> = originals().into_iter().filter(|(seq, _)| !is_lost(*seq)).collect();
                prop_assert_eq!(left.len() as u64, inspection.kept);
                prop_assert_eq!(read_everything(folder.path()).unwrap(), left);
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}
