//! Records that were signed for and lost: nothing is overwritten, nothing is given out again, and the heads go on.

use std::fs;
use std::path::{Path, PathBuf};

use super::levels::GROUP;
use super::names::segment_path;
use super::notary_tests::{Office, faults, lose_batch_of, open, verify};
use super::segment::PAGE_BYTES;
use super::*;
use crate::domain::Timestamp;

/// Large enough for all records of a test.
const WIDE: u64 = 1 << 20;

fn at() -> Timestamp {
    "2026-11-23T06:10:00Z".parse().unwrap()
}

/// As if the process had been killed: what is on the disk, in a folder of its own.
fn killed(office: Office) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    office.drop_dead(folder.path());
    folder
}

/// Changes a bit of the last batch of the first segment.
fn flip_in_last_batch(journal: &Path) -> (PathBuf, Vec<u8>) {
    let path = segment_path(journal, 1);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    assert!(last > PAGE_BYTES);
    bytes[last - 3] ^= 1;
    fs::write(&path, &bytes).unwrap();
    (path, bytes)
}

fn repair(journal: &Path) -> Inspection {
    let inspection = Inspection::of(journal, &|| Ok(0), &mut |_, _| {}).unwrap();
    inspection.repair(at(), "0.1.0").unwrap();
    inspection
}

#[test]
fn an_end_that_was_signed_for_is_not_taken_for_an_interrupted_write() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), WIDE).unwrap();
    (0..3).for_each(|_| office.append(1));
    assert_eq!(office.notary.head().unwrap().head().size, 3);
    let data = killed(office);
    let journal = data.path().join("journal");
    let (path, damaged) = flip_in_last_batch(&journal);
    let refused = open(data.path(), WIDE).map(drop).unwrap_err().to_string();
    assert!(refused.contains("from record 3 on: the journal ends with record 2, and a tree head was signed over 3: "));
    assert!(refused.contains("nothing was changed; `forthwith repair` shows what can be saved"), "{refused}");
    assert!(fs::read(&path).unwrap() == damaged, "nothing was changed");
    let inspection = repair(&journal);
    assert_eq!((inspection.damages.len(), inspection.lost(), inspection.last_seq), (1, 1, 3));
    assert!(inspection.damages[0].reason.starts_with("the journal ends with record 2"), "{:?}", inspection.damages);
    let kept = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path());
    let mut kept = kept.filter(|path| path.to_string_lossy().contains(".damaged-"));
    assert!(fs::read(kept.next().unwrap()).unwrap() == damaged, "the damaged file is kept as it was");
    // The journal goes on behind it, and the number is not given out again.
    let office = open(data.path(), WIDE).unwrap();
    assert_eq!(office.journal.last_seq(), 3);
    assert_eq!(office.notary.head().unwrap().head().size, 3, "over the same size no other head is signed");
    office.append(1);
    assert_eq!(office.notary.head().unwrap().head().size, 4);
}

/// Nothing is torn here: the last segment is an older copy of itself.
#[test]
fn an_end_that_the_store_knows_of_is_accounted_for() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), WIDE).unwrap();
    office.append(9);
    let data = killed(office);
    let journal = data.path().join("journal");
    assert!(!Inspection::of(&journal, &|| Ok(9), &mut |_, _| {}).unwrap().is_damaged());
    let inspection = Inspection::of(&journal, &|| Ok(12), &mut |_, _| {}).unwrap();
    assert_eq!((inspection.damages.len(), inspection.losses[0].first_seq, inspection.last_seq), (1, 10, 12));
    inspection.repair(at(), "0.1.0").unwrap();
    assert!(!Inspection::of(&journal, &|| Ok(12), &mut |_, _| {}).unwrap().is_damaged());
    fs::remove_file(segment_path(&journal, 1)).unwrap();
    let refused = Inspection::of(&journal, &|| Ok(12), &mut |_, _| {}).unwrap_err().to_string();
    assert!(refused.contains("ends with record 0, and the store knows of record 12"), "{refused}");
}

