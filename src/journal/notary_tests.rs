//! Signed heads over a journal: what they prove, over restarts and crashes, and what they give away of a journal that was changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::batch::{Entry, Frame, HEADER_BYTES, hash_batch, leaf_hashes, u32_at};
use super::levels::GROUP;
use super::names::segment_path;
use super::segment::{PAGE_BYTES, Page};
use super::*;
use crate::telemetry::Registry;
use crate::time::Clock;
use crate::tlog::{Frontier, Hash, SignedHead, VerifierKey, leaf_hash, verify_consistency, verify_inclusion};

/// A data directory with a journal and its notary.
pub(super) struct Office {
    pub(super) directory: DataDirectory,
    pub(super) journal: Journal,
    pub(super) notary: Notary,
}

/// Segments of this size are compressed when they are full.
const SEALED: u64 = 1 << 16;

pub(super) fn open(data: &Path, segment_bytes: u64) -> Result<Office, NotaryError> {
    let directory = DataDirectory::open(data).unwrap();
    // Small segments are sealed, large ones are for tests that change their bytes.
    let compress = segment_bytes == SEALED;
    let config = Config { segment_bytes, queue_bytes: 1 << 14, linger: Duration::ZERO, compress, ..Config::default() };
    let metrics = Metrics::new(&Registry::default());
    let (journal, _) = Journal::open(&directory.journal(), &config, Clock::system(), metrics)?;
    let origin = Some("example.com/log".to_owned());
    let notary = NotaryConfig { origin, sign_every: Duration::from_secs(3_600), ..NotaryConfig::default() };
    let notary = Notary::start(&directory, &journal, &notary, Clock::system())?;
    Ok(Office { directory, journal, notary })
}

impl Office {
    pub(super) fn append(&self, count: u64) {
        let mut last = 0;
        for _ in 0..count {
            let nth = self.journal.last_seq() + 1;
            let payload = format!("record {nth} {}", "x".repeat(nth as usize % 100));
            let keys = [u128::from(nth)];
            let entry = Entry { kind: Kind::Turn, partition: 7, keys: &keys, payload: payload.as_bytes() };
            last = self.journal.append(&entry).unwrap();
        }
        self.journal.wait_synced_blocking(last).unwrap();
    }

    pub(super) fn close(self) -> PathBuf {
        self.journal.close().unwrap();
        self.notary.close().unwrap();
        self.directory.journal()
    }

    /// As if the process had been killed: nothing is signed, nothing is ended.
    pub(super) fn drop_dead(self, into: &Path) {
        copy(self.directory.path(), into);
    }
}

pub(super) fn copy(from: &Path, into: &Path) {
    fs::create_dir_all(into).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let path = into.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &path);
        } else if entry.file_name() != "LOCK" {
            fs::copy(entry.path(), path).unwrap();
        }
    }
}

/// The leaf hashes of all records, read one after the other.
fn leaves(journal: &Path) -> Vec<Hash> {
    let (mut reader, mut leaves) = (Reader::new(journal, 1).unwrap(), Vec::new());
    while reader.next_batch(|read| leaves.push(leaf_hash(read.frame.leaf))).unwrap() {}
    leaves
}

