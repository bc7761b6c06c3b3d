//! Findings of `check`, and why a rule did not decide.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Server, folder, forthwith, run, ticket};

const CONTEXT: &str = r#"
[events."order.placed"]
total   = { type = "decimal", min = 0 }
country = { type = "string", immutable = true }
coupon  = { type = "string", optional = true }
"#;

const PLAYBOOK: &str = r#"
playbook = "shipping"
on = ["order.placed"]
outcome = { free = "bool" }
default = { then = { free = false } }

[[rules]]
id = "large"
when = "event.total >= 50"
then = { free = true }

[[rules]]
id = "larger"
when = "event.total >= 100 && event.country != 'AQ'"
then = { free = true }

[[rules]]
id = "negative"
when = "event.total < 0"
then = { free = false }
"#;

fn config(folder: &Path) {
    fs::create_dir_all(folder.join("playbooks")).unwrap();
    fs::write(folder.join("context.toml"), CONTEXT).unwrap();
    fs::write(folder.join("playbooks/shipping.toml"), PLAYBOOK).unwrap();
}

#[test]
fn check_says_what_rules_can_never_do_and_fails_for_what_is_denied() {
    let folder = folder();
    config(folder.path());
    let check = |args: &[&str]| run(forthwith().arg("check").args(args).arg("--config").arg(folder.path()));
    let (code, out, err) = check(&[]);
    let place = folder.path().display().to_string();
    insta::assert_snapshot!(format!("{code}\n{}{err}", out.replace(&place, "…")));

    let without_error = PLAYBOOK.replace("event.total < 0", "event.country == 'AQ'");
    fs::write(folder.path().join("playbooks/shipping.toml"), without_error).unwrap();
    assert_eq!(check(&[]).0, 0);
    for (denied, code) in [("error", 0), ("warning", 1), ("note", 1), ("shadowed", 1), ("gap", 1), ("conflict", 0)] {
        assert_eq!(check(&["--deny", denied]).0, code, "{denied}");
    }
    assert_eq!(check(&["--deny", "warning", "--no-analysis"]).0, 0);
    let (code, _, err) = check(&["--deny", "shadow"]);
    assert!(code == 64 && err.contains("did you mean `shadowed`?"), "{err}");
    let (_, out, _) = check(&["--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    let finding = &report["findings"][0];
    assert_eq!((&finding["kind"], &finding["severity"]), (&"shadowed".into(), &"warning".into()));
    assert_eq!((&finding["rules"][1], &finding["line"]), (&"large".into(), &12.into()));
    assert_eq!(finding["witness"]["values"]["event.total"], 100);
    assert!(finding["witness"]["values"]["event.country"].is_string(), "{finding}");
}

#[test]
fn faults_are_json_for_programs() {
    let folder = folder();
    config(folder.path());
    fs::write(folder.path().join("playbooks/shipping.toml"), PLAYBOOK.replace("event.total < 0", "event.totl < 0"))
        .unwrap();
    for command in ["check", "test"] {
        let (code, out, err) = run(forthwith().args([command, "--json", "--config"]).arg(folder.path()));
        let report: Value = serde_json::from_str(&out).unwrap();
        let fault = &report["faults"][0];
        assert_eq!((code, err.as_str(), report["faults"].as_array().unwrap().len()), (1, "", 1));
        assert!(fault["place"].as_str().unwrap().starts_with("playbooks/shipping.toml:"), "{fault}");
        assert_eq!(fault["key"], "rules[2].when");
        assert!(fault["message"].as_str().unwrap().contains("event.total"), "{fault}");
    }
}

#[test]
fn explain_says_why_a_rule_did_not_decide_and_what_would_have_made_it() {
    let (configuration, data) = (folder(), folder());
    config(configuration.path());
    let input = configuration.path().join("orders.jsonl");
    let order = |id: &str, total: u32, country: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"shop","type":"order.placed","subject":"c","time":"2026-01-01T00:00:00Z","data":{{"total":{total},"country":"{country}"}}}}"#
        )
    };
    fs::write(&input, [order("1", 20, "DE"), order("2", 20, "AQ")].join("\n")).unwrap();
    let mut decide = forthwith();
    decide.args(["decide", "shipping", "--quiet", "--config"]).arg(configuration.path()).arg("--data").arg(data.path());
    let (code, out, err) = run(decide.arg("--input").arg(&input));
    assert_eq!(code, 0, "{err}");
    let ids: Vec<String> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["decision_id"].as_str().unwrap().to_owned())
        .collect();
    let why_not = |id: &str, rule: &str, more: &[&str]| {
        run(forthwith().args(["explain", id, "--why-not", rule]).args(more).arg("--data").arg(data.path()))
    };
    let shown =
        [why_not(&ids[0], "large", &[]).1, why_not(&ids[0], "larger", &[]).1, why_not(&ids[1], "larger", &[]).1];
    insta::assert_snapshot!(shown.join("\n").replace(&ids[0], "ID").replace(&ids[1], "ID"));
    let (code, _, err) = why_not(&ids[0], "lagre", &[]);
    assert!(code == 3 && err.contains("playbook `shipping` has no rule `lagre` (did you mean `large`?)"), "{err}");
    let explained: Value = serde_json::from_str(&why_not(&ids[0], "large", &["--json"]).1).unwrap();
    let change = &explained["why_not"]["changes"][0];
    assert_eq!((&change["from"]["name"], &change["from"]["value"]), (&"event.total".into(), &20.into()));
    assert_eq!((&change["to"], &explained["why_not"]["is_minimal"]), (&50.into(), &true.into()));
}

#[test]
fn the_server_says_why_a_rule_did_not_decide() {
    let data = folder();
    let server = Server::start(data.path());
    let decision = server.post("/v1/decide/ticket_routing", &ticket("t-1", "c", "my card was declined")).json();
    let explain = format!("/v1/decisions/{}/explain", decision["decision_id"].as_str().unwrap());
    let why_not = &server.get(&format!("{explain}?why_not=cards-any")).json()["why_not"];
    assert_eq!(why_not["decided_by"], "cards-declined");
    assert_eq!(why_not["rule"]["rule"], "cards-any");
    assert!(!why_not["changes"].as_array().unwrap().is_empty(), "{why_not}");
    assert!(server.get(&explain).json().get("why_not").is_none());
    let unknown = server.get(&format!("{explain}?why_not=cards-ayn"));
    assert_eq!((unknown.status, &unknown.json()["type"]), (404, &"urn:forthwith:problem:unknown-rule".into()));
    assert_eq!(server.get(&format!("{explain}?why=x")).status, 400);
}
