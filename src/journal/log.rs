//! The log: segments in a folder, written at the end by one owner.

use std::fs::{self, File, OpenOptions};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::acknowledged::Acknowledged;
use super::batch::{BatchHash, BatchHeader, HEADER_BYTES, hash_batch};
use super::directory::FORMAT;
use super::disk::Disk;
use super::error::{SYNC, SYNC_FOLDER};
use super::index::IndexEntry;
use super::names::{segment_numbers, segment_path};
use super::scan::{Next, SegmentScan, Tail};
use super::segment::{Blank, PAGE_BYTES, Page, prepare};
use super::{Gap, JournalError};
use crate::domain::Timestamp;
use crate::sync::thread::{self, JoinHandle};

/// The next segment's file is begun when this part of a segment is full: a small journal does without, a busy one has it in time.
const SPARE_AFTER: u64 = 8;

/// The log while it is written.
#[derive(Debug)]
pub(super) struct Log {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    segment_bytes: u64,
    number: u64,
    epoch: u64,
    tail: Tail,
    segment: OpenSegment,
    /// Whether the tail has the hash of the last batch.
    is_chained: bool,
    /// The next segment's file, while or after it is made.
    spare: Option<JoinHandle<Result<Blank, JournalError>>>,
    /// What the records of the last segment are found by, as it was when the log was opened.
    recovered: Vec<IndexEntry>,
}

/// The segment that is written.
#[derive(Debug)]
struct OpenSegment {
    file: File,
    path: PathBuf,
    page: Page,
    /// Where the next batch goes.
    at: u64,
}

/// What was found when a log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Segments there are.
    pub segments: u64,
    /// The last record there is.
    pub last_seq: u64,
    /// The torn end that was cut off, if there was one.
    pub cut: Option<Cut>,
    /// What was lost to damage and accounted for by a repair, in its order.
    pub gaps: Vec<Gap>,
}

/// The end of the journal that is not a sound batch: as a rule that of an interrupted write, of which nothing was acknowledged as
/// durable. Neither a tree head nor the store knows of anything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment's file.
    pub path: PathBuf,
    /// Where the torn part began.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// Where a batch stands that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Appended {
    pub(super) last_seq: u64,
    /// Where its header begins in the segment's file.
    pub(super) offset: u64,
    /// Its first record, less the segment's first.
    pub(super) nth: u32,
}

