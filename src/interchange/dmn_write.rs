//! A table of ours as DMN 1.3.

use std::collections::{BTreeMap, BTreeSet};

use super::csv_read::kinds_of;
use super::feel;
use super::literal::Kind;
use super::sheet::{Aggregation, Fault, HitPolicy, Sheet};

/// Writes a table as a DMN model with one decision; or names every cell that DMN cannot say.
pub fn write(sheet: &Sheet) -> Result<String, Vec<Fault>> {
    let (input_kinds, output_kinds) = kinds_of(sheet);
    let rows = entries(sheet, not_aggregated(sheet, &output_kinds))?;
    let mut xml = Xml::default();
    xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let namespace = "https://www.omg.org/spec/DMN/20191111/MODEL/";
    let of_table = format!("urn:forthwith:table:{}", ncname(&sheet.name));
    let attributes = [("xmlns", namespace), ("id", "definitions"), ("name", &sheet.name), ("namespace", &of_table)];
    xml.open("definitions", &attributes);
    let roots = roots(sheet, &input_kinds);
    write_types(&mut xml, &roots);
    for (root, fields) in &roots {
        let own_type = format!("t_{root}");
        xml.open("inputData", &[("id", &format!("input_{root}")), ("name", root)]);
        let type_ref = if fields.is_empty() { "dateTime" } else { own_type.as_str() };
        xml.empty("variable", &[("name", root), ("typeRef", type_ref)]);
        xml.close("inputData");
    }
    xml.open("decision", &[("id", "decision"), ("name", &sheet.name)]);
    // The outcome is a number, a text or a context with a value for each field: what it is, its columns say.
    xml.empty("variable", &[("name", &sheet.name)]);
    for root in roots.keys() {
        xml.open("informationRequirement", &[("id", &format!("requires_{root}"))]);
        xml.empty("requiredInput", &[("href", &format!("#input_{root}"))]);
        xml.close("informationRequirement");
    }
    write_table(&mut xml, sheet, &rows, (&input_kinds, &output_kinds));
    xml.close("decision");
    xml.close("definitions");
    Ok(xml.text)
}

/// What a row says in FEEL.
struct Entries {
    tests: Vec<String>,
    settings: Vec<String>,
}

/// The outputs whose values the aggregation cannot bring together.
fn not_aggregated(sheet: &Sheet, kinds: &[Option<Kind>]) -> Vec<Fault> {
    let Some(aggregation) = sheet.aggregation else { return Vec::new() };
    let takes = match aggregation {
        Aggregation::Sum => "numbers and durations",
        Aggregation::Min | Aggregation::Max | Aggregation::Count => "numbers, points in time and durations",
    };
    let odd = sheet.outputs.iter().zip(kinds).filter_map(|(output, kind)| Some((output, (*kind)?)));
    let odd = odd.filter(|(_, kind)| !aggregation.takes(*kind));
    odd.map(|(output, kind)| {
        let why = format!(
            "the aggregation `{}` takes {takes}, and its cells are each {}",
            aggregation.name(),
            kind.describe()
        );
        sheet.column_fault(output.shown(), why)
    })
    .collect()
}

/// What the rows say in FEEL; or `faults` and those of the cells.
fn entries(sheet: &Sheet, mut faults: Vec<Fault>) -> Result<Vec<Entries>, Vec<Fault>> {
    faults.extend(sheet.untranslated());
    let mut rows = Vec::with_capacity(sheet.rows.len());
    for (at, row) in sheet.rows.iter().enumerate() {
        let mut entries = Entries { tests: Vec::new(), settings: Vec::new() };
        for (test, input) in
            row.tests.iter().zip(&sheet.inputs).filter_map(|(cell, input)| Some((cell.as_ref().ok()?, input)))
        {
            let written = feel::write_test(test).map_err(|why| (test.to_cell().unwrap_or_default(), why));
            match written.and_then(|text| in_xml(text.clone()).map_err(|why| (text, why))) {
                Ok(text) => entries.tests.push(text),
                Err((cell, why)) => faults.push(sheet.cell_fault(at, input.shown(), &cell, &why)),
            }
        }
        for (setting, output) in
            row.settings.iter().zip(&sheet.outputs).filter_map(|(cell, o)| Some((cell.as_ref().ok()?, o)))
        {
            match feel::write_setting(setting) {
                Ok(text) => entries.settings.push(text),
                Err(why) => faults.push(sheet.cell_fault(at, output.shown(), "", &why)),
            }
        }
        for (column, text) in [("id", &row.id), ("note", &row.note)] {
            if let Some(Err(why)) = text.clone().map(in_xml) {
                faults.push(sheet.cell_fault(at, column, text.as_deref().unwrap_or_default(), &why));
            }
        }
        rows.push(entries);
    }
    faults.sort_by_key(|fault| fault.row.as_ref().map(|(row, _)| *row));
    if faults.is_empty() { Ok(rows) } else { Err(faults) }
}

/// XML has no way to write most control characters.
fn in_xml(text: String) -> Result<String, String> {
    let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r') || !(c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}'));
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(c) => Err(format!("the character {} cannot stand in XML", c.escape_unicode())),
        None => Ok(text),
    }
}

