//! Kill switches: what somebody has switched off, in effect at once and after a restart.
//!
//! ```text
//! switches.json   {"form":1,"off":[{"kind":"model","name":"openai/small","reason":"…","who":"…","since":"2026-11-22T10:00:00Z"}]}
//! ```
//!
//! To look costs an atomic read as long as nothing is off. To switch off takes effect before it is written, to switch on only after:
//! whatever fails, what somebody wanted off is off.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::kept_file::Keep;
use crate::agents::Target;
use crate::domain::Timestamp;

/// What can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchKind {
    /// A provider, by its name in the settings.
    Provider,
    /// A model, as in `provider/model`.
    Model,
    /// An agent, by its id, or by its id and version as in `ticket_router@1`.
    Agent,
}

/// What is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchedOff {
    /// What kind of thing.
    pub kind: SwitchKind,
    /// Which.
    pub name: Arc<str>,
    /// Why, in the words of who did it.
    pub reason: Arc<str>,
    /// Who did it.
    pub who: Arc<str>,
    /// Since when.
    pub since: Timestamp,
}

/// Why a switch was not turned, or not for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// A name or a text that cannot be.
    #[error("{0}")]
    Refused(String),
    /// It is off now, and would not be after a restart.
    #[error("`{name}` is off, but failed to write `{file}`: {reason}; after a restart it would be on again")]
    NotKept {
        /// What is off.
        name: String,
        /// The file.
        file: String,
        /// What the system says.
        reason: String,
    },
    /// It stays off.
    #[error("`{name}` stays off: failed to write `{file}`: {reason}")]
    StaysOff {
        /// What stays off.
        name: String,
        /// The file.
        file: String,
        /// What the system says.
        reason: String,
    },
}

/// Why the switches cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read what is switched off from `{file}`: {reason}; repair it, or remove it to have everything on")]
pub(super) struct UnreadableSwitches {
    file: String,
    reason: String,
}

/// Tells what is off. Read by everyone, without a lock.
#[derive(Debug, Default)]
pub(super) struct Switches(ArcSwap<Off>);

/// Turns the switches. The caller locks it; turning writes to the disk.
pub(super) struct SwitchBoard {
    switches: Arc<Switches>,
    file: Box<dyn Keep>,
}

/// Everything that is off, by kind and name; models by provider and model.
#[derive(Clone, Debug, Default)]
struct Off {
    providers: Named,
    models: BTreeMap<Arc<str>, Named>,
    agents: Named,
}

type Named = BTreeMap<Arc<str>, Arc<SwitchedOff>>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    form: u32,
    off: Vec<RawSwitch>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSwitch {
    kind: SwitchKind,
    name: String,
    reason: String,
    who: String,
    since: String,
}

/// The form that is written, and the only one there has been.
const FORM: u32 = 1;

/// Things that can be off at a time.
const SWITCHES_MAX: usize = 1_024;

/// Bytes of a name, and of who did it.
const NAME_BYTES_MAX: usize = 256;

/// Bytes of a reason.
const REASON_BYTES_MAX: usize = 1_024;

// === impl Switches ===

impl Switches {
    /// Why a target may not be asked by an agent, if it may not: the provider, the model or the agent is off.
    pub(super) fn forbids(&self, agent: &str, target: &Target) -> Option<Arc<SwitchedOff>> {
        let off = self.0.load();
        if off.is_empty() {
            return None;
        }
        let model = || off.models.get(&target.provider).and_then(|models| models.get(&target.model));
        off.agent(agent).or_else(|| off.providers.get(&target.provider)).or_else(model).cloned()
    }

    /// Why an agent may not ask anybody, if it may not.
    pub(super) fn forbids_agent(&self, agent: &str) -> Option<Arc<SwitchedOff>> {
        self.0.load().agent(agent).cloned()
    }

    /// Everything that is off, by kind and name.
    pub(super) fn list(&self) -> Vec<Arc<SwitchedOff>> {
        self.0.load().all().cloned().collect()
    }
}

// === impl SwitchBoard ===

impl SwitchBoard {
    /// Reads what is off. What cannot be read is no licence to turn everything on.
    pub(super) fn open(file: Box<dyn Keep>) -> Result<Self, UnreadableSwitches> {
        let unreadable = |reason: String| UnreadableSwitches { file: file.name(), reason };
        let mut off = Off::default();
        if let Some(bytes) = file.read().map_err(|e| unreadable(e.to_string()))? {
            for switch in read(&bytes).map_err(unreadable)? {
                off.insert(Arc::new(switch));
            }
        }
        Ok(Self { switches: Arc::new(Switches(ArcSwap::from_pointee(off))), file })
    }

    /// For those who look.
    pub(super) fn switches(&self) -> Arc<Switches> {
        Arc::clone(&self.switches)
    }

    /// Switches off, at once. What is off already has its reason replaced.
    pub(super) fn turn_off(&mut self, switch: SwitchedOff) -> Result<(), SwitchError> {
        check(&switch).map_err(SwitchError::Refused)?;
        let mut off = Off::clone(&self.switches.0.load());
        let name = switch.name.to_string();
        off.insert(Arc::new(switch));
        if off.all().count() > SWITCHES_MAX {
            return Err(SwitchError::Refused(format!("{SWITCHES_MAX} things are off already, no more can be")));
        }
        let bytes = write(&off);
        self.switches.0.store(Arc::new(off));
        self.keep(bytes).map_err(|reason| SwitchError::NotKept { name, file: self.file.name(), reason })
    }

