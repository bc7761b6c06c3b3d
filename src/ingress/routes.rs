//! Which path leads to which handler.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::{Problem, consents, customers, decide, events, feedback, lookup, proofs, search};

/// Bounds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes that a body may have.
    pub(crate) body_bytes_max: usize,
    /// Events that a batch may have.
    pub(crate) batch_max: usize,
    /// How long a body may take to come.
    pub(crate) body_timeout: Duration,
}

/// The doors of the room.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(resource("/v1/decide/{playbook}").route(web::post().to(decide::decide)))
        .service(resource("/v1/decide/{playbook}/batch").route(web::post().to(decide::decide_batch)))
        .service(resource("/v1/events").route(web::post().to(events::events)))
        .service(resource("/v1/decisions").route(web::get().to(search::search)))
        .service(resource("/v1/decisions/{id}").route(web::get().to(lookup::decision)))
        .service(resource("/v1/decisions/{id}/explain").route(web::get().to(lookup::explain)))
        .service(resource("/v1/decisions/{id}/packet").route(web::get().to(proofs::packet)))
        .service(resource("/v1/log/checkpoint").route(web::get().to(proofs::checkpoint)))
        .service(resource("/v1/log/key").route(web::get().to(proofs::key)))
        .service(resource("/v1/log/inclusion").route(web::get().to(proofs::inclusion)))
        .service(resource("/v1/log/consistency").route(web::get().to(proofs::consistency)))
        .service(resource("/v1/decisions/{id}/feedback").route(web::post().to(feedback::feedback)))
        .service(resource("/v1/customers/{id}").route(web::get().to(customers::customer)))
        .service(resource("/v1/customers/{id}/export").route(web::get().to(customers::export)))
        .service(resource("/v1/customers/{id}/facts").route(web::put().to(lookup::put_facts)))
        .service(resource("/v1/customers/{id}/consents").route(web::put().to(consents::put_consents)));
}

/// A resource that answers other methods with a problem.
pub(crate) fn resource(path: &str) -> actix_web::Resource {
    web::resource(path).default_service(web::to(wrong_method))
}

async fn wrong_method(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let detail = format!("`{}` is not answered with {}", request.path(), request.method());
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "the method is not supported", detail))
}

/// For every other path.
pub(crate) async fn not_found(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::not_found(format!("there is nothing at `{}`; see `/openapi.json`", request.path())))
}
