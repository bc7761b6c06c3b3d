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
    #[schema(required = false)]
    reason: Option<String>,
    /// How far the stored states are brought up to date with the journal, while that goes on behind the decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    recovery: Option<RecoveryView>,
}

/// How far recovery has come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecoveryView {
    /// The record up to which the journal has been read.
    record: u64,
    /// The record up to which it is to be read.
    of: u64,
}

impl Health {
    fn new(status: &'static str, reason: Option<String>) -> Self {
        Self { status, reason, recovery: None }
    }
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operate", responses((status = 200, description = "Alive", body = Health)))]
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(Health::new("ok", None))
}

/// Whether the engine can answer.
///
/// It is ready while recovery goes on behind the decisions, and says so.
#[utoipa::path(
    get, path = "/readyz", tag = "operate",
    responses(
        (status = 200, description = "Ready; with the status `disk_full` for playbooks alone that are answered without the disk", body = Health),
        (status = 503, description = "Not ready: the journal has stopped, recovery has failed, or the disk is full", body = Health),
    ),
)]
pub(super) async fn ready(engine: web::Data<Engine>) -> HttpResponse {
    let recovery = engine.recovery();
    if let Some(reason) = recovery.failure() {
        let reason = Some(reason.to_owned());
        return HttpResponse::ServiceUnavailable().json(Health::new("recovery_failed", reason));
    }
    if let Some(reason) = engine.stopped_because() {
        let reason = Some(reason.to_string());
        return HttpResponse::ServiceUnavailable().json(Health::new("journal_stopped", reason));
    }
    if engine.is_disk_full() {
        // Traffic that goes elsewhere would not be answered: one who is answered here has their state here.
        let (mut response, reason) = if engine.answers_without_disk() {
            (HttpResponse::Ok(), "the journal waits for room on the disk; only what does not wait for it is answered")
        } else {
            (HttpResponse::ServiceUnavailable(), "the journal waits for room on the disk")
        };
        return response.json(Health::new("disk_full", Some(reason.to_owned())));
    }
    let recovery = recovery.is_under_way().then(|| RecoveryView { record: recovery.done, of: recovery.last });
    HttpResponse::Ok().json(Health { recovery, ..Health::new("ok", None) })
}
