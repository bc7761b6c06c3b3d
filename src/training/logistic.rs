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

    /// At the optimum the weights are what the rows' errors pull them to: the gradient is zero.
    fn pull(linear: &Linear, values: &[f32], labels: &[u16], strength: f32) -> Vec<f32> {
        let mut pull = vec![0.0; linear.weights().len() + 3];
        for (row, label) in values.chunks_exact(COLUMNS).zip(labels) {
            let mut logits = [0.0; 3];
            linear.logits_into(&DenseRows::new(COLUMNS, row), 0, &mut logits);
            let sum: f32 = logits.iter().map(|logit| libm::expf(*logit)).sum();
            for (nth, logit) in logits.iter().enumerate() {
                let error = f32::from(nth == usize::from(*label)) - libm::expf(*logit) / sum;
                for (column, value) in row.iter().chain(&[1.0]).enumerate() {
                    pull[3 * column + nth] += strength * value * error;
                }
            }
        }
        pull
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn comes_to_where_the_gradient_is_zero(
            rows in prop::collection::vec((prop::array::uniform3(-1.5_f32..1.5), 0_u16..3), 1..20),
        ) {
            let values: Vec<f32> = rows.iter().flat_map(|(row, _)| *row).collect();
            let labels: Vec<u16> = rows.iter().map(|(_, label)| *label).collect();
            let linear = fit(&DenseRows::new(COLUMNS, &values), &labels, &EXACT).unwrap();
            let weights = linear.weights().iter().chain(linear.biases());
            for (weight, pull) in weights.zip(pull(&linear, &values, &labels, EXACT.strength)) {
                prop_assert!((weight - pull).abs() < 0.02, "{weight} is pulled to {pull}");
            }
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
