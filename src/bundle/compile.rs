//! From sources to a bundle: all or nothing, with every fault at once.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    Artifacts, BundleId, Cap, Measure, Model, Playbook, Sources, agent_reader, context_reader, model_loader,
    playbook_reader,
};
use crate::context::{Layout, Purpose};
use crate::document::{Document, FaultSink, Faults, Place};
use crate::domain::suggestion;

/// The file that declares events, facts and signals.
pub const CONTEXT_FILE: &str = "context.toml";

/// The folder of the playbooks.
pub const PLAYBOOK_FOLDER: &str = "playbooks/";

/// The folder of the decision tables.
pub const TABLE_FOLDER: &str = "tables/";

/// The folder of the named lists.
pub const LIST_FOLDER: &str = "lists/";

/// The folder of the models, each in a folder of its own.
pub const MODEL_FOLDER: &str = "models/";

/// The folder of the agents.
pub const AGENT_FOLDER: &str = "agents/";

/// What is known of a model, in its folder.
pub const MANIFEST_FILE: &str = "manifest.toml";

/// What a model said of labelled rows, in its folder.
pub const CALIBRATION_FILE: &str = "calibration.csv";

/// Playbooks that may decide on one type of event: their decisions share one record.
pub const PLAYBOOKS_PER_EVENT_MAX: usize = 255;

/// Everything decisions are made with, checked, compiled and named by its content. Immutable.
#[derive(Debug)]
pub struct Bundle {
    id: BundleId,
    sources: Sources,
    layout: Arc<Layout>,
    models: Vec<Arc<Model>>,
    playbooks: Vec<Playbook>,
    numbers: HashMap<Arc<str>, usize>,
    has_global_caps: bool,
    has_slow_models: bool,
    has_agents: bool,
}

impl Bundle {
    /// Checks and compiles the sources; or every fault in them.
    ///
    /// ```
    /// use forthwith::bundle::{Bundle, Sources};
    ///
    /// let mut sources = Sources::default();
    /// sources.insert("context.toml", "[events.\"order.placed\"]\ntotal = \"decimal\"");
    /// sources.insert("playbooks/shipping.toml", r#"
    ///     playbook = "shipping"
    ///     on = ["order.placed"]
    ///     outcome = { free = "bool" }
    ///     default = { then = { free = false } }
    ///     rules = [{ id = "large", when = "event.totl >= 50", then = { free = true } }]
    /// "#);
    /// let faults = Bundle::compile(sources).unwrap_err();
    /// assert!(faults.to_string().contains("unknown name `event.totl` (did you mean `event.total`?)"));
    /// ```
    pub fn compile(sources: Sources) -> Result<Self, Faults> {
        Self::compile_with(sources, &Artifacts::default())
    }

    /// The same with the files of its models. Every model is loaded, and its files must have the hashes that its manifest
    /// names.
    pub fn compile_with(sources: Sources, artifacts: &Artifacts) -> Result<Self, Faults> {
        Self::compiled(sources, Some(artifacts))
    }

    /// Compiles a bundle to read records with: what its models said stands in them, so none is loaded. Not to decide with.
    pub fn recall(sources: Sources) -> Result<Self, Faults> {
        Self::compiled(sources, None)
    }

    fn compiled(sources: Sources, artifacts: Option<&Artifacts>) -> Result<Self, Faults> {
        let sink = FaultSink::default();
        let compiled = compile(&sources, artifacts, &sink);
        if !sink.is_empty() {
            return Err(sink.into_faults());
        }
        let Compiled { layout, models, playbooks } = compiled;
        let numbers = (0..).zip(&playbooks).map(|(number, playbook)| (Arc::clone(&playbook.name), number)).collect();
        let has_global_caps = playbooks.iter().any(Playbook::has_global_caps);
        let has_slow_models = playbooks.iter().any(Playbook::has_slow_models);
        let has_agents = playbooks.iter().any(|playbook| !playbook.agents.is_empty());
        let (id, layout) = (sources.id(), Arc::new(layout));
        Ok(Self { id, sources, layout, models, playbooks, numbers, has_global_caps, has_slow_models, has_agents })
    }

    /// The hash that names the bundle.
    pub fn id(&self) -> BundleId {
        self.id
    }

    /// The files it was compiled from.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The declared events, facts and signals.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Whether any playbook has a cap of all customers together.
    #[inline]
    pub fn has_global_caps(&self) -> bool {
        self.has_global_caps
    }

    /// Whether any playbook asks a model that is too slow for a turn.
    #[inline]
    pub fn has_slow_models(&self) -> bool {
        self.has_slow_models
    }

    /// Whether any playbook has an agent.
    #[inline]
    pub fn has_agents(&self) -> bool {
        self.has_agents
    }

    /// The models by name, whether or not a playbook uses them.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// A declared purpose, by number.
    pub fn purpose(&self, number: usize) -> Option<&Purpose> {
        self.layout.purposes().get(number)
    }

