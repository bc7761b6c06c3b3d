//! Repairs: what is lost is told and accounted for, what is sound behind it stays, and the journal goes on.

use std::fs;
use std::path::Path;

use super::sealed::{names, open_wide, read, wait_sealed, write};
use super::*;

const RECORDS: u64 = 700;
const RELEASE: &str = "0.1.0";

fn at() -> Timestamp {
    "2026-11-23T06:10:00Z".parse().unwrap()
}

/// A journal of a few sealed segments and one that is written.
fn journal() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), true, RECORDS.into());
    folder
}

fn inspect(folder: &Path) -> Inspection {
    Inspection::of(folder, &|| Ok(0), &mut |_, _| {}).unwrap()
}

fn flip(folder: &Path, name: &str, at: impl FnOnce(usize) -> usize) {
    let path = folder.join(name);
    let mut bytes = fs::read(&path).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

/// Repairs; what is left are the records before, less those that are lost, and records go on behind them.
fn repaired(folder: &Path, before: &[(u64, Vec<u8>)], inspection: &Inspection) -> Vec<Rewritten> {
    let listed = names(folder);
    let rewritten = inspection.repair(at(), RELEASE).unwrap();
    for Rewritten { kept, .. } in &rewritten {
        assert!(kept.as_ref().is_none_or(|kept| kept.exists()));
    }
    assert!(rewritten.iter().filter_map(|written| written.kept.as_ref()).count() <= listed.len());
    let is_lost =
        |seq: u64| inspection.losses.iter().any(|loss| (loss.first_seq..loss.first_seq + loss.records).contains(&seq));
    let left: Vec<_> = before.iter().filter(|(seq, _)| !is_lost(*seq)).cloned().collect();
    let mut reader = Reader::new(folder, 1).unwrap();
    assert_eq!(read(&mut reader), left);
    let gaps: Vec<(u64, u64)> = reader.gaps().iter().map(|gap| (gap.first_seq, gap.records)).collect();
    assert_eq!(gaps, inspection.losses.iter().map(|loss| (loss.first_seq, loss.records)).collect::<Vec<_>>());
    assert!(reader.gaps().iter().all(|gap| gap.repaired_at == at() && gap.release == RELEASE));
    assert!(!inspect(folder).is_damaged(), "nothing is left to repair");
    // It goes on, and is sealed again.
    let journal = open_wide(folder, true);
    let next = append(&journal, 1 << 90, b"behind the repair");
    assert_eq!(next, inspection.last_seq + 1);
    wait_sealed(&journal);
    assert_eq!(journal.find(1 << 90, at()).unwrap().unwrap().seq, next);
    if let Some(loss) = inspection.losses.first().filter(|loss| loss.records > 0) {
        assert_eq!(journal.record_at(loss.first_seq).unwrap(), None, "what is lost is not found");
        let behind = left.iter().find(|(seq, _)| *seq > loss.first_seq);
        if let Some((seq, payload)) = behind {
            assert_eq!(journal.record_at(*seq).unwrap().unwrap().payload, *payload);
        }
    }
    journal.close().unwrap();
    let mut after = read(&mut Reader::new(folder, 1).unwrap());
    assert_eq!(after.pop().unwrap().0, next);
    assert_eq!(after, left);
    rewritten
}

#[test]
fn a_sound_journal_is_left_alone() {
    let folder = journal();
    let inspection = inspect(folder.path());
    assert!(!inspection.is_damaged() && inspection.damages.is_empty() && inspection.losses.is_empty());
    assert_eq!((inspection.kept, inspection.last_seq), (RECORDS, RECORDS));
    assert_eq!(inspection.repair(at(), RELEASE).unwrap(), []);
}

#[test]
fn damage_in_the_middle_of_a_sealed_segment_costs_a_block() {
    let folder = journal();
    let before = read(&mut Reader::new(folder.path(), 1).unwrap());
    flip(folder.path(), "0000000002.sealed", |length| length / 2);
    let refused = Reader::new(folder.path(), 1).unwrap().next_batch(|_| {}).and_then(|_| {
        let mut reader = Reader::new(folder.path(), 1)?;
        while reader.next_batch(|_| {})? {}
        Ok(())
    });
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("0000000002.sealed` is damaged at byte") && refused.contains("from record"), "{refused}");
    let inspection = inspect(folder.path());
    assert_eq!((inspection.damages.len(), inspection.losses.len()), (1, 1));
    let loss = &inspection.losses[0];
    assert!(loss.records > 5 && loss.records < 100, "a block or so: {loss:?}");
    assert!(loss.after <= loss.before && loss.before.is_some());
    let rewritten = repaired(folder.path(), &before, &inspection);
    let kept = rewritten[0].kept.as_ref().unwrap();
    assert!(kept.ends_with("0000000002.damaged-20261123T061000Z"), "{}", kept.display());
    assert!(folder.path().join("0000000002.sealed").exists(), "it is sealed again");
}

