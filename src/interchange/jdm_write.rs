//! A table of ours as JDM: a graph of an input, a decision table and an output.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::sheet::{Fault, HitPolicy, Sheet};
use super::zen;

/// Writes a table as a graph; or names every cell that JDM cannot say.
pub fn write(sheet: &Sheet) -> Result<String, Vec<Fault>> {
    let mut faults = Vec::new();
    let hit_policy = hit_policy(sheet).unwrap_or_else(|fault| {
        faults.push(sheet.fault(fault));
        "first"
    });
    let rules = rules(sheet, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let inputs = sheet.inputs.iter().enumerate().map(|(nth, input)| column("in", nth, &input.expression)).collect();
    let outputs = sheet.outputs.iter().enumerate().map(|(nth, output)| column("out", nth, &output.name)).collect();
    let content = Content { hit_policy, inputs, outputs, rules };
    let graph = Graph {
        nodes: vec![
            Node { id: "input", name: "input", kind: "inputNode", position: Position { x: 0, y: 0 }, content: None },
            Node {
                id: "table",
                name: &sheet.name,
                kind: "decisionTableNode",
                position: Position { x: 320, y: 0 },
                content: Some(content),
            },
            Node {
                id: "output",
                name: "output",
                kind: "outputNode",
                position: Position { x: 640, y: 0 },
                content: None,
            },
        ],
        edges: [("input", "table"), ("table", "output")].map(
            |(from, to)| json!({ "id": format!("{from}-{to}"), "type": "edge", "sourceId": from, "targetId": to }),
        ),
    };
    let mut text = serde_json::to_string_pretty(&graph).map_err(|e| vec![sheet.fault(format!("not writable: {e}"))])?;
    text.push('\n');
    Ok(text)
}

/// The name of the hit policy, if JDM has it.
fn hit_policy(sheet: &Sheet) -> Result<&'static str, String> {
    match (sheet.hit_policy, sheet.aggregation) {
        (HitPolicy::First, _) => Ok("first"),
        (HitPolicy::Collect, None) => Ok("collect"),
        (HitPolicy::Collect, Some(_)) => Err("JDM has no aggregations: it collects rows as a list".to_owned()),
        (other, _) => Err(format!("JDM has the hit policies `first` and `collect`, not `{}`", other.name())),
    }
}

#[derive(Serialize)]
struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    edges: [Value; 2],
}

#[derive(Serialize)]
struct Node<'a> {
    id: &'static str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
}

/// Where an editor draws a node.
#[derive(Serialize)]
struct Position {
    x: u32,
    y: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    hit_policy: &'static str,
    inputs: Vec<Column>,
    outputs: Vec<Column>,
    rules: Vec<Map<String, Value>>,
}

#[derive(Serialize)]
struct Column {
    id: String,
    name: String,
    field: String,
}

fn column(side: &str, nth: usize, name: &str) -> Column {
    Column { id: key(side, nth), name: name.to_owned(), field: name.to_owned() }
}

/// The key of a column's cells.
fn key(side: &str, nth: usize) -> String {
    format!("{side}_{}", nth + 1)
}

fn rules(sheet: &Sheet, faults: &mut Vec<Fault>) -> Vec<Map<String, Value>> {
    faults.extend(sheet.untranslated());
    let mut rules = Vec::with_capacity(sheet.rows.len());
    for (at, row) in sheet.rows.iter().enumerate() {
        // An editor wants an id; the row's number is what a row without one has here.
        let id = row.id.clone().unwrap_or_else(|| format!("{}-{}", sheet.name, at + 1));
        let mut rule = Map::from_iter([("_id".to_owned(), Value::String(id))]);
        rule.extend(row.note.clone().map(|note| ("_description".to_owned(), Value::String(note))));
        for (nth, (test, input)) in row.tests.iter().zip(&sheet.inputs).enumerate() {
            let Ok(test) = test else { continue };
            match zen::write_test(test) {
                Ok(text) => drop(rule.insert(key("in", nth), Value::String(text))),
                Err(why) => {
                    let cell = test.to_cell().unwrap_or_default();
                    faults.push(sheet.cell_fault(at, input.shown(), &cell, &why));
                }
            }
        }
        for (nth, (setting, output)) in row.settings.iter().zip(&sheet.outputs).enumerate() {
            let Ok(setting) = setting else { continue };
            match zen::write_setting(setting) {
                Ok(text) => drop(rule.insert(key("out", nth), Value::String(text))),
                Err(why) => {
                    let cell = setting.to_cell().unwrap_or_default();
                    faults.push(sheet.cell_fault(at, output.shown(), &cell, &why));
                }
            }
        }
        rules.push(rule);
    }
    rules
}
