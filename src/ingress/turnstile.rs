//! Admission at a worker of the HTTP server: before a body is read, and before anything is decoded.
//!
//! How long a request has waited in the sockets' buffers nobody tells. But a worker does one thing after another, and what waits
//! for it waits in one queue: so a watch on every worker sleeps for a moment, and how much later than asked it gets its turn is
//! what requests wait too. It sleeps for good while nobody asks anything.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING};
use actix_web::middleware::Next;
use actix_web::rt::{spawn, time};
use actix_web::{Error, HttpMessage, HttpResponse, web};
use futures_util::StreamExt;

use super::Limits;
use super::decide::options_of;
use crate::engine::admission::{Bodies, LEVEL_TOLD, Lane, ShedFor, UnderWay};
use crate::engine::{Engine, Line};
use crate::time::Instant;

/// Where requests to one worker line up.
pub(crate) struct Turnstile {
    engine: Engine,
    lane: Arc<Lane>,
    /// What was handled so far: requests, and besides them each event of a batch, when it is begun and when it is answered.
    handled: AtomicU32,
    is_watched: AtomicBool,
}

/// What a request asks for, as far as its path and headers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked<'a> {
    Decision {
        playbook: &'a str,
        is_bulk: bool,
    },
    /// What an event is worth is found out when it has been read.
    Events,
    /// Something is told that cannot be made up for.
    Told,
    /// Somebody looks something up, which can wait.
    Lookup,
}

/// How long the watch sleeps.
const WATCH_EVERY: Duration = Duration::from_millis(5);

/// The runtime's sleep is late by as much when nothing else is to be done.
const SLEEP_LATE: Duration = Duration::from_millis(2);

/// With less handled meanwhile it was not that which made the watch late, but the machine.
const FEW: u32 = 8;

/// The watch ends after so many times without a request.
const IDLE_MAX: u32 = 40;

/// What a lookup is worth.
const LEVEL_LOOKUP: u8 = 3;

/// A body of a request that is shed is read and thrown away if it is no longer than this, so that the connection can be kept.
const DRAINED_MAX: usize = 64 << 10;

/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// What a request that is shed is answered with: made once.
const OVERLOADED: &str = r#"{"type":"urn:forthwith:problem:shed:overloaded","title":"the request was not taken on","status":503,"detail":"the engine is overloaded"}"#;

impl Turnstile {
    pub(crate) fn new(engine: &Engine) -> Self {
        let lane = engine.lane();
        Self { engine: engine.clone(), lane, handled: AtomicU32::new(0), is_watched: AtomicBool::new(false) }
    }

    /// The line of a request for a decision, which was weighed before its body was read.
    pub(super) fn weighed(&self) -> Line<'_> {
        Line::Weighed(&self.lane)
    }

    /// The line of a request that tells of events.
    pub(super) fn unweighed(&self) -> Line<'_> {
        Line::Unweighed(&self.lane)
    }

    /// How long requests wait here before they are seen; `None` if that is not worth counting. What waits for turns and for the
    /// journal is not in it: that lies ahead.
    pub(super) fn waited(&self) -> Option<Duration> {
        if self.lane.is_open() { None } else { Some(self.lane.told()) }
    }

    /// Counts the events of a batch: a few requests can be much to do.
    pub(super) fn count_events(&self, events: usize) {
        self.handled.fetch_add(u32::try_from(events).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// When it is, and what was handled so far.
    fn mark(&self) -> (Instant, u32) {
        (self.engine.now(), self.handled.load(Ordering::Relaxed))
    }

    /// Hears how late the worker is who was to look again a moment after a mark; says whether anything was handled since.
    fn hear(&self, (began, before): (Instant, u32)) -> bool {
        let handled = self.handled.load(Ordering::Relaxed).wrapping_sub(before);
        let late = self.engine.now().since(began).saturating_sub(WATCH_EVERY + SLEEP_LATE);
        self.engine.hear(&self.lane, if handled < FEW { Duration::ZERO } else { late });
        handled > 0
    }

    fn admit(&self, request: &ServiceRequest, asked: Asked<'_>) -> Result<(UnderWay<'_>, Bodies<'_>), ShedFor> {
        let (engine, lane, headers) = (&self.engine, &*self.lane, request.headers());
        let under_way = match asked {
            Asked::Decision { playbook, is_bulk } if !engine.is_calm(lane) => {
                // What cannot be read is refused by the handler.
                let options = options_of(headers).unwrap_or_default();
                engine.admit_decision(lane, playbook, &options, is_bulk)?
            }
            Asked::Decision { .. } | Asked::Events => engine.admit_request(lane, None)?,
            Asked::Told => engine.admit_request(lane, Some(LEVEL_TOLD))?,
            Asked::Lookup => engine.admit_request(lane, Some(LEVEL_LOOKUP))?,
        };
        Ok((under_way, engine.admit_body(booked(headers, limit(request)))?))
    }

    /// Counts a request, and has the watch begin.
    fn count(self: &Arc<Self>) {
        self.handled.fetch_add(1, Ordering::Relaxed);
        if !self.is_watched.load(Ordering::Relaxed) {
            self.is_watched.store(true, Ordering::Relaxed);
            spawn(watch(Arc::downgrade(self)));
        }
    }
}

/// Lets a request pass that is taken on, and what operators ask.
pub(crate) async fn admit(
    turnstile: web::Data<Turnstile>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(asked) = asked(request.path(), request.method().is_safe()) else {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    };
    let turnstile = turnstile.into_inner();
    turnstile.count();
    let admitted = turnstile.admit(&request, asked);
    if let Ok(_under_way) = admitted {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    }
    turnstile.engine.note_shed();
    if body_bytes(request.headers()).is_some_and(|bytes| bytes <= DRAINED_MAX) {
        // In vain: then the connection is closed.
        let _ = time::timeout(DRAIN_TIMEOUT, drain(request.take_payload())).await;
    }
    Ok(request.into_response(overloaded()).map_into_right_body())
}

/// What a request asks for; `None` for what operators ask, which is never shed.
fn asked(path: &str, is_safe: bool) -> Option<Asked<'_>> {
    let path = path.strip_prefix("/v1/")?;
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    match first {
        "decide" => Some(match rest.split_once('/') {
            Some((playbook, _)) => Asked::Decision { playbook, is_bulk: true },
            None => Asked::Decision { playbook: rest, is_bulk: false },
        }),
        "events" => Some(Asked::Events),
        "decisions" | "customers" | "log" => Some(if is_safe { Asked::Lookup } else { Asked::Told }),
        _ => None,
    }
}

