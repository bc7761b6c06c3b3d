//! Classes of numbers: the values of an attribute that its bitmaps do not tell apart.
//!
//! Classes are intervals that follow one another. Where they begin and end is a matter of space and speed, not of truth: a
//! bitmap has the rows whose values meet the class, and where a class is not made for a row the row is checked.

/// Classes that the values of one attribute fall in, at most.
const CLASSES_MAX: usize = 192;

/// Cells of a grid that leads from a number to its class, at most.
const CELLS_MAX: usize = 1_024;

/// From numbers to classes.
#[derive(Debug)]
pub(super) enum Classes {
    /// The class of each cell, cells being as wide as a power of two and beginning at `first`; numbers before and after are
    /// in the first and the last cell.
    Grid { first: i64, shift: u32, class: Box<[u8]> },
    /// The first number of each class but the first.
    Bounds(Box<[i64]>),
}

impl Classes {
    /// Classes that tell these intervals apart as well as they can for so many rows.
    pub(super) fn new(intervals: impl Iterator<Item = (i64, i64)>, rows: usize) -> Self {
        // Where an interval begins, and where the numbers after it do.
        let mut ends: Vec<i64> = Vec::new();
        for (low, high) in intervals {
            ends.extend((low > i64::MIN).then_some(low));
            ends.extend(high.checked_add(1));
        }
        ends.sort_unstable();
        let bounds = thinned(&ends);
        let cells = (64 + 4 * rows).min(CELLS_MAX);
        let grid = Self::grid(&bounds, cells).filter(|grid| 2 * grid.len() > bounds.len());
        grid.unwrap_or_else(|| Self::Bounds(bounds.into()))
    }

    /// A grid with so many cells at most; bounds move to where the next cell begins.
    fn grid(bounds: &[i64], cells: usize) -> Option<Self> {
        let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else {
            return Some(Self::Grid { first: 0, shift: 0, class: [0].into() });
        };
        // The first cell is the one before the first bound.
        let span = i128::from(*last) - i128::from(*first) + 1;
        let shift = (0..63).find(|shift| (span >> shift) < cells as i128 - 1)?;
        let before = first.checked_sub(1 << shift)?;
        let count = ((i128::from(*last) - i128::from(before)) >> shift) as usize + 1;
        let mut class = Vec::with_capacity(count);
        let (mut number, mut next) = (0_u8, 0);
        for cell in 0..count as i64 {
            let end = i128::from(before) + (i128::from(cell + 1) << shift);
            let passed = bounds[next..].iter().take_while(|bound| i128::from(**bound) < end).count();
            next += passed;
            number += u8::from(passed > 0);
            class.push(number);
        }
        Some(Self::Grid { first: before, shift, class: class.into() })
    }

    /// The class of a number.
    #[inline]
    pub(super) fn of(&self, n: i64) -> usize {
        match self {
            Self::Grid { first, shift, class } => {
                let cell = (n.max(*first).wrapping_sub(*first) as u64 >> shift) as usize;
                usize::from(class[cell.min(class.len() - 1)])
            }
            Self::Bounds(bounds) => bounds.partition_point(|bound| *bound <= n),
        }
    }

    /// Whether the interval is made of whole classes.
    pub(super) fn are_exact_for(&self, (low, high): (i64, i64)) -> bool {
        let begins = low.checked_sub(1).is_none_or(|before| self.of(before) != self.of(low));
        let ends = high.checked_add(1).is_none_or(|after| self.of(after) != self.of(high));
        begins && ends
    }

    /// How many classes there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Grid { class, .. } => class.last().map_or(0, |last| usize::from(*last)) + 1,
            Self::Bounds(bounds) => bounds.len() + 1,
        }
    }

    /// Bytes that the classes hold.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Grid { class, .. } => class.len(),
            Self::Bounds(bounds) => size_of_val(&**bounds),
        }
    }
}

/// The ends without repetitions; of too many, some, with as many left out between any two.
fn thinned(ends: &[i64]) -> Vec<i64> {
    let mut bounds = ends.to_vec();
    bounds.dedup();
    if bounds.len() >= CLASSES_MAX {
        bounds = (1..CLASSES_MAX).map(|class| ends[class * ends.len() / CLASSES_MAX]).collect();
        bounds.dedup();
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bound() -> impl Strategy<Value = i64> {
        prop_oneof![-20_i64..20, -5_000_i64..5_000, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
    }

    proptest! {
        /// Classes follow one another as numbers do, so that an interval meets all classes between those of its ends.
        #[test]
        fn classes_are_in_the_order_of_numbers(
            intervals in proptest::collection::vec((bound(), bound()), 0..300),
            numbers in proptest::collection::vec(bound(), 1..50),
            rows in 1_usize..1_000,
        ) {
            let intervals = intervals.into_iter().map(|(a, b)| (a.min(b), a.max(b)));
            let classes = Classes::new(intervals, rows);
            let mut numbers = numbers;
            numbers.extend([i64::MIN, i64::MAX, 0]);
            numbers.sort_unstable();
            let of: Vec<usize> = numbers.iter().map(|n| classes.of(*n)).collect();
            prop_assert!(of.is_sorted());
            prop_assert!(of.iter().all(|class| *class < classes.len()) && classes.len() <= CLASSES_MAX);
        }
    }

    #[test]
    fn a_few_intervals_are_told_apart_exactly() {
        let classes = Classes::new([(10, 19), (20, 20), (-5, i64::MAX)].into_iter(), 3);
        let of = |n: i64| classes.of(n);
        assert!(of(-6) < of(-5) && of(9) < of(10) && of(19) < of(20) && of(20) < of(21));
        assert_eq!((of(-5), of(10), of(21)), (of(9), of(19), of(i64::MAX)));
        assert_eq!(classes.len(), 5);
    }
}
