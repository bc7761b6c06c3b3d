//! Asking slow models between two tries of a turn: outside the customer's cell, on the inference pool.
//!
//! A turn that needs a slow model's word changes nothing and says whom to ask. What is said comes back as a reading of the same
//! input, and the turn is taken anew: on the state as it then is, by the rules, caps and consents as they then are. Other events
//! of the customer are decided meanwhile.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::turning::{Begun, Stage};
use super::{Answer, Engine, Error};
use crate::actor::{Asked, InForce, Request, TurnDone};
use crate::bundle::{Bundle, Manifest, ModelFile, ModelName};
use crate::decider::{Silence, SlowAnswer, SlowScores};
use crate::domain::Enumeration;
use crate::inference::{Kernel, SlowFiles};
use crate::serving::{self, ModelHandle, Pending, Pool, SlowModel};
use crate::telemetry::Registry;
use crate::time::{Clock, Deadline, Instant, Timer};
use crate::turn::{Input, ModelReadings, Readings, Taken, Wanted};

/// What is left of a budget for the turn itself and the reply when a slow model answers at the last moment.
const RESERVE: std::time::Duration = std::time::Duration::from_millis(2);

/// Answers that one turn is given. More would only be needed if the customer's state changed at each try; then what was not
/// asked counts as late.
const ANSWERS_MAX: usize = 64;

/// Makes a slow model from its manifest and files; or says why it cannot be used.
pub type SlowModelLoader = dyn Fn(&Manifest, &SlowFiles) -> Result<Box<dyn SlowModel>, String> + Send + Sync;

/// The slow models of the bundle in force, on the inference pool.
pub(super) struct SlowModels {
    config: serving::Config,
    loader: Arc<SlowModelLoader>,
    clock: Clock,
    timer: Timer,
    metrics: serving::Metrics,
    /// Started with the first bundle that has a slow model.
    pool: Mutex<Option<Pool>>,
    handles: ArcSwap<Handles>,
}

/// The models that can be asked, each with what it was loaded from. While bundles change there may be two of one name.
type Handles = Vec<(LoadedFrom, ModelHandle)>;

/// What a slow model is loaded from: another of these is another model.
#[derive(Clone, Debug, PartialEq)]
struct LoadedFrom {
    name: ModelName,
    files: Vec<ModelFile>,
    labels: Arc<Enumeration>,
    temperature: f32,
}

/// What is taken anew once slow models have answered.
pub(super) struct Again {
    pub(super) input: Input,
    pub(super) readings: Readings,
    /// The models of the bundle that it is taken on, whatever is in force meanwhile.
    handles: Arc<Handles>,
}

impl SlowModels {
    pub(super) fn new(
        (config, loader): (serving::Config, Arc<SlowModelLoader>),
        registry: &Registry,
        (clock, timer): (Clock, Timer),
    ) -> Self {
        let (metrics, pool) = (serving::Metrics::new(registry), Mutex::new(None));
        Self { config, loader, clock, timer, metrics, pool, handles: ArcSwap::default() }
    }

    /// Loads the slow models that a bundle's playbooks use; or says which cannot be used. Blocks while it loads.
    pub(super) fn load(&self, bundle: &Bundle) -> Result<Loaded, String> {
        let known = self.handles.load();
        let mut handles = Handles::new();
        let used = bundle.playbooks().iter().flat_map(|playbook| &playbook.models).filter(|model| model.is_slow());
        for model in used {
            let manifest = &model.model.manifest;
            if found(&handles, manifest).is_some() {
                continue;
            }
            let handle = match found(&known, manifest) {
                Some(handle) => handle.clone(),
                None => {
                    let Some(Kernel::Slow(files)) = &model.model.kernel else { continue };
                    let failed = |why: String| format!("the model {} cannot be used: {why}", manifest.name);
                    let slow = (self.loader)(manifest, files).map_err(failed)?;
                    self.register(&model.name, slow).map_err(|e| failed(e.to_string()))?
                }
            };
            handles.push((LoadedFrom::of(manifest), handle));
        }
        Ok(Loaded(Arc::new(handles)))
    }

    /// What there is.
    pub(super) fn loaded(&self) -> Loaded {
        Loaded(self.handles.load_full())
    }

    /// Puts what was loaded beside what there is, until it is known which bundle is in force.
    pub(super) fn put_beside(&self, Loaded(handles): &Loaded) {
        let known = self.handles.load();
        let further = handles.iter().filter(|(from, _)| known.iter().all(|(known, _)| known != from));
        self.handles.store(Arc::new(known.iter().chain(further).cloned().collect()));
    }

    /// Puts what was loaded in the place of what there was.
    pub(super) fn put(&self, Loaded(handles): Loaded) {
        self.handles.store(handles);
    }

    fn register(&self, name: &str, model: Box<dyn SlowModel>) -> std::io::Result<ModelHandle> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = match &mut *pool {
            Some(pool) => pool,
            empty => {
                let (clock, timer) = (self.clock.clone(), self.timer.clone());
                empty.insert(Pool::start(self.config.clone(), clock, timer, self.metrics.clone())?)
            }
        };
        Ok(pool.register(name, model))
    }

    /// Ends the pool: who still waits is told that the model failed.
    pub(super) fn stop(&self) {
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner).take();
        pool.iter().for_each(Pool::shutdown);
    }
}

