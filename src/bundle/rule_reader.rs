//! Reads a playbook's rules, tables, default and guardrail.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::model_permit::Choice;
use super::{DefaultOutcome, ModelPermit, Permit, Permitted, Sources, hit_policy_reader};
use crate::document::{FaultSink, Node, Place, Section};
use crate::domain::{Field, Type, Value, suggestion};
use crate::rules::{
    Computation, Condition, ExprFault, HitPolicy, IfUnavailable, Origin, RankedRules, Rule, Scope, Setting, Table,
    TextIndexBuilder, Then, Validity, read_table,
};

/// Different permits for models that a playbook may have.
const PERMITS_MAX: usize = 1_024;

/// Rules that a playbook may have, tables included.
const RULES_MAX: usize = 1_000_000;

/// Reads what a playbook says, against the names it may use and the outcome it decides.
pub(super) struct Reader<'a> {
    pub(super) root: &'a Section<'a>,
    pub(super) sources: &'a Sources,
    pub(super) sink: &'a FaultSink,
    pub(super) scope: &'a Scope,
    pub(super) outcome: &'a [Field],
    pub(super) texts: TextIndexBuilder,
    /// Where each rule id was used first.
    pub(super) ids: HashMap<String, Place>,
    /// What rules, tables and the default let models choose.
    pub(super) permits: Vec<ModelPermit>,
    /// Whether what rules say are parts of a sum or the like, whose whole is checked when it is known.
    pub(super) are_parts: bool,
}

