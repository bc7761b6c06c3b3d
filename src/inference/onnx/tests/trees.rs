//! The layout of trees walks as the trees of the file do.

use proptest::prelude::*;

use super::super::forest::{Forest, Walk};
use super::super::node::Node;
use super::super::tree_reader::{Test, TreeNode, Trees};

const TESTS: [Test; 6] = [Test::AtMost, Test::Below, Test::AtLeast, Test::Above, Test::Equal, Test::Unequal];

/// A branch: its feature, its test, its value in halves, where missing values go.
type Drawn = (usize, usize, i8, bool);

/// Trees as heaps: the children of node n are 2n + 1 and 2n + 2; what lies beyond the drawn branches are leaves.
fn grown(drawn: &[Vec<Drawn>], step: usize) -> Trees {
    let (mut nodes, mut roots) = (Vec::new(), Vec::new());
    for branches in drawn {
        let start = nodes.len();
        roots.push(start);
        for (at, (feature, test, value, is_missing_true)) in branches.iter().enumerate() {
            nodes.push(TreeNode::Branch {
                feature: feature * step,
                test: TESTS[*test],
                value: f64::from(*value) / 2.0,
                when_true: start + 2 * at + 1,
                when_false: start + 2 * at + 2,
                is_missing_true: *is_missing_true,
            });
        }
        nodes.extend((0..=branches.len()).map(|_| TreeNode::Leaf { from: 0, until: 0 }));
    }
    Trees { nodes, roots, weights: Vec::new() }
}

/// The leaf to which a tree leads, node by node, as the standard says it.
fn leaf(trees: &Trees, root: usize, row: &[f32]) -> usize {
    let mut at = root;
    while let TreeNode::Branch { feature, test, value, when_true, when_false, is_missing_true } = &trees.nodes[at] {
        let x = f64::from(row[*feature]);
        let holds = match test {
            Test::AtMost => x <= *value,
            Test::Below => x < *value,
            Test::AtLeast => x >= *value,
            Test::Above => x > *value,
            Test::Equal => x == *value,
            Test::Unequal => x != *value,
        };
        at = if holds || (x.is_nan() && *is_missing_true) { *when_true } else { *when_false };
    }
    at
}

fn check(trees: &Trees, rows: &[Vec<f32>]) {
    let (forest, leaves) = Forest::new(&Node::default(), trees).unwrap();
    let mut walk = Walk::default();
    for row in rows {
        let found: Vec<usize> = forest.leaves(row, &mut walk).map(|place| leaves[place].unwrap()).collect();
        let expected: Vec<usize> = trees.roots.iter().map(|root| leaf(trees, *root, row)).collect();
        assert_eq!(found, expected, "{row:?}");
    }
}

fn value() -> impl Strategy<Value = f32> {
    let edge = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MIN_POSITIVE, 1e-45]);
    prop_oneof![4 => (-6i8..=6).prop_map(|halves| f32::from(halves) / 2.0), 1 => edge]
}

proptest! {
    #[test]
    fn every_row_ends_at_the_leaf_of_the_plain_walk(
        drawn in prop::collection::vec(prop::collection::vec((0usize..3, 0usize..6, -5i8..=5, any::<bool>()), 0..20), 1..20),
        one in prop::option::of(0usize..6),
        rows in prop::collection::vec(prop::collection::vec(value(), 3), 1..6),
    ) {
        let mut drawn = drawn;
        if let Some(one) = one {
            drawn.iter_mut().flatten().for_each(|branch| branch.1 = one);
        }
        check(&grown(&drawn, 1), &rows);
    }
}

#[test]
fn trees_and_features_too_many_for_the_narrow_layout_are_walked_as_well() {
    // One tree with more nodes than two bytes can step over, by features beyond fourteen bits.
    let branches: Vec<Drawn> = (0..80_000).map(|at| (at % 3, at % 4, (at % 11) as i8 - 5, at % 2 == 0)).collect();
    let step = 10_000;
    let mut rows = Vec::new();
    for seed in 0..40u8 {
        let mut row = vec![0.0; 2 * step + 1];
        for (at, factor) in [3u8, 5, 7].into_iter().enumerate() {
            row[at * step] = f32::from(seed.wrapping_mul(factor) % 12) / 2.0 - 3.0;
        }
        rows.push(row);
    }
    rows[7][step] = f32::NAN;
    check(&grown(&[branches], step), &rows);
}

#[test]
fn a_chain_of_equalities_is_one_branch_on_a_set() {
    let branch = |value: f64, when_true, when_false| TreeNode::Branch {
        feature: 0,
        test: Test::Equal,
        value,
        when_true,
        when_false,
        is_missing_true: false,
    };
    let leaf = || TreeNode::Leaf { from: 0, until: 0 };
    let nodes = vec![branch(1.0, 3, 1), branch(4.0, 3, 2), branch(9.0, 3, 4), leaf(), leaf()];
    let trees = Trees { nodes, roots: vec![0], weights: Vec::new() };
    let (_, leaves) = Forest::new(&Node::default(), &trees).unwrap();
    assert_eq!(leaves.len(), 3, "a branch and two leaves");
    check(&trees, &[1.0, 4.0, 9.0, 2.0, 1.5, f32::NAN].map(|x| vec![x]));
}
