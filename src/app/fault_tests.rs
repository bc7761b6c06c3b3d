//! The doors of an engine whose disk fails, dawdles or is full.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{App, test};
use serde_json::{Value, json};

use super::Doors;
use crate::bundle::Bundle;
use crate::bundle::tests::{PLAYBOOK, sources};
use crate::config::ServerSettings;
use crate::engine::{Config, Engine};
use crate::journal::{FaultyDisk, Operation};

/// An engine on a disk, with a playbook that waits for it, and one that does not if `is_steady`; and its doors.
fn doors(disk: &Arc<FaultyDisk>, is_steady: bool) -> (Engine, Doors) {
    let mut sources = sources();
    if is_steady {
        let steady = "ack = \"memory\"\nwhen_disk_full = \"answer\"";
        let playbook = PLAYBOOK.replace("\"routing\"", "\"steady\"").replace("ack      = \"disk\"", steady);
        sources.insert("playbooks/steady.toml", playbook);
    }
    let mut config = Config::new(Bundle::compile(sources).unwrap());
    (config.journal.segment_bytes, config.journal.queue_bytes) = (256 << 10, 16 << 10);
    let engine = Engine::start_on(disk, config).unwrap();
    let listen = ([127, 0, 0, 1], 0).into();
    let settings = ServerSettings { listen, workers: 1, batch_max: 10, ..ServerSettings::default() };
    (engine.clone(), Doors::new(engine, &settings))
}

fn ticket(id: usize) -> Value {
    json!({"specversion": "1.0", "id": format!("t-{id}"), "source": "helpdesk", "type": "ticket.created",
           "subject": format!("c-{id}"), "data": {"subject": "s", "body": "x".repeat(1_000), "channel": "chat"}})
}

/// Calls a door; gives the status, the body, and when to come again.
macro_rules! call {
    ($app:expr, $method:expr, $path:expr, $body:expr) => {{
        let request = test::TestRequest::default().method($method).uri($path);
        let body: Option<Value> = $body;
        let request = body.iter().fold(request, |request, body| request.set_json(body));
        let response = test::call_service(&$app, request.to_request()).await;
        let status = response.status().as_u16();
        let again = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        let body = test::read_body(response).await;
        (status, serde_json::from_slice::<Value>(&body).unwrap_or_default(), again)
    }};
}

const ROUTING: &str = "/v1/decide/routing";
const STEADY: &str = "/v1/decide/steady";

fn problem(word: &str) -> Value {
    json!(format!("urn:forthwith:problem:{word}"))
}

#[test]
fn a_failed_sync_is_told_to_whoever_asks() {
    actix_web::rt::System::new().block_on(async {
        let disk = Arc::new(FaultyDisk::default());
        let (engine, doors) = doors(&disk, true);
        let app = test::init_service(App::new().configure(|app| doors.configure(app))).await;
        let (_, before, _) = call!(app, Method::POST, ROUTING, Some(ticket(1)));
        disk.fail(Operation::Sync, 0, ErrorKind::Other);
        while engine.stopped_because().is_none() {
            // Late or refused: it may be asked again, and says so.
            let (status, body, _) = call!(app, Method::POST, ROUTING, Some(ticket(2)));
            assert!(status == 503 || body["durability"] == "pending", "{status}: {body}");
        }
        for path in [ROUTING, STEADY, "/v1/events"] {
            let (status, body, again) = call!(app, Method::POST, path, Some(ticket(3)));
            assert_eq!((status, &body["type"], again.as_deref()), (503, &problem("journal"), Some("1")), "{path}");
            assert!(body["detail"].as_str().unwrap().contains("cannot sync"), "{body}");
        }
        let facts = json!({"facts": {"vip": true}});
        let (status, body, _) = call!(app, Method::PUT, "/v1/customers/c-1/facts", Some(facts));
        assert_eq!((status, &body["type"]), (503, &problem("journal")));
        let (status, body, _) = call!(app, Method::GET, "/readyz", None);
        assert_eq!((status, &body["status"]), (503, &json!("journal_stopped")));
        assert!(body["reason"].as_str().unwrap().starts_with("cannot sync"), "{body}");
        assert_eq!(call!(app, Method::GET, "/healthz", None).0, 200, "the process lives, and can be looked at");
        let id = before["decision_id"].as_str().unwrap();
        assert_eq!(call!(app, Method::GET, &format!("/v1/decisions/{id}"), None).0, 200);
    });
}

#[test]
fn a_full_disk_is_told_at_once_and_readiness_says_who_is_still_answered() {
    actix_web::rt::System::new().block_on(async {
        for is_steady in [false, true] {
            let disk = Arc::new(FaultyDisk::default());
            let (engine, doors) = doors(&disk, is_steady);
            let app = test::init_service(App::new().configure(|app| doors.configure(app))).await;
            disk.fill_to_the_brim();
            call!(app, Method::POST, ROUTING, Some(ticket(1)));
            while !engine.is_disk_full() {
                actix_web::rt::time::sleep(Duration::from_millis(1)).await;
            }
            let (status, body, again) = call!(app, Method::POST, ROUTING, Some(ticket(2)));
            assert_eq!((status, &body["type"], again.as_deref()), (503, &problem("shed:disk-full"), Some("1")));
            let unknown = "/v1/decisions/01a2055f-1403-87f3-b8d7-b79234ed2ba7/feedback";
            let (status, body, _) = call!(app, Method::POST, unknown, Some(json!({"settlement": "commit"})));
            assert_eq!((status, &body["type"]), (503, &problem("shed:disk-full")));
            let (status, body, _) = call!(app, Method::GET, "/readyz", None);
            assert_eq!((status, &body["status"]), (if is_steady { 200 } else { 503 }, &json!("disk_full")), "{body}");
            if is_steady {
                let (status, body, _) = call!(app, Method::POST, STEADY, Some(ticket(3)));
                assert_eq!((status, &body["durability"]), (200, &json!("memory")));
            }
            disk.make_room();
            while engine.is_disk_full() {
                actix_web::rt::time::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(call!(app, Method::GET, "/readyz", None).0, 200);
            let (status, body, _) = call!(app, Method::POST, ROUTING, Some(ticket(1)));
            assert_eq!((status, &body["duplicate"]), (200, &json!(true)), "what was pending is there");
        }
    });
}

#[test]
fn a_queue_that_is_full_reaches_callers_as_a_wait_and_then_as_503() {
    actix_web::rt::System::new().block_on(async {
        let disk = Arc::new(FaultyDisk::default());
        let (engine, doors) = doors(&disk, true);
        let app = test::init_service(App::new().configure(|app| doors.configure(app))).await;
        disk.hold();
        let mut taken = 0;
        let shed = loop {
            let (status, body, again) = call!(app, Method::POST, STEADY, Some(ticket(taken)));
            if status != 200 {
                assert_eq!((status, again.as_deref()), (503, Some("1")));
                break body;
            }
            taken += 1;
            assert!(taken < 200, "the queue has no bound");
        };
        assert_eq!(shed["type"], problem("shed:journal-behind"));
        disk.release();
        engine.shutdown().unwrap();
        assert!(engine.metrics().contains("forthwith_shed_total{reason=\"journal_behind\"} 1"));
        assert!(engine.metrics().contains(&format!("forthwith_journal_records_total {}", 1 + taken)), "{taken}");
    });
}
