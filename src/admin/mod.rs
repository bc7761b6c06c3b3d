//! The operator's surface: metrics, health, the bundle in force, kill switches, the description of the interface.

mod bundle;
mod busiest;
mod caps;
mod health;
mod metrics;
mod selfcheck;
mod set_aside;
mod switches;

use actix_web::{HttpResponse, web};
use utoipa::OpenApi;

use crate::ingress::{Description, resource};

pub(crate) use bundle::Reload;

/// The doors of the room.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(resource("/metrics").route(web::get().to(metrics::metrics)))
        .service(resource("/healthz").route(web::get().to(health::alive)))
        .service(resource("/readyz").route(web::get().to(health::ready)))
        .service(resource("/openapi.json").route(web::get().to(description)))
        .service(resource("/v1/busiest").route(web::get().to(busiest::busiest)))
        .service(resource("/v1/caps").route(web::get().to(caps::caps)))
        .service(resource("/v1/set-aside").route(web::get().to(set_aside::list)))
        .service(
            resource("/v1/set-aside/{id}")
                .route(web::get().to(set_aside::show))
                .route(web::delete().to(set_aside::release)),
        )
        .service(resource("/v1/selfcheck").route(web::post().to(selfcheck::check)))
        .service(resource("/v1/providers").route(web::get().to(switches::providers)))
        .service(resource("/v1/switches").route(web::get().to(switches::list)))
        // A model's name has a `/`.
        .service(resource("/v1/switches/{kind}/{name:.+}").route(web::put().to(switches::turn)))
        .service(resource("/v1/bundle").route(web::get().to(bundle::in_force)))
        .service(resource("/v1/bundle/reload").route(web::post().to(bundle::reload)));
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operate",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
async fn description() -> HttpResponse {
    HttpResponse::Ok().json(full_description())
}

/// The description of all doors.
fn full_description() -> utoipa::openapi::OpenApi {
    let mut description = Description::openapi();
    description.merge(Operate::openapi());
    env!("CARGO_PKG_VERSION").clone_into(&mut description.info.version);
    description
}

#[derive(OpenApi)]
#[openapi(
    paths(
        metrics::metrics, description, health::alive, health::ready, bundle::in_force, bundle::reload, busiest::busiest,
        caps::caps, set_aside::list, selfcheck::check, set_aside::show, set_aside::release, switches::list, switches::turn,
        switches::providers
    ),
    tags((name = "operate", description = "Operating the engine")),
)]
struct Operate;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every door of the server is described, and nothing else is.
    #[test]
    fn the_description_names_every_door() {
        let description = full_description();
        let paths: Vec<&String> = description.paths.paths.keys().collect();
        insta::assert_snapshot!(paths.iter().map(|path| path.as_str()).collect::<Vec<_>>().join("\n"), @"
        /healthz
        /metrics
        /openapi.json
        /readyz
        /v1/bundle
        /v1/bundle/reload
        /v1/busiest
        /v1/caps
        /v1/customers/{id}
        /v1/customers/{id}/consents
        /v1/customers/{id}/export
        /v1/customers/{id}/facts
        /v1/decide/{playbook}
        /v1/decide/{playbook}/batch
        /v1/decisions
        /v1/decisions/{id}
        /v1/decisions/{id}/explain
        /v1/decisions/{id}/feedback
        /v1/decisions/{id}/packet
        /v1/events
        /v1/log/checkpoint
        /v1/log/consistency
        /v1/log/inclusion
        /v1/log/key
        /v1/providers
        /v1/selfcheck
        /v1/set-aside
        /v1/set-aside/{id}
        /v1/switches
        /v1/switches/{kind}/{name}
        ");
        let json = serde_json::to_value(&description).unwrap();
        assert!(json["openapi"].as_str().unwrap().starts_with("3.1"));
    }
}
