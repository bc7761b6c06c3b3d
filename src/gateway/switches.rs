//! Kill switches: what somebody has switched off, in effect at once and after a restart.
//!
//! ```text
//! switches.json   {"form":1,"off":[{"kind":"model","name":"openai/small","reason":"…","who":"…","since":"2026-11-22T10:00:00Z"}]}
//! ```
//!
//! To look costs an atomic read as long as nothing is off. To switch off takes effect before it is written, to switch on only after:
//! whatever fails, what somebody wanted off is off.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

impl SwitchKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Provider, Self::Model, Self::Agent];

    /// The word in files and addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Agent => "agent",
        }
    }
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

/// Turns the switches. To turn writes to the disk; a slow disk keeps nothing from being switched off.
pub(super) struct SwitchBoard {
    switches: Arc<Switches>,
    /// Held while what is off changes in memory.
    turning: Mutex<()>,
    /// Held while it is written. Locked before `turning` where both are.
    file: Mutex<Box<dyn Keep>>,
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
        let switches = Arc::new(Switches(ArcSwap::from_pointee(off)));
        Ok(Self { switches, turning: Mutex::new(()), file: Mutex::new(file) })
    }

    /// For those who look.
    pub(super) fn switches(&self) -> Arc<Switches> {
        Arc::clone(&self.switches)
    }

    /// Switches off, at once; then has somebody `look`, and only then waits for the disk. What is off already has its reason replaced.
    pub(super) fn turn_off(&self, switch: SwitchedOff, look: impl FnOnce()) -> Result<(), SwitchError> {
        check(&switch).map_err(SwitchError::Refused)?;
        let name = switch.name.to_string();
        let turning = lock(&self.turning);
        let mut off = Off::clone(&self.switches.0.load());
        off.insert(Arc::new(switch));
        if off.all().count() > SWITCHES_MAX {
            return Err(SwitchError::Refused(format!("{SWITCHES_MAX} things are off already, no more can be")));
        }
        self.switches.0.store(Arc::new(off));
        drop(turning);
        look();
        let mut file = lock(&self.file);
        // Others may have turned theirs since: the newest is written.
        let newest = self.switches.0.load_full();
        keep(&mut **file, &newest).map_err(|reason| SwitchError::NotKept { name, file: file.name(), reason })
    }

    /// Switches on again, once that is written. Whether it was off.
    pub(super) fn turn_on(&self, kind: SwitchKind, name: &str) -> Result<bool, SwitchError> {
        let mut file = lock(&self.file);
        let mut off = Off::clone(&self.switches.0.load());
        let Some(was_off) = off.remove(kind, name) else { return Ok(false) };
        keep(&mut **file, &off).map_err(|reason| SwitchError::StaysOff {
            name: name.to_owned(),
            file: file.name(),
            reason,
        })?;
        let _turning = lock(&self.turning);
        let mut newest = Off::clone(&self.switches.0.load());
        // Whoever has switched it off again meanwhile waits for the file, and has it off.
        if newest.remove(kind, name).is_some_and(|is_off| Arc::ptr_eq(&is_off, &was_off)) {
            self.switches.0.store(Arc::new(newest));
        }
        Ok(true)
    }
}

