//! The description of the interface (OpenAPI 3.1), generated from the types and handlers.

use utoipa::{OpenApi, ToSchema};

/// The shape of a CloudEvent 1.0 in structured mode.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used, for the description of the interface")]
pub(crate) struct CloudEventShape {
    /// Always `1.0`.
    #[schema(example = "1.0")]
    specversion: String,
    /// Unique within the source; with it, the event's identity.
    #[schema(example = "t-1")]
    id: String,
    /// The system the event comes from.
    #[schema(example = "helpdesk")]
    source: String,
    /// The event's type, as declared in `context.toml`.
    #[serde(rename = "type")]
    #[schema(example = "ticket.created")]
    kind: String,
    /// The customer's id.
    #[schema(example = "customer-42")]
    subject: String,
    /// When it happened (RFC 3339); the time of arrival stands in if absent.
    #[schema(required = false, format = DateTime)]
    time: Option<String>,
    /// The event's attributes, as declared in `context.toml`.
    #[schema(value_type = Object)]
    data: (),
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Forthwith", description = "A real-time decisioning engine: events in, governed decisions out."),
    paths(
        super::decide::decide,
        super::decide::decide_batch,
        super::events::events,
        super::search::search,
        super::lookup::decision,
        super::lookup::explain,
        super::feedback::feedback,
        super::proofs::packet,
        super::proofs::checkpoint,
        super::proofs::key,
        super::proofs::inclusion,
        super::proofs::consistency,
        super::customers::customer,
        super::customers::export,
        super::lookup::put_facts,
        super::consents::put_consents,
    ),
    components(schemas(super::events::ObservedBatch)),
    tags(
        (name = "decide", description = "Decisions"),
        (name = "events", description = "Events"),
        (name = "decisions", description = "Decisions that were made"),
        (name = "log", description = "What is proved of the journal"),
        (name = "customers", description = "What is known about customers"),
    ),
)]
pub(crate) struct Description;
