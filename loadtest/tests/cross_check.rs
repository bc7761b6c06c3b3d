//! The cross-check with wrk: it runs, its figures can be read, and it says what to do where wrk is missing. Nothing is judged by time.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test stops where it cannot go on")]

use std::path::Path;
use std::process::{Command, Output};

fn cross_check(wrk: Option<&str>, args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forthwith-load"));
    command.current_dir(root).arg("cross-check").args(args).env_remove("FORTHWITH_WRK");
    if let Some(wrk) = wrk {
        command.env("FORTHWITH_WRK", wrk);
    }
    command.output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn says_how_to_get_wrk_where_it_is_missing() {
    let output = cross_check(Some("/nowhere/wrk"), &["--quiet"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("apt install wrk"), "{said}");
}

#[test]
fn both_generators_are_measured_on_both_servers() {
    // Where wrk is not installed there is nothing to be checked against; the gate installs it.
    if Command::new("wrk").arg("-v").output().is_err() {
        return;
    }
    let tiny = ["--seconds", "1", "--rounds", "2", "--connections", "2", "--customers", "50", "--quiet", "--json"];
    let measured = json(&cross_check(None, &tiny));
    let servers = measured["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 2);
    for server in servers {
        let rounds = server["rounds"].as_array().unwrap();
        assert_eq!(rounds.len(), 2);
        for round in rounds {
            for who in ["ours", "filled_in", "wrk"] {
                let seen = &round[who];
                assert!(seen["calls_per_second"].as_f64().unwrap() > 0.0, "{server:#}");
                assert!(seen["p50_us"].as_f64().unwrap() <= seen["max_us"].as_f64().unwrap() * 1.01, "{server:#}");
                // On a machine that is busy the engine may shed; the floor has no deadlines.
                let is_floor = server["server"].as_str().unwrap().starts_with("floor");
                assert!(!is_floor || seen["failed"] == 0, "{server:#}");
            }
        }
    }
}
