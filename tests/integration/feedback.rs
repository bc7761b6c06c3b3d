//! What is said of decisions afterwards, over HTTP.

use serde_json::{Value, json};

use crate::support::{Server, folder, forthwith, own_config, run, ticket};

const DECIDE: &str = "/v1/decide/ticket_routing";

fn decided(server: &Server, id: &str) -> Value {
    let answer = server.post(DECIDE, &ticket(id, "customer-42", "I see a payment that I did not make"));
    assert_eq!(answer.status, 200);
    answer.json()
}

fn path(decision: &Value) -> String {
    format!("/v1/decisions/{}/feedback", decision["decision_id"].as_str().unwrap())
}

#[test]
fn feedback_is_taken_once_and_shown_with_its_decision() {
    let data = folder();
    let server = Server::start(data.path());
    let decision = decided(&server, "t-1");
    let shown = |id: &Value| server.get(&format!("/v1/decisions/{}", id.as_str().unwrap())).json();
    assert_eq!(shown(&decision["decision_id"])["feedback"], json!([]));
    let edited = json!({
        "verdict": "edited", "corrected": { "queue": "billing", "priority": 2 }, "label": "card_fraud",
        "outcome": { "reopened": false, "minutes": 45, "refund": 12.5, "solved_by": "phone" },
        "source": "helpdesk", "id": "fb-1", "time": "2026-11-22T10:00:00Z"
    });
    let answer = server.post(&path(&decision), &edited);
    let expected = json!({ "decision_id": decision["decision_id"], "customer": "customer-42", "id": "fb-1",
                           "durability": "disk", "duplicate": false });
    assert_eq!((answer.status, answer.json()), (200, expected.clone()));
    let again = server.post(&path(&decision), &edited).json();
    assert_eq!((&again["duplicate"], &again["id"]), (&json!(true), &json!("fb-1")));
    let mut other = edited.clone();
    other["verdict"] = json!("rejected");
    let conflict = server.post(&path(&decision), &other);
    assert_eq!((conflict.status, &conflict.json()["type"]), (409, &json!("urn:forthwith:problem:feedback-conflict")));
    // MessagePack as well, and without an id.
    let body = rmp_serde::to_vec_named(&json!({ "outcome": { "reopened": true }, "source": "crm" })).unwrap();
    let msgpack = [("content-type", "application/msgpack"), ("accept", "application/msgpack")];
    let named: Value = rmp_serde::from_slice(&server.post_with(&path(&decision), &msgpack, &body).body).unwrap();
    assert_eq!((named["id"].as_str().unwrap().len(), &named["duplicate"]), (32, &json!(false)));

    let found = shown(&decision["decision_id"]);
    let said = found["feedback"].as_array().unwrap();
    assert_eq!((said.len(), &said[0]["id"], &said[1]["source"]), (2, &json!("fb-1"), &json!("crm")));
    for member in ["verdict", "corrected", "label", "outcome", "source", "time"] {
        assert_eq!(said[0][member], edited[member], "{member}");
    }
    assert_eq!((&said[0]["correct"], &said[1]["correct"]), (&json!(false), &Value::Null));
    assert_eq!(found["outcome"], decision["outcome"], "the decision is what it was");
    let as_msgpack =
        server.get_with(&format!("/v1/decisions/{}", found["decision_id"].as_str().unwrap()), &msgpack[1..]);
    assert_eq!(rmp_serde::from_slice::<Value>(&as_msgpack.body).unwrap(), found);
    let explain = format!("/v1/decisions/{}/explain", found["decision_id"].as_str().unwrap());
    assert_eq!(server.get(&explain).json()["feedback"], found["feedback"]);
    let duplicate = decided(&server, "t-1");
    assert_eq!((&duplicate["duplicate"], duplicate.get("feedback")), (&json!(true), None), "answers stay as they were");

    let exported = server.get("/v1/customers/customer-42/export").json();
    let records = exported["records"].as_array().unwrap().iter();
    let told: Vec<&Value> = records.map(|record| &record["feedback"]).filter(|told| told.is_object()).collect();
    assert_eq!(
        (told.len(), &told[0]["corrected"], &told[0]["decision_id"]),
        (2, &edited["corrected"], &decision["decision_id"])
    );
    let page = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(
        page.contains("forthwith_feedback_total{playbook=\"ticket_routing\",tier=\"rules\",verdict=\"edited\"} 1"),
        "{page}"
    );
}

