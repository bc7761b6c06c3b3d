//! Which customer an input is about.

use std::f64::consts::E;

use super::ground::mix;

/// How inputs spread over customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// All alike.
    Uniform,
    /// A few have most inputs: rank k has a share in proportion to 1 / k^0.99, as key-value benchmarks have it (YCSB).
    Zipf,
}

impl Spread {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf 0.99",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Uniform, Self::Zipf].into_iter().find(|spread| spread.name().split(' ').next() == Some(name))
    }
}

/// Draws customers, the same ones for the same seed.
#[derive(Debug)]
pub(crate) struct Draw {
    state: u64,
    customers: u64,
    zipf: Option<Zipf>,
}

impl Draw {
    pub(crate) fn new(spread: Spread, customers: u64, seed: u64) -> Self {
        let zipf = (spread == Spread::Zipf).then(|| Zipf::new(customers));
        Self { state: mix(seed), customers, zipf }
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The next customer, from 0.
    pub(crate) fn next(&mut self) -> u64 {
        let Some(zipf) = &self.zipf else {
            return ((u128::from(self.bits()) * u128::from(self.customers)) >> 64) as u64;
        };
        let (low, high) = (zipf.low, zipf.high);
        loop {
            let point = high + self.unit() * (low - high);
            if let Some(rank) = Zipf::rank(point, self.customers) {
                // Ranks are strewn over the numbers, so that the busy customers are not neighbours.
                return ((u128::from(mix(rank)) * u128::from(self.customers)) >> 64) as u64;
            }
        }
    }
}

/// The exponent of the spread.
const EXPONENT: f64 = 0.99;

/// Zipf's distribution by rejection and inversion (Hörmann and Derflinger, 1996): no table, about one draw a rank.
#[derive(Clone, Copy, Debug)]
struct Zipf {
    low: f64,
    high: f64,
}

impl Zipf {
    fn new(length: u64) -> Self {
        Self { low: integral(1.5) - 1.0, high: integral(length as f64 + 0.5) }
    }

    /// The rank under a point of the area, unless the point lies beyond the ranks' own bars.
    fn rank(point: f64, length: u64) -> Option<u64> {
        let at = inverse(point);
        let rank = at.round().clamp(1.0, length as f64);
        (point >= integral(rank + 0.5) - rank.powf(-EXPONENT)).then_some(rank as u64)
    }
}

/// The area under x^-EXPONENT, up to a constant.
fn integral(x: f64) -> f64 {
    x.powf(1.0 - EXPONENT) / (1.0 - EXPONENT)
}

fn inverse(area: f64) -> f64 {
    (area * (1.0 - EXPONENT)).max(1.0 / E.powi(64)).powf(1.0 / (1.0 - EXPONENT))
}

/// The draws are what they should be, or the program stops: the first of 1,000 ranks has a share of 13 %.
pub(crate) fn check() {
    let busiest = |spread| {
        let mut draw = Draw::new(spread, 1_000, 7);
        let mut counts = vec![0_u32; 1_000];
        (0..200_000).for_each(|_| counts[draw.next() as usize] += 1);
        counts.sort_unstable();
        counts
    };
    let (uniform, zipf) = (busiest(Spread::Uniform), busiest(Spread::Zipf));
    assert!(uniform[999] < 300 && uniform[0] > 120, "uniform draws: {} to {}", uniform[0], uniform[999]);
    // Two ranks may share a customer, so the busiest may have a little more than 1 / H(1000, 0.99).
    assert!((24_000..33_000).contains(&zipf[999]), "zipf draws: the busiest has {} of 200,000", zipf[999]);
}