/// The inputs that the columns look at, with the fields of each; `now` has none.
fn roots(sheet: &Sheet, kinds: &[Option<Kind>]) -> BTreeMap<String, BTreeSet<(String, &'static str)>> {
    let mut roots: BTreeMap<String, BTreeSet<(String, &'static str)>> = BTreeMap::new();
    for (input, kind) in sheet.inputs.iter().zip(kinds) {
        let (root, field) = input.expression.split_once('.').unwrap_or((&input.expression, ""));
        let fields = roots.entry(root.to_owned()).or_default();
        if !field.is_empty() {
            fields.insert((field.to_owned(), type_ref(*kind)));
        }
    }
    roots
}

fn write_types(xml: &mut Xml, roots: &BTreeMap<String, BTreeSet<(String, &'static str)>>) {
    for (root, fields) in roots.iter().filter(|(_, fields)| !fields.is_empty()) {
        xml.open("itemDefinition", &[("name", &format!("t_{root}"))]);
        for (field, type_ref) in fields {
            xml.open("itemComponent", &[("name", field)]);
            xml.text("typeRef", type_ref);
            xml.close("itemComponent");
        }
        xml.close("itemDefinition");
    }
}

fn write_table(xml: &mut Xml, sheet: &Sheet, rows: &[Entries], kinds: (&[Option<Kind>], &[Option<Kind>])) {
    let policy = policy(sheet.hit_policy);
    let mut attributes = vec![("id", "table"), ("hitPolicy", policy)];
    attributes.extend(sheet.aggregation.map(|aggregation| ("aggregation", aggregation_name(aggregation))));
    xml.open("decisionTable", &attributes);
    for (nth, (input, kind)) in sheet.inputs.iter().zip(kinds.0).enumerate() {
        xml.open("input", &[("id", &format!("in_{}", nth + 1)), ("label", &input.expression)]);
        xml.open("inputExpression", &[("typeRef", type_ref(*kind))]);
        xml.text("text", &input.expression);
        xml.close("inputExpression");
        xml.close("input");
    }
    for (nth, (output, kind)) in sheet.outputs.iter().zip(kinds.1).enumerate() {
        let id = format!("out_{}", nth + 1);
        let attributes = [("id", id.as_str()), ("name", &output.name), ("typeRef", type_ref(*kind))];
        if output.allowed.is_empty() {
            xml.empty("output", &attributes);
            continue;
        }
        xml.open("output", &attributes);
        xml.open("outputValues", &[]);
        xml.text("text", &output.allowed.iter().map(feel::write_literal).collect::<Vec<_>>().join(", "));
        xml.close("outputValues");
        xml.close("output");
    }
    write_rules(xml, sheet, rows);
    xml.close("decisionTable");
}

/// Annotations and rules; ids and notes are annotations, since an id here need not be one of XML.
fn write_rules(xml: &mut Xml, sheet: &Sheet, rows: &[Entries]) {
    let (has_ids, has_notes) = (sheet.rows.iter().any(|r| r.id.is_some()), sheet.rows.iter().any(|r| r.note.is_some()));
    for (name, _) in [("id", has_ids), ("note", has_notes)].iter().filter(|(_, is_there)| *is_there) {
        xml.empty("annotation", &[("name", name)]);
    }
    for (nth, (row, entries)) in sheet.rows.iter().zip(rows).enumerate() {
        xml.open("rule", &[("id", &format!("rule_{}", nth + 1))]);
        for (element, texts) in [("inputEntry", &entries.tests), ("outputEntry", &entries.settings)] {
            for text in texts {
                xml.entry(element, text);
            }
        }
        for (text, _) in [(&row.id, has_ids), (&row.note, has_notes)].iter().filter(|(_, is_there)| *is_there) {
            xml.entry("annotationEntry", text.as_deref().unwrap_or_default());
        }
        xml.close("rule");
    }
}

fn policy(policy: HitPolicy) -> &'static str {
    match policy {
        HitPolicy::First => "FIRST",
        HitPolicy::Unique => "UNIQUE",
        HitPolicy::Any => "ANY",
        HitPolicy::Priority => "PRIORITY",
        HitPolicy::OutputOrder => "OUTPUT ORDER",
        HitPolicy::RuleOrder => "RULE ORDER",
        HitPolicy::Collect => "COLLECT",
    }
}

fn aggregation_name(aggregation: Aggregation) -> &'static str {
    match aggregation {
        Aggregation::Sum => "SUM",
        Aggregation::Min => "MIN",
        Aggregation::Max => "MAX",
        Aggregation::Count => "COUNT",
    }
}

fn type_ref(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Text) => "string",
        Some(Kind::Number) => "number",
        Some(Kind::Bool) => "boolean",
        Some(Kind::Time) => "dateTime",
        Some(Kind::Duration) => "dayTimeDuration",
        Some(Kind::List) | None => "Any",
    }
}

/// A name that can stand in a URN.
fn ncname(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' }).collect()
}

/// XML under way.
#[derive(Default)]
struct Xml {
    text: String,
    depth: usize,
}

impl Xml {
    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.raw(">\n");
        self.depth += 1;
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.raw("/>\n");
    }

    fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.indent();
        self.raw(&format!("</{name}>\n"));
    }

    /// `<name>text</name>`
    fn text(&mut self, name: &str, text: &str) {
        self.indent();
        self.raw(&format!("<{name}>{}</{name}>\n", escaped(text)));
    }

    /// `<name><text>text</text></name>`
    fn entry(&mut self, name: &str, text: &str) {
        self.indent();
        self.raw(&format!("<{name}><text>{}</text></{name}>\n", escaped(text)));
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.indent();
        self.raw(&format!("<{name}"));
        for (key, value) in attributes {
            self.raw(&format!(" {key}=\"{}\"", escaped(value)));
        }
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            c => escaped.push(c),
        }
    }
    escaped
}
