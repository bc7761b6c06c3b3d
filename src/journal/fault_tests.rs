//! Failing and full disks: what is acknowledged is there, what fails is final, what is full is waited out.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::telemetry::Registry;
use crate::time::Clock;

/// Small segments, so that a few records cross into the next.
const SEGMENT: u64 = 16 << 10;
const PAYLOAD: usize = 1_500;

/// Records that cross into the third segment.
const ENOUGH: usize = 24;

fn open(disk: &Arc<FaultyDisk>, folder: &Path) -> (Journal, Registry) {
    let config = Config {
        segment_bytes: SEGMENT,
        queue_bytes: 4 << 10,
        overflow_bytes: 20 << 10,
        linger: Duration::from_millis(1),
        // What the sealer meets with is no fault of the log.
        compress: false,
    };
    let registry = Registry::default();
    let disk = Arc::clone(disk) as Arc<dyn disk::Disk>;
    let (journal, _) = Journal::open_on(disk, folder, &config, Clock::system(), Metrics::new(&registry)).unwrap();
    (journal, registry)
}

fn payload(nth: usize) -> Vec<u8> {
    format!("{nth:0PAYLOAD$}").into_bytes()
}

fn append(journal: &Journal, nth: usize) -> Result<u64, JournalError> {
    let payload = payload(nth);
    journal.append(&Entry { kind: Kind::Turn, partition: 0, keys: &[nth as u128], payload: &payload })
}

/// What a journal holds, read as a later process would.
fn held(folder: &Path) -> Vec<Vec<u8>> {
    let (journal, _) = open(&Arc::default(), folder);
    let mut reader = journal.reader(1).unwrap();
    let mut held = Vec::new();
    while reader.next_batch(|read| held.push(read.frame.payload.to_vec())).unwrap() {}
    held
}

fn wait_until(what: impl Fn() -> bool) {
    while !what() {
        crate::sync::thread::yield_now();
    }
}

/// At whichever call it happens and whatever it is, a failure ends it: nothing is acknowledged any more, the file is not touched
/// again, and a new opening finds everything that was acknowledged.
#[test]
fn a_failure_of_the_disk_is_final() {
    use Operation::{Rename, Sync, SyncFolder, Write};
    for (operation, afters) in [(Write, 0..12), (Sync, 0..12), (Rename, 0..2), (SyncFolder, 0..2)] {
        for after in afters {
            for how in [ErrorKind::Other, ErrorKind::StorageFull] {
                // A write that lacks nothing but room is no failure, nor is a name: it may be tried again.
                if how == ErrorKind::StorageFull && !matches!(operation, Sync | SyncFolder) {
                    continue;
                }
                a_failure_is_final(operation, after, how);
            }
        }
    }
}

fn a_failure_is_final(operation: Operation, after: usize, how: ErrorKind) {
    let context = format!("{operation:?} {after} {how:?}");
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let (journal, registry) = open(&disk, folder.path());
    disk.fail(operation, after, how);
    let mut acknowledged = 0;
    let mut refused = None;
    while refused.is_none() && acknowledged < ENOUGH {
        match append(&journal, acknowledged).and_then(|seq| journal.wait_synced_blocking(seq)) {
            Ok(()) => acknowledged += 1,
            Err(error) => refused = Some(error),
        }
    }
    let (failed, path) = disk.since_failure()[0].clone();
    let later: Vec<_> = disk.since_failure().into_iter().skip(1).collect();
    assert_eq!(failed, operation, "{context}");
    let Some(refused) = refused else {
        // What failed was no segment yet, and another could be made in time.
        assert!(path.extension().is_some_and(|ending| ending == "tmp"), "{context}: {path:?}");
        drop(journal);
        return assert_eq!(held(folder.path()), (0..ENOUGH).map(payload).collect::<Vec<_>>(), "{context}");
    };
    assert!(later.iter().all(|(_, later)| *later != path), "{context}: {later:?}");
    let reason = journal.stopped().expect("it says why").to_string();
    assert!(matches!(&refused, JournalError::Stopped(why) if **why == reason), "{context}: {refused}");
    let is_told = reason.contains(&*folder.path().to_string_lossy()) && reason.ends_with("the disk of the test fails");
    assert!(is_told || how == ErrorKind::StorageFull, "{context}: {reason}");
    assert!(registry.render().contains("forthwith_journal_stopped 1"), "{context}");
    assert!(!journal.is_disk_full() && journal.is_full(), "{context}: nobody need take a turn to be told");
    // Neither now nor later.
    assert!(append(&journal, 999).is_err(), "{context}");
    let waiting = journal.wait_synced(acknowledged as u64 + 1).expect("it is not on disk");
    assert_eq!(waiting.blocking_recv().unwrap().unwrap_err().to_string(), reason, "{context}");
    assert!(journal.close().is_err(), "{context}");
    assert_eq!(journal.synced_seq(), acknowledged as u64, "{context}");
    drop(journal);
    let held = held(folder.path());
    assert!((acknowledged..=acknowledged + 1).contains(&held.len()), "{context}: {} of {acknowledged}", held.len());
    assert!(held.iter().enumerate().all(|(nth, held)| *held == payload(nth)), "{context}");
}

