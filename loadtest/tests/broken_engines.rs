//! Engines that are wrong in one thing each: a harness that finds nothing wrong with them would be worth nothing.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test stops where it cannot go on")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// What is wrong with an engine.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Nothing,
    /// One event in ten gets the id of another decision.
    SameId,
    /// Every repetition gets another outcome.
    Alters,
    /// One new event in ten gets the decision on an earlier one, as if it repeated that.
    Forgets,
    /// Every repetition is decided again.
    DecidesAgain,
    /// One answer in ten is about somebody else.
    Mixes,
    /// One acknowledged decision in ten is not there in the end.
    Loses,
    /// One answer in ten has a word that there is not.
    Invents,
    /// One answer in ten is no decision.
    Garbles,
}

const SCENARIO: &str = r#"
name = "stub"
description = "An engine that may be wrong."
transport = "json"
connections = 4
[population]
kind = "uniform"
customers = 50
start = "new"
repeats = 0.3
[[phases]]
name = "calls"
seconds = 1
arrivals = "constant"
rate = 300
[slo]
grace = "10m"
lost = 0
verify = true
"#;

/// Decisions that were given, by event and by id.
#[derive(Default)]
struct Book {
    decisions: HashMap<String, Value>,
    last: Option<String>,
}

fn decision(number: u128) -> String {
    // Of the form that ids have: a time, and what is drawn.
    let text = format!("{:032x}", (0x019a_b3c2_5f00_u128 << 80) | (8 << 76) | (2 << 62) | number);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

fn decide(wrong: Wrong, book: &mut Book, event: &Value) -> Value {
    let id = event["id"].as_str().unwrap();
    let nth = book.decisions.len() as u128;
    let is_tenth = nth % 10 == 9;
    if let Some(known) = book.decisions.get(id) {
        let mut again = known.clone();
        again["duplicate"] = json!(true);
        match wrong {
            Wrong::Alters => again["outcome"] = json!({"queue": "other"}),
            Wrong::DecidesAgain => again["decision_id"] = json!(decision(nth + 1_000_000)),
            _ => {}
        }
        return again;
    }
    let mut answer = json!({
        "decision_id": decision(nth), "playbook": "ticket_routing", "bundle": "sha256:0", "customer": event["subject"],
        "outcome": {"queue": "cards"}, "tier": "rules", "rule": null, "fallback": null, "durability": "disk",
        "duplicate": false, "elapsed_us": 1,
    });
    match wrong {
        Wrong::SameId if is_tenth => answer["decision_id"] = json!(book.last),
        Wrong::Mixes if is_tenth => answer["customer"] = json!("somebody-else"),
        Wrong::Invents if is_tenth => answer["tier"] = json!("crystal_ball"),
        _ => {}
    }
    if wrong == Wrong::Forgets
        && is_tenth
        && let Some(earlier) = book.decisions.values().find(|known| known["customer"] == event["subject"])
    {
        answer = earlier.clone();
        answer["duplicate"] = json!(true);
    }
    book.last = answer["decision_id"].as_str().map(str::to_owned);
    book.decisions.insert(id.to_owned(), answer.clone());
    answer
}

fn answer(wrong: Wrong, book: &mut Book, path: &str, body: &[u8]) -> (u16, String) {
    if path == "/v1/bundle" {
        return (200, json!({"playbooks": [{"playbook": "ticket_routing", "budget_ms": 50}]}).to_string());
    }
    if let Some(id) = path.strip_prefix("/v1/decisions/") {
        let found = book.decisions.values().find(|decision| decision["decision_id"] == id);
        let is_lost = wrong == Wrong::Loses && id.ends_with('9');
        return found.filter(|_| !is_lost).map_or((404, "{}".to_owned()), |decision| (200, decision.to_string()));
    }
    let answer = decide(wrong, book, &serde_json::from_slice(body).unwrap());
    if wrong == Wrong::Garbles && book.decisions.len() % 10 == 9 {
        return (200, "<html>".to_owned());
    }
    (200, answer.to_string())
}

fn serve(wrong: Wrong, book: &Mutex<Book>, stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let path = first.split(' ').nth(1).unwrap();
        let (status, text) = answer(wrong, &mut book.lock().unwrap(), path, &body);
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", text.len());
        if reader.get_mut().write_all([head, text].concat().as_bytes()).is_err() {
            return;
        }
    }
}

/// Runs the scenario on such an engine: the exit code, and the names of the checks that were violated, each with its first case.
fn run(wrong: Wrong) -> (Option<i32>, Vec<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let book = Arc::new(Mutex::new(Book::default()));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let book = Arc::clone(&book);
            std::thread::spawn(move || serve(wrong, &book, stream));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let (scenario, json) = (folder.path().join("stub.toml"), folder.path().join("stub.json"));
    std::fs::write(&scenario, SCENARIO).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forthwith-load"));
    command.arg("run").arg(&scenario).args(["--quiet", "--url", &url, "--json"]).arg(&json);
    let output = command.output().unwrap();
    let text = std::fs::read_to_string(&json).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let outcome: Value = serde_json::from_str(&text).unwrap();
    let run = &outcome["runs"][0];
    assert!(run["totals"]["offered"].as_u64().unwrap() >= 300, "{:#}", run["totals"]);
    let checks = run["checks"].as_array().unwrap().iter().filter(|check| check["violations"] != 0);
    let mut violated: Vec<_> =
        checks.map(|check| (check["name"].as_str().unwrap().to_owned(), check["first"].clone())).collect();
    for missed in run["missed"].as_array().unwrap() {
        violated.push(("missed".to_owned(), missed.clone()));
    }
    (output.status.code(), violated)
}

#[test]
fn an_engine_that_is_right_passes() {
    assert_eq!(run(Wrong::Nothing), (Some(0), Vec::new()));
}

#[test]
fn whatever_is_wrong_is_found_and_the_first_case_is_kept() {
    for (wrong, finds) in [
        (Wrong::SameId, "ids"),
        (Wrong::Alters, "repeats"),
        (Wrong::Forgets, "repeats"),
        (Wrong::DecidesAgain, "repeats"),
        (Wrong::Mixes, "addressed"),
        (Wrong::Loses, "decisions_found"),
        (Wrong::Invents, "words"),
        (Wrong::Garbles, "missed"),
    ] {
        let (code, violated) = run(wrong);
        assert_eq!(code, Some(1), "{wrong:?}: {violated:?}");
        let found = violated.iter().find(|(name, _)| name == finds);
        let (_, first) = found.unwrap_or_else(|| panic!("{wrong:?} was not found by `{finds}`: {violated:?}"));
        assert!(!first.is_null(), "{wrong:?}: the first case is kept");
    }
}
