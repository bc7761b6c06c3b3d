//! The index of all records by their terms: a file beside each full segment, in memory for the one that is written.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::super::names::{segment_numbers, unfinished};
use super::super::segment::Page;
use super::super::volumes::Volumes;
use super::super::{JournalError, Terms};
use super::file::{TermsFile, terms_path};
use super::gathered::Overview;
use super::gathering::Gathering;
use super::group::{GROUP, GroupFilter, first_of};
use super::postings::Unsound;
use super::table::{Belongs, encode_file};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// Finds records by their terms.
///
/// The files are derived from the segments: what is missing, damaged or of another version is made again, here or in memory.
#[derive(Debug)]
pub struct TermIndex {
    folder: PathBuf,
    describer: Arc<dyn Terms>,
    keeping: Keeping,
    version: u32,
    log: u64,
    /// The first segment there is.
    pub(super) first: u64,
    pub(super) volumes: Volumes,
    held: Mutex<Held>,
    is_stopping: AtomicBool,
}

/// Whether files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    Writing,
    /// Beside a process that has the journal open.
    Reading,
}

#[derive(Debug, Default)]
struct Held {
    files: HashMap<u64, Arc<TermsFile>>,
    groups: HashMap<u64, Arc<GroupFilter>>,
    gatherings: HashMap<u64, Slot>,
}

/// A segment's terms in memory; nothing until they are gathered.
pub(super) type Slot = Arc<Mutex<Option<Gathering>>>;

/// How far the journal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Now {
    /// The last record that counts.
    pub(in super::super) synced: u64,
    /// The segment that is written.
    pub(in super::super) open: u64,
}

/// Where a segment's terms are.
#[derive(Clone, Debug)]
pub(super) enum Source {
    File(Arc<TermsFile>),
    Memory(Slot),
}

impl TermIndex {
    /// The index of the journal in `folder`, which this process writes.
    pub(in super::super) fn of_journal(folder: &Path, describer: Arc<dyn Terms>) -> Result<Option<Self>, JournalError> {
        Self::new(folder, describer, Keeping::Writing)
    }

    /// The index of the journal in `folder`, which another process may be writing: nothing is locked, nothing is written.
    /// `None` where there is no segment.
    pub fn beside(folder: &Path, describer: Arc<dyn Terms>) -> Result<Option<Self>, JournalError> {
        Self::new(folder, describer, Keeping::Reading)
    }

