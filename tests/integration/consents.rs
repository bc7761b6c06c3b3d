//! Purposes and consents as a server's users have them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Server, folder, forthwith, run, written_config};

const CONTEXT: &str = r#"
[purposes]
service   = { needs_consent = false }
marketing = { needs_consent = true }

[events."cart.left"]
worth  = "int"
health = { type = "string", optional = true, purposes = ["service"] }

[facts]
taste   = { type = "string", purposes = ["marketing"] }
illness = { type = "string", purposes = ["service"] }
"#;

const OFFERS: &str = r#"
playbook = "offers"
purpose  = "marketing"
on       = ["cart.left"]

[outcome]
action = ["nothing", "offer_discount"]

[[rules]]
id   = "ill"
when = 'customer.illness != "none" || event.health != "none"'
then = { action = "offer_discount" }

[[rules]]
id   = "discount"
when = 'event.worth > 10 && customer.taste != "tea"'
then = { action = "offer_discount" }

[default]
then = { action = "nothing" }
"#;

const SERVICE: &str = r#"
playbook = "service"
purpose  = "service"
on       = ["cart.left"]

[outcome]
action = ["nothing", "offer_discount"]

[guardrail]
consent = { offer_discount = "marketing" }

[[rules]]
id   = "discount"
when = 'event.worth > 10'
then = { action = "offer_discount" }

[default]
then = { action = "nothing" }
"#;

fn config(folder: &Path) -> PathBuf {
    written_config(folder, CONTEXT, &[("offers", OFFERS), ("service", SERVICE)])
}

fn serve(folder: &Path) -> Server {
    Server::start_by(&config(folder))
}

fn cart(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "shop", "type": "cart.left", "subject": "ann",
        "data": { "worth": 50, "health": "measles", "colour": "red" }
    })
}

fn say(server: &Server, is_given: bool) -> Value {
    let said =
        server.put("/v1/customers/ann/consents", &json!({ "consents": { "marketing": is_given }, "source": "form" }));
    assert_eq!(said.status, 200);
    said.json()
}

fn decide(server: &Server, playbook: &str, id: &str) -> Value {
    let answer = server.post(&format!("/v1/decide/{playbook}"), &cart(id));
    assert_eq!(answer.status, 200);
    answer.json()
}

fn explain(server: &Server, decision: &Value, query: &str) -> Value {
    let id = decision["decision_id"].as_str().unwrap();
    server.get(&format!("/v1/decisions/{id}/explain{query}")).json()
}

#[test]
fn a_discount_comes_with_consent_and_goes_with_it_at_once() {
    let data = folder();
    let server = serve(data.path());
    server.put("/v1/customers/ann/facts", &json!({ "facts": { "taste": "coffee", "illness": "measles" } }));

    let before = decide(&server, "offers", "1");
    assert_eq!((&before["outcome"]["action"], &before["fallback"]), (&json!("nothing"), &json!("consent_missing")));
    assert_eq!(before["reasons"][0]["code"], "consent_missing");
    assert!(before["reasons"][0]["detail"].as_str().unwrap().contains("has not consented to `marketing`"));

    let said = say(&server, true);
    assert_eq!(
        (&said["taken"], &said["outdated"], &said["durability"]),
        (&json!(["marketing"]), &json!([]), &json!("disk"))
    );
    let granted = decide(&server, "offers", "2");
    assert_eq!((&granted["outcome"]["action"], &granted["rule"]), (&json!("offer_discount"), &json!("discount")));

    say(&server, false);
    let after = decide(&server, "offers", "3");
    assert_eq!((&after["outcome"]["action"], &after["fallback"]), (&json!("nothing"), &json!("consent_missing")));
    let again = decide(&server, "offers", "2");
    assert_eq!(
        (&again["decision_id"], &again["duplicate"]),
        (&granted["decision_id"], &json!(true)),
        "what was decided stays"
    );
}

#[test]
fn an_action_that_needs_consent_is_refused_without_it_and_says_so() {
    let data = folder();
    let server = serve(data.path());
    let refused = decide(&server, "service", "1");
    assert_eq!((&refused["outcome"]["action"], &refused["rule"]), (&json!("nothing"), &json!("discount")));
    assert_eq!(
        (&refused["fallback"], &refused["reasons"][0]["detail"]),
        (
            &json!("consent_missing"),
            &json!("the guardrail refused action = \"offer_discount\" needs consent to `marketing`")
        )
    );
    say(&server, true);
    assert_eq!(decide(&server, "service", "2")["outcome"]["action"], "offer_discount");
}

