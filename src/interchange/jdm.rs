//! JDM, the decision graphs of GoRules: the decision tables of a JSON file.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::sheet::{
    CELLS_MAX, COLUMNS_MAX, Cell, Fault, HitPolicy, Input, Model, Output, ROWS_MAX, Row, Sheet, TABLES_MAX, cell,
};
use super::zen;

/// Reads every decision table of a graph, and names the nodes that are something else.
pub fn read(text: &str) -> Result<Model, Vec<Fault>> {
    let json: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|e| Fault::of_file(format!("not readable as JSON: {e}")))?;
    let Some(nodes) = json.get("nodes").and_then(Value::as_array) else {
        return Err(Fault::of_file("not a JDM file: expected an object with a list `nodes`"));
    };
    let (mut tables, mut others, mut names, mut cells_left) = (Vec::new(), Vec::new(), HashSet::new(), CELLS_MAX);
    for node in nodes {
        match text_of(node, "type") {
            Some("decisionTableNode") if tables.len() == TABLES_MAX => {
                return Err(Fault::of_file(format!("holds more than {TABLES_MAX} decision tables")));
            }
            Some("decisionTableNode") => tables.push(table(node, &mut names, &mut cells_left)),
            Some("inputNode" | "outputNode") => {}
            kind => others.push(format!("`{}` ({})", text_of(node, "name").unwrap_or("?"), kind.unwrap_or("no type"))),
        }
    }
    let remark = |others: Vec<String>| format!("other nodes of the graph are not translated: {}", others.join(", "));
    Ok(Model { tables, remarks: if others.is_empty() { Vec::new() } else { vec![remark(others)] } })
}

/// A text that is not empty.
fn text_of<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

struct Reading<'a> {
    name: String,
    faults: Vec<Fault>,
    /// Cells that the rest of the file may have: a row need not name its cells to have them.
    cells_left: &'a mut usize,
}

/// A column: the key of its cells, and what it is.
type Column<T> = (String, T);

fn table(node: &Value, names: &mut HashSet<String>, cells_left: &mut usize) -> Result<Sheet, Vec<Fault>> {
    let wanted = text_of(node, "name").or_else(|| text_of(node, "id")).unwrap_or("table").to_owned();
    let (mut name, mut nth) = (wanted.clone(), 1);
    while !names.insert(name.clone()) {
        nth += 1;
        name = format!("{wanted} {nth}");
    }
    let mut reading = Reading { name, faults: Vec::new(), cells_left };
    let Some(content) = node.get("content").filter(|content| content.is_object()) else {
        reading.fault("has no `content`");
        return Err(reading.faults);
    };
    let hit_policy = reading.hit_policy(content);
    reading.refuse_loops(content);
    let prefix = text_of(content, "outputPath").map(|path| format!("{path}.")).unwrap_or_default();
    let inputs = reading.columns(content, "inputs", |_, column| input(column));
    let outputs = reading.columns(content, "outputs", |reading, column| reading.output(column, &prefix));
    let rows = reading.rows(content, &inputs, &outputs);
    let Some(hit_policy) = hit_policy.filter(|_| reading.faults.is_empty()) else { return Err(reading.faults) };
    let mut remarks = Vec::new();
    if content.get("passThrough").or_else(|| content.get("passThorough")).and_then(Value::as_bool) == Some(true) {
        remarks.push("the node passes its input through; a decision here holds its outcome only".to_owned());
    }
    Ok(Sheet {
        name: reading.name,
        hit_policy,
        aggregation: None,
        inputs: inputs.into_iter().map(|(_, input)| input).collect(),
        outputs: outputs.into_iter().map(|(_, output)| output).collect(),
        rows,
        remarks,
    })
}

fn input(column: &Value) -> Input {
    let label = text_of(column, "name").map(str::to_owned);
    Input { label, expression: text_of(column, "field").unwrap_or_default().to_owned(), ..Input::default() }
}

