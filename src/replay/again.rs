//! A turn taken again, on the bundle it was taken on, and its record held against the journal's.

use std::path::Path;
use std::sync::Arc;

use super::bundles::Nearby;
use super::chunk::Piece;
use super::course::{Course, Covered, Work, last_seq};
use super::difference::{Came, Recorded};
use super::states::{Followed, States};
use super::{Counts, Difference, DifferenceKind, Limits, Progress, Range, ReplayError, Report, Unreadable};
use crate::bundle::Bundle;
use crate::domain::Partition;
use crate::journal::journal_folder;
use crate::turn::Workspace;
use crate::turn::{Record, RecordBuffer, SEMANTICS_VERSION, Surroundings, Taken, Written, apply, take};

/// Takes the turns of a data directory again, and compares what comes out with what was recorded. Another process may be
/// writing there: nothing is locked, nothing is written, and what comes later is not looked at.
///
/// Blocks until it is done; tells `progress` how far it has come.
pub fn replay(
    data: &Path,
    range: &Range,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ReplayError> {
    replay_journal(&journal_folder(data), range, limits, progress)
}

/// As [`replay`], with the folder of the journal itself.
pub fn replay_journal(
    folder: &Path,
    range: &Range,
    limits: &Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ReplayError> {
    let last_seq = last_seq(folder)?.min(range.last_seq());
    let course = Course { folder, limits, last_seq, is_together: false };
    let covered = course.run(|partition| Again::new(partition, range, limits.shown), progress)?;
    Ok(report(covered, last_seq, limits))
}

fn report(covered: Covered<Again<'_>>, last_record: u64, limits: &Limits) -> Report {
    let Covered { works, passed, passes } = covered;
    let mut report =
        Report { last_record, passes, bundles: passed.bundles, set_aside: passed.set_aside, ..Report::default() };
    report.gaps = passed.gaps;
    for Again { states, counts, differences, unreadable, .. } in works {
        report.counts.add(&Counts { customers: states.len() as u64, ..counts });
        report.differences.extend(differences);
        report.unreadable.extend(unreadable);
    }
    // What explains nothing comes first: it is what somebody has to look at.
    report.differences.sort_by_key(|difference| (difference.kind, difference.record));
    report.differences.truncate(limits.shown);
    report.unreadable.sort_by_key(|unreadable| unreadable.record);
    report.unreadable.truncate(limits.shown);
    report
}

/// The turns of one partition.
struct Again<'a> {
    partition: u8,
    range: &'a Range,
    shown: usize,
    states: States,
    counts: Counts,
    differences: Vec<Difference>,
    unreadable: Vec<Unreadable>,
    /// Whether the customer who is asked about can be in this partition.
    is_elsewhere: bool,
    /// Whether records of it are lost.
    is_broken: bool,
}

/// Reusable memory of one thread.
#[derive(Default)]
pub(super) struct Bench {
    scratch: Workspace,
    buffer: RecordBuffer,
}

impl<'a> Again<'a> {
    fn new(partition: u8, range: &'a Range, shown: usize) -> Self {
        Self {
            partition,
            range,
            shown,
            states: States::default(),
            counts: Counts::default(),
            differences: Vec::new(),
            unreadable: Vec::new(),
            is_elsewhere: false,
            is_broken: false,
        }
    }
}

impl Work for Again<'_> {
    type Bench = Bench;

    fn bytes(&self) -> usize {
        self.states.bytes()
    }

    fn take(&mut self, piece: &Piece<'_>, bench: &mut Bench, bundles: &mut Nearby<'_>) {
        if self.is_elsewhere {
            return;
        }
        match read(piece, bundles) {
            Ok(read) if self.is_asked_for(&read, piece.seq) => self.go_on(piece, &read, bench),
            Ok(_) => {}
            Err(reason) => self.pass_over(piece.seq, reason),
        }
    }
}

/// A record, its bundle, and the record that holds that.
pub(super) struct ReadRecord {
    pub(super) record: Record,
    pub(super) bundle: Arc<Bundle>,
    pub(super) bundle_seq: u64,
}

