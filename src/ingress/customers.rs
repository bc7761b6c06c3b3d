//! Looking at customers, and giving out what is held about them, over HTTP.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Problem;
use super::body::{answer, answer_format};
use super::decide::settled;
use super::lookup::off_the_worker;
use crate::engine::{CustomerView, Engine, Export};

/// What is asked of the view of a customer.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CustomerQuery {
    /// A purpose that the bundle declares: the answer is what decisions for that purpose may see
    purpose: Option<String>,
}

/// What the engine knows about a customer.
#[utoipa::path(
    get, path = "/v1/customers/{id}", tag = "customers",
    params(("id" = String, Path, description = "The customer's id"), CustomerQuery),
    responses(
        (status = 200, description = "Facts, signals and the ledger, and why something is unavailable", body = CustomerView),
        (status = 400, description = "The query cannot be read", body = Problem),
        (status = 404, description = "The engine has never heard of this customer, or there is no such purpose", body = Problem),
        (status = 422, description = "Not a customer's id", body = Problem),
        (status = 429, description = "Too many requests of this customer wait", body = Problem),
        (status = 503, description = "Not taken on", body = Problem),
    ),
)]
pub(super) async fn customer(
    engine: web::Data<Engine>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let CustomerQuery { purpose } = query(&request)?;
    let asked = match &purpose {
        Some(purpose) => engine.customer_for(&id, purpose).await,
        None => engine.customer(&id).await,
    };
    match settled(asked)? {
        Some(view) => Ok(answer(answer_format(request.headers()).unwrap_or_default(), &view)),
        None => Err(unheard_of(&id)),
    }
}

/// What is asked of an export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// The record of the journal to begin at: `next` of the answer before
    from: Option<u64>,
}

/// Everything that is held about a customer, for the person it is about.
///
/// The state, and what the journal has of the person, whatever its tags say. An answer has at most 1,000 records or 8 MiB of
/// them; `next` says where to go on, until it is null.
#[utoipa::path(
    get, path = "/v1/customers/{id}/export", tag = "customers",
    params(("id" = String, Path, description = "The customer's id"), ExportQuery),
    responses(
        (status = 200, description = "What is held", body = Export),
        (status = 400, description = "The query cannot be read", body = Problem),
        (status = 404, description = "The engine has never heard of this customer", body = Problem),
        (status = 422, description = "Not a customer's id", body = Problem),
        (status = 429, description = "Too many requests of this customer wait", body = Problem),
        (status = 503, description = "Not taken on: two exports are under way, or the reasons of any request", body = Problem),
    ),
)]
pub(super) async fn export(
    engine: web::Data<Engine>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let ExportQuery { from } = query(&request)?;
    match settled(engine.exporting(&id, from.unwrap_or_default()).await)? {
        Some(exporting) => {
            let export = off_the_worker(move || exporting.read()).await?;
            Ok(answer(answer_format(request.headers()).unwrap_or_default(), &export))
        }
        None => Err(unheard_of(&id)),
    }
}

fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    let read = web::Query::<T>::from_query(request.query_string());
    read.map(web::Query::into_inner).map_err(|e| Problem::unreadable(format!("the query: {e}")))
}

fn unheard_of(customer: &str) -> Problem {
    Problem::not_found(format!("the engine has never heard of customer `{customer}`"))
}
