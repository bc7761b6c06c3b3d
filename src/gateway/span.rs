//! The span of a request, with the attributes that OpenTelemetry's conventions for generative models name.
//!
//! What is said, in either direction, is in none of them: it may be about a customer. Numbers are signed, because the layer that
//! exports spans writes unsigned ones as texts.

use tracing::field::Empty;
use tracing::{Span, info_span};

use super::response::Said;
use super::roster::Model;
use super::verdict::Ending;
use crate::agents::Question;
use crate::domain::TraceContext;
use crate::telemetry::{context_of, place};

/// The span of a request to a model, below the span of the decision that it is made for; none if that has no span.
pub(super) fn open(model: &Model, question: &Question) -> Span {
    let is_kept = |trace: &&TraceContext| question.has_span && trace.is_sampled();
    let Some(trace) = question.trace.as_ref().filter(is_kept) else { return Span::none() };
    let provider = &model.provider;
    let span = info_span!(
        parent: None,
        "chat",
        otel.name = %format_args!("chat {}", model.config.model),
        otel.kind = "client",
        otel.status_code = Empty,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = %provider.config.name,
        gen_ai.request.model = %model.config.model,
        gen_ai.request.max_tokens = i64::from(question.answer_tokens),
        gen_ai.request.temperature = f64::from(question.temperature_milli) / 1_000.0,
        gen_ai.agent.name = %question.agent,
        gen_ai.output.type = "json",
        server.address = provider.client.host(),
        server.port = i64::from(provider.client.port()),
        gen_ai.response.model = Empty,
        gen_ai.response.finish_reasons = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        http.response.status_code = Empty,
        error.type = Empty,
    );
    place(&span, trace);
    span
}

/// What the provider is told of the trace: the header `traceparent`. Its `tracestate` may have words of other systems in it, which are
/// no provider's business.
pub(super) fn traceparent(span: &Span, question: &Question) -> Option<String> {
    let trace = question.trace.as_ref()?;
    Some(if span.is_disabled() { trace.traceparent() } else { context_of(span, trace).traceparent() })
}

/// Notes that a response has come.
pub(super) fn note_status(span: &Span, status: u16) {
    span.record("http.response.status_code", i64::from(status));
}

/// Notes what a response says of itself.
pub(super) fn note(span: &Span, said: &Said) {
    if let Some(model) = &said.model {
        span.record("gen_ai.response.model", model.as_str());
    }
    if let Some(finish) = &said.finish {
        span.record("gen_ai.response.finish_reasons", finish.as_str());
    }
    if let Some(usage) = said.usage {
        span.record("gen_ai.usage.input_tokens", i64::from(usage.prompt_tokens));
        span.record("gen_ai.usage.cache_read.input_tokens", i64::from(usage.cached_tokens));
        span.record("gen_ai.usage.output_tokens", i64::from(usage.answer_tokens));
    }
}

/// Notes how the request ended.
pub(super) fn note_ending(span: &Span, ending: &Ending) {
    if *ending != Ending::Answered {
        span.record("error.type", ending.as_str());
        span.record("otel.status_code", "ERROR");
    }
}

/// Notes that it was given up. One that another was quicker than is no error.
pub(super) fn note_given_up(span: &Span, is_beaten: bool) {
    if is_beaten {
        span.record("error.type", "cancelled");
    } else {
        span.record("error.type", "given_up");
        span.record("otel.status_code", "ERROR");
    }
}
