//! The engine, started, warmed, changed and stopped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use faulty_provider::{Behaviour as Provided, Conduct, Latency, Manner, Provider};
use forthwith::bundle::Bundle;
use forthwith::{Budget, DecisionId, Engine, Options};
use tempfile::TempDir;

use super::Meter;
use super::client::Client;
use super::folder::Folder;
use super::process::Process;
use super::small_disk::SmallDisk;
use crate::args::Overrides;
use crate::driving::{Address, Destination};
use crate::population::Workload;
use crate::scenario::{Behaviour, Scenario, Transport, What};

/// Events that are decided at once while customers are made known.
const FIRST_BATCH: u64 = 250;

/// The engine that is driven.
#[derive(Debug)]
pub(crate) struct Target {
    hands: Hands,
    /// The engine in this process; put in again when it has been stopped.
    engine: Option<Engine>,
    bundle: Option<Bundle>,
    /// Removed in the end, with everything in it.
    data: Option<TempDir>,
}

/// What does things to the engine while it is driven.
#[derive(Clone, Debug)]
pub(crate) struct Hands(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Mutex<Place>,
    folder: Option<Mutex<Folder>>,
    provider: Option<Provider>,
    /// The playbook that is changed where something is to be loaded again.
    playbook: String,
    /// The process whose use of the machine is read; 0 for none.
    process: Arc<AtomicU32>,
}

#[derive(Debug)]
enum Place {
    Here(Engine),
    Process(Process),
    /// One that runs already.
    There(Address),
    Stopped,
}

impl Target {
    /// Starts the engine of a scenario, or finds the one that runs already.
    pub(crate) fn start(scenario: &Scenario, options: &Overrides) -> anyhow::Result<Self> {
        if let Some(url) = &options.url {
            return Self::running(scenario, url, options.token_file.as_deref());
        }
        let data = match &options.data {
            Some(parent) => tempfile::Builder::new().prefix("forthwith-load-").tempdir_in(parent),
            None => tempfile::Builder::new().prefix("forthwith-load-").tempdir(),
        };
        let data = data.context("cannot make a folder for the data (choose one with --data)")?;
        let provider = scenario.provider.as_ref().map(|of| Provider::start(provided(of.behaviour))).transpose();
        let provider = provider.context("cannot start a provider of large models")?;
        // It would remember every question.
        provider.iter().for_each(|provider| provider.keep(0));
        let asked = scenario.provider.as_ref().zip(provider.as_ref());
        let folder = Folder::new(scenario, asked.map(|(of, provider)| (of.name.as_str(), provider.base_url())))?;
        let bundle = folder.bundle()?;
        let (place, process, engine) = if scenario.transport == Transport::InProcess {
            if scenario.engine.disk_bytes.is_some() {
                bail!("scenario `{}` has a disk of its own, which needs --transport json or msgpack", scenario.name);
            }
            let engine = Engine::start(folder.load()?.engine.data(data.path().join("data")))?;
            (Place::Here(engine.clone()), std::process::id(), Some(engine))
        } else {
            let disk = scenario.engine.disk_bytes.map(|bytes| SmallDisk::new(bytes, data.path())).transpose()?;
            let process = Process::start(&folder, &data.path().join("data"), disk)?;
            let id = process.id();
            (Place::Process(process), id, None)
        };
        let hands = Hands(Arc::new(Inner {
            place: Mutex::new(place),
            folder: Some(Mutex::new(folder)),
            provider,
            playbook: scenario.calls[0].playbook.clone(),
            process: Arc::new(AtomicU32::new(process)),
        }));
        Ok(Self { hands, engine, bundle: Some(bundle), data: Some(data) })
    }

