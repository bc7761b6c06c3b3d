//! Searching decisions over HTTP.

use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::IntoParams;

use super::Problem;
use super::body::{answer, answer_format};
use super::lookup::off_the_worker;
use crate::domain::suggestion;
use crate::engine::{DecisionPage, Engine, Error, Search, SearchFault};

/// What is asked of a search. What is given must all hold of a decision.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its shape is used, for the description of the interface; the query is read by hand")]
pub(crate) struct SearchQuery {
    /// The customer
    customer: Option<String>,
    /// The playbook that decided
    playbook: Option<String>,
    /// The rule that matched, by its id
    rule: Option<String>,
    /// Who decided
    tier: Option<String>,
    /// Why the default was taken in place of a proposal; `none` for decisions of which it was not
    fallback: Option<String>,
    /// A field of the outcome and what it holds, as `field=value`; may be given several times
    outcome: Option<Vec<String>>,
    /// The earliest arrival (RFC 3339)
    from: Option<String>,
    /// The arrival before which it was (RFC 3339)
    until: Option<String>,
    /// Decisions of a page, 1 to 500, by default 20
    limit: Option<u16>,
    /// Where to go on: the cursor of the page before, of the same search
    cursor: Option<String>,
    /// `true` for the decisions of the self-check, which are left out otherwise
    synthetic: Option<bool>,
}

const PARAMETERS: [&str; 11] =
    ["customer", "playbook", "rule", "tier", "fallback", "outcome", "from", "until", "limit", "cursor", "synthetic"];

/// Decisions that are on disk, the newest first.
#[utoipa::path(
    get, path = "/v1/decisions", tag = "decisions",
    params(SearchQuery),
    responses(
        (status = 200, description = "A page of decisions, and the cursor of the next one", body = DecisionPage),
        (status = 400, description = "The query cannot be read", body = Problem),
        (status = 422, description = "The search cannot be made: each thing that is wrong with it", body = Problem),
        (status = 503, description = "The journal has failed", body = Problem),
    ),
)]
pub(super) async fn search(engine: web::Data<Engine>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string())
        .map_err(|e| Problem::unreadable(format!("the query: {e}")))?;
    let search = read(pairs.into_inner()).map_err(Error::Search)?;
    let page = off_the_worker(move || engine.search(&search)).await?;
    Ok(answer(answer_format(request.headers()).unwrap_or_default(), &page))
}

fn read(pairs: Vec<(String, String)>) -> Result<Search, Vec<SearchFault>> {
    let (mut search, mut faults) = (Search::default(), Vec::new());
    for (name, value) in pairs {
        let mut fault = |reason: String| faults.push(SearchFault { parameter: name.clone(), reason });
        let place = match name.as_str() {
            "customer" => &mut search.customer,
            "playbook" => &mut search.playbook,
            "rule" => &mut search.rule,
            "tier" => &mut search.tier,
            "fallback" => &mut search.fallback,
            "from" => &mut search.from,
            "until" => &mut search.until,
            "limit" => &mut search.limit,
            "cursor" => &mut search.cursor,
            "synthetic" => &mut search.synthetic,
            "outcome" => {
                match value.split_once('=') {
                    Some((field, value)) => search.outcome.push((field.to_owned(), value.to_owned())),
                    None => fault(format!("is `{value}`, expected `field=value`")),
                }
                continue;
            }
            _ => {
                fault(format!("is no parameter of a search{}", suggestion(&name, PARAMETERS)));
                continue;
            }
        };
        if place.replace(value).is_some() {
            fault("is given twice".to_owned());
        }
    }
    if faults.is_empty() { Ok(search) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Result<Search, Vec<SearchFault>> {
        read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_query_is_read_by_its_names_and_all_that_is_wrong_is_told() {
        let search = pairs(&[("customer", "c"), ("outcome", "queue=a=b"), ("outcome", "urgent=true")]).unwrap();
        let outcome = vec![("queue".to_owned(), "a=b".to_owned()), ("urgent".to_owned(), "true".to_owned())];
        assert_eq!(search, Search { customer: Some("c".to_owned()), outcome, ..Search::default() });
        let faults = pairs(&[("custmer", "c"), ("outcome", "queue"), ("tier", "a"), ("tier", "b")]).unwrap_err();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "`custmer` is no parameter of a search (did you mean `customer`?)",
                "`outcome` is `queue`, expected `field=value`",
                "`tier` is given twice"
            ]
        );
    }
}
