//! The slow models of the bundle in force, on the inference pool.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::bundle::{Bundle, Manifest, ModelFile, ModelName};
use crate::domain::Enumeration;
use crate::inference::{Kernel, SlowFiles};
use crate::serving::{self, ModelHandle, Pool, SlowModel};
use crate::telemetry::Registry;
use crate::time::{Clock, Timer};

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
pub(super) type Handles = Vec<(LoadedFrom, ModelHandle)>;

/// What a slow model is loaded from: another of these is another model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LoadedFrom {
    name: ModelName,
    files: Vec<ModelFile>,
    labels: Arc<Enumeration>,
    temperature: f32,
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

    /// The models that can be asked.
    pub(super) fn handles(&self) -> Arc<Handles> {
        self.handles.load_full()
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
        drop(self.pool.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// The very model of a manifest: one of the same name that was loaded from something else is another.
pub(super) fn found<'h>(handles: &'h Handles, manifest: &Manifest) -> Option<&'h ModelHandle> {
    handles.iter().find(|(from, _)| from.is_of(manifest)).map(|(_, handle)| handle)
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

impl fmt::Debug for SlowModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.handles.load().iter().map(|(from, _)| from.name.to_string()).collect();
        f.debug_struct("SlowModels").field("models", &names).finish_non_exhaustive()
    }
}
