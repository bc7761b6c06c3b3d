//! DMN 1.1 to 1.5: the decision tables of an XML file.
//!
//! Elements are known by their local names, whatever the version's namespace. A document type definition is refused, so no
//! entity is ever expanded.

use std::collections::HashSet;

use roxmltree::{Document, Node, ParsingOptions};

use super::feel;
use super::literal::{Kind, Literal};
use super::sheet::{
    Aggregation, COLUMNS_MAX, Cell, Fault, HitPolicy, Input, Model, Output, ROWS_MAX, Row, Sheet, TABLES_MAX, cell,
};
use super::zone::Zone;

/// Elements, texts and attributes that a file may have: a million of them need some 100 MB while they are read.
const NODES_MAX: u32 = 8_000_000;

/// Elements around a table that are looked at for its name.
const DEPTH_MAX: usize = 64;

/// Where the names of all versions begin.
const NAMESPACE: &str = "omg.org/spec/DMN/";

/// Reads every decision table of a file.
pub fn read(text: &str, zone: Option<&Zone>) -> Result<Model, Vec<Fault>> {
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text.trim_start_matches('\u{feff}'), options)
        .map_err(|e| Fault::of_file(format!("not readable as XML: {e}")))?;
    let root = document.root_element();
    let namespace = root.tag_name().namespace().unwrap_or_default();
    if root.tag_name().name() != "definitions" || !namespace.contains(NAMESPACE) {
        let name = root.tag_name().name();
        return Err(Fault::of_file(format!(
            "not a DMN file: expected `definitions` of DMN 1.1 to 1.5, found `{name}`"
        )));
    }
    let is_feel = expression_language(root).is_none_or(is_feel);
    let mut names = HashSet::new();
    let tables = root.descendants().filter(|node| is(*node, "decisionTable"));
    let count = tables.clone().take(TABLES_MAX + 1).count();
    if count > TABLES_MAX {
        return Err(Fault::of_file(format!("holds more than {TABLES_MAX} decision tables")));
    }
    let tables = tables.map(|node| Reading::new(node, zone, is_feel, &mut names).table(node)).collect();
    Ok(Model { tables, remarks: Vec::new() })
}

struct Reading<'a> {
    name: String,
    zone: Option<&'a Zone>,
    is_feel: bool,
    faults: Vec<Fault>,
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| is(*child, name))
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| is(*child, name))
}

/// The text of a node, however many pieces it comes in.
fn content(node: Node<'_, '_>) -> String {
    node.children().filter(Node::is_text).filter_map(|piece| piece.text()).collect::<String>().trim().to_owned()
}

/// What stands in `<text>`.
fn text_of(node: Node<'_, '_>) -> String {
    child(node, "text").map(content).unwrap_or_default()
}

fn expression_language<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    node.attribute("expressionLanguage").filter(|language| !language.trim().is_empty())
}

/// FEEL by its name, or by the namespace that a version of DMN gave it.
fn is_feel(language: &str) -> bool {
    let language = language.trim();
    language.eq_ignore_ascii_case("feel")
        || (language.contains("omg.org/spec/") && language.to_ascii_uppercase().contains("FEEL"))
}

impl<'a> Reading<'a> {
    fn new(node: Node<'_, '_>, zone: Option<&'a Zone>, is_feel: bool, names: &mut HashSet<String>) -> Self {
        let wanted = name_of(node);
        let mut name = wanted.clone();
        let mut nth = 1;
        while !names.insert(name.clone()) {
            nth += 1;
            name = format!("{wanted} {nth}");
        }
        Self { name, zone, is_feel, faults: Vec::new() }
    }

    fn fault(&mut self, why: impl Into<String>) {
        self.faults.push(Fault::of_table(&self.name, why));
    }