fn root_of(leaves: &[Hash]) -> Hash {
    let mut tree = Frontier::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

pub(super) fn verify(journal: &Path, key: Option<&VerifierKey>, held: Option<&SignedHead>) -> Verified {
    let mut told = 0;
    let verified = Verify { journal, key, held, workers: 2 }.run(&mut |read| told = read);
    if verified.root.is_some() {
        let lost: u64 = verified.gaps.iter().map(|gap| gap.records).sum();
        assert_eq!(told + lost, verified.records, "progress comes to its end");
    }
    verified
}

pub(super) fn faults(verified: &Verified) -> String {
    verified.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_record_is_proved_over_restarts_and_segments() {
    let data = tempfile::tempdir().unwrap();
    let mut heads = Vec::new();
    for count in [3, 252, 1, 700, 44] {
        let office = open(data.path(), SEALED).unwrap();
        office.append(count);
        let head = office.notary.head().unwrap();
        assert_eq!(head.head().size, office.journal.last_seq());
        assert_eq!(office.notary.head().unwrap(), head, "without news there is no other head");
        heads.push(head);
        office.close();
    }
    let office = open(data.path(), SEALED).unwrap();
    let journal = office.directory.journal();
    let leaves = leaves(&journal);
    assert!(segments(&journal).unwrap().len() > 1, "the test crosses segments");
    let key = [office.notary.key()];
    for (nth, head) in heads.iter().enumerate() {
        head.verify(&key).unwrap();
        let (size, root) = (head.head().size, head.head().root);
        assert_eq!(root_of(&leaves[..size as usize]), root);
        for seq in [1, 2, size / 2, size].into_iter().filter(|seq| *seq > 0) {
            let proof = office.notary.inclusion(seq, size).unwrap();
            assert_eq!(proof.leaf, leaves[seq as usize - 1]);
            verify_inclusion(proof.index, size, &proof.leaf, &proof.hashes, &root).unwrap();
        }
        for older in &heads[..nth] {
            let proof = office.notary.consistency(older.head().size, size).unwrap();
            let (from, to) = ((older.head().size, &older.head().root), (size, &root));
            verify_consistency(from, to, &proof.hashes).unwrap();
        }
    }
    let leaf = record_leaf(&journal, 700).unwrap().unwrap();
    let proof = office.notary.entry_proof(700).unwrap();
    proof.verify(&leaf_hash(&leaf), &key).unwrap();
    assert_eq!(entry_proof_in(&journal, 700, proof.head.clone()).unwrap(), proof, "the same from the files alone");
    assert!(matches!(office.notary.inclusion(1_001, 1_001), Err(NotaryError::Beyond { .. })));
    assert!(matches!(office.notary.entry_proof(1_001), Err(NotaryError::Beyond { .. })));
    assert!(matches!(office.notary.consistency(0, 9), Err(NotaryError::NoSuch(_))));
    let verified = verify(&journal, Some(&key[0]), Some(&heads[1]));
    assert_eq!((faults(&verified).as_str(), verified.records, verified.heads), ("", 1_000, 5));
    assert_eq!(verified.root, Some(heads[4].head().root));
    assert_eq!(verified.newest.as_ref(), Some(heads[4].head()));
}

#[test]
fn the_tree_is_made_again_from_the_records() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), SEALED).unwrap();
    office.append(5 * GROUP + 9);
    let journal = office.close();
    let kept = fs::read(journal.join("tree/08")).unwrap();
    assert_eq!(kept.len() as u64, 5 * 32);
    let mut damaged = kept.clone();
    damaged[40] ^= 1;
    let whole = verify(&journal, None, None);
    assert_eq!(faults(&whole), "");
    for tree in [Some(damaged), Some(Vec::new()), Some(vec![0; 7]), None] {
        let is_told = tree.as_ref().is_some_and(|tree| tree.len() == kept.len());
        match tree {
            Some(bytes) => fs::write(journal.join("tree/08"), bytes).unwrap(),
            None => fs::remove_dir_all(journal.join("tree")).unwrap(),
        }
        let verified = verify(&journal, None, None);
        let expected = if is_told { "`journal/tree` has another root of the records 257 to 512; " } else { "" };
        assert!(faults(&verified).starts_with(expected) && faults(&verified).is_empty() == expected.is_empty());
        assert_eq!(verified.root, whole.root);
        // A proof from the files alone does without what is missing, and does not believe what is wrong.
        let newest = newest_head(&journal).unwrap().unwrap();
        let proof = entry_proof_in(&journal, 300, newest).unwrap();
        let leaf = record_leaf(&journal, 300).unwrap().unwrap();
        proof.verify(&leaf_hash(&leaf), &known_keys(&journal).unwrap()).unwrap();
        open(data.path(), SEALED).unwrap().close();
        assert_eq!(fs::read(journal.join("tree/08")).unwrap(), kept);
    }
}

