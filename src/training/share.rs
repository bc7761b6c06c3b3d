//! One row's share in each label: the small problem that dual coordinate ascent solves again and again.

use crate::inference::exp;

/// Newton's steps at most. Where they do not suffice, the next pass goes on.
const STEPS_MAX: usize = 12;

/// Working memory of the small problem.
#[derive(Debug)]
pub(super) struct Share {
    goal: Vec<f32>,
    residual: Vec<f32>,
    slack: Vec<f32>,
    share: Vec<f32>,
    /// How much each share grew.
    pub(super) step: Vec<f32>,
}

impl Share {
    pub(super) fn new(labels: usize) -> Self {
        let memory = || vec![0.0; labels];
        Self { goal: memory(), residual: memory(), slack: memory(), share: memory(), step: memory() }
    }

    /// How far a row's dual is from its primal: log Σ exp(logit) - Σ share·(logit - ln share), which is never below zero.
    pub(super) fn gap(&mut self, logits: &[f32], share: &[f32]) -> f32 {
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
        for ((terms, logit), log) in self.goal.iter_mut().zip(logits).zip(share) {
            *terms = exp(log.min(0.0)) * (logit - highest - log);
        }
        for (term, logit) in self.residual.iter_mut().zip(logits) {
            *term = exp(logit - highest);
        }
        libm::logf(sum(&self.residual)) - sum(&self.goal)
    }

    /// Finds the share q with `ln q + pull·q = logit + pull·q_before - ν` and a sum of one, by Newton's method in the
    /// logarithms and ν together. `share` holds logarithms; `step` is left with how much each share grew.
    pub(super) fn solve(&mut self, logits: &[f32], pull: f32, share: &mut [f32]) {
        for ((before, goal), (log, logit)) in self.step.iter_mut().zip(&mut self.goal).zip(share.iter().zip(logits)) {
            *before = exp(*log);
            *goal = logit + pull * *before;
        }
        // Newton's method is exact in ν: wherever it begins, the first step finds it.
        let mut level = 0.0;
        for _ in 0..STEPS_MAX {
            if self.newton(pull, &mut level, share) < 1e-5 {
                break;
            }
        }
        let total = sum_of_exp(share, &mut self.share);
        let log = libm::logf(total);
        for ((step, log_share), now) in self.step.iter_mut().zip(share.iter_mut()).zip(&self.share) {
            *log_share -= log;
            *step = now / total - *step;
        }
    }

    /// One step; returns how far it went.
    fn newton(&mut self, pull: f32, level: &mut f32, share: &mut [f32]) -> f32 {
        for ((now, log), ((residual, slack), goal)) in
            self.share.iter_mut().zip(share.iter()).zip(self.residual.iter_mut().zip(&mut self.slack).zip(&self.goal))
        {
            *now = exp(*log);
            *residual = log + pull * *now - goal + *level;
            *slack = 1.0 / (1.0 + pull * *now);
        }
        let (mut total, mut weighed, mut slope) = (0.0, 0.0, 0.0);
        for ((now, residual), slack) in self.share.iter().zip(&self.residual).zip(&self.slack) {
            total += now;
            weighed += now * residual * slack;
            slope += now * slack;
        }
        let rise = (total - 1.0 - weighed) / slope;
        *level += rise;
        let mut moved = 0.0_f32;
        for ((log, residual), slack) in share.iter_mut().zip(&self.residual).zip(&self.slack) {
            let next = (*log - (residual + rise) * slack).clamp(-80.0, 0.0);
            let far = (next - *log).abs() * exp(next);
            moved = if far > moved { far } else { moved };
            *log = next;
        }
        moved.max((total - 1.0).abs())
    }
}

fn sum_of_exp(logs: &[f32], terms: &mut [f32]) -> f32 {
    for (term, log) in terms.iter_mut().zip(logs) {
        *term = exp(*log);
    }
    sum(terms)
}

fn sum(numbers: &[f32]) -> f32 {
    numbers.iter().sum()
}