fn keep(file: &mut dyn Keep, off: &Off) -> Result<(), String> {
    write(off).and_then(|bytes| file.write(&bytes).map_err(|e| e.to_string()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn remove(&mut self, kind: SwitchKind, name: &str) -> Option<Arc<SwitchedOff>> {
        match (kind, name.split_once('/')) {
            (SwitchKind::Provider, _) => self.providers.remove(name),
            (SwitchKind::Agent, _) => self.agents.remove(name),
            (SwitchKind::Model, Some((provider, model))) => {
                let models = self.models.get_mut(provider)?;
                let was_off = models.remove(model);
                if models.is_empty() {
                    self.models.remove(provider);
                }
                was_off
            }
            (SwitchKind::Model, None) => None,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::kept_file::KeptFile;
    use super::super::kept_file::faulty::{Disk, Fate};
    use super::*;

    fn switch(kind: SwitchKind, name: &str) -> SwitchedOff {
        SwitchedOff {
            kind,
            name: name.into(),
            reason: "it answers nonsense".into(),
            who: "anna".into(),
            since: "2026-11-22T10:00:00Z".parse().unwrap(),
        }
    }

    fn target(provider: &str, model: &str) -> Target {
        Target { provider: provider.into(), model: model.into(), weight: 1 }
    }

    /// A file that tells what is said to it.
    struct Slow(Arc<Mutex<Vec<&'static str>>>);

    impl Keep for Slow {
        fn read(&self) -> std::io::Result<Option<Vec<u8>>> {
            Ok(None)
        }

        fn write(&mut self, _: &[u8]) -> std::io::Result<()> {
            lock(&self.0).push("written");
            Ok(())
        }

        fn name(&self) -> String {
            "switches.json".to_owned()
        }
    }

    #[test]
    fn calls_look_before_the_disk_is_waited_for() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let board = SwitchBoard::open(Box::new(Slow(Arc::clone(&told)))).unwrap();
        let switches = board.switches();
        let one = switch(SwitchKind::Agent, "router");
        let look = || lock(&told).push(if switches.forbids_agent("router@1").is_some() { "off" } else { "on" });
        board.turn_off(one, look).unwrap();
        assert_eq!(*lock(&told), ["off", "written"]);
    }

    #[test]
    fn forbids_what_is_off_by_provider_model_or_agent() {
        let board = SwitchBoard::open(Disk::default().file()).unwrap();
        let switches = board.switches();
        let forbids = |agent: &str, provider: &str, model: &str| {
            switches.forbids(agent, &target(provider, model)).map(|off| off.name.to_string())
        };
        assert_eq!(forbids("router@1", "near", "meta/llama"), None);
        board.turn_off(switch(SwitchKind::Provider, "far"), || {}).unwrap();
        board.turn_off(switch(SwitchKind::Model, "near/meta/llama"), || {}).unwrap();
        board.turn_off(switch(SwitchKind::Agent, "summary"), || {}).unwrap();
        board.turn_off(switch(SwitchKind::Agent, "router@2"), || {}).unwrap();
        assert_eq!(forbids("router@1", "far", "any").as_deref(), Some("far"));
        assert_eq!(forbids("router@1", "near", "meta/llama").as_deref(), Some("near/meta/llama"));
        assert_eq!(forbids("router@1", "near", "meta"), None);
        assert_eq!(forbids("router@2", "near", "other").as_deref(), Some("router@2"));
        assert_eq!(forbids("summary@7", "near", "other").as_deref(), Some("summary"), "every version of it");
        assert_eq!(switches.forbids_agent("router@1"), None);
        assert_eq!(switches.list().len(), 4);
        assert_eq!(board.turn_on(SwitchKind::Model, "near/meta/llama"), Ok(true));
        assert_eq!(board.turn_on(SwitchKind::Model, "near/meta/llama"), Ok(false));
        assert_eq!(forbids("router@1", "near", "meta/llama"), None);
    }

    #[test]
    fn what_is_off_is_off_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = || Box::new(KeptFile::new(folder.path(), "switches.json"));
        let board = SwitchBoard::open(file()).unwrap();
        let off =
            [switch(SwitchKind::Provider, "far"), switch(SwitchKind::Model, "near/m"), switch(SwitchKind::Agent, "a")];
        off.iter().for_each(|one| board.turn_off(one.clone(), || {}).unwrap());
        board.turn_on(SwitchKind::Agent, "a").unwrap();
        drop(board);
        let again = SwitchBoard::open(file()).unwrap().switches().list();
        assert_eq!(again.iter().map(|one| SwitchedOff::clone(one)).collect::<Vec<_>>(), off[..2]);
    }

    #[test]
    fn whatever_fails_what_was_wanted_off_is_off() {
        let disk = Disk::default();
        let board = SwitchBoard::open(disk.file()).unwrap();
        board.turn_off(switch(SwitchKind::Provider, "first"), || {}).unwrap();
        disk.set_fate(Fate::Lost);
        let failed = board.turn_off(switch(SwitchKind::Provider, "second"), || {}).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "`second` is off, but failed to write `spending.json`: no space left on device; after a restart it would be on again"
        );
        assert!(board.switches().forbids("a@1", &target("second", "m")).is_some());
        let failed = board.turn_on(SwitchKind::Provider, "first").unwrap_err();
        assert_eq!(failed.to_string(), "`first` stays off: failed to write `spending.json`: no space left on device");
        assert!(board.switches().forbids("a@1", &target("first", "m")).is_some());
    }

    #[test]
    fn refuses_what_says_too_little() {
        let board = SwitchBoard::open(Disk::default().file()).unwrap();
        let refused = |one: SwitchedOff| board.turn_off(one, || {}).unwrap_err().to_string();
        assert_eq!(
            refused(switch(SwitchKind::Model, "near")),
            "`near` is no model; a model is named as `provider/model`"
        );
        assert_eq!(
            refused(switch(SwitchKind::Agent, "")),
            "the name must have 1 to 256 bytes and no control characters"
        );
        assert_eq!(
            refused(SwitchedOff { reason: "".into(), ..switch(SwitchKind::Agent, "a") }),
            "why `a` is switched off must be said, in at most 1024 bytes"
        );
        assert_eq!(
            refused(SwitchedOff { who: "".into(), ..switch(SwitchKind::Agent, "a") }),
            "who switches `a` off must be said, in at most 256 bytes"
        );
        for nth in 0..SWITCHES_MAX {
            board.turn_off(switch(SwitchKind::Agent, &nth.to_string()), || {}).unwrap();
        }
        let full = board.turn_off(switch(SwitchKind::Agent, "one more"), || {}).unwrap_err();
        assert_eq!(full.to_string(), "1024 things are off already, no more can be");
        assert_eq!(board.turn_off(switch(SwitchKind::Agent, "0"), || {}), Ok(()), "that one is off already");
    }

    #[test]
    fn does_not_start_with_a_file_that_it_cannot_read() {
        for (bytes, reason) in [
            (&b""[..], "EOF"),
            (b"{\"form\":1}", "missing field `off`"),
            (b"{\"form\":2,\"off\":[]}", "`form` is 2, this version reads 1"),
            (
                b"{\"form\":1,\"off\":[{\"kind\":\"agent\",\"name\":\"a\",\"reason\":\"r\",\"who\":\"w\",\"since\":\"now\"}]}",
                "`since` of `a` is `now`",
            ),
            (
                b"{\"form\":1,\"off\":[{\"kind\":\"model\",\"name\":\"a\",\"reason\":\"r\",\"who\":\"w\",\"since\":\"2026-11-22T10:00:00Z\"}]}",
                "`a` is no model",
            ),
        ] {
            let disk = Disk::default();
            disk.set_bytes(bytes);
            let error = SwitchBoard::open(disk.file()).err().expect("it is unreadable").to_string();
            assert!(error.starts_with("failed to read what is switched off from `spending.json`: "), "{error}");
            assert!(error.contains(reason), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_restart_finds_everything_off_that_was_acknowledged(
            steps in prop::collection::vec((0_usize..4, any::<bool>(), 0_u8..3), 0..60),
        ) {
            let names = ["a", "b@1", "c", "d"];
            let disk = Disk::default();
            let board = SwitchBoard::open(disk.file()).unwrap();
            let mut acknowledged = [false; 4];
            for (nth, is_off, fate) in steps {
                disk.set_fate([Fate::Kept, Fate::Lost, Fate::KeptAndFailed][usize::from(fate)]);
                let was_off = board.switches().forbids_agent(names[nth]).is_some();
                if is_off {
                    let kept = board.turn_off(switch(SwitchKind::Agent, names[nth]), || {});
                    prop_assert!(board.switches().forbids_agent(names[nth]).is_some());
                    acknowledged[nth] |= kept.is_ok();
                } else if board.turn_on(SwitchKind::Agent, names[nth]).is_ok() {
                    prop_assert!(board.switches().forbids_agent(names[nth]).is_none());
                    acknowledged[nth] = false;
                } else {
                    prop_assert!(was_off && board.switches().forbids_agent(names[nth]).is_some());
                    // It may be on after a restart: that is what was asked for.
                    acknowledged[nth] = false;
                }
                let again = SwitchBoard::open(disk.file()).unwrap().switches();
                for (name, is_off) in names.iter().zip(acknowledged) {
                    prop_assert!(!is_off || again.forbids_agent(name).is_some(), "{} is on again", name);
                }
            }
        }
    }
}
