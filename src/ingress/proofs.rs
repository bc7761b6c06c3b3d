//! What is proved of the journal, over HTTP: tree heads, proofs, packets.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Problem;
use super::body::{answer, answer_format};
use super::lookup::{off_the_worker, parsed, unknown};
use crate::engine::{ConsistencyShown, Engine, InclusionShown, Packet, Proved};

/// A decision with everything that proves it to a third party.
///
/// The record of its turn and that of its bundle go along, each with its proof of inclusion under a signed tree head. One is
/// signed if the last does not cover the decision yet.
#[utoipa::path(
    get, path = "/v1/decisions/{id}/packet", tag = "decisions",
    params(("id" = String, Path, description = "The decision's id")),
    responses(
        (status = 200, description = "The packet", body = Packet),
        (status = 400, description = "Not a decision id", body = Problem),
        (status = 404, description = "No such decision on disk", body = Problem),
    ),
)]
pub(super) async fn packet(engine: web::Data<Engine>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = parsed(&id)?;
    let packet = off_the_worker(move || engine.packet(id)).await?;
    // A packet is a file: in JSON for everyone.
    packet.map(|packet| HttpResponse::Ok().json(packet)).ok_or_else(|| unknown(id))
}

/// The newest signed tree head.
///
/// It is over everything that is on disk: one is signed if there is news. A signed note, as C2SP's tlog-checkpoint has it.
#[utoipa::path(
    get, path = "/v1/log/checkpoint", tag = "log",
    responses(
        (status = 200, description = "The head", body = String, content_type = "text/plain"),
        (status = 404, description = "Nothing is signed: there is no record, or the data is temporary", body = Problem),
    ),
)]
pub(super) async fn checkpoint(engine: web::Data<Engine>) -> Result<HttpResponse, Problem> {
    let head = off_the_worker(move || engine.tree_head()).await?;
    Ok(text(head.to_string()))
}

/// The key that verifies tree heads.
///
/// Whoever verifies should have it from another hand as well: a server that lies about its journal lies about its key.
#[utoipa::path(
    get, path = "/v1/log/key", tag = "log",
    responses(
        (status = 200, description = "The key, as signed notes have it: `name+id+base64`", body = String, content_type = "text/plain"),
        (status = 404, description = "Nothing is signed: the data is temporary", body = Problem),
    ),
)]
pub(super) async fn key(engine: web::Data<Engine>) -> Result<HttpResponse, Problem> {
    Ok(text(format!("{}\n", engine.verifier_key()?)))
}

fn text(body: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(body)
}

/// Which record is to be proved, and in which tree.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct InclusionQuery {
    /// The decision whose record is proved.
    decision: Option<String>,
    /// The sequence of the record, from 1, instead of a decision.
    record: Option<u64>,
    /// The size of the tree; by default the newest signed head's.
    size: Option<u64>,
}

/// A proof that a record is in the journal.
#[utoipa::path(
    get, path = "/v1/log/inclusion", tag = "log", params(InclusionQuery),
    responses(
        (status = 200, description = "The proof", body = InclusionShown),
        (status = 400, description = "The query cannot be read, or is not a decision id", body = Problem),
        (status = 404, description = "No such decision, record or tree", body = Problem),
    ),
)]
pub(super) async fn inclusion(engine: web::Data<Engine>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let InclusionQuery { decision, record, size } = query(&request)?;
    let proved = match (decision, record) {
        (Some(id), None) => Proved::Decision(parsed(&id)?),
        (None, Some(record)) => Proved::Record(record),
        _ => return Err(Problem::unreadable("the query: name either a `decision` or a `record`")),
    };
    let shown = off_the_worker(move || engine.inclusion(proved, size)).await?;
    match (shown, proved) {
        (Some(shown), _) => Ok(answer(answer_format(request.headers()).unwrap_or_default(), &shown)),
        (None, Proved::Decision(id)) => Err(unknown(id)),
        (None, Proved::Record(record)) => Err(Problem::not_found(format!("there is no record {record} on disk"))),
    }
}

/// Which trees are to be compared.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ConsistencyQuery {
    /// The size of the older tree.
    from: u64,
    /// The size of the newer tree; by default the newest signed head's.
    to: Option<u64>,
}

/// A proof that the journal of one size is the beginning of the journal of another.
#[utoipa::path(
    get, path = "/v1/log/consistency", tag = "log", params(ConsistencyQuery),
    responses(
        (status = 200, description = "The proof", body = ConsistencyShown),
        (status = 400, description = "The query cannot be read", body = Problem),
        (status = 404, description = "No such trees", body = Problem),
    ),
)]
pub(super) async fn consistency(engine: web::Data<Engine>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let ConsistencyQuery { from, to } = query(&request)?;
    let shown = off_the_worker(move || engine.consistency(from, to)).await?;
    Ok(answer(answer_format(request.headers()).unwrap_or_default(), &shown))
}

fn query<Q: for<'de> Deserialize<'de>>(request: &HttpRequest) -> Result<Q, Problem> {
    let query = web::Query::<Q>::from_query(request.query_string());
    query.map(web::Query::into_inner).map_err(|e| Problem::unreadable(format!("the query: {e}")))
}
