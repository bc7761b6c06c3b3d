//! What a call does, from its first request to its end.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::{error, warn};

use super::attempt::{Attempt, Exchanged};
use super::choosing::Ranking;
use super::desk::{Desk, PassedOver, Takeoff};
use super::flight::{Asking, Flight};
use super::landing::{End, Landing};
use super::permit::Permit;
use super::purse::NoMoney;
use super::roster::Model;
use super::verdict::Next;
use crate::agents::{Answer, Question, Silence};
use crate::time::{Alarm, Instant};

/// What a call does: it asks one target after the other, a second one beside a slow one, until somebody answers, the time is up, or
/// there is nobody left to ask. It goes on for a while after the deadline if a request is under way then.
pub(super) struct Course {
    pub(super) desk: Arc<Desk>,
    flight: Arc<Flight>,
    pub(super) question: Arc<Question>,
    pub(super) order: Ranking,
    /// The targets that are not asked again.
    pub(super) closed: Vec<usize>,
    passed_over: PassedOver,
    /// What came of the last request.
    silence: Option<Silence>,
    /// Two at most: a request, and the hedge beside it.
    pub(super) attempts: Vec<Attempt>,
    requests: u8,
    /// The providers that were asked, by their place among the targets.
    asked: Vec<usize>,
    pub(super) deadline: Instant,
    /// None once it has passed.
    due: Option<Alarm>,
    /// When requests under way are given up, once the deadline has passed.
    linger: Option<Alarm>,
    is_lingering: bool,
    pub(super) hedge: Option<Alarm>,
    pub(super) is_hedged: bool,
    /// A target is asked again after a while.
    pause: Option<(Alarm, usize)>,
}

/// What a call waits for.
enum Event {
    Ended(usize, Exchanged),
    Changed,
    Due,
    LingerOver,
    HedgeDue,
    PauseOver(usize),
}

/// The time before a target is asked again: twice as much for each request before, and up to as much again, by the decision's name.
const PAUSE: Duration = Duration::from_millis(20);

/// Takes a call from its first request to its end.
pub(super) async fn fly(desk: Arc<Desk>, takeoff: Takeoff) {
    let Takeoff { flight, order, at, permit, passed_over } = takeoff;
    let mut landing = Landing::new(Arc::clone(&desk), Arc::clone(&flight));
    let target = order.get(at).copied().unwrap_or_default();
    let mut course = Course::new(desk, flight, order, passed_over);
    let end = course.run(target, permit).await;
    // What is still under way is given up and settled before anybody is told what it all cost.
    course.abandon_all(end.answer.is_ok());
    landing.end = Some(end);
}

impl Course {
    fn new(desk: Arc<Desk>, flight: Arc<Flight>, order: Ranking, passed_over: PassedOver) -> Self {
        let deadline = flight.deadline();
        Self {
            question: Arc::clone(&flight.question),
            due: Some(desk.timer.at(deadline)),
            desk,
            flight,
            order,
            closed: Vec::new(),
            passed_over,
            silence: None,
            attempts: Vec::with_capacity(2),
            requests: 0,
            asked: Vec::new(),
            deadline,
            linger: None,
            is_lingering: false,
            hedge: None,
            is_hedged: false,
            pause: None,
        }
    }

