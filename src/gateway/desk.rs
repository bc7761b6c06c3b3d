//! What questions and calls share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::choosing::{Ranking, ranking};
use super::config::Config;
use super::flight::{Flight, Joined};
use super::kept::{Found, Kept, Key};
use super::latency::Chance;
use super::metrics::Metrics;
use super::pending::{Pending, Place, Seat, Stale};
use super::permit::{Permit, Wish};
use super::request::prompt_tokens_estimate;
use super::roster::Roster;
use super::switches::Switches;
use super::till::Till;
use crate::agents::{Answer, Call, Question, Reply, Silence, Source};
use crate::time::{Clock, Deadline, Instant, Timer};

/// What questions and calls share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) config: Config,
    pub(super) roster: Roster,
    pub(super) switches: Arc<Switches>,
    pub(super) till: Till,
    pub(super) kept: Kept,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) timer: Timer,
    under_way: Mutex<UnderWay>,
    lingering: AtomicUsize,
    is_stopping: AtomicBool,
}

/// The calls under way.
#[derive(Debug, Default)]
struct UnderWay {
    /// Those that can be joined.
    known: HashMap<Key, Arc<Flight>, foldhash::fast::RandomState>,
    /// Those in whose place another call has begun.
    replaced: Vec<Arc<Flight>>,
}

/// What a desk is made of.
pub(super) struct Furniture {
    pub(super) config: Config,
    pub(super) roster: Roster,
    pub(super) switches: Arc<Switches>,
    pub(super) till: Till,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) timer: Timer,
}

/// A call that is about to begin: its first request may be sent.
#[derive(Debug)]
pub(super) struct Takeoff {
    pub(super) flight: Arc<Flight>,
    pub(super) order: Ranking,
    /// The first target that may be asked, by its place in the order.
    pub(super) at: usize,
    pub(super) permit: Permit,
    /// Why those before it were passed over.
    pub(super) passed_over: PassedOver,
}

/// Why targets were passed over: of several reasons that of the one that came furthest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PassedOver(Option<Silence>);

// === impl Desk ===

