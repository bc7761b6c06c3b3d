//! The driver itself, on a small load: it must measure what it says.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test stops where it cannot go on")]

use std::process::{Command, Output};

fn load(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forthwith-load"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).args(args);
    command.args(["--customers", "50", "--seconds", "1", "--rounds", "1"]).output().unwrap()
}

/// The calls a second of each row, and what was shed.
fn rows(output: &Output) -> Vec<(String, u64, u64)> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let number = |cell: &str| cell.trim().replace(',', "").parse().unwrap_or_else(|_| panic!("`{cell}` is no number"));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |"));
    let rows = rows.map(|line| line.trim_matches('|').split('|').collect::<Vec<_>>());
    rows.map(|cells| (cells[0].trim().to_owned(), number(cells[1]), number(cells[8]))).collect()
}

fn assert_all_answered(output: &Output, names: &[&str]) {
    let rows = rows(output);
    assert_eq!(rows.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), names);
    for (name, calls, shed) in rows {
        assert!(calls > 0 && shed == 0, "{name}: {calls} calls a second, {shed} shed");
    }
}

#[test]
fn drives_the_engine_in_memory_and_on_disk() {
    let memory = load(&["engine", "--spread", "zipf", "--callers", "3", "--quiet"]);
    let floor = "floor: bare cell, 300 ns of work";
    assert_all_answered(&memory, &[floor, "driver alone (events made and dropped)", "engine"]);
    let disk = load(&["engine", "--ack", "disk", "--callers", "1,4", "--quiet"]);
    let floor = "floor: bare append and fdatasync";
    assert_all_answered(&disk, &[floor, "engine", floor, "engine"]);
}

#[test]
fn drives_the_server() {
    assert_all_answered(&load(&["http", "--connections", "3", "--quiet"]), &["floor: decode and echo", "decide"]);
}

#[test]
fn says_what_it_cannot_do() {
    for (args, what) in [
        (&["engine", "--playbook", "ticket_rooting"][..], "ticket_rooting"),
        (&["engine", "--samples", "nowhere.jsonl"], "nowhere.jsonl"),
        (&["engine", "--config", "nowhere"], "nowhere"),
    ] {
        let output = load(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(what), "{said}");
    }
}

/// A scenario in an open loop at a pace that any machine can keep; what it printed as JSON.
fn open_loop(args: &[&str]) -> serde_json::Value {
    let output = load(&[args, &["--json", "--quiet"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn asks_large_models_that_are_slow_and_counts_what_came_of_it() {
    let measured = open_loop(&["slow-agent", "--rate", "300"]);
    let cases = measured["cases"].as_array().unwrap();
    let names: Vec<&str> = cases.iter().map(|case| case["case"].as_str().unwrap()).collect();
    assert_eq!(names, ["without a large model", "healthy", "bimodal", "hanging", "flapping"]);
    let number = |case: usize, name: &str| cases[case][name].as_f64().unwrap();
    for (at, case) in cases.iter().enumerate() {
        assert_eq!(case["questions"], 30, "{case:#}");
        assert!(number(at, "others_us_p50") > 0.0 && number(at, "bare_timer_late_us_p9999") > 0.0, "{case:#}");
        let fell_back: f64 = case["fell_back"].as_object().unwrap().values().map(|share| share.as_f64().unwrap()).sum();
        let all = number(at, "by_large_model") + fell_back + number(at, "shed") / 30.0;
        assert!((all - 1.0).abs() < 1e-6, "every question came to something: {case:#}");
    }
    assert_eq!((number(0, "by_large_model"), number(0, "requests")), (0.0, 0.0));
    assert!(number(1, "by_large_model") > 0.0 && number(1, "cost_per_thousand") > 0.0, "{:#}", cases[1]);
    assert_eq!(number(3, "by_large_model"), 0.0, "a provider that hangs answers nobody: {:#}", cases[3]);
    assert!(number(3, "requests") > 0.0);
}

#[test]
fn compares_the_large_tier_with_a_bare_client() {
    let measured = open_loop(&["large-tier", "--rate", "50"]);
    let subjects = measured["subjects"].as_array().unwrap();
    assert_eq!(subjects.len(), 2);
    for subject in subjects {
        assert_eq!((subject["calls"].as_u64(), subject["astray"].as_u64()), (Some(50), Some(0)), "{subject:#}");
    }
}
