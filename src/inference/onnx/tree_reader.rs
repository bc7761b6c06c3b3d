//! Trees as the attributes of `TreeEnsembleClassifier` and `TreeEnsembleRegressor` have them, checked.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::NodeFault;
use super::node::Node;

/// How many nodes the trees of one ensemble may have.
pub(super) const NODES_MAX: usize = 4 << 20;

/// The trees of an ensemble: nodes that point at each other by their place in the list.
#[derive(Debug)]
pub(super) struct Trees {
    pub(super) nodes: Vec<TreeNode>,
    /// The first node of each tree, in the order of the file.
    pub(super) roots: Vec<usize>,
    /// What all leaves give: target and weight; a leaf has a range of it.
    pub(super) weights: Vec<(usize, f32)>,
}

/// A node of a tree.
#[derive(Clone, Debug)]
pub(super) enum TreeNode {
    /// Leads to one of two nodes.
    Branch { feature: usize, test: Test, value: f64, when_true: usize, when_false: usize, is_missing_true: bool },
    /// Ends: gives a range of the weights.
    Leaf { from: usize, until: usize },
}

/// How a branch compares the feature with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    AtMost,
    Below,
    AtLeast,
    Above,
    Equal,
    Unequal,
}

/// The names of the attributes that hold the leaves' weights: they differ between the two operators.
pub(super) struct WeightNames {
    pub(super) ids: &'static str,
    pub(super) nodes: &'static str,
    pub(super) trees: &'static str,
    pub(super) weights: &'static str,
    pub(super) weights_as_tensor: &'static str,
}

impl Trees {
    /// Reads the trees of a node that has `columns` features and `targets` sums.
    pub(super) fn read(
        node: &Node<'_>,
        names: &WeightNames,
        columns: usize,
        targets: usize,
    ) -> Result<Self, NodeFault> {
        let modes = node.texts("nodes_modes")?;
        let ids = node.integers("nodes_nodeids")?;
        let trees = node.integers("nodes_treeids")?;
        let count = modes.len();
        if count == 0 || count > NODES_MAX {
            return Err(node.fault(format!("it has {count} nodes of trees; 1 to {NODES_MAX} are supported")));
        }
        for (what, length) in [("nodes_nodeids", ids.len()), ("nodes_treeids", trees.len())] {
            same_length(node, what, length, count)?;
        }
        let mut places = BTreeMap::new();
        for (place, key) in trees.iter().copied().zip(ids.iter().copied()).enumerate() {
            if places.insert(key, place).is_some() {
                return Err(node.fault(format!("tree {} has two nodes {}", key.0, key.1)));
            }
        }
        let (weights, ranges) = read_weights(node, names, &places, targets)?;
        let nodes = read_nodes(node, &places, &ranges, columns)?;
        let roots = find_roots(node, &nodes, trees)?;
        Ok(Self { nodes, roots, weights })
    }
}

fn same_length(node: &Node<'_>, what: &str, length: usize, count: usize) -> Result<(), NodeFault> {
    if length == count {
        return Ok(());
    }
    Err(node.fault(format!("attribute `{what}` has {length} values where `nodes_modes` has {count}")))
}

/// The weights sorted by node, and for each node its range.
type Weights = (Vec<(usize, f32)>, BTreeMap<usize, (usize, usize)>);

#[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
fn read_weights(
    node: &Node<'_>,
    names: &WeightNames,
    places: &BTreeMap<(i64, i64), usize>,
    targets: usize,
) -> Result<Weights, NodeFault> {
    let (ids, nodes, trees) = (node.integers(names.ids)?, node.integers(names.nodes)?, node.integers(names.trees)?);
    let weights = node.doubles(names.weights, names.weights_as_tensor)?;
    for (what, length) in [(names.nodes, nodes.len()), (names.trees, trees.len()), (names.weights, weights.len())] {
        if length != ids.len() {
            let message = format!("attribute `{what}` has {length} values where `{}` has {}", names.ids, ids.len());
            return Err(node.fault(message));
        }
    }
    let mut given = Vec::with_capacity(ids.len());
    for (at, id) in ids.iter().enumerate() {
        let target = usize::try_from(*id)
            .ok()
            .filter(|target| *target < targets)
            .ok_or_else(|| node.fault(format!("attribute `{}` names the target {id} of {targets}", names.ids)))?;
        let key = (trees[at], nodes[at]);
        let place = places.get(&key).ok_or_else(|| {
            node.fault(format!("a weight belongs to node {} of tree {}, which is not there", key.1, key.0))
        })?;
        given.push((*place, target, weights[at] as f32));
    }
    // Stable: the weights of a leaf keep their order.
    given.sort_by_key(|(place, ..)| *place);
    let mut ranges: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (at, (place, ..)) in given.iter().enumerate() {
        ranges.entry(*place).or_insert((at, at)).1 = at + 1;
    }
    Ok((given.into_iter().map(|(_, target, weight)| (target, weight)).collect(), ranges))
}

