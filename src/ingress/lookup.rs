//! Looking at decisions, and telling facts, over HTTP.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{Body, Object, answer, answer_format};
use super::decide::settled;
use super::{Fault, Problem};
use crate::domain::{DecisionId, Durability, Raw, Timestamp};
use crate::engine::{Decision, Engine, Error, Explanation, Facts, FeedbackShown};

/// A decision, and what was said of it afterwards.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DecisionLookedUp {
    #[serde(flatten)]
    decision: Decision,
    /// What was said of it, in the order in which it came; `null` if the journal cannot be searched for it.
    #[schema(required = true)]
    feedback: Option<Vec<FeedbackShown>>,
}

/// A decision by its id, with the feedback on it.
#[utoipa::path(
    get, path = "/v1/decisions/{id}", tag = "decisions",
    params(("id" = String, Path, description = "The decision's id")),
    responses(
        (status = 200, description = "The decision", body = DecisionLookedUp),
        (status = 400, description = "Not a decision id", body = Problem),
        (status = 404, description = "No such decision on disk", body = Problem),
    ),
)]
pub(super) async fn decision(
    engine: web::Data<Engine>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = parsed(&id)?;
    let found = off_the_worker(move || looked_up(&engine, id)).await?;
    match found {
        Some(looked_up) => Ok(answer(answer_format(request.headers()).unwrap_or_default(), &looked_up)),
        None => Err(unknown(id)),
    }
}

fn looked_up(engine: &Engine, id: DecisionId) -> Result<Option<DecisionLookedUp>, Error> {
    let Some(decision) = engine.decision(id)? else { return Ok(None) };
    // A decision is shown whatever became of later records.
    let feedback = engine.feedback_on(id).unwrap_or_else(|error| {
        tracing::warn!(%error, "the journal cannot be searched for feedback on a decision");
        None
    });
    Ok(Some(DecisionLookedUp { decision, feedback }))
}

/// What is asked of an explanation.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainQuery {
    /// The id of a rule that did not decide: the answer says why not, and the nearest change that would make it
    why_not: Option<String>,
}

/// Why a decision came out as it did.
#[utoipa::path(
    get, path = "/v1/decisions/{id}/explain", tag = "decisions",
    params(("id" = String, Path, description = "The decision's id"), ExplainQuery),
    responses(
        (status = 200, description = "The explanation", body = Explanation),
        (status = 400, description = "Not a decision id", body = Problem),
        (status = 404, description = "No such decision on disk, or no such rule", body = Problem),
    ),
)]
pub(super) async fn explain(
    engine: web::Data<Engine>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = parsed(&id)?;
    let query = web::Query::<ExplainQuery>::from_query(request.query_string())
        .map_err(|e| Problem::unreadable(format!("the query: {e}")))?;
    let found = off_the_worker(move || match &query.why_not {
        Some(rule) => engine.why_not(id, rule),
        None => engine.explain(id),
    })
    .await?;
    match found {
        Some(explanation) => Ok(answer(answer_format(request.headers()).unwrap_or_default(), &explanation)),
        None => Err(unknown(id)),
    }
}

pub(super) fn parsed(id: &str) -> Result<DecisionId, Problem> {
    id.parse::<DecisionId>().map_err(|e| Error::from(e).into())
}

pub(super) fn unknown(id: DecisionId) -> Problem {
    Problem::not_found(format!("there is no decision {id} on disk"))
}

/// Runs what reads the disk where it holds up no other request.
pub(super) async fn off_the_worker<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Problem> {
    match web::block(read).await {
        Ok(result) => result.map_err(Problem::from),
        Err(_) => Err(crate::actor::Shed::Stopping.into()),
    }
}

/// Facts about a customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactsBody {
    /// The facts by name; a null withdraws one.
    #[schema(value_type = Object)]
    facts: Raw,
    /// Who says so.
    source: Option<String>,
    /// When it was observed (RFC 3339); now if absent.
    observed_at: Option<String>,
}

/// What became of facts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FactsAnswer {
    /// Facts that were set or withdrawn.
    taken: Vec<String>,
    /// Facts that were not, because a later observation is held.
    outdated: Vec<String>,
    /// How safely they were kept: `disk` or `pending`.
    #[schema(value_type = String)]
    durability: Durability,
}

/// Tells facts about a customer.
///
/// Sets the facts that are named and leaves the others alone; a null withdraws one. A fact of which a later observation is
/// held stays as it is.
#[utoipa::path(
    put, path = "/v1/customers/{id}/facts", tag = "customers",
    params(("id" = String, Path, description = "The customer's id")),
    request_body(content = FactsBody, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of the facts", body = FactsAnswer),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 422, description = "The facts do not fit their declarations", body = Problem),
        (status = 503, description = "Not taken on", body = Problem),
    ),
)]
pub(super) async fn put_facts(
    engine: web::Data<Engine>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let Object(FactsBody { facts, source, observed_at }) = body.decode()?;
    let Raw::Map(values) = facts else {
        let fault = Fault::new("/facts", format!("`facts` is {}, expected an object", facts.kind()));
        return Err(Problem::of_faults(vec![fault]));
    };
    let observed_at = self::observed_at(observed_at)?;
    let facts = Facts { source: source.unwrap_or_default(), observed_at, values };
    let taken = settled(engine.put_facts(&id, facts).await)?;
    let taken = FactsAnswer { taken: taken.taken, outdated: taken.outdated, durability: taken.durability };
    Ok(answer(body.answer, &taken))
}

/// When something was observed, of what says it.
pub(super) fn observed_at(text: Option<String>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    text.parse().map(Some).map_err(|e| {
        let fault = Fault::new("/observed_at", format!("`observed_at` `{text}` is {e}"));
        Problem::of_faults(vec![fault])
    })
}
