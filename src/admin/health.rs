//! Is the process alive, and should it get traffic?

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::Engine;

/// A state of health.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, or what is wrong.
    status: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operate", responses((status = 200, description = "Alive", body = Health)))]
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok", reason: None })
}

/// Whether the engine can answer.
#[utoipa::path(
    get, path = "/readyz", tag = "operate",
    responses(
        (status = 200, description = "Ready; with the status `disk_full` for playbooks alone that are answered without the disk", body = Health),
        (status = 503, description = "Not ready: the journal has stopped, or the disk is full", body = Health),
    ),
)]
pub(super) async fn ready(engine: web::Data<Engine>) -> HttpResponse {
    if let Some(reason) = engine.stopped_because() {
        let reason = Some(reason.to_string());
        return HttpResponse::ServiceUnavailable().json(Health { status: "journal_stopped", reason });
    }
    if engine.is_disk_full() {
        // Traffic that goes elsewhere would not be answered: one who is answered here has their state here.
        let (mut response, reason) = if engine.answers_without_disk() {
            (HttpResponse::Ok(), "the journal waits for room on the disk; only what does not wait for it is answered")
        } else {
            (HttpResponse::ServiceUnavailable(), "the journal waits for room on the disk")
        };
        return response.json(Health { status: "disk_full", reason: Some(reason.to_owned()) });
    }
    HttpResponse::Ok().json(Health { status: "ok", reason: None })
}