#[test]
fn a_crash_loses_no_head_and_signs_on_where_it_was() {
    let (data, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let office = open(data.path(), SEALED).unwrap();
    office.append(400);
    let given = office.notary.head().unwrap();
    office.append(300);
    let copied = copied.path().join("data");
    office.drop_dead(&copied);
    // Roots behind the last head may be torn: nothing of them is believed.
    let torn = copied.join("journal/tree/08");
    let bytes = fs::read(&torn).unwrap();
    fs::write(&torn, [&bytes[..32], &[7; 64]].concat()).unwrap();
    let office = open(&copied, SEALED).unwrap();
    assert_eq!(newest_head(&copied.join("journal")).unwrap(), Some(given.clone()));
    let newer = office.notary.head().unwrap();
    assert_eq!(newer.head().size, 700);
    assert_eq!(newer.head().root, root_of(&leaves(&copied.join("journal"))));
    let proof = office.notary.consistency(400, 700).unwrap();
    verify_consistency((400, &given.head().root), (700, &newer.head().root), &proof.hashes).unwrap();
}

#[test]
fn an_older_copy_is_refused_and_says_what_to_do() {
    let (data, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let office = open(data.path(), SEALED).unwrap();
    office.append(20);
    copy(data.path(), copied.path());
    office.append(10);
    let journal = office.close();
    fs::copy(journal.join("heads"), copied.path().join("journal/heads")).unwrap();
    let before = fs::read(segment_path(&copied.path().join("journal"), 1)).unwrap();
    let refused = open(copied.path(), SEALED).map(drop).unwrap_err().to_string();
    let (_, refused) = refused.split_once(", from ").unwrap();
    insta::assert_snapshot!(refused, @"record 21 on: the journal ends with record 20, and a tree head was signed over 30: what follows was acknowledged and is damaged or gone, or an older copy was put back; if there is a newer copy, put that back; nothing was changed; `forthwith repair` shows what can be saved");
    assert_eq!(fs::read(segment_path(&copied.path().join("journal"), 1)).unwrap(), before, "nothing is changed");
    let verified = verify(&copied.path().join("journal"), None, None);
    insta::assert_snapshot!(faults(&verified), @"the tree head kept in `journal/heads` was signed over 30 records, and the journal has 20: records were removed after they were signed, or this is an older copy");
    // Whoever accepts the loss takes the heads away.
    fs::rename(copied.path().join("journal/heads"), copied.path().join("heads")).unwrap();
    open(copied.path(), SEALED).unwrap().close();
}

/// Changes one byte of a record in the first segment, and makes all checksums and the whole chain right again.
pub(super) fn tamper(journal: &Path, seq: u64) {
    let path = segment_path(journal, 1);
    let mut bytes = fs::read(&path).unwrap();
    let page = Page::decode(&bytes).unwrap();
    let (mut at, mut previous) = (PAGE_BYTES, page.previous);
    while let Some(mut header) = BatchHeader::decode(&bytes[at..], page.log) {
        header.previous = previous;
        bytes[at..at + HEADER_BYTES].copy_from_slice(&header.encode());
        let end = at + HEADER_BYTES + header.length as usize;
        let mut frame = at + HEADER_BYTES;
        for nth in header.first_seq..header.first_seq + u64::from(header.count) {
            let length = 8 + u32_at(&bytes, frame) as usize;
            if nth == seq {
                bytes[frame + length - 1] ^= 1;
                let checksum = crc32c::crc32c(&bytes[frame + 8..frame + length]);
                bytes[frame + 4..frame + 8].copy_from_slice(&checksum.to_le_bytes());
                Frame::decode(&bytes[frame..]).unwrap();
            }
            frame += length;
        }
        let leaves = leaf_hashes(&bytes[at + HEADER_BYTES..end]);
        previous = hash_batch(page.format, &bytes[at..end], &leaves);
        at = end;
    }
    fs::write(&path, bytes).unwrap();
}

#[test]
fn a_record_that_was_changed_with_all_checksums_made_right_is_found() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), 1 << 20).unwrap();
    office.append(300);
    office.notary.head().unwrap();
    office.append(500);
    let held = office.notary.head().unwrap();
    office.append(10);
    let journal = office.close();
    assert_eq!(faults(&verify(&journal, None, Some(&held))), "");
    tamper(&journal, 600);
    // The chain alone does not tell.
    assert_eq!(leaves(&journal).len(), 810);
    let verified = verify(&journal, None, Some(&held));
    insta::assert_snapshot!(faults(&verified), @"
    the tree head kept in `journal/heads` over 800 records has the root ZMx3TeH1A9QtqM6u4AklzWy83+pDUDGgHi+03FRkKOc=, the records have Va2I87U1URjkUHAmDG/hE1nu1lwNTpX0rNcteRjAIQc=: one of the records 513 to 768 was changed, removed or slipped in after it was signed
    later heads that do not fit either: 1
    the tree head held outside over 800 records has the root ZMx3TeH1A9QtqM6u4AklzWy83+pDUDGgHi+03FRkKOc=, the records have Va2I87U1URjkUHAmDG/hE1nu1lwNTpX0rNcteRjAIQc=: one of the records 1 to 800 was changed, removed or slipped in after it was signed
    ");
    // The kept roots hide it from a start; without them the start finds it.
    fs::remove_dir_all(journal.join("tree")).unwrap();
    let refused = open(data.path(), 1 << 20).map(drop).unwrap_err().to_string();
    assert!(refused.starts_with("the first 810 records are not those that were signed: "), "{refused}");
    assert!(refused.contains("Put back an untouched copy; if there is none"), "{refused}");
    // Who has the key can sign everything anew: only a head held outside tells.
    for file in ["heads", "tree/08", "tree/16", "tree/24"] {
        fs::remove_file(journal.join(file)).unwrap();
    }
    open(data.path(), 1 << 20).unwrap().close();
    assert_eq!(faults(&verify(&journal, None, None)), "");
    let told = faults(&verify(&journal, None, Some(&held)));
    assert!(told.starts_with("the tree head held outside over 800 records has the root ZMx3TeH1A9"), "{told}");
    assert!(
        told.ends_with("one of the records 1 to 800 was changed, removed or slipped in after it was signed"),
        "{told}"
    );
}

