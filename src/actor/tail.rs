//! The tail of the journal: the records of the backlog, read by segments side by side, everything checked.

use super::RecoveryError;
use super::side_by_side::side_by_side;
use crate::domain::Partition;
use crate::journal::{Found, Journal, JournalError, Kind, Read, SegmentSpan};

/// The records after one, up to another.
#[derive(Debug)]
pub(super) struct Tail {
    journal: Journal,
    after: u64,
    until: u64,
    /// The segments that hold them, in order.
    spans: Vec<SegmentSpan>,
}

/// The turns of one segment, by the partition of their customer, each partition's in the journal's order.
#[derive(Debug)]
pub(super) struct Sheaf {
    partitions: Vec<Turns>,
    last: u64,
}

/// Records one behind the other.
#[derive(Debug, Default)]
struct Turns {
    bytes: Vec<u8>,
    /// Sequence, and where the record ends.
    ends: Vec<(u64, usize)>,
}

impl Tail {
    pub(super) fn new(journal: &Journal, after: u64, until: u64) -> Result<Self, JournalError> {
        let mut spans = if after < until { journal.segments()? } else { Vec::new() };
        spans.retain(|span| span.first_seq <= until);
        let first = spans.partition_point(|span| span.first_seq <= after + 1).saturating_sub(1);
        spans.drain(..first.min(spans.len()));
        Ok(Self { journal: journal.clone(), after, until, spans })
    }

    /// How many segments it lies in.
    pub(super) fn segments(&self) -> usize {
        self.spans.len()
    }

    /// Everything but turns, in order: bundles, what was set aside and released. `progress` hears of the record up to which was read.
    pub(super) fn notices(&self, threads: usize, progress: &mut dyn FnMut(u64)) -> Result<Vec<Found>, RecoveryError> {
        let mut notices = Vec::new();
        for spans in self.spans.chunks(threads.max(1)) {
            let read = side_by_side(threads, spans, |span| {
                let mut found = Vec::new();
                let last = self.read(span, |read| {
                    if read.frame.kind != Kind::Turn {
                        let payload = read.frame.payload.to_vec();
                        found.push(Found { seq: read.seq, kind: read.frame.kind, payload });
                    }
                })?;
                Ok::<_, RecoveryError>((found, last))
            })?;
            self.check_ends(spans, read.iter().map(|(_, last)| *last))?;
            if let Some((_, last)) = read.last() {
                progress(*last);
            }
            notices.extend(read.into_iter().flat_map(|(found, _)| found));
        }
        Ok(notices)
    }

    /// The turns of so many segments, from the `nth` on, side by side.
    pub(super) fn sheaves(&self, nth: usize, threads: usize) -> Result<Vec<Sheaf>, RecoveryError> {
        let spans = &self.spans[nth..(nth + threads.max(1)).min(self.spans.len())];
        let sheaves = side_by_side(threads, spans, |span| {
            let mut sheaf = Sheaf { partitions: Vec::new(), last: 0 };
            sheaf.partitions.resize_with(usize::from(Partition::COUNT), Turns::default);
            sheaf.last = self.read(span, |read| {
                let of_partition = sheaf.partitions.get_mut(usize::from(read.frame.partition));
                if let Some(turns) = of_partition.filter(|_| read.frame.kind == Kind::Turn) {
                    turns.bytes.extend_from_slice(read.frame.payload);
                    turns.ends.push((read.seq, turns.bytes.len()));
                }
            })?;
            Ok::<_, RecoveryError>(sheaf)
        })?;
        self.check_ends(spans, sheaves.iter().map(|sheaf| sheaf.last))?;
        Ok(sheaves)
    }

    /// Hands out a segment's records of the backlog; returns the last record that was read.
    fn read(&self, span: &SegmentSpan, mut each: impl FnMut(Read<'_>)) -> Result<u64, JournalError> {
        let mut reader = self.journal.segment_reader(span.number);
        let mut last = span.first_seq - 1;
        let mut is_more = true;
        // Not a batch further: what comes behind is being written.
        while is_more && last < self.until {
            is_more = reader.next_batch(|read| {
                last = read.seq;
                if read.seq > self.after && read.seq <= self.until {
                    each(read);
                }
            })?;
        }
        Ok(last)
    }

    /// Makes sure that each segment was read to where the next one begins.
    fn check_ends(&self, spans: &[SegmentSpan], lasts: impl Iterator<Item = u64>) -> Result<(), RecoveryError> {
        for (span, last) in spans.iter().zip(lasts) {
            let next = self.spans.iter().find(|next| next.number > span.number);
            let end = next.map_or(self.until, |next| next.first_seq - 1).min(self.until);
            if last < end {
                self.read_across(last, end)?;
            }
        }
        Ok(())
    }

    /// Says what is wrong with records that a segment lacks: whoever reads in order knows whether they are damaged, or accounted for.
    fn read_across(&self, last: u64, end: u64) -> Result<(), RecoveryError> {
        let mut reader = self.journal.reader(last + 1)?;
        let (mut reached, mut is_more) = (last, true);
        while is_more && reached <= end {
            is_more = reader.next_batch(|read| reached = read.seq)?;
        }
        // What is accounted for as lost may be the journal's end.
        let reached = reader.gaps().last().map_or(reached, |gap| reached.max(gap.last_seq()));
        if reached < end { Err(RecoveryError::Short { last: reached, until: end }) } else { Ok(()) }
    }
}

impl Sheaf {
    /// The last record of the segment that was read.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The turns of a partition's customers.
    pub(super) fn of(&self, partition: Partition) -> impl Iterator<Item = (u64, &[u8])> {
        let turns = &self.partitions[usize::from(partition.number())];
        let mut begin = 0;
        turns.ends.iter().map(move |(seq, end)| {
            let payload = &turns.bytes[begin..*end];
            begin = *end;
            (*seq, payload)
        })
    }
}
