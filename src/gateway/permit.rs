//! The leave to send one request to a model, and what is settled when it ends.

use std::sync::Arc;
use std::time::Duration;

use super::breaker::{Outcome, Pass};
use super::latency::Chance;
use super::limit::{Load, Place};
use super::probing::Probe;
use super::purse::Reservation;
use super::rate::Share;
use super::rate_headers::RateHeaders;
use super::roster::{Guards, Learned, Model};
use super::till::Till;
use super::verdict::{Cost, Ending, Fault};
use crate::agents::Silence;
use crate::domain::Money;
use crate::time::{Clock, Instant};

/// The leave to send one request to a model: it has passed the breaker, has a chance, a share of the rates, a place among those
/// that may be under way, and money once that is reserved. Dropped, all goes back as for a request that was given up.
#[derive(Debug)]
pub(super) struct Permit {
    pub(super) model: Arc<Model>,
    clock: Clock,
    till: Till,
    held: Option<Held>,
    probe: Option<Probe>,
    money: Option<Reservation>,
    worst: Money,
    sent: Option<Instant>,
    /// The decision's deadline passed after so long.
    overdue_after: Option<Duration>,
    /// Another request was quicker.
    is_beaten: bool,
}

/// What one provider has lent.
#[derive(Debug)]
struct Held {
    pass: Pass,
    place: Place,
    share: Share,
    tokens: u64,
}

/// What is asked of a model before a request is sent to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// What is left until the deadline.
    pub(super) left: Duration,
    /// The chance of an answer in that, below which it is of no use.
    pub(super) chance_min: Chance,
    /// Tokens of prompt and answer, about.
    pub(super) tokens: u64,
    /// Names the decision.
    pub(super) spread: u64,
    /// Whether it is a second request beside a slow one: those are no probes.
    pub(super) is_hedge: bool,
}

/// How a request went.
#[derive(Debug)]
pub(super) struct Course<'a> {
    pub(super) ending: &'a Ending,
    /// What the provider counted: tokens of the prompt, of those the ones read before, of the answer.
    pub(super) counted: Option<[u32; 3]>,
    /// What its headers say of its limits.
    pub(super) told: RateHeaders,
    /// From sending until the headers of the response.
    pub(super) first_byte: Option<Duration>,
}

/// What a request cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) cost: Money,
    pub(super) prompt_tokens: u32,
    pub(super) answer_tokens: u32,
}

/// Less than this is no time for anything.
const LEFT_MIN: Duration = Duration::from_millis(1);

impl Model {
    /// The leave to send a request; or what it wants for.
    pub(super) fn admit(self: &Arc<Self>, wish: Wish, till: &Till, clock: &Clock) -> Result<Permit, Silence> {
        let admitted = self.try_admit(wish, till, clock);
        if let Err(silence) = &admitted {
            self.metrics.skipped(*silence);
        }
        admitted
    }

    fn try_admit(self: &Arc<Self>, wish: Wish, till: &Till, clock: &Clock) -> Result<Permit, Silence> {
        let now = clock.instant();
        let mut guards = self.provider.guards();
        let pass = guards.breaker.try_pass(now).map_err(|_| Silence::Down)?;
        let probe = match self.learned().judge(wish, now) {
            Ok(probe) => probe,
            Err(silence) => {
                guards.breaker.record(pass, Outcome::NotItsFault, now);
                return Err(silence);
            }
        };
        let held = guards.lend(pass, wish.tokens, now);
        self.provider.show(&guards);
        drop(guards);
        let permit = |held| Permit {
            model: Arc::clone(self),
            clock: clock.clone(),
            till: till.clone(),
            held,
            probe,
            money: None,
            worst: Money::ZERO,
            sent: None,
            overdue_after: None,
            is_beaten: false,
        };
        // Without what the provider lends, dropping the permit gives back the probe.
        let permit = match held {
            Ok(held) => permit(Some(held)),
            Err(silence) => {
                drop(permit(None));
                return Err(silence);
            }
        };
        Ok(permit)
    }
}

