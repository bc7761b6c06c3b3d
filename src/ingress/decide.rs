//! Deciding over HTTP.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

use super::body::{Body, Object, answer};
use super::cloud_event::{Arrived, CloudEvent};
use super::standing::Standing;
use super::{Fault, Limits, Problem, Turnstile};
use crate::engine::{Answer, Budget, Decision, Engine, Error, Options};

/// What a call in a batch came to: a decision or a problem.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BatchItem {
    /// It was decided.
    Decision(Box<Decision>),
    /// It was not, and why.
    Problem(Box<Problem>),
}

/// The answers to a batch, in the order of its events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer {
    /// One for each event.
    pub(crate) results: Vec<BatchItem>,
    /// How many were decided.
    pub(crate) decided: usize,
    /// How many were not.
    pub(crate) failed: usize,
}

/// Decides on one event.
///
/// The same event (`source` and `id`) again gives the same decision, with `duplicate` set.
#[utoipa::path(
    post, path = "/v1/decide/{playbook}", tag = "decide",
    params(
        ("playbook" = String, Path, description = "The playbook's name"),
        ("x-budget-ms" = Option<u64>, Header, description = "How long the caller waits at most; the playbook's budget holds if it is smaller"),
        ("x-priority" = Option<u8>, Header, description = "What the call is worth under overload, 0 to 9; the playbook's priority holds if it is lower"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; the trace id is kept with the decision, and the flag that says whether spans are kept is obeyed"),
    ),
    request_body(content = super::openapi::CloudEventShape, content_type = "application/json", description = "A CloudEvent 1.0; also as `application/msgpack`"),
    responses(
        (status = 200, description = "The decision", body = Decision),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 404, description = "There is no such playbook", body = Problem),
        (status = 409, description = "The event's id was used before with other data", body = Problem),
        (status = 413, description = "The body is too large", body = Problem),
        (status = 415, description = "Neither JSON nor MessagePack", body = Problem),
        (status = 422, description = "The event does not fit its schema", body = Problem),
        (status = 429, description = "Too many requests of this customer wait", body = Problem),
        (status = 408, description = "The body took too long", body = Problem),
        (status = 503, description = "Not taken on: more is offered than can be done, the disk is behind, or the engine is stopping", body = Problem),
    ),
)]
pub(super) async fn decide(
    engine: web::Data<Engine>,
    turnstile: web::Data<Turnstile>,
    playbook: web::Path<String>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (mut options, standing) = (options_of(request.headers())?, Standing::of(&request));
    let Arrived { event, trace } = body.decode::<Object<CloudEvent>>()?.0.into_event().map_err(Problem::of_faults)?;
    options.trace = standing.of_event(trace);
    options.waited = turnstile.waited();
    let decision = settled(engine.decide_in(turnstile.weighed(), &playbook, event, &options).await)?;
    let mut response = answer(body.answer, &decision);
    standing.answer(&mut response, decision.id.to_u128() as u64);
    Ok(response)
}

/// Decides on many events.
///
/// The answers come in the order of the events; one that cannot be decided does not hold up the others.
#[utoipa::path(
    post, path = "/v1/decide/{playbook}/batch", tag = "decide",
    params(
        ("playbook" = String, Path, description = "The playbook's name"),
        ("x-budget-ms" = Option<u64>, Header, description = "How long the caller waits at most for each event"),
        ("x-priority" = Option<u8>, Header, description = "What the batch is worth under overload, 0 to 9; three less than the playbook's priority if it does not say, and never more than that"),
    ),
    request_body(content = Vec<super::openapi::CloudEventShape>, content_type = "application/json"),
    responses(
        (status = 200, description = "A decision or a problem for each event", body = BatchAnswer),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 404, description = "There is no such playbook", body = Problem),
        (status = 413, description = "The body or the batch is too large", body = Problem),
    ),
)]
pub(super) async fn decide_batch(
    engine: web::Data<Engine>,
    (limits, turnstile): (web::Data<Limits>, web::Data<Turnstile>),
    playbook: web::Path<String>,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let mut options = options_of(request.headers())?;
    options.trace = Standing::of(&request).of_event(None);
    if engine.bundle().playbook_number(&playbook).is_none() {
        let hint = engine.bundle().suggest_playbook(&playbook);
        return Err(Error::UnknownPlaybook { name: playbook.into_inner(), hint }.into());
    }
    let events = batch_of(&body, &limits)?;
    options.waited = turnstile.waited();
    turnstile.count_events(events.len());
    let mut sound = Vec::with_capacity(events.len());
    let mut results: Vec<Option<BatchItem>> = Vec::with_capacity(events.len());
    for event in events {
        match event.into_event() {
            Ok(arrived) => {
                sound.push(arrived.event);
                results.push(None);
            }
            Err(faults) => results.push(Some(problem_item(Problem::of_faults(faults)))),
        }
    }
    let mut decided = engine.decide_batch_in(turnstile.weighed(), &playbook, sound, &options).await.into_iter();
    let results: Vec<BatchItem> = results
        .into_iter()
        .map(|known| match known {
            Some(problem) => problem,
            None => match decided.next().map(settled) {
                Some(Ok(decision)) => BatchItem::Decision(Box::new(decision)),
                Some(Err(problem)) => problem_item(problem),
                None => problem_item(Problem::unreadable("the batch ended early")),
            },
        })
        .collect();
    let count = results.iter().filter(|item| matches!(item, BatchItem::Decision(_))).count();
    let failed = results.len() - count;
    turnstile.count_events(results.len());
    Ok(answer(body.answer, &BatchAnswer { results, decided: count, failed }))
}

fn problem_item(problem: Problem) -> BatchItem {
    BatchItem::Problem(Box::new(problem))
}

/// The events of a batch, within the limit on their number.
pub(super) fn batch_of(body: &Body, limits: &Limits) -> Result<Vec<CloudEvent>, Problem> {
    let events: Vec<Object<CloudEvent>> = body.decode()?;
    if events.len() > limits.batch_max {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "batch-too-large",
            "the batch is too large",
            format!("a batch may have {} events, this one has {}", limits.batch_max, events.len()),
        ));
    }
    Ok(events.into_iter().map(|Object(event)| event).collect())
}

/// A shed request is a problem to an HTTP caller.
pub(super) fn settled<T>(given: Result<Answer<T>, Error>) -> Result<T, Problem> {
    given.map_err(Problem::from)?.into_result().map_err(Problem::from)
}

/// The options that a request's headers carry.
pub(super) fn options_of(headers: &HeaderMap) -> Result<Options, Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let budget = match text("x-budget-ms").map(str::parse::<u64>) {
        None => Budget::Playbook,
        Some(Ok(ms @ 1..=600_000)) => Budget::AtMost(Duration::from_millis(ms)),
        Some(_) => {
            let fault =
                Fault::new("/headers/x-budget-ms", "`x-budget-ms` is a whole number of milliseconds from 1 to 600000");
            let problem = Problem::of_faults(vec![fault]);
            return Err(problem);
        }
    };
    let priority = match text("x-priority").map(str::parse::<u8>) {
        None => None,
        Some(Ok(priority @ 0..=9)) => Some(priority),
        Some(_) => {
            let fault = Fault::new("/headers/x-priority", "`x-priority` is a whole number from 0 to 9");
            return Err(Problem::of_faults(vec![fault]));
        }
    };
    Ok(Options { budget, priority, ..Options::default() })
}
