//! More is offered than is taken on.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::{Server, folder, ticket};

/// A connection that is kept.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(server: &Server) -> Self {
        Self(BufReader::new(TcpStream::connect(&server.address).unwrap()))
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// The head of a request with a body of so many bytes.
    fn head(&mut self, path: &str, bytes: usize) {
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n"
        ));
    }

    /// An answer: its head, and its body as JSON.
    fn hear(&mut self) -> (String, Value) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "the connection was closed after {head:?}");
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (head, serde_json::from_slice(&body).unwrap())
    }
}

const DECIDE: &str = "/v1/decide/ticket_routing";

#[test]
fn what_is_too_much_is_shed_at_once_and_the_connection_is_kept() {
    let data = folder();
    let server = Server::start_with(data.path(), |command| {
        command.env("FORTHWITH__ADMISSION__UNDER_WAY_MAX", "1").env("FORTHWITH__SERVER__WORKERS", "1");
    });
    let body = ticket("t-1", "c", "hello").to_string();
    // One who sends its body slowly is under way.
    let mut slow = Connection::open(&server);
    slow.head(DECIDE, body.len());
    let mut other = Connection::open(&server);
    let other_body = ticket("t-2", "d", "hello").to_string();
    let shed = |other: &mut Connection| {
        other.head(DECIDE, other_body.len());
        other.send(&other_body);
        other.hear()
    };
    // The slow one may not have been seen yet.
    let first = (0..1_000).map(|_| shed(&mut other)).find(|(head, _)| head.starts_with("HTTP/1.1 503"));
    let (head, problem) = first.unwrap();
    assert_eq!(problem["type"], "urn:forthwith:problem:shed:overloaded");
    assert!(head.contains("retry-after: 1\r\n") && head.contains("application/problem+json"), "{head}");
    let (head, _) = shed(&mut other);
    assert!(head.starts_with("HTTP/1.1 503"), "on the same connection: {head}");
    assert_eq!(server.get("/readyz").status, 200, "operators are never shed");
    let page = String::from_utf8(server.get("/metrics").body).unwrap();
    for line in [
        "forthwith_admission_under_way 1",
        "forthwith_admission_shed_total{priority=\"normal\",reason=\"under_way\"} 2",
        "forthwith_shed_total{reason=\"overloaded\"} 2",
    ] {
        assert!(page.lines().any(|of| of == line), "{line} is not in\n{page}");
    }
    slow.send(&body);
    let (head, decision) = slow.hear();
    assert!(head.starts_with("HTTP/1.1 200"), "who was taken on is answered: {head} {decision}");
    let answered = (0..1_000).map(|_| shed(&mut other)).find(|(head, _)| head.starts_with("HTTP/1.1 200"));
    assert!(answered.is_some());
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for_and_a_wrong_priority_is_named() {
    let data = folder();
    let server = Server::start_with(data.path(), |command| {
        command.env("FORTHWITH__SERVER__BODY_TIMEOUT", "100ms");
    });
    let mut silent = Connection::open(&server);
    silent.head(DECIDE, 100);
    let (head, problem) = silent.hear();
    assert!(head.starts_with("HTTP/1.1 408"), "{head}");
    assert_eq!(problem["type"], "urn:forthwith:problem:timeout");
    let body = ticket("t-1", "c", "hello").to_string();
    let json = ("content-type", "application/json");
    let answer = server.post_with(DECIDE, &[json, ("x-priority", "high")], body.as_bytes());
    assert_eq!((answer.status, &answer.json()["errors"][0]["pointer"]), (422, &"/headers/x-priority".into()));
    assert_eq!(server.post_with(DECIDE, &[json, ("x-priority", "2")], body.as_bytes()).status, 200);
}

#[test]
fn whoever_claims_a_vast_body_shuts_nobody_out() {
    let data = folder();
    let server = Server::start(data.path());
    let mut vast = Connection::open(&server);
    vast.head(DECIDE, 1_000_000_000);
    // It may not have been seen yet.
    let is_seen = || {
        let page = String::from_utf8(server.get("/metrics").body).unwrap();
        !page.contains("forthwith_admission_body_bytes 0\n")
    };
    assert!((0..1_000).any(|_| is_seen()));
    assert_eq!(server.post(DECIDE, &ticket("t-1", "c", "hello")).status, 200);
}
