//! What one dimension of the space may be: a set of values, and whether it may be without one.

use std::collections::HashMap;

use crate::rules::{Extent, Ref};

/// Values of a name, and whether being unavailable belongs to them. Of an atom: 0 for false, 1 for true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cells {
    pub(super) extent: Extent,
    pub(super) unavailable: bool,
}

impl Cells {
    /// One number and nothing else.
    pub(super) fn number(n: i64) -> Self {
        Self { extent: Extent::interval(n, n), unavailable: false }
    }

    /// No value.
    pub(super) fn unavailable() -> Self {
        Self { extent: Extent::Any(false), unavailable: true }
    }

    /// Exactly this value, or none.
    pub(super) fn point(value: Option<Ref<'_>>) -> Self {
        let extent = match value {
            None => return Self::unavailable(),
            Some(Ref::Bool(value)) => Extent::points([i64::from(value)]),
            Some(Ref::Number(n)) => Extent::interval(n, n),
            Some(Ref::Text(text)) => Extent::texts([Box::from(text)].into()),
            // Nothing is asked of a list as a whole but whether it is there.
            Some(Ref::List(_)) => Extent::Any(true),
        };
        Self { extent, unavailable: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.unavailable && self.extent.is_empty()
    }

    pub(super) fn has(&self, value: Option<Ref<'_>>) -> bool {
        value.map_or(self.unavailable, |value| self.extent.has(value))
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self { extent: self.extent.intersection(&other.extent), unavailable: self.unavailable && other.unavailable }
    }

    /// Whether both have something in common.
    pub(super) fn meets(&self, other: &Self) -> bool {
        (self.unavailable && other.unavailable) || meets(&self.extent, &other.extent)
    }

    /// Whether everything of the other is here.
    pub(super) fn contains(&self, other: &Self) -> bool {
        (self.unavailable || !other.unavailable) && contains(&self.extent, &other.extent)
    }
}

fn meets(left: &Extent, right: &Extent) -> bool {
    match (left, right) {
        (Extent::Numbers(left), Extent::Numbers(right)) => {
            let (few, many) = if left.len() <= right.len() { (left, right) } else { (right, left) };
            few.iter().any(|(low, high)| {
                let at = many.partition_point(|(_, end)| end < low);
                many.get(at).is_some_and(|(start, _)| start <= high)
            })
        }
        (Extent::Any(true), other) | (other, Extent::Any(true)) => !other.is_empty(),
        _ => !left.intersection(right).is_empty(),
    }
}

fn contains(whole: &Extent, part: &Extent) -> bool {
    match (whole, part) {
        (Extent::Any(true), _) => true,
        (Extent::Numbers(whole), Extent::Numbers(part)) => part.iter().all(|(low, high)| {
            let at = whole.partition_point(|(_, end)| end < low);
            whole.get(at).is_some_and(|(start, end)| start <= low && high <= end)
        }),
        (_, part) if part.is_empty() => true,
        (whole @ Extent::Texts { .. }, Extent::Texts { named, is_complement: false }) => {
            named.iter().all(|text| whole.has(Ref::Text(text)))
        }
        (whole @ Extent::Texts { .. }, part @ Extent::Texts { .. }) => {
            part.intersection(&whole.complement()).is_empty()
        }
        _ => false,
    }
}

/// A part of a dimension whose points lie in the same sets, and those sets by number.
pub(super) struct Part {
    pub(super) cells: Cells,
    pub(super) members: Vec<u32>,
}

/// Cuts `whole` so that each part lies wholly inside or wholly outside each set. Parts in the same sets are one. `None` if
/// that takes more steps than are left.
pub(super) fn partition(whole: &Cells, sets: &[&Cells], steps: &mut u64) -> Option<Vec<Part>> {
    let mut members_of: Vec<Vec<u32>> = Vec::new();
    let mut pieces: Vec<(Vec<Extent>, bool)> = Vec::new();
    let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
    for (cells, members) in elementary(whole, sets, steps)? {
        let at = *known.entry(members).or_insert_with_key(|members| {
            members_of.push(members.clone());
            pieces.push((Vec::new(), false));
            pieces.len() - 1
        });
        pieces[at].0.push(cells.extent);
        pieces[at].1 |= cells.unavailable;
    }
    let part =
        |((extents, unavailable), members)| Part { cells: Cells { extent: union(extents), unavailable }, members };
    Some(pieces.into_iter().zip(members_of).map(part).collect())
}

/// All of them together: in pairs, for one by one would be quadratic.
fn union(mut extents: Vec<Extent>) -> Extent {
    while extents.len() > 1 {
        let pair = |pair: &[Extent]| match pair {
            [left, right] if left.is_empty() => right.clone(),
            [left, right] if right.is_empty() => left.clone(),
            [left, right] => left.union(right),
            alone => alone[0].clone(),
        };
        extents = extents.chunks(2).map(pair).collect();
    }
    extents.pop().unwrap_or(Extent::Any(false))
}

fn elementary(whole: &Cells, sets: &[&Cells], steps: &mut u64) -> Option<Vec<(Cells, Vec<u32>)>> {
    let numbered = || (0..).zip(sets);
    let mut pieces = Vec::new();
    if whole.unavailable {
        let members = numbered().filter(|(_, set)| set.unavailable).map(|(n, _)| n).collect();
        pieces.push((Cells::unavailable(), members));
    }
    let of = |extent: Extent| Cells { extent, unavailable: false };
    match &whole.extent {
        Extent::Any(false) => {}
        Extent::Any(true) => {
            let members = numbered().filter(|(_, set)| !set.extent.is_empty()).map(|(n, _)| n).collect();
            pieces.push((of(Extent::Any(true)), members));
        }
        Extent::Numbers(intervals) => pieces.extend(
            numbers(intervals, sets, steps)?.into_iter().map(|((low, high), m)| (of(Extent::interval(low, high)), m)),
        ),
        texts @ Extent::Texts { .. } => {
            for extent in pieces_of_texts(texts, sets) {
                *steps = steps.checked_sub(sets.len() as u64)?;
                let members = numbered().filter(|(_, set)| meets(&set.extent, &extent)).map(|(n, _)| n).collect();
                pieces.push((of(extent), members));
            }
        }
    }
    Some(pieces)
}

/// Each text that is named somewhere by itself, and all others together.
fn pieces_of_texts(whole: &Extent, sets: &[&Cells]) -> Vec<Extent> {
    let mut named: Vec<Box<str>> = Vec::new();
    for extent in sets.iter().map(|set| &set.extent).chain([whole]) {
        if let Extent::Texts { named: some, .. } = extent {
            named.extend(some.iter().filter(|text| whole.has(Ref::Text(text))).cloned());
        }
    }
    named.sort_unstable();
    named.dedup();
    let mut pieces: Vec<Extent> = named.iter().map(|text| Extent::texts([text.clone()].into())).collect();
    let rest = whole.intersection(&Extent::texts(named.into()).complement());
    pieces.extend(Some(rest).filter(|rest| !rest.is_empty()));
    pieces
}

type Interval = (i64, i64);

/// The intervals cut at every end of a set's intervals, each with the sets that it lies in.
fn numbers(whole: &[Interval], sets: &[&Cells], steps: &mut u64) -> Option<Vec<(Interval, Vec<u32>)>> {
    let mut starts: Vec<i64> = Vec::new();
    let of_sets = sets.iter().filter_map(|set| match &set.extent {
        Extent::Numbers(intervals) => Some(&intervals[..]),
        _ => None,
    });
    for (low, high) in of_sets.chain([whole]).flatten() {
        starts.push(*low);
        starts.extend(high.checked_add(1));
    }
    starts.sort_unstable();
    starts.dedup();
    let mut pieces: Vec<(Interval, Vec<u32>)> = Vec::new();
    for (low, high) in whole {
        let mut at = starts.partition_point(|start| start <= low);
        let mut from = *low;
        while let Some(start) = starts.get(at).filter(|start| *start <= high) {
            pieces.push(((from, start - 1), Vec::new()));
            (from, at) = (*start, at + 1);
        }
        pieces.push(((from, *high), Vec::new()));
    }
    *steps = steps.checked_sub(pieces.len() as u64)?;
    for (number, set) in (0..).zip(sets) {
        let mut enter = |low: i64, high: i64| {
            let first = pieces.partition_point(|((_, end), _)| *end < low);
            let inside = pieces[first..].iter_mut().take_while(|((start, _), _)| *start <= high);
            let entered = inside.map(|(_, members)| members.push(number)).count();
            *steps = steps.checked_sub(1 + entered as u64)?;
            Some(())
        };
        match &set.extent {
            Extent::Any(true) => enter(i64::MIN, i64::MAX)?,
            Extent::Numbers(intervals) => intervals.iter().try_for_each(|(low, high)| enter(*low, *high))?,
            _ => {}
        }
    }
    Some(pieces)
}
