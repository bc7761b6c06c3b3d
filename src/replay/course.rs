//! The way through a journal: read once by one thread, taken again by several, each with partitions of its own.
//!
//! A customer's records are in one partition, and a partition is one thread's, so that they stay in order. States are kept in
//! memory, up to a bound: a thread that comes beyond its share of it puts the last of its partitions off, which a further pass
//! over the journal begins anew. One partition is never put off, so every pass finishes some, and the bound is exceeded only
//! where a single partition, a sixty-fourth of all customers, is larger than it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use super::bundles::{Bundles, Nearby};
use super::chunk::{Chunk, Piece};
use super::{Gap, Limits, Progress, ReplayError};
use crate::domain::Partition;
use crate::journal::{Kind, Reader, segments};

/// Chunks that may wait for a thread.
const WAITING_MAX: usize = 4;

/// What is done with the turns of one partition.
pub(super) trait Work: Send {
    /// What one thread has at hand for all its partitions.
    type Bench: Default + Send;

    /// Takes the next record.
    fn take(&mut self, piece: &Piece<'_>, bench: &mut Self::Bench, bundles: &mut Nearby<'_>);

    /// Bytes that its states take.
    fn bytes(&self) -> usize;
}

/// A way through a journal.
#[derive(Debug)]
pub(super) struct Course<'a> {
    pub(super) folder: &'a Path,
    pub(super) limits: &'a Limits,
    /// The last record that is read.
    pub(super) last_seq: u64,
    /// Whether all turns are taken by one thread in one pass, in the order of the journal, because what customers share hangs
    /// on it.
    pub(super) is_together: bool,
}

/// What came of it: the partitions' work by their numbers, and what was passed on the way.
#[derive(Debug)]
pub(super) struct Covered<W> {
    pub(super) works: Vec<W>,
    pub(super) passed: Passed,
    pub(super) passes: u32,
}

/// What is no turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Passed {
    pub(super) bundles: u64,
    /// Inputs that were set aside or released.
    pub(super) set_aside: u64,
    pub(super) gaps: Vec<Gap>,
}

/// The last record of the journal in a folder; 0 if there is none. Reads the last segment.
pub(super) fn last_seq(folder: &Path) -> Result<u64, ReplayError> {
    let Some(last) = segments(folder)?.last().copied() else { return Ok(0) };
    let mut seq = last.first_seq.saturating_sub(1);
    let mut reader = Reader::new(folder, last.first_seq)?;
    while reader.next_batch(|read| seq = read.seq)? {}
    Ok(seq)
}

impl Course<'_> {
    /// Goes the way, in as many passes as the bound on memory makes necessary.
    pub(super) fn run<W: Work>(
        &self,
        make: impl Fn(u8) -> W,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Covered<W>, ReplayError> {
        let mut left: Vec<u8> = (0..Partition::COUNT).collect();
        let (mut works, mut passed, mut passes) = (Vec::new(), Passed::default(), 0);
        let bundles = Bundles::default();
        while !left.is_empty() {
            passes += 1;
            let mut tell = |seq| progress(Progress { pass: passes, seq, last_seq: self.last_seq });
            let finished;
            (finished, passed) = self.pass(&left, &make, &bundles, &mut tell)?;
            left.retain(|number| finished.iter().all(|(of, _)| of != number));
            works.extend(finished);
        }
        passed.bundles = bundles.len() as u64;
        works.sort_by_key(|(number, _)| *number);
        Ok(Covered { works: works.into_iter().map(|(_, work)| work).collect(), passed, passes })
    }

    /// One pass over the journal; returns the partitions that it finished.
    fn pass<W: Work>(
        &self,
        partitions: &[u8],
        make: &impl Fn(u8) -> W,
        bundles: &Bundles,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Vec<(u8, W)>, Passed), ReplayError> {
        let threads = if self.is_together { 1 } else { self.limits.threads.clamp(1, partitions.len()) };
        let active = AtomicU64::new(partitions.iter().fold(0, |set, number| set | bit(*number)));
        let (reading, mut lanes) = (Reading { course: self, active: &active, bundles }, Vec::new());
        for lane in 0..threads {
            let own = partitions.iter().skip(lane).step_by(threads);
            let works = own.map(|number| (*number, make(*number))).collect();
            lanes.push(Lane {
                works,
                bench: W::Bench::default(),
                bundles: Nearby::new(bundles),
                bytes_max: self.limits.state_bytes / threads,
                active: &active,
                is_together: self.is_together,
            });
        }
        let of = lane_of(&lanes);
        if let [lane] = &mut lanes[..] {
            let passed = reading.run(&of, |_, chunk| lane.take(&chunk), progress)?;
            return Ok((lanes.into_iter().flat_map(|lane| lane.works).collect(), passed));
        }
        let (result, ends) = std::thread::scope(|scope| {
            let (mut senders, mut threads) = (Vec::new(), Vec::new());
            for mut lane in lanes {
                let (sender, receiver) = mpsc::sync_channel::<Chunk>(WAITING_MAX);
                senders.push(sender);
                threads.push(scope.spawn(move || {
                    while let Ok(chunk) = receiver.recv() {
                        lane.take(&chunk)?;
                    }
                    Ok(lane.works)
                }));
            }
            // Whoever does not listen any more says why when it is asked for its end.
            let give = |lane: usize, chunk| senders[lane].send(chunk).map_err(|_| ReplayError::Broken);
            let result = reading.run(&of, give, progress);
            drop(senders);
            let ends: Vec<Result<_, ReplayError>> =
                threads.into_iter().map(|thread| thread.join().unwrap_or(Err(ReplayError::Broken))).collect();
            (result, ends)
        });
        let mut finished = Vec::new();
        for works in ends {
            finished.extend(works?);
        }
        Ok((finished, result?))
    }
}

