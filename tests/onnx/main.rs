//! Exports as users make them, against what onnxruntime gives.
//!
//! A few small ones lie in `tests/fixtures/onnx`. All of them are made by `tests/onnx/exports.py FOLDER`; with
//! `FORTHWITH_ONNX_EXPORTS=FOLDER` they are compared, too.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test stops where it cannot go on")]

use std::fs;
use std::path::Path;

use forthwith::inference::{TabularModel, TabularScratch};

/// How far a score may be from onnxruntime's: absolutely, and as a share of a large one.
const DISTANCE_MAX: f32 = 1e-5;

#[test]
fn small_exports_score_as_onnxruntime_scores_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx");
    assert!(compare_all(&folder) >= 8);
}

#[test]
fn all_exports_score_as_onnxruntime_scores_them() {
    let Some(folder) = std::env::var_os("FORTHWITH_ONNX_EXPORTS") else {
        eprintln!("skipped: FORTHWITH_ONNX_EXPORTS names no folder; `python tests/onnx/exports.py FOLDER` makes one");
        return;
    };
    let count = compare_all(Path::new(&folder));
    assert!(count >= 9, "only {count} exports");
    eprintln!("{count} exports agree with onnxruntime");
}

/// Compares all exports of a folder; says how many there were.
fn compare_all(folder: &Path) -> usize {
    let mut places: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    places.retain(|place| place.join("model.onnx").exists());
    places.sort();
    let faults: Vec<String> = places.iter().filter_map(|place| compare(place).err()).collect();
    assert!(faults.is_empty(), "{} of {} exports disagree:\n{}", faults.len(), places.len(), faults.join("\n"));
    places.len()
}

fn compare(place: &Path) -> Result<(), String> {
    let name = place.file_name().unwrap().to_string_lossy().into_owned();
    let model = TabularModel::from_bytes(&fs::read(place.join("model.onnx")).unwrap());
    let model = model.map_err(|fault| format!("{name}: {fault}"))?;
    let shape = fs::read_to_string(place.join("shape.txt")).unwrap();
    let (sizes, labels) = shape.split_once('\n').unwrap();
    let sizes: Vec<usize> = sizes.split(' ').map(|size| size.parse().unwrap()).collect();
    let [rows, columns, outputs] = sizes.try_into().unwrap();
    let labels: Vec<&str> = labels.lines().collect();
    let (inputs, expected) = (floats(&place.join("inputs.f32")), floats(&place.join("expected.f32")));
    if (model.inputs().count, model.outputs().count()) != (columns, outputs) {
        return Err(format!(
            "{name}: takes {:?}, gives {:?}; not {columns}, {outputs}",
            model.inputs(),
            model.outputs()
        ));
    }
    if model.outputs().labels().unwrap_or_default() != labels {
        return Err(format!("{name}: its labels are {:?}, not {labels:?}", model.outputs()));
    }
    assert_eq!((inputs.len(), expected.len()), (rows * columns, rows * outputs), "{name}");
    let mut scratch = TabularScratch::default();
    let mut worst = 0.0f32;
    for (row, expected) in inputs.chunks(columns).zip(expected.chunks(outputs)) {
        let scores = model.score(row, &mut scratch);
        for (score, expected) in scores.iter().zip(expected) {
            let distance = (score - expected).abs() / expected.abs().max(1.0);
            worst = if distance.is_nan() { f32::INFINITY } else { worst.max(distance) };
        }
    }
    if worst <= DISTANCE_MAX { Ok(()) } else { Err(format!("{name}: scores are off by up to {worst:e}")) }
}

fn floats(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}
