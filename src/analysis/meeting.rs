//! Which rows of a large table overlap at all, without looking at every pair.
//!
//! The space is cut along the dimension that most rows restrict; rows can only meet within a part. Where a part holds few
//! rows, or cutting on would not make the pairs fewer, its pairs are taken.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use super::cells::{Cells, partition};
use super::region::{Dim, Region, Space};

/// Rows by rank, each with the rows above that it may overlap.
pub(super) type Pairs = BTreeMap<usize, BTreeSet<usize>>;

/// Rows of which simply all pairs are taken.
const FEW: usize = 8;

/// Dimensions that are cut one after the other.
const DEPTH_MAX: usize = 5;

/// Pairs that are held at most.
const PAIRS_MAX: usize = 4_000_000;

/// The pairs of rows that may match one input. `None` if there are too many, or no steps are left.
pub(super) fn meeting_pairs(rows: &[(usize, Rc<[Region]>)], spaces: &[Space], steps: &mut u64) -> Option<Pairs> {
    let mut meeting = Meeting { rows: Vec::new(), pairs: Pairs::new(), count: 0, steps };
    meeting.rows = rows.iter().flat_map(|(rank, boxes)| boxes.iter().map(|b| (*rank, b))).collect();
    for space in spaces {
        let all: Vec<u32> = (0..meeting.rows.len() as u32).collect();
        meeting.within(space, &all, &HashSet::new())?;
    }
    Some(meeting.pairs)
}

struct Meeting<'r, 's> {
    rows: Vec<(usize, &'r Region)>,
    pairs: Pairs,
    count: usize,
    steps: &'s mut u64,
}

impl Meeting<'_, '_> {
    fn within(&mut self, space: &Space, members: &[u32], cut: &HashSet<Dim>) -> Option<()> {
        if members.len() <= FEW || cut.len() == DEPTH_MAX {
            return self.all_pairs(space, members);
        }
        let mut restricted: BTreeMap<Dim, usize> = BTreeMap::new();
        for (dim, _) in members.iter().flat_map(|n| self.rows[*n as usize].1.sides()) {
            *restricted.entry(*dim).or_default() += usize::from(!cut.contains(dim));
        }
        *self.steps = self.steps.checked_sub(members.len() as u64)?;
        let most = restricted.into_iter().max_by_key(|(dim, count)| (*count, std::cmp::Reverse(*dim)));
        let Some((dim, 1..)) = most else { return self.all_pairs(space, members) };
        let (across, sided): (Vec<u32>, Vec<u32>) =
            members.iter().partition(|n| self.rows[**n as usize].1.side(dim).is_none());
        let sets: Vec<&Cells> = sided.iter().filter_map(|n| self.rows[*n as usize].1.side(dim)).collect();
        let parts = partition(space.domain(dim), &sets, self.steps)?;
        // Where most rows reach across, or into many parts, cutting makes more pairs than it saves.
        let pairs = |count: usize| count as u64 * count as u64 / 2;
        let after: u64 = parts.iter().map(|part| pairs(across.len() + part.members.len())).sum();
        if after > pairs(members.len()) / 2 {
            return self.all_pairs(space, members);
        }
        let cut: HashSet<Dim> = cut.iter().copied().chain([dim]).collect();
        for part in parts {
            let inside = part.members.iter().map(|n| sided[*n as usize]);
            let members: Vec<u32> = across.iter().copied().chain(inside).collect();
            self.within(space, &members, &cut)?;
        }
        Some(())
    }

    fn all_pairs(&mut self, space: &Space, members: &[u32]) -> Option<()> {
        for (at, left) in members.iter().enumerate() {
            *self.steps = self.steps.checked_sub((members.len() - at) as u64)?;
            for right in &members[at + 1..] {
                let ((first, left), (second, right)) = (self.rows[*left as usize], self.rows[*right as usize]);
                if first == second || !meet(left, right, space) {
                    continue;
                }
                let (above, below) = (first.min(second), first.max(second));
                self.count += usize::from(self.pairs.entry(below).or_default().insert(above));
                if self.count > PAIRS_MAX {
                    return None;
                }
            }
        }
        Some(())
    }
}

/// Whether two boxes have a point of the space in common, side by side.
fn meet(left: &Region, right: &Region, space: &Space) -> bool {
    let side_by_side = |(dim, cells): &(Dim, Cells)| match right.side(*dim) {
        Some(other) => cells.and(other).meets(space.domain(*dim)),
        None => cells.meets(space.domain(*dim)),
    };
    left.sides().iter().all(side_by_side)
}