fn within(partition: u8) -> u8 {
    partition % Partition::COUNT
}

fn bit(partition: u8) -> u64 {
    1 << within(partition)
}

/// The lane of each partition.
fn lane_of<W: Work>(lanes: &[Lane<'_, W>]) -> [usize; Partition::COUNT as usize] {
    let mut of = [0; Partition::COUNT as usize];
    for (nth, lane) in lanes.iter().enumerate() {
        lane.works.iter().for_each(|(number, _)| of[usize::from(*number)] = nth);
    }
    of
}

/// Reads the journal and hands its turns to the lanes.
struct Reading<'a> {
    course: &'a Course<'a>,
    active: &'a AtomicU64,
    bundles: &'a Bundles,
}

impl Reading<'_> {
    fn run(
        &self,
        lane_of: &[usize],
        mut give: impl FnMut(usize, Chunk) -> Result<(), ReplayError>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Passed, ReplayError> {
        let lanes = lane_of.iter().max().map_or(1, |last| last + 1);
        let mut chunks: Vec<Chunk> = (0..lanes).map(|_| Chunk::with_room()).collect();
        let (mut passed, mut seq, mut is_after_gap) = (Passed::default(), 0, false);
        let mut reader = Reader::new(self.course.folder, 1)?;
        let mut is_more = self.course.last_seq > 0;
        while is_more && seq < self.course.last_seq {
            let active = self.active.load(Ordering::Relaxed);
            is_more = reader.next_batch(|read| {
                if read.seq > self.course.last_seq {
                    return;
                }
                is_after_gap |= read.seq > seq + 1;
                seq = read.seq;
                match read.frame.kind {
                    // A partition that cannot be is told as a difference by whoever takes the turn again.
                    Kind::Turn if active & bit(within(read.frame.partition)) != 0 => {
                        let lane = lane_of[usize::from(within(read.frame.partition))];
                        chunks[lane].push(&read, is_after_gap);
                    }
                    Kind::Turn => {}
                    Kind::Bundle => self.bundles.put(read.seq, read.frame.payload),
                    Kind::SetAside => passed.set_aside += 1,
                }
            })?;
            for (lane, chunk) in chunks.iter_mut().enumerate() {
                if chunk.is_full() {
                    give(lane, std::mem::replace(chunk, Chunk::with_room()))?;
                }
            }
            progress(seq);
        }
        let lost = reader.gaps().iter().filter(|gap| gap.records > 0 && gap.first_seq <= self.course.last_seq);
        passed.gaps = lost.map(|gap| Gap { first: gap.first_seq, last: gap.last_seq() }).collect();
        for (lane, chunk) in chunks.into_iter().enumerate().filter(|(_, chunk)| !chunk.is_empty()) {
            give(lane, chunk)?;
        }
        Ok(passed)
    }
}

/// One thread's share: its partitions by number.
struct Lane<'a, W: Work> {
    works: Vec<(u8, W)>,
    bench: W::Bench,
    bundles: Nearby<'a>,
    bytes_max: usize,
    active: &'a AtomicU64,
    is_together: bool,
}

impl<W: Work> Lane<'_, W> {
    /// Bytes that its states take.
    fn bytes(&self) -> usize {
        self.works.iter().map(|(_, work)| work.bytes()).sum()
    }

    fn take(&mut self, chunk: &Chunk) -> Result<(), ReplayError> {
        let Self { works, bench, bundles, .. } = self;
        for piece in chunk.pieces() {
            let number = within(piece.partition);
            let Ok(at) = works.binary_search_by_key(&number, |(number, _)| *number) else { continue };
            let work = &mut works[at].1;
            let taken = catch_unwind(AssertUnwindSafe(|| work.take(&piece, bench, bundles)));
            taken.map_err(|panic| ReplayError::Panicked { seq: piece.seq, message: message_of(&*panic) })?;
        }
        while self.bytes() > self.bytes_max && self.works.len() > 1 {
            if self.is_together {
                return Err(ReplayError::TooManyStates { bytes_max: self.bytes_max });
            }
            if let Some((number, _)) = self.works.pop() {
                self.active.fetch_and(!bit(number), Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// What a panic said.
fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "a panic without a message".to_owned(),
    }
}
