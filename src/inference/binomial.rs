//! The binomial distribution: exact tails and the lower bound of Clopper and Pearson, without a platform's mathematics.

/// Errors in so many trials that fail with the same probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trials {
    pub(super) count: usize,
    pub(super) errors: usize,
}

impl Trials {
    /// The probability of so few errors, or fewer, when one trial succeeds with probability `success`.
    ///
    /// Sums the terms from the largest outwards until they no longer count: about as many as the square root of the trials.
    pub(super) fn tail(self, success: f64) -> f64 {
        let Self { count, errors } = self;
        if errors >= count || success >= 1.0 {
            return 1.0;
        }
        if success <= 0.0 {
            return 0.0;
        }
        let (n, failure) = (count as f64, 1.0 - success);
        let is_lower = (errors as f64) < n * failure;
        // Below the mean the terms fall towards none, above it towards all: sum on the side where they fall.
        let (mut at, mut sum) = if is_lower { (errors, 0.0) } else { (errors + 1, 0.0) };
        let mut term = libm::exp(log_term(count, at, success));
        loop {
            sum += term;
            if term <= sum * 1e-17 || at == if is_lower { 0 } else { count } {
                break;
            }
            let k = at as f64;
            term *=
                if is_lower { k / (n - k + 1.0) * success / failure } else { (n - k) / (k + 1.0) * failure / success };
            at = if is_lower { at - 1 } else { at + 1 };
        }
        if is_lower { sum.min(1.0) } else { (1.0 - sum).max(0.0) }
    }

    /// The lower bound for the probability of success that holds with this confidence (Clopper and Pearson 1934, one-sided):
    /// the lowest one under which so few errors are not rarer than `1 - confidence`.
    pub(super) fn lower_bound(self, confidence: f64) -> f64 {
        if self.errors >= self.count {
            return 0.0;
        }
        let (mut low, mut high) = (0.0, 1.0);
        // INVARIANT: at `low` the tail is at most `1 - confidence`, so that what is returned was tested.
        for _ in 0..50 {
            let middle = (low + high) / 2.0;
            if self.tail(middle) <= 1.0 - confidence { low = middle } else { high = middle }
        }
        low
    }
}

/// The fewest trials in which so many errors still prove a probability of success above `success`; `None` beyond `at_most`.
pub(super) fn trials_needed(errors: usize, success: f64, confidence: f64, at_most: usize) -> Option<usize> {
    let proves = |count| Trials { count, errors }.tail(success) <= 1.0 - confidence;
    let (mut low, mut high) = (errors, errors + 1);
    while !proves(high) {
        if high >= at_most {
            return None;
        }
        (low, high) = (high, (high * 2).min(at_most));
    }
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if proves(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// The logarithm of the probability of just so many errors.
fn log_term(count: usize, errors: usize, success: f64) -> f64 {
    let (n, k) = (count as f64, errors as f64);
    let choose = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    choose + k * libm::log1p(-success) + (n - k) * libm::log(success)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same sum, term by term, in the plainest way.
    fn brute_tail(count: usize, errors: usize, success: f64) -> f64 {
        let mut sum = 0.0;
        for k in 0..=errors {
            let mut term = 1.0;
            for factor in 0..k {
                term *= (count - factor) as f64 / (k - factor) as f64 * (1.0 - success);
            }
            for _ in k..count {
                term *= success;
            }
            sum += term;
        }
        sum
    }

    #[test]
    fn tails_equal_the_plain_sum() {
        for count in [1, 2, 7, 40, 150] {
            for errors in 0..count {
                for success in [0.05, 0.3, 0.5, 0.9, 0.97, 0.999] {
                    let (found, expected) =
                        (Trials { count, errors }.tail(success), brute_tail(count, errors, success));
                    assert!((found - expected).abs() < 1e-11, "{count} {errors} {success}: {found} beside {expected}");
                }
            }
        }
    }

    /// With n successes of n the bound is the n-th root of 1 - confidence; the other rows are from published tables of two-sided
    /// 95 % intervals (one-sided 97.5 %).
    #[test]
    fn lower_bounds_equal_those_of_tables() {
        let bound = |count, errors, confidence| Trials { count, errors }.lower_bound(confidence);
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 5e-5, "{found} beside {expected}");
        near(bound(10, 0, 0.95), 0.741_134);
        near(bound(299, 0, 0.95), 0.990_031);
        near(bound(10, 5, 0.975), 0.187_086);
        near(bound(10, 0, 0.975), 0.691_503);
        near(bound(20, 1, 0.975), 0.751_27);
        near(bound(100, 5, 0.975), 0.887_2);
        near(bound(1, 1, 0.95), 0.0);
    }

    /// The well-known 59 and 299 rows without error for 95 % and 99 %.
    #[test]
    fn trials_needed_are_the_fewest() {
        let needed = |errors, success| trials_needed(errors, success, 0.95, 200_000);
        assert_eq!((needed(0, 0.95), needed(1, 0.95), needed(2, 0.95)), (Some(59), Some(93), Some(124)));
        assert_eq!((needed(0, 0.99), needed(1, 0.99)), (Some(299), Some(473)));
        assert_eq!(needed(0, 0.999_99), None);
    }

    #[test]
    fn large_numbers_neither_vanish_nor_overflow() {
        let trials = Trials { count: 200_000, errors: 10_000 };
        assert!((trials.tail(0.95) - 0.502).abs() < 0.002, "{}", trials.tail(0.95));
        let bound = trials.lower_bound(0.95);
        assert!((bound - 0.949_19).abs() < 2e-5, "{bound}");
        assert!(Trials { count: 200_000, errors: 0 }.tail(0.5) < 1e-300);
        assert!(Trials { count: 200_000, errors: 150_000 }.tail(0.5) > 1.0 - 1e-12);
    }
}