impl Reader<'_> {
    /// The rules written in the playbook itself.
    pub(super) fn rules(&mut self) -> Option<RankedRules> {
        let policy = hit_policy_reader::read(self.root, self.outcome);
        self.are_parts = matches!(policy, Some(HitPolicy::Collect(Some(_))));
        let nodes = self.root.get("rules").and_then(|node| node.list()).unwrap_or_default();
        let mut rules: Vec<(i64, Rule)> = Vec::new();
        if nodes.len() > RULES_MAX {
            self.root.fault(format!("has {} rules, the limit is {RULES_MAX}", nodes.len()));
        } else {
            rules.extend(nodes.iter().filter_map(|node| self.rule(node)));
        }
        self.are_parts = false;
        rules.sort_by_key(|(priority, _)| Reverse(*priority));
        let rules: Vec<Rule> = rules.into_iter().map(|(_, rule)| rule).collect();
        let policy = policy?;
        self.check_policy(&policy, &rules);
        Some(RankedRules { name: "rules".into(), policy, rules })
    }

    fn check_policy(&self, policy: &HitPolicy, rules: &[Rule]) {
        // It is mostly a fault of a column: told of the first rule, it is told of all.
        let mut told = HashSet::new();
        for rule in rules {
            let fault = hit_policy_reader::fault(policy, rule, self.outcome);
            if let Some(fault) = fault.filter(|fault| told.insert(fault.clone())) {
                self.sink.add(Place::line(&rule.origin.file, rule.origin.line), &rule.id, fault);
            }
        }
    }

    fn rule(&mut self, node: &Node<'_>) -> Option<(i64, Rule)> {
        let section = node.section()?;
        let id = section.require("id", "a name unique within the playbook").and_then(|node| rule_id(&node));
        let description = section.get("description").and_then(|node| node.text());
        let priority = section.get("priority").and_then(|node| node.int(i64::MIN, i64::MAX)).unwrap_or(0);
        let when = section.require("when", "the condition, in CEL");
        let condition = when.and_then(|node| self.condition(&node));
        let then = section.require("then", "what the rule says of the outcome").and_then(|node| self.then(&node));
        let is_final = section.get("final").and_then(|node| node.bool()).unwrap_or(false);
        let permit = self.model_permit(&section, is_final);
        let if_unavailable = section.get("if_unavailable").and_then(|node| if_unavailable(&node));
        let validity = validity(&section);
        section.refuse_unknown();
        let place = node.place();
        if let Some(id) = id {
            self.enter_id(id, place.clone());
        }
        let rule = Rule {
            id: id?.into(),
            origin: Origin { file: place.file, line: place.line },
            description: description.map(Arc::from),
            condition: condition?.in_force(validity?, self.scope),
            then: Then::new(then?),
            if_unavailable: if_unavailable.unwrap_or_default(),
            is_final,
            permit,
        };
        Some((priority, rule))
    }

    fn condition(&mut self, node: &Node<'_>) -> Option<Condition> {
        let compiled = Condition::compile(node.text()?, self.scope, &mut self.texts);
        compiled.map_err(|faults| note(node, faults)).ok()
    }

    fn then(&mut self, node: &Node<'_>) -> Option<Vec<Option<Setting>>> {
        let section = node.section()?;
        let mut settings = vec![None; self.outcome.len()];
        let mut is_sound = true;
        let entries = section.entries();
        if entries.is_empty() {
            node.fault("says nothing of the outcome");
            return None;
        }
        for (name, node) in entries {
            let number = self.outcome.iter().position(|field| *field.name == *name);
            let setting = match number {
                Some(number) => self.setting(number, &node).map(|setting| (number, setting)),
                None => {
                    let hint = suggestion(&name, self.outcome.iter().map(|field| &*field.name));
                    node.fault(format!("the outcome has no field `{name}`{hint}"));
                    None
                }
            };
            match setting {
                Some((number, setting)) => settings[number] = Some(setting),
                None => is_sound = false,
            }
        }
        is_sound.then_some(settings)
    }

    /// A literal, or `{ cel = "…" }`.
    fn setting(&mut self, number: usize, node: &Node<'_>) -> Option<Setting> {
        let field = &self.outcome[number];
        if !node.is_section() {
            return if self.are_parts { part(field, node) } else { literal(field, node) }.map(Setting::Literal);
        }
        let section = node.section()?;
        let cel = section.require("cel", "an expression that gives the value")?;
        section.refuse_unknown();
        let computed = Computation::compile(cel.text()?, &field.ty, self.scope, &mut self.texts);
        computed.map(|computation| Setting::Computed(Box::new(computation))).map_err(|faults| note(&cel, faults)).ok()
    }

    pub(super) fn tables(&mut self) -> Vec<RankedRules> {
        let Some(nodes) = self.root.get("tables").and_then(|node| node.list()) else { return Vec::new() };
        nodes.iter().filter_map(|node| self.table(node)).collect()
    }

    fn table(&mut self, node: &Node<'_>) -> Option<RankedRules> {
        let section = node.section()?;
        let file = section.require("file", "a CSV file such as \"tables/routing.csv\"");
        let policy = hit_policy_reader::read(&section, self.outcome);
        let is_final = section.get("final").and_then(|node| node.bool()).unwrap_or(false);
        let permit = self.model_permit(&section, is_final);
        section.refuse_unknown();
        let file = file?;
        let path = file.text()?;
        let Some(text) = self.sources.get(path) else {
            let tables: Vec<&str> =
                self.sources.iter().map(|(path, _)| path).filter(|path| path.ends_with(".csv")).collect();
            let hint = suggestion(path, tables.iter().copied());
            let found = if tables.is_empty() { "none".to_owned() } else { tables.join(", ") };
            file.fault(format!("there is no such file in the configuration folder{hint}; tables found: {found}"));
            return None;
        };
        let (scope, outcome) = (self.scope, self.outcome);
        let table = Table { file: path, text, scope, outcome, policy: policy.as_ref()?, is_final, permit };
        match read_table(&table, &mut self.texts) {
            Ok(rules) => {
                for rule in &rules {
                    self.enter_id(&rule.id, Place::line(&rule.origin.file, rule.origin.line));
                }
                let policy = policy?;
                self.check_policy(&policy, &rules);
                Some(RankedRules { name: path.into(), policy, rules })
            }
            Err(faults) => {
                for fault in faults {
                    let value = fault.value.map_or_else(String::new, |value| format!(", in `{value}`"));
                    let key = fault.column.unwrap_or_default();
                    self.sink.add(Place::line(path, fault.line), &key, format!("{}{value}", fault.message));
                }
                None
            }
        }
    }

    /// The default's values, one for every field, and what models may choose in their place.
    pub(super) fn default(&mut self) -> Option<DefaultOutcome> {
        let node =
            self.root.require("default", "what holds where no rule says otherwise: `[default]` with `then = { … }`")?;
        let section = node.section()?;
        let then = section.require("then", "a value for every field of the outcome");
        let permit = self.model_permit(&section, false);
        section.refuse_unknown();
        let then = then?;
        let settings = self.then(&then)?;
        let missing: Vec<String> = self
            .outcome
            .iter()
            .zip(&settings)
            .filter(|(_, setting)| setting.is_none())
            .map(|(field, _)| format!("`{}`", field.name))
            .collect();
        if !missing.is_empty() {
            then.fault(format!("the default gives every field a value; missing: {}", missing.join(", ")));
        }
        let literal = |setting: Option<Setting>| match setting {
            Some(Setting::Literal(value)) => Some(value),
            Some(Setting::Computed(_)) => {
                then.fault("the default must hold whatever is unavailable: give literal values");
                None
            }
            None => None,
        };
        let values = settings.into_iter().map(literal).collect::<Option<_>>()?;
        Some(DefaultOutcome { values, permit })
    }

    /// `permit = { FIELD = [values], FIELD = { min = …, max = … }, FIELD = "any" }`: what models may choose in place of an
    /// answer.
    fn model_permit(&mut self, section: &Section<'_>, is_final: bool) -> Option<u16> {
        let node = section.get("permit")?;
        if is_final {
            node.fault("what is `final` permits nothing else; leave one of them out");
        }
        let entries = node.section()?.entries();
        if entries.is_empty() {
            node.fault("permits nothing; name a field, such as `permit = { queue = \"any\" }`, or leave it out");
        }
        let mut fields = vec![None; self.outcome.len()];
        for (name, node) in entries {
            match self.outcome.iter().position(|field| *field.name == *name) {
                Some(number) => fields[number] = choice(&self.outcome[number], &node),
                None => {
                    let hint = suggestion(&name, self.outcome.iter().map(|field| &*field.name));
                    node.fault(format!("the outcome has no field `{name}`{hint}"));
                }
            }
        }
        let permit = ModelPermit { fields: fields.into() };
        if let Some(known) = self.permits.iter().position(|known| *known == permit) {
            return Some(known as u16);
        }
        if self.permits.len() == PERMITS_MAX {
            node.fault(format!("there are more than {PERMITS_MAX} different permits"));
            return None;
        }
        self.permits.push(permit);
        Some((self.permits.len() - 1) as u16)
    }

    pub(super) fn permit(&mut self) -> Permit {
        let Some(section) = self.root.get("guardrail").and_then(|node| node.section()) else {
            return Permit::everything();
        };
        let permit = section.get("permit").and_then(|node| node.section());
        section.allow(&["consent", "limits"]);
        section.refuse_unknown();
        let mut fields = vec![None; self.outcome.len()];
        for (name, node) in permit.iter().flat_map(Section::entries) {
            match self.outcome.iter().position(|field| *field.name == *name) {
                Some(number) => fields[number] = permitted(&self.outcome[number], &node),
                None => {
                    let hint = suggestion(&name, self.outcome.iter().map(|field| &*field.name));
                    node.fault(format!("the outcome has no field `{name}`{hint}"));
                }
            }
        }
        Permit { fields }
    }

    /// Rules' ids are unique within a playbook, tables included.
    fn enter_id(&mut self, id: &str, place: Place) {
        match self.ids.get(id) {
            Some(first) => self.sink.add(place, "id", format!("the rule id `{id}` is already used at {first}")),
            None => drop(self.ids.insert(id.to_owned(), place)),
        }
    }

    /// What is written down must be permitted; what is computed is checked when it is.
    pub(super) fn check_permit(&self, permit: &Permit, groups: &[RankedRules], default: Option<&[Value]>) {
        let check = |place: Place, key: &str, number: usize, value: &Value| {
            let field = &self.outcome[number];
            if let Some(limit) = permit.violation(number, field, value) {
                let shown = field.ty.show(value);
                self.sink.add(
                    place,
                    key,
                    format!("{} = {shown} is not permitted by `[guardrail]`: {limit}", field.name),
                );
            }
        };
        // What is only a part of a sum is checked when the sum is known.
        let are_whole = |group: &&RankedRules| !matches!(group.policy, HitPolicy::Collect(Some(_)));
        for rule in groups.iter().filter(are_whole).flat_map(|group| &group.rules) {
            for (number, setting) in rule.then.settings().iter().enumerate() {
                if let Some(Setting::Literal(value)) = setting {
                    check(Place::line(&rule.origin.file, rule.origin.line), &rule.id, number, value);
                }
            }
        }
        for (number, value) in default.into_iter().flatten().enumerate() {
            check(self.root.place(), "default", number, value);
        }
    }
}

