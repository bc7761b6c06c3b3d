//! Reads `models/NAME/manifest.toml`.

use std::sync::Arc;

use super::manifest::{Feature, FeatureType, IfMissing, Manifest, ModelFile, ModelKind, ModelName, TrainingSet};
use super::{ContentHash, MANIFEST_FILE};
use crate::document::{Document, Node, Section};
use crate::domain::{Enumeration, Timestamp, Type, Value, suggestion};
use crate::inference::ScopeCheck;

/// Features that a tabular model may have.
const FEATURES_MAX: usize = 4_096;

/// Further files that a model may have.
const FILES_MAX: usize = 8;

/// Reads a manifest; `None` after noting why it cannot be used.
pub(super) fn read(document: &Document<'_>, path: &str) -> Option<Manifest> {
    let root = document.root();
    let folder = path.strip_suffix(MANIFEST_FILE).unwrap_or(path);
    let id = root.require("id", "the model's id, as playbooks use it").and_then(|node| id(&node));
    let version = root.require("version", "a whole number from 1").and_then(|node| node.int(1, u32::MAX.into()));
    let kind = root.require("kind", "`text`, `tabular` or `neural`").and_then(|node| kind(&node));
    let files = files(&root, folder);
    let calibration = root.get("calibration_sha256").map_or(Some(None), |node| hash(&node).map(Some));
    let owner = root.require("owner", "who answers for the model").and_then(|node| said(&node));
    let created = root.require("created", "when the model was made").and_then(|node| time(&node));
    let scope = root.require("consent_scope", "the purposes that its training data may serve, such as [\"service\"]");
    let consent_scope = scope.and_then(|node| node.texts());
    let labels = labels(&root, kind);
    let temperature = root.get("temperature").map_or(Some(1.0), |node| node.number(0.001, 1_000.0));
    let out_of_scope =
        root.get("out_of_scope").map_or(Some(ScopeCheck::Off), |node| out_of_scope(&node, labels.as_deref()));
    let training = root.require("training", "what the model was trained on: `[training]`");
    let training = training.and_then(|node| training_set(&node.section()?));
    let metrics = root.require("metrics", "what the model is worth on rows it was not trained on: `[metrics]`");
    let metrics = metrics.and_then(|node| metrics_of(&node.section()?));
    let features = features(&root, kind);
    root.refuse_unknown();
    Some(Manifest {
        name: ModelName { id: id?.into(), version: version? as u32 },
        folder: folder.into(),
        kind: kind?,
        files: files?,
        calibration: calibration?,
        owner: owner?.into(),
        created: created?,
        consent_scope: consent_scope?.into_iter().map(Box::from).collect(),
        labels: labels?,
        temperature: temperature? as f32,
        out_of_scope: out_of_scope?,
        training: training?,
        metrics: metrics?,
        features: features?,
    })
}

fn id<'d>(node: &Node<'d>) -> Option<&'d str> {
    let id = node.text()?;
    if ModelName::parse(&format!("{id}@1")).is_some_and(|name| *name.id == *id) {
        return Some(id);
    }
    node.fault("a model's id has 1 to 64 bytes, no spaces and no `@`");
    None
}

fn kind(node: &Node<'_>) -> Option<ModelKind> {
    const KINDS: [ModelKind; 3] = [ModelKind::Text, ModelKind::Tabular, ModelKind::Neural];
    let word = node.text()?;
    let kind = KINDS.into_iter().find(|kind| kind.as_str() == word);
    if kind.is_none() {
        let hint = suggestion(word, KINDS.iter().map(|kind| kind.as_str()));
        node.fault(format!("unknown kind `{word}`{hint}; a model is `text`, `tabular` or `neural`"));
    }
    kind
}

/// A text that says something.
fn said<'d>(node: &Node<'d>) -> Option<&'d str> {
    let text = node.text()?;
    if text.trim().is_empty() {
        node.fault("says nothing");
        return None;
    }
    Some(text)
}

