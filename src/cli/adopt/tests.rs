use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::super::train::Reported;
use super::args::Adopt;
use super::course;
use crate::bundle::{Artifacts, Bundle, Sources};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    adopt: Adopt,
}

fn export(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(name)
}

fn floats(path: &Path) -> Vec<f32> {
    fs::read(path).unwrap().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Rows of an export, three times, with what onnxruntime thinks of each as its label; every tenth label is another.
fn data(name: &str, header: &str, labels: &[&str]) -> String {
    let (inputs, scores) = (floats(&export(name).join("inputs.f32")), floats(&export(name).join("expected.f32")));
    let columns = header.split(',').count() - 1;
    let mut text = format!("{header}\n");
    for at in 0..3 * inputs.len() / columns {
        let row = at % (inputs.len() / columns);
        for value in &inputs[row * columns..(row + 1) * columns] {
            let shown = if value.is_nan() { String::new() } else { value.to_string() };
            let _ = write!(text, "{shown},");
        }
        if labels.is_empty() {
            let _ = writeln!(text, "{}", scores[row] + if at % 2 == 0 { 2.0 } else { -2.0 });
            continue;
        }
        let scores = &scores[row * labels.len()..(row + 1) * labels.len()];
        let best = (0..labels.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        let _ = writeln!(text, "{}", labels[if at % 10 == 9 { (best + 1) % labels.len() } else { best }]);
    }
    text
}

/// Adopts an export by these rows; gives what people read, the manifest and the folder.
fn adopt(name: &str, rows: &str, more: &[&str]) -> Result<(String, String, tempfile::TempDir), String> {
    let place = tempfile::tempdir().unwrap();
    let (data, out) = (place.path().join("rows.csv"), place.path().join("models/flower-3"));
    fs::write(&data, rows).unwrap();
    let model = export(name).join("model.onnx");
    let paths = [("--model", &model), ("--data", &data), ("--out", &out)];
    let paths = paths.iter().flat_map(|(name, path)| [(*name).to_owned(), path.display().to_string()]);
    let line = std::iter::once("adopt".to_owned()).chain(paths).chain(more.iter().map(|word| (*word).to_owned()));
    let args = Line::try_parse_from(line).unwrap().adopt;
    let plain = |text: String| {
        let text =
            text.replace(&place.path().display().to_string(), "").replace(&model.display().to_string(), "model.onnx");
        let timed = text.lines().map(|line| line.split("; a score takes").next().unwrap_or(line));
        let dated = timed.map(|line| if line.starts_with("created") { "created       = \"…\"" } else { line });
        dated.collect::<Vec<_>>().join("\n")
    };
    match course::run(&args) {
        Ok(report) => {
            let manifest = fs::read_to_string(out.join("manifest.toml")).unwrap();
            let json: serde_json::Value = serde_json::from_str(&report.as_json()).unwrap();
            assert!(json["heldout"].is_object());
            Ok((plain(report.show()), plain(manifest), place))
        }
        Err(faults) => Err(plain(faults.join("\n"))),
    }
}

const FLOWERS: &str = "sepal_length,sepal_width,petal_length,petal_width,species";
const SPECIES: [&str; 3] = ["setosa", "versicolor", "virginica"];

#[test]
fn a_classifier_is_adopted_and_a_playbook_can_use_it() {
    let rows = data("iris_separate_inputs", FLOWERS, &SPECIES);
    let more = ["--label", "species", "--owner", "garden", "--purpose", "service"];
    let (report, manifest, place) = adopt("iris_separate_inputs", &rows, &more).unwrap();
    insta::assert_snapshot!(format!("{report}\n\n--- manifest.toml\n{manifest}"));

    let folder = place.path().join("models/flower-3");
    let (mut sources, mut artifacts) = (Sources::default(), Artifacts::default());
    for file in ["manifest.toml", "calibration.csv"] {
        sources.insert(format!("models/flower-3/{file}"), fs::read_to_string(folder.join(file)).unwrap());
    }
    artifacts.insert("models/flower-3/model.onnx", fs::read(folder.join("model.onnx")).unwrap());
    let columns: Vec<&str> = FLOWERS.split(',').take(4).collect();
    let attributes: String = columns.iter().map(|name| format!("{name} = \"decimal\"\n")).collect();
    let reads: Vec<String> = columns.iter().map(|name| format!("{name} = \"event.{name}\"")).collect();
    sources.insert("context.toml", format!("[events.flower]\n{attributes}"));
    sources.insert(
        "playbooks/p.toml",
        format!(
            "playbook = 'p'\non = ['flower']\n[outcome]\nspecies = {SPECIES:?}\n[guardrail]\npermit = {{ species = {SPECIES:?} }}\n\
             [default]\nthen = {{ species = 'setosa' }}\npermit = {{ species = 'any' }}\n[[models]]\nuse = 'flower@3'\nreads = {{ {} }}\n\
             sets = {{ species = 'label' }}\naccept = {{ above = 0.8 }}\n",
            reads.join(", ")
        ),
    );
    let compiled = Bundle::compile_with(sources, &artifacts);
    assert!(compiled.is_ok(), "{}", compiled.unwrap_err());
}

#[test]
fn a_regressor_is_adopted_and_missing_values_are_declared() {
    let header = "a,b,c,d,e,f,g,h,i,j,value";
    let rows = data("diabetes_tree", header, &[]);
    let rows: String = rows
        .lines()
        .enumerate()
        .map(|(at, line)| match (at, line.split_once(',')) {
            // The first column of one row has no value.
            (7, Some((_, rest))) => format!(",{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let (report, manifest, place) = adopt("diabetes_tree", &rows, &["--label", "value"]).unwrap();
    insta::assert_snapshot!(format!("{report}\n\n--- manifest.toml\n{manifest}"));
    assert!(!place.path().join("models/flower-3/calibration.csv").exists());
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let good = data("iris_separate_inputs", FLOWERS, &SPECIES);
    let turned = "petal_width,petal_length,sepal_width,sepal_length,species";
    let bad_rows = format!("{FLOWERS}\n1,2,long,4,setosa\n1,2,3,4,\n1,2,3,4,tulip\n1,2,3,inf,setosa\n");
    let unknown = format!("{FLOWERS}\n{}", "1,2,3,4,versicolour\n".repeat(60));
    let told: Vec<String> = [
        ("another order", good.replacen(FLOWERS, turned, 1), vec!["--label", "species", "--accuracy-min", "0.8"]),
        ("another column", good.replace("petal_width", "petal_wide"), vec!["--label", "species"]),
        ("bad rows", bad_rows, vec!["--label", "species"]),
        ("an unknown label", unknown, vec!["--label", "species"]),
        ("too few features", good.clone(), vec!["--label", "species", "--features", "sepal_length,petal_length"]),
        ("too few rows", good.lines().take(20).map(|line| format!("{line}\n")).collect(), vec!["--label", "species"]),
        ("too few names", good.clone(), vec!["--label", "species", "--labels", "a,b"]),
        ("a stray list", good, vec!["--label", "species", "--one-of", "colour=red,blue"]),
    ]
    .into_iter()
    .map(|(what, rows, more)| {
        format!("{what}:\n{}", adopt("iris_separate_inputs", &rows, &more).map(|_| ()).unwrap_err())
    })
    .collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn labels_may_have_other_names_than_those_in_the_data() {
    let rows = data("iris_separate_inputs", FLOWERS, &SPECIES);
    let (_, manifest, _) =
        adopt("iris_separate_inputs", &rows, &["--label", "species", "--labels", "first,second,third"]).unwrap();
    assert!(manifest.contains("\"first\", \"second\", \"third\""), "{manifest}");
}

#[test]
fn the_time_is_no_feature_whichever_file_it_is_read_of() {
    let rows = data("diabetes_tree", "a,b,c,d,e,f,g,h,i,j,value", &[]);
    let dated =
        |(at, line)| if at == 0 { format!("when,{line}\n") } else { format!("2026-01-0{},{line}\n", at % 9 + 1) };
    let rows: String = rows.lines().enumerate().map(dated).collect();
    let place = tempfile::tempdir().unwrap();
    let trained_on = place.path().join("training.csv");
    fs::write(&trained_on, &rows).unwrap();
    let trained_on = trained_on.display().to_string();
    for more in [vec!["--time", "when"], vec!["--time", "when", "--trained-on", &trained_on]] {
        let more: Vec<&str> = ["--label", "value"].into_iter().chain(more).collect();
        let (_, manifest, _) = adopt("diabetes_tree", &rows, &more).unwrap();
        assert!(manifest.contains("2026-01-09") && !manifest.contains("\"when\""), "{manifest}");
    }
}
