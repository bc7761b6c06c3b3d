//! What is proved, and what is not, of a journal of which records were lost or roots were damaged.

use std::fs;
use std::path::Path;

use super::levels::GROUP;
use super::notary_tests::{Office, faults, lose_batch_of, open, tamper, verify};
use super::*;
use crate::tlog::{SignedHead, SigningKey, TreeHead, leaf_hash, verify_consistency, verify_inclusion};

/// Segments that nothing is changed in by compressing them.
const LARGE: u64 = 1 << 20;

/// A journal of 1,040 records of which the batch with the record `lost` was lost, what was lost of it, and the heads over 50, 100 ...
fn with_lost(data: &Path, lost: u64) -> (Office, (u64, u64), Vec<SignedHead>) {
    let office = open(data, LARGE).unwrap();
    let mut heads = Vec::new();
    for _ in 0..20 {
        office.append(50);
        heads.push(office.notary.head().unwrap());
    }
    office.append(40);
    let journal = office.close();
    let lost = lose_batch_of(&journal, lost);
    (open(data, LARGE).unwrap(), lost, heads)
}

fn is_lost<T>(proof: Result<T, NotaryError>) -> (u64, u64) {
    match proof {
        Err(NotaryError::Lost { first, last }) => (first, last),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is proved"),
    }
}

#[test]
fn no_proof_is_given_that_needs_the_hash_of_a_lost_record() {
    let data = tempfile::tempdir().unwrap();
    let (office, (first, last), heads) = with_lost(data.path(), 400);
    assert!(first > GROUP && last < 2 * GROUP, "{first} to {last}");
    let lost = (first, last);
    let (journal, notary) = (office.directory.journal(), &office.notary);
    let newest = notary.head().unwrap();
    // Neither the lost record nor another of its group, from the running journal or from the files.
    for seq in [400, GROUP + 1, 2 * GROUP] {
        assert_eq!(is_lost(notary.inclusion(seq, 1_040)), lost, "record {seq}");
        assert_eq!(is_lost(notary.entry_proof(seq)), lost, "record {seq}");
        assert_eq!(is_lost(entry_proof_in(&journal, seq, newest.clone())), lost, "record {seq}");
    }
    // No tree that ends within the group and behind what was lost: nobody knows its root any more.
    let within = last + 1;
    assert_eq!(is_lost(notary.consistency(within, 1_040)), lost);
    assert_eq!(is_lost(notary.consistency(within, within)), lost);
    assert_eq!(is_lost(notary.inclusion(3, within)), lost);
    // Everything else is proved, and the proofs prove it.
    let tree = newest.head();
    for seq in [1, GROUP, 2 * GROUP + 1, 1_040] {
        let proof = notary.inclusion(seq, 1_040).unwrap();
        verify_inclusion(seq - 1, 1_040, &proof.leaf, &proof.hashes, &tree.root).unwrap();
    }
    let mut proved = 0;
    for head in heads.iter().map(SignedHead::head) {
        match notary.consistency(head.size, 1_040) {
            Ok(proof) => {
                assert!(!(first..=2 * GROUP).contains(&head.size), "{}", head.size);
                verify_consistency((head.size, &head.root), (1_040, &tree.root), &proof.hashes).unwrap();
                proved += 1;
            }
            Err(NotaryError::Lost { .. }) => assert!((GROUP..2 * GROUP).contains(&head.size), "{}", head.size),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(proved >= 15, "{proved}");
}

#[test]
fn records_lost_at_the_end_of_a_group_are_lost_and_do_not_end_the_journal() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), LARGE).unwrap();
    // A batch holds no records of two of these.
    for count in [240, 30, 330] {
        office.append(count);
    }
    let lost = lose_batch_of(&office.close(), GROUP);
    let office = open(data.path(), LARGE).unwrap();
    let told = is_lost(office.notary.inclusion(1, 600));
    assert_eq!(told, (lost.0, GROUP), "the next group is another's business");
    assert_eq!(is_lost(office.notary.inclusion(GROUP, 600)).1, GROUP);
    let message = NotaryError::Lost { first: told.0, last: told.1 }.to_string();
    assert!(message.starts_with(&format!("it cannot be proved: the records {} to 256", told.0)), "{message}");
}

#[test]
fn a_root_that_was_changed_on_the_disk_proves_nothing() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), LARGE).unwrap();
    office.append(1_000);
    office.notary.head().unwrap();
    let tree = office.directory.journal().join("tree/08");
    let mut changed = fs::read(&tree).unwrap();
    changed[40] ^= 1;
    fs::write(tree, changed).unwrap();
    assert!(matches!(office.notary.inclusion(3, 1_000), Err(NotaryError::Disagree { size: 1_000, .. })));
    assert!(matches!(office.notary.consistency(300, 1_000), Err(NotaryError::Disagree { size: 1_000, .. })));
    assert!(matches!(office.notary.inclusion(300, 900), Err(NotaryError::Disagree { size: 900, .. })));
}

