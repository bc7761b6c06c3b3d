//! The values of one name for which a predicate holds, and what it is where the value is unavailable.
//!
//! Sets are exact: numbers (by their ordinal), members of an enumeration (by their number) and booleans (0 and 1) as
//! disjoint intervals, texts as a finite set or the complement of one. So they can be joined, met, turned round and
//! compared without an approximation, which is what the index and the analysis of a rule base rest on.

use std::sync::Arc;

use super::Ref;

/// A truth value of Kleene's strong three-valued logic, in its order: `&&` is the smaller, `||` the larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kleene {
    /// It does not hold.
    False,
    /// It cannot be told.
    Unavailable,
    /// It holds.
    True,
}

/// Values of one name for which a predicate holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueSet {
    /// The values.
    pub extent: Extent,
    /// What the predicate is where the value is unavailable.
    pub when_unavailable: Kleene,
}

/// A set of values of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every value of whatever type the name has, or none.
    Any(bool),
    /// Disjoint intervals, both ends included, in ascending order and not adjacent.
    Numbers(Vec<(i64, i64)>),
    /// These texts, sorted; or with `is_complement` all others.
    Texts {
        /// The texts that are named.
        named: Arc<[Box<str>]>,
        /// Whether the set holds all texts but the named ones.
        is_complement: bool,
    },
}

impl std::ops::Not for Kleene {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unavailable => Self::Unavailable,
            Self::True => Self::False,
        }
    }
}

impl ValueSet {
    /// The predicate that holds for these values, and cannot be told without one.
    pub fn of(extent: Extent) -> Self {
        Self { extent, when_unavailable: Kleene::Unavailable }
    }

    /// Where both predicates hold.
    pub fn and(&self, other: &Self) -> Self {
        Self {
            extent: self.extent.intersection(&other.extent),
            when_unavailable: self.when_unavailable.min(other.when_unavailable),
        }
    }

    /// Where either predicate holds.
    pub fn or(&self, other: &Self) -> Self {
        Self {
            extent: self.extent.union(&other.extent),
            when_unavailable: self.when_unavailable.max(other.when_unavailable),
        }
    }

    /// Where the predicate does not hold.
    pub fn not(&self) -> Self {
        Self { extent: self.extent.complement(), when_unavailable: !self.when_unavailable }
    }

    /// Whether the predicate can never be anything but false.
    pub fn is_never(&self) -> bool {
        self.when_unavailable == Kleene::False && self.extent.is_empty()
    }

    /// Whether the predicate is always true, also without a value.
    pub fn is_always(&self) -> bool {
        self.when_unavailable == Kleene::True && self.extent.complement().is_empty()
    }
}

impl Extent {
    /// One interval, both ends included; empty if `low` is above `high`.
    pub fn interval(low: i64, high: i64) -> Self {
        Self::Numbers(if low <= high { vec![(low, high)] } else { Vec::new() })
    }

    /// These numbers, in any order.
    pub fn points(points: impl IntoIterator<Item = i64>) -> Self {
        Self::Numbers(joined(points.into_iter().map(|n| (n, n)).collect()))
    }

    /// These texts, sorted and without repetition.
    pub fn texts(named: Arc<[Box<str>]>) -> Self {
        debug_assert!(named.is_sorted(), "texts of a set are sorted");
        Self::Texts { named, is_complement: false }
    }

