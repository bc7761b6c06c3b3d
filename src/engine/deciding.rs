//! Deciding: an event typed, its turn taken, its record kept, within the deadline.

use std::sync::Arc;

use super::admitting::{Ask, Line};
use super::allowance::{budget, when_disk_full};
use super::course::{Course, Leg};
use super::model_metrics::count_asked;
use super::turning::{Begun, Outturn, Turned};
use super::wait::{Expired, within};
use super::{Answer, Decision, Engine, Error, Options, Timing};
use crate::actor::{Refusal, Request, Shed};
use crate::bundle::{Ack, Bundle, Playbook, WhenDiskFull};
use crate::context::TypedEvent;
use crate::domain::{CustomerId, DecisionId, Durability, Event, FUTURE_MAX, Timestamp};
use crate::journal::JournalError;
use crate::time::{Deadline, Instant};
use crate::turn::{EventInput, Input, Made, Readings, Run, Taken, Turn};

/// What came of an event that was observed.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Whom it is about.
    pub customer: CustomerId,
    /// The decisions of all playbooks that decide on such events.
    pub decisions: Vec<Decision>,
    /// Whether the event was known already.
    pub is_duplicate: bool,
    /// How safely it was kept when this was given out.
    pub durability: Durability,
}

impl Engine {
    /// Decides on an event by a playbook, within the playbook's budget.
    ///
    /// The same event (source and id) again gives the same decision, marked as a duplicate. For an idle customer in memory
    /// the turn is taken on this thread; with `ack = "memory"` nothing is waited for.
    pub async fn decide(&self, playbook: &str, event: Event) -> Result<Answer<Decision>, Error> {
        self.decide_with(playbook, event, &Options::default()).await
    }

    /// Decides on an event with options.
    pub async fn decide_with(
        &self,
        playbook: &str,
        event: Event,
        options: &Options,
    ) -> Result<Answer<Decision>, Error> {
        self.decide_in(Line::Own, playbook, event, options).await
    }

    /// Decides on an event that has come in a line.
    pub(crate) async fn decide_in(
        &self,
        line: Line<'_>,
        playbook: &str,
        event: Event,
        options: &Options,
    ) -> Result<Answer<Decision>, Error> {
        let (_under_way, begun) =
            self.enter(&Ask { line, playbook: Some(playbook), options, is_bulk: false }, event).await;
        let answer = match begun {
            Ok(begun) => self.finish_decision(begun).await,
            Err(error) => Err(error),
        };
        self.tallied(answer)
    }

    /// Decides on many events by one playbook; the answers come in the order of the events. All turns are begun before any
    /// is waited for, so that the events share the disk's syncs. Events of one customer are decided in their order, but for
    /// those that wait for a slow model.
    pub async fn decide_batch(
        &self,
        playbook: &str,
        events: Vec<Event>,
        options: &Options,
    ) -> Vec<Result<Answer<Decision>, Error>> {
        self.decide_batch_in(Line::Own, playbook, events, options).await
    }

    /// Decides on many events that have come in a line.
    pub(crate) async fn decide_batch_in(
        &self,
        line: Line<'_>,
        playbook: &str,
        events: Vec<Event>,
        options: &Options,
    ) -> Vec<Result<Answer<Decision>, Error>> {
        let ask = Ask { line, playbook: Some(playbook), options, is_bulk: true };
        let (_under_way, begun) = self.enter_all(&ask, events).await;
        let mut answers = Vec::with_capacity(begun.len());
        for begun in self.all_asked(begun).await {
            let answer = match begun {
                Ok(begun) => self.finish_decision(begun).await,
                Err(error) => Err(error),
            };
            answers.push(self.tallied(answer));
        }
        answers
    }

    /// Takes an event into its customer's context and decides by every playbook whose `on` names its type.
    pub async fn observe(&self, event: Event) -> Result<Answer<Observed>, Error> {
        self.observe_with(event, &Options::default()).await
    }

    /// Observes an event with options.
    pub async fn observe_with(&self, event: Event, options: &Options) -> Result<Answer<Observed>, Error> {
        self.observe_in(Line::Own, event, options).await
    }

    /// Observes an event that has come in a line.
    pub(crate) async fn observe_in(
        &self,
        line: Line<'_>,
        event: Event,
        options: &Options,
    ) -> Result<Answer<Observed>, Error> {
        let (_under_way, begun) = self.enter(&Ask { line, playbook: None, options, is_bulk: false }, event).await;
        let answer = match begun {
            Ok(begun) => self.finish_observed(begun).await,
            Err(error) => Err(error),
        };
        self.tallied(answer)
    }

