//! Looking for damage in a whole journal, behind the first as well: what would be lost, and what stays.

use std::path::{Path, PathBuf};

use super::acknowledged::Acknowledged;
use super::batch::{BatchHash, BatchHeader};
use super::directory::FORMAT;
use super::names::{numbers_there, sealed_path, segment_path};
use super::salvage::Image;
use super::scan::{SegmentScan, Tail};
use super::segment::{PAGE_BYTES, Page};
use super::{Gap, JournalError};
use crate::domain::Timestamp;

/// What is wrong with a journal, and what a repair would do about it.
#[derive(Debug)]
pub struct Inspection {
    pub(super) folder: PathBuf,
    /// Segments to be written anew.
    pub(super) plans: Vec<Plan>,
    /// Places where something is wrong, in their order.
    pub damages: Vec<Damage>,
    /// Records that cannot be read and that later ones follow, or that are known to have been there, in their order.
    pub losses: Vec<Loss>,
    /// Segments there are.
    pub segments: u64,
    /// Records that can be read.
    pub kept: u64,
    /// The last record there is, lost or not.
    pub last_seq: u64,
    /// Gaps of earlier repairs.
    pub gaps: Vec<Gap>,
}

/// A place where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// The first record that cannot be read.
    pub record: u64,
    /// What is wrong.
    pub reason: String,
}

/// Records that are lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The first of them.
    pub first_seq: u64,
    /// How many.
    pub records: u64,
    /// In how many batches; of an end that is lost, one stands for all.
    pub batches: u64,
    /// When the last batch before them was written, if there is one.
    pub after: Option<Timestamp>,
    /// When the first batch behind them was written; `None` at the journal's end.
    pub before: Option<Timestamp>,
}

/// A segment that is to be written anew.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) number: u64,
    pub(super) page: Page,
    /// Stretches of its batches, and what is put between them.
    pub(super) parts: Vec<Part>,
}

/// A part of a segment that is written anew.
#[derive(Debug)]
pub(super) enum Part {
    /// Bytes of the segment as it was.
    Keep { from: usize, until: usize },
    /// What is lost.
    Lost(Lost),
}

/// What is put in the place of lost batches.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub(super) loss: Loss,
    /// The end of the journal before them.
    pub(super) before: Tail,
    /// The hash that what follows them names.
    pub(super) resumes: BatchHash,
}

/// The walk through a journal.
struct Walk<'a> {
    folder: &'a Path,
    log: u64,
    format: u32,
    tail: Tail,
    /// When the last sound batch was written.
    written: Option<Timestamp>,
    inspection: Inspection,
    /// The last records that heads and the store know of.
    known: Acknowledged,
    /// The latest record of which those or a header told.
    told_of: u64,
    /// Whether the end of the journal cannot be read, and may have been acknowledged.
    is_end_lost: bool,
}

