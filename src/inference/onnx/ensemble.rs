//! `TreeEnsembleClassifier` and `TreeEnsembleRegressor`: what the leaves of all trees give, summed and finished.

use super::fault::NodeFault;
use super::forest::{Forest, Walk};
use super::node::Node;
use super::post_transform::{PostTransform, logistic};
use super::tree_reader::{TreeNode, Trees, WeightNames};

/// A tree ensemble that takes a row and gives scores.
#[derive(Debug)]
pub(super) struct Ensemble {
    forest: Forest,
    weights: LeafWeights,
    base: Vec<f32>,
    transform: PostTransform,
    finish: Finish,
}

/// What a leaf gives, by its place in the layout of the forest.
#[derive(Debug)]
enum LeafWeights {
    /// All leaves give to the same target.
    One { target: usize, weights: Vec<f32> },
    /// All leaves of a tree give to the same target.
    ByTree { targets: Vec<u32>, weights: Vec<f32>, is_second_given: bool },
    /// Each leaf has its list: a range of the weights.
    Lists { ranges: Vec<(u32, u32)>, weights: Vec<(u32, f32)> },
}

/// How sums become scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    /// Targets of a regression.
    Targets { is_average: bool },
    /// Several classes.
    Classes,
    /// Two classes; `sign` if every weight belongs to the same of them.
    TwoClasses { sign: Option<Sign> },
}

/// What the weights of the only class are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// None is negative: their sum is a probability.
    AllPositive,
    /// Some are negative: their sum is a margin.
    Mixed,
}

const CLASS_WEIGHTS: WeightNames = WeightNames {
    ids: "class_ids",
    nodes: "class_nodeids",
    trees: "class_treeids",
    weights: "class_weights",
    weights_as_tensor: "class_weights_as_tensor",
};

const TARGET_WEIGHTS: WeightNames = WeightNames {
    ids: "target_ids",
    nodes: "target_nodeids",
    trees: "target_treeids",
    weights: "target_weights",
    weights_as_tensor: "target_weights_as_tensor",
};

impl Ensemble {
    /// Reads a `TreeEnsembleClassifier` of a row of `columns` that tells `classes` apart.
    pub(super) fn classifier(node: &Node<'_>, columns: usize, classes: usize) -> Result<Self, NodeFault> {
        if classes < 2 {
            return Err(node.fault(format!("it has {classes} labels; a classifier has two at least")));
        }
        let trees = Trees::read(node, &CLASS_WEIGHTS, columns, classes)?;
        let base = base_values(node)?;
        let lengths: &[usize] = if classes == 2 { &[0, 1, 2] } else { &[0, classes] };
        check_base(node, &base, lengths)?;
        let finish = if classes == 2 { Finish::TwoClasses { sign: only_sign(&trees) } } else { Finish::Classes };
        Self::new(node, &trees, base, finish)
    }

    /// Reads a `TreeEnsembleRegressor` of a row of `columns`; gives the number of targets, too.
    pub(super) fn regressor(node: &Node<'_>, columns: usize) -> Result<(Self, usize), NodeFault> {
        let targets = node.integer("n_targets")?.unwrap_or(1);
        let targets = usize::try_from(targets).ok().filter(|targets| (1..=10_000).contains(targets));
        let targets = targets.ok_or_else(|| node.fault("attribute `n_targets` is not between 1 and 10000"))?;
        let is_average = match node.text("aggregate_function")?.unwrap_or("SUM") {
            "SUM" => false,
            "AVERAGE" => true,
            other => return Err(node.fault(format!("aggregate_function `{other}` is not supported"))),
        };
        let trees = Trees::read(node, &TARGET_WEIGHTS, columns, targets)?;
        let base = base_values(node)?;
        check_base(node, &base, &[0, targets])?;
        Ok((Self::new(node, &trees, base, Finish::Targets { is_average })?, targets))
    }

    fn new(node: &Node<'_>, trees: &Trees, base: Vec<f32>, finish: Finish) -> Result<Self, NodeFault> {
        let transform = super::linear::post_transform(node)?;
        let (forest, leaves) = Forest::new(node, trees)?;
        Ok(Self { weights: LeafWeights::of(trees, &leaves), forest, base, transform, finish })
    }

    /// Scores a row.
    pub(super) fn score(&self, row: &[f32], walk: &mut Walk, out: &mut [f32]) {
        out.fill(0.0);
        let is_second_given = self.sum(row, walk, out);
        match self.finish {
            Finish::Targets { is_average } => self.finish_targets(is_average, out),
            Finish::Classes => {
                self.add_base(out);
                self.transform.apply(out);
            }
            Finish::TwoClasses { sign } => self.finish_two(sign, is_second_given, out),
        }
    }

    /// Sums what the leaves give; says whether the second target was given something.
    fn sum(&self, row: &[f32], walk: &mut Walk, out: &mut [f32]) -> bool {
        let leaves = self.forest.leaves(row, walk);
        match &self.weights {
            LeafWeights::One { target, weights } => {
                out[*target] = leaves.fold(0.0, |sum, leaf| sum + weights[leaf]);
                *target == 1
            }
            LeafWeights::ByTree { targets, weights, is_second_given } => {
                for (leaf, target) in leaves.zip(targets) {
                    out[*target as usize] += weights[leaf];
                }
                *is_second_given
            }
            LeafWeights::Lists { ranges, weights } => {
                let mut is_second_given = false;
                for leaf in leaves {
                    let (from, until) = ranges[leaf];
                    for (target, weight) in &weights[from as usize..until as usize] {
                        out[*target as usize] += weight;
                        is_second_given |= *target == 1;
                    }
                }
                is_second_given
            }
        }
    }

