//! Is the process alive, and should it get traffic?

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::actor::RecoveryProgress;
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

/// Whether the journal has room.
#[derive(Clone, Copy, Debug)]
enum Disk {
    HasRoom,
    /// None, and some playbook is answered all the same.
    FullForSome,
    Full,
}

impl Health {
    fn new(status: &'static str, reason: Option<String>) -> Self {
        Self { status, reason, recovery: None }
    }

    /// More has been offered than can be done, for longer than a burst.
    fn overloaded() -> Self {
        Self::new(
            "overloaded",
            Some("requests of normal priority are being shed: more is offered than can be done".to_owned()),
        )
    }

    /// The health of an engine; an error if it acknowledges nothing.
    fn of(recovery: &RecoveryProgress, stopped: Option<String>, disk: Disk) -> Result<Self, Self> {
        if let Some(reason) = recovery.failure() {
            return Err(Self::new("recovery_failed", Some(reason.to_owned())));
        }
        if stopped.is_some() {
            return Err(Self::new("journal_stopped", stopped));
        }
        let full = |reason: &str| Self::new("disk_full", Some(reason.to_owned()));
        match disk {
            Disk::HasRoom => {}
            // Traffic that goes elsewhere would not be answered: one who is answered here has their state here.
            Disk::FullForSome => {
                return Ok(full("the journal waits for room on the disk; only what does not wait for it is answered"));
            }
            Disk::Full => return Err(full("the journal waits for room on the disk")),
        }
        let view = || RecoveryView { record: recovery.done, of: recovery.last };
        Ok(Self { recovery: recovery.is_under_way().then(view), ..Self::new("ok", None) })
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
        (status = 503, description = "Not ready: the journal has stopped, recovery has failed, the disk is full, or requests have been shed for seconds because more is offered than can be done", body = Health),
    ),
)]
pub(super) async fn ready(engine: web::Data<Engine>) -> HttpResponse {
    let stopped = engine.stopped_because().map(|reason| reason.to_string());
    let disk = match (engine.is_disk_full(), engine.answers_without_disk()) {
        (false, _) => Disk::HasRoom,
        (true, true) => Disk::FullForSome,
        (true, false) => Disk::Full,
    };
    match Health::of(&engine.recovery(), stopped, disk) {
        Ok(_) if engine.is_strained() => HttpResponse::ServiceUnavailable().json(Health::overloaded()),
        Ok(health) => HttpResponse::Ok().json(health),
        Err(health) => HttpResponse::ServiceUnavailable().json(health),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::RecoveryStage;

    #[test]
    fn it_is_ready_while_recovery_goes_on_and_not_when_it_has_failed() {
        let progress = |stage| RecoveryProgress { stage, from: 5, done: 7, last: 9, records: 2 };
        let shown = |health: Result<Health, Health>| {
            let is_ready = health.is_ok();
            (is_ready, serde_json::to_string(&health.unwrap_or_else(|health| health)).unwrap())
        };
        let ok = |json: &str| (true, json.to_owned());
        let not = |json: &str| (false, json.to_owned());
        let finished = progress(RecoveryStage::Finished);
        assert_eq!(shown(Health::of(&finished, None, Disk::HasRoom)), ok(r#"{"status":"ok"}"#));
        let under_way = Health::of(&progress(RecoveryStage::UnderWay), None, Disk::HasRoom);
        assert_eq!(shown(under_way), ok(r#"{"status":"ok","recovery":{"record":7,"of":9}}"#));
        let failed = progress(RecoveryStage::Failed("why".into()));
        let failed = Health::of(&failed, Some("why".to_owned()), Disk::HasRoom);
        assert_eq!(shown(failed), not(r#"{"status":"recovery_failed","reason":"why"}"#));
        let stopped = Health::of(&finished, Some("a sync failed".to_owned()), Disk::Full);
        assert_eq!(shown(stopped), not(r#"{"status":"journal_stopped","reason":"a sync failed"}"#));
        let full = r#"{"status":"disk_full","reason":"the journal waits for room on the disk"}"#;
        assert_eq!(shown(Health::of(&finished, None, Disk::Full)), not(full));
        let for_some = shown(Health::of(&finished, None, Disk::FullForSome));
        assert!(for_some.0 && for_some.1.contains("only what does not wait for it is answered"), "{for_some:?}");
    }
}
