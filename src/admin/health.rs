//! Is the process alive, and should it get traffic?

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::actor::RecoveryProgress;
use crate::engine::{Engine, Readiness};

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
    /// What failed in the self-check: nothing that traffic should go elsewhere for, but somebody should look at it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<String>,
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
        Self { status, reason, recovery: None, warnings: Vec::new() }
    }

    /// The health of an engine; an error if it should get no traffic.
    fn of(readiness: &Readiness, recovery: &RecoveryProgress) -> Result<Self, Self> {
        let view = || RecoveryView { record: recovery.done, of: recovery.last };
        match readiness {
            Readiness::Ready => Ok(Self { recovery: recovery.is_under_way().then(view), ..Self::new("ok", None) }),
            Readiness::ReadyWithoutDisk => {
                let reason = "the journal waits for room on the disk; only what does not wait for it is answered";
                Ok(Self::new("disk_full", Some(reason.to_owned())))
            }
            Readiness::NotReady(unready) => Err(Self::new(unready.code(), Some(unready.to_string()))),
        }
    }
}

/// Whether the process is alive.
///
/// It is not when a thread that the engine cannot do without has not moved for too long, and only then: not while the disk is full or
/// slow, not under overload, and not because of what others do.
#[utoipa::path(
    get, path = "/healthz", tag = "operate",
    responses(
        (status = 200, description = "Alive", body = Health),
        (status = 503, description = "Stuck: start it again", body = Health),
    ),
)]
pub(super) async fn alive(engine: web::Data<Engine>) -> HttpResponse {
    match engine.stuck() {
        None => HttpResponse::Ok().json(Health::new("ok", None)),
        Some(stuck) => HttpResponse::ServiceUnavailable().json(Health::new("stuck", Some(stuck.to_string()))),
    }
}

/// Whether the engine can answer.
///
/// It is ready while recovery goes on behind the decisions, and says so.
#[utoipa::path(
    get, path = "/readyz", tag = "operate",
    responses(
        (status = 200, description = "Ready; with the status `disk_full` for playbooks alone that are answered without the disk", body = Health),
        (status = 503, description = "Not ready: the engine stops or is stuck, the journal has stopped, recovery has failed, the disk is full or does not answer, or requests have been shed for seconds because more is offered than can be done", body = Health),
    ),
)]
pub(super) async fn ready(engine: web::Data<Engine>) -> HttpResponse {
    let warnings = engine.selfcheck_failures();
    match Health::of(&engine.readiness(), &engine.recovery()) {
        Ok(health) => HttpResponse::Ok().json(Health { warnings, ..health }),
        Err(health) => HttpResponse::ServiceUnavailable().json(Health { warnings, ..health }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actor::RecoveryStage;
    use crate::engine::{Stuck, Unready};

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
        assert_eq!(shown(Health::of(&Readiness::Ready, &finished)), ok(r#"{"status":"ok"}"#));
        let under_way = Health::of(&Readiness::Ready, &progress(RecoveryStage::UnderWay));
        assert_eq!(shown(under_way), ok(r#"{"status":"ok","recovery":{"record":7,"of":9}}"#));
        let shown_not = |unready| shown(Health::of(&Readiness::NotReady(unready), &finished));
        let failed = shown_not(Unready::RecoveryFailed("why".into()));
        assert_eq!(failed, not(r#"{"status":"recovery_failed","reason":"why"}"#));
        let stopped = shown_not(Unready::JournalStopped("a sync failed".into()));
        assert_eq!(stopped, not(r#"{"status":"journal_stopped","reason":"a sync failed"}"#));
        let full = r#"{"status":"disk_full","reason":"the journal waits for room on the disk"}"#;
        assert_eq!(shown_not(Unready::DiskFull), not(full));
        let disk = Stuck { thread: "journal".to_owned(), still: Duration::from_secs(31) };
        let stalled = r#"{"status":"disk_stalled","reason":"the journal has waited for the disk for 31 s"}"#;
        assert_eq!(shown_not(Unready::DiskStalled(disk)), not(stalled));
        let for_some = shown(Health::of(&Readiness::ReadyWithoutDisk, &finished));
        assert!(for_some.0 && for_some.1.contains("only what does not wait for it is answered"), "{for_some:?}");
    }
}