impl Log {
    /// Opens the log in a folder, or begins one. `stored` is the last record that the store knows of: a log that ends before that, or
    /// before what a tree head was signed over, is refused, and nothing is changed.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        segment_bytes: u64,
        now: Timestamp,
        stored: u64,
    ) -> Result<(Self, Opening), JournalError> {
        fs::create_dir_all(folder).map_err(|e| JournalError::io("make the folder", folder, e))?;
        let known = Acknowledged::of(folder, stored)?;
        match (segment_numbers(folder)?.last(), known.refusal(0)) {
            (Some(last), _) => Self::resume(disk, folder, *last, segment_bytes, known),
            (None, Some(reason)) => Err(JournalError::damaged(&segment_path(folder, 1), 0, reason).at_record(Some(1))),
            (None, None) => Self::begin(disk, folder, segment_bytes, now),
        }
    }

    fn begin(
        disk: Arc<dyn Disk>,
        folder: &Path,
        segment_bytes: u64,
        now: Timestamp,
    ) -> Result<(Self, Opening), JournalError> {
        let birth = format!("{}|{}|{}", folder.display(), std::process::id(), now.micros());
        let log = xxh3_64(birth.as_bytes());
        let created_at = now.micros();
        let page = Page {
            format: FORMAT,
            log,
            number: 1,
            first_seq: 1,
            first_batch: 1,
            created_at,
            previous: [0; 32],
            has_gaps: false,
        };
        let (file, path) = prepare(&*disk, folder, segment_bytes)?.into_segment(&*disk, folder, &page)?;
        let segment = OpenSegment { file, path, page, at: PAGE_BYTES as u64 };
        let tail = Tail { last_batch: 0, last_seq: 0, epoch: 0, hash: [0; 32], is_sealed: false };
        let folder = folder.to_owned();
        let log = Self {
            disk,
            folder,
            segment_bytes,
            number: 1,
            epoch: 1,
            tail,
            segment,
            is_chained: true,
            spare: None,
            recovered: Vec::new(),
        };
        Ok((log, Opening { segments: 1, ..Opening::default() }))
    }

    fn resume(
        disk: Arc<dyn Disk>,
        folder: &Path,
        number: u64,
        segment_bytes: u64,
        known: Acknowledged,
    ) -> Result<(Self, Opening), JournalError> {
        let mut scan = SegmentScan::open(folder, number)?;
        // A segment is sealed when the next one is begun.
        if let Some(sealed) = scan.sealed() {
            let missing = JournalError::damaged(&segment_path(folder, number + 1), 0, "the segment is missing");
            return Err(missing.at_record(Some(sealed.tail.last_seq + 1)));
        }
        let path = scan.path.clone();
        let first_seq = scan.page.first_seq;
        let mut entries = Vec::new();
        loop {
            match scan.peek()? {
                Next::Batch(header) => {
                    for read in scan.take(&header) {
                        let nth = (read.seq - first_seq) as u32;
                        entries.extend(read.frame.keys().map(|key| IndexEntry { key, offset: read.offset, nth }));
                    }
                }
                Next::Gap(header, gap) => scan.step_over(&header, &gap),
                Next::Blank | Next::Broken(_) => break,
            }
        }
        if let Some((at, later)) = scan.later_batch()? {
            let reason =
                format!("batch {} is damaged, and batch {} at byte {at} is not", scan.tail.last_batch + 1, later.batch);
            return Err(scan.damaged(&reason));
        }
        // Before anything is cut: what looks like the end of an interrupted write may be damage to what was acknowledged.
        if let Some(reason) = known.refusal(scan.tail.last_seq) {
            return Err(scan.damaged(&reason));
        }
        let (at, page, tail) = (scan.at, scan.page, scan.tail);
        let written_until = scan.written_until()?;
        drop(scan);
        let file =
            OpenOptions::new().read(true).write(true).open(&path).map_err(|e| JournalError::io("open", &path, e))?;
        let cut = if written_until > at { Some(cut(&*disk, &file, &path, at..written_until)?) } else { None };
        // What was read may be in the machine's memory only: a process that was killed had perhaps not synced it.
        disk.sync(&file, &path).map_err(|e| JournalError::io(SYNC, &path, e))?;
        disk.sync_folder(folder).map_err(|e| JournalError::io(SYNC_FOLDER, folder, e))?;
        // The epoch of an empty segment is that of the segment before; the log's first epoch is 1.
        let epoch = if tail.epoch == 0 && number > 1 { last_epoch(folder, number - 1)? } else { tail.epoch } + 1;
        let gaps = gaps_of(folder, number)?;
        let opening = Opening { segments: number, last_seq: tail.last_seq, cut, gaps };
        let segment = OpenSegment { file, path, page, at };
        let folder = folder.to_owned();
        Ok((
            Self {
                disk,
                folder,
                segment_bytes,
                number,
                epoch,
                tail,
                segment,
                is_chained: true,
                spare: None,
                recovered: entries,
            },
            opening,
        ))
    }

    pub(super) fn tail(&self) -> Tail {
        self.tail
    }

    /// The number of the log, which its segments and batches name.
    pub(super) fn log_number(&self) -> u64 {
        self.segment.page.log
    }

    pub(super) fn segment_number(&self) -> u64 {
        self.number
    }

    /// What the records of the last segment are found by, as it was when the log was opened. Handed out once.
    pub(super) fn take_recovered(&mut self) -> Vec<IndexEntry> {
        std::mem::take(&mut self.recovered)
    }

    /// Bytes of frames that fit into an empty segment: its page, the batch's header and that of the end apart.
    pub(super) fn batch_max(&self) -> usize {
        (self.segment_bytes as usize).saturating_sub(PAGE_BYTES + 2 * HEADER_BYTES)
    }

    /// Whether the next batch of so many bytes needs another segment first.
    pub(super) fn needs_segment(&self, batch: usize) -> bool {
        self.segment.at + (batch + HEADER_BYTES) as u64 > self.segment_bytes
    }

    /// Begins the next segment and returns the number of the full one. Fails when the disk is full, and may then be tried again.
    pub(super) fn roll(&mut self, now: Timestamp) -> Result<u64, JournalError> {
        let prepared = self.spare.take().and_then(|spare| spare.join().ok()).and_then(Result::ok);
        let blank = match prepared {
            Some(blank) => blank,
            None => prepare(&*self.disk, &self.folder, self.segment_bytes)?,
        };
        let page = Page {
            format: FORMAT,
            log: self.segment.page.log,
            number: self.number + 1,
            first_seq: self.tail.last_seq + 1,
            first_batch: self.tail.last_batch + 1,
            created_at: now.micros(),
            previous: self.tail.hash,
            has_gaps: false,
        };
        let (file, path) = blank.into_segment(&*self.disk, &self.folder, &page)?;
        self.segment = OpenSegment { file, path, page, at: PAGE_BYTES as u64 };
        self.number += 1;
        Ok(self.number - 1)
    }

    /// Writes the header of the next batch into the room that `batch` has for it, before its frames. `expected` is the last
    /// record the caller knows of; with another end nothing may be written.
    pub(super) fn prepare(
        &self,
        expected: u64,
        count: u32,
        batch: &mut [u8],
        now: Timestamp,
    ) -> Result<BatchHeader, JournalError> {
        if expected != self.tail.last_seq {
            return Err(JournalError::WrongSequence { expected, found: self.tail.last_seq });
        }
        if self.needs_segment(batch.len()) {
            return Err(JournalError::TooLarge { bytes: batch.len() - HEADER_BYTES, limit: self.batch_max() });
        }
        Ok(self.head(count, batch, false, now))
    }

    /// Writes the batch that was prepared and makes it durable; what failed for want of room alone may be tried again. Its hash is
    /// to be handed to [`Log::chain`] before the next is prepared.
    pub(super) fn append(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<Appended, JournalError> {
        let appended = Appended {
            last_seq: self.tail.last_seq + u64::from(header.count),
            offset: self.segment.at,
            nth: (header.first_seq - self.segment.page.first_seq) as u32,
        };
        self.write(header, batch)?;
        self.prepare_spare();
        Ok(appended)
    }

    /// The format of the open segment's batches.
    pub(super) fn format(&self) -> u32 {
        self.segment.page.format
    }

    /// Takes the hash of the batch that was appended last, which the next one names.
    pub(super) fn chain(&mut self, hash: BatchHash) {
        self.tail.hash = hash;
        self.is_chained = true;
    }

    /// Ends the log in good order: from now on nothing of it may be missing.
    pub(super) fn seal(&mut self, now: Timestamp) -> Result<(), JournalError> {
        let mut batch = [0; HEADER_BYTES];
        let header = self.head(0, &mut batch, true, now);
        self.write(&header, &batch)?;
        self.chain(hash_batch(self.format(), &batch, &[]));
        if let Some(spare) = self.spare.take()
            && let Ok(Ok(blank)) = spare.join()
        {
            blank.discard();
        }
        Ok(())
    }

    fn head(&self, count: u32, batch: &mut [u8], is_seal: bool, now: Timestamp) -> BatchHeader {
        debug_assert!(self.is_chained, "a batch names the one before it");
        let header = BatchHeader {
            length: (batch.len() - HEADER_BYTES) as u32,
            count,
            batch: self.tail.last_batch + 1,
            first_seq: self.tail.last_seq + 1,
            epoch: self.epoch,
            written_at: now.micros(),
            previous: self.tail.hash,
            is_seal,
            is_gap: false,
            log: self.segment.page.log,
        };
        batch[..HEADER_BYTES].copy_from_slice(&header.encode());
        header
    }

    fn write(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<(), JournalError> {
        let OpenSegment { file, path, at, .. } = &mut self.segment;
        self.disk.write(file, path, batch, *at).map_err(|e| JournalError::io("write", path, e))?;
        self.disk.sync(file, path).map_err(|e| JournalError::io(SYNC, path, e))?;
        *at += batch.len() as u64;
        self.is_chained = false;
        self.tail = Tail {
            last_batch: header.batch,
            last_seq: self.tail.last_seq + u64::from(header.count),
            epoch: self.epoch,
            hash: self.tail.hash,
            is_sealed: header.is_seal,
        };
        Ok(())
    }

    /// Makes the next segment's file ahead of time, once it is likely to be needed.
    fn prepare_spare(&mut self) {
        if self.spare.is_none() && self.segment.at > self.segment_bytes / SPARE_AFTER {
            let (disk, folder, bytes) = (Arc::clone(&self.disk), self.folder.clone(), self.segment_bytes);
            let thread = thread::Builder::new().name("forthwith-segment".to_owned());
            let made = thread.spawn(move || prepare(&*disk, &folder, bytes));
            // Without a thread the segment is made when it is needed.
            self.spare = made.ok();
        }
    }
}

/// Zeroes what an interrupted write left, so that nothing of it can be taken for a batch later. Durable after the next sync.
fn cut(disk: &dyn Disk, file: &File, path: &Path, torn: Range<u64>) -> Result<Cut, JournalError> {
    let failed = |e| JournalError::io("cut the torn end of", path, e);
    let bytes = torn.end - torn.start;
    disk.write(file, path, &vec![0; bytes as usize], torn.start).map_err(failed)?;
    Ok(Cut { path: path.to_owned(), offset: torn.start, bytes })
}

/// The gaps of all segments. Those that have some say so on their page.
fn gaps_of(folder: &Path, last: u64) -> Result<Vec<Gap>, JournalError> {
    let mut gaps = Vec::new();
    for number in 1..=last {
        if Page::read(folder, number)?.has_gaps {
            gaps.extend(SegmentScan::open(folder, number)?.run_to_end()?);
        }
    }
    Ok(gaps)
}

/// The epoch of the last batch up to the end of a segment.
fn last_epoch(folder: &Path, number: u64) -> Result<u64, JournalError> {
    let mut scan = SegmentScan::open(folder, number)?;
    let epoch = if let Some(sealed) = scan.sealed() {
        sealed.tail.epoch
    } else {
        scan.run_to_end()?;
        scan.tail.epoch
    };
    // A repair may have left a segment without a batch.
    if epoch == 0 && number > 1 { last_epoch(folder, number - 1) } else { Ok(epoch) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::super::batch::{Entry, Kind, leaf_hashes};
    use super::super::disk::MachineDisk;
    use super::super::reader::Reader;
    use super::*;

    const SEGMENT: u64 = 8_192;

    fn now() -> Timestamp {
        Timestamp::from_micros(1_763_800_000_000_000)
    }

    fn open(folder: &Path) -> Result<(Log, Opening), JournalError> {
        Log::open(Arc::new(MachineDisk), folder, SEGMENT, now(), 0)
    }

    fn batch(payloads: &[&str]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        for payload in payloads {
            let keys = [payload.len() as u128];
            let entry = Entry { kind: Kind::Turn, partition: 1, keys: &keys, payload: payload.as_bytes() };
            entry.write(entry.checksum(), &mut bytes);
        }
        bytes
    }

    fn append(log: &mut Log, payloads: &[&str]) -> u64 {
        let mut batch = batch(payloads);
        if log.needs_segment(batch.len()) {
            log.roll(now()).unwrap();
        }
        let header = log.prepare(log.tail().last_seq, payloads.len() as u32, &mut batch, now()).unwrap();
        let appended = log.append(&header, &batch).unwrap();
        log.chain(hash_batch(log.format(), &batch, &leaf_hashes(&batch[HEADER_BYTES..])));
        appended.last_seq
    }

    fn read(folder: &Path, from: u64) -> Result<Vec<(u64, String)>, JournalError> {
        let mut reader = Reader::new(folder, from)?;
        let mut records = Vec::new();
        let mut each = |read: super::super::scan::Read<'_>| {
            records.push((read.seq, String::from_utf8(read.frame.payload.to_vec()).unwrap()));
        };
        while reader.next_batch(&mut each)? {}
        Ok(records)
    }

    #[test]
    fn what_was_appended_is_read_across_segments_and_openings() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, opening) = open(folder.path()).unwrap();
        assert_eq!(opening, Opening { segments: 1, ..Opening::default() });
        let long = "x".repeat(1_500);
        for nth in 0..7 {
            append(&mut log, &[&format!("{nth}"), &long]);
        }
        log.seal(now()).unwrap();
        assert!(!folder.path().join("next.tmp").exists(), "a spare that was not needed is gone");
        drop(log);
        let (mut log, opening) = open(folder.path()).unwrap();
        assert_eq!((opening.segments, opening.last_seq, opening.cut), (4, 14, None));
        assert_eq!(append(&mut log, &["after"]), 15);
        let records = read(folder.path(), 13).unwrap();
        assert_eq!(
            records.iter().map(|(seq, text)| (*seq, text.len())).collect::<Vec<_>>(),
            [(13, 1), (14, 1_500), (15, 5)]
        );
        assert_eq!(read(folder.path(), 1).unwrap().len(), 15);
    }

    #[test]
    fn an_append_that_expects_another_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path()).unwrap();
        append(&mut log, &["a", "b"]);
        let refused = log.prepare(1, 1, &mut batch(&["c"]), now()).unwrap_err().to_string();
        assert_eq!(refused, "append expected the journal to end at record 1, it ends at 2");
        assert_eq!(read(folder.path(), 1).unwrap().len(), 2);
    }

    /// Every way in which the last write can be torn: it is cut, reported, and what was durable stays.
    #[test]
    fn a_torn_end_is_cut_and_reported() {
        for torn in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            let (mut log, _) = open(folder.path()).unwrap();
            append(&mut log, &["first"]);
            let at = log.segment.at;
            append(&mut log, &["second", "third"]);
            let path = log.segment.path.clone();
            drop(log);
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            match torn {
                0 => file.write_all_at(&[0; 20], at + 110).unwrap(),
                1 => file.write_all_at(&[0; HEADER_BYTES], at).unwrap(),
                2 => file.set_len(at + 130).unwrap(),
                _ => file.write_all_at(b"garbage", at + 3).unwrap(),
            }
            let (mut log, opening) = open(folder.path()).unwrap();
            assert_eq!(opening.last_seq, 1, "case {torn}");
            let cut = opening.cut.unwrap();
            assert_eq!((cut.offset, cut.path), (at, path), "case {torn}");
            assert_eq!(append(&mut log, &["again"]), 2);
            let texts: Vec<String> = read(folder.path(), 1).unwrap().into_iter().map(|(_, text)| text).collect();
            assert_eq!(texts, ["first", "again"], "case {torn}");
        }
    }

    /// The end looks like that of an interrupted write, and the store knows better.
    #[test]
    fn a_torn_end_that_was_acknowledged_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path()).unwrap();
        append(&mut log, &["first"]);
        let at = log.segment.at;
        append(&mut log, &["second", "third"]);
        let path = log.segment.path.clone();
        drop(log);
        let mut damaged = fs::read(&path).unwrap();
        damaged[at as usize + 110] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let open = |stored| Log::open(Arc::new(MachineDisk), folder.path(), SEGMENT, now(), stored);
        let refused = open(2).map(drop).unwrap_err().to_string();
        assert!(
            refused.contains("from record 2 on: the journal ends with record 1, and the store knows of record 2: ")
        );
        assert!(fs::read(&path).unwrap() == damaged, "nothing is changed");
        assert!(open(1).unwrap().1.cut.is_some());
        let gone = tempfile::tempdir().unwrap();
        let refused = Log::open(Arc::new(MachineDisk), gone.path(), SEGMENT, now(), 1).map(drop).unwrap_err();
        assert!(matches!(&refused, JournalError::Damaged { record: Some(1), .. }), "{refused}");
        assert_eq!(fs::read_dir(gone.path()).unwrap().count(), 0, "no other log is begun");
    }

    /// A damaged byte anywhere before the last batch is never cut: it is named, and nothing is changed.
    #[test]
    fn damage_before_the_end_is_refused_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path()).unwrap();
        for text in ["one", "two", "three"] {
            append(&mut log, &[text]);
        }
        log.seal(now()).unwrap();
        let (path, end) = (log.segment.path.clone(), log.segment.at);
        drop(log);
        let sound = fs::read(&path).unwrap();
        for at in (0..end - HEADER_BYTES as u64).step_by(5).filter(|at| *at < 88 || *at >= PAGE_BYTES as u64) {
            let mut damaged = sound.clone();
            damaged[at as usize] ^= 0x40;
            fs::write(&path, &damaged).unwrap();
            let refused = open(folder.path()).map(|(_, opening)| opening).unwrap_err();
            assert!(
                matches!(&refused, JournalError::Damaged { path: named, .. } if *named == path),
                "byte {at}: {refused}"
            );
            assert!(read(folder.path(), 1).is_err(), "byte {at}");
            assert_eq!(fs::read(&path).unwrap(), damaged, "byte {at}: nothing is changed");
        }
    }

    /// A disk that notes what is made durable.
    #[derive(Debug, Default)]
    struct Noted(std::sync::Mutex<Vec<PathBuf>>);

    impl Disk for Noted {
        fn reserve(&self, file: &File, path: &Path, bytes: u64) -> std::io::Result<()> {
            MachineDisk.reserve(file, path, bytes)
        }

        fn write(&self, file: &File, path: &Path, bytes: &[u8], at: u64) -> std::io::Result<()> {
            MachineDisk.write(file, path, bytes, at)
        }

        fn sync(&self, file: &File, path: &Path) -> std::io::Result<()> {
            self.0.lock().unwrap().push(path.to_owned());
            MachineDisk.sync(file, path)
        }

        fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
            MachineDisk.rename(from, to)
        }

        fn remove(&self, path: &Path) -> std::io::Result<()> {
            MachineDisk.remove(path)
        }

        fn sync_folder(&self, folder: &Path) -> std::io::Result<()> {
            self.0.lock().unwrap().push(folder.to_owned());
            MachineDisk.sync_folder(folder)
        }
    }

    /// A process that was killed between a write and its sync leaves records that are read but not durable.
    #[test]
    fn what_is_found_is_made_durable_before_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path()).unwrap();
        append(&mut log, &["written"]);
        let path = log.segment.path.clone();
        drop(log);
        let disk = Arc::new(Noted::default());
        let (_, opening) = Log::open(Arc::clone(&disk) as Arc<dyn Disk>, folder.path(), SEGMENT, now(), 0).unwrap();
        assert_eq!((opening.last_seq, opening.cut), (1, None));
        assert_eq!(*disk.0.lock().unwrap(), [path, folder.path().to_owned()]);
    }

    #[test]
    fn a_missing_segment_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = open(folder.path()).unwrap();
        let long = "x".repeat(3_000);
        for _ in 0..4 {
            append(&mut log, &[&long]);
        }
        drop(log);
        fs::remove_file(segment_path(folder.path(), 2)).unwrap();
        let refused = read(folder.path(), 1).unwrap_err().to_string();
        assert!(refused.contains("0000000002.seg") && refused.contains("the segment is missing"), "{refused}");
    }
}
