//! How a server ends: in good order, or at once. What a kill leaves is `kills`.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Server, folder, own_config, ticket};

const DECIDE: &str = "/v1/decide/ticket_routing";

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
