//! A map that is bounded and keeps a fair sample.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::{FixedState, RandomState};

/// Values by 64-bit hashes. Once there are too many, only keys whose hash ends in a zero bit are kept, then in two, and so on: what is
/// still kept was kept from the beginning. Two of a million keys have the same hash once in thirty million runs.
#[derive(Clone, Debug)]
pub(super) struct Sample<V> {
    values: HashMap<u64, V, RandomState>,
    values_max: usize,
    halvings: u32,
}

/// The key of something: the same in every thread.
pub(super) fn key(of: impl Hash) -> u64 {
    FixedState::default().hash_one(of)
}

impl<V> Sample<V> {
    pub(super) fn new(values_max: usize) -> Self {
        Self { values: HashMap::default(), values_max: values_max.max(1), halvings: 0 }
    }

    pub(super) fn admits(&self, key: u64) -> bool {
        key.trailing_zeros() >= self.halvings
    }

    pub(super) fn get(&self, key: u64) -> Option<&V> {
        self.values.get(&key)
    }

    /// The value of a key, made if it is new; `None` where the key is not in the sample.
    pub(super) fn get_or(&mut self, key: u64, make: impl FnOnce() -> V) -> Option<&mut V> {
        if !self.admits(key) {
            return None;
        }
        while self.values.len() >= self.values_max && !self.values.contains_key(&key) && self.halve() {}
        self.admits(key).then(|| self.values.entry(key).or_insert_with(make))
    }

    /// Keeps half of the keys; false when there are no further halves.
    pub(super) fn halve(&mut self) -> bool {
        if self.halvings == u64::BITS {
            return false;
        }
        self.halvings += 1;
        let halvings = self.halvings;
        self.values.retain(|key, _| key.trailing_zeros() >= halvings);
        true
    }

    /// Takes another in, with the room that it had; where both have a key, `both` makes one of the two.
    pub(super) fn add(&mut self, other: Self, mut both: impl FnMut(&mut V, V)) {
        self.values_max += other.values_max;
        while self.halvings < other.halvings && self.halve() {}
        for (key, value) in other.values {
            match self.values.get_mut(&key) {
                Some(known) => both(known, value),
                None => {
                    self.get_or(key, || value);
                }
            }
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.values.values()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The share of all keys that is looked at: one of so many.
    pub(super) fn one_of(&self) -> u64 {
        1_u64.checked_shl(self.halvings).unwrap_or(u64::MAX)
    }

    /// What is to be said of a sample of these; nothing while all are looked at.
    pub(super) fn remark(&self, what: &str) -> String {
        match self.one_of() {
            1 => String::new(),
            one_of => format!("Looked at one {what} of {one_of}: there were too many to keep all."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_exact_until_it_is_full_and_a_fair_sample_from_then_on() {
        let mut sample = Sample::new(1_000);
        for number in 0..1_000_u32 {
            assert!(sample.get_or(key(number), || number).is_some());
        }
        assert_eq!((sample.len(), sample.one_of()), (1_000, 1));
        for number in 1_000..100_000_u32 {
            sample.get_or(key(number), || number);
            assert!(sample.len() <= 1_000);
        }
        assert!((64..=256).contains(&sample.one_of()) && sample.len() > 300, "{} of {}", sample.len(), sample.one_of());
        // Those of the beginning are as likely to be there as those of the end, and nobody is there who should not.
        let early = sample.values().filter(|number| **number < 50_000).count();
        assert!((sample.len() / 3..sample.len() * 2 / 3).contains(&early), "{early} of {}", sample.len());
        for number in 0..100_000_u32 {
            assert_eq!(sample.get(key(number)).is_some(), sample.admits(key(number)));
        }
    }

    #[test]
    fn two_that_are_added_have_what_one_would_have() {
        let (mut one, mut other, mut all) = (Sample::new(500), Sample::new(500), Sample::new(1_000));
        for number in 0..5_000_u32 {
            let half = if number % 3 == 0 { &mut one } else { &mut other };
            half.get_or(key(number), || number);
            all.get_or(key(number), || number);
        }
        one.add(other, |_, _| panic!("no number is in both"));
        assert_eq!((one.len(), one.one_of()), (all.len(), all.one_of()));
        // What fits into the room of both is kept whole.
        let (mut one, mut other) = (Sample::new(500), Sample::new(500));
        for number in 0..1_000_u32 {
            if number < 500 { &mut one } else { &mut other }.get_or(key(number), || number);
        }
        one.add(other, |_, _| panic!("no number is in both"));
        assert_eq!((one.len(), one.one_of()), (1_000, 1));
        let (mut one, mut same) = (Sample::new(5), Sample::new(5));
        one.get_or(7, || 1);
        same.get_or(7, || 2);
        one.add(same, |known, other| *known += other);
        assert_eq!(one.get(7), Some(&3));
    }
}
