//! A real large model behind a server that nobody here wrote: llama.cpp's, as PyPI ships it.
//!
//! `tests/large_model/prepare FOLDER` puts what is needed into a folder; `FORTHWITH_LARGE_MODEL_FOLDER=FOLDER` names it. Without it
//! the tests say that they were skipped.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it cannot go on")]

mod routing;
mod support;

use serde_json::{Value, json};

use support::Server;

const QUEUES: [&str; 3] = ["billing", "cards", "general"];

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"queue": {"type": "string", "enum": QUEUES}},
        "required": ["queue"],
        "additionalProperties": false,
    })
}

/// What the gateway takes for granted of such a server.
#[test]
fn an_answer_has_the_form_that_was_asked_for_and_its_tokens_are_counted() {
    let Some(server) = Server::find() else { return };
    let response = server.ask("My card was stolen yesterday", &schema(), 40);
    assert_eq!(response.status, 200, "{:#}", response.body);
    assert_eq!(response.finish(), "stop");
    let answer: Value = serde_json::from_str(response.said()).unwrap();
    assert!(QUEUES.contains(&answer["queue"].as_str().unwrap()), "{answer}");
    assert_eq!(answer.as_object().unwrap().len(), 1);
    let usage = &response.body["usage"];
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 10, "{usage}");
    assert!((1..=40).contains(&usage["completion_tokens"].as_u64().unwrap()), "{usage}");
}

/// Why every answer is read again: a server leaves out what it does not understand of a form, and says that all is well.
#[test]
fn a_form_is_kept_only_so_far_as_the_server_understands_it() {
    let Some(server) = Server::find() else { return };
    let limits = json!({
        "type": "object",
        "properties": {"discount": {"type": "number", "minimum": 3, "maximum": 4}},
        "required": ["discount"],
        "additionalProperties": false,
    });
    let response = server.ask("My card was stolen yesterday", &limits, 30);
    assert_eq!(response.status, 200, "{:#}", response.body);
    let answer = serde_json::from_str::<Value>(response.said()).unwrap_or_default();
    let discount = answer["discount"].as_f64();
    assert!(!discount.is_some_and(|discount| (3.0..=4.0).contains(&discount)), "{}", response.said());

    let nowhere = json!({"type": "object", "properties": {"queue": {"$ref": "#/nowhere"}}, "required": ["queue"]});
    let response = server.ask("My card was stolen yesterday", &nowhere, 16);
    assert_eq!((response.status, &response.body["error"]["type"]), (400, &json!("invalid_request_error")));
    let body =
        json!({"prompt": "My card was stolen. Queue:", "max_tokens": 16, "temperature": 0, "json_schema": nowhere});
    let response = server.post("/v1/completions", &body);
    let text = response.body["choices"][0]["text"].as_str().unwrap();
    assert_eq!(response.status, 200);
    assert!(
        !serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()),
        "another door drops the same form without a word: {text}"
    );
}

/// Why every call says how long its answer may be.
#[test]
fn an_answer_ends_at_the_tokens_that_it_may_have() {
    let Some(server) = Server::find() else { return };
    let response = server.ask("My card was stolen yesterday", &schema(), 3);
    assert_eq!((response.status, response.finish()), (200, "length"));
    assert_eq!(response.body["usage"]["completion_tokens"], 3);
    assert!(serde_json::from_str::<Value>(response.said()).is_err(), "half an answer is none: {}", response.said());
}

/// Errors that say something of the question and nothing of the server's health.
#[test]
fn faults_of_a_question_are_told_as_such() {
    let Some(server) = Server::find() else { return };
    let response = server.ask(&"card ".repeat(5_000), &schema(), 16);
    let kind = &response.body["error"]["type"];
    assert_eq!((response.status, kind), (400, &json!("exceed_context_size_error")), "{:#}", response.body);
    let response = server.post("/v1/chat/completions", &json!({"model": "gemma-3-270m"}));
    assert_eq!((response.status, &response.body["error"]["type"]), (400, &json!("invalid_request_error")));
    let response = server.post("/v1/nothing", &json!({}));
    assert_eq!((response.status, &response.body["error"]["type"]), (404, &json!("not_found_error")));
}

/// Why a request on a kept connection may find it closed: the server ends it, by time and by number.
#[test]
fn connections_are_kept_for_a_while_only() {
    let Some(server) = Server::find() else { return };
    let response = server.ask("My card was stolen yesterday", &schema(), 1);
    let keep_alive = response.keep_alive.unwrap_or_default();
    assert!(keep_alive.contains("timeout=") && keep_alive.contains("max="), "{keep_alive:?}");
}
