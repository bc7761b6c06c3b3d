//! What operators take from `config/observability/`: dashboards, rules and alerts, and the runbooks behind them.
//!
//! What can be told from the files is always tested. With `FORTHWITH_PROMETHEUS=FOLDER`, a folder that has `prometheus` and
//! `promtool` (`apt-get install prometheus`: `/usr/bin`), the rules are also checked and unit-tested by promtool, and every query of every
//! dashboard and rule is run by a real Prometheus that scrapes a loaded server. Built with `neural`, and with `FORTHWITH_NEURAL_FOLDER=FOLDER`
//! as the tests of neural models have it, that server has a neural model, too.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "a test stops where it cannot go on"
)]

mod loaded;
mod prometheus;
mod shelf;
#[allow(dead_code, reason = "it is shared with other tests")]
#[path = "../integration/support.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use loaded::Loaded;
use prometheus::{Programs, Prometheus};
use serde_json::Value;
use shelf::{alerts, dashboards, documented, family, names, panels, queries, rules, runbook_of, runbooks};

/// The dashboard whose series are there only with a neural model.
const OF_NEURAL_MODELS: &str = "slow-models.json";

/// What every query is narrowed to when it is run.
fn settled(expr: &str) -> String {
    let variables = [("$__rate_interval", "1m"), ("$job", "forthwith"), ("$instance", ".+"), ("$playbook", ".+")];
    let expr = variables.into_iter().fold(expr.to_owned(), |expr, (name, value)| expr.replace(name, value));
    assert!(!expr.contains('$'), "`{expr}` has a variable that this test does not know");
    expr
}