    /// Switches on again, once that is written. Whether it was off.
    pub(super) fn turn_on(&mut self, kind: SwitchKind, name: &str) -> Result<bool, SwitchError> {
        let mut off = Off::clone(&self.switches.0.load());
        if !off.remove(kind, name) {
            return Ok(false);
        }
        self.keep(write(&off)).map_err(|reason| SwitchError::StaysOff {
            name: name.to_owned(),
            file: self.file.name(),
            reason,
        })?;
        self.switches.0.store(Arc::new(off));
        Ok(true)
    }

    fn keep(&mut self, bytes: Result<Vec<u8>, String>) -> Result<(), String> {
        bytes.and_then(|bytes| self.file.write(&bytes).map_err(|e| e.to_string()))
    }
}

// === impl Off ===

impl Off {
    fn is_empty(&self) -> bool {
        self.providers.is_empty() && self.models.is_empty() && self.agents.is_empty()
    }

    fn agent(&self, agent: &str) -> Option<&Arc<SwitchedOff>> {
        let id = agent.split_once('@').map_or(agent, |(id, _)| id);
        self.agents.get(agent).or_else(|| self.agents.get(id))
    }

    fn all(&self) -> impl Iterator<Item = &Arc<SwitchedOff>> {
        self.providers.values().chain(self.models.values().flat_map(BTreeMap::values)).chain(self.agents.values())
    }

    fn insert(&mut self, switch: Arc<SwitchedOff>) {
        let (named, name) = match (switch.kind, switch.name.split_once('/')) {
            (SwitchKind::Provider, _) => (&mut self.providers, Arc::clone(&switch.name)),
            (SwitchKind::Agent, _) => (&mut self.agents, Arc::clone(&switch.name)),
            (SwitchKind::Model, Some((provider, model))) => {
                (self.models.entry(provider.into()).or_default(), model.into())
            }
            // Its name has been checked.
            (SwitchKind::Model, None) => return,
        };
        named.insert(name, switch);
    }

    fn remove(&mut self, kind: SwitchKind, name: &str) -> bool {
        match (kind, name.split_once('/')) {
            (SwitchKind::Provider, _) => self.providers.remove(name).is_some(),
            (SwitchKind::Agent, _) => self.agents.remove(name).is_some(),
            (SwitchKind::Model, Some((provider, model))) => {
                let Some(models) = self.models.get_mut(provider) else { return false };
                let was_off = models.remove(model).is_some();
                if models.is_empty() {
                    self.models.remove(provider);
                }
                was_off
            }
            (SwitchKind::Model, None) => false,
        }
    }
}

fn check(switch: &SwitchedOff) -> Result<(), String> {
    let (name, kind) = (&*switch.name, switch.kind);
    let is_name = |text: &str| !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    if !is_name(name) {
        return Err(format!("the name must have 1 to {NAME_BYTES_MAX} bytes and no control characters"));
    }
    let is_model = name.split_once('/').is_some_and(|(provider, model)| !provider.is_empty() && !model.is_empty());
    if kind == SwitchKind::Model && !is_model {
        return Err(format!("`{name}` is no model; a model is named as `provider/model`"));
    }
    if !is_name(&switch.who) {
        return Err(format!("who switches `{name}` off must be said, in at most {NAME_BYTES_MAX} bytes"));
    }
    if switch.reason.is_empty() || switch.reason.len() > REASON_BYTES_MAX {
        return Err(format!("why `{name}` is switched off must be said, in at most {REASON_BYTES_MAX} bytes"));
    }
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Vec<SwitchedOff>, String> {
    let file: RawFile = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if file.form != FORM {
        return Err(format!("`form` is {}, this version reads {FORM}", file.form));
    }
    if file.off.len() > SWITCHES_MAX {
        return Err(format!("`off` has {} entries, at most {SWITCHES_MAX} can be", file.off.len()));
    }
    let switch = |raw: RawSwitch| {
        let since = raw.since.parse().map_err(|e| format!("`since` of `{}` is `{}`: {e}", raw.name, raw.since))?;
        let (name, reason, who) = (raw.name.into(), raw.reason.into(), raw.who.into());
        let switch = SwitchedOff { kind: raw.kind, name, reason, who, since };
        check(&switch).map(|()| switch)
    };
    file.off.into_iter().map(switch).collect()
}

fn write(off: &Off) -> Result<Vec<u8>, String> {
    let raw = |switch: &Arc<SwitchedOff>| RawSwitch {
        kind: switch.kind,
        name: switch.name.to_string(),
        reason: switch.reason.to_string(),
        who: switch.who.to_string(),
        since: switch.since.to_string(),
    };
    let file = RawFile { form: FORM, off: off.all().map(raw).collect() };
    serde_json::to_vec_pretty(&file).map_err(|e| e.to_string())
}