fn read_nodes(
    node: &Node<'_>,
    places: &BTreeMap<(i64, i64), usize>,
    ranges: &BTreeMap<usize, (usize, usize)>,
    columns: usize,
) -> Result<Vec<TreeNode>, NodeFault> {
    let modes = node.texts("nodes_modes")?;
    let (ids, trees) = (node.integers("nodes_nodeids")?, node.integers("nodes_treeids")?);
    let features = node.integers("nodes_featureids")?;
    let (when_true, when_false) = (node.integers("nodes_truenodeids")?, node.integers("nodes_falsenodeids")?);
    let missing = node.integers("nodes_missing_value_tracks_true")?;
    let values = node.doubles("nodes_values", "nodes_values_as_tensor")?;
    for (what, length) in [
        ("nodes_featureids", features.len()),
        ("nodes_truenodeids", when_true.len()),
        ("nodes_falsenodeids", when_false.len()),
        ("nodes_values", values.len()),
        ("nodes_missing_value_tracks_true", if missing.is_empty() { modes.len() } else { missing.len() }),
    ] {
        same_length(node, what, length, modes.len())?;
    }
    let mut nodes = Vec::with_capacity(modes.len());
    for (at, mode) in modes.iter().enumerate() {
        let (tree, id) = (trees[at], ids[at]);
        let range = ranges.get(&at).copied();
        let fault = |what: String| node.fault(format!("node {id} of tree {tree}: {what}"));
        let Some(test) = Test::named(mode) else {
            if mode != "LEAF" {
                return Err(fault(format!("the mode `{mode}` is not supported")));
            }
            let (from, until) = range.unwrap_or_default();
            nodes.push(TreeNode::Leaf { from, until });
            continue;
        };
        if range.is_some() {
            return Err(fault("it has a weight and is no leaf".to_owned()));
        }
        let child = |name: i64| {
            places
                .get(&(tree, name))
                .copied()
                .ok_or_else(|| fault(format!("it leads to node {name}, which is not there")))
        };
        let feature = usize::try_from(features[at]).ok().filter(|feature| *feature < columns);
        nodes.push(TreeNode::Branch {
            feature: feature.ok_or_else(|| fault(format!("it asks for feature {} of {columns}", features[at])))?,
            test,
            value: if values[at].is_nan() {
                return Err(fault("its value is not a number".to_owned()));
            } else {
                values[at]
            },
            when_true: child(when_true[at])?,
            when_false: child(when_false[at])?,
            is_missing_true: missing.get(at).is_some_and(|tracks| *tracks != 0),
        });
    }
    Ok(nodes)
}

/// The root of a tree is the node to which no other leads.
fn find_roots(node: &Node<'_>, nodes: &[TreeNode], trees: &[i64]) -> Result<Vec<usize>, NodeFault> {
    let mut is_child = vec![false; nodes.len()];
    for tree_node in nodes {
        if let TreeNode::Branch { when_true, when_false, .. } = tree_node {
            is_child[*when_true] = true;
            is_child[*when_false] = true;
        }
    }
    // The nodes of one tree need not stand together.
    let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
    let mut roots: BTreeMap<i64, usize> = BTreeMap::new();
    for (at, tree) in trees.iter().enumerate() {
        if seen.insert(*tree) {
            order.push(*tree);
        }
        if !is_child[at] && roots.insert(*tree, at).is_some() {
            return Err(node.fault(format!("tree {tree} has two roots")));
        }
    }
    let root = |tree: &i64| roots.get(tree).copied().ok_or_else(|| node.fault(format!("tree {tree} has no root")));
    order.iter().map(root).collect()
}

impl Test {
    fn named(mode: &str) -> Option<Self> {
        match mode {
            "BRANCH_LEQ" => Some(Self::AtMost),
            "BRANCH_LT" => Some(Self::Below),
            "BRANCH_GTE" => Some(Self::AtLeast),
            "BRANCH_GT" => Some(Self::Above),
            "BRANCH_EQ" => Some(Self::Equal),
            "BRANCH_NEQ" => Some(Self::Unequal),
            _ => None,
        }
    }
}
