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
    /// One has a share of all events, the others are alike.
    #[value(skip)]
    Hot {
        /// In millionths.
        share_ppm: u32,
    },
}

impl Spread {
    /// One customer with a share of all events, from 0 to 1.
    pub(crate) fn hot(share: f64) -> Self {
        Self::Hot { share_ppm: (share.clamp(0.0, 1.0) * 1e6).round() as u32 }
    }

    /// In words.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::Uniform => "all alike".to_owned(),
            Self::Zipf => format!("zipf, {EXPONENT}"),
            Self::Hot { share_ppm } => format!("{:.4} % on one", f64::from(share_ppm) / 1e4),
        }
    }
}

/// Draws customers, the same ones for the same seed.
#[derive(Debug)]
pub(crate) struct Draw {
    random: Pcg64Mcg,
    customers: u64,
    zipf: Option<Zipf<f64>>,
    hot_ppm: u32,
}

impl Draw {
    /// The draws of one caller of many.
    pub(crate) fn new(spread: Spread, customers: u64, seed: u64, caller: u64) -> Self {
        let random = Pcg64Mcg::seed_from_u64(seed ^ caller.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let zipf = match spread {
            Spread::Uniform | Spread::Hot { .. } => None,
            Spread::Zipf => Zipf::new(customers as f64, EXPONENT).ok(),
        };
        let hot_ppm = if let Spread::Hot { share_ppm } = spread { share_ppm } else { 0 };
        Self { random, customers, zipf, hot_ppm }
    }

    /// The next customer, from 0. The hot one, if there is one, is the first.
    pub(crate) fn next(&mut self) -> u64 {
        if self.hot_ppm > 0 && self.random.random_range(0..1_000_000) < self.hot_ppm {
            return 0;
        }
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
    fn the_hot_customer_has_its_share() {
        let mut draw = Draw::new(Spread::hot(0.9), 1_000, 7, 0);
        let hot = (0..100_000).filter(|_| draw.next() == 0).count();
        assert!((89_000..91_500).contains(&hot), "{hot}");
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