/// Bytes of a body, if they are told.
fn body_bytes(headers: &HeaderMap) -> Option<usize> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH).map_or(Some(0), |length| length.to_str().ok()?.parse().ok())
}

/// Bytes that a body is counted as: what it tells, and no more than is read of it, whatever it tells.
fn booked(headers: &HeaderMap, limit: usize) -> usize {
    body_bytes(headers).map_or(limit, |bytes| bytes.min(limit))
}

/// Bytes that a body may have.
fn limit(request: &ServiceRequest) -> usize {
    request.app_data::<web::Data<Limits>>().map_or(DRAINED_MAX, |limits| limits.body_bytes_max)
}

async fn drain(mut payload: Payload) {
    while let Some(Ok(_)) = payload.next().await {}
}

fn overloaded() -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/problem+json")))
        .insert_header((RETRY_AFTER, HeaderValue::from_static("1")))
        .body(OVERLOADED)
}

/// Measures how late the worker is, until nobody asks anything any more.
async fn watch(turnstile: Weak<Turnstile>) {
    let mut idle = 0;
    loop {
        let Some(mark) = turnstile.upgrade().map(|of| of.mark()) else { return };
        time::sleep(WATCH_EVERY).await;
        let Some(of) = turnstile.upgrade() else { return };
        idle = if of.hear(mark) { 0 } else { idle + 1 };
        if idle >= IDLE_MAX {
            of.lane.rest();
            of.is_watched.store(false, Ordering::Relaxed);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;
    use crate::actor::Shed;
    use crate::bundle::tests::bundle;
    use crate::domain::{TimeDelta, Timestamp};
    use crate::engine::Config;
    use crate::ingress::Problem;
    use crate::time::Clock;

    /// What a worker tells that was 50 ms behind after so many requests with so many events.
    fn told_after(requests: u32, events: usize) -> Option<Duration> {
        let clock = Clock::manual("2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap());
        let mut config = Config::new(bundle());
        (config.journal.segment_bytes, config.clock) = (1 << 20, clock.clone());
        let turnstile = Turnstile::new(&Engine::start(config).unwrap());
        let mark = turnstile.mark();
        turnstile.handled.fetch_add(requests, Ordering::Relaxed);
        turnstile.count_events(events);
        clock.advance(TimeDelta::from_micros(50_000));
        turnstile.hear(mark);
        turnstile.waited()
    }

    #[test]
    fn a_worker_that_is_late_by_its_own_work_tells_so_and_by_the_machine_does_not() {
        let late = Duration::from_millis(50) - WATCH_EVERY - SLEEP_LATE;
        assert_eq!(told_after(100, 0), Some(late));
        assert_eq!(told_after(1, 1_000), Some(late), "one batch is much to do");
        assert_eq!(told_after(1, 0), None, "one request is not");
    }

    #[test]
    fn paths_say_what_is_asked() {
        let decision = |playbook, is_bulk| Some(Asked::Decision { playbook, is_bulk });
        assert_eq!(asked("/v1/decide/routing", false), decision("routing", false));
        assert_eq!(asked("/v1/decide/routing/batch", false), decision("routing", true));
        assert_eq!(asked("/v1/events", false), Some(Asked::Events));
        assert_eq!(asked("/v1/customers/c/facts", false), Some(Asked::Told));
        assert_eq!(asked("/v1/decisions/x/explain", true), Some(Asked::Lookup));
        for never_shed in ["/readyz", "/metrics", "/v1/bundle", "/v1/bundle/reload", "/v1/switches/a", "/"] {
            assert_eq!(asked(never_shed, true), None, "{never_shed}");
        }
    }

    #[test]
    fn a_body_counts_as_no_more_than_is_read_of_it() {
        let told = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
            booked(&headers, 1_000)
        };
        assert_eq!(booked(&HeaderMap::new(), 1_000), 0);
        assert_eq!(told("content-length", "999"), 999);
        for long in ["1000000000", "18446744073709551615", "18446744073709551616"] {
            assert_eq!(told("content-length", long), 1_000, "{long}");
        }
        assert_eq!(told("transfer-encoding", "chunked"), 1_000);
    }

    #[test]
    fn the_answer_made_once_is_the_problem_itself() {
        assert_eq!(OVERLOADED, serde_json::to_string(&Problem::from(Shed::Overloaded)).unwrap());
    }
}
