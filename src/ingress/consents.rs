//! Telling consents over HTTP.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Body, Object, answer};
use super::decide::settled;
use super::lookup::observed_at;
use super::{Fault, Problem};
use crate::domain::{Durability, Raw};
use crate::engine::{Consents, Engine};

/// What a customer consents to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentsBody {
    /// Purposes by name: `true` gives consent, `false` withdraws it.
    #[schema(value_type = Object)]
    consents: Raw,
    /// Who says so.
    source: Option<String>,
    /// When it was said (RFC 3339); now if absent.
    observed_at: Option<String>,
}

/// What became of consents.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsentsAnswer {
    /// Purposes whose consent was given or withdrawn.
    taken: Vec<String>,
    /// Purposes of which a later word is held, so that nothing changed.
    outdated: Vec<String>,
    /// How safely they were kept: `disk` or `pending`.
    #[schema(value_type = String)]
    durability: Durability,
}

/// Gives and withdraws a customer's consents.
///
/// Concerns the purposes that are named and leaves the others alone. What is told holds from the customer's next decision on. A
/// consent of which a later word is held stays as it is.
#[utoipa::path(
    put, path = "/v1/customers/{id}/consents", tag = "customers",
    params(("id" = String, Path, description = "The customer's id")),
    request_body(content = ConsentsBody, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of the consents", body = ConsentsAnswer),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 422, description = "Not purposes that consent can be given to", body = Problem),
        (status = 503, description = "Not taken on", body = Problem),
    ),
)]
pub(super) async fn put_consents(
    engine: web::Data<Engine>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let Object(ConsentsBody { consents, source, observed_at: at }) = body.decode()?;
    let (values, observed_at) = (values(consents)?, observed_at(at)?);
    let consents = Consents { source: source.unwrap_or_default(), observed_at, values };
    let taken = settled(engine.put_consents(&id, consents).await)?;
    let taken = ConsentsAnswer { taken: taken.taken, outdated: taken.outdated, durability: taken.durability };
    Ok(answer(body.answer, &taken))
}

/// Purposes with what is said of them. Nothing but `true` gives consent.
fn values(consents: Raw) -> Result<Vec<(String, bool)>, Problem> {
    let Raw::Map(entries) = consents else {
        let fault = Fault::new("/consents", format!("`consents` is {}, expected an object", consents.kind()));
        return Err(Problem::of_faults(vec![fault]));
    };
    let (mut values, mut faults) = (Vec::new(), Vec::new());
    for (name, raw) in entries {
        match raw {
            Raw::Bool(is_given) => values.push((name, is_given)),
            other => {
                let detail = format!("`consents.{name}` expected true (given) or false (withdrawn), found `{other}`");
                faults.push(Fault::new(&pointer(&name), detail));
            }
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(Problem::of_faults(faults)) }
}

/// Where a consent stands in the body, as a JSON Pointer.
pub(super) fn pointer(name: &str) -> String {
    format!("/consents/{}", name.replace('~', "~0").replace('/', "~1"))
}