#[test]
fn feedback_that_does_not_fit_is_a_problem_that_names_every_member() {
    let data = folder();
    let server = Server::start(data.path());
    let decision = decided(&server, "t-1");
    let shown = |path: &str, body: Value| {
        let answer = server.post(path, &body);
        let problem = answer.json();
        let faults = problem["errors"].as_array().into_iter().flatten();
        let faults: Vec<String> = faults.map(|of| format!("  {}: {}", of["pointer"], of["detail"])).collect();
        let kind = problem["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        format!("{} {kind}\n{}", answer.status, faults.join("\n"))
    };
    let path = path(&decision);
    let all = json!({ "verdict": "acepted", "corrected": { "queue": 7, "a/b": 1 }, "label": 3, "outcome": [1],
                      "source": null, "id": {}, "time": "yesterday" });
    let shown = [
        shown(&path, all),
        shown(&path, json!({})),
        shown(&path, json!({ "id": "fb-1" })),
        shown(&path, json!({ "verdict": "accepted", "settlement": "commit" })),
        shown(&path, json!({ "verdict": "accepted", "why": "so" })),
        shown("/v1/decisions/019aab01-9900-8026-8166-ce4446f3d6aa/feedback", json!({ "verdict": "accepted" })),
        shown("/v1/decisions/nonsense/feedback", json!({ "verdict": "accepted" })),
    ];
    insta::assert_snapshot!(shown.join("\n"), @r#"
    422 feedback
      "/id": "`id` is an object, expected a text"
      "/time": "`time` `yesterday` is not a date and time such as `2026-11-22T10:00:00Z` (RFC 3339, with a time zone)"
      "/verdict": "`verdict` expected `accepted`, `edited` or `rejected`, found `acepted` (did you mean `accepted`?)"
      "/label": "`label` is a whole number, expected a text"
      "/outcome": "`outcome` is a list, expected an object"
      "/corrected/a~1b": "`corrected.a/b` is not a field of the outcome of playbook `ticket_routing`"
      "/corrected/queue": "`corrected.queue` expected one of `general`, `billing`, `cards`, `payments`, `account_access`, `security`, `incident`, `developer`, `invoicing`, `compliance`, `sales`, found `7`"
    422 feedback
      "": "the feedback says nothing: give at least one of `verdict`, `corrected`, `label` and `outcome`"
    422 feedback
      "": "the feedback says nothing: give at least one of `verdict`, `corrected`, `label` and `outcome`"
    422 event
      "/settlement": "`settlement` stands by itself: send feedback in a request of its own"
    400 unreadable

    404 not-found

    400 decision-id
    "#);
}

#[test]
fn feedback_survives_a_kill_and_is_shown_beside_the_server() {
    let folder = folder();
    let config = own_config(folder.path());
    let server = Server::start_by(&config);
    let decision = decided(&server, "t-1");
    let rejected =
        json!({ "verdict": "rejected", "corrected": { "queue": "billing" }, "source": "helpdesk", "id": "fb-1" });
    assert_eq!(server.post(&path(&decision), &rejected).status, 200);
    server.signal("KILL");
    drop(server);
    let server = Server::start_by(&config);
    let again = server.post(&path(&decision), &rejected);
    assert_eq!((again.status, &again.json()["duplicate"]), (200, &json!(true)));
    let id = decision["decision_id"].as_str().unwrap();
    let data = folder.path().join("data");
    let (code, out, err) = run(forthwith().arg("--data").arg(&data).args(["explain", id]));
    assert_eq!((code, err.as_str()), (0, ""));
    let lines: Vec<&str> = out.lines().skip_while(|line| !line.starts_with("what was said")).take(2).collect();
    assert_eq!(lines[0], "what was said of it afterwards");
    assert!(
        lines[1].ends_with("): rejected; should have been queue = \"billing\"")
            && lines[1].contains(" helpdesk (fb-1, record "),
        "{out}"
    );
    // Feedback changes no decision, under another configuration neither.
    let backtest = ["backtest", "--json", "--fail-on-change"];
    let (code, out, err) = run(forthwith().args(backtest).arg("--config").arg(&config).arg("--data").arg(&data));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&report["recorded"], &report["changed"], &report["void_settlements"]),
        (&json!(1), &json!(0), &json!(0))
    );
}