    fn running(scenario: &Scenario, url: &str, token_file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(authority) = url.strip_prefix("http://") else {
            bail!(
                "--url {url}: expected `http://HOST:PORT`; the driver speaks HTTP without TLS, so put it on the engine's side of a proxy"
            );
        };
        let authority = authority.trim_end_matches('/').to_owned();
        if authority.contains('/') || !authority.contains(':') {
            bail!("--url {url}: expected a host and a port, such as `http://127.0.0.1:8080`");
        }
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read the token file {}", path.display()))
        };
        let token = token_file.map(read).transpose()?.map(|token| token.trim().to_owned());
        let address = Address { authority, token };
        let hands = Hands(Arc::new(Inner {
            place: Mutex::new(Place::There(address)),
            folder: None,
            provider: None,
            playbook: scenario.calls[0].playbook.clone(),
            process: Arc::default(),
        }));
        Ok(Self { hands, engine: None, bundle: None, data: None })
    }

    pub(crate) fn hands(&self) -> &Hands {
        &self.hands
    }

    /// What it decides with, where that is known.
    pub(crate) fn bundle(&self) -> Option<&Bundle> {
        self.bundle.as_ref()
    }

    /// How long each playbook has.
    pub(crate) fn budgets(&self) -> anyhow::Result<Vec<(String, Duration)>> {
        if let Some(bundle) = &self.bundle {
            return Ok(bundle.playbooks().iter().map(|of| (of.name.to_string(), of.budget)).collect());
        }
        let budgets = self.hands.client()?.budgets()?;
        Ok(budgets.into_iter().map(|(playbook, ms)| (playbook, Duration::from_millis(ms))).collect())
    }

    /// Where calls go.
    pub(crate) fn destination(&self) -> anyhow::Result<Destination> {
        match &self.engine {
            Some(engine) => Ok(Destination::Here(engine.clone())),
            None => Ok(Destination::There(self.hands.address()?)),
        }
    }

    /// Has every customer known, and in memory.
    pub(crate) fn warm(&self, workload: &Workload, mut so_far: impl FnMut(u64)) -> anyhow::Result<()> {
        let mut client = self.engine.is_none().then(|| self.hands.client()).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        for first in (0..workload.customers()).step_by(FIRST_BATCH as usize) {
            let batch = first..workload.customers().min(first + FIRST_BATCH);
            match (&self.engine, &mut client) {
                (Some(engine), _) => {
                    let (playbook, _) = workload.first(0);
                    let events = batch.map(|customer| workload.first(customer).1).collect();
                    let options = Options { budget: Budget::Unlimited, ..Options::default() };
                    for answer in runtime.block_on(engine.decide_batch(playbook, events, &options)) {
                        answer?.into_result().context("the engine had no room for a customer's first event")?;
                    }
                }
                (None, Some(client)) => {
                    let (playbook, _) = workload.first_json(0);
                    let events: Vec<String> = batch.map(|customer| workload.first_json(customer).1).collect();
                    client.decide_all(playbook, &events)?;
                }
                (None, None) => {}
            }
            so_far(FIRST_BATCH);
        }
        Ok(())
    }

    /// Puts all customers to rest: the engine is stopped in good order and started again.
    pub(crate) fn rest(&mut self) -> anyhow::Result<()> {
        if let Some(engine) = self.engine.take() {
            let data = engine.data().to_owned();
            *self.hands.place() = Place::Stopped;
            engine.shutdown()?;
            drop(engine);
            let config = self.hands.folder()?.load()?;
            let engine = Engine::start(config.engine.data(data))?;
            *self.hands.place() = Place::Here(engine.clone());
            self.engine = Some(engine);
            return Ok(());
        }
        self.hands.act(What::StopAndRestart).map(drop)
    }

    /// Reads what the engine takes of the machine.
    pub(crate) fn meter(&self) -> Meter {
        Meter::new(Arc::clone(&self.hands.0.process))
    }

    /// Looks decisions up in the engine as it is now.
    pub(crate) fn lookup(&self) -> anyhow::Result<Lookup> {
        match self.engine.clone() {
            Some(engine) => Ok(Lookup::Here(engine)),
            None => Ok(Lookup::There(self.hands.client()?)),
        }
    }

    /// Stops an engine of one's own; where its data is, if it is still there to be read.
    pub(crate) fn stop(mut self) -> anyhow::Result<Stopped> {
        let place = std::mem::replace(&mut *self.hands.place(), Place::Stopped);
        let mut is_there = true;
        match place {
            Place::Here(engine) => {
                engine.shutdown()?;
                self.engine = None;
            }
            Place::Process(process) => {
                is_there = !process.has_small_disk();
                process.stop()?;
            }
            Place::There(_) | Place::Stopped => is_there = false,
        }
        let data = self.data.take().filter(|_| is_there);
        Ok(Stopped { data })
    }
}

