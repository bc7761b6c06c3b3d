//! What is still to be asked of a row that the bitmaps have left: close together in memory, so that a candidate costs one or
//! two cache lines and not its whole rule.

use super::attribute::Reading;
use super::row::Constraint;

/// The constraints of rows that their bitmaps do not tell exactly.
#[derive(Debug)]
pub(super) struct Checks {
    /// Where the checks of each row begin; one more than there are rows.
    starts: Box<[u32]>,
    /// Bit 31 of a row's start is set if its rule has more to ask than its constraints.
    checks: Box<[Check]>,
    intervals: Box<[(i64, i64)]>,
}

/// An attribute must lie in one of some intervals.
#[derive(Clone, Copy, Debug)]
struct Check {
    attribute: u16,
    count: u16,
    /// The first of its intervals.
    first: u32,
}

/// What the constraints say of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Holds,
    DoesNot,
    /// The rule itself must be asked.
    AskTheRule,
}

/// Set in a row's start if the rule itself must be asked.
const ASK: u32 = 1 << 31;

/// Collects checks row by row.
#[derive(Debug, Default)]
pub(super) struct ChecksBuilder {
    starts: Vec<u32>,
    checks: Vec<Check>,
    intervals: Vec<(i64, i64)>,
}

impl ChecksBuilder {
    /// Adds the next row with those of its constraints that are still to be asked. `is_all`: its rule asks nothing else.
    pub(super) fn add<'c>(&mut self, is_all: bool, mut constraints: impl Iterator<Item = &'c Constraint>) {
        // What does not fit is for the rule to judge.
        let has_room = self.checks.len() < (ASK / 2) as usize && self.intervals.len() < (ASK / 2) as usize;
        let start = self.checks.len() as u32;
        let are_kept = has_room && constraints.all(|constraint| self.add_check(constraint));
        self.starts.push(if is_all && are_kept { start } else { start | ASK });
    }

    fn add_check(&mut self, constraint: &Constraint) -> bool {
        let Ok(count) = u16::try_from(constraint.intervals.len()) else { return false };
        self.checks.push(Check { attribute: constraint.attribute, count, first: self.intervals.len() as u32 });
        self.intervals.extend(&constraint.intervals);
        true
    }

    pub(super) fn build(mut self) -> Checks {
        self.starts.push(self.checks.len() as u32);
        Checks { starts: self.starts.into(), checks: self.checks.into(), intervals: self.intervals.into() }
    }
}

impl Checks {
    /// What the row's constraints say, given what the event brings. An attribute that is not there is for the rule to judge.
    #[inline]
    pub(super) fn tell(&self, row: usize, mut read: impl FnMut(u16) -> Reading) -> Told {
        let (start, end) = (self.starts[row], self.starts[row + 1] & !ASK);
        let mut told = if start & ASK == 0 { Told::Holds } else { Told::AskTheRule };
        for check in &self.checks[(start & !ASK) as usize..end as usize] {
            let first = check.first as usize;
            match read(check.attribute) {
                Reading::Number(n) => {
                    let mut intervals = self.intervals[first..first + usize::from(check.count)].iter();
                    if !intervals.any(|(low, high)| *low <= n && n <= *high) {
                        return Told::DoesNot;
                    }
                }
                Reading::Unavailable | Reading::Unread => told = Told::AskTheRule,
            }
        }
        told
    }

    /// Bytes that the checks hold.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.checks) + size_of_val(&*self.intervals)
    }
}
