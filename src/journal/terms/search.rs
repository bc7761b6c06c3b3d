//! Searching: records that have all terms, newest first, within bounds; and all records of a term, oldest first.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use super::super::volumes::{Start, Wanted};
use super::super::{Found, JournalError};
use super::gathered::Overview;
use super::group::first_of;
use super::index::{Now, Source, TermIndex};
use super::look::{FileLook, Look, MemoryLook, next_within};
use super::postings::Unsound;
use super::stride::STRIDE_RECORDS;
use crate::domain::{Term, Timestamp};

/// What is searched for.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// Terms that a record must all have; at least one.
    pub terms: &'a [Term],
    /// When what it holds arrived: from the first, until the second, both included.
    pub arrived: (Timestamp, Timestamp),
    /// Only records before this one.
    pub before: u64,
}

/// How much one search does at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Records that are read.
    pub records: u32,
    /// Segments whose terms are looked into.
    pub segments: u32,
    /// Chunks of posting lists that are read, of up to some four thousand records each.
    pub chunks: u32,
    /// Segments whose terms are gathered first, because their file is missing: some tenths of a second each.
    pub gathered: u32,
}

impl Default for Bounds {
    /// A thousand records are read in a tenth of a second at worst, and mostly twenty are; two thousand segments, or two thousand
    /// chunks of terms that are frequent and hardly ever together, take some tens of milliseconds.
    fn default() -> Self {
        Self { records: 1_000, segments: 2_000, chunks: 2_000, gathered: 2 }
    }
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Whether it came to a bound: no record before this one was looked at. `None`: it looked at all, or was told to stop.
    pub before: Option<u64>,
    /// Records in the segments that it looked into of which nobody can tell the terms.
    pub unreadable: u64,
}

/// Told of each record that may be meant; it is for whoever hears of it to see whether it is.
pub type Hear<'a> = &'a mut dyn FnMut(Found) -> ControlFlow<()>;

/// A search under way.
struct Search<'a, 'b> {
    index: &'a TermIndex,
    sought: Sought<'a>,
    now: Now,
    left: Bounds,
    searched: Searched,
    hear: Hear<'b>,
}

/// Where a search goes on.
enum Next {
    On,
    /// It was told to stop.
    Heard,
    /// It came to a bound: no record before this one was looked at.
    Bound(u64),
}

/// Why a segment was not looked through.
enum Trouble {
    File(Unsound),
    Journal(JournalError),
}

impl From<Unsound> for Trouble {
    fn from(unsound: Unsound) -> Self {
        Self::File(unsound)
    }
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl TermIndex {
    /// Searches a journal that another process may be writing.
    pub fn search(&self, sought: Sought<'_>, bounds: Bounds, hear: Hear<'_>) -> Result<Searched, JournalError> {
        self.search_as_of(self.now()?, sought, bounds, hear)
    }

    pub(in super::super) fn search_as_of(
        &self,
        now: Now,
        sought: Sought<'_>,
        bounds: Bounds,
        hear: Hear<'_>,
    ) -> Result<Searched, JournalError> {
        let searched = Searched::default();
        let mut search = Search { index: self, sought, now, left: bounds, searched, hear };
        search.run()?;
        Ok(search.searched)
    }

    /// Hands on the records that may have any of some terms, from a sequence on, oldest first, of a journal that another
    /// process may be writing.
    pub fn records_beside(&self, any: &[Term], from: u64, hear: Hear<'_>) -> Result<(), JournalError> {
        self.records_with(self.now()?, any, from, hear)
    }

    /// Hands on the records that may have any of some terms, from a sequence on, oldest first.
    pub(in super::super) fn records_with(
        &self,
        now: Now,
        any: &[Term],
        from: u64,
        hear: Hear<'_>,
    ) -> Result<(), JournalError> {
        let sought = Sought { terms: any, arrived: ALL_TIME, before: now.synced.saturating_add(1) };
        let searched = Searched::default();
        let mut search = Search { index: self, sought, now, left: Bounds::default(), searched, hear };
        let mut group = None;
        for number in self.segment_of(from, now)?..=now.open {
            if !search.may_have_any(number, &mut group) {
                continue;
            }
            let Some(mut source) = self.source(number, now)? else { return Err(stopping()) };
            let mut from = from;
            loop {
                match search.oldest_first(number, &source, &mut from) {
                    Ok(Next::On) => break,
                    Ok(_) => return Ok(()),
                    Err(Trouble::Journal(error)) => return Err(error),
                    Err(Trouble::File(unsound)) => match self.source_without_file(number, now, &unsound)? {
                        Some(other) => source = other,
                        None => return Err(stopping()),
                    },
                }
            }
        }
        Ok(())
    }

    /// Whether the terms of all full segments from the one of a record on are at hand.
    pub(in super::super) fn has_all(&self, now: Now, from: u64) -> Result<bool, JournalError> {
        Ok((self.segment_of(from, now)?..now.open).all(|number| self.is_at_hand(number)))
    }

    /// The segment that a record is in, or would be.
    fn segment_of(&self, seq: u64, now: Now) -> Result<u64, JournalError> {
        let (mut low, mut high) = (self.first, now.open);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.first_seq(middle, now)? <= seq { low = middle } else { high = middle - 1 }
        }
        Ok(low)
    }
}