impl Learned {
    /// Whether a request has a chance in what is left; a probe if it goes through without one.
    fn judge(&mut self, wish: Wish, now: Instant) -> Result<Option<Probe>, Silence> {
        if wish.left < LEFT_MIN {
            return Err(Silence::WouldBeLate);
        }
        match self.latency.chance_within(wish.left, now) {
            Some(chance) if chance < wish.chance_min => match wish.is_hedge {
                true => Err(Silence::WouldBeLate),
                false => self.probing.lets_through(wish.spread, now).map(Some).ok_or(Silence::WouldBeLate),
            },
            _ => Ok(None),
        }
    }
}

impl Guards {
    fn lend(&mut self, pass: Pass, tokens: u64, now: Instant) -> Result<Held, Silence> {
        let Ok(share) = self.rate.try_take(tokens, now) else {
            self.breaker.record(pass, Outcome::NotItsFault, now);
            return Err(Silence::RateLimited);
        };
        match self.limit.try_enter(now) {
            Some(place) => Ok(Held { pass, place, share, tokens }),
            None => {
                self.rate.give_back(share, now);
                self.breaker.record(pass, Outcome::NotItsFault, now);
                Err(Silence::Shed)
            }
        }
    }
}

impl Permit {
    /// The money for it is there.
    pub(super) fn pay(&mut self, money: Reservation, worst: Money) {
        self.money = Some(money);
        self.worst = worst;
    }

    /// What the request could cost.
    pub(super) fn worst(&self) -> Money {
        self.worst
    }

