//! Looking at customers and caps, and giving out what is held about a person, over HTTP.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Server, folder, written_config};

const CONTEXT: &str = r#"
[purposes]
service   = { needs_consent = false }
marketing = { needs_consent = true }

[events."cart.left"]
worth = "int"

[facts]
taste   = { type = "string", purposes = ["marketing"] }
illness = { type = "string", purposes = ["service"], retain = "30d", regulation = "gdpr" }
"#;

const OFFERS: &str = r#"
playbook = "offers"
purpose  = "marketing"
on       = ["cart.left"]

[outcome]
action = ["nothing", "discount"]

[[rules]]
id   = "discount"
when = 'event.worth > 10 && customer.taste != "tea"'
then = { action = "discount" }

[[caps]]
id     = "campaign"
action = "discount"
max    = 100
scope  = "global"

[default]
then = { action = "nothing" }
"#;

fn serve(folder: &Path) -> Server {
    Server::start_by(&written_config(folder, CONTEXT, &[("offers", OFFERS)]))
}

fn decide(server: &Server, id: &str, customer: &str) -> Value {
    let cart = json!({ "specversion": "1.0", "id": id, "source": "shop", "type": "cart.left", "subject": customer,
                       "data": { "worth": 50, "colour": "red" } });
    let answer = server.post("/v1/decide/offers", &cart);
    assert_eq!(answer.status, 200);
    answer.json()
}

/// Ann is told of, consents and gets a discount; bob gets nothing.
fn story(server: &Server) -> Value {
    let facts = json!({ "facts": { "taste": "coffee", "illness": "flu" }, "source": "crm" });
    assert_eq!(server.put("/v1/customers/ann/facts", &facts).status, 200);
    let consents = json!({ "consents": { "marketing": true }, "source": "form" });
    assert_eq!(server.put("/v1/customers/ann/consents", &consents).status, 200);
    let decision = decide(server, "1", "ann");
    assert_eq!(decision["outcome"]["action"], "discount");
    assert_eq!(decide(server, "2", "bob")["fallback"], "consent_missing");
    decision
}

fn fact<'v>(view: &'v Value, name: &str) -> &'v Value {
    view["facts"].as_array().unwrap().iter().find(|fact| fact["name"] == name).unwrap()
}

#[test]
fn a_customer_is_seen_whole_or_as_a_purpose_sees_it() {
    let data = folder();
    let server = serve(data.path());
    story(&server);
    let whole = server.get("/v1/customers/ann").json();
    let illness = fact(&whole, "illness");
    assert_eq!((&illness["value"], &illness["tags"]["regulation"]), (&json!("flu"), &json!("gdpr")));
    assert_eq!(illness["tags"]["purposes"], json!(["service"]));
    assert!(illness["retain_until"].is_string());

    let seen = server.get("/v1/customers/ann?purpose=marketing").json();
    assert_eq!(seen["purpose"], json!({ "purpose": "marketing", "open": true }));
    let withheld = json!("withheld: the decision's purpose may not see it");
    assert_eq!((&fact(&seen, "illness")["unavailable"], &fact(&seen, "taste")["value"]), (&withheld, &json!("coffee")));
    server.put("/v1/customers/ann/consents", &json!({ "consents": { "marketing": false } }));
    let closed = server.get("/v1/customers/ann?purpose=marketing").json();
    assert_eq!((&fact(&closed, "taste")["unavailable"], &closed["purpose"]["open"]), (&withheld, &json!(false)));

    let unknown = server.get("/v1/customers/ann?purpose=marketng");
    assert_eq!((unknown.status, &unknown.json()["type"]), (404, &json!("urn:forthwith:problem:unknown-purpose")));
    assert_eq!(server.get("/v1/customers/ann?purpos=marketing").status, 400);
    assert_eq!(server.get("/v1/customers/eve?purpose=marketing").status, 404);
}

#[test]
fn a_person_gets_everything_that_is_held_also_after_a_restart() {
    let data = folder();
    let server = serve(data.path());
    let decision = story(&server);
    assert_eq!(server.get("/v1/customers/eve/export").status, 404);
    let bad = server.get("/v1/customers/ann/export?from=soon");
    assert_eq!((bad.status, &bad.json()["type"]), (400, &json!("urn:forthwith:problem:unreadable")));
    assert_eq!(server.stop().0, 0);

    let server = serve(data.path());
    let answer = server.get("/v1/customers/ann/export");
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
    let export = answer.json();
    assert_eq!(
        (&export["format"], &export["customer"], &export["next"]),
        (&json!("forthwith-export-1"), &json!("ann"), &Value::Null)
    );
    assert_eq!(fact(&export["state"], "illness")["value"], "flu", "whatever its tags say");
    let records = export["records"].as_array().unwrap();
    assert_eq!(records.len(), 3, "bob's are not in it: {export}");
    assert_eq!(records[0]["facts"]["facts"], json!({ "illness": "flu", "taste": "coffee" }));
    assert_eq!(records[1]["consents"]["consents"], json!({ "marketing": true }));
    assert_eq!(records[2]["event"]["data"], json!({ "colour": "red", "worth": 50 }), "declared or not");
    let decided = &records[2]["decisions"][0];
    assert_eq!(
        (&decided["decision_id"], &decided["outcome"]["action"], &decided["reasons"]),
        (&decision["decision_id"], &json!("discount"), &decision["reasons"])
    );

    let from = records[2]["record"].as_u64().unwrap();
    let rest = server.get(&format!("/v1/customers/ann/export?from={from}")).json();
    assert_eq!((&rest["state"], &rest["records"]), (&Value::Null, &json!([records[2]])));
}

#[test]
fn the_standing_of_a_global_cap_is_shown_and_measured() {
    let data = folder();
    let server = serve(data.path());
    story(&server);
    let caps = server.get("/v1/caps").json();
    let campaign = &caps["caps"][0];
    assert_eq!(
        (&campaign["cap"], &campaign["playbooks"], &campaign["max"], &campaign["taken"], &campaign["left"]),
        (&json!("campaign"), &json!(["offers"]), &json!(100), &json!(1), &json!(99))
    );
    let page = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(page.contains("forthwith_cap_taken{cap=\"campaign\"} 1\n"), "{page}");
    assert!(page.contains("forthwith_cap_max{cap=\"campaign\"} 100\n"), "{page}");
}
