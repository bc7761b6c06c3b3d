//! The files of a configuration folder.

use std::fs;
use std::path::Path;

use crate::bundle::{
    AGENT_FOLDER, Artifacts, CALIBRATION_FILE, CONTEXT_FILE, ContentHash, LIST_FOLDER, MANIFEST_FILE, MODEL_FOLDER,
    Manifest, PLAYBOOK_FOLDER, Sources, TABLE_FOLDER,
};
use crate::cases::CASES_ENDING;
use crate::document::{FaultSink, Place};

/// Bytes that one file may have.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Bytes that one file of a model may have: a sentence encoder has some hundred MiB.
const MODEL_BYTES_MAX: u64 = 2 << 30;

/// Reads the files of a bundle from a configuration folder; what cannot be read is noted. `None` if there is no folder.
pub fn read_sources(folder: &Path, sink: &FaultSink) -> Option<Sources> {
    let mut sources = Sources::default();
    if !folder.is_dir() {
        let message = "there is no such configuration folder; name one with `--config DIR`";
        sink.add(Place::file(&folder.display().to_string()), "", message);
        return None;
    }
    if let Some(text) = read_optional(folder, CONTEXT_FILE, sink) {
        sources.insert(CONTEXT_FILE, text);
    }
    let folders = [(PLAYBOOK_FOLDER, ".toml"), (AGENT_FOLDER, ".toml"), (TABLE_FOLDER, ".csv"), (LIST_FOLDER, ".txt")];
    for (subfolder, ending) in folders {
        // Cases stand beside the playbooks and decide nothing: changing one must not make another bundle.
        for name in names(folder, subfolder, ending, sink).into_iter().filter(|name| !name.ends_with(CASES_ENDING)) {
            let path = format!("{subfolder}{name}");
            if let Some(text) = read_optional(folder, &path, sink) {
                sources.insert(path, text);
            }
        }
    }
    Some(sources)
}

/// Reads the folders under `models/`: manifests and calibration sets into the sources, the files that manifests name into the
/// artifacts; what cannot be read is noted. What else lies there (notes, rows, an encoder's other formats) is left alone, and so are the
/// files of a manifest that cannot be used.
pub fn read_models(folder: &Path, sources: &mut Sources, sink: &FaultSink) -> Artifacts {
    let mut artifacts = Artifacts::default();
    for model in subfolders(folder, MODEL_FOLDER, sink) {
        let path = format!("{MODEL_FOLDER}{model}/{MANIFEST_FILE}");
        let Some(text) = read_optional(folder, &path, sink) else { continue };
        let manifest = Manifest::read(&path, &text);
        sources.insert(path, text);
        let Some(manifest) = manifest else { continue };
        read_calibration(folder, &manifest, sources, sink);
        for file in &manifest.files {
            if let Some(bytes) = read_bytes(folder, &file.path, MODEL_BYTES_MAX, sink) {
                artifacts.insert(&*file.path, bytes);
            }
        }
    }
    artifacts
}

/// Refuses a calibration set that the manifest does not name: rows of another model would certify what this one cannot keep.
fn read_calibration(folder: &Path, manifest: &Manifest, sources: &mut Sources, sink: &FaultSink) {
    let path = format!("{}{CALIBRATION_FILE}", manifest.folder);
    let Some(text) = read_optional(folder, &path, sink) else { return };
    if manifest.calibration.is_none() {
        let found = ContentHash::of(text.as_bytes());
        let message = format!("the key `calibration_sha256` is missing; `{path}` has the SHA-256 {found}");
        sink.add(Place::file(&format!("{}{MANIFEST_FILE}", manifest.folder)), "", message);
    }
    sources.insert(path, text);
}

/// The names of a subfolder's folders, sorted; none if there is no such subfolder.
fn subfolders(folder: &Path, subfolder: &str, sink: &FaultSink) -> Vec<String> {
    let mut found = names(folder, subfolder, "", sink);
    found.retain(|name| folder.join(subfolder).join(name).is_dir());
    found
}

/// Reads the files of golden cases of a configuration folder, path and text; what cannot be read is noted.
pub fn read_cases(folder: &Path, sink: &FaultSink) -> Vec<(String, String)> {
    let paths = names(folder, PLAYBOOK_FOLDER, CASES_ENDING, sink).into_iter();
    let paths = paths.map(|name| format!("{PLAYBOOK_FOLDER}{name}"));
    paths.filter_map(|path| read_optional(folder, &path, sink).map(|text| (path, text))).collect()
}

/// The names of a subfolder's files with an ending, sorted; none if there is no such subfolder.
fn names(folder: &Path, subfolder: &str, ending: &str, sink: &FaultSink) -> Vec<String> {
    let entries = match fs::read_dir(folder.join(subfolder)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(e) => {
            sink.add(Place::file(subfolder), "", format!("cannot be listed: {e}"));
            return Vec::new();
        }
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        // Editors leave hidden copies beside what they edit.
        .filter(|name| name.ends_with(ending) && !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// The text of a file, without a byte order mark; `None` if there is no such file, or after noting why it cannot be read.
pub(super) fn read_optional(folder: &Path, path: &str, sink: &FaultSink) -> Option<String> {
    let bytes = read_bytes(folder, path, FILE_BYTES_MAX, sink)?;
    match String::from_utf8(bytes) {
        Ok(text) => Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(e) => {
            let message = format!("is not UTF-8 text (byte {})", e.utf8_error().valid_up_to());
            sink.add(Place::file(path), "", message);
            None
        }
    }
}

/// The bytes of a file; `None` if there is no such file, or after noting why it cannot be read.
fn read_bytes(folder: &Path, path: &str, bytes_max: u64, sink: &FaultSink) -> Option<Vec<u8>> {
    let full = folder.join(path);
    let fault = |message: String| {
        sink.add(Place::file(path), "", message);
        None
    };
    let size = match fs::metadata(&full) {
        Ok(metadata) => metadata.len(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
        Err(e) => return fault(format!("cannot be read: {e}")),
    };
    if size > bytes_max {
        return fault(format!("has {size} bytes, the limit is {bytes_max}"));
    }
    fs::read(&full).map_err(|e| fault(format!("cannot be read: {e}"))).ok()
}