/// Asks the models that are wanted, all at once; what they say is waited for later.
fn ask(wanted: Vec<Wanted>, (handles, bundle): (&Handles, &Bundle), deadline: Deadline) -> Consultation {
    let asked = wanted.into_iter().map(|Wanted { playbook, model, text }| {
        let manifest = &bundle.playbooks()[playbook].models[model].model.manifest;
        (playbook, model, found(handles, manifest).map(|handle| handle.ask(text, deadline)))
    });
    Consultation(asked.collect())
}

/// The very model of a manifest: one of the same name that was loaded from something else is another.
fn found<'h>(handles: &'h Handles, manifest: &Manifest) -> Option<&'h ModelHandle> {
    handles.iter().find(|(from, _)| from.is_of(manifest)).map(|(_, handle)| handle)
}

/// Slow models that have been asked for one turn: the numbers of playbook and model, and what is waited for.
pub(super) struct Consultation(Vec<(usize, usize, Option<Pending>)>);

impl Consultation {
    async fn answers(self) -> Vec<SlowAnswer> {
        let mut answers = Vec::with_capacity(self.0.len());
        for (playbook, model, pending) in self.0 {
            let scores = match pending {
                Some(pending) => said(pending.await),
                None => Err(Silence::Failed),
            };
            answers.push(SlowAnswer { playbook, model, scores });
        }
        answers
    }
}

impl LoadedFrom {
    fn of(manifest: &Manifest) -> Self {
        let Manifest { name, files, labels, temperature, .. } = manifest;
        Self { name: name.clone(), files: files.clone(), labels: Arc::clone(labels), temperature: *temperature }
    }

    fn is_of(&self, manifest: &Manifest) -> bool {
        let Manifest { name, files, labels, temperature, .. } = manifest;
        let is_alike = self.name == *name && self.files == *files && self.temperature == *temperature;
        is_alike && (Arc::ptr_eq(&self.labels, labels) || self.labels == *labels)
    }
}

/// Models that are loaded, in force or not yet.
pub(super) struct Loaded(Arc<Handles>);

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
    /// Begins a turn. If it turns out at once that slow models must be asked, they are.
    pub(super) fn begin_turn(&self, request: Request, started: Instant) -> Begun {
        let Request { input, mut readings, bundle, deadline } = request;
        let again = bundle.bundle.has_slow_models().then(|| {
            readings.models = ModelReadings::Live { slow: Vec::new(), is_last: false };
            let handles = self.0.slow_models.handles.load_full();
            Box::new(Again { input: input.clone(), readings: readings.clone(), handles })
        });
        let customer = input.customer().clone();
        let asked = self.0.customers.ask(Request { input, readings, bundle: Arc::clone(&bundle), deadline });
        self.ask_at_once(Begun { started, deadline, bundle, customer, asked: Stage::Turn(asked), again })
    }

    fn ask_at_once(&self, begun: Begun) -> Begun {
        match (begun.asked, &begun.again) {
            (Stage::Turn(Asked::Done(Ok(TurnDone { taken: Taken::Asks(wanted), .. }))), Some(again)) => {
                let asked = self.ask_models(wanted, (again, &begun.bundle.bundle), begun.deadline);
                Begun { asked, ..begun }
            }
            (asked, _) => Begun { asked, ..begun },
        }
    }

    /// Lets every turn of a batch that may want slow models asked be taken, before any record is waited for: so the models are
    /// asked together, and the turns share the disk's syncs.
    pub(super) async fn all_asked(
        &self,
        begun: Vec<Result<Answer<Begun>, Error>>,
    ) -> Vec<Result<Answer<Begun>, Error>> {
        let mut all = Vec::with_capacity(begun.len());
        for begun in begun {
            all.push(match begun {
                Ok(Answer::Given(begun)) if begun.again.is_some() => Ok(Answer::Given(self.turn_tried(begun).await)),
                other => other,
            });
        }
        let is_asking = |begun: &Result<Answer<Begun>, Error>| {
            matches!(begun, Ok(Answer::Given(Begun { asked: Stage::Models(_), .. })))
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
            (Stage::Models(models), Some(again)) => {
                Stage::Turn(self.begin_anew(models, (again, &bundle, deadline)).await)
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
    pub(super) fn ask_models(
        &self,
        wanted: Vec<Wanted>,
        (again, bundle): (&Again, &Bundle),
        deadline: Deadline,
    ) -> Stage {
        Stage::Models(ask(wanted, (&again.handles, bundle), deadline.earlier_by(RESERVE)))
    }

    /// Begins a turn anew with what slow models say.
    pub(super) async fn begin_anew(
        &self,
        consultation: Consultation,
        (again, bundle, deadline): (&mut Again, &Arc<InForce>, Deadline),
    ) -> Asked {
        let answers = consultation.answers().await;
        if let ModelReadings::Live { slow, is_last } = &mut again.readings.models {
            // A model that would have been late says nothing of the next one, which may be quicker.
            let is_out_of_time = deadline.earlier_by(RESERVE).is_past(self.0.clock.instant());
            slow.extend(answers);
            *is_last = is_out_of_time || slow.len() >= ANSWERS_MAX;
        }
        let (input, readings) = (again.input.clone(), again.readings.clone());
        self.0.customers.ask(Request { input, readings, bundle: Arc::clone(bundle), deadline })
    }
}

impl fmt::Debug for SlowModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.handles.load().iter().map(|(from, _)| from.name.to_string()).collect();
        f.debug_struct("SlowModels").field("models", &names).finish_non_exhaustive()
    }
}
