//! The search for the knee, on a promise that any machine keeps: it runs trials, tells them, and knows what it cannot know.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test stops where it cannot go on")]

use std::process::{Command, Output};

fn knee(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forthwith-load"));
    command.args(["knee", "ticket_routing", "--transport", "in-process", "--customers", "50", "--seconds", "1"]);
    command.args(args).output().unwrap()
}

#[test]
fn a_promise_that_anybody_keeps_has_its_knee_above_the_highest_rate() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let slo = ["--p99-us", "1e12", "--late-share", "1", "--lost-share", "1"];
    let rates = ["--lowest", "20", "--highest", "40", "--start", "20", "--precision", "0.5"];
    let rest = ["--repeats", "3", "--trials-max", "12", "--json", path];
    let output = knee(&[&slo[..], &rates, &rest].concat());
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{told}");
    assert!(said.contains("All holds up to 40/s") && said.contains("| trial |"), "{said}");
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(written["finding"]["knee"]["knee"], "beyond", "{written:#}");
    let trials = written["finding"]["trials"].as_array().unwrap();
    assert!((4..=12).contains(&trials.len()), "{written:#}");
    for trial in trials {
        assert_eq!(trial[1]["verdict"], "held", "{written:#}");
        assert!(trial[1]["answered_per_second"].as_f64().unwrap() > 0.0, "{written:#}");
    }
}

#[test]
fn a_promise_that_nobody_keeps_fails() {
    let slo = ["--p99-us", "0.001", "--late-share", "1", "--lost-share", "1"];
    // A driver that was late, too, would have nothing to be blamed for at two rates alone; whatever is said, nothing holds.
    let rates = ["--lowest", "20", "--highest", "20", "--trials-max", "3", "--repeats", "2", "--quiet"];
    let output = knee(&[&slo[..], &rates].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("| trial |") && !said.contains("It holds at") && !said.contains("| held |\n"), "{said}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_run() {
    for (args, what) in [
        (&["--p99-us", "1000", "--rate", "5"][..], "--start"),
        (&["--p99-us", "1000", "--lowest", "50", "--highest", "20"], "--lowest 50"),
        (&["--p99-us", "1000", "--precision", "7"], "--precision 7"),
    ] {
        let output = knee(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(what), "{said}");
    }
}
