//! Which customer an event is about.

use clap::ValueEnum;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use rand_pcg::Pcg64Mcg;

/// The exponent of the zipf spread: the usual one of key-value benchmarks (YCSB).
const EXPONENT: f64 = 0.99;

/// How events spread over customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spread {
    /// All alike.
    Uniform,
    /// A few have most events: rank k has a share of 1 / k^0.99.
    Zipf,
}

/// Draws customers, the same ones for the same seed.
#[derive(Debug)]
pub(crate) struct Draw {
    random: Pcg64Mcg,
    customers: u64,
    zipf: Option<Zipf<f64>>,
}

impl Draw {
    /// The draws of one caller of many.
    pub(crate) fn new(spread: Spread, customers: u64, seed: u64, caller: u64) -> Self {
        let random = Pcg64Mcg::seed_from_u64(seed ^ caller.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let zipf = match spread {
            Spread::Uniform => None,
            Spread::Zipf => Zipf::new(customers as f64, EXPONENT).ok(),
        };
        Self { random, customers, zipf }
    }

    /// The next customer, from 0.
    pub(crate) fn next(&mut self) -> u64 {
        match &self.zipf {
            None => self.random.random_range(0..self.customers),
            // Ranks are strewn over the numbers, so that the busy customers are not neighbours.
            Some(zipf) => {
                let rank = zipf.sample(&mut self.random) as u64;
                (rank.wrapping_mul(0x9e37_79b9_7f4a_7c15)) % self.customers
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_customers() {
        let draw = |seed, caller| {
            let mut draw = Draw::new(Spread::Zipf, 1_000, seed, caller);
            (0..100).map(|_| draw.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(2, 0));
        assert_ne!(draw(1, 0), draw(1, 1));
    }

    #[test]
    fn a_zipf_spread_has_a_few_busy_customers_and_a_uniform_one_has_none() {
        let busiest = |spread| {
            let mut draw = Draw::new(spread, 1_000, 7, 0);
            let mut counts = vec![0; 1_000];
            (0..100_000).for_each(|_| counts[draw.next() as usize] += 1);
            counts.into_iter().max().unwrap()
        };
        // The first of 1,000 ranks has a share of 1 / H(1000, 0.99) = 13 %.
        assert!((12_000..14_500).contains(&busiest(Spread::Zipf)), "{}", busiest(Spread::Zipf));
        assert!((100..160).contains(&busiest(Spread::Uniform)), "{}", busiest(Spread::Uniform));
    }
}
