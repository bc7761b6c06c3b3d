//! Every shipped scenario, at a scale that any machine can do: it goes through, what is to happen happens, and no check is violated.
//!
//! Nothing here asks how long anything took: how late answers are is the machine's affair.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test stops where it cannot go on")]

use std::process::Command;

use serde_json::Value;

/// A configuration that is read at once, where it does not matter what is decided.
const CONTEXT: &str = "[events.\"ticket.created\"]\nsubject = \"string\"\nbody = \"string\"\nchannel = \"string\"\n";
const PLAYBOOK: &str = r#"
playbook = "ticket_routing"
version  = 1
on       = ["ticket.created"]
budget   = "50ms"
ack      = "disk"

[outcome]
queue = ["general", "cards"]

[default]
then = { queue = "general" }

[[rules]]
id   = "cards"
when = 'event.body.contains("card")'
then = { queue = "cards" }
"#;

/// Runs a scenario on a small configuration; what it wrote as JSON.
fn run(scenario: &str, options: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::create_dir_all(config.join("playbooks")).unwrap();
    std::fs::write(config.join("context.toml"), CONTEXT).unwrap();
    std::fs::write(config.join("playbooks/ticket_routing.toml"), PLAYBOOK).unwrap();
    run_on(scenario, &[options, &["--config", config.to_str().unwrap()]].concat())
}

/// Runs a scenario on the configuration that it has; what it wrote as JSON.
fn run_on(scenario: &str, options: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("run.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_forthwith-load"));
    // Anywhere but in the repository: the binary brings all it needs.
    command.current_dir(folder.path()).args(["run", scenario, "--quiet", "--grace-ms", "600000", "--json"]).arg(&json);
    let output = command.args(options).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = std::fs::read_to_string(&json).unwrap_or_else(|_| panic!("{scenario} wrote nothing: {said}"));
    let outcome: Value = serde_json::from_str(&text).unwrap();
    let run = outcome["runs"][0].clone();
    let has_passed = run["missed"].as_array().unwrap().is_empty() && violated(&run).is_empty();
    assert_eq!(output.status.code(), Some(i32::from(!has_passed)), "{said}");
    run
}

fn violated(run: &Value) -> Vec<&Value> {
    run["checks"].as_array().unwrap().iter().filter(|check| check["violations"] != 0).collect()
}

fn check<'a>(run: &'a Value, name: &str) -> &'a Value {
    let all = run["checks"].as_array().unwrap();
    all.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("there is no check `{name}` in {all:#?}"))
}

/// Goes through, with answers, and without a violation.
fn sound(scenario: &str, options: &[&str]) -> Value {
    goes_through(scenario, run(scenario, options))
}

fn goes_through(scenario: &str, run: Value) -> Value {
    let totals = &run["totals"];
    assert!(totals["answered"].as_u64().unwrap() > 0, "{scenario}: {totals:#} {:#}", run["failed"]);
    let came = ["answered", "shed", "failed"].map(|name| totals[name].as_u64().unwrap()).iter().sum::<u64>();
    assert_eq!(totals["offered"].as_u64().unwrap(), came, "{scenario}: every call came to something");
    assert!(violated(&run).is_empty(), "{scenario}: {:#?}", violated(&run));
    assert!(!run["seconds"].as_array().unwrap().is_empty(), "{scenario}");
    run
}

fn happened(run: &Value, what: &str) -> usize {
    run["happened"].as_array().unwrap().iter().filter(|happened| happened["what"] == what).count()
}

#[test]
fn decides_over_each_transport_and_keeps_what_it_acknowledged() {
    for transport in ["in-process", "json", "msgpack"] {
        let options = ["--transport", transport, "--scale", "0.01", "--customers", "50", "--seconds", "2", "--verify"];
        let run = sound("ticket_routing", &options);
        for name in ["decisions_found", "journal_complete", "journal_verified"] {
            assert!(check(&run, name)["checked"].as_u64().unwrap() > 0, "{transport}: {name}");
        }
        let usage = run["usage"].as_array().unwrap();
        assert!(
            usage.iter().all(|usage| usage["resident_bytes"].as_u64().unwrap() > 1 << 20),
            "{transport}: {usage:?}"
        );
    }
}

