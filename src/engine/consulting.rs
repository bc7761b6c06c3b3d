//! Asking slow models and agents between two tries of a turn: outside the customer's cell.
//!
//! A turn that needs the word of a slow model, or of a large one, changes nothing and says whom to ask. What is said comes back as a
//! reading of the same input, and the turn is taken anew: on the state as it then is, by the rules, caps and consents as they then
//! are. Other events of the customer are decided meanwhile, unless the playbook orders them strictly.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::allowance::when_disk_full;
use super::course::{Course, Leg};
use super::slow_models::{Handles, found};
use super::turning::{Begun, Stage};
use super::wait::{Expired, within};
use super::{Answer, Engine, Error};
use crate::actor::{Asked, Held, InForce, Refusal, Request, Shed, TurnDone};
use crate::agents::Source;
use crate::bundle::{Ack, Bundle, WhenDiskFull};
use crate::decider::{AgentReply, Silence, SlowAnswer, SlowScores};
use crate::domain::TraceContext;
use crate::gateway;
use crate::serving;
use crate::time::Deadline;
use crate::turn::{Input, ModelReadings, Readings, Run, Served, Taken, Wanted, playbooks_of};

/// What is left of a budget for the turn itself and the reply when a model answers at the last moment.
const RESERVE: Duration = Duration::from_millis(2);

/// The same where the answer waits for the disk: an `fdatasync` takes a millisecond, and some more when the disk is busy. Else who
/// asks a model that hangs would always be told that the disk had not confirmed in time. At most a quarter of the budget.
const RESERVE_FOR_DISK: Duration = Duration::from_millis(10);

/// Answers that one turn is given. More would only be needed if the customer's state changed at each try; then what was not
/// asked counts as late.
const ANSWERS_MAX: usize = 64;

/// What is taken anew once somebody has answered.
pub(super) struct Again {
    pub(super) input: Input,
    pub(super) readings: Readings,
    /// The models of the bundle that it is taken on, whatever is in force meanwhile.
    handles: Arc<Handles>,
    /// Questions whose answers did not come in time: the numbers of playbook and agent, and what is still awaited.
    pub(super) late: Vec<(usize, usize, gateway::Pending)>,
    /// What is left of the budget for the turn itself, the disk and the reply.
    reserve: Duration,
}

/// Who has been asked for one turn, and what is waited for.
pub(super) struct Consultation(Vec<Consulted>);

enum Consulted {
    /// A slow model: the numbers of playbook and model.
    Model(usize, usize, Option<serving::Pending>),
    /// An agent: the numbers of playbook and agent.
    Agent(usize, usize, gateway::Pending),
}

/// What was said to one turn.
#[derive(Default)]
struct Answers {
    slow: Vec<SlowAnswer>,
    replies: Vec<AgentReply>,
    late: Vec<(usize, usize, gateway::Pending)>,
}

impl Consultation {
    /// Waits for all; every one is there by its deadline.
    async fn answers(self) -> Answers {
        let mut answers = Answers::default();
        for consulted in self.0 {
            match consulted {
                Consulted::Model(playbook, model, pending) => {
                    let scores = match pending {
                        Some(pending) => said(pending.await),
                        None => Err(Silence::Failed),
                    };
                    answers.slow.push(SlowAnswer { playbook, model, scores });
                }
                Consulted::Agent(playbook, agent, mut pending) => {
                    let reply = (&mut pending).await;
                    let is_late = reply.answer == Err(crate::agents::Silence::Late);
                    if is_late || reply.call.source == Source::Stale {
                        answers.late.push((playbook, agent, pending));
                    }
                    answers.replies.push(AgentReply { playbook, agent, reply });
                }
            }
        }
        answers
    }
}

fn said(answer: serving::Answer) -> Result<SlowScores, Silence> {
    match answer {
        serving::Answer::Scored(scores) => {
            Ok(SlowScores { probabilities: scores.probabilities.into(), scope: scores.scope })
        }
        serving::Answer::Late => Err(Silence::Late),
        serving::Answer::Shed => Err(Silence::Shed),
        serving::Answer::Failed(_) | serving::Answer::Stopped => Err(Silence::Failed),
    }
}

