//! Seeded numbers: SplitMix64 (Steele, Lea and Flood, 2014), which passes the usual batteries and is five lines long.

/// A stream of numbers that its seed determines.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `from..=to`. The bias of the multiplication is below 2⁻⁴⁰ for the spans that are used here.
    pub(crate) fn within(&mut self, from: i64, to: i64) -> i64 {
        let span = (to - from + 1) as u128;
        from + ((u128::from(self.bits()) * span) >> 64) as i64
    }

    /// A position below `length`.
    pub(crate) fn below(&mut self, length: usize) -> usize {
        self.within(0, length as i64 - 1) as usize
    }

    /// A number from 0 up to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Brings the items into a random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// So many different positions below `length`, in random order.
    pub(crate) fn pick(&mut self, count: usize, length: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..length).collect();
        self.shuffle(&mut all);
        all.truncate(count);
        all
    }
}

/// Positions of which the n-th comes with a probability in proportion to 1/n.
#[derive(Debug)]
pub(crate) struct Zipf(Vec<f64>);

impl Zipf {
    /// Over so many positions.
    pub(crate) fn new(length: usize) -> Self {
        let mut sum = 0.0;
        let sums = (1..=length).map(|n| {
            sum += 1.0 / n as f64;
            sum
        });
        Self(sums.collect())
    }

    /// The next position.
    pub(crate) fn next(&self, random: &mut Random) -> usize {
        let point = random.unit() * self.0.last().copied().unwrap_or_default();
        self.0.partition_point(|sum| *sum <= point).min(self.0.len() - 1)
    }
}
