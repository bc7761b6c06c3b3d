//! Who is busiest.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::engine::{BusiestView, Engine};
use crate::ingress::{answer, answer_format};

/// Customers that are listed if nobody says how many.
const LISTED: usize = 10;

/// Customers that may be listed: about as many as there are counters for.
const LISTED_MAX: usize = 50;

/// How many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct HowMany {
    /// How many at most; 1 to 50, by default 10.
    limit: Option<usize>,
}

/// The busiest customers of about the last minute.
///
/// Estimated from one turn in sixty-four. Whoever takes more than a sixtieth of the turns is found; counts are, apart from what is due to
/// chance, no higher than the truth. Nobody is listed who does not stand out.
#[utoipa::path(
    get, path = "/v1/busiest", tag = "operate", params(HowMany),
    responses((status = 200, description = "The busiest first", body = BusiestView)),
)]
pub(super) async fn busiest(
    engine: web::Data<Engine>,
    request: HttpRequest,
    asked: web::Query<HowMany>,
) -> HttpResponse {
    let limit = asked.limit.unwrap_or(LISTED).clamp(1, LISTED_MAX);
    answer(answer_format(request.headers()).unwrap_or_default(), &engine.busiest(limit))
}