impl Reading<'_> {
    fn fault(&mut self, why: impl Into<String>) {
        self.faults.push(Fault::of_table(&self.name, why));
    }

    fn hit_policy(&mut self, content: &Value) -> Option<HitPolicy> {
        match content.get("hitPolicy") {
            None | Some(Value::Null) => Some(HitPolicy::First),
            Some(Value::String(policy)) if policy == "first" => Some(HitPolicy::First),
            Some(Value::String(policy)) if policy == "collect" => Some(HitPolicy::Collect),
            Some(other) => {
                self.fault(format!("`hitPolicy` is `first` or `collect`, found `{other}`"));
                None
            }
        }
    }

    /// What makes a table look at something else than its graph's input.
    fn refuse_loops(&mut self, content: &Value) {
        if text_of(content, "executionMode") == Some("loop") {
            self.fault("is run once for each item of a list (`executionMode` is `loop`), which a table here cannot be");
        } else if let Some(field) = text_of(content, "inputField") {
            self.fault(format!("looks at the parts of `{field}` (`inputField`): its names are not the graph's"));
        }
    }

    fn columns<T>(
        &mut self,
        content: &Value,
        key: &str,
        mut read: impl FnMut(&mut Self, &Value) -> T,
    ) -> Vec<Column<T>> {
        let Some(columns) = content.get(key).and_then(Value::as_array).filter(|columns| !columns.is_empty()) else {
            self.fault(format!("needs at least one column in the list `{key}`"));
            return Vec::new();
        };
        if columns.len() > COLUMNS_MAX {
            self.fault(format!("has {} {key}, the limit is {COLUMNS_MAX}", columns.len()));
            return Vec::new();
        }
        let mut known = HashSet::new();
        let mut read_columns = Vec::with_capacity(columns.len());
        for column in columns {
            match text_of(column, "id") {
                Some(id) if known.insert(id) => read_columns.push((id.to_owned(), read(self, column))),
                Some(id) => self.fault(format!("the id `{id}` stands twice in `{key}`")),
                None => self.fault(format!("a column of `{key}` has no `id`")),
            }
        }
        read_columns
    }

    fn output(&mut self, column: &Value, prefix: &str) -> Output {
        let label = text_of(column, "name").map(str::to_owned);
        let field = text_of(column, "field").unwrap_or_default();
        if field.is_empty() {
            self.fault(format!("the output `{}` has no `field`", label.as_deref().unwrap_or("?")));
        }
        if field.ends_with("[]") {
            self.fault(format!(
                "the output `{field}` appends to a list with every row that matches, which a table here cannot"
            ));
        }
        Output { name: format!("{prefix}{field}"), label, ..Output::default() }
    }

    fn rows(&mut self, content: &Value, inputs: &[Column<Input>], outputs: &[Column<Output>]) -> Vec<Row> {
        let Some(rules) = content.get("rules").and_then(Value::as_array) else {
            self.fault("has no list `rules`");
            return Vec::new();
        };
        if rules.len() > ROWS_MAX {
            self.fault(format!("has more than {ROWS_MAX} rows"));
            return Vec::new();
        }
        match self.cells_left.checked_sub(rules.len() * (inputs.len() + outputs.len())) {
            Some(left) => *self.cells_left = left,
            None => {
                self.fault(format!("the tables of the file have more than {CELLS_MAX} cells"));
                return Vec::new();
            }
        }
        let mut rows = Vec::with_capacity(rules.len());
        for (at, rule) in rules.iter().enumerate() {
            let Some(rule) = rule.as_object() else {
                self.fault(format!("row {} is not an object", at + 1));
                continue;
            };
            let text = |key: &str| rule.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
            rows.push(Row {
                number: at + 1,
                id: text("_id").map(str::to_owned),
                note: text("_description").map(str::to_owned),
                tests: inputs.iter().map(|(key, input)| read_test(rule, key, input)).collect(),
                settings: outputs
                    .iter()
                    .map(|(key, _)| cell_of(rule, key, |text| zen::read_setting(text)?.sayable()))
                    .collect(),
            });
        }
        rows
    }
}

fn read_test(rule: &Map<String, Value>, key: &str, input: &Input) -> Cell<super::unary::Test> {
    cell_of(rule, key, |text| {
        if input.expression.is_empty() && !text.trim().is_empty() {
            return Err("the column has no `field`, so the cell is an expression of its own, which is not translated"
                .to_owned());
        }
        zen::read_test(text)?.sayable()
    })
}

/// A cell; one that is not there is empty.
fn cell_of<T>(rule: &Map<String, Value>, key: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Cell<T> {
    match rule.get(key) {
        None | Some(Value::Null) => cell("", read),
        Some(Value::String(text)) => cell(text, read),
        Some(other) => cell(&other.to_string(), |_| Err("a cell is a text in JDM".to_owned())),
    }
}