#[test]
fn damage_in_the_segment_that_is_written_costs_a_batch() {
    let folder = journal();
    let before = read(&mut Reader::new(folder.path(), 1).unwrap());
    let last = names(folder.path()).into_iter().find(|name| name.ends_with(".seg")).unwrap();
    flip(folder.path(), &last, |_| 10_000);
    assert!(matches!(
        Journal::open(folder.path(), &config(), Clock::system(), Metrics::new(&Registry::default())),
        Err(JournalError::Damaged { .. })
    ));
    let inspection = inspect(folder.path());
    assert_eq!((inspection.damages.len(), inspection.losses.len(), inspection.losses[0].batches), (1, 1, 1));
    repaired(folder.path(), &before, &inspection);
}

#[test]
fn a_missing_segment_becomes_a_gap_and_so_do_two() {
    for missing in [&[2_u64][..], &[1, 2]] {
        let folder = journal();
        let before = read(&mut Reader::new(folder.path(), 1).unwrap());
        for number in missing {
            fs::remove_file(folder.path().join(format!("{number:010}.sealed"))).unwrap();
        }
        let refused = Reader::new(folder.path(), 1).unwrap_err().to_string();
        assert!(refused.contains(&format!("{:010}.seg", missing[0])), "{refused}");
        assert!(refused.contains("the segment is missing"), "{refused}");
        let inspection = inspect(folder.path());
        assert_eq!((inspection.damages.len(), inspection.losses.len()), (missing.len(), 1));
        repaired(folder.path(), &before, &inspection);
    }
}

#[test]
fn numbers_of_a_lost_end_are_not_given_again() {
    let folder = journal();
    let before = read(&mut Reader::new(folder.path(), 1).unwrap());
    let last = names(folder.path()).into_iter().find(|name| name.ends_with(".seg")).unwrap();
    fs::remove_file(folder.path().join(&last)).unwrap();
    let refused = Journal::open(folder.path(), &config(), Clock::system(), Metrics::new(&Registry::default()));
    let refused = refused.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains(&last) && refused.contains("the segment is missing"), "{refused}");
    // The store knows of records that the journal has no more.
    let inspection = Inspection::of(folder.path(), &|| Ok(RECORDS - 3), &mut |_, _| {}).unwrap();
    assert_eq!((inspection.losses.len(), inspection.last_seq, inspection.losses[0].before), (1, RECORDS - 3, None));
    let before: Vec<_> = before.into_iter().filter(|(seq, _)| *seq <= RECORDS - 3).collect();
    repaired(folder.path(), &before, &inspection);
}

#[test]
fn what_can_be_made_again_costs_nothing() {
    let folder = journal();
    let before = read(&mut Reader::new(folder.path(), 1).unwrap());
    // A table, a header, a page: the records themselves are all there.
    flip(folder.path(), "0000000001.sealed", |length| length - 100);
    flip(folder.path(), "0000000002.sealed", |_| 20);
    let last = names(folder.path()).into_iter().find(|name| name.ends_with(".seg")).unwrap();
    flip(folder.path(), &last, |_| 30);
    let inspection = inspect(folder.path());
    assert_eq!((inspection.damages.len(), inspection.losses.len(), inspection.kept), (3, 0, RECORDS));
    assert_eq!(repaired(folder.path(), &before, &inspection).len(), 3);
}

#[test]
fn a_change_that_no_disk_makes_is_not_repaired() {
    let folder = super::damage::copied();
    // A batch whose checksums are right, and whose content is not what the next one was written behind. How many batches a segment
    // has is the disk's pace: it takes one that has another behind it.
    let segments = names(folder.path()).into_iter().filter(|name| name.ends_with(".seg"));
    let refused = segments.rev().find_map(|name| {
        let path = folder.path().join(name);
        let written = fs::read(&path).unwrap();
        let mut bytes = written.clone();
        let frame = 4_096 + HEADER_BYTES;
        let length = u32::from_le_bytes(bytes[frame..frame + 4].try_into().unwrap()) as usize;
        bytes[frame + 8 + length - 1] ^= 1;
        let crc = crc32c::crc32c(&bytes[frame + 8..frame + 8 + length]);
        bytes[frame + 4..frame + 8].copy_from_slice(&crc.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let refused = Inspection::of(folder.path(), &|| Ok(0), &mut |_, _| {}).err().map(|error| error.to_string());
        fs::write(&path, written).unwrap();
        refused
    });
    let refused = refused.unwrap();
    assert!(refused.contains("a batch before this one was changed: this was not done by a disk"), "{refused}");
}

/// A crash between the two steps of sealing leaves a segment in both forms.
#[test]
fn a_damaged_segment_costs_nothing_while_its_sealed_copy_is_there() {
    let folder = journal();
    let before = read(&mut Reader::new(folder.path(), 1).unwrap());
    let sealed =
        (1..).map(|number| folder.path().join(format!("{number:010}.sealed"))).find(|path| path.exists()).unwrap();
    std::fs::write(sealed.with_extension("seg"), vec![0x5a; 9_000]).unwrap();
    let inspection = inspect(folder.path());
    assert!(inspection.is_damaged());
    assert_eq!(inspection.lost(), 0);
    repaired(folder.path(), &before, &inspection);
}
