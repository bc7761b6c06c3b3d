//! Who is admitted, in one word that is read with every request.

/// Chances are counted in this many parts.
pub(super) const WHOLE: u32 = 1 << 16;

/// Who is admitted: everyone above a level, nobody below it, and on it some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The level that is admitted in part.
    pub(super) marginal: u8,
    /// How many of it are let through, in parts of [`WHOLE`].
    pub(super) rest: u32,
    /// The same for those who ask far more than others.
    pub(super) hot: u32,
}

/// The word for "everyone, and it is not even counted".
pub(super) const OPEN: u64 = 0;

/// Tells every verdict from [`OPEN`].
const GIVEN: u64 = 1 << 63;

impl Verdict {
    /// Everyone is admitted, and counted, because it may soon have to be otherwise.
    pub(super) const COUNTING: Self = Self { marginal: 0, rest: WHOLE, hot: WHOLE };

    pub(super) fn word(self) -> u64 {
        GIVEN | u64::from(self.marginal) | u64::from(self.rest) << 8 | u64::from(self.hot) << 32
    }

    /// Reads a word other than [`OPEN`].
    pub(super) fn of(word: u64) -> Self {
        Self {
            marginal: word as u8,
            rest: (word >> 8) as u32 & (2 * WHOLE - 1),
            hot: (word >> 32) as u32 & (2 * WHOLE - 1),
        }
    }

    /// The chance of a request of a level.
    pub(super) fn chance(self, level: u8, is_hot: bool) -> u32 {
        match level.cmp(&self.marginal) {
            std::cmp::Ordering::Greater => WHOLE,
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal if is_hot => self.hot,
            std::cmp::Ordering::Equal => self.rest,
        }
    }

    /// Whether some of a level or of a higher one are shed.
    pub(super) fn cuts(self, level: u8) -> bool {
        self.marginal > level || (self.marginal == level && self.rest < WHOLE)
    }
}

/// Whether the `nth` request is let through with a chance. A hash, so that no rhythm of requests falls in with that of the
/// choices.
pub(super) fn is_chosen(nth: u32, salt: u64, chance: u32) -> bool {
    (mixed(u64::from(nth) ^ salt) >> 48) < u64::from(chance)
}

/// All bits of a number in all bits (the finisher of MurmurHash3).
pub(super) fn mixed(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xff51_afd7_ed55_8ccd);
    number ^= number >> 33;
    number = number.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ number >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_fits_into_a_word() {
        for verdict in [
            Verdict::COUNTING,
            Verdict { marginal: 10, rest: 0, hot: 0 },
            Verdict { marginal: 5, rest: WHOLE, hot: 1 },
            Verdict { marginal: 3, rest: 12_345, hot: WHOLE },
        ] {
            assert_eq!(Verdict::of(verdict.word()), verdict);
            assert_ne!(verdict.word(), OPEN);
        }
    }

    #[test]
    fn above_the_margin_everyone_below_it_nobody() {
        let verdict = Verdict { marginal: 5, rest: WHOLE / 2, hot: WHOLE / 8 };
        assert_eq!([6, 5, 4].map(|level| verdict.chance(level, false)), [WHOLE, WHOLE / 2, 0]);
        assert_eq!(verdict.chance(5, true), WHOLE / 8);
        assert_eq!([6, 5, 4].map(|level| verdict.cuts(level)), [false, true, true]);
    }

    #[test]
    fn as_many_are_chosen_as_the_chance_says() {
        for chance in [0, WHOLE / 10, WHOLE / 2, WHOLE] {
            let chosen = (0..10_000).filter(|nth| is_chosen(*nth, 7, chance)).count();
            let expected = 10_000 * chance as usize / WHOLE as usize;
            assert!(chosen.abs_diff(expected) < 200, "{chosen} of {expected}");
        }
    }
}
