//! Linear models: `LinearClassifier`, `LinearRegressor`, and the matrix products of other graphs.

use super::fault::NodeFault;
use super::node::Node;
use super::post_transform::PostTransform;

/// A matrix and what follows: one score for each row of it.
#[derive(Debug)]
pub(super) struct Linear {
    /// One row of weights for each score.
    weights: Vec<f32>,
    /// Added to the scores.
    intercepts: Vec<f32>,
    columns: usize,
    transform: PostTransform,
    /// Whether a single score is written as two: what it lacks to 1, and itself.
    is_doubled: bool,
}

/// How many sums are kept side by side, so that they need not wait for each other.
const LANES: usize = 8;

impl Linear {
    /// Reads a `LinearClassifier` of a row of `columns` that has `labels` labels; gives the number of its scores, too.
    pub(super) fn classifier(node: &Node<'_>, columns: usize, labels: usize) -> Result<(Self, usize), NodeFault> {
        let intercepts = node.floats("intercepts")?.to_vec();
        let targets = intercepts.len();
        let is_doubled = targets == 1 && labels == 2;
        let scores = if is_doubled { 2 } else { targets };
        node.integer("multi_class")?;
        if labels < 2 || scores != labels {
            return Err(node.fault(format!("it has {labels} labels and {targets} intercepts")));
        }
        let linear = Self { is_doubled, ..Self::read(node, columns, intercepts)? };
        if is_doubled && linear.transform == PostTransform::Probit {
            return Err(node.fault("post_transform `PROBIT` of a single score is not supported"));
        }
        Ok((linear, scores))
    }

    /// Reads a `LinearRegressor`; gives the number of its targets, too.
    pub(super) fn regressor(node: &Node<'_>, columns: usize) -> Result<(Self, usize), NodeFault> {
        let targets = node.integer("targets")?.unwrap_or(1);
        let targets = usize::try_from(targets).ok().filter(|targets| (1..=10_000).contains(targets));
        let targets = targets.ok_or_else(|| node.fault("attribute `targets` is not between 1 and 10000"))?;
        let intercepts = match node.floats("intercepts")? {
            [] => vec![0.0; targets],
            given => given.to_vec(),
        };
        if intercepts.len() != targets {
            return Err(node.fault(format!("it has {targets} targets and {} intercepts", intercepts.len())));
        }
        let linear = Self::read(node, columns, intercepts)?;
        if targets == 1 && linear.transform != PostTransform::None {
            return Err(node.fault("a post_transform of a single target is not supported"));
        }
        Ok((linear, targets))
    }

    fn read(node: &Node<'_>, columns: usize, intercepts: Vec<f32>) -> Result<Self, NodeFault> {
        let weights = node.floats("coefficients")?.to_vec();
        if weights.len() != columns * intercepts.len() {
            let (given, rows) = (weights.len(), intercepts.len());
            return Err(node.fault(format!(
                "it has {given} coefficients where {rows} scores of {columns} columns need {}",
                rows * columns
            )));
        }
        Ok(Self { weights, intercepts, columns, transform: post_transform(node)?, is_doubled: false })
    }

    /// A product with a matrix of `columns` rows and as many columns as there are intercepts.
    pub(super) fn product(matrix: &[f32], columns: usize, intercepts: Vec<f32>) -> Self {
        let scores = intercepts.len();
        let weights = (0..scores).flat_map(|score| (0..columns).map(move |at| matrix[at * scores + score])).collect();
        Self { weights, intercepts, columns, transform: PostTransform::None, is_doubled: false }
    }

    /// Scores a row.
    pub(super) fn score(&self, row: &[f32], out: &mut [f32]) {
        for ((weights, intercept), score) in
            self.weights.chunks_exact(self.columns).zip(&self.intercepts).zip(&mut *out)
        {
            *score = dot(weights, row) + intercept;
        }
        if self.is_doubled {
            out[1] = out[0];
            out[0] = 1.0 - out[1];
        } else {
            self.transform.apply(out);
        }
    }
}

/// The attribute `post_transform`.
pub(super) fn post_transform(node: &Node<'_>) -> Result<PostTransform, NodeFault> {
    let name = node.text("post_transform")?.unwrap_or("NONE");
    PostTransform::named(name).ok_or_else(|| node.fault(format!("post_transform `{name}` is not supported")))
}

/// A sum of products in an order of its own, the same on every machine.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_whole.iter().zip(b_whole) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    let pairs = [sums[0] + sums[4], sums[1] + sums[5], sums[2] + sums[6], sums[3] + sums[7]];
    (pairs[0] + pairs[2]) + (pairs[1] + pairs[3]) + rest
}
