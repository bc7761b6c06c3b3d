//! Reads `[[models]]` of a playbook: what each is given, what it sets, and when its word is taken.

use std::collections::HashMap;
use std::sync::Arc;

use super::accept_reader::{self, Judging};
use super::manifest::{Feature, FeatureType, ModelKind};
use super::mapping_reader::{Mapping, mapping};
use super::model::{Conversion, FeatureSource, Reads, permitted};
use super::{Model, ModelName, ModelPermit, Permit, SmallModel, Sources};
use crate::document::{FaultSink, Node, Section};
use crate::domain::{Enumeration, Field, Type, suggestion};
use crate::rules::{Scope, Slot};

/// Models that a playbook may ask.
const MODELS_MAX: usize = 16;

/// Texts that a model may be given.
const TEXTS_MAX: usize = 16;

/// A bundle's models, by name.
pub(super) type Models = HashMap<ModelName, Arc<Model>>;

/// What a playbook's models are read against.
pub(super) struct ModelReader<'a> {
    pub(super) sources: &'a Sources,
    pub(super) sink: &'a FaultSink,
    /// The bundle's models, by name.
    pub(super) models: &'a Models,
    pub(super) scope: &'a Scope,
    pub(super) outcome: &'a [Field],
    /// The name of the playbook's purpose.
    pub(super) purpose: Option<&'a str>,
    pub(super) permits: &'a [ModelPermit],
    pub(super) guardrail: &'a Permit,
}

