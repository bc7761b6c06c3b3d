//! `forthwith test`: golden cases beside the playbooks.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{folder, forthwith, own_config, root, run};

const CASES: &str = "playbooks/ticket_routing.cases.toml";

/// Runs `forthwith test` on a configuration folder.
fn test(config: &Path, args: &[&str]) -> (i32, String, String) {
    run(forthwith().arg("test").args(args).arg("--config").arg(config))
}

/// A ticket with this body, and what is expected of it.
fn case(name: &str, body: &str, expect: &str) -> String {
    format!(
        "[[cases]]\nname = \"{name}\"\nevent = {{ subject = \"Help\", body = \"{body}\", channel = \"email\" }}\nexpect = {{ {expect} }}\n"
    )
}

#[test]
fn the_shipped_cases_pass_and_cover_every_rule() {
    let (code, out, err) = run(forthwith().args(["test", "--coverage-min", "100"]));
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("ticket_routing.cases.toml: ") && out.contains(" cases passed\n"), "{out}");
    assert!(out.contains("rules fired (100 %)\n"), "{out}");
}

#[test]
fn a_changed_rule_fails_the_cases_that_it_moves() {
    let folder = folder();
    let config = own_config(folder.path());
    fs::copy(root().join("config").join(CASES), config.join(CASES)).unwrap();
    let rules = config.join("playbooks/ticket_routing.toml");
    let changed = fs::read_to_string(&rules).unwrap().replace("failed_logins_1h >= 5", "failed_logins_1h >= 4");
    fs::write(&rules, changed).unwrap();
    let (code, out, err) = test(&config, &[]);
    assert_eq!((code, err.as_str()), (2, ""), "{out}");
    insta::assert_snapshot!(out);
}

