//! The metrics page, in the format that is asked for.

use actix_web::http::header::{ACCEPT, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::actor::Shed;
use crate::engine::{Engine, MetricsFormat};
use crate::ingress::Problem;

/// The metrics page.
///
/// Prometheus' text format; OpenMetrics, which has units and exemplars besides, if `Accept` asks for it no less.
#[utoipa::path(
    get, path = "/metrics", tag = "operate",
    responses((status = 200, description = "Prometheus' text format 0.0.4, or OpenMetrics 1.0", content(
        (String = "text/plain"), (String = "application/openmetrics-text"),
    ))),
)]
pub(super) async fn metrics(engine: web::Data<Engine>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let format = format_for(request.headers());
    // The global caps are asked how they stand: not on a worker.
    let page = web::block(move || engine.metrics_in(format)).await.map_err(|_| Problem::from(Shed::Stopping))?;
    let varies = ("vary", "accept");
    Ok(HttpResponse::Ok().insert_header(varies).content_type(format.content_type()).body(page))
}

/// The format that a scraper likes best; the older one where both please it alike only through a wildcard, or neither does.
fn format_for(headers: &HeaderMap) -> MetricsFormat {
    let mut open = 0.0_f32;
    let mut text = 0.0_f32;
    let all = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    for range in all.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let parameter = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().trim_matches('"'))
        };
        let weight = parameter("q").map_or(Ok(1.0), str::parse::<f32>).unwrap_or(0.0).clamp(0.0, 1.0);
        let is_ours = |version| parameter("version").is_none_or(|asked| asked == version);
        if kind.eq_ignore_ascii_case("application/openmetrics-text") && is_ours("1.0.0") {
            open = open.max(weight);
        } else if kind.eq_ignore_ascii_case("text/plain") && is_ours("0.0.4") {
            text = text.max(weight);
        }
    }
    if open > 0.0 && open >= text { MetricsFormat::OpenMetrics } else { MetricsFormat::Text }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_scraper_gets_what_it_likes_best() {
        let asked = |accept: &[&str]| {
            let mut headers = HeaderMap::new();
            accept.iter().for_each(|value| headers.append(ACCEPT, HeaderValue::from_str(value).unwrap()));
            format_for(&headers)
        };
        // What Prometheus 2.42 and 3.0 ask for, and a browser and curl.
        let older = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                     text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let newer = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                     application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                     text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in
            [&[older][..], &[newer], &["application/openmetrics-text"], &["text/plain", "Application/OpenMetrics-Text"]]
        {
            assert_eq!(asked(accept), MetricsFormat::OpenMetrics, "{accept:?}");
        }
        for accept in [
            &[][..],
            &["*/*"],
            &["text/html,*/*;q=0.8"],
            &["text/plain"],
            &["application/openmetrics-text;q=0.3,text/plain;q=0.5"],
            &["application/openmetrics-text;q=0"],
            &["application/openmetrics-text;version=2.0.0"],
            &["application/openmetrics-text;q=often"],
            &["application/json"],
        ] {
            assert_eq!(asked(accept), MetricsFormat::Text, "{accept:?}");
        }
    }
}