#[test]
fn a_full_disk_is_waited_out() {
    for fill in [FaultyDisk::fill, FaultyDisk::fill_to_the_brim] {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::default());
        let (journal, registry) = open(&disk, folder.path());
        append(&journal, 0).and_then(|seq| journal.wait_synced_blocking(seq)).unwrap();
        fill(&disk);
        let mut appended = 1;
        while !journal.is_disk_full() {
            appended += usize::from(append(&journal, appended).is_ok());
            crate::sync::thread::sleep(Duration::from_millis(2));
        }
        assert!(registry.render().contains("forthwith_journal_disk_full 1"));
        // Who looks is told to go away, who waited for the queue waits no more, and who may not wait is told why.
        let acknowledged = journal.synced_seq();
        assert!(journal.is_full() && journal.has_overflow_room() && journal.stopped().is_none());
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(journal.room());
        let told = journal.wait_synced_unless_full(acknowledged + 1).unwrap_err();
        assert_eq!(told.to_string(), "the disk is full; the journal waits for room");
        // Who comes in nevertheless waits in memory, up to the bound.
        while journal.has_overflow_room() {
            append(&journal, appended).unwrap();
            appended += 1;
        }
        assert_eq!(journal.synced_seq(), acknowledged, "nothing is acknowledged");
        assert!(appended as u64 > acknowledged + (20 << 10) / PAYLOAD as u64);
        disk.make_room();
        journal.wait_synced_blocking(appended as u64).unwrap();
        wait_until(|| !journal.is_disk_full());
        assert!(registry.render().contains("forthwith_journal_disk_full 0"));
        journal.close().unwrap();
        drop(journal);
        assert_eq!(held(folder.path()), (0..appended).map(payload).collect::<Vec<_>>(), "nothing is lost");
    }
}

/// A thread that waits for the disk may have begun to before the disk was full.
#[test]
fn who_waited_already_is_told_when_the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let (journal, _) = open(&disk, folder.path());
    disk.fill_to_the_brim();
    disk.hold();
    let seq = append(&journal, 0).unwrap();
    let waiter = crate::sync::thread::spawn({
        let journal = journal.clone();
        move || journal.wait_synced_unless_full(seq)
    });
    assert!(matches!(waiter.join().unwrap(), Err(JournalError::DiskFull)));
    disk.make_room();
    disk.release();
    journal.wait_synced_unless_full(seq).unwrap_or(());
    journal.wait_synced_blocking(seq).unwrap();
}

#[test]
fn a_journal_that_is_closed_while_the_disk_is_full_ends_at_once_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let (journal, _) = open(&disk, folder.path());
    append(&journal, 0).and_then(|seq| journal.wait_synced_blocking(seq)).unwrap();
    disk.fill_to_the_brim();
    append(&journal, 1).unwrap();
    wait_until(|| journal.is_disk_full());
    let told = journal.close().unwrap_err().to_string();
    assert!(
        told.starts_with("the journal has stopped: cannot write `") && told.contains("make room on the disk"),
        "{told}"
    );
    drop(journal);
    disk.make_room();
    assert_eq!(held(folder.path()), [payload(0)]);
}

/// Nothing is written to find out that there is no room: others may be in need of the little there is.
#[test]
fn a_segment_is_not_begun_where_it_would_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    disk.fill();
    disk.fail(Operation::Write, 0, ErrorKind::Other);
    let refused = segment::prepare(&disk, folder.path(), SEGMENT).unwrap_err();
    assert!(refused.is_want_of_room(), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
