//! The HTTP doors.

use serde_json::{Value, json};

use crate::support::{Server, folder, own_config, ticket};

const JSON: (&str, &str) = ("content-type", "application/json");
const MSGPACK: (&str, &str) = ("content-type", "application/msgpack");
const DECIDE: &str = "/v1/decide/ticket_routing";

#[test]
fn decides_finds_and_explains() {
    let data = folder();
    let server = Server::start(data.path());
    let answer = server.post(DECIDE, &ticket("t-1", "customer-42", "I see a payment that I did not make"));
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
    let decision = answer.json();
    assert_eq!(decision["outcome"]["queue"], "security");
    assert_eq!(
        (&decision["durability"], &decision["duplicate"], &decision["review"]),
        (&json!("disk"), &json!(false), &Value::Null)
    );
    let mut keys: Vec<&String> = decision.as_object().unwrap().keys().collect();
    keys.sort();
    let expected = [
        "agent",
        "bundle",
        "confidence",
        "cost",
        "customer",
        "decision_id",
        "duplicate",
        "durability",
        "elapsed_us",
        "fallback",
        "model",
        "outcome",
        "playbook",
        "reasons",
        "review",
        "rule",
        "settle_by",
        "tier",
    ];
    assert_eq!(keys, expected, "the names of the answer are fixed");

    let id = decision["decision_id"].as_str().unwrap();
    let found = server.get(&format!("/v1/decisions/{id}"));
    assert_eq!(found.json()["outcome"], decision["outcome"]);
    let explanation = server.get(&format!("/v1/decisions/{id}/explain")).json();
    assert_eq!(explanation["rules"][0]["verdict"], "fired");
    assert_eq!(server.get("/v1/decisions/019aab01-9900-8026-8166-ce4446f3d6aa").status, 404);
    assert_eq!(server.get("/v1/decisions/nonsense").status, 400);
}

#[test]
fn a_repetition_is_a_duplicate_and_another_content_a_conflict() {
    let data = folder();
    let server = Server::start(data.path());
    let first = server.post(DECIDE, &ticket("t-1", "c", "hello")).json();
    let again = server.post(DECIDE, &ticket("t-1", "c", "hello")).json();
    assert_eq!((&again["decision_id"], &again["duplicate"]), (&first["decision_id"], &json!(true)));
    let conflict = server.post(DECIDE, &ticket("t-1", "c", "something else"));
    assert_eq!((conflict.status, conflict.content_type.as_str()), (409, "application/problem+json"));
}

#[test]
fn speaks_message_pack() {
    let data = folder();
    let server = Server::start(data.path());
    let body = rmp_serde::to_vec_named(&ticket("t-1", "c", "my card was declined")).unwrap();
    let answer = server.post_with(DECIDE, &[MSGPACK], &body);
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/msgpack"));
    let decision: Value = rmp_serde::from_slice(&answer.body).unwrap();
    assert_eq!(decision["outcome"]["queue"], "cards");
    let answer = server.post_with(DECIDE, &[MSGPACK, ("accept", "application/json")], &body);
    assert_eq!(
        answer.json()["decision_id"],
        decision["decision_id"],
        "the same event in another format is the same event"
    );
    let answer = server.post_with(DECIDE, &[MSGPACK], &[0xc1, 0xff]);
    assert_eq!(answer.status, 400);
}

#[test]
fn a_batch_answers_each_event_in_its_place() {
    let data = folder();
    let server = Server::start_with(data.path(), |command| {
        command.env("FORTHWITH__SERVER__BATCH_MAX", "3");
    });
    let mut faulty = ticket("t-2", "c", "x");
    faulty["data"]["channel"] = "fax".into();
    let batch = json!([ticket("t-1", "c", "card declined"), faulty, ticket("t-1", "c", "card declined")]);
    let answer = server.post(&format!("{DECIDE}/batch"), &batch).json();
    assert_eq!((&answer["decided"], &answer["failed"]), (&json!(2), &json!(1)));
    assert_eq!(answer["results"][1]["problem"]["errors"][0]["pointer"], "/data/channel");
    assert_eq!(answer["results"][2]["decision"]["duplicate"], true);
    let too_many = json!([1, 2, 3, 4].map(|n| ticket(&n.to_string(), "c", "x")));
    let refused = server.post(&format!("{DECIDE}/batch"), &too_many);
    assert_eq!(
        (refused.status, refused.json()["detail"].as_str().unwrap().to_owned()),
        (413, "a batch may have 3 events, this one has 4".to_owned())
    );
}

