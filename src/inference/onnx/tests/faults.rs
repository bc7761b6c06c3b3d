use super::super::{TabularModel, TabularOutputs, TabularScratch};
use super::writer::{End, Op, file, stump};

const FLOAT: i64 = 1;
const X: [End<'_>; 1] = [("x", FLOAT, 2)];
const Y: [End<'_>; 1] = [("y", FLOAT, 1)];

fn score(bytes: &[u8], row: &[f32]) -> Vec<f32> {
    TabularModel::from_bytes(bytes).unwrap().score(row, &mut TabularScratch::default()).to_vec()
}

fn fault(bytes: &[u8]) -> String {
    TabularModel::from_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn a_tree_of_one_branch_turns_at_its_value() {
    let bytes = file(&X, &[stump()], &Y);
    let model = TabularModel::from_bytes(&bytes).unwrap();
    assert_eq!((model.inputs().count, model.inputs().names.len()), (2, 0));
    assert_eq!(*model.outputs(), TabularOutputs::Values(1));
    assert_eq!(score(&bytes, &[9.0, 0.5]), [10.0]);
    assert_eq!(score(&bytes, &[9.0, 0.500_000_06]), [20.0]);
    assert_eq!(score(&bytes, &[9.0, f32::NAN]), [20.0]);
}

#[test]
fn a_row_of_another_length_has_no_scores() {
    assert_eq!(score(&file(&X, &[stump()], &Y), &[1.0]), [] as [f32; 0]);
}

#[test]
fn separate_inputs_are_columns_under_their_names() {
    let join = Op::new("", "Concat", &["a", "b"], &["x"]).integer("axis", 1);
    let bytes = file(&[("a", FLOAT, 1), ("b", 7, 1)], &[join, stump()], &Y);
    let model = TabularModel::from_bytes(&bytes).unwrap();
    assert_eq!(model.inputs().names, ["a", "b"]);
    assert_eq!(score(&bytes, &[0.0, 3.0]), [20.0]);
}

#[test]
fn what_is_not_understood_is_named() {
    let said: Vec<String> = [
        (
            "unknown operators",
            file(
                &X,
                &[
                    Op::new("", "Where", &["x", "x", "x"], &["a"]),
                    Op::new("com.example", "Mystery", &["a"], &["b"]),
                    Op::new("com.example", "Mystery", &["b"], &["y"]),
                ],
                &Y,
            ),
        ),
        ("an attribute", file(&X, &[stump().integer("speed", 3)], &Y)),
        ("an aggregate", file(&X, &[stump().text("aggregate_function", "MAX")], &Y)),
        (
            "a mode",
            file(
                &X,
                &[Op::ml("TreeEnsembleRegressor", &["x"], &["y"])
                    .texts("nodes_modes", &["BRANCH_NEAR"])
                    .integers("nodes_nodeids", &[0])
                    .integers("nodes_treeids", &[0])
                    .integers("nodes_featureids", &[0])
                    .floats("nodes_values", &[1.0])
                    .integers("nodes_truenodeids", &[0])
                    .integers("nodes_falsenodeids", &[0])],
                &Y,
            ),
        ),
        ("a transform", file(&X, &[stump().text("post_transform", "CLOGLOG")], &Y)),
        ("texts", file(&[("x", 8, 2)], &[stump()], &Y)),
        ("no columns", file(&[("x", FLOAT, 0)], &[stump()], &Y)),
        ("labels alone", file(&X, &[Op::new("", "Identity", &["x"], &["y"])], &[("y", 7, 1)])),
        ("two outputs", file(&X, &[stump(), Op::new("", "Identity", &["y"], &["z"])], &[Y[0], ("z", FLOAT, 1)])),
        ("no input", file(&X, &[Op::new("", "Identity", &["w"], &["y"])], &Y)),
        ("another feature", file(&[("x", FLOAT, 1)], &[stump()], &Y)),
        ("another axis", file(&X, &[Op::new("", "Softmax", &["x"], &["y"]).integer("axis", 0)], &Y)),
        ("no graph", b"\x08\x08".to_vec()),
        ("no file", b"PK\x03\x04 and so on".to_vec()),
    ]
    .iter()
    .map(|(what, bytes)| format!("{what}: {}", fault(bytes)))
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn trees_that_are_no_trees_are_refused() {
    let node = |children: [&[i64]; 2], values: &[f32]| {
        let count = values.len() as i64;
        let modes: Vec<&str> = values.iter().map(|value| if *value == 0.0 { "LEAF" } else { "BRANCH_LEQ" }).collect();
        let op = Op::ml("TreeEnsembleRegressor", &["x"], &["y"])
            .integers("nodes_treeids", &vec![0; values.len()])
            .integers("nodes_nodeids", &(0..count).collect::<Vec<_>>())
            .integers("nodes_featureids", &vec![0; values.len()])
            .floats("nodes_values", values)
            .texts("nodes_modes", &modes)
            .integers("nodes_truenodeids", children[0])
            .integers("nodes_falsenodeids", children[1]);
        file(&X, &[op], &Y)
    };
    let said = [
        ("a circle", node([&[1, 1, 0], &[2, 2, 0]], &[1.0, 1.0, 0.0])),
        ("a circle at the root", node([&[0, 0], &[1, 0]], &[1.0, 0.0])),
        ("two roots", node([&[0, 0], &[0, 0]], &[0.0, 0.0])),
        ("a way to nowhere", node([&[7, 0], &[1, 0]], &[1.0, 0.0])),
        ("no number", node([&[1, 0, 0], &[2, 0, 0]], &[f32::NAN, 0.0, 0.0])),
        ("no list", node([&[1], &[2, 0, 0]], &[1.0, 0.0, 0.0])),
    ]
    .map(|(what, bytes)| format!("{what}: {}", fault(&bytes)));
    insta::assert_snapshot!(said.join("\n"));
}