    /// Observes many events; the answers come in their order. All turns are begun before any is waited for, so that the
    /// events share the disk's syncs.
    pub async fn observe_batch(&self, events: Vec<Event>, options: &Options) -> Vec<Result<Answer<Observed>, Error>> {
        self.observe_batch_in(Line::Own, events, options).await
    }

    /// Observes many events that have come in a line.
    pub(crate) async fn observe_batch_in(
        &self,
        line: Line<'_>,
        events: Vec<Event>,
        options: &Options,
    ) -> Vec<Result<Answer<Observed>, Error>> {
        let ask = Ask { line, playbook: None, options, is_bulk: true };
        let (_under_way, begun) = self.enter_all(&ask, events).await;
        let mut answers = Vec::with_capacity(begun.len());
        for begun in self.all_asked(begun).await {
            let answer = match begun {
                Ok(begun) => self.finish_observed(begun).await,
                Err(error) => Err(error),
            };
            answers.push(self.tallied(answer));
        }
        answers
    }

    /// The first half of every event that is taken on: typed, checked, and its turn taken or queued.
    pub(super) async fn begin(
        &self,
        (playbook, options): (Option<&str>, &Options),
        event: Event,
        started: Instant,
    ) -> Result<Answer<Begun>, Error> {
        let inner = &self.0;
        let now = inner.clock.wall();
        let bundle = inner.customers.in_force();
        let number = playbook.map(|name| self.playbook_number(&bundle.bundle, name)).transpose()?;
        let typed = bundle.bundle.layout().accept(event).map_err(|faults| {
            inner.metrics.refused.event.inc();
            Error::Event(faults)
        })?;
        let rules = number.map(|number| &bundle.bundle.playbooks()[number]);
        if let Some(rules) = rules {
            self.check_decides(&bundle.bundle, rules, &typed)?;
        }
        let arrival = self.arrival(&typed, now, options.timing)?;
        let budget = budget(&bundle.bundle, rules, Some(typed.kind), options);
        let deadline = Deadline::new(started, budget);
        let names = (playbook, &*bundle.bundle.layout().events()[typed.kind].name);
        let mut course = self.course(started, options.trace.as_ref(), (names, budget));
        if inner.journal.is_full() {
            course.hold_up();
            let when_full = when_disk_full(&bundle.bundle, rules, &typed);
            if let Answer::Shed(shed) = self.room(when_full, deadline).await? {
                return Ok(Answer::Shed(shed));
            }
        }
        let run = number.map_or(Run::Subscribed, Run::Playbook);
        let event = EventInput { event: typed, run, trace: course.trace() };
        if let Some(known) = inner.customers.awaited_caps(&event, &bundle.bundle) {
            course.hold_up();
            if within(known, inner.timer.at(deadline.instant())).await.is_err() {
                return Ok(self.shed(Shed::Recovering));
            }
        }
        let input = Input::Event(event);
        let (readings, span) = (Readings::at(arrival), course.span());
        let request = Request { input, readings, bundle: Arc::clone(&bundle), deadline, span };
        Ok(Answer::Given(self.begin_turn(request, course)))
    }

    fn playbook_number(&self, bundle: &Bundle, name: &str) -> Result<usize, Error> {
        bundle.playbook_number(name).ok_or_else(|| {
            self.0.metrics.refused.playbook.inc();
            Error::UnknownPlaybook { name: name.to_owned(), hint: bundle.suggest_playbook(name) }
        })
    }

    fn check_decides(&self, bundle: &Bundle, playbook: &Playbook, event: &TypedEvent) -> Result<(), Error> {
        if playbook.position_of_event(event.kind).is_some() {
            return Ok(());
        }
        self.0.metrics.refused.event.inc();
        let name = |kind: &usize| format!("`{}`", bundle.layout().events()[*kind].name);
        Err(Error::WrongEvent {
            playbook: playbook.name.to_string(),
            found: bundle.layout().events()[event.kind].name.to_string(),
            on: playbook.on.iter().map(name).collect::<Vec<_>>().join(", "),
        })
    }

    fn arrival(&self, event: &TypedEvent, now: Timestamp, timing: Timing) -> Result<Timestamp, Error> {
        match (timing, event.time) {
            (_, Some(time)) if time > now.saturating_add(FUTURE_MAX) => {
                self.0.metrics.refused.future.inc();
                Err(Error::Future { member: "time", time, now })
            }
            (Timing::EventTime, Some(time)) => Ok(time),
            _ => Ok(now),
        }
    }

