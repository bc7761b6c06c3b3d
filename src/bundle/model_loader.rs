//! Loads the models of `models/`: manifest, calibration set, and files of the right hash.

use std::sync::Arc;

use super::model_reader::Models;
use super::{
    Artifacts, CALIBRATION_FILE, ContentHash, MANIFEST_FILE, MODEL_FOLDER, Manifest, Model, ModelKind, Sources,
    manifest_reader,
};
use crate::document::{Document, FaultSink, Place};
use crate::inference::{Calibration, Kernel, SlowFiles};

/// Loads every model that has a manifest; what is wrong with one is noted. Without artifacts only what is known of them.
pub(super) fn load(sources: &Sources, artifacts: Option<&Artifacts>, sink: &FaultSink) -> Models {
    let mut models = Models::new();
    let in_folder = |path: &&str| path.strip_prefix(MODEL_FOLDER).is_some_and(|rest| rest.contains('/'));
    for path in sources.iter().map(|(path, _)| path).filter(in_folder).filter(|path| path.ends_with(MANIFEST_FILE)) {
        let Some(text) = sources.get(path) else { continue };
        let document = Document::parse(path, text, sink);
        let Some(manifest) = manifest_reader::read(&document, path) else { continue };
        let name = manifest.name.clone();
        let calibration = calibration(&manifest, path, sources, sink);
        let kernel = artifacts.and_then(|artifacts| kernel(&manifest, path, artifacts, sink));
        if let Some(known) = models.get(&name).map(|known: &Arc<Model>| known.manifest.folder.to_string()) {
            sink.add(Place::file(path), "version", format!("`{known}` is already {name}; give one another version"));
            continue;
        }
        models.insert(name, Arc::new(Model { manifest, calibration, kernel }));
    }
    models
}

/// The model's calibration set, if there is one. What is wrong with its rows is told though it is not the one that the manifest
/// names.
fn calibration(manifest: &Manifest, of: &str, sources: &Sources, sink: &FaultSink) -> Option<Calibration> {
    let path = format!("{}{CALIBRATION_FILE}", manifest.folder);
    let text = sources.get(&path);
    if let Some(named) = manifest.calibration {
        let found = text.map(|text| ContentHash::of(text.as_bytes()));
        match found {
            None => {
                sink.add(Place::file(of), "calibration_sha256", format!("the file `{path}` is not there"));
            }
            Some(found) if found != named => {
                let message = format!("`{path}` has the SHA-256 {found}, the manifest says {named}");
                sink.add(Place::file(of), "calibration_sha256", message);
            }
            Some(_) => {}
        }
    }
    let text = text?;
    let labels: Vec<&str> = manifest.labels.names().collect();
    match Calibration::parse(text, &labels) {
        Ok(calibration) => Some(calibration),
        Err(faults) => {
            for fault in faults {
                sink.add(Place::line(&path, fault.line), "", fault.message);
            }
            None
        }
    }
}

/// The model itself, if its files are there and are what the manifest says.
fn kernel(manifest: &Manifest, path: &str, artifacts: &Artifacts, sink: &FaultSink) -> Option<Kernel> {
    let mut files = Vec::with_capacity(manifest.files.len());
    for file in &manifest.files {
        let Some(bytes) = artifacts.get(&file.path) else {
            sink.add(Place::file(path), &file.role, format!("the file `{}` is not there", file.path));
            continue;
        };
        let found = ContentHash::of(bytes);
        if found != file.sha256 {
            let message = format!("`{}` has the SHA-256 {found}, the manifest says {}", file.path, file.sha256);
            sink.add(Place::file(path), "sha256", message);
            continue;
        }
        files.push((file.role.clone(), Arc::clone(bytes)));
    }
    if files.len() < manifest.files.len() {
        return None;
    }
    let labels = manifest.labels.names().len();
    let loaded = match manifest.kind {
        ModelKind::Text => Kernel::text(&files[0].1, labels),
        ModelKind::Tabular => Kernel::tabular(&files[0].1, labels, manifest.features.len()),
        ModelKind::Neural => Ok(Kernel::Slow(SlowFiles(files))),
    };
    loaded.map_err(|fault| sink.add(Place::file(path), "file", format!("cannot be used: {fault}"))).ok()
}
