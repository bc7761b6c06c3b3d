//! The one question behind all findings: is a region covered by boxes, and if not, where not?
//!
//! A region is cut along the dimension that most boxes restrict, into parts that lie wholly inside or outside each of them.
//! Within a part every box either reaches across that dimension or is out, so no dimension is cut twice on one way and the
//! search ends. Parts that few boxes reach are looked at first, for it is there that a point is left. Exact; a bound on its
//! steps keeps it from taking for ever.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::cells::{Cells, Part, partition};
use super::region::{Dim, Implied, Region, Space};
use crate::rules::Extent;

/// What is left of a region.
#[derive(Debug, PartialEq)]
pub(super) enum Cover {
    /// Nothing.
    Whole,
    /// At least this.
    Gap(Region),
    /// It took too many steps.
    Unknown,
}

/// How near a part is to present values; nearer parts are looked at first.
pub(super) type Nearness<'a> = &'a dyn Fn(Dim, &Cells) -> u64;

/// A question and the steps that it may take.
pub(super) struct Covering<'a> {
    pub(super) space: &'a Space,
    pub(super) implied: &'a Implied,
    pub(super) near: Option<Nearness<'a>>,
    pub(super) steps: &'a mut u64,
}

/// A part of the region that is still to be looked at, and the boxes that reach it.
struct Open<'b> {
    region: Region,
    boxes: Rc<[&'b Region]>,
}

impl Covering<'_> {
    /// Whether the boxes cover the region, which lies within the space.
    pub(super) fn of<'b>(&mut self, region: &Region, boxes: impl IntoIterator<Item = &'b Region>) -> Cover {
        let boxes = boxes.into_iter().filter(|b| b.meets(region, self.space)).collect();
        let mut open = vec![Open { region: region.clone(), boxes }];
        while let Some(next) = open.pop() {
            if next.boxes.is_empty() {
                return Cover::Gap(next.region);
            }
            let cost = next.boxes.iter().map(|b| 1 + b.sides().len() as u64).sum();
            let Some(left) = self.steps.checked_sub(cost) else { return Cover::Unknown };
            *self.steps = left;
            let Some(dim) = self.most_restricted(&next) else { continue };
            if !self.cut(&next, dim, &mut open) {
                return Cover::Unknown;
            }
        }
        Cover::Whole
    }

    /// The dimension that most boxes restrict; `None` if one of them restricts none, and so covers the region.
    fn most_restricted(&self, open: &Open<'_>) -> Option<Dim> {
        let mut restricted: BTreeMap<Dim, u32> = BTreeMap::new();
        for covering in &*open.boxes {
            let mut is_whole = true;
            for (dim, cells) in covering.sides() {
                if !cells.contains(self.side(&open.region, *dim)) {
                    is_whole = false;
                    *restricted.entry(*dim).or_default() += 1;
                }
            }
            if is_whole {
                return None;
            }
        }
        restricted.into_iter().max_by_key(|(dim, count)| (*count, std::cmp::Reverse(*dim))).map(|(dim, _)| dim)
    }

    fn side<'r>(&'r self, region: &'r Region, dim: Dim) -> &'r Cells {
        region.side(dim).unwrap_or_else(|| self.space.domain(dim))
    }

    /// Puts the parts of a region on the stack, the most promising last. False if there are no steps left.
    fn cut<'b>(&mut self, next: &Open<'b>, dim: Dim, open: &mut Vec<Open<'b>>) -> bool {
        let (across, cut): (Vec<&Region>, Vec<&Region>) = next.boxes.iter().partition(|b| b.side(dim).is_none());
        let sets: Vec<&Cells> = cut.iter().filter_map(|b| b.side(dim)).collect();
        let whole = self.side(&next.region, dim).clone();
        let Some(mut parts) = partition(&whole, &sets, self.steps) else { return false };
        // Without a present value, one that is unavailable is looked at last: people understand inputs with values better.
        let distance = |part: &Part| match self.near {
            Some(near) => near(dim, &part.cells),
            None => u64::from(part.cells.extent == Extent::Any(false)),
        };
        parts.sort_by_cached_key(|part| (distance(part), part.members.len()));
        for part in parts.into_iter().rev() {
            let mut region = next.region.clone();
            region.restrict(dim, &part.cells);
            let Some(region) = self.implied.sharpened(region) else { continue };
            let members = part.members.iter().map(|n| cut[*n as usize]);
            let reaching = across.iter().copied().chain(members).filter(|b| b.meets(&region, self.space));
            open.push(Open { boxes: reaching.collect(), region });
        }
        true
    }
}
