//! The bundle in force, and putting another in force.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::bundle::Bundle;
use crate::document::Faults;
use crate::engine::Engine;
use crate::ingress::{Fault, Problem, answer, answer_format};

/// Where another bundle comes from.
#[derive(Clone)]
pub(crate) enum Reload {
    /// From nowhere: whoever embeds the doors changes bundles otherwise.
    Never,
    /// From what this reads.
    With(Arc<dyn Fn() -> Result<Bundle, Faults> + Send + Sync>),
}

/// A bundle.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BundleView {
    /// Its name: the hash of its files.
    bundle: String,
    /// Its playbooks.
    playbooks: Vec<PlaybookView>,
}

/// A playbook of a bundle.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlaybookView {
    /// Its name.
    playbook: String,
    /// Its author's version.
    version: u32,
    /// What it decides.
    description: Option<String>,
    /// The types of events it decides on.
    on: Vec<String>,
    /// How many rules it has, tables included.
    rules: usize,
    /// When a decision counts as made: `disk` or `memory`.
    ack: &'static str,
    /// What becomes of its decisions while the disk is full: `shed` or `answer`.
    when_disk_full: &'static str,
    /// How long a caller waits at most, in milliseconds.
    budget_ms: u64,
}

impl BundleView {
    fn of(bundle: &Bundle) -> Self {
        let event = |kind: &usize| bundle.layout().events()[*kind].name.to_string();
        let playbooks = bundle.playbooks().iter().map(|playbook| PlaybookView {
            playbook: playbook.name.to_string(),
            version: playbook.version,
            description: playbook.description.as_deref().map(str::to_owned),
            on: playbook.on.iter().map(event).collect(),
            rules: playbook.rules.rules().len(),
            ack: playbook.ack.as_str(),
            when_disk_full: playbook.when_disk_full.as_str(),
            budget_ms: playbook.budget.as_millis() as u64,
        });
        Self { bundle: bundle.id().to_string(), playbooks: playbooks.collect() }
    }
}

/// The bundle in force.
#[utoipa::path(get, path = "/v1/bundle", tag = "operate", responses((status = 200, description = "The bundle", body = BundleView)))]
pub(super) async fn in_force(engine: web::Data<Engine>, request: HttpRequest) -> HttpResponse {
    answer(answer_format(request.headers()).unwrap_or_default(), &BundleView::of(&engine.bundle()))
}

/// Reads the configuration folder again and puts it in force.
///
/// All or nothing: with one fault nothing changes. Decisions under way end on the bundle they began on.
#[utoipa::path(
    post, path = "/v1/bundle/reload", tag = "operate",
    responses(
        (status = 200, description = "The bundle that is now in force", body = BundleView),
        (status = 404, description = "The server has no configuration folder", body = Problem),
        (status = 422, description = "The configuration has faults; nothing changed", body = Problem),
        (status = 503, description = "The disk is full, or the journal has failed; nothing changed", body = Problem),
    ),
)]
pub(super) async fn reload(
    engine: web::Data<Engine>,
    reload: web::Data<Reload>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let Reload::With(read) = (**reload).clone() else {
        return Err(Problem::not_found("this server has no configuration folder to read again"));
    };
    let changing = engine.clone();
    // Compiling and one write to the disk: not on a worker that serves decisions.
    let changed = web::block(move || match read() {
        Ok(bundle) => changing.change_bundle(bundle).map_err(Problem::from),
        Err(faults) => {
            changing.refuse_bundle();
            Err(faulty(&faults))
        }
    });
    changed.await.map_err(|_| Problem::from(crate::actor::Shed::Stopping))??;
    Ok(answer(answer_format(request.headers()).unwrap_or_default(), &BundleView::of(&engine.bundle())))
}

fn faulty(faults: &Faults) -> Problem {
    let detail = faults.to_string();
    let title = "the configuration has faults; nothing changed";
    let listed = faults.iter().map(|fault| Fault::new(&format!("/{}", fault.place), fault.to_string())).collect();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "configuration", title, detail).with_faults(listed)
}
