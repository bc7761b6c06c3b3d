//! Answers over HTTP, read.

use std::borrow::Cow;

use forthwith::DecisionId;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::answers::{Came, Decided};
use crate::scenario::Transport;

/// A decision as it stands in JSON; of its outcome the text.
#[derive(Deserialize)]
struct InJson<'a> {
    #[serde(borrow)]
    decision_id: Cow<'a, str>,
    #[serde(borrow)]
    playbook: Cow<'a, str>,
    #[serde(borrow)]
    bundle: Cow<'a, str>,
    #[serde(borrow)]
    customer: Cow<'a, str>,
    #[serde(borrow)]
    outcome: &'a RawValue,
    #[serde(borrow)]
    tier: Cow<'a, str>,
    #[serde(borrow)]
    fallback: Option<Cow<'a, str>>,
    #[serde(borrow)]
    durability: Cow<'a, str>,
    duplicate: bool,
    elapsed_us: u64,
}

/// The same in MessagePack.
#[derive(Deserialize)]
struct InMessagePack<'a> {
    decision_id: Cow<'a, str>,
    playbook: Cow<'a, str>,
    bundle: Cow<'a, str>,
    customer: Cow<'a, str>,
    outcome: serde_json::Value,
    tier: Cow<'a, str>,
    fallback: Option<Cow<'a, str>>,
    durability: Cow<'a, str>,
    duplicate: bool,
    elapsed_us: u64,
}

/// What of a problem (RFC 9457) is looked at.
#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
}

/// What an answer of this status and with this body says.
pub(super) fn read<T>(transport: Transport, status: u16, body: &[u8], then: impl FnOnce(Came<'_>) -> T) -> T {
    if status != 200 {
        return refused(status, body, then);
    }
    match transport {
        Transport::MessagePack => match rmp_serde::from_slice::<InMessagePack<'_>>(body) {
            Ok(read) => {
                let outcome = read.outcome.to_string();
                let InMessagePack { playbook, bundle, customer, tier, fallback, durability, .. } = &read;
                let rest = (read.duplicate, read.elapsed_us);
                let texts = [playbook, bundle, customer, tier, durability];
                decided(&read.decision_id, texts, fallback.as_deref(), &outcome, rest, then)
            }
            Err(error) => unreadable(&error.to_string(), body, then),
        },
        Transport::Json | Transport::InProcess => match serde_json::from_slice::<InJson<'_>>(body) {
            Ok(read) => {
                let InJson { playbook, bundle, customer, tier, fallback, durability, .. } = &read;
                let rest = (read.duplicate, read.elapsed_us);
                let texts = [playbook, bundle, customer, tier, durability];
                decided(&read.decision_id, texts, fallback.as_deref(), read.outcome.get(), rest, then)
            }
            Err(error) => unreadable(&error.to_string(), body, then),
        },
    }
}

fn decided<T>(
    id: &str,
    [playbook, bundle, customer, tier, durability]: [&Cow<'_, str>; 5],
    fallback: Option<&str>,
    outcome: &str,
    (is_duplicate, elapsed_us): (bool, u64),
    then: impl FnOnce(Came<'_>) -> T,
) -> T {
    let Ok(decision) = id.parse::<DecisionId>() else {
        return then(Came::Failed { how: "unreadable", said: &format!("`{id}` is no decision id") });
    };
    then(Came::Decided(Decided {
        decision,
        customer,
        playbook,
        bundle,
        outcome,
        tier,
        fallback,
        durability,
        is_duplicate,
        elapsed_us,
    }))
}

fn refused<T>(status: u16, body: &[u8], then: impl FnOnce(Came<'_>) -> T) -> T {
    const SHED: &str = "urn:forthwith:problem:shed:";
    const PROBLEM: &str = "urn:forthwith:problem:";
    let said = String::from_utf8_lossy(body);
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return then(Came::Failed { how: &format!("status_{status}"), said: &said });
    };
    if let Some(word) = problem.kind.strip_prefix(SHED) {
        return then(Came::Shed(&word.replace('-', "_")));
    }
    let how = problem.kind.strip_prefix(PROBLEM).unwrap_or("problem").replace(['-', ':'], "_");
    then(Came::Failed { how: &how, said: &said })
}

fn unreadable<T>(error: &str, body: &[u8], then: impl FnOnce(Came<'_>) -> T) -> T {
    let said = format!("{error}: {}", String::from_utf8_lossy(body));
    then(Came::Failed { how: "unreadable", said: &said })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"decision_id":"019ab3c2-5f00-8d1e-9a41-6c1f0e2b7d33","playbook":"p","bundle":"sha256:0","customer":"a\"b",
        "outcome":{"queue":"cards","tags":[1]},"tier":"rules","rule":null,"fallback":"late","durability":"pending","duplicate":true,"elapsed_us":7}"#;

    fn told(transport: Transport, status: u16, body: &[u8]) -> String {
        read(transport, status, body, |came| serde_json::to_string(&came).unwrap())
    }

    #[test]
    fn the_same_decision_is_read_in_both_formats() {
        let json = told(Transport::Json, 200, ANSWER.as_bytes());
        let value: serde_json::Value = serde_json::from_str(ANSWER).unwrap();
        let packed = told(Transport::MessagePack, 200, &rmp_serde::to_vec_named(&value).unwrap());
        assert_eq!(json, packed);
        assert!(json.contains(r#""outcome":"{\"queue\":\"cards\",\"tags\":[1]}""#), "{json}");
        assert!(json.contains(r#""customer":"a\"b""#) && json.contains(r#""is_duplicate":true"#), "{json}");
    }

    #[test]
    fn what_was_not_taken_on_and_what_cannot_be_read_is_told_apart() {
        let problem = |kind: &str| format!(r#"{{"type":"urn:forthwith:problem:{kind}","status":503}}"#);
        let json = |status, body: &str| told(Transport::Json, status, body.as_bytes());
        assert_eq!(json(503, &problem("shed:mailbox-full")), r#"{"shed":"mailbox_full"}"#);
        assert!(json(409, &problem("conflict")).contains(r#""how":"conflict""#));
        assert!(json(500, "<html>").contains(r#""how":"status_500""#));
        assert!(json(200, "{}").contains(r#""how":"unreadable""#));
        let strange = ANSWER.replace("019ab3c2-", "x-");
        assert!(json(200, &strange).contains("is no decision id"));
    }
}
