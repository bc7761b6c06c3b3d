//! From the graph of a file to the steps that are run for each row.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::fault::{NodeFault, OnnxFault};
use super::graph::{Form, Graph, ONNX_BYTES_MAX};
use super::labels::{self, TabularOutputs};
use super::model::TabularInputs;
use super::node::Node;
use super::operators;
use super::step::{Columns, Source, Step, Work};
use super::tensor::{Tensor, element};

/// How many columns a row, or what a step writes, may have.
pub(super) const COLUMNS_MAX: usize = 16_384;

/// How many numbers of constants the steps may have, each counted as often as it is used: as many as a file may hold.
const NUMBERS_MAX: usize = ONNX_BYTES_MAX / size_of::<f32>();

/// A compiled graph.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) inputs: TabularInputs,
    pub(super) outputs: TabularOutputs,
    pub(super) steps: Vec<Step>,
    pub(super) constants: Vec<f32>,
    /// How many columns all steps write.
    pub(super) written: usize,
    /// Where the scores are in the end.
    pub(super) scores: Columns,
}

/// What a name of the graph stands for while it is compiled.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Columns of the row.
    Columns(Columns),
    /// A constant; nodes that only give it another name share it.
    Constant(Rc<Tensor>),
}

/// A graph that is being compiled.
#[derive(Debug, Default)]
pub(super) struct Compiler<'a> {
    values: BTreeMap<&'a str, Value>,
    steps: Vec<Step>,
    constants: Vec<f32>,
    written: usize,
    /// How many numbers of constants the steps have.
    weighed: usize,
}

impl Program {
    /// Compiles the part of a graph that its scores need.
    pub(super) fn compile(graph: &Graph<'_>) -> Result<Self, OnnxFault> {
        let score = score_output(graph)?;
        let needed = needed(graph, score);
        refuse_unknown(graph, &needed)?;
        let mut compiler = Compiler::default();
        let inputs = compiler.take_inputs(graph)?;
        for (name, tensor) in &graph.constants {
            compiler.values.insert(name, Value::Constant(Rc::new(tensor.clone())));
        }
        for node in graph.nodes.iter().zip(&needed).filter(|(_, is_needed)| **is_needed).map(|(node, _)| node) {
            operators::compile(&mut compiler, node)?;
        }
        let Some(Value::Columns(scores)) = compiler.values.get(score) else {
            return Err(OnnxFault::graph(format!("output `{score}` does not depend on the inputs")));
        };
        let scores = *scores;
        let outputs = labels::outputs(graph, score, &needed, scores.count)?;
        let Compiler { steps, constants, written, .. } = compiler;
        Ok(Self { inputs, outputs, steps, constants, written, scores })
    }
}

/// The output that has the scores: the only one of floats, or of maps from labels to floats.
fn score_output<'a>(graph: &Graph<'a>) -> Result<&'a str, OnnxFault> {
    let is_score = |form: &Form| match form {
        Form::Tensor { element, .. } => [element::FLOAT, element::DOUBLE].contains(element),
        Form::Maps => true,
        Form::Unsaid => false,
    };
    let scores: Vec<&str> =
        graph.outputs.iter().filter(|output| is_score(&output.form)).map(|output| output.name).collect();
    match scores.as_slice() {
        [one] => Ok(one),
        [] => Err(OnnxFault::graph("no output has floats; export the model with its probabilities or values")),
        several => Err(OnnxFault::graph(format!("outputs `{}` have floats; one is needed", several.join("`, `")))),
    }
}

/// For each node, whether the output needs it.
fn needed(graph: &Graph<'_>, output: &str) -> Vec<bool> {
    let mut names = BTreeSet::from([output]);
    let mut needed = vec![false; graph.nodes.len()];
    for (node, is_needed) in graph.nodes.iter().zip(&mut needed).rev() {
        if node.outputs.iter().any(|name| names.contains(name)) {
            *is_needed = true;
            names.extend(node.inputs.iter().filter(|name| !name.is_empty()));
        }
    }
    needed
}

/// Every node that is needed and that nobody knows, at once.
fn refuse_unknown(graph: &Graph<'_>, needed: &[bool]) -> Result<(), OnnxFault> {
    let unknown = graph.nodes.iter().zip(needed).filter(|(node, is_needed)| **is_needed && !operators::is_known(node));
    let faults: Vec<NodeFault> = unknown.map(|(node, _)| node.fault("this operator is not supported")).collect();
    if faults.is_empty() { Ok(()) } else { Err(OnnxFault::Nodes(faults)) }
}