#[test]
fn dashboards_are_what_their_script_writes() {
    let folder = support::folder();
    let script = shelf::folder().join("dashboards.py");
    let Ok(output) = Command::new("python3").arg("-B").arg(&script).arg(folder.path()).output() else {
        eprintln!("skipped: there is no python3");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (written, kept) = (shelf::files(folder.path(), "json"), shelf::files(&shelf::folder().join("grafana"), "json"));
    let mut names: BTreeSet<&String> = written.keys().chain(kept.keys()).collect();
    names.retain(|name| written.get(*name) != kept.get(*name));
    assert!(names.is_empty(), "{names:?} are stale: `python3 config/observability/dashboards.py`");
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_what_to_do() {
    let runbooks = runbooks();
    let mut uids = BTreeSet::new();
    for (name, board) in dashboards() {
        assert!(uids.insert(board["uid"].as_str().unwrap().to_owned()), "{name}: its uid is another's, too");
        let variables: Vec<&str> =
            board["templating"]["list"].as_array().unwrap().iter().map(|of| of["name"].as_str().unwrap()).collect();
        assert_eq!(variables, ["datasource", "job", "instance", "playbook"], "{name}");
        let mut ids = BTreeSet::new();
        for panel in panels(&board) {
            let place = format!("{name}, panel {}", panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{place}: its id is another's, too");
            assert!(
                panel["description"].as_str().is_some_and(|text| text.len() > 20),
                "{place} does not say what it shows"
            );
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(defaults["unit"].as_str().is_some_and(|unit| !unit.is_empty()), "{place} has no unit");
            assert!(
                defaults["thresholds"]["steps"].as_array().is_some_and(|steps| !steps.is_empty()),
                "{place} has no thresholds"
            );
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{place}");
            let right = panel["gridPos"]["x"].as_u64().unwrap() + panel["gridPos"]["w"].as_u64().unwrap();
            assert!(right <= 24, "{place} is beyond the right edge");
            for link in panel["links"].as_array().unwrap() {
                let to = runbook_of(link["url"].as_str().unwrap());
                assert!(
                    to.is_some_and(|anchor| runbooks.contains(anchor)),
                    "{place} links to no runbook: {}",
                    link["url"]
                );
            }
        }
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let (runbooks, mut used) = (runbooks(), BTreeSet::new());
    for alert in alerts() {
        let name = &alert.name;
        assert!(
            matches!(alert.value("severity"), Some("page" | "ticket")),
            "{name} is neither for a page nor for a ticket"
        );
        assert!(
            alert.value("summary").is_some() && alert.value("description").is_some(),
            "{name} does not say what is wrong"
        );
        assert_eq!(alert.anchor(), Some(&*name.to_lowercase()), "{name} does not link its own runbook");
        assert!(runbooks.contains(&name.to_lowercase()), "docs/RUNBOOKS.md has no section `### {name}`");
        used.insert(name.to_lowercase());
    }
    let unused: Vec<_> = runbooks.difference(&used).collect();
    assert!(unused.is_empty(), "docs/RUNBOOKS.md has sections of alerts that are not there: {unused:?}");
}

#[test]
fn every_alert_is_tested_to_fire_and_to_be_silent() {
    let tests: String = shelf::files(&shelf::folder().join("tests"), "yml").into_values().collect();
    let lines: Vec<&str> = tests.lines().map(str::trim).collect();
    let mut lacking = Vec::new();
    for name in alerts().into_iter().map(|alert| alert.name).collect::<BTreeSet<_>>() {
        let asked: Vec<usize> = (0..lines.len()).filter(|at| lines[*at] == format!("alertname: {name}")).collect();
        let is_silent = |at: &usize| lines.get(at + 1) == Some(&"exp_alerts: []");
        if !asked.iter().any(is_silent) || asked.iter().all(is_silent) {
            lacking.push(name);
        }
    }
    assert!(
        lacking.is_empty(),
        "config/observability/tests has no test that these fire, or none that they are silent: {lacking:?}"
    );
}

#[test]
fn no_query_names_a_series_that_is_not_documented() {
    let documented = documented();
    let rules = rules();
    let recorded: BTreeSet<&str> = rules
        .values()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .collect();
    let mut unknown = BTreeSet::new();
    let mut look = |place: &str, text: &str| {
        for name in names(text) {
            if !recorded.contains(&*name) && !documented.contains_key(family(&name, &documented)) {
                unknown.insert(format!("{place}: {name}"));
            }
        }
    };
    rules.iter().for_each(|(name, text)| look(name, &expressions(text)));
    for (name, board) in dashboards() {
        queries(&name, &board).iter().for_each(|query| look(&query.place, &query.expr));
    }
    assert!(unknown.is_empty(), "series that the documents do not have: {unknown:#?}");
}

/// A rule file without what it says to people.
fn expressions(text: &str) -> String {
    let is_said = |line: &&str| {
        ["summary:", "description:", "runbook_url:", "- name:"].iter().any(|key| line.trim().starts_with(key))
    };
    text.lines().filter(|line| !is_said(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn promtool_finds_no_fault_in_the_rules_and_every_alert_fires_when_it_should() {
    let Some(programs) = Programs::find() else { return };
    let path = |of: &str| shelf::folder().join(of).to_string_lossy().into_owned();
    programs.promtool(&["check", "config", &path("prometheus.yml")], "").unwrap_or_else(|said| panic!("{said}"));
    for name in shelf::files(&shelf::folder().join("tests"), "yml").keys() {
        programs
            .promtool(&["test", "rules", &path(&format!("tests/{name}"))], "")
            .unwrap_or_else(|said| panic!("{name}: {said}"));
    }
}

#[test]
fn every_query_returns_something_from_a_loaded_server() {
    let Some(programs) = Programs::find() else { return };
    let folder = support::folder();
    // Relative to the package, wherever the test was started.
    let encoder = std::env::var_os("FORTHWITH_NEURAL_FOLDER").map(|encoder| shelf::root().join(encoder));
    let mut loaded = Loaded::start(folder.path(), encoder.as_deref());
    let prometheus =
        Prometheus::start(&programs, &loaded.server.address, &shelf::folder().join("rules"), folder.path());
    prometheus.wait_for("up", |up| up == 1.0);
    // What is told from a rise needs two scrapes with something between them; what was said of decisions, two after the first.
    let mut silent = Vec::new();
    for _ in 0..6 {
        loaded.round();
        prometheus.wait_for_scrapes(3);
        silent = silent_queries(&prometheus, encoder.is_some());
        if silent.is_empty() {
            break;
        }
    }
    assert!(silent.is_empty(), "{} queries return nothing:\n{}", silent.len(), silent.join("\n"));

    let page = String::from_utf8(loaded.server.get("/metrics").body).unwrap();
    programs.promtool(&["check", "metrics"], &page).unwrap_or_else(|said| panic!("`promtool check metrics`: {said}"));

    let firing: Vec<String> =
        prometheus.rules().iter().filter(|rule| rule["state"] == "firing").map(Value::to_string).collect();
    let pages: Vec<&String> = firing.iter().filter(|rule| rule.contains(r#""severity":"page""#)).collect();
    assert!(pages.is_empty(), "a server that is well wakes somebody: {pages:#?}");

    // Not in good order: what must page is seen.
    loaded.server.signal("KILL");
    prometheus.wait_for(r#"ALERTS{alertname="ForthwithDown", alertstate="pending"}"#, |alert| alert == 1.0);
}

/// Every query that is refused or returns nothing that is a number, by place.
fn silent_queries(prometheus: &Prometheus, has_neural_model: bool) -> Vec<String> {
    let mut silent = Vec::new();
    let mut look = |place: &str, expr: &str| match prometheus.query(expr) {
        Err(fault) => silent.push(format!("{place}: {fault}\n    {expr}")),
        Ok(numbers) if numbers.is_empty() => silent.push(format!("{place}: no series\n    {expr}")),
        Ok(numbers) if !numbers.iter().any(|number| number.is_finite()) => {
            silent.push(format!("{place}: no number: {numbers:?}\n    {expr}"));
        }
        Ok(_) => {}
    };
    for (name, board) in dashboards() {
        if name == OF_NEURAL_MODELS && !has_neural_model {
            eprintln!("skipped: {name}, for want of FORTHWITH_NEURAL_FOLDER");
            continue;
        }
        queries(&name, &board).iter().for_each(|query| look(&query.place, &settled(&query.expr)));
        for annotation in board["annotations"]["list"].as_array().unwrap() {
            // It is there only where something changed lately; its series are there always.
            let expr = settled(annotation["expr"].as_str().unwrap());
            look(&format!("{name}, annotation {}", annotation["name"]), expr.trim_end_matches(" > 0"));
        }
    }
    for rule in prometheus.rules() {
        let name = rule["name"].as_str().unwrap();
        if rule["health"] == "err" {
            look(&format!("rule {name} fails: {}", rule["lastError"]), "vector(0) > 1");
        }
        if rule["type"] == "recording" {
            look(&format!("recorded {name}"), name);
            continue;
        }
        for series in names(rule["query"].as_str().unwrap()) {
            look(&format!("alert {name}"), &format!("count({series})"));
        }
    }
    for (name, board) in dashboards() {
        for variable in board["templating"]["list"].as_array().unwrap().iter().filter(|of| of["type"] == "query") {
            let query = settled(variable["query"]["query"].as_str().unwrap());
            let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (selector, label) = inside.and_then(|inside| inside.rsplit_once(", ")).unwrap();
            let found = prometheus.label_values(selector, label);
            if !found.as_ref().is_ok_and(|values| !values.is_empty()) {
                silent.push(format!("{name}, variable {}: {found:?}", variable["name"]));
            }
        }
    }
    silent
}

/// The example of the README is the configuration that is checked.
#[test]
fn the_example_names_the_job_that_the_rules_look_for() {
    let example = fs::read_to_string(shelf::folder().join("prometheus.yml")).unwrap();
    assert!(example.contains("- job_name: forthwith\n") && example.contains("- rules/*.yml\n"));
    let looked_for: BTreeSet<&str> = ["job=\"forthwith\""].into();
    let rules: String = rules().into_values().collect();
    let jobs: BTreeSet<&str> =
        rules.match_indices("job=\"").map(|(at, _)| &rules[at..=at + 5 + rules[at + 5..].find('"').unwrap()]).collect();
    assert_eq!(jobs, looked_for);
}
