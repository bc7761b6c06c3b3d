//! How a server ends: in good order, or at once. What a kill leaves is `kills`.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Server, folder, forthwith, forthwith_on_a_failing_disk, own_config, run, ticket};

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

/// Whatever fails, it says what and where, and the next start finds what was acknowledged.
#[test]
fn a_server_whose_disk_fails_refuses_says_why_and_is_whole_after_a_restart() {
    let data = folder();
    let server = Server::start(data.path());
    let first = server.post(DECIDE, &ticket("t-1", "c", "x")).json();
    assert_eq!(first["durability"], "disk");
    assert_eq!(server.stop().0, 0);
    let server = Server::start_command(forthwith_on_a_failing_disk(), data.path());
    let ready = || server.get("/readyz").json();
    while ready()["status"] != "journal_stopped" {
        let answer = server.post(DECIDE, &ticket("t-2", "c", "x"));
        assert!(
            answer.status == 503 || answer.json()["durability"] == "pending",
            "{}: {}",
            answer.status,
            answer.json()
        );
    }
    let reason = ready()["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("cannot write `") && reason.contains("0000000001.seg"), "{reason}");
    let refused = server.post(DECIDE, &ticket("t-3", "c", "x"));
    assert_eq!((refused.status, &refused.json()["type"]), (503, &Value::from("urn:forthwith:problem:journal")));
    assert!(refused.header("retry-after").is_some());
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(metrics.contains("\nforthwith_journal_stopped 1\n"));
    let (code, said) = server.stop_complaining();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("error: the journal has stopped: {reason}")), "{said}");
    let again = Server::start(data.path()).post(DECIDE, &ticket("t-1", "c", "x")).json();
    assert_eq!((&again["decision_id"], &again["duplicate"]), (&first["decision_id"], &Value::Bool(true)));
}

#[test]
fn deciding_a_file_on_a_disk_that_fails_ends_with_the_line_and_the_reason() {
    let data = folder();
    let decide = |mut command: std::process::Command, id: &str| {
        let input = data.path().join("input.jsonl");
        std::fs::write(&input, ticket(id, "c", "x").to_string()).unwrap();
        command.arg("--data").arg(data.path().join("data")).args(["decide", "ticket_routing", "--quiet", "--input"]);
        run(command.arg(input))
    };
    let (code, first, said) = decide(forthwith(), "t-1");
    assert_eq!(code, 0, "{said}");
    let (code, out, said) = decide(forthwith_on_a_failing_disk(), "t-2");
    assert_eq!((code, out.as_str()), (1, ""), "{said}");
    assert!(said.starts_with("error: line 1: the journal has stopped: cannot write `"), "{said}");
    let (code, again, said) = decide(forthwith(), "t-1");
    assert_eq!(code, 0, "{said}");
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["decision_id"].clone();
    assert_eq!(id(&again), id(&first));
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