fn rule_id<'d>(node: &Node<'d>) -> Option<&'d str> {
    let id = node.text()?;
    if (1..=128).contains(&id.len()) && !id.chars().any(char::is_control) {
        return Some(id);
    }
    node.fault("a rule's id has 1 to 128 bytes");
    None
}

/// `enabled`, `valid_from`, `valid_until`.
fn validity(section: &Section<'_>) -> Option<Validity> {
    let time = |node: Option<Node<'_>>| match node {
        Some(node) => match Type::Time.accept(node.raw()?) {
            Ok(Value::Time(time)) => Some(Some(time)),
            Ok(_) => None,
            Err(mismatch) => {
                node.fault(mismatch.to_string());
                None
            }
        },
        None => Some(None),
    };
    let is_enabled = section.get("enabled").map_or(Some(true), |node| node.bool());
    let (from, until) = (time(section.get("valid_from")), time(section.get("valid_until")));
    let validity = Validity { is_enabled: is_enabled?, from: from?, until: until? };
    if let Some(fault) = validity.fault() {
        section.fault(fault);
    }
    Some(validity)
}

fn if_unavailable(node: &Node<'_>) -> Option<IfUnavailable> {
    match node.text()? {
        "skip" => Some(IfUnavailable::Skip),
        "apply" => Some(IfUnavailable::Apply),
        _ => {
            node.fault("expected `skip` (the rule does not match) or `apply` (it does: for restrictive rules)");
            None
        }
    }
}