    fn table(mut self, node: Node<'_, '_>) -> Result<Sheet, Vec<Fault>> {
        let hit_policy = self.hit_policy(node);
        let aggregation = self.aggregation(node, hit_policy);
        let inputs: Vec<Input> = children(node, "input").map(|input| self.input(input)).collect();
        let count = children(node, "output").count();
        let outputs: Vec<Output> =
            children(node, "output").map(|output| self.output(output, node, count, hit_policy)).collect();
        if outputs.is_empty() || inputs.is_empty() {
            self.fault("needs at least one input and one output");
        }
        if inputs.len() + outputs.len() > COLUMNS_MAX {
            self.fault(format!("has {} columns, the limit is {COLUMNS_MAX}", inputs.len() + outputs.len()));
            return Err(self.faults);
        }
        let annotations: Vec<String> =
            children(node, "annotation").map(|a| a.attribute("name").unwrap_or_default().trim().to_owned()).collect();
        let mut rows = Vec::new();
        for (at, rule) in children(node, "rule").enumerate() {
            if at == ROWS_MAX {
                self.fault(format!("has more than {ROWS_MAX} rows"));
                break;
            }
            rows.extend(self.row(at, rule, &annotations, (inputs.len(), outputs.len())));
        }
        let remarks = remarks(node, &inputs, &outputs, hit_policy);
        let Some(hit_policy) = hit_policy.filter(|_| self.faults.is_empty()) else { return Err(self.faults) };
        Ok(Sheet { name: self.name, hit_policy, aggregation, inputs, outputs, rows, remarks })
    }

    fn hit_policy(&mut self, node: Node<'_, '_>) -> Option<HitPolicy> {
        let written = node.attribute("hitPolicy").unwrap_or("UNIQUE");
        let found =
            HitPolicy::ALL.into_iter().find(|policy| policy.name().replace('_', " ").eq_ignore_ascii_case(written));
        if found.is_none() {
            self.fault(format!("the hit policy `{written}` is none of DMN's"));
        }
        found
    }

    fn aggregation(&mut self, node: Node<'_, '_>, hit_policy: Option<HitPolicy>) -> Option<Aggregation> {
        let written = node.attribute("aggregation")?;
        let found = Aggregation::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(written));
        match found {
            None => self.fault(format!("the aggregation `{written}` is none of DMN's")),
            Some(_) if hit_policy != Some(HitPolicy::Collect) => {
                self.fault(format!("has the aggregation `{written}`, which goes with the hit policy COLLECT only"));
            }
            Some(_) => {}
        }
        found
    }

    fn input(&mut self, node: Node<'_, '_>) -> Input {
        let expression = child(node, "inputExpression");
        let text = expression.map(text_of).unwrap_or_default();
        let label = node.attribute("label").map(str::trim).filter(|label| !label.is_empty()).map(str::to_owned);
        if text.is_empty() && label.is_none() {
            self.fault("an input has neither an expression nor a label");
        }
        let kind = expression.and_then(|expression| expression.attribute("typeRef")).and_then(kind_of);
        let shown = label.clone().unwrap_or_else(|| text.clone());
        let allowed = self.allowed(child(node, "inputValues"), &shown, false);
        Input { label, expression: text, kind, allowed }
    }

    fn output(
        &mut self,
        node: Node<'_, '_>,
        table: Node<'_, '_>,
        count: usize,
        hit_policy: Option<HitPolicy>,
    ) -> Output {
        let attribute = |name| node.attribute(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        // A single output needs no name: it is the decision's.
        let outer = || table.attribute("outputLabel").map_or_else(|| self.name.clone(), str::to_owned);
        let name = attribute("name").or_else(|| attribute("label")).or_else(|| (count == 1).then(outer));
        let name = name.unwrap_or_else(|| {
            self.fault("an output has no name");
            String::new()
        });
        let kind = node.attribute("typeRef").and_then(kind_of);
        let allowed = self.allowed(child(node, "outputValues"), &name, hit_policy.is_some_and(HitPolicy::is_ranked));
        Output { name, label: attribute("label"), kind, allowed }
    }

    /// Literals of input or output values. Others matter only where they rank the outputs.
    fn allowed(&mut self, node: Option<Node<'_, '_>>, column: &str, must_translate: bool) -> Vec<Literal> {
        let Some(text) = node.map(text_of) else { return Vec::new() };
        let values = cell(&text, |text| feel::read_values(text, self.zone));
        values.unwrap_or_else(|untranslated| {
            if must_translate {
                self.faults.push(Fault {
                    table: self.name.clone(),
                    column: Some(column.to_owned()),
                    text: Some(untranslated.text),
                    why: format!("the output values rank the rows: {}", untranslated.why),
                    ..Fault::default()
                });
            }
            Vec::new()
        })
    }

    fn row(&mut self, at: usize, node: Node<'_, '_>, annotations: &[String], width: (usize, usize)) -> Option<Row> {
        let zone = self.zone;
        let tests: Vec<_> = children(node, "inputEntry")
            .map(|entry| self.cell(entry, |text| feel::read_test(text, zone)?.sayable()))
            .collect();
        let settings: Vec<_> = children(node, "outputEntry")
            .map(|entry| self.cell(entry, |text| feel::read_setting(text, zone)?.sayable()))
            .collect();
        if (tests.len(), settings.len()) != width {
            let found = format!("{} input and {} output entries", tests.len(), settings.len());
            self.fault(format!("row {} has {found}, the table has {} and {} columns", at + 1, width.0, width.1));
            return None;
        }
        let mut id = node.attribute("id").map(str::to_owned);
        let mut notes: Vec<String> = child(node, "description").map(content).into_iter().collect();
        for (nth, entry) in children(node, "annotationEntry").enumerate() {
            let text = text_of(entry);
            match annotations.get(nth).map(String::as_str) {
                _ if text.is_empty() => {}
                Some("id") => id = Some(text),
                Some("note" | "") | None => notes.push(text),
                Some(name) => notes.push(format!("{name}: {text}")),
            }
        }
        notes.retain(|note| !note.is_empty());
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        Some(Row { id, note, tests, settings, ..Row::default() })
    }

    fn cell<T>(&self, node: Node<'_, '_>, read: impl FnOnce(&str) -> Result<T, String>) -> Cell<T> {
        let is_ours = expression_language(node).map_or(self.is_feel, is_feel);
        cell(&text_of(node), |text| {
            if !is_ours {
                return Err("is not written in FEEL".to_owned());
            }
            read(text)
        })
    }
}