fn aside(journal: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains("tree.damaged-")).collect()
}

/// The roots that are kept are all that speaks for a group of which records were lost: they survive the heads.
#[test]
fn kept_roots_outlive_the_heads() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), WIDE).unwrap();
    (0..20).for_each(|_| office.append(50));
    let held = office.notary.head().unwrap();
    let journal = office.close();
    let kept = fs::read(journal.join("tree/08")).unwrap();
    lose_batch_of(&journal, 400);
    let heads = data.path().join("heads");
    fs::rename(journal.join("heads"), &heads).unwrap();
    // Killed before a head is signed: the roots are as they were.
    let killed = killed(open(data.path(), WIDE).unwrap());
    assert_eq!(fs::read(killed.path().join("journal/tree/08")).unwrap(), kept);
    open(data.path(), WIDE).unwrap().close();
    assert_eq!(fs::read(journal.join("tree/08")).unwrap(), kept);
    assert!(aside(&journal).is_empty() && !journal.join("tree.next").exists(), "there is nothing else in the old ones");
    let verified = verify(&journal, None, Some(&held));
    assert_eq!((faults(&verified).as_str(), verified.unchecked), ("", 0));
    // The heads are put back.
    fs::rename(heads, journal.join("heads")).unwrap();
    let office = open(data.path(), WIDE).unwrap();
    office.append(GROUP);
    office.close();
    assert_eq!(faults(&verify(&journal, None, Some(&held))), "");
}

#[test]
fn kept_roots_are_set_aside_when_they_were_wrong_and_stay_when_a_start_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), WIDE).unwrap();
    (0..20).for_each(|_| office.append(50));
    let journal = office.close();
    let kept = fs::read(journal.join("tree/08")).unwrap();
    let mut damaged = kept.clone();
    damaged[3] ^= 1;
    fs::write(journal.join("tree/08"), &damaged).unwrap();
    open(data.path(), WIDE).unwrap().close();
    assert_eq!(fs::read(journal.join("tree/08")).unwrap(), kept);
    let aside = aside(&journal);
    assert_eq!(aside.len(), 1);
    assert!(fs::read(aside[0].join("08")).unwrap() == damaged);
    // A group whose root is wrong and of which records are lost.
    lose_batch_of(&journal, 100);
    fs::write(journal.join("tree/08"), &damaged).unwrap();
    assert!(matches!(open(data.path(), WIDE).map(drop), Err(NotaryError::Unfit(_))));
    assert!(fs::read(journal.join("tree/08")).unwrap() == damaged && !journal.join("tree.next").exists());
}

/// No root is kept of the group that the last head ends within.
#[test]
fn a_head_whose_last_group_has_lost_records_cannot_be_checked_and_the_next_can() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), WIDE).unwrap();
    (0..8).for_each(|_| office.append(50));
    let earlier = office.notary.head().unwrap();
    (0..12).for_each(|_| office.append(50));
    office.notary.head().unwrap();
    let journal = office.close();
    let (first, last) = lose_batch_of(&journal, 900);
    assert!(first > 3 * GROUP && last < 1_000, "{first} to {last}");
    let verified = verify(&journal, None, Some(&earlier));
    assert_eq!((faults(&verified).as_str(), verified.heads, verified.unchecked), ("", 2, 1));
    let office = open(data.path(), WIDE).unwrap();
    office.append(1);
    let proof = office.notary.entry_proof(950).unwrap();
    assert_eq!(proof.head.head().size, 1_001, "not the head that cannot be checked");
    let leaf = record_leaf(&journal, 950).unwrap().unwrap();
    proof.verify(&crate::tlog::leaf_hash(&leaf), &[office.notary.key()]).unwrap();
    office.append(2 * GROUP);
    office.close();
    // It starts as ever, and of the heads only those that end within the group cannot be checked.
    open(data.path(), WIDE).unwrap().close();
    let verified = verify(&journal, None, None);
    assert_eq!((faults(&verified).as_str(), verified.heads, verified.unchecked), ("", 4, 2));
}
