//! Asking slow models and agents between two tries of a turn: outside the customer's cell.
//!
//! A turn that needs the word of a slow model, or of a large one, changes nothing and says whom to ask. What is said comes back as a
//! reading of the same input, and the turn is taken anew: on the state as it then is, by the rules, caps and consents as they then
//! are. Other events of the customer are decided meanwhile, unless the playbook orders them strictly.

use std::sync::Arc;
use std::time::Duration;

use super::late_answers::Letterbox;
use super::slow_models::{Handles, found};
use super::turning::{Begun, Stage};
use super::{Answer, Engine, Error};
use crate::actor::{Asked, Held, InForce, Request, TurnDone};
use crate::bundle::Bundle;
use crate::decider::{AgentReply, Silence, SlowAnswer, SlowScores};
use crate::gateway;
use crate::serving;
use crate::time::{Deadline, Instant};
use crate::turn::{Input, ModelReadings, Readings, Served, Taken, Wanted};

/// What is left of a budget for the turn itself and the reply when a model answers at the last moment.
const RESERVE: Duration = Duration::from_millis(2);

/// Answers that one turn is given. More would only be needed if the customer's state changed at each try; then what was not
/// asked counts as late.
const ANSWERS_MAX: usize = 64;

/// What is taken anew once somebody has answered.
pub(super) struct Again {
    pub(super) input: Input,
    pub(super) readings: Readings,
    /// The models of the bundle that it is taken on, whatever is in force meanwhile.
    handles: Arc<Handles>,
    /// Questions whose answers did not come in time: the numbers of playbook and agent, and where they will come to.
    pub(super) late: Vec<(usize, usize, Arc<Letterbox>)>,
}

/// Who has been asked for one turn, and what is waited for.
pub(super) struct Consultation(Vec<Consulted>);

enum Consulted {
    /// A slow model: the numbers of playbook and model.
    Model(usize, usize, Option<serving::Pending>),
    /// An agent: the numbers of playbook and agent, and where an answer comes to that is late.
    Agent(usize, usize, gateway::Pending, Arc<Letterbox>),
}

