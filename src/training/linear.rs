//! A linear model: a weight for each column and label.

use super::rows::Rows;

/// Weights of a linear model, and what it says before it sees anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    labels: usize,
    /// For each column its labels' weights; at the end the biases.
    weights: Vec<f32>,
}

impl Linear {
    pub(super) fn new(columns: usize, labels: usize) -> Self {
        Self { labels, weights: vec![0.0; (columns + 1) * labels] }
    }

    /// How many labels it tells apart.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// For each column the weight of each label.
    pub fn weights(&self) -> &[f32] {
        &self.weights[..self.weights.len() - self.labels]
    }

    /// What is said of each label before a row is seen.
    pub fn biases(&self) -> &[f32] {
        &self.weights[self.weights.len() - self.labels..]
    }

    /// The logit of each label for a row.
    pub fn logits_into(&self, rows: &impl Rows, row: usize, logits: &mut [f32]) {
        logits.copy_from_slice(self.biases());
        for (column, value) in rows.entries(row) {
            let weights = &self.weights[column * self.labels..][..self.labels];
            for (logit, weight) in logits.iter_mut().zip(weights) {
                *logit += value * weight;
            }
        }
    }

    /// Adds a row's features times a step for each label.
    pub(super) fn add(&mut self, rows: &impl Rows, row: usize, step: &[f32]) {
        let biases = self.weights.len() - self.labels;
        for (bias, step) in self.weights[biases..].iter_mut().zip(step) {
            *bias += step;
        }
        for (column, value) in rows.entries(row) {
            let weights = &mut self.weights[column * self.labels..][..self.labels];
            for (weight, step) in weights.iter_mut().zip(step) {
                *weight += value * step;
            }
        }
    }

    pub(super) fn scale(&mut self, by: f32) {
        self.weights.iter_mut().for_each(|weight| *weight *= by);
    }

    pub(super) fn is_finite(&self) -> bool {
        self.weights.iter().all(|weight| weight.is_finite())
    }
}
