//! Multinomial logistic regression, by dual coordinate ascent.
//!
//! The problem is `min |W|²/2 + C Σ loss`, as textbooks have it. Its dual gives each row a distribution over the labels; one
//! row's, the others fixed, is found by Newton's method, and the weights follow at once (Yu, Huang, Lin 2011, "Dual coordinate
//! descent methods for logistic regression and maximum entropy models"). A pass over the rows costs what one gradient would,
//! and a dozen suffice. How far dual and primal are apart says how far the fit has come: nothing stops before it has begun.

use thiserror::Error;

use super::chance::Chance;
use super::linear::Linear;
use super::rows::Rows;
use super::share::Share;

/// How a fit is done.
#[derive(Clone, Copy, Debug)]
pub struct FitConfig {
    /// What the rows' losses weigh against the weights: small is cautious, large follows the rows.
    pub strength: f32,
    /// Passes after which a fit that has not come to its end is given up.
    pub passes_max: u32,
    /// How far, in nats for a row, the loss may be from the least there is.
    pub gap_max: f32,
    /// Of the order in which rows are looked at.
    pub seed: u64,
}

impl Default for FitConfig {
    /// A thousandth of a nat changes no third digit of an accuracy, and takes a dozen passes or two.
    fn default() -> Self {
        Self { strength: 10.0, passes_max: 200, gap_max: 1e-3, seed: 0 }
    }
}

/// Why nothing could be fitted.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum FitError {
    /// A pass gave numbers that are none.
    #[error("the fit gave numbers that are none; are the features finite?")]
    NotFinite,
    /// After all passes the loss was still too far from the least.
    #[error(
        "the fit has not come to its end after {passes} passes: {gap:.4} nats for a row are left, {gap_max:.4} would do"
    )]
    NotDone {
        /// How many passes were made.
        passes: u32,
        /// How far the loss still is from the least.
        gap: f32,
        /// How far it may be.
        gap_max: f32,
    },
}

/// A fit under way: it may be gone on with at another strength, from where it stands.
#[derive(Debug)]
pub struct Fit<'r, R> {
    rows: &'r R,
    labels: &'r [u16],
    linear: Linear,
    /// The logarithm of each row's share in each label, row by row.
    shares: Vec<f32>,
    squares: Vec<f32>,
    order: Vec<u32>,
    strength: Option<f32>,
}

/// How far a fit is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitProgress {
    /// Passes over the rows so far.
    pub pass: u32,
    /// How far the loss is from the least, in nats for a row.
    pub gap: f32,
}

impl<'r, R: Rows> Fit<'r, R> {
    /// Begins with nothing known. `labels` are positions below `count`, one for each row.
    ///
    /// # Panics
    /// When there is not one label for each row, or one is not below `count`.
    pub fn new(rows: &'r R, labels: &'r [u16], count: usize) -> Self {
        assert_eq!(rows.len(), labels.len(), "a label for each row");
        assert!(labels.iter().all(|label| usize::from(*label) < count), "labels below their count");
        let square = |row| 1.0 + rows.entries(row).map(|(_, value)| value * value).sum::<f32>();
        Self {
            rows,
            labels,
            linear: Linear::new(rows.columns(), count),
            shares: vec![-libm::logf(count as f32); count * labels.len()],
            squares: (0..rows.len()).map(square).collect(),
            order: (0..labels.len() as u32).collect(),
            strength: None,
        }
    }

    /// Fits at a strength, and gives the model. `watch` is told of each pass.
    pub fn run(&mut self, config: &FitConfig, watch: &mut dyn FnMut(FitProgress)) -> Result<&Linear, FitError> {
        self.start_from_where_it_stands(config.strength);
        let mut chance = Chance::new(config.seed);
        let mut gap = f32::INFINITY;
        for pass in 1..=config.passes_max {
            chance.shuffle(&mut self.order);
            gap = self.pass(config);
            watch(FitProgress { pass, gap });
            if !gap.is_finite() {
                return Err(FitError::NotFinite);
            }
            if gap <= config.gap_max {
                return if self.linear.is_finite() { Ok(&self.linear) } else { Err(FitError::NotFinite) };
            }
        }
        Err(FitError::NotDone { passes: config.passes_max, gap, gap_max: config.gap_max })
    }

    /// The weights are the rows' sum, each by strength times (its label - its share): from one strength to another they only
    /// grow or shrink.
    fn start_from_where_it_stands(&mut self, strength: f32) {
        match self.strength.replace(strength) {
            Some(before) => self.linear.scale(strength / before),
            None => {
                let count = self.linear.labels();
                let mut step = vec![0.0; count];
                for (row, label) in self.labels.iter().enumerate() {
                    step.fill(-strength / count as f32);
                    step[usize::from(*label)] += strength;
                    self.linear.add(self.rows, row, &step);
                }
            }
        }
    }