    fn new(folder: &Path, describer: Arc<dyn Terms>, keeping: Keeping) -> Result<Option<Self>, JournalError> {
        let numbers = segment_numbers(folder)?;
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Ok(None) };
        let log = Page::read(folder, *last)?.log;
        Ok(Some(Self {
            folder: folder.to_owned(),
            version: describer.version(),
            describer,
            keeping,
            log,
            first: *first,
            volumes: Volumes::new(folder),
            held: Mutex::default(),
            is_stopping: AtomicBool::new(false),
        }))
    }

    /// How far a journal has come that another process may be writing.
    pub(super) fn now(&self) -> Result<Now, JournalError> {
        let open = segment_numbers(&self.folder)?.last().copied().unwrap_or_default();
        Ok(Now { synced: u64::MAX, open })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn belongs(&self, number: u64) -> Belongs {
        Belongs { version: self.version, log: self.log, number }
    }

    /// The file of a segment's terms, if it is there.
    pub(super) fn file(&self, number: u64) -> Option<Arc<TermsFile>> {
        if let Some(file) = self.held().files.get(&number) {
            return Some(Arc::clone(file));
        }
        let file = Arc::new(TermsFile::find(&self.folder, self.belongs(number))?);
        self.held().files.insert(number, Arc::clone(&file));
        Some(file)
    }

    /// The filter of the group that a segment is in, if the group is complete and the filter is there.
    pub(super) fn group(&self, number: u64, now: Now) -> Option<Arc<GroupFilter>> {
        let first = first_of(number);
        if first < self.first || first + GROUP > now.open {
            return None;
        }
        if let Some(group) = self.held().groups.get(&first) {
            return Some(Arc::clone(group));
        }
        let group = Arc::new(GroupFilter::find(&self.folder, self.belongs(first))?);
        self.held().groups.insert(first, Arc::clone(&group));
        Some(group)
    }

    /// What is known of a segment without gathering it.
    pub(super) fn overview(&self, number: u64, now: Now) -> Option<Overview> {
        match self.group(number, now) {
            Some(group) => group.segments.get((number - first_of(number)) as usize).copied(),
            None => self.file(number).map(|file| file.header.overview),
        }
    }

    /// Where a segment begins.
    pub(super) fn first_seq(&self, number: u64, now: Now) -> Result<u64, JournalError> {
        match self.overview(number, now) {
            Some(overview) => Ok(overview.first_seq),
            None => Ok(self.volumes.page(number)?.first_seq),
        }
    }

    /// Whether a segment's terms are at hand, so that [`TermIndex::source`] costs little.
    pub(super) fn is_at_hand(&self, number: u64) -> bool {
        let slot = self.held().gatherings.get(&number).map(Arc::clone);
        // One that is being gathered just now is waited for.
        let is_gathered = |slot: Slot| slot.try_lock().is_ok_and(|gathering| gathering.is_some());
        slot.is_some_and(is_gathered) || self.file(number).is_some()
    }

    /// A segment's terms; gathers them if there is no file. `None` when the index is to stop.
    pub(super) fn source(&self, number: u64, now: Now) -> Result<Option<Source>, JournalError> {
        match self.file(number).filter(|_| number < now.open) {
            Some(file) => Ok(Some(Source::File(file))),
            None => self.gather(number, now),
        }
    }

    /// As [`TermIndex::source`], when the file is not what it should be.
    pub(super) fn source_without_file(
        &self,
        number: u64,
        now: Now,
        Unsound(reason): &Unsound,
    ) -> Result<Option<Source>, JournalError> {
        tracing::warn!(segment = number, reason, "the index of a segment's terms is damaged; it is made again");
        self.held().files.remove(&number);
        if self.keeping == Keeping::Writing {
            // One that cannot be removed is written over.
            let _ = fs::remove_file(terms_path(&self.folder, number));
        }
        self.gather(number, now)
    }

    /// Forgets the filter of a group that is not what it should be.
    pub(super) fn forget_group(&self, number: u64) {
        let first = first_of(number);
        tracing::warn!(
            segment = first,
            "the filter of a group of segments is damaged; it is made again at the next start"
        );
        self.held().groups.remove(&first);
        if self.keeping == Keeping::Writing {
            let _ = fs::remove_file(GroupFilter::path_in(&self.folder, first));
        }
    }

    fn gather(&self, number: u64, now: Now) -> Result<Option<Source>, JournalError> {
        let slot = Arc::clone(self.held().gatherings.entry(number).or_default());
        let mut gathering = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = number < now.open;
        let gathered = if is_full { self.gather_full(number, &mut gathering) } else { self.go_on(now, &mut gathering) };
        if is_full && gathered.is_ok() && self.keeping == Keeping::Writing && self.file(number).is_none() {
            self.write(number, gathering.as_ref());
        }
        // What is written is held from call to call, what is full only while it is used, and never what came to nothing.
        if is_full || gathering.is_none() {
            self.held().gatherings.remove(&number);
        }
        gathered?;
        let is_there = gathering.is_some();
        drop(gathering);
        Ok(is_there.then_some(Source::Memory(slot)))
    }

    /// Gathers all of a full segment, from where it stands.
    fn gather_full(&self, number: u64, gathering: &mut Option<Gathering>) -> Result<(), JournalError> {
        if let Some(part) = gathering {
            part.catch_up(&*self.describer, u64::MAX)?;
            if part.is_until(self.volumes.page(number + 1)?.first_seq) {
                return Ok(());
            }
        }
        // What is not sound ended it, or it was not begun. Read as a whole, a segment says what is wrong with it.
        *gathering = self.whole(number)?;
        Ok(())
    }

    /// Gathers what there is of the segment that is written.
    fn go_on(&self, now: Now, gathering: &mut Option<Gathering>) -> Result<(), JournalError> {
        if gathering.is_none() {
            // A journal moves on while it is looked at: the segment may be full and sealed by now.
            *gathering = match Gathering::begin(&self.folder, now.open)? {
                Some(begun) => Some(begun),
                None => self.whole(now.open)?,
            };
        }
        gathering.as_mut().map_or(Ok(()), |part| part.catch_up(&*self.describer, now.synced))
    }

    fn whole(&self, number: u64) -> Result<Option<Gathering>, JournalError> {
        let is_stopping = || self.is_stopping.load(Ordering::Relaxed);
        Gathering::whole(&self.folder, number, &*self.describer, &is_stopping)
    }

    fn write(&self, number: u64, gathering: Option<&Gathering>) {
        let bytes = gathering.and_then(|of| encode_file(&of.gathered, self.belongs(number), of.page.created_at));
        let Some(bytes) = bytes else { return };
        self.put(&terms_path(&self.folder, number), &bytes);
    }

    /// Writes a file. It can be made anew at any time, so failing to write it is no fault.
    fn put(&self, path: &Path, bytes: &[u8]) {
        let temporary = unfinished(path);
        let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            tracing::warn!(%error, path = %path.display(), "an index of terms was not written; it is made again when it is needed");
        }
    }

    // === keeping up ===

    /// Makes the file of a full segment, and the filter of its group if that is complete, if they are not there.
    pub(super) fn keep(&self, number: u64, now: Now) -> Result<(), JournalError> {
        let begun_at = self.volumes.page(number)?.created_at;
        match self.file(number) {
            // Of a segment that another one has taken the place of, as when a copy of the directory was put back.
            Some(file) if file.header.begun_at != begun_at => {
                self.forget_group(number);
                self.source_without_file(number, now, &Unsound("it is of another segment"))?
            }
            _ => self.source(number, now)?,
        };
        let first = first_of(number);
        if first < self.first || first + GROUP > now.open || self.group(number, now).is_some() {
            return Ok(());
        }
        let files = (first..first + GROUP).map_while(|number| TermsFile::find(&self.folder, self.belongs(number)));
        let files: Vec<TermsFile> = files.collect();
        if files.len() as u64 == GROUP
            && let Ok(bytes) = GroupFilter::encode(&files, self.belongs(first))
        {
            self.put(&GroupFilter::path_in(&self.folder, first), &bytes);
        }
        Ok(())
    }

    /// Takes up what was written since the last time.
    pub(super) fn follow(&self, now: Now) -> Result<(), JournalError> {
        self.gather(now.open, now).map(drop)
    }

    /// Has a gathering that is under way end soon.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }
}