impl ModelReader<'_> {
    /// The models in the order in which they are asked; those that cannot be used are left out after noting why.
    pub(super) fn models(&self, root: &Section<'_>) -> Vec<SmallModel> {
        let Some(node) = root.get("models") else { return Vec::new() };
        let nodes = node.list().unwrap_or_default();
        if nodes.len() > MODELS_MAX {
            node.fault(format!("names {} models, the limit is {MODELS_MAX}", nodes.len()));
            return Vec::new();
        }
        if self.permits.is_empty() && !nodes.is_empty() {
            node.fault(
                "no rule lets a model choose anything, so none would ever be asked: give `[default]`, a rule or a table a \
                 `permit`, such as `permit = { queue = [\"billing\", \"cards\"] }`",
            );
        }
        nodes.iter().filter_map(|node| self.model(&node.section()?)).collect()
    }

    fn model(&self, section: &Section<'_>) -> Option<SmallModel> {
        let model = section.require("use", "a model, such as \"intent@3\"").and_then(|node| self.used(&node));
        let reads = section.require("reads", "what the model is given, such as [\"event.subject\", \"event.body\"]");
        let sets = section.require("sets", "what the model decides, such as `sets = { queue = \"label\" }`");
        let (accept, candidates) = (section.get("accept"), section.get("candidates"));
        section.refuse_unknown();
        let model = model?;
        let reads = reads.and_then(|node| self.reads(&node, &model));
        let Mapping { sets, proposals, proposal_of } =
            mapping(&sets?, &model.manifest, (self.outcome, self.sources, self.sink))?;
        let judging = Judging::new(&model, &proposal_of);
        let accept = accept_reader::accept(section, accept.as_ref(), &judging);
        let candidates = accept_reader::candidates(candidates.as_ref(), accept.as_ref(), &judging);
        let permitted = permitted((&sets, &proposals), self.permits, (self.outcome, self.guardrail));
        let reads = reads?;
        let name = model.manifest.name.to_string().into();
        Some(SmallModel {
            name,
            model,
            reads,
            sets,
            proposals,
            proposal_of,
            accept: accept?,
            candidates: candidates?,
            permitted,
        })
    }

    fn used(&self, node: &Node<'_>) -> Option<Arc<Model>> {
        let text = node.text()?;
        let named = ModelName::parse(text).and_then(|name| self.models.get(&name));
        let Some(model) = named else {
            let names: Vec<String> = self.models.keys().map(ToString::to_string).collect();
            let hint = suggestion(text, names.iter().map(String::as_str));
            let mut found = names.clone();
            found.sort();
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            node.fault(format!("there is no model `{text}`{hint}; models found in `models/`: {found}"));
            return None;
        };
        if let Some(purpose) = self.purpose.filter(|purpose| !model.manifest.serves(purpose)) {
            node.fault(format!(
                "the model's `consent_scope` does not name `{purpose}`, the purpose of this playbook: its training data may \
                 not serve it"
            ));
        }
        Some(Arc::clone(model))
    }

    fn reads(&self, node: &Node<'_>, model: &Model) -> Option<Reads> {
        match model.manifest.kind {
            ModelKind::Text | ModelKind::Neural => self.texts(node),
            ModelKind::Tabular => self.features(node, &model.manifest.features),
        }
    }

    fn texts(&self, node: &Node<'_>) -> Option<Reads> {
        let nodes = node.list()?;
        if nodes.is_empty() || nodes.len() > TEXTS_MAX {
            node.fault(format!("a model of texts is given 1 to {TEXTS_MAX} of them, such as [\"event.subject\"]"));
            return None;
        }
        let slots: Vec<Option<Slot>> = nodes.iter().map(|node| self.text(node)).collect();
        slots.into_iter().collect::<Option<_>>().map(Reads::Texts)
    }

    fn text(&self, node: &Node<'_>) -> Option<Slot> {
        let slot = self.slot(node)?;
        let ty = &self.scope.declared(slot).ty;
        if !matches!(ty, Type::Text) {
            node.fault(format!("is {}; a model of texts reads texts", ty.name()));
            return None;
        }
        Some(slot)
    }

    fn slot(&self, node: &Node<'_>) -> Option<Slot> {
        let path = node.text()?;
        let slot = self.scope.slot(path);
        if slot.is_none() {
            let hint = suggestion(path, self.scope.slots().map(|slot| &*self.scope.declared(slot).path));
            node.fault(format!("unknown name `{path}`{hint}"));
        }
        slot
    }

    /// A table of feature and name; a feature that is called like the last part of a name needs no entry.
    fn features(&self, node: &Node<'_>, features: &[Feature]) -> Option<Reads> {
        let entries: HashMap<String, Node<'_>> = node.section()?.entries().into_iter().collect();
        for (name, node) in &entries {
            if features.iter().all(|feature| *feature.name != *name.as_str()) {
                let hint = suggestion(name, features.iter().map(|feature| &*feature.name));
                node.fault(format!("the model has no feature `{name}`{hint}"));
            }
        }
        let missing: Vec<String> = features
            .iter()
            .filter(|feature| !entries.contains_key(&*feature.name))
            .map(|feature| format!("`{}`", feature.name))
            .collect();
        if !missing.is_empty() {
            node.fault(format!("the model reads more features; missing: {}", missing.join(", ")));
            return None;
        }
        let source = |feature: &Feature| self.feature(feature, &entries[&*feature.name]);
        let sources: Vec<Option<FeatureSource>> = features.iter().map(source).collect();
        sources.into_iter().collect::<Option<_>>().map(Reads::Features)
    }

    fn feature(&self, feature: &Feature, node: &Node<'_>) -> Option<FeatureSource> {
        let slot = self.slot(node)?;
        let ty = &self.scope.declared(slot).ty;
        let conversion = conversion(&feature.ty, ty);
        if conversion.is_none() {
            let wanted = match &feature.ty {
                FeatureType::Number => "a number, a duration (in seconds) or true and false".to_owned(),
                FeatureType::Bool => "true or false".to_owned(),
                FeatureType::OneOf(of) => format!("a text or one of a list, such as `{}`", of.name(0)),
            };
            node.fault(format!("is {}; the feature `{}` is {wanted}", ty.name(), feature.name));
        }
        Some(FeatureSource { slot, conversion: conversion? })
    }
}

/// How values of a type become a feature; `None` if they do not.
fn conversion(feature: &FeatureType, ty: &Type) -> Option<Conversion> {
    match (feature, ty) {
        (FeatureType::Number, Type::Int | Type::Bool) | (FeatureType::Bool, Type::Bool) => {
            Some(Conversion::Scaled(1.0))
        }
        (FeatureType::Number, Type::Decimal) => Some(Conversion::Scaled(1e-4)),
        (FeatureType::Number, Type::Duration) => Some(Conversion::Scaled(1e-6)),
        (FeatureType::OneOf(of), Type::OneOf(declared)) => Some(Conversion::Symbols(positions(of, declared))),
        (FeatureType::OneOf(of), Type::Text) => Some(Conversion::Texts(Arc::clone(of))),
        _ => None,
    }
}

/// The position of every declared name among the feature's; not a number for names that the feature does not know.
fn positions(of: &Enumeration, declared: &Enumeration) -> Box<[f32]> {
    declared.names().map(|name| of.symbol(name).map_or(f32::NAN, f32::from)).collect()
}
