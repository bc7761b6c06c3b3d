//! Spans, sent to a collector as OpenTelemetry has it: OTLP over HTTP, in protobuf.
//!
//! Whoever ends a span puts it into a queue and goes on. One thread empties it in batches; what finds the queue full is lost, and so
//! is what a collector does not take. Nothing waits for a collector but the end of the program, for a few seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Array, Context, Key, KeyValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{self, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use tracing::{info, warn};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};

use super::log::AnyLayer;
use super::spans_sampler::{Names, sampling};
use crate::config::LogSettings;
use crate::telemetry::Sampling;

/// The standard variables that name a collector, the stronger one first. They are stronger than the settings.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// The standard variables that name the protocol, the stronger one first.
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
/// The protocol that is spoken.
const PROTOCOL: &str = "http/protobuf";
/// How long the end of the program waits for the last spans to be sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// An attribute that is a list, which `tracing` has no values for.
const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";

/// Spans on their way to a collector. Dropped, it sends what is left.
pub(crate) struct Spans {
    provider: SdkTracerProvider,
    sampling: Sampling,
    tally: Arc<Tally>,
}

/// How many spans there were.
#[derive(Debug, Default)]
struct Tally {
    ended: AtomicU64,
    sent: AtomicU64,
}

impl Spans {
    /// Begins to send spans, if a collector is named; or what is wrong with how it is named.
    pub(super) fn start(settings: &LogSettings) -> Result<Option<Self>, String> {
        if is_off() {
            return Ok(None);
        }
        let builder = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        let by_variable = ENDPOINTS.into_iter().find(|name| variable(name).is_some());
        let (builder, named_by) = match (by_variable, &settings.otlp) {
            // The exporter reads it itself.
            (Some(name), _) => (builder, name),
            (None, Some(base)) => (builder.with_endpoint(format!("{}/v1/traces", base.trim_end_matches('/'))), "otlp"),
            (None, None) => return Ok(None),
        };
        check_protocol()?;
        let sampling = sampling(settings)?;
        // As the gateway does, which starts later; whoever embeds us may have chosen another implementation already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = builder.build().map_err(|e| format!("the collector of spans that `{named_by}` names: {e}"))?;
        let tally = Arc::<Tally>::default();
        let collector = Collector { exporter, named_by, tally: Arc::clone(&tally), is_lost: AtomicBool::new(false) };
        // Its bounds have standard variables of their own; by default 2,048 spans wait, and 512 are sent at once.
        let queue = Counted { queue: BatchSpanProcessor::builder(collector).build(), tally: Arc::clone(&tally) };
        let provider = SdkTracerProvider::builder().with_resource(resource()).with_span_processor(queue);
        // Whether a call has spans is known before the first of them is made.
        let provider = provider.with_sampler(Sampler::AlwaysOn).with_id_generator(Names::default()).build();
        Ok(Some(Self { provider, sampling, tally }))
    }

    /// Which calls have spans.
    pub(crate) fn sampling(&self) -> Sampling {
        self.sampling.clone()
    }

    /// What notes the engine's spans; those of libraries are not ours to tell.
    pub(super) fn layer(&self) -> AnyLayer {
        let is_ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("forthwith"));
        let layer = tracing_opentelemetry::layer::<Registry>().with_tracer(self.provider.tracer("forthwith"));
        let plain = layer.with_location(false).with_threads(false).with_target(false).with_level(false);
        plain.with_tracked_inactivity(false).with_context_activation(false).with_filter(is_ours).boxed()
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        // What it could not do shows in the numbers.
        let _ = self.provider.shutdown_with_timeout(PATIENCE);
        let (ended, sent) = (self.tally.ended.load(Ordering::Relaxed), self.tally.sent.load(Ordering::Relaxed));
        if sent < ended {
            warn!(lost = ended - sent, sent, "not all spans reached their collector");
        }
    }
}

/// Where spans are sent to, by name of what names it: an address may have a password in it.
#[derive(Debug)]
struct Collector {
    exporter: SpanExporter,
    named_by: &'static str,
    tally: Arc<Tally>,
    /// The last batch was not taken; which has been told.
    is_lost: AtomicBool,
}

impl trace::SpanExporter for Collector {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().flat_map(|span| &mut span.attributes).for_each(make_list);
        let spans = batch.len() as u64;
        let exported = self.exporter.export(batch).await;
        match &exported {
            Ok(()) => {
                self.tally.sent.fetch_add(spans, Ordering::Relaxed);
                if self.is_lost.swap(false, Ordering::Relaxed) {
                    info!(named_by = self.named_by, "the collector of spans takes them again");
                }
            }
            Err(reason) => {
                if !self.is_lost.swap(true, Ordering::Relaxed) {
                    warn!(
                        named_by = self.named_by,
                        %reason,
                        "the collector takes no spans: they are lost until it does. Decisions do not wait for it"
                    );
                }
            }
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The queue, with a count of what was offered to it.
#[derive(Debug)]
struct Counted {
    queue: BatchSpanProcessor,
    tally: Arc<Tally>,
}

impl SpanProcessor for Counted {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.queue.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.tally.ended.fetch_add(1, Ordering::Relaxed);
        self.queue.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.queue.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.queue.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.queue.set_resource(resource);
    }
}

/// Makes a list of what the conventions say is one.
fn make_list(attribute: &mut KeyValue) {
    if attribute.key.as_str() == FINISH_REASONS
        && let Value::String(reason) = &attribute.value
    {
        attribute.value = Value::Array(Array::String(vec![reason.clone()]));
    }
}

/// What sends the spans: as the standard variables say, and `forthwith` where they say nothing.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let named = Resource::builder().build().get(&Key::new("service.name"));
    let is_named = named.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let resource = Resource::builder().with_attribute(version);
    if is_named { resource.build() } else { resource.with_service_name("forthwith").build() }
}

/// Whether the standard variables switch spans off.
fn is_off() -> bool {
    let is = |name: &str, word: &str| variable(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none")
}

fn check_protocol() -> Result<(), String> {
    let named = PROTOCOLS.into_iter().find_map(|name| Some((name, variable(name)?)));
    match named {
        Some((name, protocol)) if protocol != PROTOCOL => Err(format!(
            "`{name}` is `{protocol}`: expected `{PROTOCOL}`, which collectors take on port 4318; nothing else is spoken"
        )),
        _ => Ok(()),
    }
}

/// A variable of the environment; an empty one counts as absent, as the specification has it.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_reasons_are_a_list() {
        let mut attributes = [KeyValue::new(FINISH_REASONS, "stop"), KeyValue::new("gen_ai.response.model", "m")];
        attributes.iter_mut().for_each(make_list);
        assert_eq!(attributes[0].value, Value::Array(Array::String(vec!["stop".into()])));
        assert_eq!(attributes[1].value, Value::from("m"));
    }
}