impl Inspection {
    /// Looks through the journal in a folder. `known` tells the last record that the store knows of. A journal that ends before that,
    /// or before what a tree head was signed over, has lost its end: those numbers must not be given to others. `progress` is told each segment and the last one.
    pub fn of(
        folder: &Path,
        known: &dyn Fn() -> Result<u64, JournalError>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, JournalError> {
        let last = numbers_there(folder)?.last().copied().unwrap_or(0);
        let inspection = Self {
            folder: folder.to_owned(),
            plans: Vec::new(),
            damages: Vec::new(),
            losses: Vec::new(),
            segments: last,
            kept: 0,
            last_seq: 0,
            gaps: Vec::new(),
        };
        let tail = Tail { last_batch: 0, last_seq: 0, epoch: 0, hash: [0; 32], is_sealed: false };
        let known = Acknowledged::of(folder, known()?)?;
        let Some(log) = log_of(folder, last)? else {
            let path = segment_path(folder, 1);
            return known.refusal(0).map_or(Ok(inspection), |reason| Err(JournalError::damaged(&path, 0, reason)));
        };
        let told_of = known.last();
        let mut walk =
            Walk { folder, log, format: FORMAT, tail, written: None, inspection, known, told_of, is_end_lost: false };
        for number in 1..=last {
            progress(number, last);
            walk.segment(number, number == last)?;
        }
        walk.end(last);
        Ok(walk.inspection)
    }

    /// Whether there is something to repair.
    pub fn is_damaged(&self) -> bool {
        !self.plans.is_empty()
    }

    /// How many records are lost.
    pub fn lost(&self) -> u64 {
        self.losses.iter().map(|loss| loss.records).sum()
    }
}

/// The number of the log, from the first page or header that can be read.
fn log_of(folder: &Path, last: u64) -> Result<Option<u64>, JournalError> {
    for number in 1..=last {
        if let Ok(page) = Page::read(folder, number) {
            return Ok(Some(page.log));
        }
    }
    for number in 1..=last {
        if let Some(log) = Image::load(folder, number)?.and_then(|image| image.log()) {
            return Ok(Some(log));
        }
    }
    Ok(None)
}

impl Walk<'_> {
    /// Goes through a segment: as every reader does, or, if something is wrong with it, by what is sound in it.
    fn segment(&mut self, number: u64, is_last: bool) -> Result<(), JournalError> {
        if let Ok(page) = Page::read(self.folder, number)
            && page.log == self.log
            && !self.tail.is_before(&page)
        {
            self.bridge(number, &page)?;
        }
        if self.is_sound(number, is_last)? {
            return Ok(());
        }
        match Image::load(self.folder, number)? {
            Some(image) => self.damaged(number, &image, is_last),
            None => {
                self.tell(&segment_path(self.folder, number), 0, "the segment is missing");
                let page = self.page(number, None);
                self.inspection.plans.push(Plan { number, page, parts: Vec::new() });
                Ok(())
            }
        }
    }

