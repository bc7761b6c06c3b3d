//! The self-check, now.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::actor::Shed;
use crate::engine::{Engine, SelfCheckReport};
use crate::ingress::Problem;

/// Goes every way that a decision of any playbook can take, with synthetic customers: a whole decision, and each fallback.
#[utoipa::path(
    post, path = "/v1/selfcheck", tag = "operate",
    responses(
        (status = 200, description = "Nothing failed", body = SelfCheckReport),
        (status = 409, description = "Another self-check is under way", body = Problem),
        (status = 503, description = "Something failed: what, for each way", body = SelfCheckReport),
    ),
)]
pub(super) async fn check(engine: web::Data<Engine>) -> Result<HttpResponse, Problem> {
    // It writes to the journal and reads it back: not on a worker.
    let report = web::block(move || engine.selfcheck()).await.map_err(|_| Problem::from(Shed::Stopping))?;
    let Some(report) = report else {
        let detail = "a self-check is under way; ask again when it is over";
        return Err(Problem::new(StatusCode::CONFLICT, "selfcheck", "one self-check at a time", detail));
    };
    let mut response = if report.passed { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    Ok(response.json(report))
}