#[test]
fn takes_cloud_events_in_all_three_modes() {
    let data = folder();
    let server = Server::start(data.path());
    let structured = [("content-type", "application/cloudevents+json; charset=utf-8")];
    let event = ticket("t-1", "c", "my card was declined").to_string();
    let observed = server.post_with("/v1/events", &structured, event.as_bytes()).json();
    assert_eq!(observed["decisions"][0]["outcome"]["queue"], "cards");
    let again = server.post_with("/v1/events", &structured, event.as_bytes()).json();
    assert_eq!((&again["duplicate"], &again["decisions"][0]["duplicate"]), (&json!(true), &json!(true)));

    let binary = [
        JSON,
        ("ce-specversion", "1.0"),
        ("ce-id", "r-1"),
        ("ce-source", "billing"),
        ("ce-type", "refund.issued"),
        ("ce-subject", "J%C3%BCrgen"),
    ];
    let observed = server.post_with("/v1/events", &binary, b"{\"amount\": 12.5}").json();
    assert_eq!((&observed["customer"], &observed["decisions"]), (&json!("Jürgen"), &json!([])));
    let view = server.get("/v1/customers/J%C3%BCrgen").json();
    let refunded = view["signals"].as_array().unwrap().iter().find(|signal| signal["name"] == "refunded_90d").unwrap();
    assert_eq!(refunded["value"], 12.5);

    let batched = [("content-type", "application/cloudevents-batch+json")];
    let batch = json!([ticket("t-2", "c", "hello"), { "specversion": "1.0" }]).to_string();
    let answer = server.post_with("/v1/events", &batched, batch.as_bytes()).json();
    assert_eq!((&answer["observed"], &answer["failed"]), (&json!(1), &json!(1)));
}

