//! Which buckets a text fills, and which of them more than once.

use super::grams::BUCKETS;

/// Tells first sights from repetitions, in memory that is used again. Empty between texts.
#[derive(Debug)]
pub(super) struct Tally {
    /// One bit for each bucket: 8 KiB, so that it stays in the fastest memory.
    seen: Box<[u64; BUCKETS / 64]>,
    /// How often a bucket was seen again; read for the few that were.
    again: Box<[u8; BUCKETS]>,
    repetitions: Vec<u16>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { seen: Box::new([0; BUCKETS / 64]), again: Box::new([0; BUCKETS]), repetitions: Vec::new() }
    }
}

impl Tally {
    /// Shows `sight` each bucket with whether it is the first time; then `repeated` each bucket that came at least twice, with
    /// how often (255 and more are 255).
    ///
    /// `sight` is called for every gram, so that it can work without a branch that nobody can predict.
    pub(super) fn count(
        &mut self,
        buckets: &[u16],
        mut sight: impl FnMut(u16, bool),
        mut repeated: impl FnMut(u16, u8),
    ) {
        self.repetitions.clear();
        self.repetitions.resize(buckets.len(), 0);
        let mut repetitions = 0;
        for bucket in buckets {
            let bits = &mut self.seen[usize::from(bucket >> 6)];
            let bit = 1 << (bucket & 63);
            let is_first = *bits & bit == 0;
            *bits |= bit;
            self.repetitions[repetitions] = *bucket;
            repetitions += usize::from(!is_first);
            sight(*bucket, is_first);
        }
        for bucket in buckets {
            self.seen[usize::from(bucket >> 6)] = 0;
        }
        let repetitions = &self.repetitions[..repetitions];
        for bucket in repetitions {
            let again = &mut self.again[usize::from(*bucket)];
            *again = again.saturating_add(1);
        }
        for bucket in repetitions {
            let again = std::mem::take(&mut self.again[usize::from(*bucket)]);
            if again > 0 {
                repeated(*bucket, again.saturating_add(1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_as_a_map_would_and_forgets_the_text(
            texts in prop::collection::vec(prop::collection::vec(0_u16..40, 0..400), 1..4),
        ) {
            let mut tally = Tally::default();
            for buckets in texts {
                let mut expected = BTreeMap::new();
                for bucket in &buckets {
                    *expected.entry(*bucket).or_insert(0_usize) += 1;
                }
                let (mut counted, mut sights) = (BTreeMap::new(), 0);
                let mut repeated = Vec::new();
                tally.count(
                    &buckets,
                    |bucket, is_first| {
                        sights += 1;
                        if is_first {
                            counted.insert(bucket, 1_usize);
                        }
                    },
                    |bucket, times| repeated.push((bucket, usize::from(times))),
                );
                counted.extend(repeated);
                prop_assert_eq!(sights, buckets.len());
                prop_assert_eq!(counted, expected.into_iter().map(|(b, n)| (b, n.min(255))).collect::<BTreeMap<_, _>>());
            }
        }
    }
}
