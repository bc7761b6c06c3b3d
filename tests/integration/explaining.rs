//! Explanations where more than one rule has a part in what was decided.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{folder, forthwith, run};

const CONTEXT: &str = r#"
[events."order.placed"]
total  = { type = "int", min = 0 }
body   = { type = "string", optional = true, max_length = 60_000 }
labels = { list_of = "string", optional = true }
[facts]
plan = ["free", "pro"]
"#;

const UNIQUE: &str = r#"
playbook = "alone"
on = ["order.placed"]
outcome = { free = "bool" }
default = { then = { free = false } }
hit_policy = "unique"

[[rules]]
id = "large"
when = "event.total >= 50"
then = { free = true }

[[rules]]
id = "larger"
when = "event.total >= 100"
then = { free = true }

[[rules]]
id = "off"
enabled = false
when = "customer.plan == 'pro' && event.total > 10000"
then = { free = false }
"#;

const COLLECT: &str = r#"
playbook = "fees"
on = ["order.placed"]
outcome = { fee = { type = "int", min = 0, max = 12 } }
default = { then = { fee = 0 } }
hit_policy = "collect"
aggregation = "sum"

[[rules]]
id = "any"
when = "event.total > 0"
then = { fee = 2 }

[[rules]]
id = "small"
when = "event.total < 10"
then = { fee = 3 }

[[rules]]
id = "not-known"
when = "customer.plan == 'free'"
then = { fee = 5 }
if_unavailable = "apply"

[[rules]]
id = "huge"
when = "event.total > 1000"
then = { fee = 10 }

[[rules]]
id = "pro"
when = "customer.plan == 'pro' && event.total > 500"
then = { fee = 1 }

[[tables]]
file = "tables/late.csv"
"#;

fn costly() -> String {
    let head = "playbook = 'costly'\non = ['order.placed']\noutcome = { free = 'bool' }\ndefault = { then = { free = false } }\n";
    let rule = |n: usize| {
        let applies = if n == 59 { "if_unavailable = 'apply'\n" } else { "" };
        format!(
            "[[rules]]\nid = 'r{n}'\nwhen = \"event.labels.exists(l, event.body.contains(l + '<{n}>'))\"\nthen = {{ free = true }}\n{applies}"
        )
    };
    head.to_owned() + &(0..60).map(rule).collect::<String>()
}

fn config(folder: &Path) {
    fs::create_dir_all(folder.join("playbooks")).unwrap();
    fs::create_dir_all(folder.join("tables")).unwrap();
    fs::write(folder.join("context.toml"), CONTEXT).unwrap();
    fs::write(folder.join("playbooks/alone.toml"), UNIQUE).unwrap();
    fs::write(folder.join("playbooks/fees.toml"), COLLECT).unwrap();
    fs::write(folder.join("playbooks/costly.toml"), costly()).unwrap();
    fs::write(folder.join("tables/late.csv"), "id,in:event.total,out:fee\nlate,> 5,4\n").unwrap();
}

/// A configuration, and decisions made on it that are explained.
struct Story {
    config: tempfile::TempDir,
    data: tempfile::TempDir,
}

impl Story {
    fn new() -> Self {
        let (config, data) = (folder(), folder());
        self::config(config.path());
        Self { config, data }
    }

    /// What is shown of the decision on an event, its id and folder left out.
    fn explained(&self, playbook: &str, data: &Value, args: &[&str]) -> String {
        let event = json!({"specversion": "1.0", "id": "1", "source": "shop", "type": "order.placed", "subject": "c",
            "time": "2026-01-01T00:00:00Z", "data": data});
        let input = self.config.path().join("orders.jsonl");
        fs::write(&input, event.to_string()).unwrap();
        let mut decide = forthwith();
        decide.args(["decide", playbook, "--quiet", "--config"]).arg(self.config.path());
        let data = self.data.path().join(format!("{playbook}-{data}").chars().take(60).collect::<String>());
        let (code, out, err) = run(decide.arg("--data").arg(&data).arg("--input").arg(&input));
        assert_eq!(code, 0, "{err}");
        let decision: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
        let id = decision["decision_id"].as_str().unwrap();
        let (_, out, err) = run(forthwith().args(["explain", id]).args(args).arg("--data").arg(&data));
        format!("{out}{err}").replace(id, "ID").replace(decision["bundle"].as_str().unwrap(), "BUNDLE")
    }
}

#[test]
fn a_violated_hit_policy_is_why_the_default_decided() {
    let story = Story::new();
    let order = json!({"total": 100});
    let shown = [&[][..], &["--why-not", "larger"], &["--why-not", "off"], &["--why-not", "default"]];
    let shown = shown.map(|args| story.explained("alone", &order, args));
    insta::assert_snapshot!(shown.join("\n"));
    let json: Value = serde_json::from_str(&story.explained("alone", &order, &["--json"])).unwrap();
    assert_eq!(json["rules"][1]["verdict"], "conflicted");
}

#[test]
fn every_rule_that_had_its_say_is_shown_as_one() {
    let story = Story::new();
    let order = json!({"total": 7});
    let shown = [&["--all"][..], &["--why-not", "small"], &["--why-not", "pro"]];
    let shown = shown.map(|args| story.explained("fees", &order, args));
    insta::assert_snapshot!(shown.join("\n"));
    let json: Value = serde_json::from_str(&story.explained("fees", &order, &["--json"])).unwrap();
    let verdicts: Vec<&Value> = json["rules"].as_array().unwrap().iter().map(|rule| &rule["verdict"]).collect();
    assert_eq!(verdicts, ["fired", "contributed", "contributed", "did_not_match", "did_not_match", "also_matches"]);
    assert_eq!((&json["rules"][4]["asked"], &json["rules"][5]["asked"]), (&true.into(), &false.into()));
}

#[test]
fn what_the_guardrail_refused_had_its_say_and_did_not_decide() {
    let story = Story::new();
    let order = json!({"total": 2000});
    let shown = [&[][..], &["--why-not", "huge"]].map(|args| story.explained("fees", &order, args));
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_rule_that_ran_out_of_steps_does_not_contradict_its_decision() {
    let story = Story::new();
    let mut labels: Vec<String> = (0..63).map(|n| format!("label {n}")).collect();
    labels.push("zz".to_owned());
    let order = json!({"total": 1, "body": format!("{}zz<58>", "la ".repeat(18_000)), "labels": labels});
    let shown = story.explained("costly", &order, &[]);
    let about =
        |line: &&str| ["r58 ", "r59 ", "note: ", "rules ", "the rule"].iter().any(|word| line.trim().starts_with(word));
    let shown: Vec<&str> = shown.lines().filter(about).collect();
    insta::assert_snapshot!(shown.join("\n"));
}