#[test]
fn runs_what_only_asks_and_waits() {
    sound("single_call", &["--customers", "20", "--seconds", "1", "--rate", "20"]);
    let hot = sound("hot_customer", &["--scale", "0.01", "--customers", "50", "--seconds", "1"]);
    assert_eq!(check(&hot, "repeats")["violations"], 0);
    for transport in ["json", "in-process"] {
        sound("cold_start", &["--transport", transport, "--scale", "0.01", "--customers", "50", "--seconds", "1"]);
    }
    sound("caps", &["--scale", "0.05", "--seconds", "1"]);
    let burst = sound("burst", &["--scale", "0.02", "--customers", "50", "--seconds", "1"]);
    assert_eq!(burst["phases"].as_array().unwrap().len(), 3);
}

#[test]
fn runs_a_soak_a_recording_and_too_much() {
    let soak = sound("soak", &["--scale", "0.05", "--customers", "50", "--seconds", "2"]);
    assert_eq!(check(&soak, "memory_drift")["name"], "memory_drift");
    let recorded = goes_through("recorded", run_on("recorded", &["--seconds", "1"]));
    let names = recorded["tiers"].as_object().unwrap();
    assert!(!names.is_empty());
    // How much is answered of what is too much is the machine's affair, and that of its other users.
    let overload = run("overload", &["--scale", "0.1", "--customers", "50", "--seconds", "2"]);
    let phase = overload["phases"].as_array().unwrap().last().unwrap();
    assert!(phase["offered_per_second"].as_f64().unwrap() > 0.0, "the peak was found: {phase:#}");
    assert_eq!(check(&overload, "goodput")["checked"], 1);
    let others =
        violated(&overload).into_iter().filter(|check| check["name"] != "goodput" && check["name"] != "fairness");
    assert_eq!(others.count(), 0, "{:#?}", violated(&overload));
}

#[test]
fn a_large_model_hangs_and_the_configuration_changes_meanwhile() {
    let options = ["--scale", "0.02", "--customers", "50", "--seconds", "2"];
    let slow = goes_through("slow_agent", run_on("slow_agent", &options));
    assert_eq!(happened(&slow, "provider"), 2);
    let reload = sound("reload", &["--scale", "0.05", "--customers", "50", "--seconds", "3"]);
    assert!(check(&reload, "reloads")["checked"].as_u64().unwrap() > 0);
    assert!(check(&reload, "bundles")["checked"].as_u64().unwrap() > 0);
}

#[test]
fn a_killed_engine_has_all_that_it_acknowledged() {
    let run = sound("crash", &["--scale", "0.05", "--customers", "50", "--seconds", "4"]);
    assert!(happened(&run, "kill_and_restart") > 0, "{:#}", run["happened"]);
    let known = |name| check(&run, name)["checked"].as_u64().unwrap();
    assert!(known("decisions_found") > 0 && known("journal_complete") > 0 && known("journal_verified") > 0);
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forthwith-load"));
    command.current_dir(folder.path()).args(["run", "disk_full", "--quiet", "--grace-ms", "600000"]);
    let output = command.args(["--scale", "0.02", "--seconds", "3"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(3) {
        assert!(said.contains("this machine cannot run it") && said.contains("unshare"), "{said}");
        return;
    }
    let run = sound("disk_full", &["--scale", "0.02", "--seconds", "3"]);
    assert_eq!((happened(&run, "fill_disk"), happened(&run, "free_disk")), (1, 1), "{:#}", run["happened"]);
    assert!(check(&run, "decisions_found")["checked"].as_u64().unwrap() > 0);
}

#[test]
fn lists_what_is_shipped_and_says_what_is_wrong() {
    let load = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_forthwith-load")).args(args).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, said) = load(&["scenarios"]);
    assert!(code == Some(0) && said.lines().count() >= 12, "{said}");
    for (args, what) in [
        (&["run", "brust"][..], "there is no scenario `brust`"),
        (&["run", "nowhere/mine.toml"], "nowhere/mine.toml"),
        (&["run", "crash", "--transport", "in-process"], "needs an engine in a process of its own"),
        (&["run", "burst", "--seconds", "0"], "expected a number above 0"),
    ] {
        let (code, said) = load(args);
        assert!(code == Some(2) && said.contains(what), "{code:?}: {said}");
    }
    let (code, said) = load(&["run", "burst", "--url", "https://example.org"]);
    assert!(code != Some(0) && said.contains("http://HOST:PORT"), "{said}");
}