/// The decision's name, or the model's that holds the table; with the entry's, where it is one of several in a context.
fn name_of(table: Node<'_, '_>) -> String {
    let named =
        |node: Node<'_, '_>| node.attribute("name").or_else(|| node.attribute("id")).map(|name| name.trim().to_owned());
    let holder =
        table.ancestors().take(DEPTH_MAX).find(|node| is(*node, "decision") || is(*node, "businessKnowledgeModel"));
    let entry = table.ancestors().take(DEPTH_MAX).find(|node| is(*node, "contextEntry"));
    let entry = entry.and_then(|entry| child(entry, "variable")).and_then(named);
    let holder = holder.and_then(named).unwrap_or_else(|| "table".to_owned());
    match entry {
        Some(entry) => format!("{holder}.{entry}"),
        None => holder,
    }
}

fn kind_of(type_ref: &str) -> Option<Kind> {
    match type_ref.rsplit(':').next().unwrap_or_default().trim() {
        "string" => Some(Kind::Text),
        "number" | "integer" | "long" | "double" => Some(Kind::Number),
        "boolean" => Some(Kind::Bool),
        "dateTime" | "date and time" => Some(Kind::Time),
        "dayTimeDuration" | "days and time duration" => Some(Kind::Duration),
        _ => None,
    }
}

fn remarks(table: Node<'_, '_>, inputs: &[Input], outputs: &[Output], hit_policy: Option<HitPolicy>) -> Vec<String> {
    let mut remarks = Vec::new();
    for (node, output) in children(table, "output").zip(outputs) {
        if let Some(entry) = child(node, "defaultOutputEntry") {
            let text = text_of(entry);
            remarks.push(format!(
                "where no row matches, the table gives `{text}` for `{}`: write it into the playbook's `[default]`",
                output.name
            ));
        }
        if hit_policy.is_some_and(HitPolicy::is_ranked) && output.allowed.is_empty() {
            remarks.push(format!("the table ranks no values of `{}`: write them into `output_values`", output.name));
        }
    }
    for input in inputs.iter().filter(|input| !input.allowed.is_empty()) {
        let values: Vec<String> = input.allowed.iter().map(Literal::in_cell).collect();
        remarks.push(format!("`{}` is declared as one of: {}", input.shown(), values.join(", ")));
    }
    remarks
}