#[test]
fn a_running_journal_has_its_roots_at_hand_and_does_not_read_all_records_for_a_proof() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), (1 << 16) + 4_096).unwrap();
    office.append(3_000);
    let journal = office.directory.journal();
    let before = office.notary.entry_proof(3).unwrap();
    fs::remove_dir_all(journal.join("tree")).unwrap();
    // A segment that holds neither the record's group nor the last one cannot be read.
    assert!(segments(&journal).unwrap().len() > 3);
    let path = names::segment_path(&journal, 3);
    let mut bytes = fs::read(&path).unwrap();
    bytes[segment::PAGE_BYTES + HEADER_BYTES + 30] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(office.notary.entry_proof(3).unwrap(), before);
    let leaf = record_leaf(&journal, 3).unwrap().unwrap();
    before.verify(&leaf_hash(&leaf), &[office.notary.key()]).unwrap();
    assert!(entry_proof_in(&journal, 3, before.head).is_err(), "the files alone do not do it");
}

#[test]
fn what_no_tree_can_have_is_said_so() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), LARGE).unwrap();
    office.append(9);
    let told = |seq, size| office.notary.inclusion(seq, size).unwrap_err().to_string();
    assert_eq!(told(5, 0), "the tree over 0 records has no record 5: they are numbered from 1");
    assert_eq!(told(0, 9), "the tree over 9 records has no record 0: they are numbered from 1");
    assert_eq!(told(5, 3), "the tree over 3 records has no record 5: they are numbered from 1");
    assert_eq!(
        office.notary.consistency(5, 3).unwrap_err().to_string(),
        "that the tree over 3 records begins with the tree over 5 cannot be proved: `from` is at least 1 and at most `to`"
    );
}

#[test]
fn a_head_held_outside_that_cannot_be_checked_is_not_vouched_for() {
    let data = tempfile::tempdir().unwrap();
    let (office, (first, last), heads) = with_lost(data.path(), 400);
    let key: SigningKey = fs::read_to_string(data.path().join("signing.key")).unwrap().trim().parse().unwrap();
    let of = |size: u64, root| TreeHead { size, root, ..heads[0].head().clone() }.sign(&key).unwrap();
    let journal = office.close();
    let told = |held: &SignedHead| faults(&verify(&journal, None, Some(held)));
    let invented = of(last + 1, [7; 32]);
    assert_eq!(
        told(&invented),
        format!(
            "the tree head held outside over {} records cannot be checked: the records {first} to {last}, of the 256 that its last root \
             is made of, were lost to damage; give one over fewer records or more",
            last + 1
        )
    );
    // In the same group, before what was lost, it can.
    let before = heads.iter().find(|head| (GROUP + 1..first).contains(&head.head().size)).unwrap();
    assert_eq!(told(before), "");
    let invented = told(&of(before.head().size, [7; 32]));
    assert!(invented.contains("was changed, removed or slipped in after it was signed"), "{invented}");
    // Kept heads are counted: those between the first lost record and the end of its group.
    let unchecked = heads.iter().filter(|head| (first..2 * GROUP).contains(&head.head().size)).count() as u64;
    let verified = verify(&journal, None, None);
    assert_eq!((faults(&verified).as_str(), verified.unchecked, verified.heads), ("", unchecked, 21));
}

#[test]
fn a_key_that_nothing_is_signed_with_is_a_fault() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), LARGE).unwrap();
    office.append(9);
    let (key, held) = (office.notary.key(), office.notary.head().unwrap());
    let journal = office.close();
    assert_eq!(faults(&verify(&journal, Some(&key), None)), "");
    fs::remove_file(journal.join("heads")).unwrap();
    assert_eq!(faults(&verify(&journal, None, None)), "");
    assert_eq!(faults(&verify(&journal, Some(&key), Some(&held))), "");
    let told = faults(&verify(&journal, Some(&key), None));
    assert!(
        told.starts_with("no tree head is kept in `journal/heads`, so nothing here is signed with `example.com/log+"),
        "{told}"
    );
}

#[test]
fn a_start_looks_at_the_last_group_only_and_a_proof_at_its_own() {
    let data = tempfile::tempdir().unwrap();
    let office = open(data.path(), LARGE).unwrap();
    office.append(800);
    tamper(&office.close(), 600);
    // The roots that are kept are those of before: the start does not read what they stand for.
    let office = open(data.path(), LARGE).unwrap();
    assert!(office.notary.inclusion(100, 800).is_ok());
    for seq in [600, 601] {
        let told = office.notary.inclusion(seq, 800).unwrap_err();
        assert!(matches!(told, NotaryError::Disagree { size: 800, .. }), "{told}");
    }
    let newest = office.notary.head().unwrap();
    let journal = office.directory.journal();
    assert!(matches!(entry_proof_in(&journal, 600, newest), Err(NotaryError::Unfit(_))));
    assert!(faults(&verify(&journal, None, None)).contains("one of the records 513 to 768 was changed"));
}