#[test]
fn failures_are_a_difference_and_the_coverage_names_what_never_fired() {
    let folder = folder();
    let config = own_config(folder.path());
    let cases = [
        case("a stolen card goes to security", "my card was stolen", "rule = \"security-unauthorised\""),
        case(
            "a demo for a large customer",
            "a demo, please",
            "rule = \"sales-large-customer\", outcome = { priority = 2 }",
        ),
        case("thanks are nothing special", "thank you", "rule = \"default\""),
    ];
    fs::write(config.join(CASES), cases.concat()).unwrap();
    let more = [case("money is missing", "the wire is late", "outcome = { queue = \"payments\" }")];
    fs::write(config.join("playbooks/ticket_routing.money.cases.toml"), more.concat()).unwrap();
    let (code, out, err) = test(&config, &["ticket_routing", "--coverage-min", "10"]);
    assert_eq!((code, err.as_str()), (2, ""), "{out}");
    insta::assert_snapshot!(out);

    // Parts of the cases say nothing about the coverage.
    let (code, out, err) = test(&config, &["--filter", "stolen"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out, "playbooks/ticket_routing.cases.toml: 1 case passed\n");
    let (code, out, err) = test(&config, &["--filter", "nothing like it"]);
    assert_eq!((code, out.as_str(), err.trim()), (3, "", "no case has `nothing like it` in its name"));
    let (code, _, err) = test(&config, &["--filter", "x", "--coverage-min", "1"]);
    assert!(code == 64 && err.contains("cannot be used with"), "{err}");
    let (code, _, err) = test(&config, &["ticket_ruoting"]);
    assert_eq!(
        (code, err.trim()),
        (1, "error: there is no playbook `ticket_ruoting` (did you mean `ticket_routing`?)")
    );
}

#[test]
fn the_report_as_json_has_every_case_and_every_rule() {
    let folder = folder();
    let config = own_config(folder.path());
    let cases = [
        case("passes", "my card was stolen", "rule = \"security-unauthorised\""),
        case("fails", "my card was stolen", "outcome = { queue = \"cards\" }"),
    ];
    fs::write(config.join(CASES), cases.concat()).unwrap();
    let (code, out, _) = test(&config, &["--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["passed"], &report["failed"]), (2, &1.into(), &1.into()));
    let failed = &report["files"][0]["cases"][1];
    assert_eq!((&failed["name"], &failed["passed"], &failed["line"]), (&"fails".into(), &false.into(), &5.into()));
    assert_eq!(
        failed["differences"][0],
        serde_json::json!({ "of": "outcome", "field": "queue", "expected": "cards", "decided": "security" })
    );
    let coverage = &report["coverage"][0];
    assert_eq!((&coverage["rules"], &coverage["fired"], &coverage["percent"]), (&52.into(), &1.into(), &2.into()));
    assert_eq!(coverage["never_fired"].as_array().unwrap().len(), 51);
    assert_eq!(coverage["cases_by_rule"][0]["cases"], 2);
    let (code, out, _) = test(&config, &["--json", "--filter", "passes"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["failed"], &report["coverage"]), (0, &0.into(), &Value::Null));
}

#[test]
fn where_there_are_no_cases_the_command_says_how_to_begin() {
    let folder = folder();
    let config = own_config(folder.path());
    let (code, out, err) = test(&config, &[]);
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
    insta::assert_snapshot!(err.replace(&folder.path().display().to_string(), "…"));
    let example = &err[err.find("[[cases]]").unwrap()..];
    fs::write(config.join(CASES), example).unwrap();
    let (code, out, err) = test(&config, &[]);
    assert!(code == 0 && out.contains("1 case passed"), "the example passes as it is: {out}{err}");
}

#[test]
fn a_file_with_faults_runs_nothing_and_names_them_all() {
    let folder = folder();
    let config = own_config(folder.path());
    fs::write(config.join(CASES), case("fine", "x", "rule = \"default\"")).unwrap();
    let faulty = case("a", "x", "rule = \"cards-lots\"") + &case("b", "x", "outcome = { queue = \"card\" }");
    fs::write(config.join("playbooks/other.cases.toml"), format!("playbook = \"ticket_routing\"\n{faulty}")).unwrap();
    fs::write(config.join("playbooks/binary.cases.toml"), [0xff]).unwrap();
    let (code, out, err) = test(&config, &[]);
    assert_eq!((code, out.as_str()), (1, ""));
    insta::assert_snapshot!(err);
    // The cases are no part of what is decided with: the configuration is sound all the same.
    let (code, _, err) = run(forthwith().arg("check").arg("--config").arg(&config));
    assert_eq!((code, err.as_str()), (0, ""));
}

/// Every shipped ticket as a case, with the tickets before it and the facts of its customer, expected to come out as
/// `forthwith decide` has decided it: what cases say is what production does.
#[test]
fn a_case_is_decided_as_the_engine_decides() {
    let folder = folder();
    let config = own_config(folder.path());
    let lines = |file: &str| -> Vec<Value> {
        let text = fs::read_to_string(root().join("config/samples").join(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (tickets, customers) = (lines("tickets.jsonl"), lines("customers.jsonl"));
    let mut command = forthwith();
    command.args(["decide", "ticket_routing", "--quiet", "--input", "config/samples/tickets.jsonl"]);
    let (code, out, err) = run(command.args(["--facts", "config/samples/customers.jsonl"]));
    assert_eq!(code, 0, "{err}");
    let decided: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut cases = String::new();
    for (nth, (ticket, decision)) in tickets.iter().zip(&decided).enumerate() {
        let of_customer = |earlier: &&Value| earlier["subject"] == ticket["subject"];
        let before: Vec<String> = tickets[..nth].iter().filter(of_customer).map(event).collect();
        let facts = customers.iter().find(|facts| facts["customer"] == ticket["subject"]);
        cases += &format!("[[cases]]\nname = {}\nat = {}\n", ticket["id"], ticket["time"]);
        cases += &format!("event = {}\nbefore = [{}]\n", event(ticket), before.join(", "));
        cases += &format!("facts = {}\n", facts.map_or("{}".to_owned(), |facts| toml(&facts["facts"])));
        let rule = decision["rule"].as_str().unwrap_or("default");
        cases += &format!("expect = {{ rule = \"{rule}\", outcome = {} }}\n\n", toml(&decision["outcome"]));
    }
    fs::write(config.join(CASES), cases).unwrap();
    let (code, out, err) = test(&config, &[]);
    assert!(code == 0 && out.contains(": 610 cases passed"), "{out}{err}");
}

/// A ticket as the event of a case.
fn event(ticket: &Value) -> String {
    format!("{{ at = {}, data = {} }}", ticket["time"], toml(&ticket["data"]))
}

/// JSON as TOML: objects are written otherwise, everything else alike.
fn toml(value: &Value) -> String {
    let Value::Object(members) = value else { return value.to_string() };
    let members: Vec<String> = members.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
    format!("{{ {} }}", members.join(", "))
}

#[test]
fn the_example_in_the_documents_passes() {
    let rules = fs::read_to_string(root().join("docs/RULES.md")).unwrap();
    let section = &rules[rules.find("## Test your rules").unwrap()..];
    let example = section.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    let folder = folder();
    let config = own_config(folder.path());
    fs::write(config.join(CASES), example).unwrap();
    let (code, out, err) = test(&config, &[]);
    assert!(code == 0 && out.contains(": 1 case passed"), "{out}{err}");
}
