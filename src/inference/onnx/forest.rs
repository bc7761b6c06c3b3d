//! Trees laid out for the cache, walked eight at a time.
//!
//! A node is eight bytes. The children of a node lie beside each other and further on in the list, so that one number leads to
//! both: the next node is `step` further, and one more if the feature is above the threshold. A leaf leads to itself, so the
//! eight trees of a group go down in step, each with a load of its own under way, until all of them have arrived.

use super::fault::NodeFault;
use super::node::Node;
use super::tree_reader::{NODES_MAX, Test, TreeNode, Trees};

/// How many trees are walked together.
const LANES: usize = 8;

/// How deep a tree may be.
const DEPTH_MAX: usize = 4_096;

/// The trees of an ensemble, ready to be walked.
#[derive(Debug)]
pub(super) struct Forest {
    nodes: Layout,
    groups: Vec<Group>,
    /// For each tree, in the order of the file, where its leaf stands after a walk.
    places: Vec<u32>,
    /// The values that branches on membership look for.
    sets: Vec<Vec<f32>>,
}

/// Trees that are walked together.
#[derive(Debug, Default)]
struct Group {
    roots: [u32; LANES],
    /// How many steps the deepest of them takes.
    depth: usize,
}

/// The nodes: narrow ones, unless a tree or the number of features is too large for them.
#[derive(Debug)]
enum Layout {
    Narrow(Vec<Narrow>),
    Wide(Vec<Wide>),
}

/// A node of eight bytes.
#[derive(Clone, Copy, Debug)]
struct Narrow {
    threshold: f32,
    /// The feature, and two flags above it.
    feature: u16,
    /// How far on its left child is; 0 for a leaf.
    step: u16,
}

/// A node of twelve bytes.
#[derive(Clone, Copy, Debug)]
struct Wide {
    threshold: f32,
    feature: u32,
    step: u32,
}

/// What a node says, however it is laid out.
#[derive(Clone, Copy, Debug)]
struct Split {
    threshold: f32,
    feature: usize,
    step: usize,
    is_missing_right: bool,
    is_set: bool,
}

/// A node as the walk reads it.
trait Hop: Copy {
    fn new(split: Split) -> Self;
    fn threshold(self) -> f32;
    fn feature(self) -> usize;
    fn step(self) -> usize;
    fn is_missing_right(self) -> bool;
    fn is_set(self) -> bool;
}

/// Where the walks of one row ended: memory that is used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    ends: Vec<[u32; LANES]>,
}

impl Forest {
    /// Lays out the trees of a node. Tells for each place of the layout which leaf of `trees.nodes` stands there, if one does.
    pub(super) fn new(node: &Node<'_>, trees: &Trees) -> Result<(Self, Vec<Option<usize>>), NodeFault> {
        let mut builder = Builder::new(node, trees);
        let mut depths = Vec::with_capacity(trees.roots.len());
        let mut roots = Vec::with_capacity(trees.roots.len());
        for root in &trees.roots {
            roots.push(builder.splits.len());
            depths.push(builder.unfold(*root)?);
        }
        let (groups, places) = grouped(&roots, &depths);
        let forest = Self { nodes: Layout::of(&builder.splits), groups, places, sets: builder.sets };
        Ok((forest, builder.leaves))
    }

    /// How many trees there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The leaf to which each tree leads a row, by its place in the layout, in the order of the file.
    pub(super) fn leaves<'w>(&'w self, row: &[f32], walk: &'w mut Walk) -> impl Iterator<Item = usize> + 'w {
        walk.ends.resize(self.groups.len(), [0; LANES]);
        match &self.nodes {
            Layout::Narrow(nodes) => self.walk(nodes, row, &mut walk.ends),
            Layout::Wide(nodes) => self.walk(nodes, row, &mut walk.ends),
        }
        let ends = walk.ends.as_flattened();
        self.places.iter().map(move |place| ends[*place as usize] as usize)
    }

    fn walk<N: Hop>(&self, nodes: &[N], row: &[f32], ends: &mut [[u32; LANES]]) {
        let is_any_missing = row.iter().fold(false, |is_any, value| is_any | value.is_nan());
        match (is_any_missing, self.sets.is_empty()) {
            (false, true) => self.descend(nodes, ends, |node: N| usize::from(row[node.feature()] > node.threshold())),
            (true, true) => self.descend(nodes, ends, |node: N| {
                let x = row[node.feature()];
                usize::from((x > node.threshold()) | (x.is_nan() & node.is_missing_right()))
            }),
            (_, false) => self.descend(nodes, ends, |node: N| self.turn(node, row[node.feature()])),
        }
    }

