//! Observing events over HTTP: CloudEvents in structured, binary and batched mode.
//!
//! See the HTTP binding, <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Body, Object, answer};
use super::cloud_event::{Arrived, CloudEvent};
use super::decide::{batch_of, options_of, settled};
use super::standing::Standing;
use super::{Fault, Limits, Problem, Turnstile};
use crate::domain::{Durability, Raw};
use crate::engine::{Decision, Engine, Observed, Options};

/// What came of an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ObservedAnswer {
    /// Whom it is about.
    #[schema(value_type = String)]
    customer: crate::domain::CustomerId,
    /// The decisions of all playbooks that decide on such events.
    decisions: Vec<Decision>,
    /// Whether the event was known already.
    duplicate: bool,
    /// How safely it was kept: `disk`, `memory` or `pending`.
    #[schema(value_type = String)]
    durability: Durability,
}

/// What an event in a batch came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ObservedItem {
    /// It was observed.
    Observed(Box<ObservedAnswer>),
    /// It was not, and why.
    Problem(Box<Problem>),
}

/// The answers to a batch of events, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ObservedBatch {
    /// One for each event.
    results: Vec<ObservedItem>,
    /// How many were observed.
    observed: usize,
    /// How many were not.
    failed: usize,
}

/// How a CloudEvent comes over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Structured,
    Batched,
    Binary,
}

/// Takes events into their customers' contexts.
///
/// CloudEvents 1.0 in structured mode (`application/cloudevents+json`), binary mode (`ce-` headers), or batched
/// (`application/cloudevents-batch+json`). Every playbook whose `on` names the event's type decides.
#[utoipa::path(
    post, path = "/v1/events", tag = "events",
    request_body(content = super::openapi::CloudEventShape, content_type = "application/cloudevents+json"),
    responses(
        (status = 200, description = "What came of the event; for a batch, of each", body = ObservedAnswer),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 409, description = "The event's id was used before with other data", body = Problem),
        (status = 413, description = "The body or the batch is too large", body = Problem),
        (status = 415, description = "Neither JSON nor MessagePack", body = Problem),
        (status = 422, description = "The event does not fit its schema", body = Problem),
        (status = 503, description = "Not taken on", body = Problem),
    ),
)]
pub(super) async fn events(
    engine: web::Data<Engine>,
    (limits, turnstile): (web::Data<Limits>, web::Data<Turnstile>),
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (mut options, standing) = (options_of(request.headers())?, Standing::of(&request));
    options.trace = standing.of_event(None);
    options.waited = turnstile.waited();
    let event = match mode(request.headers()) {
        Mode::Structured => body.decode::<Object<CloudEvent>>()?.0,
        Mode::Binary => from_headers(request.headers(), &body)?,
        Mode::Batched => return observe_batch((&engine, &turnstile), &limits, &body, &options).await,
    };
    let Arrived { event, trace } = event.into_event().map_err(Problem::of_faults)?;
    options.trace = standing.of_event(trace);
    let observed = settled(engine.observe_in(turnstile.unweighed(), event, &options).await)?;
    let span = observed.decisions.first().map_or(1, |decision| decision.id.to_u128() as u64);
    let mut response = answer(body.answer, &ObservedAnswer::from(observed));
    standing.answer(&mut response, span);
    Ok(response)
}

async fn observe_batch(
    (engine, turnstile): (&Engine, &Turnstile),
    limits: &Limits,
    body: &Body,
    options: &Options,
) -> Result<HttpResponse, Problem> {
    let mut sound = Vec::new();
    let mut faulty = Vec::new();
    let events = batch_of(body, limits)?;
    turnstile.count_events(events.len());
    for event in events {
        match event.into_event() {
            Ok(arrived) => {
                sound.push(arrived.event);
                faulty.push(None);
            }
            Err(faults) => faulty.push(Some(Problem::of_faults(faults))),
        }
    }
    let mut observed = engine.observe_batch_in(turnstile.unweighed(), sound, options).await.into_iter();
    let mut results = Vec::with_capacity(faulty.len());
    for faults in faulty {
        let ended = || Err(Problem::unreadable("the batch ended early"));
        let result = match faults {
            Some(problem) => Err(problem),
            None => observed.next().map_or_else(ended, settled),
        };
        results.push(match result {
            Ok(observed) => ObservedItem::Observed(Box::new(observed.into())),
            Err(problem) => ObservedItem::Problem(Box::new(problem)),
        });
    }
    let observed = results.iter().filter(|item| matches!(item, ObservedItem::Observed(_))).count();
    let failed = results.len() - observed;
    turnstile.count_events(results.len());
    Ok(answer(body.answer, &ObservedBatch { results, observed, failed }))
}

fn mode(headers: &HeaderMap) -> Mode {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.to_ascii_lowercase();
    if media_type.starts_with("application/cloudevents-batch") {
        Mode::Batched
    } else if !media_type.starts_with("application/cloudevents") && headers.contains_key("ce-specversion") {
        Mode::Binary
    } else {
        Mode::Structured
    }
}

/// An event in binary mode: attributes in headers, data in the body.
fn from_headers(headers: &HeaderMap, body: &Body) -> Result<CloudEvent, Problem> {
    let mut faults = Vec::new();
    let mut attribute = |name: &str| {
        let value = headers.get(format!("ce-{name}"))?;
        let decoded = value.to_str().ok().and_then(percent_decoded);
        if decoded.is_none() {
            let message = format!("the header `ce-{name}` is not percent-encoded UTF-8");
            faults.push(Fault::new(&format!("/{name}"), message));
        }
        decoded.map(Raw::Text)
    };
    let event = CloudEvent {
        specversion: attribute("specversion"),
        id: attribute("id"),
        source: attribute("source"),
        kind: attribute("type"),
        subject: attribute("subject"),
        time: attribute("time"),
        traceparent: attribute("traceparent"),
        tracestate: attribute("tracestate"),
        data: if body.is_empty() { None } else { Some(body.decode()?) },
        ..CloudEvent::default()
    };
    if faults.is_empty() { Ok(event) } else { Err(Problem::of_faults(faults)) }
}

/// Header values are percent-encoded UTF-8 (HTTP binding, section 3.1.3.2).
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = [*rest.next()?, *rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

impl From<Observed> for ObservedAnswer {
    fn from(observed: Observed) -> Self {
        let Observed { customer, decisions, is_duplicate, durability } = observed;
        Self { customer, decisions, duplicate: is_duplicate, durability }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_percent_decoded() {
        assert_eq!(percent_decoded("Euro%20%E2%82%AC").as_deref(), Some("Euro €"));
        assert_eq!(percent_decoded("plain").as_deref(), Some("plain"));
        for malformed in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(percent_decoded(malformed), None, "{malformed}");
        }
    }
}