#[test]
fn a_change_behind_the_last_whole_group_is_refused_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), 1 << 20).unwrap();
    office.append(GROUP + 40);
    let journal = office.close();
    tamper(&journal, GROUP + 7);
    let refused = open(data.path(), 1 << 20).map(drop).unwrap_err();
    assert!(matches!(&refused, NotaryError::Unfit(unfit) if unfit.root.is_some()), "{refused}");
}

#[test]
fn heads_of_another_key_are_not_believed() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), SEALED).unwrap();
    office.append(5);
    let former = office.notary.key();
    let held = office.notary.head().unwrap();
    let journal = office.close();
    fs::remove_file(data.path().join("signing.key")).unwrap();
    let office = open(data.path(), SEALED).unwrap();
    office.append(5);
    let present = office.notary.key();
    assert_ne!(present, former);
    office.close();
    assert_eq!(known_keys(&journal).unwrap(), [former.clone(), present.clone()]);
    assert_eq!(faults(&verify(&journal, None, Some(&held))), "", "heads of the former key are still believed");
    assert_eq!(faults(&verify(&journal, Some(&present), None)), "");
    let demanded = faults(&verify(&journal, Some(&former), None));
    assert!(
        demanded.starts_with("the tree head kept in `journal/heads` over 10 records is not to be believed"),
        "{demanded}"
    );
    fs::write(journal.join("heads.keys"), format!("{present}\n")).unwrap();
    let unknown = faults(&verify(&journal, None, None));
    assert!(unknown.contains("over 5 records is not to be believed: the note is not signed by"), "{unknown}");
}