impl Desk {
    pub(super) fn new(furniture: Furniture) -> Self {
        let Furniture { config, roster, switches, till, metrics, clock, timer } = furniture;
        Self {
            kept: Kept::new(config.cache_bytes_max),
            config,
            roster,
            switches,
            till,
            metrics,
            clock,
            timer,
            under_way: Mutex::default(),
            lingering: AtomicUsize::new(0),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Looks for a reply: at once where there is one or asking is of no use; else with those who wait for the same, or with a call
    /// that `take_off` sends on its way.
    pub(super) fn ask(
        &self,
        question: &Arc<Question>,
        deadline: Deadline,
        take_off: impl FnOnce(Takeoff) -> Result<(), Box<Takeoff>>,
    ) -> Pending {
        let asked = self.clock.instant();
        if let Err(silence) = self.is_open(question, deadline, asked) {
            return self.known(silence, None);
        }
        let key = Key::of(question);
        let stale = match self.find_kept(key, question, asked) {
            Some((found, target)) if found.is_fresh => return self.cached(found.answer, target, asked),
            Some((found, name)) => Some(Stale {
                answer: found.answer,
                name,
                target: found.target,
                question: Arc::clone(question),
                switches: Arc::clone(&self.switches),
            }),
            None => None,
        };
        let seat = Arc::new(Seat::new(asked, deadline));
        let mut under_way = self.under_way();
        if let Some(flight) = under_way.known.get(&key).cloned()
            && let Some(joined) = self.join(&flight, &seat, asked)
        {
            drop(under_way);
            return match joined {
                Ok(()) => self.wait(seat, flight, deadline, stale),
                Err(silence) => self.known(silence, stale),
            };
        }
        let begun = match under_way.len() < self.config.calls_max {
            true => self.begin(key, question, &seat, asked),
            false => Err(Silence::Shed),
        };
        let takeoff = match begun {
            Ok(takeoff) => takeoff,
            Err(silence) => {
                drop(under_way);
                return self.known(silence, stale);
            }
        };
        let flight = Arc::clone(&takeoff.flight);
        under_way.insert(Arc::clone(&flight));
        self.metrics.under_way.set(under_way.len() as i64);
        drop(under_way);
        if let Err(takeoff) = take_off(takeoff) {
            // Its thread has ended, or has not come round to those before: nothing was sent.
            self.land(&flight, &Err(Silence::Shed), None);
            drop(takeoff);
        }
        self.wait(seat, flight, deadline, stale)
    }

    /// Whether there is any use in looking for a reply.
    fn is_open(&self, question: &Question, deadline: Deadline, now: Instant) -> Result<(), Silence> {
        if self.is_stopping() {
            return Err(Silence::Failed);
        }
        if self.switches.forbids_agent(&question.agent).is_some() {
            return Err(Silence::SwitchedOff);
        }
        if deadline.is_past(now) { Err(Silence::Late) } else { Ok(()) }
    }

    /// The answer that is kept, with the name of the target that gave it; none that is switched off since.
    fn find_kept(&self, key: Key, question: &Question, now: Instant) -> Option<(Found, Arc<str>)> {
        let found = self.kept.find(key, question, now)?;
        let target = question.targets.get(found.target)?;
        let model = self.roster.find(target)?;
        self.switches.forbids(&question.agent, target).is_none().then(|| (found, Arc::clone(&model.name)))
    }

    /// Lets one more wait for a call under way, if that is likely to end in time for it. None if the call is about to end, or
    /// goes on only so that something is learned from it: then it is no reason not to ask anew.
    fn join(&self, flight: &Flight, seat: &Arc<Seat>, now: Instant) -> Option<Result<(), Silence>> {
        let question = &flight.question;
        let model = |target: usize| self.roster.find(question.targets.get(target)?);
        if let Some((asking, model)) = flight.asking().and_then(|asking| Some((asking, model(asking.target)?))) {
            let (waited, left) = (now.since(asking.since), seat.deadline().left(now));
            let chance = model.chance_after(waited, left, now);
            if chance.is_some_and(|chance| chance < Chance::from_milli(question.chance_min_milli)) {
                return (!flight.is_in_vain(now)).then_some(Err(Silence::WouldBeLate));
            }
        }
        match flight.join(Arc::clone(seat)) {
            Joined::Yes => Some(Ok(())),
            Joined::Full => Some(Err(Silence::Shed)),
            Joined::TooLate => None,
        }
    }

    /// The first target that may be asked, with the leave to ask it; money is seen to where the disk can be waited for.
    fn begin(&self, key: Key, question: &Arc<Question>, seat: &Arc<Seat>, now: Instant) -> Result<Takeoff, Silence> {
        let cost = |target: &_| self.roster.find(target).map(|model| model.cost_max(question));
        let order = ranking(&question.targets, question.choose, question.spread, cost);
        let mut passed_over = PassedOver::default();
        for (at, target) in order.iter().enumerate() {
            match self.admit(question, *target, seat.deadline().left(now), false) {
                Ok(permit) => {
                    let flight = Arc::new(Flight::new(key, Arc::clone(question), Arc::clone(seat)));
                    return Ok(Takeoff { flight, order, at, permit, passed_over });
                }
                Err(silence) => passed_over.note(silence),
            }
        }
        Err(passed_over.silence())
    }

    /// The leave to ask a target of a question; or what it wants for.
    pub(super) fn admit(
        &self,
        question: &Question,
        target: usize,
        left: Duration,
        is_hedge: bool,
    ) -> Result<Permit, Silence> {
        let target = question.targets.get(target).ok_or(Silence::Failed)?;
        let model = self.roster.find(target).ok_or(Silence::Failed)?;
        if self.switches.forbids(&question.agent, target).is_some() {
            model.metrics.skipped(Silence::SwitchedOff);
            return Err(Silence::SwitchedOff);
        }
        let tokens = prompt_tokens_estimate(question) + u64::from(question.answer_tokens);
        let chance_min = Chance::from_milli(question.chance_min_milli);
        let wish = Wish { left, chance_min, tokens, spread: question.spread, is_hedge };
        model.admit(wish, &self.till, &self.clock)
    }

    /// A call has come to its end: it is nobody's to join any more, and all who waited are told.
    pub(super) fn land(&self, flight: &Arc<Flight>, answer: &Result<Answer, Silence>, target: Option<Arc<str>>) {
        let mut under_way = self.under_way();
        under_way.remove(flight);
        self.metrics.under_way.set(under_way.len() as i64);
        drop(under_way);
        flight.land(answer, target, self.clock.instant());
    }

    /// Has every call look at what has changed.
    pub(super) fn look(&self) {
        let flights = self.under_way().all();
        for flight in flights {
            flight.look();
        }
    }

    /// From now on nobody is asked.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.look();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Whether one more call may go on after its deadline. To be followed by [`Desk::lingers_no_more`].
    pub(super) fn may_linger(&self) -> bool {
        let max = self.config.lingering_max;
        let one_more = |lingering: usize| (lingering < max).then_some(lingering + 1);
        let may = self.lingering.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok();
        self.metrics.lingering.add(i64::from(may));
        may
    }

    pub(super) fn lingers_no_more(&self) {
        self.lingering.fetch_sub(1, Ordering::Relaxed);
        self.metrics.lingering.add(-1);
    }

    fn cached(&self, answer: Answer, target: Arc<str>, asked: Instant) -> Pending {
        let took = self.clock.instant().since(asked);
        let call = Call { target: Some(target), source: Source::Cache, took, ..Call::default() };
        self.reply(Reply { answer: Ok(answer), call })
    }

    fn known(&self, silence: Silence, stale: Option<Stale>) -> Pending {
        let reply = Reply { answer: Err(silence), call: Call::default() };
        self.reply(match stale {
            Some(stale) => stale.stand_in(reply),
            None => reply,
        })
    }

    fn reply(&self, reply: Reply) -> Pending {
        self.metrics.questions.replied(&reply);
        Pending::known(reply)
    }

    fn wait(&self, seat: Arc<Seat>, flight: Arc<Flight>, deadline: Deadline, stale: Option<Stale>) -> Pending {
        let place = Place { seat, flight, alarm: self.timer.at(deadline.instant()), stale };
        Pending::waiting(place, self.clock.clone(), Arc::clone(&self.metrics.questions))
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl UnderWay ===

impl UnderWay {
    fn len(&self) -> usize {
        self.known.len() + self.replaced.len()
    }

    /// Whoever asks the same from now on joins this one.
    fn insert(&mut self, flight: Arc<Flight>) {
        self.replaced.extend(self.known.insert(flight.key, flight));
    }

    fn remove(&mut self, flight: &Arc<Flight>) {
        if self.known.get(&flight.key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            self.known.remove(&flight.key);
        } else {
            self.replaced.retain(|replaced| !Arc::ptr_eq(replaced, flight));
        }
    }

    fn all(&self) -> Vec<Arc<Flight>> {
        self.known.values().chain(&self.replaced).cloned().collect()
    }
}

// === impl PassedOver ===

impl PassedOver {
    /// The way of a question, as far as a target may fail on it.
    const WAY: [Silence; 6] = [
        Silence::SwitchedOff,
        Silence::Down,
        Silence::WouldBeLate,
        Silence::RateLimited,
        Silence::Shed,
        Silence::OverBudget,
    ];

    /// One more target is passed over.
    pub(super) fn note(&mut self, silence: Silence) {
        let how_far = |silence: Silence| Self::WAY.iter().position(|stop| *stop == silence);
        if self.0.is_none_or(|before| how_far(silence) > how_far(before)) {
            self.0 = Some(silence);
        }
    }

    /// Why nobody was asked.
    pub(super) fn silence(self) -> Silence {
        self.0.unwrap_or(Silence::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_that_came_furthest_says_why_nobody_was_asked() {
        let why = |silences: &[Silence]| {
            let mut passed_over = PassedOver::default();
            silences.iter().for_each(|silence| passed_over.note(*silence));
            passed_over.silence()
        };
        assert_eq!(why(&[]), Silence::Failed, "there was none");
        assert_eq!(why(&[Silence::Failed, Silence::SwitchedOff]), Silence::SwitchedOff);
        assert_eq!(why(&[Silence::WouldBeLate, Silence::Down]), Silence::WouldBeLate);
        assert_eq!(why(&[Silence::Shed, Silence::OverBudget, Silence::RateLimited]), Silence::OverBudget);
    }
}