/// Whoever needs all records must not take some for all.
fn stopping() -> JournalError {
    JournalError::Stopped("the engine is stopping".into())
}

/// No bound on when something arrived.
pub(super) const ALL_TIME: (Timestamp, Timestamp) =
    (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));

impl Search<'_, '_> {
    fn run(&mut self) -> Result<(), JournalError> {
        let mut group = None;
        for number in (self.index.first..=self.now.open).rev() {
            if !self.may_have(number, &mut group)? {
                continue;
            }
            match self.segment(number)? {
                Next::On => {}
                Next::Heard => return Ok(()),
                Next::Bound(before) => {
                    self.searched.before = Some(before);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether a segment may have what is sought, as far as its group and its overview tell.
    fn may_have(&mut self, number: u64, group: &mut Option<(u64, u64)>) -> Result<bool, JournalError> {
        if group.as_ref().is_none_or(|(first, _)| *first != first_of(number)) {
            let mask = self.masked(number, self.sought.terms).unwrap_or(u64::MAX);
            *group = Some((first_of(number), mask));
        }
        let is_out = group.is_some_and(|(first, mask)| mask >> (number - first) & 1 == 0);
        if is_out {
            return Ok(false);
        }
        match self.index.overview(number, self.now) {
            Some(overview) => Ok(overview.first_seq < self.sought.before && overview.is_within(self.sought.arrived)),
            // What else there is to know is told by looking into it.
            None => Ok(self.index.first_seq(number, self.now)? < self.sought.before),
        }
    }

    /// Whether a segment may have any of the terms.
    fn may_have_any(&mut self, number: u64, group: &mut Option<(u64, u64)>) -> bool {
        let first = first_of(number);
        if group.is_none_or(|(of, _)| of != first) {
            let each = self.sought.terms.chunks(1).map(|term| self.masked(number, term).unwrap_or(u64::MAX));
            *group = Some((first, each.fold(0, |any, mask| any | mask)));
        }
        group.is_some_and(|(_, mask)| mask >> (number - first) & 1 == 1)
    }

    /// The segments of a segment's group that may have all terms; `None` where no filter tells.
    fn masked(&self, number: u64, terms: &[Term]) -> Option<u64> {
        let group = self.index.group(number, self.now)?;
        match group.may_have(terms) {
            Ok(mask) => Some(mask),
            Err(_) => {
                self.index.forget_group(number);
                None
            }
        }
    }

    /// Looks through a segment, newest first.
    fn segment(&mut self, number: u64) -> Result<Next, JournalError> {
        let (index, now) = (self.index, self.now);
        let is_costly = number < now.open && !index.is_at_hand(number);
        if self.left.segments == 0 || self.left.chunks == 0 || (is_costly && self.left.gathered == 0) {
            return Ok(Next::Bound(index.first_seq(number + 1, now)?.min(self.sought.before)));
        }
        self.left.segments -= 1;
        self.left.gathered -= u32::from(is_costly);
        let mut limit = u32::MAX;
        let mut source = index.source(number, now)?;
        while let Some(at) = source {
            match self.newest_first(number, &at, &mut limit) {
                Ok(next) => return Ok(next),
                Err(Trouble::Journal(error)) => return Err(error),
                Err(Trouble::File(unsound)) => source = index.source_without_file(number, now, &unsound)?,
            }
        }
        Err(stopping())
    }

    fn newest_first(&mut self, number: u64, source: &Source, limit: &mut u32) -> Result<Next, Trouble> {
        let overview = overview_of(source);
        self.searched.unreadable += u64::from(overview.unreadable);
        let Some(newest) = self.newest(&overview) else { return Ok(Next::On) };
        *limit = (*limit).min(newest);
        let arrived = self.sought.arrived;
        self.looking(source, self.sought.terms, |search, look| {
            while let Some(nth) = next_within(look, *limit, arrived)? {
                let Some(records) = search.left.records.checked_sub(1) else {
                    return Ok(Next::Bound(overview.first_seq + u64::from(nth) + 1));
                };
                search.left.records = records;
                if search.hear(number, nth, look)?.is_break() {
                    return Ok(Next::Heard);
                }
                let Some(before) = nth.checked_sub(1) else { break };
                *limit = before;
            }
            Ok(Next::On)
        })
    }

    /// Hands on a segment's records from one on, which moves behind each that was.
    fn oldest_first(&mut self, number: u64, source: &Source, from: &mut u64) -> Result<Next, Trouble> {
        let overview = overview_of(source);
        let Some(newest) = self.newest(&overview) else { return Ok(Next::On) };
        let oldest = u32::try_from(from.saturating_sub(overview.first_seq)).unwrap_or(u32::MAX);
        let mut nths = Vec::new();
        for term in self.sought.terms.chunks(1) {
            self.looking(source, term, |_, look| {
                let mut limit = Some(newest);
                while let Some(at) = limit
                    && let Some(nth) = look.next(at)?.filter(|nth| *nth >= oldest)
                {
                    nths.push(nth);
                    limit = nth.checked_sub(1);
                }
                Ok(Next::On)
            })?;
        }
        nths.sort_unstable();
        nths.dedup();
        self.looking(source, &[], |search, look| {
            for nth in nths {
                if search.hear(number, nth, look)?.is_break() {
                    return Ok(Next::Heard);
                }
                *from = overview.first_seq + u64::from(nth) + 1;
            }
            Ok(Next::On)
        })
    }

    /// Opens what a segment's terms are in.
    fn looking(
        &mut self,
        source: &Source,
        terms: &[Term],
        through: impl FnOnce(&mut Self, &mut dyn Look) -> Result<Next, Trouble>,
    ) -> Result<Next, Trouble> {
        match source {
            Source::File(file) => {
                let file = file.open()?;
                let next = through(self, &mut FileLook::new(&file, terms)?);
                self.left.chunks = self.left.chunks.saturating_sub(file.chunks.get());
                next
            }
            Source::Memory(slot) => through(self, &mut MemoryLook::new(slot, terms)),
        }
    }

    /// The number of the newest record of a segment that is sought.
    fn newest(&self, overview: &Overview) -> Option<u32> {
        let before = self.sought.before.min(self.now.synced.saturating_add(1));
        let below = before.checked_sub(overview.first_seq)?;
        let below = u32::try_from(below).unwrap_or(u32::MAX).min(overview.records);
        below.checked_sub(1)
    }

    /// Reads a record and hands it on.
    fn hear(&mut self, number: u64, nth: u32, look: &mut dyn Look) -> Result<ControlFlow<()>, Trouble> {
        let stride = look.stride(nth / STRIDE_RECORDS)?;
        let start = Start { offset: stride.offset.into(), nth: stride.first };
        // A record that was lost since is in a gap now.
        match self.index.volumes.record(Wanted { number, nth, key: None }, || start)? {
            Some(found) => Ok((self.hear)(found)),
            None => Ok(ControlFlow::Continue(())),
        }
    }
}

fn overview_of(source: &Source) -> Overview {
    match source {
        Source::File(file) => file.header.overview,
        Source::Memory(slot) => {
            let gathering = slot.lock().unwrap_or_else(PoisonError::into_inner);
            gathering.as_ref().map_or(Overview::default(), |of| of.gathered.overview)
        }
    }
}
