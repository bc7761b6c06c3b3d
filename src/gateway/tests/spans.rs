//! Which requests have spans.

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::house::{provider, to};
use crate::agents::Question;
use crate::domain::TraceContext;
use crate::gateway::metrics::Metrics;
use crate::gateway::roster::Roster;
use crate::gateway::{Config, span};
use crate::telemetry::Registry;
use crate::time::Clock;

/// Wants every span.
struct Wants;

impl Subscriber for Wants {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, _: &Event<'_>) {}
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A caller keeps its trace, and here nobody makes spans: then requests have none either, and the provider hears of the trace as
/// the caller told it.
#[test]
fn a_request_has_a_span_only_where_its_decision_has_one() {
    let config = Config { providers: vec![provider("a", "http://127.0.0.1:9")], ..Config::default() };
    let roster = Roster::new(&config, &Metrics::new(&Registry::default()), Clock::system().instant()).unwrap();
    let kept = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let asked = Question { trace: TraceContext::parse(kept), ..to(&["a"], "x") };
    let model = roster.find(&asked.targets[0]).unwrap();
    let _wanting = tracing::subscriber::set_default(Wants);
    let none = span::open(model, &asked);
    assert!(none.is_disabled());
    assert_eq!(span::traceparent(&none, &asked).as_deref(), Some(kept));
    let spanned = Question { has_span: true, ..asked };
    assert!(!span::open(model, &spanned).is_disabled());
    let dropped = Question { trace: spanned.trace.clone().map(|trace| trace.sampled(false)), ..spanned };
    assert!(span::open(model, &dropped).is_disabled());
}
