//! A whole configuration.

use std::path::Path;

use super::files::{read_models, read_sources};
use super::{InferenceSettings, Settings};
use crate::bundle::{Artifacts, Bundle, Sources};
use crate::document::{FaultSink, Faults};
use crate::engine;

/// A checked configuration: what to decide with, and how to run.
#[derive(Debug)]
pub struct Config {
    /// For [`Engine::start`](crate::Engine::start). Its data is temporary until someone says otherwise.
    pub engine: engine::Config,
    /// The rest: server and log.
    pub settings: Settings,
}

impl Config {
    /// Loads a configuration folder, with the process's environment over its settings; or every fault in it.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, Faults> {
        Self::load_with(folder.as_ref(), std::env::vars())
    }

    /// Loads a configuration folder with an environment of the caller's.
    pub fn load_with(folder: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Faults> {
        let sink = FaultSink::default();
        let settings = Settings::read(folder, environment, &sink);
        let bundle = compiled(folder, sink)?;
        let mut engine = engine::Config::new(bundle);
        engine.tenant = settings.tenant.clone();
        engine.journal = settings.journal.clone();
        engine.notary = settings.notary.clone();
        engine.stuck_after = settings.stuck_after;
        engine.customers = settings.customers.clone();
        let InferenceSettings { pool, model_threads, onnxruntime } = settings.inference.clone();
        engine.slow_share_ppm = (settings.log.slow_share * 1e6).round() as u32;
        engine.gateway = settings.gateway.clone();
        engine.admission = settings.admission.clone();
        engine.inference = pool;
        engine.slow_models = engine::slow_model_loader(onnxruntime, model_threads);
        Ok(Self { engine, settings })
    }

    /// Loads only the bundle of a configuration folder; or every fault in it.
    pub fn load_bundle(folder: &Path) -> Result<Bundle, Faults> {
        compiled(folder, FaultSink::default())
    }
}

/// Reads the files of a configuration folder's bundle, to change them before they are compiled; or every fault in reading them.
pub fn read_bundle(folder: &Path) -> Result<(Sources, Artifacts), Faults> {
    let sink = FaultSink::default();
    let read = read_files(folder, &sink);
    let faults = sink.into_faults();
    read.filter(|_| faults.is_empty()).ok_or(faults)
}

fn read_files(folder: &Path, sink: &FaultSink) -> Option<(Sources, Artifacts)> {
    let mut sources = read_sources(folder, sink)?;
    let artifacts = read_models(folder, &mut sources, sink);
    Some((sources, artifacts))
}

/// The bundle of a folder, if neither it nor what the sink has gathered so far has a fault.
fn compiled(folder: &Path, sink: FaultSink) -> Result<Bundle, Faults> {
    let read = read_files(folder, &sink);
    let unread = sink.into_faults();
    let Some((sources, artifacts)) = read else { return Err(unread) };
    match Bundle::compile_with(sources, &artifacts) {
        Ok(bundle) if unread.is_empty() => Ok(bundle),
        Ok(_) => Err(unread),
        Err(faults) => Err(unread.and(faults)),
    }
}
