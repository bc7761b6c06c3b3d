//! The journal as others use it: appending from many threads, waiting, finding, closing, opening again.

mod sealed;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::Timestamp;
use crate::telemetry::Registry;
use crate::time::Clock;

fn config() -> Config {
    Config {
        segment_bytes: 1 << 16,
        queue_bytes: 1 << 14,
        overflow_bytes: 1 << 15,
        linger: Duration::from_millis(1),
        compress: true,
    }
}

fn open(folder: &std::path::Path) -> (Journal, Opening) {
    Journal::open(folder, &config(), Clock::system(), Metrics::new(&Registry::default())).unwrap()
}

fn append(journal: &Journal, key: u128, payload: &[u8]) -> u64 {
    journal.append(&Entry { kind: Kind::Turn, partition: 0, keys: &[key], payload }).unwrap()
}

#[test]
fn many_writers_share_syncs_and_find_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    const WRITERS: u128 = 8;
    const EACH: u128 = 200;
    // Wherever the time points, what there is is found.
    let at = Timestamp::from_micros(0);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let journal = journal.clone();
            scope.spawn(move || {
                for nth in 0..EACH {
                    let key = writer * EACH + nth;
                    let seq = append(&journal, key, format!("payload of {key}").as_bytes());
                    journal.wait_synced_blocking(seq).unwrap();
                    assert!(journal.synced_seq() >= seq);
                    let found = journal.find(key, at).unwrap().unwrap();
                    assert_eq!((found.seq, found.payload), (seq, format!("payload of {key}").into_bytes()));
                }
            });
        }
    });
    assert_eq!(journal.last_seq(), (WRITERS * EACH) as u64);
    journal.close().unwrap();
    drop(journal);
    let (journal, opening) = open(folder.path());
    assert_eq!(opening.last_seq, (WRITERS * EACH) as u64);
    assert!(opening.segments > 1, "the test crosses segments");
    for key in 0..WRITERS * EACH {
        assert!(journal.find(key, at).unwrap().is_some(), "{key}");
    }
    for key in [0, 77, WRITERS * EACH - 1] {
        assert_eq!(record_with_key(folder.path(), key).unwrap(), journal.find(key, at).unwrap());
    }
    assert_eq!(journal.find(WRITERS * EACH, at).unwrap(), None);
    let first = journal.record_at(1).unwrap().unwrap();
    assert_eq!(first.seq, 1);
}

#[test]
fn a_full_queue_says_so_and_makes_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    let payload = vec![1; 4_096];
    let mut was_full = false;
    for key in 0..200 {
        append(&journal, key, &payload);
        if journal.is_full() {
            was_full = true;
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(journal.room());
        }
    }
    assert!(was_full);
    journal.close().unwrap();
}

#[test]
fn what_no_segment_holds_is_refused_and_what_gathers_is_cut_into_batches() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    let entry = |payload| Entry { kind: Kind::Turn, partition: 0, keys: &[], payload };
    let refused = journal.append(&entry(&[0; 1 << 16])).unwrap_err().to_string();
    assert!(refused.starts_with("a record of 65548 bytes does not fit into a segment"), "{refused}");
    assert_eq!(journal.stopped(), None, "nothing else suffers");
    // More than a segment holds, appended faster than the disk takes it.
    let payload = vec![7; 5_000];
    let last = (0..200).fold(0, |_, key| append(&journal, key, &payload));
    journal.wait_synced_blocking(last).unwrap();
    journal.close().unwrap();
    drop(journal);
    let (journal, opening) = open(folder.path());
    assert_eq!(opening.last_seq, 200);
    assert_eq!(journal.find(199, Timestamp::from_micros(0)).unwrap().unwrap().payload, payload);
}

#[test]
fn a_queue_hands_out_no_more_than_a_batch_may_have() {
    let queue = queue::Queue::new(0, queue::Limits { queue: 300, overflow: 0, batch: 100 }, Duration::ZERO);
    let mut waiting = Vec::new();
    for key in 1..=3_u8 {
        let entry = Entry { kind: Kind::Turn, partition: 0, keys: &[u128::from(key)], payload: &[key; 20] };
        let seq = queue.append(&entry).unwrap();
        waiting.push(queue.wait_synced(seq).unwrap());
    }
    queue.close();
    let mut seen = Vec::new();
    while let Some(taken) = queue.take(queue::Taken::default()) {
        for entry in &taken.entries {
            let (frame, _) = Frame::decode(&taken.batch[entry.offset as usize..]).unwrap();
            assert_eq!(frame.keys().collect::<Vec<_>>(), [entry.key], "an entry says where its record begins");
        }
        seen.push((taken.count, taken.entries.iter().map(|entry| entry.nth).collect::<Vec<_>>()));
        queue.announce(seen.iter().map(|(count, _)| u64::from(*count)).sum());
        let woken: Vec<bool> = waiting.iter_mut().map(|waiting| waiting.try_recv().is_ok()).collect();
        seen.last_mut().unwrap().1.push(woken.iter().filter(|woken| **woken).count() as u32);
    }
    assert_eq!(seen, [(2, vec![0, 1, 2]), (1, vec![0, 1])], "who waits for a record is woken with its batch");
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn a_closed_or_failed_journal_refuses_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    let seq = append(&journal, 1, b"x");
    journal.close().unwrap();
    assert!(journal.wait_synced(seq).is_none(), "what was appended is on disk after closing");
    journal.close().unwrap();
    let late = Entry { kind: Kind::Turn, partition: 0, keys: &[], payload: b"late" };
    assert_eq!(journal.append(&late).unwrap_err().to_string(), "the journal has stopped: it is closed");

    let queue = queue::Queue::new(0, queue::Limits { queue: 100, overflow: 0, batch: 1_000 }, Duration::ZERO);
    let waiting = queue.wait_synced(1).unwrap();
    queue.stop(&Arc::from("the disk is on fire"));
    assert_eq!(waiting.blocking_recv().unwrap().unwrap_err().as_ref(), "the disk is on fire");
    let entry = Entry { kind: Kind::Turn, partition: 0, keys: &[], payload: &[] };
    assert_eq!(queue.append(&entry).unwrap_err().to_string(), "the journal has stopped: the disk is on fire");
    assert!(queue.wait_synced(9).unwrap().blocking_recv().unwrap().is_err());
}

#[test]
fn a_discarding_journal_numbers_records_and_keeps_none() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::discarding(folder.path());
    assert_eq!([1, 2, 3].map(|key| append(&journal, key, b"gone")), [1, 2, 3]);
    assert_eq!((journal.last_seq(), journal.synced_seq(), journal.is_full()), (3, 3, false));
    assert!(journal.wait_synced(3).is_none());
    journal.wait_synced_blocking(3).unwrap();
    assert_eq!(journal.find(2, Timestamp::from_micros(0)).unwrap(), None);
    assert!(!journal.reader(1).unwrap().next_batch(|_| ()).unwrap());
    journal.close().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
