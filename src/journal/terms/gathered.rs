//! The terms of one segment's records, in memory: of a segment that is being written, or on the way into its file.

use smallvec::SmallVec;

use super::super::{Frame, JournalError, Terms};
use super::describer::Described;
use super::stride::{STRIDE_RECORDS, Stride};
use crate::domain::{Term, Timestamp};

/// Records by their terms, and their strides.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// By term the numbers of its records, ascending.
    postings: foldhash::HashMap<Term, SmallVec<[u32; 4]>>,
    pub(super) strides: Vec<Stride>,
    pub(super) overview: Overview,
    /// Reused from record to record.
    terms: Vec<Term>,
}

/// What is to be known of a segment before one looks into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overview {
    pub(super) first_seq: u64,
    /// Records, with those of a gap.
    pub(super) records: u32,
    /// Records whose terms nobody can tell.
    pub(super) unreadable: u32,
    /// The earliest and the latest arrival, in microseconds; the wrong way round where nothing arrived.
    pub(super) arrived: (i64, i64),
}

impl Default for Overview {
    fn default() -> Self {
        Self { first_seq: 0, records: 0, unreadable: 0, arrived: (i64::MAX, i64::MIN) }
    }
}

impl Overview {
    /// Whether anything in it arrived within a time; anything at all if the time is unbounded.
    pub(super) fn is_within(&self, (from, until): (Timestamp, Timestamp)) -> bool {
        is_within(self.arrived, (from, until))
    }
}

/// Whether what arrived between two times may lie within a time. What never arrived lies only within all time.
pub(super) fn is_within((earliest, latest): (i64, i64), (from, until): (Timestamp, Timestamp)) -> bool {
    (from.micros() == i64::MIN && until.micros() == i64::MAX) || (earliest <= until.micros() && from.micros() <= latest)
}

impl Gathered {
    /// Nothing yet of a segment that begins with a record.
    pub(super) fn new(first_seq: u64) -> Self {
        Self { overview: Overview { first_seq, ..Overview::default() }, ..Self::default() }
    }

    /// Takes the next record, whose frame begins at this place of the segment.
    pub(super) fn add(
        &mut self,
        (seq, frame): (u64, &Frame<'_>),
        offset: u32,
        describer: &dyn Terms,
    ) -> Result<(), JournalError> {
        self.terms.clear();
        let terms = &mut self.terms;
        let described = describer.describe(seq, frame, &mut |term| terms.push(term))?;
        let nth = (seq - self.overview.first_seq) as u32;
        self.overview.records = nth + 1;
        self.begin_stride(nth, offset);
        match described {
            Described::Arrived(at) => self.arrived(at.micros()),
            Described::Timeless => {}
            Described::Unreadable => self.overview.unreadable += 1,
        }
        for term in self.terms.drain(..) {
            let nths = self.postings.entry(term).or_default();
            if nths.last() != Some(&nth) {
                nths.push(nth);
            }
        }
        Ok(())
    }

    /// The records of a term, ascending.
    pub(super) fn records_of(&self, term: Term) -> &[u32] {
        self.postings.get(&term).map_or(&[], |nths| nths)
    }

    /// All terms and their records.
    pub(super) fn all(&self) -> impl Iterator<Item = (Term, &[u32])> {
        self.postings.iter().map(|(term, nths)| (*term, nths.as_slice()))
    }

    fn begin_stride(&mut self, nth: u32, offset: u32) {
        let number = (nth / STRIDE_RECORDS) as usize;
        // A gap may leave strides without a record; they end where they begin.
        while self.strides.len() <= number {
            self.strides.push(Stride { first: nth, offset, ..Stride::default() });
        }
    }

    fn arrived(&mut self, at: i64) {
        let both = self.strides.last_mut().map(|stride| &mut stride.arrived);
        for (earliest, latest) in both.into_iter().chain([&mut self.overview.arrived]) {
            (*earliest, *latest) = ((*earliest).min(at), (*latest).max(at));
        }
    }
}
