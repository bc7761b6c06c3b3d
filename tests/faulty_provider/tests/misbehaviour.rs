//! What a client sees at the level of bytes, on plain sockets.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use faulty_provider::{Behaviour, Conduct, Content, KeepAlive, Latency, Manner, Provider, Says, Usage};
use serde_json::{Value, json};

/// Far more than anything here takes: only a fault waits as long.
const PATIENCE: Duration = Duration::from_secs(30);

fn body() -> String {
    json!({
        "model": "small",
        "messages": [{"role": "user", "content": "My card is gone"}],
        "max_tokens": 20,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": {
            "type": "object",
            "properties": {"queue": {"type": "string", "enum": ["cards", "general"]}},
            "required": ["queue"],
            "additionalProperties": false,
        }}},
    })
    .to_string()
}

struct Client(TcpStream);

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn said(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
    }
}

impl Client {
    fn to(provider: &Provider) -> Self {
        let stream = TcpStream::connect(provider.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn ask(&mut self) {
        let body = body();
        let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer k\r\nContent-Length:";
        self.0.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    }

    fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    fn response(&mut self) -> Response {
        let head = self.head();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = match length(&head) {
            Some(length) => {
                let mut body = vec![0; length];
                self.0.read_exact(&mut body).unwrap();
                body
            }
            None => self.chunks(),
        };
        Response { status, head, body }
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                let mut byte = [0];
                self.0.read_exact(&mut byte).unwrap();
                line.push(byte[0]);
            }
            let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            let mut chunk = vec![0; length + 2];
            self.0.read_exact(&mut chunk).unwrap();
            if length == 0 {
                return body;
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }

    fn ask_and_hear(&mut self) -> Response {
        self.ask();
        self.response()
    }

    /// What is left to read, and how it ends.
    fn rest(&mut self) -> (Vec<u8>, Option<ErrorKind>) {
        let mut rest = Vec::new();
        let end = self.0.read_to_end(&mut rest).err().map(|error| error.kind());
        (rest, end)
    }
}

fn length(head: &str) -> Option<usize> {
    head.lines().find_map(|line| line.strip_prefix("content-length: ")).map(|length| length.parse().unwrap())
}

#[test]
fn answers_what_the_schema_permits_and_remembers_who_asked() {
    let provider = Provider::start(Conduct::default()).unwrap();
    let mut client = Client::to(&provider);
    for _ in 0..2 {
        let response = client.ask_and_hear();
        assert_eq!(response.status, 200);
        let chosen: Value = serde_json::from_str(&response.said()).unwrap();
        assert!(["cards", "general"].contains(&chosen["queue"].as_str().unwrap()));
    }
    assert_eq!(Client::to(&provider).ask_and_hear().status, 200);
    let seen = provider.requests();
    assert_eq!(seen.iter().map(|seen| (seen.number, seen.connection)).collect::<Vec<_>>(), [(0, 0), (1, 0), (2, 1)]);
    assert_eq!(seen[0].body, body().into_bytes());
    assert!(seen[0].headers.contains(&("authorization".to_owned(), "Bearer k".to_owned())));
    assert!(provider.wait(|counts| counts.answered == 3 && counts.under_way == 0, PATIENCE));
    assert_eq!(provider.counts().closed_early, 0);
    provider.keep(1);
    assert_eq!(provider.requests().len(), 1);
}

#[test]
fn other_doors_answer_and_streams_are_refused() {
    let provider = Provider::start(Conduct::of(Manner::Hangs)).unwrap();
    let mut client = Client::to(&provider);
    for (path, status) in [("/v1/models", 200), ("/health", 200), ("/v1/embeddings", 404)] {
        client.0.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(client.response().status, status);
    }
    assert_eq!((provider.counts().requests, provider.counts().others), (0, 3));
    provider.set(Conduct::default());
    let body = r#"{"stream": true}"#;
    let head = "POST /v1/chat/completions HTTP/1.1\r\ncontent-length:";
    client.0.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    assert_eq!(client.response().status, 400);
}

#[test]
fn hangs_until_the_client_goes_and_notices_that() {
    let provider = Provider::start(Conduct::of(Manner::Hangs)).unwrap();
    for manner in [Manner::Hangs, Manner::HangsAfterHeaders, Manner::HangsInBody] {
        provider.set(Conduct::of(manner.clone()));
        let before = provider.counts();
        let mut client = Client::to(&provider);
        client.ask();
        if manner != Manner::Hangs {
            let whole = length(&client.head()).unwrap();
            let mut half = vec![0; if manner == Manner::HangsInBody { whole / 2 } else { 0 }];
            client.0.read_exact(&mut half).unwrap();
        }
        assert!(provider.wait(|counts| counts.under_way == 1, PATIENCE));
        assert_eq!(provider.counts().closed_early, before.closed_early);
        drop(client);
        assert!(provider.wait(|counts| counts.closed_early == before.closed_early + 1, PATIENCE), "{manner:?}");
        assert!(provider.requests().last().unwrap().closed_early);
    }
    assert!(provider.wait(|counts| counts.open == 0 && counts.under_way == 0, PATIENCE));
    assert_eq!(provider.counts().answered, 0);
}

#[test]
fn a_client_that_goes_while_it_waits_is_noticed() {
    // No answer comes within the patience: whatever ends the wait is the client's going.
    let provider = Provider::start(Conduct::after(10 * PATIENCE)).unwrap();
    let mut client = Client::to(&provider);
    client.ask();
    assert!(provider.wait(|counts| counts.under_way == 1, PATIENCE));
    client.0.shutdown(Shutdown::Both).unwrap();
    assert!(provider.wait(|counts| counts.closed_early == 1, PATIENCE));
}

#[test]
fn waits_as_long_as_it_is_told_to() {
    let latency = Duration::from_millis(30);
    let provider = Provider::start(Conduct::after(latency)).unwrap();
    let mut client = Client::to(&provider);
    client.ask_and_hear();
    client.ask_and_hear();
    let seen = provider.requests();
    // The second request came after the first was answered.
    assert!(seen[1].at - seen[0].at >= latency);
    provider.set(Conduct { body_after: latency, ..Conduct::default() });
    client.ask_and_hear();
    client.ask_and_hear();
    let seen = provider.requests();
    assert!(seen[3].at - seen[2].at >= latency);
    let start = Latency::SlowStart { requests: 1, slow: 10 * PATIENCE, fast: Duration::ZERO };
    // A client has its answer a little before the provider has counted it.
    assert!(provider.wait(|counts| counts.under_way == 0, PATIENCE));
    provider.set(Conduct::default().latency(start));
    let mut slow = Client::to(&provider);
    slow.ask();
    assert!(provider.wait(|counts| counts.under_way == 1, PATIENCE));
    assert_eq!(client.ask_and_hear().status, 200, "only the first is slow");
    assert!(provider.wait(|counts| counts.under_way == 1, PATIENCE), "the slow one still waits");
}

#[test]
fn resets_and_closes_where_it_is_told_to() {
    let provider = Provider::start(Conduct::default()).unwrap();
    let reset = Some(ErrorKind::ConnectionReset);
    for (manner, parts, end) in [
        (Manner::ResetsBefore, 0, reset),
        (Manner::ResetsAfterHeaders, 1, reset),
        (Manner::ResetsInBody, 2, reset),
        (Manner::ClosesBefore, 0, None),
        (Manner::ClosesInBody, 2, None),
    ] {
        provider.set(Conduct::of(manner.clone()));
        let before = provider.counts().broken;
        let mut client = Client::to(&provider);
        client.ask();
        assert!(provider.wait(|counts| counts.broken == before + 1 && counts.open == 0, PATIENCE));
        let (rest, ended) = client.rest();
        assert_eq!(ended, end, "{manner:?}");
        // What was sent before a reset may be lost with it; before a close it is there.
        if end.is_none() {
            let text = String::from_utf8(rest).unwrap();
            assert_eq!(text.is_empty(), parts == 0);
            if let Some((head, part)) = text.split_once("\r\n\r\n") {
                assert_eq!(part.len(), length(head).unwrap() / 2);
            }
        }
    }
    assert_eq!(provider.counts().closed_early, 0);
}

#[test]
fn ends_a_kept_connection_after_some_requests_or_some_idleness() {
    let two = KeepAlive { requests_max: Some(2), ..KeepAlive::default() };
    let provider = Provider::start(Conduct::default().keep_alive(two.clone())).unwrap();
    let mut client = Client::to(&provider);
    assert!(!client.ask_and_hear().head.contains("connection: close"));
    assert!(!client.ask_and_hear().head.contains("connection: close"), "it ends without a word");
    assert_eq!(client.rest(), (Vec::new(), None));
    provider.set(Conduct::default().keep_alive(KeepAlive { is_announced: true, ..two }));
    let mut client = Client::to(&provider);
    assert!(!client.ask_and_hear().head.contains("connection: close"));
    assert!(client.ask_and_hear().head.contains("connection: close"));
    let idle = KeepAlive { idle_max: Some(Duration::from_millis(5)), ..KeepAlive::default() };
    provider.set(Conduct::default().keep_alive(idle));
    let mut client = Client::to(&provider);
    client.ask_and_hear();
    assert_eq!(client.rest(), (Vec::new(), None));
}

#[test]
fn a_reused_connection_may_be_a_stale_one() {
    let provider = Provider::start(Conduct::of(Manner::ClosesIfReused)).unwrap();
    let mut client = Client::to(&provider);
    assert_eq!(client.ask_and_hear().status, 200);
    client.ask();
    assert_eq!(client.rest(), (Vec::new(), None));
    assert_eq!(Client::to(&provider).ask_and_hear().status, 200);
    assert_eq!(provider.counts().broken, 1);
}

#[test]
fn errors_are_those_of_openai_with_their_headers() {
    let limited = Conduct::rate_limited("2").header("x-ratelimit-remaining-requests", "0");
    let provider = Provider::start([limited, Conduct::error(503), Conduct::default()]).unwrap();
    let mut client = Client::to(&provider);
    let response = client.ask_and_hear();
    assert_eq!((response.status, &response.json()["error"]["type"]), (429, &json!("rate_limit_error")));
    assert!(
        response.head.contains("retry-after: 2\r\n") && response.head.contains("x-ratelimit-remaining-requests: 0")
    );
    assert_eq!(client.ask_and_hear().status, 503);
    assert_eq!(client.ask_and_hear().status, 200);
    for status in [400, 401, 404, 422, 500] {
        provider.set(Conduct::error(status));
        let response = client.ask_and_hear();
        assert_eq!(response.status, status);
        assert!(response.json()["error"]["message"].is_string());
    }
}

#[test]
fn bodies_may_be_trickled_cut_in_chunks_huge_or_endless() {
    let whole =
        Provider::start(Conduct::default()).map(|provider| Client::to(&provider).ask_and_hear().said()).unwrap();
    let trickles = Manner::Trickles { bytes: 40, every: Duration::from_millis(1) };
    let provider = Provider::start([
        Conduct::of(trickles),
        Conduct::of(Manner::Chunked(7)),
        Conduct::saying(Content::Huge(3 << 20)),
        Conduct::of(Manner::Endless),
    ])
    .unwrap();
    let mut client = Client::to(&provider);
    assert_eq!(client.ask_and_hear().said(), whole);
    let chunked = client.ask_and_hear();
    assert_eq!(chunked.said(), whole);
    assert!(chunked.head.contains("transfer-encoding: chunked"));
    assert_eq!(client.ask_and_hear().said().len(), 3 << 20);
    client.ask();
    client.head();
    client.0.read_exact(&mut vec![0; 8 << 20]).unwrap();
    drop(client);
    assert!(provider.wait(|counts| counts.closed_early == 1, PATIENCE));
}

#[test]
fn raw_bytes_and_bodies_are_sent_as_they_are() {
    let raw = b"HTTP/9.9 whatever\r\n\r\n".to_vec();
    let html = Says::Body { status: 502, content_type: "text/html".to_owned(), bytes: b"<html>".to_vec() };
    let provider = Provider::start([
        Conduct { says: html, ..Conduct::default() },
        Conduct::default().usage(Usage::Missing),
        Conduct {
            says: Says::Raw(raw.clone()),
            keep_alive: KeepAlive { requests_max: Some(1), ..KeepAlive::default() },
            ..Conduct::default()
        },
    ])
    .unwrap();
    let mut client = Client::to(&provider);
    let response = client.ask_and_hear();
    assert_eq!((response.status, response.body.as_slice()), (502, &b"<html>"[..]));
    assert!(client.ask_and_hear().json().get("usage").is_none());
    client.ask();
    assert_eq!(client.rest(), (raw, None));
}

#[test]
fn a_stopped_provider_is_gone_and_can_come_back_at_its_address() {
    let provider = Provider::start(Conduct::of(Manner::Hangs)).unwrap();
    let address = provider.address();
    let mut client = Client::to(&provider);
    client.ask();
    assert!(provider.wait(|counts| counts.under_way == 1, PATIENCE));
    drop(provider);
    assert!(client.rest().0.is_empty());
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let again = Provider::start_at(address, Behaviour::default()).unwrap();
    assert_eq!(Client::to(&again).ask_and_hear().status, 200);
}

#[test]
fn many_at_once_are_counted() {
    let provider = Provider::start(Conduct::of(Manner::Hangs)).unwrap();
    let mut clients: Vec<Client> = (0..50).map(|_| Client::to(&provider)).collect();
    clients.iter_mut().for_each(Client::ask);
    assert!(provider.wait(|counts| counts.under_way == 50, PATIENCE));
    clients.truncate(20);
    assert!(provider.wait(|counts| counts.closed_early == 30 && counts.under_way == 20, PATIENCE));
    assert_eq!(provider.counts().under_way_max, 50);
}