    fn add_base(&self, out: &mut [f32]) {
        for (score, base) in out.iter_mut().zip(&self.base) {
            *score += base;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of trees")]
    fn finish_targets(&self, is_average: bool, out: &mut [f32]) {
        if is_average {
            let count = self.forest.len() as f32;
            out.iter_mut().for_each(|score| *score /= count);
        }
        self.add_base(out);
        if out.len() > 1 || self.transform == PostTransform::Probit {
            self.transform.apply(out);
        }
    }

    /// Two classes. The standard leaves open what the base values mean when the weights are of one class; this is what
    /// onnxruntime does, which the exporters are tested against.
    fn finish_two(&self, sign: Option<Sign>, is_second_given: bool, out: &mut [f32]) {
        match (self.base.as_slice(), is_second_given) {
            ([_, second], true) => {
                out[1] = second + out[0];
                out[0] = -out[1];
            }
            ([first, second], false) => {
                out[0] += first;
                out[1] += second;
            }
            ([only], _) => out[0] += only,
            _ => {}
        }
        let is_one_score = !is_second_given && self.base.len() < 2;
        if !is_one_score {
            self.transform.apply(out);
            return;
        }
        let score = out[0];
        let is_logistic = self.transform == PostTransform::Logistic;
        let pair = match sign {
            Some(Sign::AllPositive) => [1.0 - score, score],
            _ if is_logistic => [logistic(-score), logistic(score)],
            _ => [-score, score],
        };
        out.copy_from_slice(&pair);
    }
}

impl LeafWeights {
    /// `leaves` tells which leaf of `trees.nodes` stands at a place.
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32 weights and targets")]
    fn of(trees: &Trees, leaves: &[Option<usize>]) -> Self {
        let range = |leaf: &Option<usize>| match leaf.map(|leaf| &trees.nodes[leaf]) {
            Some(TreeNode::Leaf { from, until }) => (*from, *until),
            _ => (0, 0),
        };
        let ranges: Vec<(usize, usize)> = leaves.iter().map(range).collect();
        let is_single = ranges.iter().all(|(from, until)| until - from <= 1);
        let weight =
            |(from, until): &(usize, usize)| trees.weights[*from..*until].first().map_or(0.0, |weight| weight.1);
        let first = trees.weights.first().map_or(0, |weight| weight.0);
        if is_single && trees.weights.iter().all(|weight| weight.0 == first) {
            return Self::One { target: first, weights: ranges.iter().map(weight).collect() };
        }
        if is_single && let Some(targets) = targets_by_tree(trees) {
            let is_second_given = targets.contains(&1);
            return Self::ByTree { targets, weights: ranges.iter().map(weight).collect(), is_second_given };
        }
        Self::Lists {
            ranges: ranges.iter().map(|(from, until)| (*from as u32, *until as u32)).collect(),
            weights: trees.weights.iter().map(|(target, weight)| (*target as u32, *weight)).collect(),
        }
    }
}

/// The one target of each tree; none if a tree has several.
fn targets_by_tree(trees: &Trees) -> Option<Vec<u32>> {
    let mut seen = vec![false; trees.nodes.len()];
    let mut targets = Vec::with_capacity(trees.roots.len());
    for root in &trees.roots {
        let mut target = None;
        let mut open = vec![*root];
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            match &trees.nodes[at] {
                TreeNode::Branch { when_true, when_false, .. } => open.extend([*when_true, *when_false]),
                TreeNode::Leaf { from, until } => {
                    let (given, _) = trees.weights[*from..*until].first()?;
                    if *target.get_or_insert(*given) != *given {
                        return None;
                    }
                }
            }
        }
        targets.push(u32::try_from(target?).ok()?);
    }
    Some(targets)
}

/// Whether the weights are all of one class, and of which sign.
fn only_sign(trees: &Trees) -> Option<Sign> {
    let (first, _) = trees.weights.first()?;
    if trees.weights.iter().any(|(target, _)| target != first) {
        return None;
    }
    let is_positive = trees.weights.iter().all(|(_, weight)| *weight >= 0.0);
    Some(if is_positive { Sign::AllPositive } else { Sign::Mixed })
}

#[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
fn base_values(node: &Node<'_>) -> Result<Vec<f32>, NodeFault> {
    let values = node.doubles("base_values", "base_values_as_tensor")?;
    Ok(values.into_iter().map(|value| value as f32).collect())
}

fn check_base(node: &Node<'_>, base: &[f32], lengths: &[usize]) -> Result<(), NodeFault> {
    if lengths.contains(&base.len()) {
        return Ok(());
    }
    let lengths: Vec<String> = lengths.iter().map(ToString::to_string).collect();
    Err(node.fault(format!("attribute `base_values` has {} values; {} would fit", base.len(), lengths.join(" or "))))
}
