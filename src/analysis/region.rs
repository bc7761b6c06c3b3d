//! Boxes of the space: what a row of a condition matches.

use std::collections::HashMap;

use super::cells::Cells;

/// A dimension of the space: a name by its slot, or an atom after all names.
pub(super) type Dim = u32;

/// A box: at most one side per dimension, ascending. A dimension without a side is not restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Region(Vec<(Dim, Cells)>);

/// The whole space of one type of event: what each dimension may be at all.
#[derive(Clone, Debug)]
pub(super) struct Space(pub(super) Vec<Cells>);

/// Atoms that are true wherever another one is: phrases that hold others.
#[derive(Debug, Default)]
pub(super) struct Implied(HashMap<(Dim, bool), Vec<Dim>>);

impl Region {
    pub(super) fn sides(&self) -> &[(Dim, Cells)] {
        &self.0
    }

    pub(super) fn side(&self, dim: Dim) -> Option<&Cells> {
        self.0.binary_search_by_key(&dim, |(known, _)| *known).ok().map(|at| &self.0[at].1)
    }

    /// Keeps what also lies in the cells.
    pub(super) fn restrict(&mut self, dim: Dim, cells: &Cells) {
        match self.0.binary_search_by_key(&dim, |(known, _)| *known) {
            Ok(at) => self.0[at].1 = self.0[at].1.and(cells),
            Err(at) => self.0.insert(at, (dim, cells.clone())),
        }
    }

    /// Keeps what also lies in the other box.
    pub(super) fn restrict_to(&mut self, other: &Self) {
        other.0.iter().for_each(|(dim, cells)| self.restrict(*dim, cells));
    }

    /// What of the box the space has; `None` if that is nothing.
    pub(super) fn within(&self, space: &Space) -> Option<Self> {
        let sides = self.0.iter().map(|(dim, cells)| (*dim, cells.and(space.domain(*dim))));
        let region = Self(sides.collect());
        (!region.is_empty()).then_some(region)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().any(|(_, cells)| cells.is_empty())
    }

    /// Whether the box and the region of the space have something in common.
    pub(super) fn meets(&self, region: &Self, space: &Space) -> bool {
        self.0.iter().all(|(dim, cells)| cells.meets(region.side(*dim).unwrap_or_else(|| space.domain(*dim))))
    }
}

impl Space {
    pub(super) fn domain(&self, dim: Dim) -> &Cells {
        &self.0[dim as usize]
    }
}

impl Implied {
    /// Notes that the second atom is true wherever the first is.
    pub(super) fn add(&mut self, first: Dim, second: Dim) {
        self.0.entry((first, true)).or_default().push(second);
        self.0.entry((second, false)).or_default().push(first);
    }

    /// The region with everything that follows from its atoms; `None` if that leaves nothing.
    pub(super) fn sharpened(&self, mut region: Region) -> Option<Region> {
        if self.0.is_empty() {
            return Some(region);
        }
        for (dim, cells) in region.clone().0 {
            for is_true in [false, true] {
                let known = Cells::number(i64::from(is_true));
                if let (true, Some(follow)) = (cells == known, self.0.get(&(dim, is_true))) {
                    follow.iter().for_each(|other| region.restrict(*other, &known));
                }
            }
        }
        (!region.is_empty()).then_some(region)
    }
}