    /// Reads a segment as every reader does; false, and nothing is changed, if it cannot be read so to its end.
    fn is_sound(&mut self, number: u64, is_last: bool) -> Result<bool, JournalError> {
        let mut scan = match SegmentScan::open(self.folder, number) {
            Err(JournalError::Damaged { .. }) => return Ok(false),
            scan => scan?,
        };
        if !self.tail.is_before(&scan.page) || scan.page.log != self.log || scan.page.number != number {
            return Ok(false);
        }
        let mut read = Vec::new();
        let end = loop {
            match scan.peek() {
                Ok(super::scan::Next::Batch(header)) => {
                    scan.take(&header).for_each(drop);
                    read.push((header, None));
                }
                Ok(super::scan::Next::Gap(header, gap)) => {
                    scan.step_over(&header, &gap);
                    read.push((header, Some(gap)));
                }
                Ok(end) => break end,
                Err(JournalError::Damaged { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        };
        let is_end = match scan.sealed() {
            Some(sealed) => scan.at == sealed.end && scan.tail == sealed.tail && self.continues(number + 1, &scan.tail),
            // What an interrupted write has left at the end is cut by the next start, unless somebody knows of more.
            None if is_last => self.known.refusal(scan.tail.last_seq).is_none() && scan.later_batch()?.is_none(),
            None => end == super::scan::Next::Blank && self.continues(number + 1, &scan.tail),
        };
        if is_end {
            read.iter().for_each(|(header, gap)| self.count(header, gap.as_ref()));
            (self.tail, self.format) = (scan.tail, scan.page.format);
        }
        Ok(is_end)
    }

    /// Whether the next segment, if its page can be read, begins where this one ends.
    fn continues(&self, next: u64, tail: &Tail) -> bool {
        Page::read(self.folder, next).map_or(true, |page| tail.is_before(&page))
    }

    fn count(&mut self, header: &BatchHeader, gap: Option<&Gap>) {
        self.inspection.kept += u64::from(header.count);
        self.inspection.gaps.extend(gap.cloned());
        if gap.is_none() {
            self.written = Some(Timestamp::from_micros(header.written_at));
        }
    }

    /// Goes through a segment by what is sound in it, and plans it anew.
    fn damaged(&mut self, number: u64, image: &Image, is_last: bool) -> Result<(), JournalError> {
        self.format = image.format(self.log, self.format);
        match &image.fault {
            Some((offset, reason)) => self.tell(&image.path, *offset, reason),
            None if image.page.is_none() => self.tell(&image.path, 0, "the segment's first page cannot be read"),
            None => {}
        }
        let mut parts = Vec::new();
        let page = self.page(number, image.page.as_ref());
        let mut at = PAGE_BYTES;
        while let Some(sound) = self.next(image, at)? {
            if self.tail.refusal(&sound.header).is_some() {
                if image.fault.is_none() {
                    self.tell(&image.path, at as u64, "no sound batch begins here");
                }
                let before = self.tail;
                parts.push(Part::Lost(Lost { loss: self.lose(&sound.header), before, resumes: sound.header.previous }));
            }
            self.count(&sound.header, sound.gap.as_ref());
            self.tail = match &sound.gap {
                Some(gap) => Tail::behind(&sound.header, gap),
                None => Tail {
                    last_batch: sound.header.batch,
                    last_seq: sound.header.first_seq + u64::from(sound.header.count) - 1,
                    epoch: sound.header.epoch,
                    hash: image.hash(self.format, &sound),
                    is_sealed: sound.header.is_seal,
                },
            };
            keep(&mut parts, sound.begin, sound.end);
            at = sound.end;
        }
        let left = image.bytes.get(at..).unwrap_or_default();
        let header = (0..left.len()).filter_map(|at| BatchHeader::decode(&left[at..], self.log)).next_back();
        if let Some(header) = header.filter(|header| header.batch > self.tail.last_batch) {
            self.told_of = self.told_of.max(header.first_seq + u64::from(header.count) - 1);
        }
        let lost_end = self.known.refusal(self.tail.last_seq).filter(|_| is_last);
        if let Some(reason) = &lost_end {
            self.tell(&image.path, at as u64, reason);
        } else if image.fault.is_none() && image.is_written_from(at) && (at > PAGE_BYTES || image.page.is_some()) {
            self.tell(&image.path, at as u64, "nothing behind this can be read");
        }
        self.is_end_lost = is_last && (lost_end.is_some() || image.is_written_from(at) || parts.is_empty());
        self.inspection.plans.push(Plan { number, page, parts });
        Ok(())
    }

    /// The next sound batch that is not older than the journal's end so far.
    fn next(&self, image: &Image, at: usize) -> Result<Option<super::salvage::Sound>, JournalError> {
        let Tail { last_batch, last_seq, hash, .. } = self.tail;
        let is_later = |header: &BatchHeader| header.batch > last_batch && header.first_seq > last_seq;
        let sound = image.next_sound(at, self.log, is_later);
        // The batch before is sound in itself and not the one that this one was written behind.
        match &sound {
            Some(sound) if sound.header.batch == last_batch + 1 && sound.header.previous != hash => {
                Err(beyond_repair(&image.path, sound.begin as u64, "a batch before this one was changed"))
            }
            _ => Ok(sound),
        }
    }

    /// Accounts for what is missing between the end so far and a batch.
    fn lose(&mut self, header: &BatchHeader) -> Loss {
        let loss = Loss {
            first_seq: self.tail.last_seq + 1,
            records: header.first_seq - self.tail.last_seq - 1,
            batches: header.batch - self.tail.last_batch - 1,
            after: self.written,
            before: Some(Timestamp::from_micros(header.written_at)),
        };
        self.inspection.losses.push(loss.clone());
        loss
    }

    /// Accounts for what is missing between the end so far and a segment, at the end of the segment before.
    fn bridge(&mut self, number: u64, page: &Page) -> Result<(), JournalError> {
        let before = self.tail;
        let is_later = page.first_seq > before.last_seq && page.first_batch > before.last_batch + 1;
        let plan = self.inspection.plans.last_mut().filter(|plan| plan.number + 1 == number);
        let (true, Some(plan)) = (is_later, plan) else {
            let path = segment_path(self.folder, number);
            return Err(beyond_repair(&path, 0, "the segment does not go on where the one before it ends"));
        };
        let loss = Loss {
            first_seq: before.last_seq + 1,
            records: page.first_seq - before.last_seq - 1,
            batches: page.first_batch - before.last_batch - 1,
            after: self.written,
            before: Some(Timestamp::from_micros(page.created_at)),
        };
        plan.parts.push(Part::Lost(Lost { loss: loss.clone(), before, resumes: page.previous }));
        if self.inspection.damages.last().is_none_or(|damage| damage.record <= before.last_seq) {
            let path = [segment_path, sealed_path].map(|path| path(self.folder, number - 1));
            let path = path.iter().find(|path| path.exists()).unwrap_or(&path[0]).clone();
            self.tell(&path, 0, "the segment ends before the next one begins");
        }
        self.inspection.losses.push(loss);
        self.tail = Tail { last_batch: page.first_batch - 1, ..Tail::before(page) };
        self.tail.epoch = before.epoch;
        Ok(())
    }

    /// What happens at the journal's end: what may have been acknowledged and cannot be read is accounted for as far as anybody
    /// knows of it.
    fn end(&mut self, last: u64) {
        let is_sealed = !segment_path(self.folder, last).exists();
        if is_sealed && self.inspection.plans.last().is_none_or(|plan| plan.number != last) {
            // A segment is sealed when the next one is begun, so there was one.
            self.tell(&segment_path(self.folder, last + 1), 0, "the segment is missing");
            let page = self.page(last + 1, None);
            self.inspection.plans.push(Plan { number: last + 1, page, parts: Vec::new() });
            self.is_end_lost = true;
        }
        if self.is_end_lost {
            let until = self.told_of;
            let before = self.tail;
            let first_seq = before.last_seq + 1;
            if until >= first_seq {
                let records = until - before.last_seq;
                let loss = Loss { first_seq, records, batches: 1, after: self.written, before: None };
                if let Some(plan) = self.inspection.plans.last_mut() {
                    plan.parts.push(Part::Lost(Lost { loss: loss.clone(), before, resumes: before.hash }));
                }
                self.inspection.losses.push(loss);
                self.tail.last_seq = until;
            }
        }
        for plan in &mut self.inspection.plans {
            let is_gap = |part: &Part| matches!(part, Part::Lost(_));
            plan.page.has_gaps |= plan.parts.iter().any(is_gap);
        }
        self.inspection.last_seq = self.tail.last_seq;
    }

    /// The page of a segment that is written anew.
    fn page(&self, number: u64, old: Option<&Page>) -> Page {
        Page {
            format: old.map_or(self.format, |page| page.format),
            log: self.log,
            number,
            first_seq: self.tail.last_seq + 1,
            first_batch: self.tail.last_batch + 1,
            created_at: old.map_or_else(|| self.written.map_or(0, Timestamp::micros), |page| page.created_at),
            previous: self.tail.hash,
            has_gaps: old.is_some_and(|page| page.has_gaps),
        }
    }

    fn tell(&mut self, path: &Path, offset: u64, reason: &str) {
        let record = self.tail.last_seq + 1;
        self.inspection.damages.push(Damage { path: path.to_owned(), offset, record, reason: reason.to_owned() });
    }
}

fn keep(parts: &mut Vec<Part>, from: usize, end: usize) {
    match parts.last_mut() {
        Some(Part::Keep { until, .. }) if *until == from => *until = end,
        _ => parts.push(Part::Keep { from, until: end }),
    }
}

fn beyond_repair(path: &Path, offset: u64, reason: &str) -> JournalError {
    JournalError::damaged(path, offset, format!("{reason}: this was not done by a disk, and is not repaired"))
}