/// Nothing of a value that is withheld stands in what a reader gets, neither over HTTP nor on the command line.
#[test]
fn explanations_show_what_is_withheld_as_withheld() {
    let data = folder();
    let server = serve(data.path());
    server.put("/v1/customers/ann/facts", &json!({ "facts": { "taste": "coffee", "illness": "measles" } }));
    let closed = decide(&server, "offers", "1");
    say(&server, true);
    let open = decide(&server, "offers", "2");

    let explained = explain(&server, &closed, "?why_not=discount");
    let withheld = "withheld: the decision's purpose may not see it";
    let data_of = |explained: &Value| explained["event"]["data"].as_array().unwrap().clone();
    assert_eq!(
        data_of(&explained),
        [
            json!({ "name": "worth", "value": null, "unavailable": withheld }),
            json!({ "name": "health", "value": null, "unavailable": withheld })
        ]
    );
    assert!(explained["context"].as_array().unwrap().iter().all(|value| value["unavailable"] == withheld));
    let rules = explained["rules"].as_array().unwrap();
    assert!(rules.iter().all(|rule| rule["verdict"] == "not_asked" && rule["asked"] == false));
    let shown = explained.to_string();
    assert!(!["measles", "coffee", "colour", "red\""].iter().any(|value| shown.contains(value)), "{shown}");
    let why_not = &explained["why_not"];
    assert!(why_not["note"].as_str().unwrap().starts_with("the rules were not asked: the customer has not consented"));
    assert_eq!((&why_not["changes"], &why_not["failing"]), (&json!([]), &json!([])));

    let explained = explain(&server, &open, "?why_not=ill");
    assert_eq!(data_of(&explained)[1], json!({ "name": "health", "value": null, "unavailable": withheld }));
    assert_eq!(data_of(&explained)[0]["value"], 50);
    assert!(!explained.to_string().contains("measles"), "{explained}");
    let seen: Vec<&str> =
        explained["context"].as_array().unwrap().iter().map(|value| value["name"].as_str().unwrap()).collect();
    assert_eq!(seen, ["customer.taste"], "the illness was not even looked at");

    for (decision, expected) in [(&closed, "no rule was asked"), (&open, "health: withheld")] {
        let id = decision["decision_id"].as_str().unwrap();
        let (code, text, error) =
            run(forthwith().args(["explain", id, "--all", "--data"]).arg(data.path().join("data")));
        assert_eq!(code, 0, "{error}");
        assert!(text.contains(expected) && !text.contains("measles"), "{text}");
    }
}

#[test]
fn consents_survive_a_restart_and_are_shown_with_their_source() {
    let data = folder();
    let server = serve(data.path());
    say(&server, true);
    assert_eq!(server.stop().0, 0);
    let server = serve(data.path());
    assert_eq!(decide(&server, "offers", "1")["outcome"]["action"], "nothing", "the taste is not known");
    server.put("/v1/customers/ann/facts", &json!({ "facts": { "taste": "coffee" } }));
    assert_eq!(decide(&server, "offers", "2")["outcome"]["action"], "offer_discount");
    let view = server.get("/v1/customers/ann").json();
    let consent = &view["consents"][0];
    assert_eq!(
        (&consent["purpose"], &consent["given"], &consent["source"]),
        (&json!("marketing"), &json!(true), &json!("form"))
    );
    server.signal("KILL");
    drop(server);
    let server = serve(data.path());
    assert_eq!(decide(&server, "offers", "3")["outcome"]["action"], "offer_discount");
}