    /// Whether the set has no values.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Any(every) => !every,
            Self::Numbers(intervals) => intervals.is_empty(),
            Self::Texts { named, is_complement } => !is_complement && named.is_empty(),
        }
    }

    /// Whether the value is in the set; false for a value of another type.
    pub fn has(&self, value: Ref<'_>) -> bool {
        match (self, value) {
            (Self::Any(every), _) => *every,
            (Self::Numbers(_), Ref::Bool(value)) => self.has(Ref::Number(i64::from(value))),
            (Self::Numbers(intervals), Ref::Number(n)) => {
                let after = intervals.partition_point(|(low, _)| *low <= n);
                after > 0 && n <= intervals[after - 1].1
            }
            (Self::Texts { named, is_complement }, Ref::Text(text)) => {
                named.binary_search_by(|known| (**known).cmp(text)).is_ok() != *is_complement
            }
            _ => false,
        }
    }

    /// The values in both sets, which are of one type.
    pub fn intersection(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any(true), same) | (same, Self::Any(true)) => same.clone(),
            (Self::Numbers(left), Self::Numbers(right)) => Self::Numbers(met(left, right)),
            (Self::Texts { named: l, is_complement: false }, Self::Texts { named: r, is_complement }) => {
                let is_kept = |text: &str| r.binary_search_by(|known| (**known).cmp(text)).is_ok() != *is_complement;
                Self::texts(l.iter().filter(|text| is_kept(text)).cloned().collect())
            }
            (Self::Texts { is_complement: true, .. }, Self::Texts { is_complement: false, .. }) => {
                other.intersection(self)
            }
            (Self::Texts { named: l, .. }, Self::Texts { named: r, .. }) => {
                let mut named: Vec<Box<str>> = l.iter().chain(r.iter()).cloned().collect();
                named.sort_unstable();
                named.dedup();
                Self::Texts { named: named.into(), is_complement: true }
            }
            // Nothing, or sets of different types, which have no value in common.
            _ => Self::Any(false),
        }
    }

    /// The values in either set, which are of one type.
    pub fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Numbers(left), Self::Numbers(right)) => Self::Numbers(joined([&left[..], right].concat())),
            _ => self.complement().intersection(&other.complement()).complement(),
        }
    }

    /// The values that are not in the set.
    pub fn complement(&self) -> Self {
        match self {
            Self::Any(every) => Self::Any(!every),
            Self::Numbers(intervals) => Self::Numbers(gaps(intervals)),
            Self::Texts { named, is_complement } => {
                Self::Texts { named: Arc::clone(named), is_complement: !is_complement }
            }
        }
    }
}

/// The intervals sorted, with those that touch or overlap made one.
fn joined(mut intervals: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    intervals.sort_unstable();
    intervals.dedup_by(|next, last| {
        let touches = last.1 == i64::MAX || next.0 <= last.1 + 1;
        if touches {
            last.1 = last.1.max(next.1);
        }
        touches
    });
    intervals
}

fn met(left: &[(i64, i64)], right: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let (mut l, mut r) = (0, 0);
    let mut both = Vec::new();
    while let (Some(a), Some(b)) = (left.get(l), right.get(r)) {
        let (low, high) = (a.0.max(b.0), a.1.min(b.1));
        if low <= high {
            both.push((low, high));
        }
        if a.1 < b.1 { l += 1 } else { r += 1 }
    }
    both
}

fn gaps(intervals: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut gaps = Vec::with_capacity(intervals.len() + 1);
    let mut next = Some(i64::MIN);
    for (low, high) in intervals {
        if let Some(start) = next
            && start < *low
        {
            gaps.push((start, low - 1));
        }
        next = high.checked_add(1);
    }
    gaps.extend(next.map(|start| (start, i64::MAX)));
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers() -> impl Strategy<Value = Extent> {
        let bound = prop_oneof![-4_i64..5, Just(i64::MIN), Just(i64::MAX)];
        proptest::collection::vec((bound.clone(), bound), 0..4).prop_map(|pairs| {
            let pairs = pairs.into_iter().map(|(a, b)| (a.min(b), a.max(b)));
            Extent::Numbers(joined(pairs.collect()))
        })
    }

    fn texts() -> impl Strategy<Value = Extent> {
        (proptest::collection::btree_set("[abc]", 0..3), any::<bool>()).prop_map(|(named, is_complement)| {
            Extent::Texts { named: named.into_iter().map(String::into_boxed_str).collect(), is_complement }
        })
    }

    fn agrees(left: &Extent, right: &Extent, value: Ref<'_>) -> Result<(), TestCaseError> {
        let (l, r) = (left.has(value), right.has(value));
        prop_assert_eq!(left.intersection(right).has(value), l && r);
        prop_assert_eq!(left.union(right).has(value), l || r);
        prop_assert_eq!(left.complement().has(value), !l);
        prop_assert_eq!(left.complement().complement(), left.clone());
        prop_assert!(!left.is_empty() || !l);
        Ok(())
    }

    proptest! {
        #[test]
        fn sets_of_numbers_are_sets(left in numbers(), right in numbers()) {
            for n in (-6..7).chain([i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX]) {
                agrees(&left, &right, Ref::Number(n))?;
            }
        }

        #[test]
        fn sets_of_texts_are_sets(left in texts(), right in texts()) {
            for text in ["a", "b", "c", "d"] {
                agrees(&left, &right, Ref::Text(text))?;
            }
        }
    }

    #[test]
    fn what_is_everything_and_nothing_is_known() {
        let all = Extent::Numbers(Vec::new()).complement();
        assert_eq!(all, Extent::interval(i64::MIN, i64::MAX));
        assert!(ValueSet { extent: all.clone(), when_unavailable: Kleene::True }.is_always());
        assert!(!ValueSet::of(all).is_always());
        assert!(!ValueSet::of(Extent::interval(1, 0)).is_never(), "without a value it cannot be told");
    }
}
