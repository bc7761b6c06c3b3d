//! Reading the journal: record after record, over the borders of its segments.

use std::path::{Path, PathBuf};

use super::names::{is_there, segment_numbers, segment_path};
use super::scan::{Next, Read, SegmentScan};
use super::segment::Page;
use super::{Gap, JournalError};
use crate::domain::Timestamp;

/// A segment of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSpan {
    /// Its number, counted from 1.
    pub number: u64,
    /// The sequence of its first record.
    pub first_seq: u64,
    /// When it was begun.
    pub begun_at: Timestamp,
}

/// The segments of the journal in `folder`, in their order. Reads the first page of each.
pub fn segments(folder: &Path) -> Result<Vec<SegmentSpan>, JournalError> {
    let span = |number| {
        let page = Page::read(folder, number)?;
        Ok(SegmentSpan { number, first_seq: page.first_seq, begun_at: Timestamp::from_micros(page.created_at) })
    };
    segment_numbers(folder)?.into_iter().map(span).collect()
}

/// Reads the records of a journal from a sequence on, in order, everything checked. Needs no lock: it may run beside a
/// process that writes, and then ends where that process has come to. Holds a mebibyte or a batch in memory.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    /// The number of the next segment to open, and of the last one.
    next: u64,
    last: u64,
    scan: Option<SegmentScan>,
    from: u64,
    gaps: Vec<Gap>,
}

impl Reader {
    /// A reader of the journal in `folder` that begins with the record `from`.
    pub fn new(folder: &Path, from: u64) -> Result<Self, JournalError> {
        let last = segment_numbers(folder)?.len() as u64;
        let next = if last == 0 { 1 } else { segment_of(folder, last, from)? };
        Ok(Self { folder: folder.to_owned(), next, last, scan: None, from, gaps: Vec::new() })
    }

    /// A reader of one segment's records, so that several can be read side by side. Checks that the next one continues it.
    pub fn of_segment(folder: &Path, number: u64) -> Self {
        Self { folder: folder.to_owned(), next: number, last: number, scan: None, from: 0, gaps: Vec::new() }
    }

    /// The gaps that were passed so far: what was lost to damage and accounted for by a repair.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Hands every record of the next batch to `each`; false at the journal's end.
    pub fn next_batch(&mut self, mut each: impl FnMut(Read<'_>)) -> Result<bool, JournalError> {
        loop {
            let scan = match &mut self.scan {
                Some(scan) => scan,
                None if self.next > self.last => return Ok(false),
                None => {
                    self.next += 1;
                    self.scan.insert(SegmentScan::open(&self.folder, self.next - 1)?)
                }
            };
            match scan.peek()? {
                Next::Batch(header) => {
                    let from = self.from;
                    scan.take(&header).filter(|read| read.seq >= from).for_each(&mut each);
                    return Ok(true);
                }
                Next::Gap(header, gap) => {
                    scan.step_over(&header, &gap);
                    self.gaps.push(gap);
                }
                Next::Blank | Next::Broken(_) => {
                    if is_end(&self.folder, scan)? {
                        self.scan = None;
                    }
                }
            }
        }
    }
}

/// Whether the segment ends here, as far as it is written, and the next one continues it; false if it goes on after all. A
/// segment that was read while it was written may have grown since.
pub(super) fn is_end(folder: &Path, scan: &mut SegmentScan) -> Result<bool, JournalError> {
    let next = scan.page.number + 1;
    if is_there(folder, next) {
        scan.look_again();
        return match scan.peek()? {
            Next::Batch(_) | Next::Gap(..) => Ok(false),
            Next::Broken(reason) => Err(scan.damaged(&format!("{reason}, and there are later segments"))),
            Next::Blank if scan.tail.is_before(&Page::read(folder, next)?) => Ok(true),
            Next::Blank => Err(scan.damaged("the segment ends before the next one begins")),
        };
    }
    // A segment is sealed when the next one is begun.
    if scan.sealed().is_some() {
        let missing = JournalError::damaged(&segment_path(folder, next), 0, "the segment is missing");
        return Err(missing.at_record(Some(scan.tail.last_seq + 1)));
    }
    // The last segment: a torn end is cut when the journal is opened for writing, and a reader beside a writer may see a batch
    // half written. A later batch is only there once the one before it is whole.
    if scan.later_batch()?.is_none() {
        return Ok(true);
    }
    scan.look_again();
    match scan.peek()? {
        Next::Batch(_) | Next::Gap(..) => Ok(false),
        Next::Blank | Next::Broken(_) => {
            Err(scan.damaged("the records from here on are damaged, and later ones are not"))
        }
    }
}

/// The last of the segments that begins at or before a record; the first if none does.
pub(super) fn segment_of(folder: &Path, last: u64, seq: u64) -> Result<u64, JournalError> {
    let (mut low, mut high) = (1, last);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if Page::read(folder, middle)?.first_seq <= seq { low = middle } else { high = middle - 1 }
    }
    Ok(low)
}
