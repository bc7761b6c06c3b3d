//! Taking calls on, or not: before they are typed, and before any work is done for them.

use std::hash::BuildHasher;
use std::time::Duration;

use super::admission::{BULK_LOWER, Lane, ShedFor, UnderWay, Weight};
use super::allowance::budget;
use super::turning::Begun;
use super::{Answer, Budget, Engine, Error, Options};
use crate::actor::Shed;
use crate::bundle::{PRIORITY_DEFAULT, Playbook};
use crate::domain::Event;
use crate::time::Instant;

/// How a call has come in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Line<'a> {
    /// In process.
    Own,
    /// At a worker of an HTTP server, where it was weighed before it was known whom it is about.
    Weighed(&'a Lane),
    /// At a worker of an HTTP server, where nothing was known of it.
    Unweighed(&'a Lane),
}

/// A call that is to be taken on, apart from its event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    pub(super) line: Line<'a>,
    /// The playbook that is to decide; `None`: all that decide on such events.
    pub(super) playbook: Option<&'a str>,
    pub(super) options: &'a Options,
    pub(super) is_bulk: bool,
}

impl Engine {
    /// Takes an event on and begins its turn.
    pub(super) async fn enter(&self, ask: &Ask<'_>, event: Event) -> (UnderWay<'_>, Result<Answer<Begun>, Error>) {
        let now = self.0.clock.instant();
        let started = now.before(ask.options.waited.unwrap_or_default());
        match self.admit(ask, &event, now) {
            Ok(under_way) => (under_way, self.begin((ask.playbook, ask.options), event, started).await),
            Err(_) => (UnderWay::uncounted(), Ok(self.shed(Shed::Overloaded))),
        }
    }

    /// Takes many events on and begins their turns.
    pub(super) async fn enter_all(
        &self,
        ask: &Ask<'_>,
        events: Vec<Event>,
    ) -> (Vec<UnderWay<'_>>, Vec<Result<Answer<Begun>, Error>>) {
        let (mut entered, mut begun) = (Vec::with_capacity(events.len()), Vec::with_capacity(events.len()));
        for event in events {
            let (under_way, mut turn) = self.enter(ask, event).await;
            self.wait_among(&mut turn);
            entered.push(under_way);
            begun.push(turn);
        }
        (entered, begun)
    }