    /// Waits until there is room for another turn, no longer than to its deadline. A full disk is not waited for: room on it is
    /// made in minutes, not in milliseconds.
    pub(super) async fn room(&self, when_full: WhenDiskFull, deadline: Deadline) -> Result<Answer<()>, Error> {
        let journal = &self.0.journal;
        let began = self.0.clock.instant();
        let waited = within(journal.room(), self.0.timer.at(deadline.instant())).await;
        let now = self.0.clock.instant();
        self.0.admission.note_room(now.since(began), now);
        if let Some(reason) = journal.stopped() {
            return Err(JournalError::Stopped(reason).into());
        }
        Ok(match when_full {
            _ if !journal.is_disk_full() => match waited {
                Ok(()) => Answer::Given(()),
                Err(Expired) => self.shed(Shed::JournalBehind),
            },
            WhenDiskFull::Answer if journal.has_overflow_room() => Answer::Given(()),
            WhenDiskFull::Answer | WhenDiskFull::Shed => self.shed(Shed::DiskFull),
        })
    }

    pub(super) fn shed<T>(&self, shed: Shed) -> Answer<T> {
        self.0.metrics.shed(shed);
        Answer::Shed(shed)
    }

    async fn finish_decision(&self, begun: Answer<Begun>) -> Result<Answer<Decision>, Error> {
        let Turned { mut course, deadline, bundle, customer, done } = match self.turned(begun).await? {
            Answer::Given(Outturn::Turned(turned)) => turned,
            Answer::Given(Outturn::Late(_, decisions)) => {
                let nothing = || Error::Record("a playbook has no default".to_owned());
                return decisions.into_iter().next().map(Answer::Given).ok_or_else(nothing);
            }
            Answer::Shed(shed) => return Ok(Answer::Shed(shed)),
        };
        let mut decision = match done.taken {
            Taken::Conflict => return Err(self.conflict()),
            Taken::Unsettled(_) | Taken::Asks(_) => return Err(no_decision()),
            Taken::Turn(Turn { mut decisions, .. }) if !decisions.is_empty() => {
                let made = decisions.swap_remove(0);
                self.count_models(&bundle.bundle, &made);
                let ack = bundle.bundle.playbooks()[made.playbook].ack;
                let durability = self.keep(done.last_seq, ack, &mut course, deadline).await?;
                Decision::given(made, durability, &bundle.bundle, customer)
            }
            Taken::Turn(Turn { repeated, .. }) | Taken::Repeated(repeated) => {
                let Some((_, id)) = repeated.first() else {
                    return Err(Error::Record("a turn decided nothing".to_owned()));
                };
                match self.decided_before(*id, &mut course, deadline).await? {
                    Answer::Given(decision) => decision,
                    Answer::Shed(shed) => return Ok(self.shed(shed)),
                }
            }
        };
        let now = self.0.clock.instant();
        decision.elapsed = course.end(now);
        self.0.metrics.took(&course, self.exemplar(&course));
        self.given(&bundle.bundle, &decision, &course, (deadline, now));
        Ok(Answer::Given(decision))
    }

    async fn finish_observed(&self, begun: Answer<Begun>) -> Result<Answer<Observed>, Error> {
        let Turned { mut course, deadline, bundle, customer, done } = match self.turned(begun).await? {
            Answer::Given(Outturn::Turned(turned)) => turned,
            Answer::Given(Outturn::Late(customer, decisions)) => {
                self.0.metrics.observed.inc();
                let durability = Durability::Pending;
                return Ok(Answer::Given(Observed { customer, decisions, is_duplicate: false, durability }));
            }
            Answer::Shed(shed) => return Ok(Answer::Shed(shed)),
        };
        let (made, repeated) = match done.taken {
            Taken::Conflict => return Err(self.conflict()),
            Taken::Unsettled(_) | Taken::Asks(_) => return Err(no_decision()),
            Taken::Turn(Turn { decisions, repeated, .. }) => (decisions, repeated),
            Taken::Repeated(repeated) => (Vec::new(), repeated),
        };
        made.iter().for_each(|made| self.count_models(&bundle.bundle, made));
        let is_duplicate = done.seq.is_none();
        let acks = made.iter().map(|made| bundle.bundle.playbooks()[made.playbook].ack);
        let ack =
            if !made.is_empty() && acks.into_iter().all(|ack| ack == Ack::Memory) { Ack::Memory } else { Ack::Disk };
        // A repetition rests on records that may not be on disk yet: it is as safe as they are.
        let mut durability = self.keep(done.last_seq, ack, &mut course, deadline).await?;
        let given = |made| Decision::given(made, durability, &bundle.bundle, customer.clone());
        let mut decisions: Vec<Decision> = made.into_iter().map(given).collect();
        for (_, id) in repeated {
            match self.decided_before(id, &mut course, deadline).await? {
                Answer::Given(decision) => decisions.push(decision),
                Answer::Shed(shed) if is_duplicate => return Ok(self.shed(shed)),
                // Something was decided now, so this is an answer, and it says that not all of it is safe.
                Answer::Shed(_) => durability = Durability::Pending,
            }
        }
        let now = self.0.clock.instant();
        let elapsed = course.end(now);
        if !decisions.is_empty() {
            self.0.metrics.took(&course, self.exemplar(&course));
        }
        for decision in &mut decisions {
            if !decision.is_duplicate {
                decision.durability = durability;
            }
            decision.elapsed = elapsed;
            self.given(&bundle.bundle, decision, &course, (deadline, now));
        }
        self.0.metrics.observed.inc();
        if is_duplicate {
            self.0.metrics.repeated.inc();
        }
        Ok(Answer::Given(Observed { customer, decisions, is_duplicate, durability }))
    }

