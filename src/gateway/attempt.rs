//! One request of a call.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::{Span, debug};

use super::permit::{self, Permit, Spent};
use super::rate_headers::RateHeaders;
use super::request;
use super::response::{self, error_code};
use super::roster::Model;
use super::span;
use super::verdict::{Ending, Misread};
use super::wire::{Broken, Received};
use crate::agents::{Answer, Question};
use crate::time::{Alarm, Clock};

/// One request of a call. Dropped, it closes its stream.
pub(super) struct Attempt {
    /// The target, by its place among the question's.
    pub(super) target: usize,
    pub(super) is_hedge: bool,
    permit: Permit,
    exchange: Pin<Box<dyn Future<Output = Exchanged> + Send>>,
    /// One request may take no longer.
    timeout: Alarm,
    span: Span,
}

/// How a request went.
pub(super) struct Exchanged {
    pub(super) ending: Ending,
    /// The answer, where the ending is one.
    pub(super) answer: Option<Answer>,
    counted: Option<[u32; 3]>,
    told: RateHeaders,
    first_byte: Option<Duration>,
}

impl Attempt {
    /// Sends the request. The permit has been paid for, and knows that it is sent.
    pub(super) fn new(
        (target, is_hedge): (usize, bool),
        permit: Permit,
        question: &Arc<Question>,
        (clock, timeout): (&Clock, Alarm),
    ) -> Self {
        let span = span::open(&permit.model, question);
        let exchange = Box::pin(exchange(Arc::clone(&permit.model), Arc::clone(question), clock.clone(), span.clone()));
        Self { target, is_hedge, permit, exchange, timeout, span }
    }

    pub(super) fn model(&self) -> &Arc<Model> {
        &self.permit.model
    }

    pub(super) fn permit(&mut self) -> &mut Permit {
        &mut self.permit
    }

    /// Ready when it has ended, or takes too long.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Exchanged> {
        if let Poll::Ready(exchanged) = self.exchange.as_mut().poll(context) {
            return Poll::Ready(exchanged);
        }
        Pin::new(&mut self.timeout).poll(context).map(|()| Exchanged::without_response(Ending::TimedOut))
    }

    /// Settles what it has cost.
    pub(super) fn close(self, exchanged: &Exchanged) -> Spent {
        let Self { permit, span, .. } = self;
        span::note_ending(&span, &exchanged.ending);
        let Exchanged { ending, counted, told, first_byte, .. } = exchanged;
        permit.close(&permit::Course { ending, counted: *counted, told: *told, first_byte: *first_byte })
    }

    /// Gives it up; what it could cost counts in full.
    pub(super) fn abandon(mut self, is_beaten: bool) {
        span::note_given_up(&self.span, is_beaten);
        if is_beaten {
            self.permit.is_beaten();
        }
    }
}

impl Exchanged {
    fn without_response(ending: Ending) -> Self {
        Self { ending, answer: None, counted: None, told: RateHeaders::default(), first_byte: None }
    }

    /// The provider asks to be left alone for so long.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.told.retry_after
    }
}

/// Sends a question and reads what comes back.
async fn exchange(model: Arc<Model>, question: Arc<Question>, clock: Clock, span: Span) -> Exchanged {
    let body = request::body(&question, &model.provider.config, &model.config.model);
    let sent = clock.instant();
    let (provider, traceparent) = (&model.provider, span::traceparent(&span, &question));
    let sending = provider.client.send((&body, traceparent.as_deref()), &clock, &provider.metrics.stale_connections);
    let received = match sending.await {
        Ok(received) => received,
        Err(broken) => return lost(&model, broken),
    };
    span::note_status(&span, received.status);
    let told = told(&received, &clock);
    let first_byte = Some(received.first_byte.since(sent));
    if !(200..300).contains(&received.status) {
        let ending = Ending::Status(received.status);
        debug!(model = %model.name, status = received.status, code = error_code(&received.body), "a large model's provider refused");
        return Exchanged { told, first_byte, ..Exchanged::without_response(ending) };
    }
    let said = response::read(&received.body);
    span::note(&span, &said);
    let counted = said.usage.map(|usage| [usage.prompt_tokens, usage.cached_tokens, usage.answer_tokens]);
    let (ending, answer) = match said.text.map(|text| question.format.read(&text)) {
        Ok(Ok(answer)) => (Ending::Answered, Some(answer)),
        // What it said is not shown: it may be about a customer.
        Ok(Err(_)) => (Ending::Misfit(Misread::Form), None),
        Err(unsaid) => (Ending::Misfit(Misread::Unsaid(unsaid)), None),
    };
    Exchanged { ending, answer, counted, told, first_byte }
}

fn lost(model: &Model, broken: Broken) -> Exchanged {
    let (ending, reason) = match broken {
        Broken::Unconnected(reason) => (Ending::Unconnected, reason),
        Broken::Midway(reason) => (Ending::Broken, reason),
        Broken::Overlong => (Ending::Overlong, "the response is longer than it may be".to_owned()),
    };
    debug!(model = %model.name, reason, "a request to a large model failed");
    Exchanged::without_response(ending)
}

fn told(received: &Received, clock: &Clock) -> RateHeaders {
    let header = |name: &str| {
        let mut hints = received.hints.iter();
        hints.find_map(|(known, value)| (known == name).then_some(value.as_str()))
    };
    RateHeaders::read(header, clock.wall())
}