#[test]
fn keeps_facts_and_shows_customers() {
    let data = folder();
    let server = Server::start(data.path());
    assert_eq!(server.get("/v1/customers/c-1").status, 404);
    let facts = json!({ "facts": { "plan": "enterprise", "vip": true }, "source": "crm", "observed_at": "2026-01-01T00:00:00Z" });
    let taken = server.put("/v1/customers/c-1/facts", &facts).json();
    assert_eq!((&taken["taken"], &taken["durability"]), (&json!(["plan", "vip"]), &json!("disk")));
    let older = json!({ "facts": { "plan": "free" }, "source": "import", "observed_at": "2025-01-01T00:00:00Z" });
    assert_eq!(server.put("/v1/customers/c-1/facts", &older).json()["outdated"], json!(["plan"]));
    let view = server.get("/v1/customers/c-1").json();
    assert_eq!((&view["facts"][0]["value"], &view["facts"][0]["source"]), (&json!("enterprise"), &json!("crm")));
    let refused = server.put("/v1/customers/c-1/facts", &json!({ "facts": { "paln": "pro", "vip": "yes" } }));
    assert_eq!(refused.status, 422);
    let pointers: Vec<Value> =
        refused.json()["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(pointers, ["/facts/paln", "/facts/vip"]);
}

/// Every way to get a request wrong: 4xx, the member named, nothing changed.
#[test]
fn a_bad_request_is_a_problem_that_names_the_member() {
    let data = folder();
    let server = Server::start_with(data.path(), |command| {
        command.env("FORTHWITH__SERVER__BODY_BYTES_MAX", "4KiB");
    });
    let changed = |pointer: &str, value: Value| {
        let mut event = ticket("t-1", "customer-1", "x");
        *event.pointer_mut(pointer).unwrap() = value;
        event.to_string()
    };
    let without = |member: &str| {
        let mut event = ticket("t-1", "customer-1", "x");
        event.as_object_mut().unwrap().remove(member);
        event.to_string()
    };
    let sound = ticket("t-1", "customer-1", "x").to_string();
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let mut shown = Vec::new();
    let mut refused = |path: &str, headers: &[(&str, &str)], body: &str| {
        let answer = server.post_with(path, headers, body.as_bytes());
        assert!((400..500).contains(&answer.status), "{path} {body}: {}", answer.status);
        assert_eq!(answer.content_type, "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["status"], answer.status);
        let pointers: Vec<&str> =
            problem["errors"].as_array().into_iter().flatten().map(|e| e["pointer"].as_str().unwrap()).collect();
        shown.push(format!(
            "{} {} {pointers:?} {}",
            answer.status,
            problem["type"].as_str().unwrap(),
            problem["detail"].as_str().unwrap()
        ));
    };
    refused(DECIDE, &[JSON], "{\"id\":");
    refused(DECIDE, &[JSON], "[]");
    refused(DECIDE, &[JSON], &changed("/data/body", serde_json::from_str(&deep[190..211]).unwrap()));
    refused(DECIDE, &[JSON], &format!("{{\"data\":{deep}}}"));
    refused(DECIDE, &[("content-type", "text/xml")], "<event/>");
    refused(DECIDE, &[JSON], &changed("/data/body", "x".repeat(5_000).into()));
    refused("/v1/decide/ticket_ruoting", &[JSON], &sound);
    refused("/v1/decide/ticket_ruoting/batch", &[JSON], "[]");
    refused(DECIDE, &[JSON], &changed("/subject", "".into()));
    refused(DECIDE, &[JSON], &changed("/subject", "c".repeat(257).into()));
    refused(DECIDE, &[JSON], &changed("/id", 7.into()));
    refused(DECIDE, &[JSON], &without("source"));
    refused(DECIDE, &[JSON], &changed("/type", "ticket.crated".into()));
    refused(DECIDE, &[JSON], &changed("/specversion", "0.3".into()));
    refused(
        DECIDE,
        &[JSON],
        &changed("/data", json!({ "subject": "x", "body": "y", "channel": "emial", "amount": -1 })),
    );
    refused(DECIDE, &[JSON], &changed("/data", json!("a text")));
    refused(DECIDE, &[JSON, ("x-budget-ms", "soon")], &sound);
    let mut ahead = ticket("t-1", "customer-1", "x");
    ahead["time"] = "2126-01-01T00:00:00Z".into();
    let ahead = server.post(DECIDE, &ahead);
    assert_eq!((ahead.status, &ahead.json()["errors"][0]["pointer"]), (422, &json!("/time")));
    insta::assert_snapshot!(shown.join("\n"));
    assert_eq!(server.get("/v1/customers/customer-1").status, 404, "nothing changed");
    assert_eq!(server.get("/v1/customers/%20").status, 404);
}

#[test]
fn a_token_is_asked_for_when_one_is_configured() {
    let data = folder();
    let token = "a-token-for-this-test";
    let server = Server::start_with(data.path(), |command| {
        command.env("FORTHWITH__SERVER__TOKEN", token);
    });
    assert!(server.banner.contains("authorization: Bearer $TOKEN"), "{}", server.banner);
    assert!(!server.banner.contains(token));
    let refused = server.post(DECIDE, &ticket("t-1", "c", "x"));
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(server.get("/metrics").status, 401);
    assert_eq!((server.get("/healthz").status, server.get("/readyz").status), (200, 200));
    let wrong = [("authorization", "Bearer a-token-for-this-tesT"), JSON];
    assert_eq!(server.post_with(DECIDE, &wrong, ticket("t-1", "c", "x").to_string().as_bytes()).status, 401);
    let right = format!("Bearer {token}");
    let admitted =
        server.post_with(DECIDE, &[("authorization", &right), JSON], ticket("t-1", "c", "x").to_string().as_bytes());
    assert_eq!(admitted.status, 200);
}

#[test]
fn takes_over_the_callers_trace() {
    let data = folder();
    let server = Server::start(data.path());
    let parent = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let answer = server.post_with(DECIDE, &[JSON, parent], ticket("t-1", "c", "x").to_string().as_bytes());
    let returned = answer.header("traceparent").unwrap();
    assert!(returned.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && returned != parent.1, "{returned}");
    let id = answer.json()["decision_id"].as_str().unwrap().to_owned();
    let explanation = server.get(&format!("/v1/decisions/{id}/explain")).json();
    assert_eq!(explanation["event"]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[test]
fn the_operators_surface_answers() {
    let data = folder();
    let server = Server::start(data.path());
    server.post(DECIDE, &ticket("t-1", "c", "somebody hacked our account"));
    let metrics = server.get("/metrics");
    assert!(metrics.content_type.starts_with("text/plain; version=0.0.4"));
    let page = String::from_utf8(metrics.body).unwrap();
    assert!(
        page.contains("forthwith_decisions_total{outcome=\"decided\",playbook=\"ticket_routing\",tier=\"rules\"} 1"),
        "{page}"
    );
    let description = server.get("/openapi.json").json();
    assert_eq!(description["openapi"], "3.1.0");
    assert!(description["components"]["schemas"]["Decision"]["properties"]["decision_id"].is_object());
    assert_eq!(server.get("/v1/bundle").json()["playbooks"][1]["playbook"], "ticket_routing");
    assert_eq!(server.get("/nowhere").status, 404);
    assert_eq!(server.get(DECIDE).status, 405);
}

/// The description of a decision is generated from its type; the answer has those members and no others.
#[test]
fn the_answer_is_what_the_description_says() {
    let data = folder();
    let server = Server::start(data.path());
    let decision = server.post(DECIDE, &ticket("t-1", "c", "x")).json();
    let description = server.get("/openapi.json").json();
    let schema = &description["components"]["schemas"]["Decision"];
    let described: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    let mut given: Vec<&String> = decision.as_object().unwrap().keys().collect();
    given.sort();
    let mut sorted = described.clone();
    sorted.sort();
    assert_eq!(given, sorted);
}

#[test]
fn a_changed_configuration_is_taken_over_whole_or_not_at_all() {
    let data = folder();
    let config = own_config(data.path());
    let server = Server::start_with(&data.path().join("data"), |command| {
        command.arg("--config").arg(&config);
    });
    let before = server.get("/v1/bundle").json();
    let playbook = config.join("playbooks/ticket_routing.toml");
    let text = std::fs::read_to_string(&playbook).unwrap();
    std::fs::write(&playbook, text.replace("customer.vip", "customer.vpi")).unwrap();
    let refused = server.post("/v1/bundle/reload", &Value::Null);
    assert_eq!(refused.status, 422);
    assert!(refused.json()["detail"].as_str().unwrap().contains("did you mean `customer.vip`?"));
    assert_eq!(server.get("/v1/bundle").json(), before);
    let default = "then   = { queue = \"general\", priority = 3, sla_minutes = 1440, tags = [] }";
    let changed =
        text.replacen(default, "then   = { queue = \"sales\", priority = 4, sla_minutes = 1440, tags = [] }", 1);
    assert_ne!(text, changed);
    std::fs::write(&playbook, changed).unwrap();
    assert_eq!(server.post("/v1/bundle/reload", &Value::Null).status, 200);
    let decision = server.post(DECIDE, &ticket("t-1", "c", "zzz")).json();
    assert_eq!((&decision["outcome"]["priority"], &decision["rule"]), (&json!(4), &Value::Null));
    assert_ne!(server.get("/v1/bundle").json()["bundle"], before["bundle"]);
    // SIGHUP does the same.
    std::fs::write(&playbook, text).unwrap();
    server.signal("HUP");
    let is_back = || server.get("/v1/bundle").json()["bundle"] == before["bundle"];
    assert!((0..200).any(|_| is_back() || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        false
    }));
}