    /// Whether a call is taken on. While nothing waits: a few relaxed reads, and one addition.
    fn admit(&self, ask: &Ask<'_>, event: &Event, now: Instant) -> Result<UnderWay<'_>, ShedFor> {
        let (admission, options) = (&self.0.admission, ask.options);
        // Nobody waits for it, and it waits for room itself.
        if options.budget == Budget::Unlimited {
            return Ok(UnderWay::uncounted());
        }
        let (lane, waited) = match ask.line {
            Line::Own => (admission.own(), options.waited),
            Line::Weighed(lane) if lane.is_open() => return Ok(UnderWay::uncounted()),
            Line::Weighed(lane) => {
                let Weight { level, customer, .. } = self.weight(ask, event);
                admission.weigh_customer(lane, level, customer.unwrap_or_default())?;
                return Ok(UnderWay::uncounted());
            }
            Line::Unweighed(lane) => (lane, None),
        };
        let is_own = matches!(ask.line, Line::Own);
        if is_own && let Some(waited) = waited {
            admission.note_waited(waited);
        }
        if is_own && lane.is_due(now) {
            admission.look(lane, now, self.0.customers.backlog());
        }
        if waited.is_some() || !admission.is_calm(lane) {
            admission.weigh(lane, options.waited.unwrap_or_default(), self.weight(ask, event))?;
        }
        if is_own { admission.enter(|| self.weight(ask, event).level) } else { Ok(UnderWay::uncounted()) }
    }

    fn weight(&self, ask: &Ask<'_>, event: &Event) -> Weight {
        let kind = if ask.playbook.is_some() { None } else { Some(&*event.kind) };
        let (level, budget) = self.worth(ask.playbook, kind, ask.options, ask.is_bulk);
        // The same everywhere and always: no seed.
        let customer = foldhash::quality::FixedState::default().hash_one(&*event.customer);
        Weight { level, budget, customer: Some(customer) }
    }

    /// What a call is worth, and how long its caller waits: by the playbook that is named, or by those that decide on events of
    /// a type.
    fn worth(&self, playbook: Option<&str>, kind: Option<&str>, options: &Options, is_bulk: bool) -> (u8, Duration) {
        let bundle = self.bundle();
        let number = playbook.and_then(|name| bundle.playbook_number(name));
        let playbook = number.map(|number| &bundle.playbooks()[number]);
        let kind = kind.and_then(|kind| bundle.layout().event_number(kind));
        let own = match (playbook, kind) {
            (Some(playbook), _) => playbook.priority,
            (None, Some(kind)) => {
                let is_subscribed = |of: &&Playbook| of.position_of_event(kind).is_some();
                let subscribed = bundle.playbooks().iter().filter(is_subscribed);
                // What nobody decides on is no more urgent than work in bulk.
                subscribed.map(|of| of.priority).max().unwrap_or(PRIORITY_DEFAULT - BULK_LOWER)
            }
            // It will be refused.
            (None, None) => PRIORITY_DEFAULT,
        };
        let said = options.priority.map(|priority| priority.min(own));
        let level = said.unwrap_or(if is_bulk { own.saturating_sub(BULK_LOWER) } else { own });
        (level, budget(&bundle, playbook, kind, options))
    }
}

impl Engine {
    /// Whether requests of normal priority have been shed for so long that traffic should go elsewhere.
    pub(crate) fn is_strained(&self) -> bool {
        self.0.admission.is_strained(self.0.clock.instant())
    }
}

#[cfg(feature = "http")]
impl Engine {
    /// A lane of a worker of an HTTP server.
    pub(crate) fn lane(&self) -> std::sync::Arc<Lane> {
        self.0.admission.lane()
    }

    /// The engine's steady clock.
    pub(crate) fn now(&self) -> Instant {
        self.0.clock.instant()
    }

    /// Whether a request at a worker need not be weighed.
    pub(crate) fn is_calm(&self, lane: &Lane) -> bool {
        self.0.admission.is_calm(lane)
    }

    /// Hears how late a worker is with what it has to do.
    pub(crate) fn hear(&self, lane: &Lane, lateness: Duration) {
        let now = self.0.clock.instant();
        self.0.admission.hear(lane, lateness, now, || self.0.customers.backlog());
    }

    /// Whether a request for a playbook's decision is taken on at a worker, before its body is read.
    pub(crate) fn admit_decision(
        &self,
        lane: &Lane,
        playbook: &str,
        options: &Options,
        is_bulk: bool,
    ) -> Result<UnderWay<'_>, ShedFor> {
        let admission = &self.0.admission;
        let (level, budget) = self.worth(Some(playbook), None, options, is_bulk);
        admission.weigh(lane, lane.told(), Weight { level, budget, customer: None })?;
        admission.enter(|| level)
    }

    /// Whether any other request is taken on at a worker: one of a level, or, where that is found out later, of none.
    pub(crate) fn admit_request(&self, lane: &Lane, level: Option<u8>) -> Result<UnderWay<'_>, ShedFor> {
        let admission = &self.0.admission;
        if let Some(level) = level
            && !admission.is_calm(lane)
        {
            admission.weigh(lane, Duration::ZERO, Weight { level, budget: Duration::MAX, customer: None })?;
        }
        admission.enter(|| level.unwrap_or(PRIORITY_DEFAULT))
    }

    /// Notes that a request is answered at a worker that it is shed, before the engine has seen it.
    pub(crate) fn note_shed(&self) {
        self.0.metrics.shed(Shed::Overloaded);
    }

    /// Whether a body of so many bytes is taken on.
    pub(crate) fn admit_body(&self, bytes: usize) -> Result<super::admission::Bodies<'_>, ShedFor> {
        self.0.admission.enter_body(bytes, PRIORITY_DEFAULT)
    }
}