    async fn run(&mut self, target: usize, permit: Permit) -> End {
        if let Err(silence) = self.start(target, permit, false).await {
            self.passed_over.note(silence);
            self.closed.push(target);
            if !self.ask_next(None).await {
                return self.silent();
            }
        }
        loop {
            let end = match self.next().await {
                Event::Ended(nth, exchanged) => self.ended(nth, exchanged).await,
                Event::Changed => self.look().await,
                Event::Due => self.overdue(),
                Event::LingerOver => self.in_vain(),
                Event::HedgeDue => {
                    self.hedge_now().await;
                    None
                }
                Event::PauseOver(target) => match self.ask(target).await {
                    true => None,
                    false => Some(self.silent()),
                },
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    async fn next(&mut self) -> Event {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        // An answer that is there counts, whatever else there is.
        for (nth, attempt) in self.attempts.iter_mut().enumerate() {
            if let Poll::Ready(exchanged) = attempt.poll(context) {
                return Poll::Ready(Event::Ended(nth, exchanged));
            }
        }
        if self.flight.poll_changed(context).is_ready() {
            return Poll::Ready(Event::Changed);
        }
        if rings(&mut self.due, context) {
            return Poll::Ready(Event::Due);
        }
        if rings(&mut self.linger, context) {
            return Poll::Ready(Event::LingerOver);
        }
        if rings(&mut self.hedge, context) {
            return Poll::Ready(Event::HedgeDue);
        }
        let Some((alarm, target)) = &mut self.pause else { return Poll::Pending };
        let target = *target;
        if Pin::new(alarm).poll(context).is_pending() {
            return Poll::Pending;
        }
        self.pause = None;
        Poll::Ready(Event::PauseOver(target))
    }

    /// Sends a request to a target, if the money is there and some time is left.
    pub(super) async fn start(&mut self, target: usize, mut permit: Permit, is_hedge: bool) -> Result<(), Silence> {
        let worst = permit.model.cost_max(&self.question);
        let most = self.flight.cost_max().plus(worst);
        if self.question.cost_max.is_some_and(|max| most > max) {
            permit.model.metrics.skipped(Silence::OverBudget);
            return Err(Silence::OverBudget);
        }
        let money = self.desk.till.reserve(&self.question.budgets, worst, self.desk.clock.wall()).await;
        let money = money.map_err(|e| {
            permit.model.metrics.skipped(Silence::OverBudget);
            if !matches!(e, NoMoney::OverBudget { .. }) {
                error!(reason = %e, "no money can be spent on large models");
            }
            Silence::OverBudget
        })?;
        permit.pay(money, worst);
        let now = self.desk.clock.instant();
        if now >= self.deadline {
            return Err(Silence::WouldBeLate);
        }
        permit.sent(now);
        let model = Arc::clone(&permit.model);
        self.flight.sent(Asking { target, since: now }, Arc::clone(&model.name), worst, is_hedge);
        self.count(&model, target, is_hedge);
        if !is_hedge {
            self.plan_hedge(&model, now);
        }
        let timeout = self.desk.timer.at(now.after(model.provider.config.timeout));
        self.attempts.push(Attempt::new((target, is_hedge), permit, &self.question, (&self.desk.clock, timeout)));
        Ok(())
    }

    fn count(&mut self, model: &Arc<Model>, target: usize, is_hedge: bool) {
        if is_hedge {
            model.metrics.hedges.inc();
        } else if self.requests > 0 {
            model.metrics.retries.inc();
        } else {
            let mut guards = model.provider.guards();
            guards.hedges.earn();
            guards.retries.earn();
        }
        self.requests = self.requests.saturating_add(1);
        self.asked.push(target);
    }

    /// A request has ended: with the answer, or so that another may be sent.
    async fn ended(&mut self, nth: usize, exchanged: Exchanged) -> Option<End> {
        let attempt = self.attempts.swap_remove(nth);
        let (target, is_hedge, model) = (attempt.target, attempt.is_hedge, Arc::clone(attempt.model()));
        let verdict = exchanged.ending.verdict();
        let retry_after = exchanged.retry_after();
        self.settle(attempt, &exchanged);
        if exchanged.ending.is_for_people() && model.complain()
            || exchanged.ending.is_refusal() && model.complain_of_refusals()
        {
            warn!(model = %model.name, ending = exchanged.ending.as_str(), "a provider refuses requests for this model: see its settings");
        }
        if let Some(answer) = exchanged.answer {
            if !self.is_off(target) {
                return Some(self.answered(answer, target, is_hedge, &model));
            }
            self.silence = Some(Silence::SwitchedOff);
        } else {
            self.silence = Some(verdict.silence);
        }
        if verdict.next != Next::Anyone {
            self.closed.push(target);
        }
        if !self.attempts.is_empty() {
            return None;
        }
        if self.due.is_none() {
            return Some(self.silent());
        }
        self.again(target, retry_after).await
    }

    fn answered(&self, answer: Answer, target: usize, is_hedge: bool, model: &Model) -> End {
        let now = self.desk.clock.instant();
        self.desk.kept.keep(self.flight.key, &self.question, &answer, target, now);
        let (answers, bytes) = self.desk.kept.size();
        self.desk.metrics.kept_answers.set(i64::try_from(answers).unwrap_or(i64::MAX));
        self.desk.metrics.kept_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        if is_hedge {
            model.metrics.hedges_won.inc();
        }
        if now >= self.deadline {
            model.metrics.late.inc();
        }
        End { answer: Ok(answer), target: Some(target) }
    }

    /// Asks somebody else, or the same after a while.
    async fn again(&mut self, failed: usize, retry_after: Option<Duration>) -> Option<End> {
        if self.ask_next(Some(failed)).await {
            return None;
        }
        if self.closed.contains(&failed) || !self.may_send_more() {
            return Some(self.silent());
        }
        let round = u32::from(self.requests.saturating_sub(1)).min(6);
        let pause = PAUSE * (1 << round);
        let jitter = pause.mul_f64((self.question.spread >> 40) as f64 / (1_u64 << 24) as f64);
        let pause = retry_after.unwrap_or_default().max(pause + jitter);
        let until = self.desk.clock.instant().after(pause);
        if until >= self.deadline {
            return Some(self.silent());
        }
        self.pause = Some((self.desk.timer.at(until), failed));
        None
    }

    /// Asks the next target that may be asked: those behind the one that failed first, that one itself not.
    async fn ask_next(&mut self, failed: Option<usize>) -> bool {
        let order = self.order.clone();
        let start = order.iter().position(|target| Some(*target) == failed).map_or(0, |at| at + 1);
        for nth in 0..order.len() {
            let target = order[(start + nth) % order.len()];
            if Some(target) != failed && !self.closed.contains(&target) && self.ask(target).await {
                return true;
            }
        }
        false
    }

    /// Asks a target if it may be asked.
    async fn ask(&mut self, target: usize) -> bool {
        if !self.may_send_more() {
            return false;
        }
        let left = self.deadline.since(self.desk.clock.instant());
        let started = match self.desk.admit(&self.question, target, left, false) {
            Ok(_) if !self.may_retry(target) => return false,
            Ok(permit) => self.start(target, permit, false).await,
            Err(silence) => Err(silence),
        };
        if let Err(silence) = started {
            self.passed_over.note(silence);
        }
        started.is_ok()
    }

    pub(super) fn may_send_more(&self) -> bool {
        self.requests < self.desk.config.requests_per_call_max
    }

    /// Whether a provider may be sent a request again: of retries there are only so many. Another provider is asked for the first
    /// time, which nobody has to save up for.
    fn may_retry(&self, target: usize) -> bool {
        let provider = |target: usize| self.question.targets.get(target).map(|target| &target.provider);
        if !self.asked.iter().any(|asked| provider(*asked) == provider(target)) {
            return true;
        }
        let Some(model) = self.model(target) else { return false };
        model.provider.guards().retries.try_spend().is_some()
    }

    /// Looks who waits, what is switched off and whether all ends.
    async fn look(&mut self) -> Option<End> {
        if self.desk.is_stopping() {
            return Some(End::silent(Silence::Failed));
        }
        if self.flight.close_if_abandoned() {
            return Some(End::silent(Silence::Late));
        }
        if self.desk.switches.forbids_agent(&self.question.agent).is_some() {
            return Some(End::silent(Silence::SwitchedOff));
        }
        self.extend();
        self.drop_switched_off().await
    }

    /// Gives up what goes to a target that has been switched off, and asks another in its place.
    async fn drop_switched_off(&mut self) -> Option<End> {
        let mut is_any_off = false;
        while let Some(nth) = self.attempts.iter().position(|attempt| self.is_off(attempt.target)) {
            let attempt = self.attempts.swap_remove(nth);
            self.closed.push(attempt.target);
            self.abandon(attempt, false);
            is_any_off = true;
        }
        if !is_any_off || !self.attempts.is_empty() {
            return None;
        }
        self.silence = Some(Silence::SwitchedOff);
        if self.due.is_none() || !self.ask_next(None).await { Some(self.silent()) } else { None }
    }

    /// Somebody with more time has joined.
    fn extend(&mut self) {
        let deadline = self.flight.deadline();
        if deadline <= self.deadline {
            return;
        }
        self.deadline = deadline;
        self.due = Some(self.desk.timer.at(deadline));
        self.linger = None;
        if std::mem::take(&mut self.is_lingering) {
            self.desk.lingers_no_more();
        }
    }

    /// The deadline has passed. What is under way may go on for a while, so that something is learned from it.
    fn overdue(&mut self) -> Option<End> {
        self.hedge = None;
        let now = self.desk.clock.instant();
        for attempt in &mut self.attempts {
            attempt.permit().overdue(now);
        }
        let linger = self.attempts.iter().map(|attempt| attempt.model().provider.config.linger).max();
        let Some(linger) = linger.filter(|_| self.desk.may_linger()) else { return self.in_vain() };
        self.is_lingering = true;
        self.linger = Some(self.desk.timer.at(self.deadline.after(linger)));
        None
    }

    /// Nobody waits any more; unless somebody has come just now, who has a look taken next.
    fn in_vain(&self) -> Option<End> {
        let now = self.desk.clock.instant();
        self.flight.close_if_in_vain(now).then(|| End::silent(Silence::Late))
    }

    fn settle(&self, attempt: Attempt, exchanged: &Exchanged) {
        let mut attempt = attempt;
        let worst = attempt.permit().worst();
        let spent = attempt.close(exchanged);
        self.flight.ended(worst, spent.cost, (spent.prompt_tokens, spent.answer_tokens));
    }

    fn abandon(&self, mut attempt: Attempt, is_beaten: bool) {
        let worst = attempt.permit().worst();
        attempt.abandon(is_beaten);
        self.flight.ended(worst, worst, (0, 0));
    }

    fn abandon_all(&mut self, is_beaten: bool) {
        for attempt in std::mem::take(&mut self.attempts) {
            self.abandon(attempt, is_beaten);
        }
    }

    fn is_off(&self, target: usize) -> bool {
        let target = self.question.targets.get(target);
        target.is_none_or(|target| self.desk.switches.forbids(&self.question.agent, target).is_some())
    }

    pub(super) fn model(&self, target: usize) -> Option<&Arc<Model>> {
        self.desk.roster.find(self.question.targets.get(target)?)
    }

    /// What came of the last request; or why there was none.
    fn silent(&self) -> End {
        End::silent(self.silence.unwrap_or_else(|| self.passed_over.silence()))
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        if self.is_lingering {
            self.desk.lingers_no_more();
        }
        self.abandon_all(false);
    }
}

/// Whether an alarm rings; then it is gone.
fn rings(alarm: &mut Option<Alarm>, context: &mut Context<'_>) -> bool {
    let rings = alarm.as_mut().is_some_and(|alarm| Pin::new(alarm).poll(context).is_ready());
    if rings {
        *alarm = None;
    }
    rings
}