    /// 1 if a node leads to its right child; for nodes that may look into a set.
    fn turn<N: Hop>(&self, node: N, x: f32) -> usize {
        usize::from(if x.is_nan() {
            node.is_missing_right()
        } else if node.is_set() {
            !self.sets[node.threshold().to_bits() as usize].contains(&x)
        } else {
            x > node.threshold()
        })
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "there are at most NODES_MAX nodes")]
    fn descend<N: Hop>(&self, nodes: &[N], ends: &mut [[u32; LANES]], turn: impl Fn(N) -> usize) {
        for (group, end) in self.groups.iter().zip(ends) {
            let mut at = group.roots;
            for _ in 0..group.depth {
                let mut moved = 0;
                for lane in &mut at {
                    let node = nodes[*lane as usize];
                    moved |= node.step();
                    *lane += (node.step() + turn(node)) as u32;
                }
                if moved == 0 {
                    break;
                }
            }
            *end = at;
        }
    }
}

/// Trees of about the same depth go together.
#[expect(clippy::cast_possible_truncation, reason = "there are at most NODES_MAX nodes")]
fn grouped(roots: &[usize], depths: &[usize]) -> (Vec<Group>, Vec<u32>) {
    let mut order: Vec<usize> = (0..roots.len()).collect();
    order.sort_by_key(|tree| depths[*tree]);
    let mut places = vec![0; roots.len()];
    let mut groups = Vec::with_capacity(order.len().div_ceil(LANES));
    for (nth, trees) in order.chunks(LANES).enumerate() {
        // A group that is not full walks its last tree more than once.
        let lanes = std::array::from_fn(|lane| roots[trees[lane.min(trees.len() - 1)]] as u32);
        groups.push(Group { roots: lanes, depth: trees.iter().map(|tree| depths[*tree]).max().unwrap_or(0) });
        for (lane, tree) in trees.iter().enumerate() {
            places[*tree] = (nth * LANES + lane) as u32;
        }
    }
    (groups, places)
}

/// Trees while they are laid out.
struct Builder<'a> {
    node: &'a Node<'a>,
    trees: &'a Trees,
    splits: Vec<Split>,
    leaves: Vec<Option<usize>>,
    sets: Vec<Vec<f32>>,
    /// How many values the sets have together.
    compared: usize,
    splits_max: usize,
}

/// A branch in the one form that is walked: to the right if the feature is above the threshold, or not in the set.
struct Branch {
    split: Split,
    left: usize,
    right: usize,
}

impl<'a> Builder<'a> {
    fn new(node: &'a Node<'a>, trees: &'a Trees) -> Self {
        // Branches that are shared are written out; this is how far that may go.
        let splits_max = NODES_MAX.min(trees.nodes.len() * 16 + 1_024);
        Self { node, trees, splits: Vec::new(), leaves: Vec::new(), sets: Vec::new(), compared: 0, splits_max }
    }

    /// Writes out a tree, level by level; gives its depth.
    fn unfold(&mut self, root: usize) -> Result<usize, NodeFault> {
        let mut level = vec![(root, self.reserve(1)?)];
        let mut depth = 0;
        loop {
            let mut below = Vec::new();
            for (from, place) in level {
                let TreeNode::Branch { .. } = &self.trees.nodes[from] else {
                    self.leaves[place] = Some(from);
                    continue;
                };
                let mut branch = self.branch(from)?;
                let left = self.reserve(2)?;
                branch.split.step = left - place;
                self.splits[place] = branch.split;
                below.extend([(branch.left, left), (branch.right, left + 1)]);
            }
            if below.is_empty() {
                return Ok(depth);
            }
            depth += 1;
            if depth > DEPTH_MAX {
                return Err(self.node.fault(format!("a tree is deeper than {DEPTH_MAX}, or goes in a circle")));
            }
            level = below;
        }
    }

    /// Makes room for nodes; gives the place of the first. A node is a leaf until it is told otherwise.
    fn reserve(&mut self, count: usize) -> Result<usize, NodeFault> {
        let place = self.splits.len();
        if place + count > self.splits_max {
            let what = format!(
                "its trees have more than {} nodes when what they share is written out, or go in a circle",
                self.splits_max
            );
            return Err(self.node.fault(what));
        }
        let leaf = Split { threshold: f32::INFINITY, feature: 0, step: 0, is_missing_right: false, is_set: false };
        self.splits.resize(place + count, leaf);
        self.leaves.resize(place + count, None);
        Ok(place)
    }