    /// It is being sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.sent = Some(now);
    }

    /// When it was sent.
    pub(super) fn since(&self) -> Option<Instant> {
        self.sent
    }

    /// Another request was quicker.
    pub(super) fn is_beaten(&mut self) {
        self.is_beaten = true;
    }

    /// The deadlines of all decisions that wait for it have passed: whoever asks from now on should know that it takes longer.
    pub(super) fn overdue(&mut self, now: Instant) {
        let (Some(sent), None) = (self.sent, self.overdue_after) else { return };
        let waited = now.since(sent);
        self.overdue_after = Some(waited);
        self.model.provider.client.doubt(now);
        let probe = self.probe.take();
        // Who was sent although it looked hopeless says nothing of how much the provider can take.
        let load = if probe.is_some() { Load::Unknown } else { Load::Late };
        let mut learned = self.model.learned();
        learned.latency.censor(waited, now);
        if let Some(probe) = probe {
            // It has told what it was sent for: the next may be tried, however long this one goes on.
            learned.probing.ended(probe, false, now);
        }
        drop(learned);
        if let Some(held) = &mut self.held {
            let mut guards = self.model.provider.guards();
            guards.limit.tell(&mut held.place, load, now);
            self.model.provider.show(&guards);
        }
    }

    /// It has ended.
    pub(super) fn close(mut self, course: &Course<'_>) -> Spent {
        let now = self.clock.instant();
        let took = self.sent.map_or(Duration::ZERO, |sent| now.since(sent));
        let verdict = course.ending.verdict();
        let answered = verdict.fault == Fault::None;
        if answered {
            self.model.metrics.request_seconds.observe_duration(took);
            self.model.is_well();
        }
        if let Some(first_byte) = course.first_byte {
            self.model.metrics.first_byte_seconds.observe_duration(first_byte);
        }
        self.model.metrics.ended(course.ending.as_str());
        self.learn(course.ending, took, now);
        let spent = self.spend(verdict.cost, course.counted);
        let outcome = match verdict.fault {
            Fault::None if took > self.model.provider.config.slow_call => Outcome::Slow,
            Fault::None => Outcome::Good,
            Fault::Providers => Outcome::Bad,
            Fault::Ours => Outcome::NotItsFault,
        };
        let load = match verdict.fault {
            _ if verdict.is_overload => Load::TooMuch,
            _ if *course.ending == Ending::TimedOut => Load::Late,
            Fault::None if self.overdue_after.is_none() => Load::Fine,
            _ => Load::Unknown,
        };
        let used = match (course.ending, course.counted) {
            (Ending::Unconnected, _) => None,
            (_, Some([prompt, _, answer])) => Some(u64::from(prompt) + u64::from(answer)),
            _ => self.held.as_ref().map(|held| held.tokens),
        };
        self.give_back(outcome, load, used, Some(&course.told), now);
        spent
    }

    fn learn(&mut self, ending: &Ending, took: Duration, now: Instant) {
        let mut learned = self.model.learned();
        let is_in_time = ending.verdict().fault == Fault::None && self.overdue_after.is_none();
        match (ending.verdict().fault, self.overdue_after) {
            (Fault::None, Some(waited)) => learned.latency.observe_after_censor(waited, took),
            (Fault::None, None) => learned.latency.observe(took, now),
            (_, None) if *ending == Ending::TimedOut => learned.latency.censor(took, now),
            _ => {}
        }
        if let Some(probe) = self.probe.take() {
            learned.probing.ended(probe, is_in_time, now);
        }
        learned.show(&self.model, now);
    }

    fn spend(&mut self, cost: Cost, counted: Option<[u32; 3]>) -> Spent {
        let tokens = counted.unwrap_or_default();
        let cost = match (cost, counted) {
            (Cost::Nothing, _) => Money::ZERO,
            (Cost::Counted, Some([prompt, cached, answer])) => {
                self.model.config.cost(u64::from(prompt), u64::from(cached), u64::from(answer))
            }
            (Cost::Counted, None) | (Cost::Full, _) => self.worst,
        };
        if let Some(money) = self.money.take() {
            self.till.settle(money, cost);
        }
        self.model.metrics.used(tokens, cost);
        Spent { cost, prompt_tokens: tokens[0], answer_tokens: tokens[2] }
    }

    /// Gives back what the provider has lent; `used` tokens, none if the request was never sent.
    fn give_back(&mut self, outcome: Outcome, load: Load, used: Option<u64>, told: Option<&RateHeaders>, now: Instant) {
        let Some(held) = self.held.take() else { return };
        let mut guards = self.model.provider.guards();
        guards.breaker.record(held.pass, outcome, now);
        guards.limit.leave(held.place, load, now);
        match used {
            Some(used) => guards.rate.settle(held.share, used, now),
            None => guards.rate.give_back(held.share, now),
        }
        if let Some(told) = told {
            guards.rate.hear(told, now);
        }
        self.model.provider.show_ended(&mut guards);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let now = self.clock.instant();
        if let Some(probe) = self.probe.take() {
            self.model.learned().probing.ended(probe, false, now);
        }
        if self.held.is_none() {
            return;
        }
        let Some(sent) = self.sent else {
            if let Some(money) = self.money.take() {
                self.till.settle(money, Money::ZERO);
            }
            return self.give_back(Outcome::NotItsFault, Load::Unknown, None, None, now);
        };
        let waited = now.since(sent);
        if self.overdue_after.is_none() {
            let mut learned = self.model.learned();
            learned.latency.censor(waited, now);
            learned.show(&self.model, now);
        }
        self.model.metrics.ended(if self.is_beaten { "cancelled" } else { "given_up" });
        self.spend(Cost::Full, None);
        let is_slow = waited > self.model.provider.config.slow_call;
        let used = self.held.as_ref().map(|held| held.tokens);
        self.give_back(if is_slow { Outcome::Slow } else { Outcome::NotItsFault }, Load::Unknown, used, None, now);
    }
}

impl Learned {
    /// Sets the gauges.
    fn show(&self, model: &Model, now: Instant) {
        let quantile = |milli| self.latency.quantile(Chance::from_milli(milli), now);
        model.metrics.learned(quantile(500), quantile(950));
    }
}
