//! Kill switches, and how the providers of large models stand.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::actor::Shed;
use crate::engine::{Engine, ProvidersView, SwitchView, Switching};
use crate::ingress::{Body, Object, Problem, answer, answer_format};

/// Everything that is switched off.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SwitchList {
    /// By kind and name.
    switches: Vec<SwitchView>,
}

/// How a switch is to stand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SwitchBody {
    /// Whether it is to be off.
    off: bool,
    /// Why; needed to switch something off.
    reason: Option<String>,
    /// Who says so; `http` if absent.
    who: Option<String>,
}

/// Everything that somebody has switched off.
#[utoipa::path(
    get, path = "/v1/switches", tag = "operate",
    responses((status = 200, description = "What is off, by kind and name", body = SwitchList)),
)]
pub(super) async fn list(engine: web::Data<Engine>, request: HttpRequest) -> HttpResponse {
    let switches = engine.switches();
    answer(answer_format(request.headers()).unwrap_or_default(), &SwitchList { switches })
}

/// Switches a provider, a model or an agent off, or on again.
///
/// What is off is asked by nobody from now on, also after a restart; what it says to those who have asked already is not used.
#[utoipa::path(
    put, path = "/v1/switches/{kind}/{name}", tag = "operate",
    params(
        ("kind" = String, Path, description = "`provider`, `model` or `agent`"),
        ("name" = String, Path, description = "A provider by its name, a model as in `openai/small`, an agent as in `ticket_router` or `ticket_router@1`"),
    ),
    request_body(content = SwitchBody, content_type = "application/json"),
    responses(
        (status = 200, description = "How it stands now", body = SwitchView),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 404, description = "There is no such thing", body = Problem),
        (status = 422, description = "No reason is given, or it is too long", body = Problem),
        (status = 500, description = "It could not be written down: what was switched off is off until a restart, what was to be switched on stays off", body = Problem),
    ),
)]
pub(super) async fn turn(
    engine: web::Data<Engine>,
    path: web::Path<(String, String)>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let Object(SwitchBody { off, reason, who }): Object<SwitchBody> = body.decode()?;
    let ((kind, name), engine) = (path.into_inner(), engine.into_inner());
    let turned = web::block(move || {
        let (reason, who) = (reason.as_deref().unwrap_or_default().trim(), who.as_deref().unwrap_or("http"));
        let to = if off { Switching::Off { reason, who } } else { Switching::On };
        engine.switch(&kind, &name, to)
    });
    // It is written to the disk: not on a worker.
    let turned = turned.await.map_err(|_| Problem::from(Shed::Stopping))??;
    Ok(answer(body.answer, &turned))
}

/// How the providers of large models stand: breaker, learned latency, requests under way; and what was spent of the day's budgets.
#[utoipa::path(
    get, path = "/v1/providers", tag = "operate",
    responses((status = 200, description = "The providers, and the budgets of the bundle in force", body = ProvidersView)),
)]
pub(super) async fn providers(engine: web::Data<Engine>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    // Whoever writes down what was spent is waited for: not on a worker.
    let view = web::block(move || engine.providers()).await.map_err(|_| Problem::from(Shed::Stopping))?;
    Ok(answer(answer_format(request.headers()).unwrap_or_default(), &view))
}