fn time(node: &Node<'_>) -> Option<Timestamp> {
    match Type::Time.accept(node.raw()?) {
        Ok(Value::Time(time)) => Some(time),
        Ok(_) => None,
        Err(mismatch) => {
            node.fault(mismatch.to_string());
            None
        }
    }
}

/// The model's own file, then those under `[files]`.
fn files(root: &Section<'_>, folder: &str) -> Option<Vec<ModelFile>> {
    let file = root.require("file", "the model's file beside the manifest").and_then(|node| file_name(&node));
    let sha256 = root.require("sha256", "the SHA-256 of the model's file").and_then(|node| hash(&node));
    let further = match root.get("files") {
        None => Some(Vec::new()),
        Some(node) => node.section().and_then(|section| further_files(&section, folder)),
    };
    let own = ModelFile { role: "file".into(), path: format!("{folder}{}", file?).into(), sha256: sha256? };
    let mut files = vec![own];
    files.extend(further?);
    Some(files)
}

fn further_files(section: &Section<'_>, folder: &str) -> Option<Vec<ModelFile>> {
    let entries = section.entries();
    if entries.len() > FILES_MAX {
        section.fault(format!("names {} files, the limit is {FILES_MAX}", entries.len()));
        return None;
    }
    let file = |(role, node): (String, Node<'_>)| {
        let section = node.section()?;
        let file = section.require("file", "the file's name").and_then(|node| file_name(&node));
        let sha256 = section.require("sha256", "its SHA-256").and_then(|node| hash(&node));
        section.refuse_unknown();
        Some(ModelFile { role: role.into(), path: format!("{folder}{}", file?).into(), sha256: sha256? })
    };
    let read: Vec<Option<ModelFile>> = entries.into_iter().map(file).collect();
    read.into_iter().collect()
}

fn file_name<'d>(node: &Node<'d>) -> Option<&'d str> {
    let name = said(node)?;
    if name.contains(['/', '\\']) || name.starts_with('.') {
        node.fault("expected the name of a file beside the manifest");
        return None;
    }
    Some(name)
}

fn hash(node: &Node<'_>) -> Option<ContentHash> {
    let hash = ContentHash::parse(node.text()?);
    if hash.is_none() {
        node.fault("expected 64 hexadecimal digits");
    }
    hash
}

fn labels(root: &Section<'_>, kind: Option<ModelKind>) -> Option<Arc<Enumeration>> {
    let Some(node) = root.get("labels") else {
        if kind.is_some_and(|kind| kind != ModelKind::Tabular) {
            root.fault("a model of texts names its `labels`; only a tabular one may give a number");
            return None;
        }
        return Enumeration::new(Vec::new()).ok().map(Arc::new);
    };
    let names: Vec<String> = node.texts()?.into_iter().map(str::to_owned).collect();
    if names.len() < 2 {
        node.fault("a classifier tells at least two labels apart; leave `labels` out for a model that gives a number");
        return None;
    }
    let labels = Enumeration::new(names);
    labels
        .map_err(|name| {
            let max = Enumeration::NAMES_MAX;
            node.fault(format!("`{name}` is empty, stands twice, or is one of more than {max} labels"));
        })
        .ok()
        .map(Arc::new)
}

fn out_of_scope(node: &Node<'_>, labels: Option<&Enumeration>) -> Option<ScopeCheck> {
    let section = node.section()?;
    let (below, label) = (section.get("below"), section.get("label"));
    section.refuse_unknown();
    match (below, label) {
        (Some(below), None) => {
            below.number(f32::MIN.into(), f32::MAX.into()).map(|limit| ScopeCheck::Below(limit as f32))
        }
        (None, Some(node)) => {
            let label = node.text()?;
            let symbol = labels?.symbol(label);
            if symbol.is_none() {
                node.fault(format!("the model has no label `{label}`{}", suggestion(label, labels?.names())));
            }
            symbol.map(ScopeCheck::Label)
        }
        _ => {
            node.fault("expected `{ below = NUMBER }` (of the scope score) or `{ label = \"…\" }`");
            None
        }
    }
}