fn literal(field: &Field, node: &Node<'_>) -> Option<Value> {
    match field.accept(node.raw()?) {
        Ok(value) => value,
        Err(fault) => {
            node.fault(fault.to_string());
            None
        }
    }
}

/// A value of the field's type, within its limits or not.
fn part(field: &Field, node: &Node<'_>) -> Option<Value> {
    match field.ty.accept(node.raw()?) {
        Ok(value) => Some(value),
        Err(mismatch) => {
            node.fault(mismatch.to_string());
            None
        }
    }
}

/// `"any"`, or what [`permitted`] reads.
fn choice(field: &Field, node: &Node<'_>) -> Option<Choice> {
    let is_any = node.is_text() && node.text() == Some("any");
    if is_any { Some(Choice::Any) } else { permitted(field, node).map(Choice::Only) }
}

/// A list of values, or `{ min = …, max = … }`.
fn permitted(field: &Field, node: &Node<'_>) -> Option<Permitted> {
    if !node.is_section() {
        let item = match &field.ty {
            Type::List(of) => Field::new(&field.name, (**of).clone()),
            _ => field.clone(),
        };
        return node.list()?.iter().map(|node| literal(&item, node)).collect::<Option<_>>().map(Permitted::OneOf);
    }
    let section = node.section()?;
    let (min, max) = (section.get("min"), section.get("max"));
    section.refuse_unknown();
    let ordinal = |node: Option<Node<'_>>, otherwise: i64| match node {
        Some(node) => {
            let ordinal = literal(field, &node)?.ordinal();
            if ordinal.is_none() {
                node.fault(format!("values of type {} have no order; give a list of values", field.ty.name()));
            }
            ordinal
        }
        None => Some(otherwise),
    };
    Some(Permitted::Between(ordinal(min, i64::MIN)?, ordinal(max, i64::MAX)?))
}

/// Notes faults at their places within an expression.
pub(super) fn note(node: &Node<'_>, faults: Vec<ExprFault>) {
    for fault in faults {
        node.fault_within(fault.offset, fault.message);
    }
}