/// What is to be left of a budget when models have answered.
fn reserve(input: &Input, bundle: &Bundle, budget: Duration) -> Duration {
    let Input::Event(event) = input else { return RESERVE };
    let waits_for_disk = playbooks_of(event, bundle).any(|number| bundle.playbooks()[number].ack == Ack::Disk);
    if waits_for_disk { RESERVE_FOR_DISK.min(budget / 4).max(RESERVE) } else { RESERVE }
}

impl Engine {
    /// Begins a turn. If it turns out at once that somebody must be asked, that is done.
    pub(super) fn begin_turn(&self, request: Request, mut course: Course) -> Begun {
        let Request { input, mut readings, bundle, deadline, span } = request;
        let served = self.served(&bundle);
        let again = (bundle.bundle.has_slow_models() || served.is_some()).then(|| {
            let served = served.map(Arc::clone).unwrap_or_default();
            readings.models = ModelReadings::Live { slow: Vec::new(), replies: Vec::new(), served, is_last: false };
            let (handles, late) = (self.0.slow_models.handles(), Vec::new());
            let reserve = reserve(&input, &bundle.bundle, deadline.left(course.started()));
            Box::new(Again { input: input.clone(), readings: readings.clone(), handles, late, reserve })
        });
        let customer = input.customer().clone();
        course.enter(Leg::Turn, self.0.clock.instant());
        let asked = self.0.customers.ask(Request { input, readings, bundle: Arc::clone(&bundle), deadline, span });
        self.ask_at_once(Begun { course, deadline, bundle, customer, asked: Stage::Turn(asked), again })
    }

