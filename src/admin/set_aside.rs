//! Inputs that are set aside: listed, shown, released.

use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::actor::InputId;
use crate::engine::{Engine, SetAsideDetail, SetAsideView};
use crate::ingress::{Problem, answer, answer_format};

/// Inputs that a page has if it does not say.
const PAGE: usize = 100;

/// Inputs that a page may have.
const PAGE_MAX: usize = 1_000;

/// Which page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// The last `id` of the page before.
    after: Option<String>,
    /// How many at most; 1 to 1,000, by default 100.
    limit: Option<usize>,
}

/// A page of the list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SetAsideList {
    /// By their ids.
    inputs: Vec<SetAsideView>,
    /// What to ask for next as `after`; `null` at the end.
    next: Option<String>,
}

/// An input that is set aside, with its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SetAsideShown {
    #[serde(flatten)]
    detail: SetAsideDetail,
    /// The input's bytes in the form of a record (MessagePack), in base64.
    bytes_base64: String,
}

/// Inputs that are set aside, because turns on them have panicked.
#[utoipa::path(
    get, path = "/v1/set-aside", tag = "operate", params(Page),
    responses((status = 200, description = "A page of the list", body = SetAsideList)),
)]
pub(super) async fn list(
    engine: web::Data<Engine>,
    request: HttpRequest,
    page: web::Query<Page>,
) -> Result<HttpResponse, Problem> {
    let after = page.after.as_deref().map(id_of).transpose()?;
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let mut inputs = engine.set_aside(after, limit + 1);
    let is_more = inputs.len() > limit;
    inputs.truncate(limit);
    let next = if is_more { inputs.last().map(|last| last.id.clone()) } else { None };
    Ok(answer(answer_format(request.headers()).unwrap_or_default(), &SetAsideList { inputs, next }))
}

/// An input that is set aside: what is known of it, what it holds, and its bytes.
#[utoipa::path(
    get, path = "/v1/set-aside/{id}", tag = "operate", params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The input", body = SetAsideShown),
        (status = 404, description = "No such input is set aside", body = Problem),
    ),
)]
pub(super) async fn show(
    engine: web::Data<Engine>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let parsed = id_of(&id)?;
    let engine = engine.into_inner();
    let read = web::block(move || engine.set_aside_detail(parsed)).await;
    let read = read.map_err(|_| gone(&id))?.map_err(Problem::from)?;
    let detail = read.ok_or_else(|| gone(&id))?;
    let bytes_base64 = STANDARD.encode(&detail.bytes);
    Ok(answer(answer_format(request.headers()).unwrap_or_default(), &SetAsideShown { detail, bytes_base64 }))
}

/// Releases an input: it may be tried again.
#[utoipa::path(
    delete, path = "/v1/set-aside/{id}", tag = "operate", params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 204, description = "It may be tried again"),
        (status = 404, description = "No such input is set aside", body = Problem),
    ),
)]
pub(super) async fn release(engine: web::Data<Engine>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let parsed = id_of(&id)?;
    let engine = engine.into_inner();
    let released = web::block(move || engine.release_set_aside(parsed)).await.map_err(|_| gone(&id))?;
    if released.map_err(Problem::from)? { Ok(HttpResponse::NoContent().finish()) } else { Err(gone(&id)) }
}

fn id_of(text: &str) -> Result<InputId, Problem> {
    text.parse().map_err(|_| gone(text))
}

fn gone(id: &str) -> Problem {
    Problem::not_found(format!("no input `{id}` is set aside"))
}