fn training_set(section: &Section<'_>) -> Option<TrainingSet> {
    let sha256 = section.require("data_sha256", "the SHA-256 of the training data").and_then(|node| hash(&node));
    let rows = section.require("rows", "how many rows it was trained on").and_then(|node| node.int(1, i64::MAX));
    let from = section.require("from", "the first day of the data, or \"unknown\"").and_then(|node| day(&node));
    let until = section.require("until", "the last day of the data, or \"unknown\"").and_then(|node| day(&node));
    section.refuse_unknown();
    Some(TrainingSet { sha256: sha256?, rows: rows? as u64, from: from?.into(), until: until?.into() })
}

fn day<'d>(node: &Node<'d>) -> Option<&'d str> {
    let text = node.text()?;
    if text == "unknown" || format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok() {
        return Some(text);
    }
    node.fault("expected a day such as \"2026-10-31\", or \"unknown\"");
    None
}

fn metrics_of(section: &Section<'_>) -> Option<Vec<(Box<str>, f64)>> {
    let entries = section.entries();
    if entries.is_empty() {
        section.fault("names no metric; at least one says what the model is worth");
        return None;
    }
    let metric = |(name, node): (String, Node<'_>)| Some((name.into(), node.number(f64::MIN, f64::MAX)?));
    entries.into_iter().map(metric).collect()
}

fn features(root: &Section<'_>, kind: Option<ModelKind>) -> Option<Vec<Feature>> {
    let Some(node) = root.get("features") else {
        if kind == Some(ModelKind::Tabular) {
            root.fault("a tabular model names its features, in the order of its inputs: `[[features]]`");
            return None;
        }
        return Some(Vec::new());
    };
    let nodes = node.list()?;
    if kind.is_some_and(|kind| kind != ModelKind::Tabular) || nodes.is_empty() || nodes.len() > FEATURES_MAX {
        node.fault(format!("1 to {FEATURES_MAX} features belong to a tabular model, and to no other"));
        return None;
    }
    let mut features: Vec<Feature> = Vec::with_capacity(nodes.len());
    for node in &nodes {
        let feature = node.section().and_then(|section| feature(&section))?;
        if features.iter().any(|known| known.name == feature.name) {
            node.fault(format!("the feature `{}` stands twice", feature.name));
            return None;
        }
        features.push(feature);
    }
    Some(features)
}

fn feature(section: &Section<'_>) -> Option<Feature> {
    let name = section.require("name", "the feature's name").and_then(|node| said(&node));
    let ty = section.require("type", "`number`, `bool` or `{ one_of = [...] }`").and_then(|node| feature_type(&node));
    let unavailable = section.get("unavailable").map_or(Some(IfMissing::Refuse), |node| if_missing(&node));
    section.refuse_unknown();
    Some(Feature { name: name?.into(), ty: ty?, unavailable: unavailable? })
}

fn feature_type(node: &Node<'_>) -> Option<FeatureType> {
    if node.is_section() {
        let section = node.section()?;
        let names = section.require("one_of", "a list of texts")?.texts()?;
        section.refuse_unknown();
        let of = Enumeration::new(names.into_iter().map(str::to_owned).collect());
        let wrong = |name: String| node.fault(format!("`{name}` is empty or stands twice"));
        return of.map_err(wrong).ok().map(|of| FeatureType::OneOf(Arc::new(of)));
    }
    match node.text()? {
        "number" => Some(FeatureType::Number),
        "bool" => Some(FeatureType::Bool),
        word => {
            node.fault(format!("unknown type `{word}`; a feature is `number`, `bool` or `{{ one_of = [...] }}`"));
            None
        }
    }
}

fn if_missing(node: &Node<'_>) -> Option<IfMissing> {
    if !node.is_text() {
        return node.number(f32::MIN.into(), f32::MAX.into()).map(|number| IfMissing::Number(number as f32));
    }
    match node.text()? {
        "refuse" => Some(IfMissing::Refuse),
        "missing" => Some(IfMissing::Missing),
        _ => {
            node.fault("expected `refuse` (the model is not asked), `missing` (not a number) or a number");
            None
        }
    }
}