/// Looks decisions up.
#[derive(Debug)]
pub(crate) enum Lookup {
    Here(Engine),
    There(Client),
}

impl Lookup {
    /// The outcome of a decision as JSON; `None` if the engine does not have the decision.
    pub(crate) fn outcome(&mut self, id: DecisionId) -> anyhow::Result<Option<String>> {
        match self {
            Self::Here(engine) => {
                let decision = engine.decision(id)?;
                decision.map(|decision| Ok(serde_json::to_string(decision.outcome())?)).transpose()
            }
            Self::There(client) => client.decision(id),
        }
    }
}

/// The data that a stopped engine has left. Removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Stopped {
    data: Option<TempDir>,
}

impl Stopped {
    pub(crate) fn data(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|folder| folder.path().join("data"))
    }
}

// === impl Hands ===

impl Hands {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self) -> anyhow::Result<MutexGuard<'_, Folder>> {
        let folder =
            self.0.folder.as_ref().context("the configuration of an engine that runs already is not ours to change")?;
        Ok(folder.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn address(&self) -> anyhow::Result<Address> {
        match &*self.place() {
            Place::Process(process) => Ok(Address { authority: process.address().to_string(), token: None }),
            Place::There(address) => Ok(address.clone()),
            Place::Here(_) | Place::Stopped => bail!("the engine has no address"),
        }
    }

    fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.address()?)
    }

    /// Does something to the engine; what came of it.
    pub(crate) fn act(&self, what: What) -> anyhow::Result<String> {
        match what {
            What::Reload => self.reload(),
            What::Provider(behaviour) => {
                let provider = self.0.provider.as_ref().context("the scenario has no `[provider]`")?;
                provider.set(provided(behaviour));
                Ok(format!("the provider is {behaviour:?} now").to_lowercase())
            }
            What::KillAndRestart | What::StopAndRestart | What::FillDisk | What::FreeDisk => self.act_on_process(what),
        }
    }

    fn reload(&self) -> anyhow::Result<String> {
        if let Some(folder) = &self.0.folder {
            folder.lock().unwrap_or_else(PoisonError::into_inner).change(&self.0.playbook)?;
        }
        let engine = match &*self.place() {
            Place::Here(engine) => Some(engine.clone()),
            _ => None,
        };
        let Some(engine) = engine else { return Ok(format!("{} is in force", self.client()?.reload()?)) };
        engine.change_bundle(self.folder()?.bundle()?)?;
        Ok(format!("{} is in force", engine.bundle().id()))
    }

    fn act_on_process(&self, what: What) -> anyhow::Result<String> {
        let mut place = self.place();
        let Place::Process(process) = &mut *place else { bail!("the engine is no process of ours") };
        let said = match what {
            What::KillAndRestart => {
                process.kill_and_restart()?;
                "killed, and started again on the same data".to_owned()
            }
            What::StopAndRestart => format!("stopped after record {}, and started again", process.stop_and_restart()?),
            What::FillDisk => process.order("fill")?,
            _ => process.order("free")?,
        };
        self.0.process.store(process.id(), Ordering::Release);
        Ok(said)
    }
}

fn provided(behaviour: Behaviour) -> Provided {
    let healthy = |after| Conduct::after(after);
    match behaviour {
        Behaviour::Healthy(after) => healthy(after).into(),
        Behaviour::Bimodal => {
            let (fast, slow) = (Duration::from_millis(50), Duration::from_secs(2));
            Conduct::default().latency(Latency::Bimodal { fast, slow, slow_milli: 100, seed: 7 }).into()
        }
        Behaviour::Hanging => Conduct::of(Manner::Hangs).into(),
        Behaviour::Flapping => {
            let between = Box::new([healthy(Duration::from_millis(100)), Conduct::of(Manner::Hangs)]);
            Provided::Flapping { every: Duration::from_secs(5), between }
        }
        Behaviour::Failing => Conduct::error(500).into(),
    }
}