#[test]
fn a_word_that_is_wrong_or_late_is_told_so() {
    let data = folder();
    let server = serve(data.path());
    let put = |body: Value| server.put("/v1/customers/ann/consents", &body);
    let at =
        |time: &str, is_given: bool| put(json!({ "consents": { "marketing": is_given }, "observed_at": time })).json();
    assert_eq!(at("2026-01-02T00:00:00Z", false)["taken"], json!(["marketing"]));
    assert_eq!(at("2026-01-01T00:00:00Z", true)["outdated"], json!(["marketing"]));
    assert_eq!(
        at("2026-01-02T00:00:00Z", true)["outdated"],
        json!(["marketing"]),
        "of two at once the withdrawal counts"
    );

    let refused = put(json!({ "consents": { "service": true, "marketng": true } }));
    assert_eq!(refused.status, 422);
    let problem = refused.json();
    assert_eq!(problem["type"], "urn:forthwith:problem:consents");
    let told: Vec<String> = problem["errors"].as_array().unwrap().iter().map(ToString::to_string).collect();
    assert!(told[1].contains("/consents/service") && told[1].contains("needs no consent"), "{told:?}");
    assert!(told[0].contains("did you mean `marketing`?"), "{told:?}");
    let refused = put(json!({ "consents": { "marketing": "yes" } }));
    assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!("/consents/marketing")));
    assert_eq!(put(json!({ "consents": { "marketing": true }, "observed_at": "2990-01-01T00:00:00Z" })).status, 422);
    assert_eq!(put(json!({ "consent": { "marketing": true } })).status, 400);
}

#[test]
fn consents_come_as_message_pack_too() {
    let data = folder();
    let server = serve(data.path());
    let body = rmp_serde::to_vec_named(&json!({ "consents": { "marketing": true } })).unwrap();
    let agent = ureq::Agent::new_with_defaults();
    let request = agent.put(server.url("/v1/customers/ann/consents")).header("content-type", "application/msgpack");
    let answer = request.send(&body[..]).unwrap().into_body().read_to_vec().unwrap();
    let taken: Value = rmp_serde::from_slice(&answer).unwrap();
    assert_eq!(taken["taken"], json!(["marketing"]));
}

#[test]
fn a_file_of_facts_may_hold_consents() {
    let data = folder();
    let config = config(data.path());
    let write = |name: &str, lines: &[Value]| {
        let path = data.path().join(name);
        fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        path
    };
    let events: Vec<Value> = ["ann", "ben"]
        .iter()
        .map(|name| {
            let mut event = cart(name);
            event["subject"] = json!(name);
            event
        })
        .collect();
    let events = write("events.jsonl", &events);
    let facts = write(
        "facts.jsonl",
        &[
            json!({ "customer": "ann", "facts": { "taste": "coffee" }, "consents": { "marketing": true } }),
            json!({ "customer": "ben", "facts": { "taste": "coffee" }, "consents": { "marketing": false } }),
        ],
    );
    let decided = |facts: &Path| {
        let mut command = forthwith();
        command
            .args(["decide", "offers", "--config"])
            .arg(&config)
            .arg("--input")
            .arg(&events)
            .arg("--facts")
            .arg(facts);
        run(&mut command)
    };
    let (code, text, error) = decided(&facts);
    assert_eq!(code, 0, "{error}");
    let actions: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["outcome"]["action"].clone()).collect();
    assert_eq!(actions, ["offer_discount", "nothing"]);
    let wrong = write("wrong.jsonl", &[json!({ "customer": "ann", "consents": { "service": true } })]);
    let (code, _, error) = decided(&wrong);
    assert!(code != 0 && error.contains("purpose `service` needs no consent"), "{error}");
}

#[test]
fn golden_cases_say_what_the_customer_consents_to() {
    let data = folder();
    let config = config(data.path());
    let cases = r#"
[defaults]
event    = { worth = 50 }
facts    = { taste = "coffee", illness = "flu" }
consents = { marketing = true }

[[cases]]
name   = "with consent"
expect = { rule = "discount" }

[[cases]]
name     = "without"
consents = { marketing = false }
expect   = { rule = "default", fallback = "consent_missing" }

[[cases]]
name     = "without, and not announced"
consents = { marketing = false }
expect   = { rule = "discount" }
"#;
    fs::write(config.join("playbooks/offers.cases.toml"), cases).unwrap();
    let (code, text, error) = run(forthwith().args(["test", "offers", "--config"]).arg(&config));
    assert_eq!(code, 2, "{text}{error}");
    let failed = text.split("FAILED").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(failed.contains("without, and not announced") && !text.contains("FAILED without ("), "{text}");
    for line in ["fallback  - none", "          + consent_missing", "was not asked, as no rule was"] {
        assert!(failed.contains(line), "{line:?} in {text}");
    }
    assert!(!failed.contains("coffee") && !failed.contains("50"), "what is withheld is not shown: {failed}");
}
