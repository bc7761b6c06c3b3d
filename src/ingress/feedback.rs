//! What became of a decision, told over HTTP.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{Body, Object, answer};
use super::decide::settled;
use super::lookup::{off_the_worker, parsed};
use super::{Fault, Problem};
use crate::domain::{Settlement, suggestion};
use crate::engine::{Engine, Error, SettledShown};

/// What became of a decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedbackBody {
    /// `commit`: it was carried out. `release`: it was not, and what it reserved is given back.
    settlement: String,
}

/// Settles a pending decision.
///
/// The same settlement again is answered the same.
#[utoipa::path(
    post, path = "/v1/decisions/{id}/feedback", tag = "decisions",
    params(("id" = String, Path, description = "The decision's id")),
    request_body(content = FeedbackBody, content_type = "application/json"),
    responses(
        (status = 200, description = "It is settled like this, now or before", body = SettledShown),
        (status = 400, description = "Not a decision id, or the body cannot be read", body = Problem),
        (status = 404, description = "No such decision", body = Problem),
        (status = 409, description = "It was settled otherwise, its time is over, or it never was pending", body = Problem),
        (status = 422, description = "Not a settlement", body = Problem),
        (status = 503, description = "Not taken on", body = Problem),
    ),
)]
pub(super) async fn feedback(
    engine: web::Data<Engine>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = parsed(&id)?;
    let Object(FeedbackBody { settlement }) = body.decode()?;
    let settlement = settlement_of(&settlement)?;
    let find = |engine: web::Data<Engine>| off_the_worker(move || engine.settling(id, settlement));
    let mut found = find(engine.clone()).await?;
    if found.is_none() {
        engine.caught_up().await?;
        found = find(engine.clone()).await?;
    }
    let Some(settling) = found else { return Err(Error::UnknownDecision(id).into()) };
    let shown = match settled(engine.settle_found(&settling).await)? {
        Some(shown) => shown,
        None => off_the_worker(move || engine.settled_before(&settling)).await?,
    };
    Ok(answer(body.answer, &shown))
}

fn settlement_of(text: &str) -> Result<Settlement, Problem> {
    let known = [Settlement::Commit, Settlement::Release];
    known.into_iter().find(|settlement| settlement.as_str() == text).ok_or_else(|| {
        let hint = suggestion(text, known.map(Settlement::as_str));
        let detail = format!("`settlement` expected `commit` or `release`, found `{text}`{hint}");
        Problem::of_faults(vec![Fault::new("/settlement", detail)])
    })
}
