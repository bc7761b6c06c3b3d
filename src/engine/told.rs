//! The span of a call, and those of what it waits for. Nothing of a customer is in them.

use std::time::Duration;

use tracing::field::Empty;
use tracing::{Span, info_span};

use super::Decision;
use super::course::Leg;
use crate::domain::{FallbackReason, TraceContext};
use crate::telemetry::{context_of, place};

/// A call that belongs to a trace, with spans or without.
#[derive(Debug)]
pub(super) struct Told {
    span: Span,
    /// Where what is below the call's span stands.
    context: TraceContext,
    /// The span of what is waited for.
    waiting: Span,
}

impl Told {
    /// The span of a decision by a playbook, or of an event by its type.
    pub(super) fn open(caller: &TraceContext, (playbook, event): (Option<&str>, &str), budget: Duration) -> Self {
        let (name, of) = playbook.map_or(("observe", event), |playbook| ("decide", playbook));
        let span = info_span!(
            parent: None,
            "decide",
            otel.name = %format_args!("{name} {of}"),
            forthwith.playbook = playbook,
            forthwith.event.r#type = event,
            forthwith.budget_us = micros(budget),
            forthwith.decision.id = Empty,
            forthwith.tier = Empty,
            forthwith.rule = Empty,
            forthwith.model = Empty,
            forthwith.agent = Empty,
            forthwith.fallback = Empty,
            forthwith.durability = Empty,
            forthwith.duplicate = Empty,
            forthwith.reasons = Empty,
        );
        place(&span, caller);
        let context = context_of(&span, caller);
        Self { span, context, waiting: Span::none() }
    }

    /// Without spans: nothing but the caller's trace, to be kept in the record and to be passed on.
    pub(super) fn silent(context: TraceContext) -> Option<Self> {
        context.id()?;
        Some(Self { span: Span::none(), context, waiting: Span::none() })
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn context(&self) -> &TraceContext {
        &self.context
    }

    /// A leg of the call begins, and another ends. Spans of turns are made where turns are taken.
    pub(super) fn enter(&mut self, leg: Leg) {
        if self.span.is_disabled() {
            return;
        }
        self.waiting = match leg {
            Leg::Models => info_span!(parent: &self.span, "models"),
            Leg::Disk => info_span!(parent: &self.span, "disk"),
            Leg::Admission | Leg::Queue | Leg::Turn => Span::none(),
        };
    }

    /// Nothing is waited for any more.
    pub(super) fn end(&mut self) {
        self.waiting = Span::none();
    }

    /// Notes what was decided.
    pub(super) fn note(&self, decision: &Decision) {
        let span = &self.span;
        if span.is_disabled() {
            return;
        }
        span.record("forthwith.decision.id", tracing::field::display(decision.id));
        span.record("forthwith.playbook", &*decision.playbook);
        span.record("forthwith.tier", decision.tier.as_str());
        let named = [("forthwith.rule", &decision.rule), ("forthwith.model", &decision.model)];
        for (field, name) in named.into_iter().chain([("forthwith.agent", &decision.agent)]) {
            if let Some(name) = name {
                span.record(field, &**name);
            }
        }
        if let Some(fallback) = decision.fallback.map(FallbackReason::as_str) {
            span.record("forthwith.fallback", fallback);
        }
        span.record("forthwith.durability", decision.durability.as_str());
        span.record("forthwith.duplicate", decision.is_duplicate);
        // Signed: the layer that exports spans writes unsigned numbers as texts.
        span.record("forthwith.reasons", i64::try_from(decision.reasons.len()).unwrap_or(i64::MAX));
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
