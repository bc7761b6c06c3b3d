//! How the caps of all customers together stand.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::{Engine, GlobalCapView};
use crate::ingress::{Problem, answer, answer_format};

/// The global caps of the bundle in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CapsView {
    /// Each once, in the order in which the playbooks name them.
    caps: Vec<GlobalCapView>,
}

/// How the global caps stand.
///
/// Caps that hold for each customer are in the customer's view.
#[utoipa::path(
    get, path = "/v1/caps", tag = "operate",
    responses(
        (status = 200, description = "The global caps of the bundle in force", body = CapsView),
        (status = 503, description = "Not taken on", body = Problem),
    ),
)]
pub(super) async fn caps(engine: web::Data<Engine>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    // Each partition of customers is asked, and one whose turn is under way is waited for: not on a worker.
    let asked = web::block(move || engine.caps()).await;
    let caps = asked.map_err(|_| Problem::from(crate::actor::Shed::Stopping))?.into_result()?;
    Ok(answer(answer_format(request.headers()).unwrap_or_default(), &CapsView { caps }))
}