/// What was said to one turn.
#[derive(Default)]
struct Answers {
    slow: Vec<SlowAnswer>,
    replies: Vec<AgentReply>,
    late: Vec<(usize, usize, Arc<Letterbox>)>,
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
                Consulted::Agent(playbook, agent, pending, late) => {
                    let reply = pending.await;
                    if reply.answer == Err(crate::agents::Silence::Late) {
                        answers.late.push((playbook, agent, late));
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

impl Engine {
    /// Begins a turn. If it turns out at once that somebody must be asked, that is done.
    pub(super) fn begin_turn(&self, request: Request, started: Instant) -> Begun {
        let Request { input, mut readings, bundle, deadline } = request;
        let served = self.served(&bundle);
        let again = (bundle.bundle.has_slow_models() || served.is_some()).then(|| {
            let served = served.map(Arc::clone).unwrap_or_default();
            readings.models = ModelReadings::Live { slow: Vec::new(), replies: Vec::new(), served, is_last: false };
            let (handles, late) = (self.0.slow_models.handles(), Vec::new());
            Box::new(Again { input: input.clone(), readings: readings.clone(), handles, late })
        });
        let customer = input.customer().clone();
        let asked = self.0.customers.ask(Request { input, readings, bundle: Arc::clone(&bundle), deadline });
        self.ask_at_once(Begun { started, deadline, bundle, customer, asked: Stage::Turn(asked), again })
    }

    /// Which agents of a bundle can be asked; `None` if none can.
    fn served<'b>(&self, bundle: &'b InForce) -> Option<&'b Arc<Served>> {
        if !bundle.bundle.has_agents() {
            return None;
        }
        let by = || Served::by(&bundle.bundle, |agent| self.0.gateway.serves(&agent.agent.targets));
        Some(bundle.served.get_or_init(|| Arc::new(by()))).filter(|served| served.is_any())
    }

    fn ask_at_once(&self, begun: Begun) -> Begun {
        match (begun.asked, &begun.again) {
            (Stage::Turn(Asked::Done(Ok(TurnDone { taken: Taken::Asks(wanted), held, .. }))), Some(again)) => {
                let asked = self.ask_all((wanted, held), (again, &begun.bundle.bundle), begun.deadline);
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
        let mut all = Vec::with_capacity(begun.len());
        for begun in begun {
            all.push(match begun {
                Ok(Answer::Given(begun)) if begun.again.is_some() => {
                    let mut begun = self.turn_tried(begun).await;
                    // Later events of the batch may wait for the customer who is held.
                    while matches!(begun.asked, Stage::Asking(_, Some(_))) {
                        begun = self.tried_anew(begun).await;
                    }
                    Ok(Answer::Given(begun))
                }
                other => other,
            });
        }
        let is_asking = |begun: &Result<Answer<Begun>, Error>| {
            matches!(begun, Ok(Answer::Given(Begun { asked: Stage::Asking(..), .. })))
        };
        // Each round asks of every turn the next of its models.
        while all.iter().any(is_asking) {
            let mut round = Vec::with_capacity(all.len());
            for begun in all {
                round.push(match begun {
                    Ok(Answer::Given(begun)) => Ok(Answer::Given(self.tried_anew(begun).await)),
                    other => other,
                });
            }
            all = round;
        }
        all
    }

    /// Waits for the slow models that were asked for a turn, if any, and for its next try.
    async fn tried_anew(&self, begun: Begun) -> Begun {
        let Begun { started, deadline, bundle, customer, asked, mut again } = begun;
        let asked = match (asked, &mut again) {
            (Stage::Asking(consultation, held), Some(again)) => {
                Stage::Turn(self.begin_anew((consultation, held), (again, &bundle, deadline)).await)
            }
            (asked, _) => return Begun { started, deadline, bundle, customer, asked, again },
        };
        self.turn_tried(Begun { started, deadline, bundle, customer, asked, again }).await
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
    pub(super) fn ask_all(
        &self,
        (wanted, held): (Vec<Wanted>, Option<Held>),
        (again, bundle): (&Again, &Bundle),
        deadline: Deadline,
    ) -> Stage {
        let deadline = deadline.earlier_by(RESERVE);
        let asked = wanted.into_iter().map(|wanted| match wanted {
            Wanted::Model { playbook, model, text } => {
                let manifest = &bundle.playbooks()[playbook].models[model].model.manifest;
                let pending = found(&again.handles, manifest).map(|handle| handle.ask(text, deadline));
                Consulted::Model(playbook, model, pending)
            }
            Wanted::Agent { playbook, agent, mut question } => {
                if let Some(trace) = again.input.trace() {
                    Arc::make_mut(&mut question).trace = Some(trace);
                }
                let pending = self.0.gateway.ask(question, deadline);
                let late = Letterbox::of(&pending);
                Consulted::Agent(playbook, agent, pending, late)
            }
        });
        Stage::Asking(Consultation(asked.collect()), held)
    }

    /// Begins a turn anew with what slow models say.
    pub(super) async fn begin_anew(
        &self,
        (consultation, held): (Consultation, Option<Held>),
        (again, bundle, deadline): (&mut Again, &Arc<InForce>, Deadline),
    ) -> Asked {
        let answers = consultation.answers().await;
        again.late.extend(answers.late);
        if let ModelReadings::Live { slow, replies, is_last, .. } = &mut again.readings.models {
            // A model that would have been late says nothing of the next one, which may be quicker.
            let is_out_of_time = deadline.earlier_by(RESERVE).is_past(self.0.clock.instant());
            slow.extend(answers.slow);
            replies.extend(answers.replies);
            *is_last = is_out_of_time || slow.len() + replies.len() >= ANSWERS_MAX;
        }
        let (input, readings) = (again.input.clone(), again.readings.clone());
        let request = Request { input, readings, bundle: Arc::clone(bundle), deadline };
        match held {
            Some(held) => held.ask(request),
            None => self.0.customers.ask(request),
        }
    }
}
