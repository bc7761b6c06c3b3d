//! Spans in their traces: the bridge between `tracing`, which makes spans, and W3C trace context, which joins them over processes.
//!
//! Without the feature `otel` spans have no place in a trace, and both functions cost nothing.

use tracing::Span;

use crate::domain::TraceContext;

/// Puts a span, which has just been made, below its caller's span; or at the root of the trace, if the context names no span.
#[cfg(feature = "otel")]
pub fn place(span: &Span, context: &TraceContext) {
    use opentelemetry::Context;
    use opentelemetry::trace::TraceContextExt;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    if context.span == 0 {
        // Where nothing exports spans there is nothing to place.
        let _ = span.set_parent(Context::new());
        // What begins a trace is begun at once, while this thread knows the trace's name.
        ROOT.set(context.id());
        let _ = span.context();
        ROOT.set(None);
    } else {
        let _ = span.set_parent(Context::new().with_remote_span_context(foreign(context)));
    }
}

/// Without OpenTelemetry a span has no place in a trace.
#[cfg(not(feature = "otel"))]
pub fn place(_: &Span, _: &TraceContext) {}

/// Where what is below a span stands: what others are to be told. What was given, if nothing exports the span.
#[cfg(feature = "otel")]
pub fn context_of(span: &Span, given: &TraceContext) -> TraceContext {
    use opentelemetry::trace::TraceContextExt;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let context = span.context();
    let own = context.span().span_context().clone();
    if !own.is_valid() {
        return given.clone();
    }
    TraceContext {
        trace: own.trace_id().to_bytes(),
        span: u64::from_be_bytes(own.span_id().to_bytes()),
        ..given.clone().sampled(own.is_sampled())
    }
}

/// What was given: without OpenTelemetry nothing stands below a span.
#[cfg(not(feature = "otel"))]
pub fn context_of(_: &Span, given: &TraceContext) -> TraceContext {
    given.clone()
}

#[cfg(feature = "otel")]
thread_local! {
    static ROOT: std::cell::Cell<Option<[u8; 16]>> = const { std::cell::Cell::new(None) };
}

/// The name of the trace that this thread is about to begin: for whoever gives out names of traces.
#[cfg(feature = "otel")]
pub fn root_trace() -> Option<[u8; 16]> {
    ROOT.get()
}

#[cfg(feature = "otel")]
fn foreign(context: &TraceContext) -> opentelemetry::trace::SpanContext {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    let state = context.state.as_deref().and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default();
    let (trace, span) = (TraceId::from_bytes(context.trace), SpanId::from_bytes(context.span.to_be_bytes()));
    SpanContext::new(trace, span, TraceFlags::new(context.flags), true, state)
}