    pub(super) fn refused<T>(&self, refusal: Refusal) -> Result<Answer<T>, Error> {
        match refusal {
            Refusal::Shed(shed) => Ok(self.shed(shed)),
            Refusal::Failed(failure) => Err(Error::Failed(failure)),
            // Only feedback is overtaken, and whoever gives it searches again.
            Refusal::Overtaken { .. } => Ok(self.shed(Shed::Late)),
        }
    }

    fn conflict(&self) -> Error {
        self.0.metrics.refused.conflict.inc();
        Error::Conflict
    }

    /// Waits until a record is as safe as is asked for, no longer than to the deadline.
    pub(super) async fn keep(
        &self,
        seq: u64,
        ack: Ack,
        course: &mut Course,
        deadline: Deadline,
    ) -> Result<Durability, Error> {
        let inner = &self.0;
        if ack == Ack::Memory {
            return Ok(if inner.journal.synced_seq() >= seq { Durability::Disk } else { Durability::Memory });
        }
        let Some(synced) = inner.journal.wait_synced(seq) else { return Ok(Durability::Disk) };
        let turned = inner.clock.instant();
        course.enter(Leg::Disk, turned);
        if deadline.is_past(turned) {
            inner.metrics.pending.inc();
            return Ok(Durability::Pending);
        }
        match within(synced, inner.timer.at(deadline.instant())).await {
            Ok(Ok(Ok(()))) => Ok(Durability::Disk),
            Ok(Ok(Err(reason))) => Err(JournalError::Stopped(reason).into()),
            Ok(Err(_)) => Err(JournalError::Stopped("it is closed".into()).into()),
            Err(Expired) => {
                inner.metrics.pending.inc();
                Ok(Durability::Pending)
            }
        }
    }

    /// A decision that was made before; shed if it cannot be read back before the deadline.
    async fn decided_before(
        &self,
        id: DecisionId,
        course: &mut Course,
        deadline: Deadline,
    ) -> Result<Answer<Decision>, Error> {
        course.enter(Leg::Disk, self.0.clock.instant());
        let journal = &self.0.journal;
        let mut found = self.decision(id)?;
        if found.is_none() {
            if journal.is_disk_full() {
                return Ok(Answer::Shed(Shed::DiskFull));
            }
            // It was made a moment ago and is still on its way to the disk.
            if let Some(synced) = journal.wait_synced(journal.last_seq()) {
                match within(synced, self.0.timer.at(deadline.instant())).await {
                    Ok(Ok(Err(reason))) => return Err(JournalError::Stopped(reason).into()),
                    Ok(_) => {}
                    Err(Expired) => return Ok(Answer::Shed(Shed::Late)),
                }
            }
            found = self.decision(id)?;
        }
        let Some(mut decision) = found else {
            return Err(Error::Record(format!("decision {id} is in the customer's ledger but not in the journal")));
        };
        decision.is_duplicate = true;
        Ok(Answer::Given(decision))
    }

    /// Counts what the models and agents of a decision said.
    fn count_models(&self, bundle: &Arc<Bundle>, made: &Made) {
        if made.decided.asked.is_empty() && made.decided.agents.is_empty() {
            return;
        }
        let series = self.0.series.load();
        // Models of a bundle that has gone are not counted: their numbers mean others now.
        if Arc::ptr_eq(&series.bundle, bundle)
            && let Some(playbook) = series.playbooks.get(made.playbook)
        {
            count_asked(&made.decided.asked, &bundle.playbooks()[made.playbook], &playbook.models);
            playbook.count_agents(&made.decided.agents, &bundle.playbooks()[made.playbook]);
        }
    }
}

/// A turn that came to nothing that an event can come to.
fn no_decision() -> Error {
    Error::Record("the turn of an event came to no decision".to_owned())
}