    fn branch(&mut self, from: usize) -> Result<Branch, NodeFault> {
        let TreeNode::Branch { feature, test, value, when_true, when_false, is_missing_true } = self.trees.nodes[from]
        else {
            return Err(self.node.fault("a leaf stands where a branch belongs"));
        };
        let split = Split { threshold: 0.0, feature, step: 0, is_missing_right: !is_missing_true, is_set: false };
        match test {
            Test::AtMost | Test::Below => {
                let threshold = self.threshold(value, test == Test::Below)?;
                Ok(Branch { split: Split { threshold, ..split }, left: when_true, right: when_false })
            }
            Test::Above | Test::AtLeast => {
                let threshold = self.threshold(value, test == Test::AtLeast)?;
                let split = Split { threshold, is_missing_right: is_missing_true, ..split };
                Ok(Branch { split, left: when_false, right: when_true })
            }
            Test::Equal => self.membership(from, split),
            // A missing value is unlike every value, whichever way missing values are said to go.
            Test::Unequal => {
                let split = self.set(vec![value], Split { is_missing_right: true, ..split })?;
                Ok(Branch { split, left: when_false, right: when_true })
            }
        }
    }

    /// The largest 32-bit float that is not above `value`, or that is below it: features are 32-bit floats, so comparing with
    /// it says the same.
    #[expect(clippy::cast_possible_truncation, reason = "rounded down right after")]
    fn threshold(&self, value: f64, is_below: bool) -> Result<f32, NodeFault> {
        let near = value as f32;
        let is_too_high = if is_below { f64::from(near) >= value } else { f64::from(near) > value };
        if is_too_high && near == f32::NEG_INFINITY {
            return Err(self.node.fault("a branch compares with minus infinity"));
        }
        Ok(if is_too_high { near.next_down() } else { near })
    }

    /// A chain of branches that ask whether one feature equals this value, or this, or this, and all lead to the same node,
    /// is one branch on a set: exporters write categories so.
    fn membership(&mut self, from: usize, split: Split) -> Result<Branch, NodeFault> {
        let (mut values, mut left, mut right) = (Vec::new(), from, from);
        let mut next = from;
        while let TreeNode::Branch { feature, test: Test::Equal, value, when_true, when_false, is_missing_true } =
            self.trees.nodes[next]
        {
            let is_alike = feature == split.feature && is_missing_true != split.is_missing_right;
            if !values.is_empty() && (!is_alike || when_true != left) || values.len() > self.trees.nodes.len() {
                break;
            }
            values.push(value);
            (left, right) = (when_true, when_false);
            next = when_false;
        }
        Ok(Branch { split: self.set(values, split)?, left, right })
    }

    /// A branch on a set, whose place among the sets stands where the threshold does.
    #[expect(clippy::cast_possible_truncation, reason = "what is not a 32-bit float is left out")]
    fn set(&mut self, values: Vec<f64>, split: Split) -> Result<Split, NodeFault> {
        self.compared += values.len();
        if self.compared > self.splits_max {
            return Err(self.node.fault(format!("its branches compare with more than {} values", self.splits_max)));
        }
        let exact = values.into_iter().filter(|value| f64::from(*value as f32) == *value).map(|value| value as f32);
        self.sets.push(exact.collect());
        let place = u32::try_from(self.sets.len() - 1).unwrap_or(u32::MAX);
        Ok(Split { threshold: f32::from_bits(place), is_set: true, ..split })
    }
}

// === the layouts ===

impl Layout {
    fn of(splits: &[Split]) -> Self {
        let is_narrow =
            |split: &Split| split.step <= usize::from(u16::MAX) && split.feature <= usize::from(Narrow::FEATURE);
        if splits.iter().all(is_narrow) {
            Self::Narrow(splits.iter().map(|split| Narrow::new(*split)).collect())
        } else {
            Self::Wide(splits.iter().map(|split| Wide::new(*split)).collect())
        }
    }
}

impl Narrow {
    const FEATURE: u16 = 0x3fff;
    const MISSING_RIGHT: u16 = 0x8000;
    const SET: u16 = 0x4000;
}

impl Wide {
    const FEATURE: u32 = 0x3fff_ffff;
    const MISSING_RIGHT: u32 = 0x8000_0000;
    const SET: u32 = 0x4000_0000;
}

macro_rules! hop {
    ($layout:ident, $number:ty) => {
        impl Hop for $layout {
            #[expect(clippy::cast_possible_truncation, reason = "the layout is chosen so that it fits")]
            fn new(split: Split) -> Self {
                let mut feature = split.feature as $number & Self::FEATURE;
                if split.is_missing_right {
                    feature |= Self::MISSING_RIGHT;
                }
                if split.is_set {
                    feature |= Self::SET;
                }
                Self { threshold: split.threshold, feature, step: split.step as $number }
            }
            #[inline]
            fn threshold(self) -> f32 {
                self.threshold
            }
            #[inline]
            fn feature(self) -> usize {
                (self.feature & Self::FEATURE) as usize
            }
            #[inline]
            fn step(self) -> usize {
                self.step as usize
            }
            #[inline]
            fn is_missing_right(self) -> bool {
                self.feature & Self::MISSING_RIGHT != 0
            }
            #[inline]
            fn is_set(self) -> bool {
                self.feature & Self::SET != 0
            }
        }
    };
}

hop!(Narrow, u16);
hop!(Wide, u32);