    /// One pass over all rows; returns how far the loss was from the least, for a row.
    fn pass(&mut self, config: &FitConfig) -> f32 {
        let count = self.linear.labels();
        let mut logits = vec![0.0; count];
        let mut solver = Share::new(count);
        let mut gaps = 0.0_f64;
        for row in &self.order {
            let row = *row as usize;
            self.linear.logits_into(self.rows, row, &mut logits);
            let share = &mut self.shares[row * count..][..count];
            let gap = solver.gap(&logits, share);
            gaps += f64::from(gap);
            // What is nearly right already is left alone: most rows, after a few passes.
            if gap > config.gap_max / 10.0 {
                solver.solve(&logits, config.strength * self.squares[row], share);
                solver.step.iter_mut().for_each(|step| *step *= -config.strength);
                self.linear.add(self.rows, row, &solver.step);
            }
        }
        (gaps / self.order.len().max(1) as f64) as f32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::rows::{DenseRows, SparseRows};
    use super::*;

    const COLUMNS: usize = 3;

    fn sparse(values: &[f32]) -> SparseRows {
        let mut rows = SparseRows::new(COLUMNS);
        for row in values.chunks_exact(COLUMNS) {
            rows.push(
                row.iter().enumerate().filter(|(_, value)| **value != 0.0).map(|(at, value)| (at as u32, *value)),
            );
        }
        rows
    }

    fn fit(rows: &impl Rows, labels: &[u16], config: &FitConfig) -> Result<Linear, FitError> {
        Fit::new(rows, labels, 3).run(config, &mut |_| {}).cloned()
    }

    const EXACT: FitConfig = FitConfig { strength: 2.0, passes_max: 2_000, gap_max: 1e-6, seed: 7 };

    /// What is left of the gradient at a fit's end, and the most that it can be with so many nats for a row left.
    ///
    /// The gradient is C Σ (said - share)·row, and of a row |said - share|² is at most its gap (Pinsker's inequality), so by
    /// Cauchy and Schwarz it is no longer than C √(Σ|row|² · Σ gap). In single precision a row's gap is right to a millionth of
    /// a nat, and the sum of the rows to a thousandth.
    fn gradient(linear: &Linear, values: &[f32], labels: &[u16], gap: f32) -> (f64, f64) {
        let weights: Vec<f64> = linear.weights().iter().chain(linear.biases()).map(|it| f64::from(*it)).collect();
        let strength = f64::from(EXACT.strength);
        let (mut gradient, mut squares) = (weights.clone(), 0.0);
        for (row, label) in values.chunks_exact(COLUMNS).zip(labels) {
            let row = [row[0], row[1], row[2], 1.0].map(f64::from);
            squares += row.iter().map(|value| value * value).sum::<f64>();
            let logit = |nth| row.iter().enumerate().map(|(at, value)| weights[3 * at + nth] * value).sum();
            let terms: [f64; 3] = std::array::from_fn(|nth| libm::exp(logit(nth)));
            for (nth, term) in terms.iter().enumerate() {
                let truth = if nth == usize::from(*label) { 1.0 } else { 0.0 };
                let error = truth - term / terms.iter().sum::<f64>();
                for (column, value) in row.iter().enumerate() {
                    gradient[3 * column + nth] -= strength * value * error;
                }
            }
        }
        let gaps = labels.len() as f64 * (f64::from(gap) + 1e-6);
        (gradient.iter().map(|part| part * part).sum::<f64>().sqrt(), strength * (squares * gaps).sqrt() + 1e-3)
    }

    /// Fits, and checks that what is left of the gradient is what the gap leaves room for.
    ///
    /// A pass sees each row's gap before it moves what the rows before it have seen. So a fit that was told to be at its end may be
    /// some times farther from it: 2.6 times was the most in 20,000 fits.
    fn left_at_the_end(values: &[f32], labels: &[u16]) -> f64 {
        let rows = DenseRows::new(COLUMNS, values);
        let mut fit = Fit::new(&rows, labels, 3);
        fit.run(&EXACT, &mut |_| {}).unwrap();
        let gap = fit.pass(&FitConfig { gap_max: f32::INFINITY, ..EXACT });
        assert!(gap < 10.0 * EXACT.gap_max, "{gap} nats for a row are left");
        let (left, left_max) = gradient(&fit.linear, values, labels, gap);
        assert!(left <= left_max, "{left} is left of the gradient, {left_max} at most");
        left
    }

    proptest! {
        #[test]
        fn comes_to_where_the_gradient_is_zero(
            rows in prop::collection::vec((prop::array::uniform3(-1.5_f32..1.5), 0_u16..3), 1..20),
        ) {
            let values: Vec<f32> = rows.iter().flat_map(|(row, _)| *row).collect();
            let labels: Vec<u16> = rows.iter().map(|(_, label)| *label).collect();
            left_at_the_end(&values, &labels);
        }

        #[test]
        fn sparse_and_dense_rows_give_the_same_model(
            rows in prop::collection::vec((prop::array::uniform3(prop::sample::select(vec![0.0_f32, 0.5, -1.0])), 0_u16..3), 1..12),
        ) {
            let values: Vec<f32> = rows.iter().flat_map(|(row, _)| *row).collect();
            let labels: Vec<u16> = rows.iter().map(|(_, label)| *label).collect();
            let dense = fit(&DenseRows::new(COLUMNS, &values), &labels, &EXACT).unwrap();
            prop_assert_eq!(dense, fit(&sparse(&values), &labels, &EXACT).unwrap());
        }
    }

    const VALUES: [f32; 18] =
        [1.0, 0.1, 0.0, 0.9, 0.0, 0.2, 0.0, 1.0, 0.1, 0.1, 0.8, 0.0, 0.0, 0.1, 1.0, 0.2, 0.0, 0.9];
    const LABELS: [u16; 6] = [0, 0, 1, 1, 2, 2];

    /// Rows that pull against each other leave the optimum so flat that 0.025 of the gradient is within a millionth of a nat for a
    /// row.
    #[test]
    fn a_flat_optimum_leaves_more_of_the_gradient_than_a_steep_one() {
        #[rustfmt::skip]
        let rows: [([f32; 3], u16); 15] = [
            ([0.713_111_5, 0.0, 0.0], 1), ([0.667_650_04, 0.0, -0.770_146_5], 0), ([-0.967_209_4, -1.379_491_8, 0.0], 0),
            ([0.0, 0.0, 1.360_155_8], 0), ([-0.362_022_6, 0.0, 0.0], 0), ([1.489_743_1, 0.0, -1.248_220_9], 0),
            ([0.343_950_4, -0.866_687_8, -1.201_477_2], 1), ([0.0, 0.0, 0.0], 2), ([1.453_928_1, 0.0, -0.083_471_84], 0),
            ([-0.822_954_95, -0.669_006_47, 1.281_249_2], 1), ([0.0, 0.0, 0.0], 1),
            ([1.406_622_8, -0.732_961_1, -1.041_418_7], 1), ([0.544_831_4, 0.0, -0.388_150_4], 0),
            ([-1.286_318_3, 0.0, 1.387_694_5], 1), ([0.866_458_3, 0.0, -1.431_021], 2),
        ];
        let values: Vec<f32> = rows.iter().flat_map(|(row, _)| *row).collect();
        let labels: Vec<u16> = rows.iter().map(|(_, label)| *label).collect();
        let flat = left_at_the_end(&values, &labels);
        assert!(flat > 0.02, "{flat}");
        assert!(left_at_the_end(&VALUES, &LABELS) < flat / 2.0);
    }

    #[test]
    fn a_rough_fit_leaves_more_of_the_gradient_than_an_exact_one_may() {
        let rough = FitConfig { gap_max: 1e-2, ..EXACT };
        let linear = fit(&DenseRows::new(COLUMNS, &VALUES), &LABELS, &rough).unwrap();
        let (left, left_max) = gradient(&linear, &VALUES, &LABELS, 10.0 * EXACT.gap_max);
        assert!(left > 2.0 * left_max, "{left} is left, {left_max} at most");
    }

    #[test]
    fn goes_on_at_another_strength_from_where_it_stands() {
        let rows = DenseRows::new(COLUMNS, &VALUES);
        let mut fit = Fit::new(&rows, &LABELS, 3);
        fit.run(&FitConfig { strength: 0.5, ..EXACT }, &mut |_| {}).unwrap();
        let mut passes = 0;
        let gone_on = fit.run(&EXACT, &mut |_| passes += 1).unwrap();
        let afresh = super::tests::fit(&rows, &LABELS, &EXACT).unwrap();
        assert!(gone_on.weights().iter().zip(afresh.weights()).all(|(a, b)| (a - b).abs() < 0.01));
        assert!(passes > 0);
    }

    #[test]
    fn a_fit_that_has_not_come_to_its_end_is_no_model() {
        let rows = DenseRows::new(COLUMNS, &VALUES);
        let never_begun = fit(&rows, &LABELS, &FitConfig { passes_max: 0, ..EXACT }).unwrap_err();
        assert!(matches!(never_begun, FitError::NotDone { passes: 0, .. }));
        let error = fit(&rows, &LABELS, &FitConfig { passes_max: 1, gap_max: 1e-7, ..EXACT }).unwrap_err();
        let FitError::NotDone { passes: 1, gap, .. } = error else { panic!("{error}") };
        assert!(gap > 1e-3, "{gap} nats after one pass over six rows");
    }

    #[test]
    fn numbers_that_are_none_are_no_model() {
        let mut values = VALUES;
        values[4] = f32::NAN;
        assert_eq!(fit(&DenseRows::new(COLUMNS, &values), &LABELS, &EXACT), Err(FitError::NotFinite));
        values[4] = f32::INFINITY;
        assert_eq!(fit(&DenseRows::new(COLUMNS, &values), &LABELS, &EXACT), Err(FitError::NotFinite));
    }
}