#[test]
fn damage_in_one_segment_does_not_hide_what_the_others_hold() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), (1 << 16) + 4_096).unwrap();
    office.append(3_000);
    let journal = office.close();
    let count = segments(&journal).unwrap().len() as u64;
    assert!(count > 3);
    for number in [1, 3] {
        let path = segment_path(&journal, number);
        let mut bytes = fs::read(&path).unwrap();
        // In the first record.
        bytes[PAGE_BYTES + HEADER_BYTES + 30] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let verified = verify(&journal, None, None);
    assert_eq!((verified.segments, verified.root, verified.faults.len()), (count, None, 2), "{}", faults(&verified));
    for (fault, number) in verified.faults.iter().zip([1, 3]) {
        assert!(fault.to_string().contains(&format!("{number:010}.seg` is damaged at byte ")), "{fault}");
    }
}

/// Puts a gap in the place of the batch that holds a record of the first segment, as a repair does; returns the records lost.
pub(super) fn lose_batch_of(journal: &Path, seq: u64) -> (u64, u64) {
    let path = segment_path(journal, 1);
    let bytes = fs::read(&path).unwrap();
    let page = Page::decode(&bytes).unwrap();
    let mut repaired = Page { has_gaps: true, ..page }.encode();
    let (mut at, mut lost) = (PAGE_BYTES, (0, 0));
    while let Some(header) = BatchHeader::decode(&bytes[at..], page.log) {
        let end = at + HEADER_BYTES + header.length as usize;
        let records = u64::from(header.count);
        if (header.first_seq..header.first_seq + records).contains(&seq) {
            let next = BatchHeader::decode(&bytes[end..], page.log).unwrap();
            let gap = Gap {
                first_seq: header.first_seq,
                records,
                batches: 1,
                repaired_at: crate::domain::Timestamp::from_micros(header.written_at),
                release: "0.1.0".to_owned(),
                resumes: next.previous,
            };
            let gap_bytes = gap.encode();
            let header =
                BatchHeader { length: gap_bytes.len() as u32, count: 0, is_gap: true, is_seal: false, ..header };
            repaired.extend_from_slice(&header.encode());
            repaired.extend_from_slice(&gap_bytes);
            lost = (gap.first_seq, gap.last_seq());
        } else {
            repaired.extend_from_slice(&bytes[at..end]);
        }
        at = end;
    }
    repaired.resize(bytes.len(), 0);
    fs::write(path, repaired).unwrap();
    lost
}

#[test]
fn records_that_were_lost_to_damage_do_not_take_the_heads_with_them() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), 1 << 20).unwrap();
    for _ in 0..20 {
        office.append(50);
    }
    let held = office.notary.head().unwrap();
    office.append(40);
    let journal = office.close();
    let (first, last) = lose_batch_of(&journal, 400);
    assert!((257..=400).contains(&first) && (400..=512).contains(&last), "{first} to {last}");
    let verified = verify(&journal, None, Some(&held));
    assert_eq!((faults(&verified).as_str(), verified.records, verified.unchecked), ("", 1_040, 0));
    let gaps: Vec<(u64, u64)> = verified.gaps.iter().map(|gap| (gap.first_seq, gap.last_seq())).collect();
    assert_eq!(gaps, [(first, last)]);
    let office = open(data.path(), 1 << 20).unwrap();
    office.append(1);
    // What is left is proved as before, what is lost is not.
    let proof = office.notary.entry_proof(900).unwrap();
    let leaf = record_leaf(&journal, 900).unwrap().unwrap();
    proof.verify(&leaf_hash(&leaf), &[office.notary.key()]).unwrap();
    assert_eq!(record_leaf(&journal, 400).unwrap(), None);
    office.close();
    assert_eq!(faults(&verify(&journal, None, Some(&held))), "");
    // The kept roots are all that speaks for the group that is broken.
    fs::remove_dir_all(journal.join("tree")).unwrap();
    let told = faults(&verify(&journal, None, Some(&held)));
    assert!(told.contains("was changed, removed or slipped in"), "{told}");
    assert!(matches!(open(data.path(), 1 << 20).map(drop), Err(NotaryError::Unfit(_))));
}
