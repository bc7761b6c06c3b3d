//! The server beside the engine: decodes an event and answers with a decision that nobody made. It may stall, once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::clock::now;
use crate::target::Server;

/// What of an event is answered with.
#[derive(Deserialize)]
struct Sent {
    subject: String,
    #[expect(dead_code, reason = "decoded as an engine would")]
    data: serde_json::Value,
}

/// A stall of the whole server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stall {
    /// The call with which it begins.
    pub(super) at_call: u64,
    /// Until when nothing is answered after that.
    pub(super) length: Duration,
}

/// What the server's threads have in common.
struct Standing {
    calls: AtomicU64,
    stall: Option<Stall>,
    /// When the stall ends, once it has begun.
    until: Mutex<Option<Instant>>,
}

/// Starts it on a free port of this machine.
pub(super) fn start(workers: usize, stall: Option<Stall>) -> anyhow::Result<Server> {
    let standing = web::Data::new(Standing { calls: AtomicU64::new(0), stall, until: Mutex::new(None) });
    Server::start(0, &Server::settings(workers), move |app| {
        app.app_data(standing.clone()).route("/v1/decide/{playbook}", web::post().to(answer));
    })
}

async fn answer(playbook: web::Path<String>, event: web::Json<Sent>, standing: web::Data<Standing>) -> HttpResponse {
    let call = standing.calls.fetch_add(1, Ordering::Relaxed);
    if let Some(end) = standing.stalled_until(call) {
        actix_web::rt::time::sleep_until(end.into()).await;
    }
    let decision = serde_json::json!({
        "decision_id": forthwith::DecisionId::from_u128(0x8 << 76 | 0b10 << 62 | u128::from(call)),
        "playbook": *playbook, "bundle": "sha256:0", "customer": event.subject,
        "outcome": { "queue": "general", "priority": 3, "sla_minutes": 240, "tags": [] },
        "tier": "rules", "rule": null, "model": null, "agent": null, "confidence": 1.0, "cost": null, "fallback": null,
        "reasons": [{ "code": "default", "detail": "nobody decided this" }], "review": null, "settle_by": null,
        "durability": "memory", "duplicate": false, "elapsed_us": 0,
    });
    HttpResponse::Ok().json(decision)
}

impl Standing {
    /// Until when a call waits, if the server stalls.
    fn stalled_until(&self, call: u64) -> Option<Instant> {
        let stall = self.stall?;
        // Whoever panicked with the lock had nothing half done.
        let mut until = self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if call == stall.at_call {
            *until = Some(now() + stall.length);
        }
        until.filter(|until| *until > now())
    }
}