/// Reads a record; or says why that cannot be.
pub(super) fn read(piece: &Piece<'_>, bundles: &mut Nearby<'_>) -> Result<ReadRecord, String> {
    let (mut failed, mut bundle_seq) = (None, 0);
    let read = Record::decode(piece.payload, |seq| {
        bundle_seq = seq;
        let failed = |reason| failed = Some(format!("its bundle, record {seq}, cannot be used: {reason}"));
        bundles.get(seq).map_err(failed).ok().cloned()
    });
    match (read, failed) {
        (Ok((record, bundle)), _) => Ok(ReadRecord { record, bundle, bundle_seq }),
        (Err(_), Some(reason)) => Err(reason),
        (Err(error), None) => Err(error.to_string()),
    }
}

impl Again<'_> {
    /// Whether the range wants it taken again, or applied. Notes when the customer who is asked about is in another partition.
    fn is_asked_for(&mut self, ReadRecord { record, .. }: &ReadRecord, seq: u64) -> bool {
        if let Some(asked) = &self.range.customer
            && record.input.customer() != asked
        {
            self.is_elsewhere = Partition::of(&record.tenant, asked.as_str()).number() != self.partition;
            return false;
        }
        !self.range.is_behind(seq, record.arrival)
    }

    /// Takes the record's turn again; or applies it, if it is before the range or means something else.
    fn go_on(&mut self, piece: &Piece<'_>, read: &ReadRecord, bench: &mut Bench) {
        let ReadRecord { record, bundle, .. } = read;
        let is_before = self.range.is_before(piece.seq, record.arrival);
        let followed = self.states.of(record.input.customer(), bundle.layout());
        if !is_before && record.semantics == SEMANTICS_VERSION {
            self.counts.turns += 1;
            self.counts.decisions += record.decisions.len() as u64;
            if let Some(difference) = compare(piece, read, followed, self.is_broken, bench) {
                self.differ(difference);
            }
            return;
        }
        *(if is_before { &mut self.counts.applied } else { &mut self.counts.other_semantics }) += 1;
        if let Err(error) = apply(&mut followed.state, record, piece.seq, bundle) {
            self.pass_over(piece.seq, error.to_string());
        }
    }

    /// A record that cannot be read: whomever it was about, what follows may hang on it.
    fn pass_over(&mut self, record: u64, reason: String) {
        self.is_broken = true;
        self.counts.unreadable_records += 1;
        if self.unreadable.len() < self.shown {
            self.unreadable.push(Unreadable { record, reason });
        }
    }

    fn differ(&mut self, difference: Difference) {
        self.counts.count(difference.kind);
        let kept = self.differences.iter().filter(|known| known.kind == difference.kind).count();
        if kept < self.shown {
            self.differences.push(difference);
        }
    }
}

/// Takes a turn, writes its record and compares: record, keys and partition.
fn compare(
    piece: &Piece<'_>,
    read: &ReadRecord,
    followed: &mut Followed,
    is_broken: bool,
    bench: &mut Bench,
) -> Option<Difference> {
    let ReadRecord { record, bundle, bundle_seq } = read;
    let (state, input, tenant) = (&mut followed.state, &record.input, &record.tenant);
    let around = Surroundings { bundle, tenant };
    let readings = record.readings(bundle, state.last_arrival);
    let taken = take(state, input, &readings, around, &mut bench.scratch);
    state.last_seq = piece.seq;
    let came = match &taken {
        Ok(Taken::Turn(turn)) => {
            let bytes = bench.buffer.write(Written { tenant, bundle_seq: *bundle_seq, input, turn });
            let mut keys = turn.decisions.iter().map(|made| made.id.to_u128()).chain(input.key());
            let partition = Partition::of(tenant, input.customer().as_str()).number();
            if bytes == piece.payload && partition == piece.partition && piece.keys().eq(keys.by_ref()) {
                return None;
            }
            Came::Turn { bytes, turn, partition }
        }
        Ok(taken) => Came::Nothing(taken),
        Err(error) => Came::Failed(error),
    };
    let kind = if is_broken || piece.is_after_gap {
        DifferenceKind::AfterGap
    } else if std::mem::replace(&mut followed.has_differed, true) {
        DifferenceKind::AfterAnother
    } else {
        DifferenceKind::Plain
    };
    Some(Recorded { piece, record, bundle }.difference(kind, &came))
}
