//! Where a request stands in a trace, and its span, by OpenTelemetry's conventions for HTTP servers.
//!
//! A path may name a customer, so it is in a span only as far as it names none. The doors have this only where spans are wanted.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use tracing::field::{Empty, display};
use tracing::{Span, info_span};

use crate::domain::TraceContext;
use crate::engine::Engine;
use crate::telemetry::{context_of, place};

/// The header in which a trace comes and goes.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What of a path names a customer or a decision.
const ID: &str = "{id}";

/// Where a request stands in a trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// What its caller says.
    pub(super) caller: Option<TraceContext>,
    /// Where what is done for it stands: below its own span, if it has one.
    own: Option<TraceContext>,
    has_span: bool,
}

impl Standing {
    /// Of a request.
    pub(super) fn of(request: &HttpRequest) -> Self {
        if let Some(standing) = request.extensions().get::<Self>() {
            return standing.clone();
        }
        // Nobody wants spans.
        let caller = caller(request.headers());
        Self { own: caller.clone(), caller, has_span: false }
    }

    /// Where an event stands that came with it: an event's own trace counts where the request is in none.
    pub(super) fn of_event(&self, event: Option<TraceContext>) -> Option<TraceContext> {
        match (&self.caller, event) {
            (None, Some(event)) => Some(event),
            _ => self.own.clone(),
        }
    }

    /// Hands the caller's trace back, where the request has no span, with the decision in its place.
    pub(super) fn answer(&self, response: &mut HttpResponse, decision: u64) {
        if let (Some(caller), false) = (&self.caller, self.has_span) {
            hand_back(response.headers_mut(), &self.own.as_ref().unwrap_or(caller).below(decision));
        }
    }
}

fn caller(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Some(TraceContext::parse(text("traceparent")?)?.with_state(text("tracestate").unwrap_or_default()))
}

fn hand_back(headers: &mut HeaderMap, context: &TraceContext) {
    if let Ok(value) = HeaderValue::from_str(&context.traceparent()) {
        headers.insert(TRACEPARENT, value);
    }
}

/// Gives a request its span, if it is to have one. Probes and scrapes have none.
pub(crate) async fn traced(
    engine: web::Data<Engine>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if !request.path().starts_with("/v1/") {
        return next.call(request).await;
    }
    let (spans, caller) = (engine.spans(), caller(request.headers()));
    let Some(at) = spans.admit(caller.as_ref()) else {
        // Below a request that has none, nothing begins a trace.
        let own = caller.as_ref().map_or(TraceContext::NONE, |caller| spans.declined(caller));
        request.extensions_mut().insert(Standing { caller, own: Some(own), has_span: false });
        return next.call(request).await;
    };
    let span = open(&request, &at);
    let own = context_of(&span, &at);
    request.extensions_mut().insert(Standing { caller, own: Some(own.clone()), has_span: true });
    let mut answered = next.call(request).await;
    match &mut answered {
        Ok(response) => {
            note(&span, response.status().as_u16());
            hand_back(response.headers_mut(), &own);
        }
        Err(error) => note(&span, error.as_response_error().status_code().as_u16()),
    }
    answered
}

fn open(request: &ServiceRequest, at: &TraceContext) -> Span {
    let (method, route) = (request.method(), request.match_pattern());
    let target = request.connection_info();
    let (address, port) = match target.host().rsplit_once(':') {
        Some((address, port)) if !address.is_empty() => (address, port.parse::<i64>().ok()),
        _ => (target.host(), None),
    };
    // An address of IPv6 stands in brackets, and its parts between colons.
    let is_whole = port.is_some() || !target.host().ends_with(']');
    let address = if is_whole { address } else { target.host() };
    let path = match &route {
        Some(route) if !route.contains(ID) => request.path(),
        Some(route) => route,
        None => "",
    };
    let span = info_span!(
        parent: None,
        "request",
        otel.name = %format_args!("{method} {}", route.as_deref().unwrap_or_default()).to_string().trim_end(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = %method,
        http.route = route.as_deref(),
        url.path = path,
        url.scheme = target.scheme(),
        server.address = address,
        server.port = port,
        network.protocol.version = %version(request),
        http.response.status_code = Empty,
        error.type = Empty,
    );
    place(&span, at);
    span
}

/// The version of HTTP as the conventions have it: `1.1`, `2`.
fn version(request: &ServiceRequest) -> String {
    let version = format!("{:?}", request.version());
    let number = version.trim_start_matches("HTTP/");
    number.strip_suffix(".0").filter(|major| *major != "1").unwrap_or(number).to_owned()
}

fn note(span: &Span, status: u16) {
    span.record("http.response.status_code", i64::from(status));
    // What is wrong with a request is no error of the server's.
    if status >= 500 {
        span.record("error.type", display(status));
        span.record("otel.status_code", "ERROR");
    }
}
