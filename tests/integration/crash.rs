//! What was acknowledged as durable is there after the process was killed, whenever that was.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Server, folder, forthwith, own_config, run, ticket};

const JSON: (&str, &str) = ("content-type", "application/json");
const DECIDE: &str = "/v1/decide/ticket_routing";
const CUSTOMERS: u64 = 7;

/// Kills per run: at least twenty; `FORTHWITH_KILLS` asks for more.
fn kills() -> u64 {
    std::env::var("FORTHWITH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// A number that looks random and is the same in every run: moments differ from kill to kill, failures come back.
fn scattered(nth: u64) -> u64 {
    nth.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

#[test]
fn every_acknowledged_decision_survives_kill_9() {
    let data = folder();
    // Repetitions are recognised for as long as the test runs.
    let config = own_config(data.path());
    let context = std::fs::read_to_string(config.join("context.toml")).unwrap();
    std::fs::write(config.join("context.toml"), format!("{context}\n[repetitions]\nremember = 10000\n")).unwrap();
    let data = data.path().join("data");
    let start = || {
        Server::start_with(&data, |command| {
            command.arg("--config").arg(&config);
        })
    };
    let acknowledged: Mutex<BTreeMap<u64, String>> = Mutex::default();
    let sent = AtomicU64::new(0);
    for round in 0..kills() {
        let mut server = start();
        // All that they journaled is replayed once, at the end.
        server.is_replayed = false;
        let delay = Duration::from_micros(20_000 + scattered(round) % 250_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let nth = sent.fetch_add(1, Ordering::Relaxed);
                        let event =
                            ticket(&format!("t-{nth}"), &format!("c-{}", nth % CUSTOMERS), "my card was declined");
                        let Ok(answer) = server.try_post(DECIDE, &[JSON], event.to_string().as_bytes()) else { return };
                        if answer.status != 200 {
                            continue;
                        }
                        let decision = answer.json();
                        if decision["durability"] == "disk" {
                            let id = decision["decision_id"].as_str().unwrap().to_owned();
                            acknowledged.lock().unwrap().insert(nth, id);
                        }
                    }
                });
            }
            std::thread::sleep(delay);
            server.signal("KILL");
        });
    }
    let acknowledged = acknowledged.into_inner().unwrap();
    let sent = sent.into_inner();
    assert!(
        acknowledged.len() as u64 > kills() * 5,
        "{} decisions were acknowledged: the load was no load",
        acknowledged.len()
    );

    // Exactly once: asked again, each is the decision that was acknowledged, and no customer has more decisions than tickets.
    let server = start();
    for (nth, id) in &acknowledged {
        let event = ticket(&format!("t-{nth}"), &format!("c-{}", nth % CUSTOMERS), "my card was declined");
        let again = server.post(DECIDE, &event).json();
        assert_eq!(
            (again["decision_id"].as_str(), again["duplicate"].as_bool()),
            (Some(id.as_str()), Some(true)),
            "ticket {nth}"
        );
    }
    let mut decided = 0;
    for customer in 0..CUSTOMERS {
        let view = server.get(&format!("/v1/customers/c-{customer}")).json();
        let count = view["decisions"][0]["count"].as_u64().unwrap();
        let tickets = (0..sent).filter(|nth| nth % CUSTOMERS == customer).count() as u64;
        assert!(count <= tickets, "customer {customer} has {count} decisions of {tickets} tickets");
        decided += count;
    }
    assert!(decided >= acknowledged.len() as u64, "{decided} decided, {} acknowledged", acknowledged.len());

    // Beside the running server, and after it, each can be explained from the journal.
    let (nth, id) = acknowledged.iter().next_back().unwrap();
    let explain = |context: &str| {
        let (code, out, err) = run(forthwith().arg("--data").arg(&data).args(["explain", id, "--json"]));
        assert_eq!(code, 0, "{context}: {err}");
        let explanation: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(explanation["event"]["id"], format!("t-{nth}"), "{context}");
    };
    explain("beside the server");
    let (code, said) = server.stop();
    assert_eq!(code, 0, "{said}");
    explain("after the server");
}

#[test]
fn a_decision_with_memory_durability_survives_a_stop() {
    let data = folder();
    let config = own_config(data.path());
    let playbook = config.join("playbooks/ticket_routing.toml");
    let text = std::fs::read_to_string(&playbook).unwrap();
    std::fs::write(&playbook, text.replace("ack         = \"disk\"", "ack = \"memory\"")).unwrap();
    let start = || {
        Server::start_with(&data.path().join("data"), |command| {
            command.arg("--config").arg(&config);
        })
    };
    let server = start();
    let first = server.post(DECIDE, &ticket("t-1", "c", "x")).json();
    assert!(matches!(first["durability"].as_str(), Some("memory" | "disk")), "{first}");
    let (code, said) = server.stop();
    assert_eq!((code, said.contains("stopped in good order: the journal ends at record 2")), (0, true), "{said}");
    let again = start().post(DECIDE, &ticket("t-1", "c", "x")).json();
    assert_eq!((&again["decision_id"], &again["duplicate"]), (&first["decision_id"], &Value::Bool(true)));
}

#[test]
fn a_second_signal_stops_at_once() {
    let data = folder();
    let mut server = Server::start(data.path());
    // A connection that sends half a request holds up the graceful stop.
    let mut half = std::net::TcpStream::connect(&server.address).unwrap();
    std::io::Write::write_all(
        &mut half,
        b"POST /v1/decide/ticket_routing HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
    )
    .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    server.signal("TERM");
    assert_eq!(server.wait(), Some(130));
}