impl<'a> Compiler<'a> {
    /// The inputs, one after the other, are the features.
    fn take_inputs(&mut self, graph: &Graph<'a>) -> Result<TabularInputs, OnnxFault> {
        let mut count = 0;
        for input in &graph.inputs {
            let fault = |what: String| OnnxFault::graph(format!("input `{}` {what}", input.name));
            let Form::Tensor { element, dims } = &input.form else {
                return Err(fault("is no tensor of numbers".to_owned()));
            };
            if ![element::FLOAT, element::DOUBLE, element::INT64, element::INT32, element::BOOL].contains(element) {
                let what = if *element == element::STRING { "texts" } else { "elements of an unknown type" };
                return Err(fault(format!("has {what}; numbers are supported: encode them before the model")));
            }
            let columns = match dims.as_deref() {
                Some([_, Some(columns)]) => *columns,
                _ => {
                    return Err(fault(
                        "does not say how many columns it has: its shape must be [N, columns]".to_owned(),
                    ));
                }
            };
            if count + columns > COLUMNS_MAX {
                return Err(fault(format!("makes more than {COLUMNS_MAX} columns")));
            }
            self.values
                .insert(input.name, Value::Columns(Columns { source: Source::Features, at: count, count: columns }));
            count += columns;
        }
        let is_separate = graph.inputs.len() > 1 && graph.inputs.len() == count;
        let names = graph.inputs.iter().filter(|_| is_separate).map(|input| input.name.to_owned()).collect();
        Ok(TabularInputs { count, names })
    }

    /// What a name stands for.
    pub(super) fn value(&self, node: &Node<'a>, name: &str) -> Result<&Value, NodeFault> {
        self.values
            .get(name)
            .ok_or_else(|| node.fault(format!("its input `{name}` is not of a kind that is supported")))
    }

    /// An input that is columns of the row, or a constant row.
    pub(super) fn columns(&mut self, node: &Node<'a>, nth: usize) -> Result<Columns, NodeFault> {
        let name = node.input(nth)?;
        let tensor = match self.value(node, name)? {
            Value::Columns(columns) => return Ok(*columns),
            Value::Constant(tensor) => tensor,
        };
        // A scalar, a list, or a matrix of one row, no longer than a row may be.
        let size: usize = tensor.dims.iter().product();
        let is_row = tensor.dims.iter().rev().skip(1).all(|dim| *dim == 1) && (1..=COLUMNS_MAX).contains(&size);
        let numbers = if is_row { tensor.numbers() } else { None };
        let numbers = numbers.ok_or_else(|| node.fault(format!("its input `{name}` is no row of numbers")))?;
        self.weigh(node, numbers.len())?;
        let columns = Columns { source: Source::Constants, at: self.constants.len(), count: numbers.len() };
        self.constants.extend(numbers);
        Ok(columns)
    }

    /// Counts numbers that a step keeps: one constant may be used by many.
    pub(super) fn weigh(&mut self, node: &Node<'a>, numbers: usize) -> Result<(), NodeFault> {
        self.weighed = self.weighed.saturating_add(numbers);
        if self.weighed <= NUMBERS_MAX {
            return Ok(());
        }
        Err(node.fault(format!("with it the nodes use more than {NUMBERS_MAX} numbers of constants")))
    }

    /// An input that must be a constant.
    pub(super) fn constant(&self, node: &Node<'a>, nth: usize) -> Result<&Tensor, NodeFault> {
        let name = node.input(nth)?;
        match self.value(node, name)? {
            Value::Constant(tensor) => Ok(tensor),
            Value::Columns(_) => {
                Err(node.fault(format!("its input `{name}` is computed; only a constant is supported")))
            }
        }
    }

    /// Adds a step whose columns have the name of the node's output.
    pub(super) fn add(&mut self, node: &Node<'a>, output: usize, work: Work, count: usize) -> Result<(), NodeFault> {
        self.push(node, output, work, count).map(|_| ())
    }

    /// As [`Compiler::add`]; tells where the columns are.
    pub(super) fn push(
        &mut self,
        node: &Node<'a>,
        output: usize,
        work: Work,
        count: usize,
    ) -> Result<Columns, NodeFault> {
        if count == 0 || self.written + count > 64 * COLUMNS_MAX || count > COLUMNS_MAX {
            return Err(node.fault(format!("it gives {count} columns; 1 to {COLUMNS_MAX} are supported")));
        }
        let columns = Columns { source: Source::Written, at: self.written, count };
        self.steps.push(Step { work, at: self.written, count });
        self.written += count;
        self.name(node, output, Value::Columns(columns));
        Ok(columns)
    }

    /// Gives the node's output a value that is there already.
    pub(super) fn name(&mut self, node: &Node<'a>, output: usize, value: Value) {
        if let Some(name) = node.outputs.get(output).filter(|name| !name.is_empty()) {
            self.values.insert(name, value);
        }
    }
}
