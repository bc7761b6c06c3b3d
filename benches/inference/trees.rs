//! Tree ensembles and linear models: a drawn ensemble of 100 trees beside a plain walk through them, and real exports.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use forthwith::inference::{TabularModel, TabularScratch};

#[path = "../../src/inference/onnx/tests/writer.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod writer;

const TREES: usize = 100;
const DEPTH: u32 = 6;
const COLUMNS: usize = 30;
const ROWS: usize = 1_000;

/// Runs both parts. As a test: each once.
pub(crate) fn run(is_test: bool) {
    let rounds = if is_test { 1 } else { 51 };
    drawn(rounds);
    if let Some(folder) = std::env::var_os("FORTHWITH_ONNX_EXPORTS") {
        exports(Path::new(&folder), rounds);
    }
}

/// A branch of the plain walk.
struct Branch {
    feature: usize,
    threshold: f32,
}

/// An ensemble of full trees: the branches of each as a heap, then what its leaves give.
struct Drawn {
    trees: Vec<(Vec<Branch>, Vec<f32>)>,
    rows: Vec<f32>,
}

impl Drawn {
    fn new() -> Self {
        let mut draw = Draw(7);
        let branches = (1 << DEPTH) - 1;
        let trees = (0..TREES).map(|_| {
            let branch = |_| Branch { feature: draw.below(COLUMNS), threshold: draw.normal() };
            let branches = (0..branches).map(branch).collect();
            (branches, (0..1 << DEPTH).map(|_| draw.normal()).collect())
        });
        let trees = trees.collect();
        Self { trees, rows: (0..ROWS * COLUMNS).map(|_| draw.normal()).collect() }
    }

    /// Tree by tree, branch by branch: what anybody would write first.
    fn walk(&self, row: &[f32]) -> f32 {
        let leaf = |(branches, leaves): &(Vec<Branch>, Vec<f32>)| {
            let mut at = 0;
            while let Some(branch) = branches.get(at) {
                at = if row[branch.feature] <= branch.threshold { 2 * at + 1 } else { 2 * at + 2 };
            }
            leaves[at - branches.len()]
        };
        self.trees.iter().map(leaf).sum()
    }

    fn onnx(&self) -> Vec<u8> {
        let [mut trees, mut nodes, mut features, mut yes, mut no] = [const { Vec::new() }; 5];
        let (mut values, mut modes) = (Vec::new(), Vec::new());
        let (mut leaf_trees, mut leaf_nodes, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for (tree, (branches, leaves)) in self.trees.iter().enumerate() {
            for node in 0..branches.len() + leaves.len() {
                let branch = branches.get(node);
                trees.push(tree as i64);
                nodes.push(node as i64);
                features.push(branch.map_or(0, |branch| branch.feature as i64));
                values.push(branch.map_or(0.0, |branch| branch.threshold));
                modes.push(if branch.is_some() { "BRANCH_LEQ" } else { "LEAF" });
                yes.push(branch.map_or(0, |_| 2 * node as i64 + 1));
                no.push(branch.map_or(0, |_| 2 * node as i64 + 2));
                if branch.is_none() {
                    leaf_trees.push(tree as i64);
                    leaf_nodes.push(node as i64);
                    weights.push(leaves[node - branches.len()]);
                }
            }
        }
        let op = writer::Op::ml("TreeEnsembleRegressor", &["x"], &["y"])
            .integers("nodes_treeids", &trees)
            .integers("nodes_nodeids", &nodes)
            .integers("nodes_featureids", &features)
            .floats("nodes_values", &values)
            .texts("nodes_modes", &modes)
            .integers("nodes_truenodeids", &yes)
            .integers("nodes_falsenodeids", &no)
            .integers("target_treeids", &leaf_trees)
            .integers("target_nodeids", &leaf_nodes)
            .integers("target_ids", &vec![0; weights.len()])
            .floats("target_weights", &weights);
        writer::file(&[("x", 1, COLUMNS as i64)], &[op], &[("y", 1, 1)])
    }
}

fn drawn(rounds: usize) {
    let drawn = Drawn::new();
    let model = TabularModel::from_bytes(&drawn.onnx()).unwrap();
    let mut scratch = TabularScratch::default();
    for row in drawn.rows.chunks(COLUMNS) {
        assert!((model.score(row, &mut scratch)[0] - drawn.walk(row)).abs() < 1e-3);
    }
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        plain.push(micros_per_row(&drawn.rows, COLUMNS, |row| drawn.walk(row)));
        ours.push(micros_per_row(&drawn.rows, COLUMNS, |row| model.score(row, &mut scratch)[0]));
    }
    let (plain, ours) = (median(plain), median(ours));
    println!("{TREES} trees of depth {DEPTH}, all full, {COLUMNS} features, {ROWS} different rows, us a score\n");
    println!("| | us | of the floor |\n|---|--:|--:|");
    println!("| floor: tree by tree, branch by branch | {plain:.2} | |");
    println!("| forthwith | {ours:.2} | {:.0}% |\n", 100.0 * ours / plain);
}

/// The exports of a folder, beside the times of a file that `tests/onnx/time.py` wrote.
fn exports(folder: &Path, rounds: usize) {
    let times = std::env::var_os("FORTHWITH_ONNX_TIMES").map(|file| fs::read_to_string(file).unwrap());
    let times: BTreeMap<&str, f64> = times
        .iter()
        .flat_map(|times| times.lines())
        .filter_map(|line| line.split_once(' '))
        .map(|(name, micros)| (name, micros.trim().parse().unwrap()))
        .collect();
    println!(
        "| export | trees or linear, KB | forthwith us | onnxruntime from Python us | ratio |\n|---|--:|--:|--:|--:|"
    );
    let mut places: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    places.sort();
    for place in places {
        let name = place.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("random_") {
            continue;
        }
        let bytes = fs::read(place.join("model.onnx")).unwrap();
        let model = TabularModel::from_bytes(&bytes).unwrap();
        let rows = fs::read(place.join("inputs.f32")).unwrap();
        let rows: Vec<f32> = rows.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let mut scratch = TabularScratch::default();
        let score = |row: &[f32]| model.score(row, &mut scratch)[0];
        let ours = median(micros(rounds, &rows, model.inputs().count, score));
        let (theirs, ratio) = match times.get(name.as_str()) {
            Some(theirs) => (format!("{theirs:.1}"), format!("{:.0}x", theirs / ours)),
            None => Default::default(),
        };
        println!("| {name} | {} | {ours:.2} | {theirs} | {ratio} |", bytes.len().div_ceil(1024));
    }
}

fn micros(rounds: usize, rows: &[f32], columns: usize, mut score: impl FnMut(&[f32]) -> f32) -> Vec<f64> {
    (0..rounds).map(|_| micros_per_row(rows, columns, &mut score)).collect()
}

fn micros_per_row(rows: &[f32], columns: usize, mut score: impl FnMut(&[f32]) -> f32) -> f64 {
    let start = Instant::now();
    let mut count = 0;
    // Long enough for the clock, whatever the number of rows.
    while count < 2_000 {
        for row in rows.chunks(columns) {
            black_box(score(black_box(row)));
            count += 1;
        }
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Numbers that are drawn, the same every time.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, count: usize) -> usize {
        self.next() as usize % count
    }

    /// Near enough to a normal distribution: a sum of four.
    fn normal(&mut self) -> f32 {
        let sum: u64 = (0..4).map(|_| self.next() % 20_001).sum();
        (sum as f32 - 40_000.0) / 11_547.0
    }
}
