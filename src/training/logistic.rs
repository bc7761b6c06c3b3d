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
