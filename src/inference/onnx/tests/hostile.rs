//! Files that are damaged or made to do damage: a fault, or a model that works; never a panic.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::super::{ONNX_BYTES_MAX, OnnxFault, TabularModel, TabularScratch};
use super::writer::{Message, Op, file};

/// Real exports, the small ones.
fn exports() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx");
    let mut files: Vec<Vec<u8>> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| fs::read(entry.unwrap().path().join("model.onnx")).ok())
        .filter(|bytes| bytes.len() < 3_000)
        .collect();
    files.sort();
    assert!(files.len() >= 8);
    files
}

/// Loads and, if that goes well, scores.
fn try_out(bytes: &[u8]) {
    if let Ok(model) = TabularModel::from_bytes(bytes) {
        let row: Vec<f32> =
            (0..model.inputs().count).map(|at| if at % 3 == 2 { f32::NAN } else { at as f32 }).collect();
        let scores = model.score(&row, &mut TabularScratch::default()).len();
        assert_eq!(scores, model.outputs().count());
    }
}

proptest! {
    #[test]
    fn bytes_of_any_kind_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        try_out(&bytes);
        try_out(&Message::default().bytes(7, &bytes).0);
        try_out(&Message::default().message(7, &Message::default().bytes(1, &bytes)).0);
    }

    #[test]
    fn damaged_exports_do_no_harm(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = which.get(&exports()).clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        try_out(&bytes);
    }
}

#[test]
fn a_length_that_is_not_there_is_not_allocated() {
    let mut bytes = vec![7 << 3 | 2];
    bytes.extend([0xff; 9]);
    bytes.push(0x01);
    let fault = TabularModel::from_bytes(&bytes).unwrap_err();
    assert!(matches!(fault, OnnxFault::Damaged { .. }), "{fault}");
}

#[test]
fn a_million_empty_nodes_are_refused_before_they_are_kept() {
    let graph = [1u8 << 3 | 2, 0].repeat(1_000_000);
    let fault = TabularModel::from_bytes(&Message::default().bytes(7, &graph).0).unwrap_err();
    assert!(fault.to_string().contains("more than 10000"), "{fault}");
}

#[test]
fn a_tree_that_shares_branches_over_and_over_is_refused() {
    // Sixty levels, both ways lead to the next: 2^60 leaves when written out.
    let levels = 60;
    let next: Vec<i64> = (1..=levels).chain([0]).collect();
    let mut modes = vec!["BRANCH_LEQ"; levels as usize];
    modes.push("LEAF");
    let op = Op::ml("TreeEnsembleRegressor", &["x"], &["y"])
        .integers("nodes_treeids", &vec![0; next.len()])
        .integers("nodes_nodeids", &(0..=levels).collect::<Vec<_>>())
        .integers("nodes_featureids", &vec![0; next.len()])
        .floats("nodes_values", &vec![1.0; next.len()])
        .texts("nodes_modes", &modes)
        .integers("nodes_truenodeids", &next)
        .integers("nodes_falsenodeids", &next);
    let fault = TabularModel::from_bytes(&file(&[("x", 1, 1)], &[op], &[("y", 1, 1)])).unwrap_err();
    assert!(fault.to_string().contains("written out"), "{fault}");
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let fault = TabularModel::from_bytes(&vec![0; ONNX_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(fault, OnnxFault::TooLarge { .. }));
}

#[test]
fn a_matrix_without_numbers_is_refused_however_long_it_says_it_is() {
    for (product, dims) in [
        (Op::new("", "MatMul", &["x", "w"], &["y"]), [0, 1 << 60]),
        (Op::new("", "Gemm", &["x", "w"], &["y"]).integer("transB", 1), [0, 1 << 60]),
        (Op::new("", "Gemm", &["x", "w"], &["y"]).integer("transB", 1), [1 << 60, 0]),
    ] {
        let constant = Op::new("", "Constant", &[], &["w"]).tensor("value", &dims, &[]);
        let file = file(&[("x", 1, 1)], &[constant, product], &[("y", 1, 1)]);
        let fault = TabularModel::from_bytes(&file).unwrap_err();
        assert!(fault.to_string().contains("it has no numbers"), "{fault}");
    }
}

#[test]
fn one_constant_that_is_used_over_and_over_is_refused() {
    let constant = Op::new("", "Constant", &[], &["c"]).floats("value_floats", &vec![1.0; 16_384]);
    let inputs: Vec<&str> = std::iter::once("x").chain(std::iter::repeat_n("c", 3_000)).collect();
    let join = Op::new("", "Concat", &inputs, &["y"]).integer("axis", 1);
    let fault = TabularModel::from_bytes(&file(&[("x", 1, 1)], &[constant, join], &[("y", 1, 1)])).unwrap_err();
    assert!(fault.to_string().contains("numbers of constants"), "{fault}");
}

#[test]
fn a_tree_whose_nodes_stand_between_those_of_another_counts_once() {
    let op = Op::ml("TreeEnsembleRegressor", &["x"], &["y"])
        .integers("nodes_treeids", &[0, 1, 0, 0])
        .integers("nodes_nodeids", &[1, 0, 0, 2])
        .integers("nodes_featureids", &[0, 0, 0, 0])
        .floats("nodes_values", &[0.0, 0.0, 0.5, 0.0])
        .texts("nodes_modes", &["LEAF", "LEAF", "BRANCH_LEQ", "LEAF"])
        .integers("nodes_truenodeids", &[0, 0, 1, 0])
        .integers("nodes_falsenodeids", &[0, 0, 2, 0])
        .integers("target_treeids", &[0, 1, 0])
        .integers("target_nodeids", &[1, 0, 2])
        .integers("target_ids", &[0, 0, 0])
        .floats("target_weights", &[10.0, 5.0, 20.0]);
    let model = TabularModel::from_bytes(&file(&[("x", 1, 1)], &[op], &[("y", 1, 1)])).unwrap();
    assert_eq!(model.score(&[0.0], &mut TabularScratch::default()), [15.0]);
    assert_eq!(model.score(&[1.0], &mut TabularScratch::default()), [25.0]);
}