    /// Which agents of a bundle can be asked; `None` if none can.
    fn served<'b>(&self, bundle: &'b InForce) -> Option<&'b Arc<Served>> {
        if !bundle.bundle.has_agents() {
            return None;
        }
        let by = || Served::by(&bundle.bundle, |agent| self.0.gateway.serves(&agent.agent.targets));
        Some(bundle.served.get_or_init(|| Arc::new(by()))).filter(|served| served.is_any())
    }

    fn ask_at_once(&self, mut begun: Begun) -> Begun {
        begun.hear();
        match (begun.asked, &begun.again) {
            (Stage::Turn(Asked::Done(Ok(TurnDone { taken: Taken::Asks(wanted), held, .. }))), Some(again)) => {
                begun.course.enter(Leg::Models, self.0.clock.instant());
                let trace = begun.course.context().map(|trace| (trace, !begun.course.span().is_disabled()));
                let asked = self.ask_all((wanted, held), (again, &begun.bundle.bundle), (trace, begun.deadline));
                Begun { asked, ..begun }
            }
            (asked, _) => Begun { asked, ..begun },
        }
    }

    /// Lets every turn of a batch that may want somebody asked be taken, before any record is waited for: so the models are
    /// asked together, and the turns share the disk's syncs.
    pub(super) async fn all_asked(
        &self,
        begun: Vec<Result<Answer<Begun>, Error>>,
    ) -> Vec<Result<Answer<Begun>, Error>> {
        // Side by side: nobody waits for whoever another event of the batch asks. The first try of each is taken in their order.
        join_all(begun.into_iter().map(async |begun| match begun {
            Ok(Answer::Given(begun)) if begun.again.is_some() => {
                let mut begun = self.fully_asked(begun).await;
                begun.course.enter(Leg::Queue, self.0.clock.instant());
                Ok(Answer::Given(begun))
            }
            other => other,
        }))
        .await
    }

    /// Waits until nobody is to be asked any more for a turn.
    pub(super) async fn fully_asked(&self, begun: Begun) -> Begun {
        let mut begun = self.turn_tried(begun).await;
        while matches!(begun.asked, Stage::Asking(..)) {
            begun = self.tried_anew(begun).await;
        }
        begun
    }

    /// Waits for the slow models that were asked for a turn, if any, and for its next try.
    async fn tried_anew(&self, begun: Begun) -> Begun {
        let Begun { mut course, deadline, bundle, customer, asked, mut again } = begun;
        let asked = match (asked, &mut again) {
            (Stage::Asking(consultation, held), Some(again)) => {
                Stage::Turn(self.begin_anew((consultation, held), (again, &bundle, deadline), &mut course).await)
            }
            (asked, _) => return Begun { course, deadline, bundle, customer, asked, again },
        };
        self.turn_tried(Begun { course, deadline, bundle, customer, asked, again }).await
    }

    /// Waits for the first try of a turn.
    async fn turn_tried(&self, begun: Begun) -> Begun {
        let Stage::Turn(asked) = begun.asked else { return begun };
        let asked = match self.turn_or_late(asked, begun.deadline).await {
            Ok(Ok(done)) => Asked::Done(Ok(done)),
            Ok(Err(request)) => Asked::Late(request),
            Err(refusal) => Asked::Done(Err(refusal)),
        };
        self.ask_at_once(Begun { asked: Stage::Turn(asked), ..begun })
    }

    /// Asks what a turn wants to be asked.
    fn ask_all(
        &self,
        (wanted, held): (Vec<Wanted>, Option<Held>),
        (again, bundle): (&Again, &Bundle),
        (trace, deadline): (Option<(&TraceContext, bool)>, Deadline),
    ) -> Stage {
        let deadline = deadline.earlier_by(again.reserve);
        let asked = wanted.into_iter().map(|wanted| match wanted {
            Wanted::Model { playbook, model, text } => {
                let manifest = &bundle.playbooks()[playbook].models[model].model.manifest;
                let pending = found(&again.handles, manifest).map(|handle| handle.ask(text, deadline));
                Consulted::Model(playbook, model, pending)
            }
            Wanted::Agent { playbook, agent, mut question } => {
                if let Some((trace, has_span)) = trace {
                    let question = Arc::make_mut(&mut question);
                    (question.trace, question.has_span) = (Some(trace.clone()), has_span);
                }
                Consulted::Agent(playbook, agent, self.0.gateway.ask(question, deadline))
            }
        });
        Stage::Asking(Consultation(asked.collect()), held)
    }

    /// Why there is no room for a turn that was begun when there was: the journal or the disk may have filled up since.
    async fn has_no_room(
        &self,
        input: &Input,
        bundle: &Bundle,
        (deadline, course): (Deadline, &mut Course),
    ) -> Option<Shed> {
        let journal = &self.0.journal;
        let Input::Event(event) = input else { return None };
        if !journal.is_full() {
            return None;
        }
        let began = self.0.clock.instant();
        course.enter(Leg::Admission, began);
        course.hold_up();
        let waited = within(journal.room(), self.0.timer.at(deadline.instant())).await;
        let now = self.0.clock.instant();
        self.0.admission.note_room(now.since(began), now);
        course.enter(Leg::Turn, now);
        if !journal.is_disk_full() {
            return waited.err().map(|Expired| Shed::JournalBehind);
        }
        let playbook = match event.run {
            Run::Playbook(number) => bundle.playbooks().get(number),
            Run::Subscribed => None,
        };
        let is_answered = when_disk_full(bundle, playbook, &event.event) == WhenDiskFull::Answer;
        (!is_answered || !journal.has_overflow_room()).then_some(Shed::DiskFull)
    }

    /// Begins a turn anew with what slow models say.
    async fn begin_anew(
        &self,
        (consultation, held): (Consultation, Option<Held>),
        (again, bundle, deadline): (&mut Again, &Arc<InForce>, Deadline),
        course: &mut Course,
    ) -> Asked {
        let answers = consultation.answers().await;
        let now = self.0.clock.instant();
        course.enter(Leg::Turn, now);
        again.late.extend(answers.late);
        if let ModelReadings::Live { slow, replies, is_last, .. } = &mut again.readings.models {
            // A model that would have been late says nothing of the next one, which may be quicker.
            let is_out_of_time = deadline.earlier_by(again.reserve).is_past(now);
            slow.extend(answers.slow);
            replies.extend(answers.replies);
            *is_last = is_out_of_time || slow.len() + replies.len() >= ANSWERS_MAX;
        }
        if let Some(shed) = self.has_no_room(&again.input, &bundle.bundle, (deadline, course)).await {
            return Asked::Done(Err(Refusal::Shed(shed)));
        }
        let (input, readings) = (again.input.clone(), again.readings.clone());
        let request = Request { input, readings, bundle: Arc::clone(bundle), deadline, span: course.span() };
        match held {
            Some(held) => held.ask(request),
            None => self.0.customers.ask(request),
        }
    }
}
