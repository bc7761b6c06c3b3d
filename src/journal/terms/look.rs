//! One segment looked through: its records that may have all terms, the newest first.

use std::sync::PoisonError;

use super::file::{FileChunks, OpenTerms};
use super::gathered::is_within;
use super::gathering::Gathering;
use super::index::Slot;
use super::postings::{Descending, Held, List, Unsound, common};
use super::stride::{STRIDE_RECORDS, Stride};
use crate::domain::{Term, Timestamp};

/// Looks through a segment's terms.
pub(super) trait Look {
    /// The newest record with all terms that is no newer than `limit`.
    fn next(&mut self, limit: u32) -> Result<Option<u32>, Unsound>;

    /// A stride.
    fn stride(&mut self, number: u32) -> Result<Stride, Unsound>;
}

/// The newest record with all terms, no newer than `limit`, of a stride in which something arrived within a time.
pub(super) fn next_within(
    look: &mut dyn Look,
    mut limit: u32,
    within: (Timestamp, Timestamp),
) -> Result<Option<u32>, Unsound> {
    loop {
        let Some(nth) = look.next(limit)? else { return Ok(None) };
        let stride = look.stride(nth / STRIDE_RECORDS)?;
        if is_within(stride.arrived, within) {
            return Ok(Some(nth));
        }
        let Some(before) = (nth - nth % STRIDE_RECORDS).checked_sub(1) else { return Ok(None) };
        limit = before;
    }
}

/// A file of terms.
#[derive(Debug)]
pub(super) struct FileLook<'a> {
    file: &'a OpenTerms,
    /// The list of each term, that of the rarest first; `None` if one of them has none.
    lists: Option<Vec<List<FileChunks<'a>>>>,
    /// The strides that were read last, and the number of the first of them.
    strides: Option<(u32, Vec<Stride>)>,
}

impl<'a> FileLook<'a> {
    pub(super) fn new(file: &'a OpenTerms, terms: &[Term]) -> Result<Self, Unsound> {
        let mut lists = Vec::with_capacity(terms.len());
        for term in terms {
            match file.list(*term)? {
                Some(list) => lists.push(list),
                None => return Ok(Self { file, lists: None, strides: None }),
            }
        }
        lists.sort_by_key(Descending::weight);
        Ok(Self { file, lists: Some(lists), strides: None })
    }
}

impl Look for FileLook<'_> {
    fn next(&mut self, limit: u32) -> Result<Option<u32>, Unsound> {
        match &mut self.lists {
            Some(lists) => common(lists, limit),
            None => Ok(None),
        }
    }

    fn stride(&mut self, number: u32) -> Result<Stride, Unsound> {
        let is_here = |(first, strides): &(u32, Vec<Stride>)| (*first..*first + strides.len() as u32).contains(&number);
        if !self.strides.as_ref().is_some_and(is_here) {
            self.strides = Some(self.file.strides_around(number)?);
        }
        let stride = self.strides.as_ref().and_then(|(first, strides)| strides.get((number - first) as usize));
        stride.copied().ok_or(Unsound("it has no such stride"))
    }
}

/// Terms in memory. Held only from call to call.
#[derive(Debug)]
pub(super) struct MemoryLook<'a> {
    slot: &'a Slot,
    terms: &'a [Term],
}

impl<'a> MemoryLook<'a> {
    pub(super) fn new(slot: &'a Slot, terms: &'a [Term]) -> Self {
        Self { slot, terms }
    }

    fn with<T>(&self, look: impl FnOnce(&Gathering) -> Result<T, Unsound>) -> Result<T, Unsound> {
        let gathering = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        gathering.as_ref().map_or(Err(Unsound("its terms are not gathered")), look)
    }
}

impl Look for MemoryLook<'_> {
    fn next(&mut self, limit: u32) -> Result<Option<u32>, Unsound> {
        self.with(|of| {
            let mut lists: Vec<Held<'_>> = self.terms.iter().map(|term| Held(of.gathered.records_of(*term))).collect();
            lists.sort_by_key(Descending::weight);
            common(&mut lists, limit)
        })
    }

    fn stride(&mut self, number: u32) -> Result<Stride, Unsound> {
        self.with(|of| of.gathered.strides.get(number as usize).copied().ok_or(Unsound("it has no such stride")))
    }
}