    /// A test door: a playbook to be changed behind the compiler's back.
    #[cfg(test)]
    pub(crate) fn playbook_mut(&mut self, number: usize) -> &mut Playbook {
        &mut self.playbooks[number]
    }

    /// The playbooks by number.
    pub fn playbooks(&self) -> &[Playbook] {
        &self.playbooks
    }

    /// The number of a playbook.
    pub fn playbook_number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The ending of a message about a playbook that does not exist: what was perhaps meant, or what there is.
    pub fn suggest_playbook(&self, name: &str) -> String {
        let names = || self.playbooks.iter().map(|playbook| Arc::as_ref(&playbook.name));
        match suggestion(name, names()) {
            hint if hint.is_empty() => {
                format!("; there is {}", names().take(12).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))
            }
            hint => hint,
        }
    }
}

/// What files come to.
#[derive(Default)]
struct Compiled {
    layout: Layout,
    models: Vec<Arc<Model>>,
    playbooks: Vec<Playbook>,
}

fn compile(sources: &Sources, artifacts: Option<&Artifacts>, sink: &FaultSink) -> Compiled {
    let Some(context) = sources.get(CONTEXT_FILE) else {
        sink.add(Place::file(CONTEXT_FILE), "", "the file is missing: it declares events, facts and signals");
        return Compiled::default();
    };
    let context = context_reader::read(&Document::parse(CONTEXT_FILE, context, sink), sources, sink);
    let models = model_loader::load(sources, artifacts, sink);
    let agents = agent_reader::load(sources, sink);
    let (mut playbooks, mut paths) = (Vec::<Playbook>::new(), Vec::new());
    let files = sources.iter().filter(|(path, _)| path.starts_with(PLAYBOOK_FOLDER));
    let mut is_any = false;
    for (path, text) in files {
        is_any = true;
        let document = Document::parse(path, text, sink);
        let Some(playbook) = playbook_reader::read(&document, &context, (sources, &models, &agents), sink) else {
            continue;
        };
        match playbooks.iter().find(|known| known.key == playbook.key) {
            Some(known) if known.name == playbook.name => {
                sink.add(Place::file(path), "playbook", format!("there are two playbooks `{}`", known.name));
            }
            Some(known) => {
                let message = format!("`{}` and `{}` have the same fingerprint; rename one", known.name, playbook.name);
                sink.add(Place::file(path), "playbook", message);
            }
            None => {
                playbooks.push(playbook);
                paths.push(path);
            }
        }
    }
    check_shared_caps(&playbooks, &paths, sink);
    if !is_any {
        sink.add(Place::file(PLAYBOOK_FOLDER), "", "there is no playbook; add one as `playbooks/NAME.toml`");
    }
    for (number, event) in context.layout.events().iter().enumerate() {
        let deciding = playbooks.iter().filter(|playbook| playbook.on.contains(&number)).count();
        if deciding > PLAYBOOKS_PER_EVENT_MAX {
            let message = format!("{deciding} playbooks decide on it, the limit is {PLAYBOOKS_PER_EVENT_MAX}");
            sink.add(Place::file(CONTEXT_FILE), &format!("events.{}", event.name), message);
        }
    }
    let mut models: Vec<Arc<Model>> = models.into_values().collect();
    models.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
    Compiled { layout: context.layout, models, playbooks }
}

/// A cap of one id is one cap, whichever playbooks name it.
fn check_shared_caps(playbooks: &[Playbook], paths: &[&str], sink: &FaultSink) {
    let mut known: Vec<(&Playbook, &Cap)> = Vec::new();
    for (playbook, path) in playbooks.iter().zip(paths) {
        for cap in &playbook.caps {
            let same = known.iter().find(|(_, first)| first.id == cap.id || first.key == cap.key);
            let fault = match same {
                Some((_, first)) if first.id != cap.id => {
                    format!("`{}` and `{}` have the same fingerprint; rename one", first.id, cap.id)
                }
                Some((by, first)) if !is_same_limit((by, first), (playbook, cap)) => format!(
                    "the cap `{}` is shared with playbook `{}`, so both must say the same of `max`, `over`, `scope`, \
                     `unused_max` and of what is counted",
                    cap.id, by.name
                ),
                Some(_) => continue,
                None => {
                    known.push((playbook, cap));
                    continue;
                }
            };
            sink.add(Place::file(path), "caps", fault);
        }
    }
}

fn is_same_limit((by, first): (&Playbook, &Cap), (playbook, cap): (&Playbook, &Cap)) -> bool {
    let type_of = |playbook: &Playbook, cap: &Cap| match cap.measure {
        Measure::Count => None,
        Measure::Amount(field) => playbook.outcome.fields().get(field).map(|field| field.ty.clone()),
    };
    first.is_same_limit(cap) && type_of(by, first) == type_of(playbook, cap)
}
